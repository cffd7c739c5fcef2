/* bench_frameworks_first MODEL TEXT: what a C program with libcuseq takes from its start to its first
 * answer. */
#include <cuseq/cuseq.h>

#include <stdbool.h>
#include <stdio.h>

enum { MOST = 256 };

int main(int argc, char **argv) {
  cuseq_model *model = NULL;
  cuseq_session *session = NULL;
  int32_t ids[MOST], length, tokens[MOST];
  char text[4 * MOST + 1];
  bool answered = false;
  if (argc == 3 && cuseq_model_load(argv[1], &model) == CUSEQ_STATUS_OK &&
      cuseq_model_config(model)->text_length <= MOST && cuseq_model_config(model)->steps <= MOST &&
      cuseq_session_open(model, NULL, &session) == CUSEQ_STATUS_OK &&
      cuseq_text_encode(model, argv[2], 0, ids, &length, NULL) == CUSEQ_STATUS_OK) {
    const int32_t steps = cuseq_model_config(model)->steps;
    cuseq_input input = {
        .size = sizeof(cuseq_input), .data = ids, .dtype = CUSEQ_DTYPE_I32, .batch = 1, .time = length};
    cuseq_decoding wanted = {.size = sizeof(cuseq_decoding), .tokens = tokens};
    answered = cuseq_run(session, &input, NULL, &wanted) == CUSEQ_STATUS_OK &&
               cuseq_text_decode(model, tokens, steps, text, sizeof text) == CUSEQ_STATUS_OK &&
               puts(text) >= 0;
  }
  if (!answered)
    fprintf(stderr, "bench_frameworks_first: %s\n", cuseq_last_error());
  cuseq_session_close(session);
  cuseq_model_destroy(model);
  return answered ? 0 : 2;
}
