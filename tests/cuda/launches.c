/* One session and some calls of a small model, for launches.py to count.
 *   launches PLAN T Y CALLS MODEL */
#include "support/random_model.h"

#include <stdio.h>
#include <stdlib.h>

enum { B = 2, F = 3, LONGEST = 256, V = 4 };

/* What is run: a decoder of version 1; GRUs with attention after the cell, an attentional vector and input
 * feeding; a tagger over GRUs of unequal widths. */
static const char *const models[] = {
    "{\"version\":1,\"encoder\":{\"features\":3,\"units\":6,\"layers\":2},"
    "\"attention\":{\"score\":\"additive\"},"
    "\"decoder\":{\"units\":5,\"steps\":2,\"initial_state\":\"dense\",\"feedback\":\"output\","
    "\"start_token\":1},\"output\":{\"units\":4}}",
    "{\"version\":2,\"input\":{\"features\":3},\"encoder\":{\"layers\":["
    "{\"cell\":{\"kind\":\"gru\",\"units\":6},\"direction\":\"bidirectional\"},"
    "{\"cell\":{\"kind\":\"gru\",\"units\":6},\"direction\":\"bidirectional\"}]},"
    "\"attention\":{\"asks\":\"current\",\"score\":\"additive\",\"units\":4},"
    "\"decoder\":{\"reads\":[\"token\",\"attentional\"],\"feedback\":\"output\",\"start_token\":1,\"steps\":"
    "2,\"embedding\":3,\"attentional\":{\"parts\":[\"context\",\"state\"],\"units\":7,\"activation\":"
    "\"tanh\"},"
    "\"layers\":[{\"cell\":{\"kind\":\"gru\",\"units\":5},\"initial_h\":{\"dense\":{\"units\":5}}},"
    "{\"cell\":{\"kind\":\"lstm\",\"units\":5},\"initial_h\":{\"from\":\"zeros\"},\"initial_c\":{\"from\":"
    "\"zeros\"}}]},"
    "\"output\":{\"parts\":[\"attentional\"],\"layers\":[{\"units\":4,\"activation\":\"softmax\"}]}}",
    "{\"version\":2,\"input\":{\"features\":3},\"encoder\":{\"layers\":["
    "{\"cell\":{\"kind\":\"gru\",\"units\":6},\"backward_cell\":{\"kind\":\"gru\",\"units\":5},"
    "\"direction\":\"bidirectional\"}]},"
    "\"output\":{\"heads\":[{\"over\":\"every\",\"layers\":[{\"units\":4,\"activation\":\"softmax\"}]}]}}"};

int main(int count, char **arguments) {
  static const float x[B * LONGEST * F];
  static int32_t tokens[B * LONGEST];
  const struct random_widths widths = {.additive_units = 4, .embedding_units = 3};
  struct random random = {11};
  if (count != 6)
    return 2;
  long which = strtol(arguments[5], NULL, 10);
  if (which < 0 || which >= (long)(sizeof models / sizeof *models))
    return 2;
  int32_t T = (int32_t)strtol(arguments[2], NULL, 10), Y = (int32_t)strtol(arguments[3], NULL, 10);
  long calls = strtol(arguments[4], NULL, 10);
  if (T < 1 || T > LONGEST || Y < 1 || Y > LONGEST)
    return 2;
  cuseq_model *model = random_model(models[which], &widths, &random);
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
  const cuseq_decoding decoding = {.size = sizeof(cuseq_decoding),
                                   .steps = cuseq_model_config(model)->has_decoder ? Y : 0,
                                   .tokens = tokens};
  for (long i = 0; i < calls && status == CUSEQ_STATUS_OK; i++)
    status = cuseq_run(session, &input, NULL, &decoding);
  if (status != CUSEQ_STATUS_OK)
    fprintf(stderr, "launches: %s\n", cuseq_last_error());
  cuseq_session_close(session);
  cuseq_model_destroy(model);
  return status != CUSEQ_STATUS_OK;
}
