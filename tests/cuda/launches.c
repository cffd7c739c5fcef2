/* One session and some calls of a small model, for launches.py to count.
 *   launches PLAN T Y CALLS */
#include "support/random_model.h"

#include <stdio.h>
#include <stdlib.h>

enum { B = 2, F = 3, LONGEST = 256, V = 4 };

int main(int count, char **arguments) {
  static const char json[] =
      "{\"version\":1,\"encoder\":{\"features\":3,\"units\":6,\"layers\":2},"
      "\"attention\":{\"score\":\"additive\"},"
      "\"decoder\":{\"units\":5,\"steps\":2,\"initial_state\":\"dense\",\"feedback\":\"output\","
      "\"start_token\":1},\"output\":{\"units\":4}}";
  static const float x[B * LONGEST * F];
  static int32_t tokens[B * LONGEST];
  const struct random_widths widths = {.additive_units = 4, .embedding_units = 3};
  struct random random = {11};
  if (count != 5)
    return 2;
  int32_t T = (int32_t)strtol(arguments[2], NULL, 10), Y = (int32_t)strtol(arguments[3], NULL, 10);
  long calls = strtol(arguments[4], NULL, 10);
  if (T < 1 || T > LONGEST || Y < 1 || Y > LONGEST)
    return 2;
  cuseq_model *model = random_model(json, &widths, &random);
  cuseq_session_options options;
  cuseq_session_options_init(&options, sizeof options, model);
  options.device = "cuda";
  options.cuda_plan = arguments[1];
  options.max_batch = B;
  options.max_time = T;
  options.max_steps = Y;
  cuseq_session *session;
  cuseq_status status = cuseq_session_open(model, &options, &session);
  const cuseq_input input = {
      .size = sizeof(cuseq_input), .data = x, .dtype = CUSEQ_DTYPE_F32, .batch = B, .time = T};
  const cuseq_decoding decoding = {.size = sizeof(cuseq_decoding), .steps = Y, .tokens = tokens};
  for (long i = 0; i < calls && status == CUSEQ_STATUS_OK; i++)
    status = cuseq_run(session, &input, NULL, &decoding);
  if (status != CUSEQ_STATUS_OK)
    fprintf(stderr, "launches: %s\n", cuseq_last_error());
  cuseq_session_close(session);
  cuseq_model_destroy(model);
  return status != CUSEQ_STATUS_OK;
}
