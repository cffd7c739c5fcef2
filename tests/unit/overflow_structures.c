/* Finite input and weights whose numbers leave float32's range, in structures of version 2: the first row
 * that does so is reported; and sums over many positions and many outputs, which err as those over few do. */
#include "support/changed_model.h"
#include "support/random_model.h"
#include "support/results.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const devices[] = {"reference", "cpu"};
enum { DEVICES = 2, B = 4, T = 5, F = 3 };

/* A model by chance, one of its tensors times `factor`. */
static cuseq_model *model_of(const char *json, uint64_t seed, const char *name, float factor) {
  struct random random = {seed};
  return changed_model_times(random_model(json, NULL, &random), name, factor);
}

static bool all_finite(const struct results *results) {
  for (int i = 0; i < RESULTS_FLOATS; i++)
    for (size_t k = 0; results->floats[i].data && k < results->floats[i].rows * results->floats[i].columns;
         k++)
      if (!isfinite(results->floats[i].data[k]))
        return false;
  return true;
}

static cuseq_status run(const cuseq_model *model, const char *device, const cuseq_input *input,
                        int32_t allow_nonfinite, char message[1024]) {
  cuseq_session_options options;
  cuseq_session *session;
  struct results results;
  const cuseq_config *config = cuseq_model_config(model);
  cuseq_session_options_init(&options, sizeof options, model);
  options.device = device;
  options.max_batch = B;
  options.max_time = T;
  options.allow_nonfinite = allow_nonfinite;
  cr_assert_eq(cuseq_session_open(model, &options, &session), CUSEQ_STATUS_OK, "%s", cuseq_last_error());
  results_make(&results, model, B, T, config->has_decoder ? config->steps : config->is_tagger ? T : 1);
  const cuseq_status status = cuseq_run(session, input, &results.encoding, &results.decoding);
  snprintf(message, 1024, "%s", status == CUSEQ_STATUS_OK ? "" : cuseq_last_error());
  if (status == CUSEQ_STATUS_OK && !allow_nonfinite)
    cr_expect(all_finite(&results), "%s: a result is not finite: %s", device, cuseq_model_config_json(model));
  results_free(&results);
  cuseq_session_close(session);
  return status;
}

/* The row that a message names; beyond all rows where there is none. */
static int row_of(const char *message) {
  const char *row = strstr(message, ": row ");
  return row ? atoi(row + strlen(": row ")) : B;
}

/* Over weights and inputs of many sizes, the large inputs from row 2 on: what is not reported is finite, what
 * the reference reports the cpu does - and may an earlier row, of which a partial sum leaves float32's range
 * though the sum does not -, and both let it through where told; some calls do leave the range, at
 * `stage`. */
static void expect_overflow(const char *json, const char *tensor, const char *stage) {
  static const float sizes[] = {1.0f, 1e10f, 1e20f, 1e37f}, factors[] = {1.0f, 1e15f, 1e30f, 3e38f};
  int seen = 0;
  char line[200];
  snprintf(line, sizeof line, "%s: row ", stage);
  for (uint64_t seed = 1; seed <= 12; seed++)
    for (int i = 0; i < 16; i++) {
      cuseq_model *model = model_of(json, seed, tensor, factors[i / 4]);
      struct random random = {seed + 100};
      float x[B * T * F];
      int32_t symbols[B * T];
      for (int k = 0; k < B * T * F; k++)
        x[k] = random_between(&random, -1.0f, 1.0f) * (k / (T * F) >= 2 ? sizes[i % 4] : 1.0f);
      for (int k = 0; k < B * T; k++)
        symbols[k] = random_below(&random, F);
      const bool ids = cuseq_model_config(model)->ids_only != 0;
      const cuseq_input input = {.size = sizeof(cuseq_input),
                                 .data = ids ? (const void *)symbols : (const void *)x,
                                 .dtype = ids ? CUSEQ_DTYPE_I32 : CUSEQ_DTYPE_F32,
                                 .batch = B,
                                 .time = T};
      char messages[DEVICES][1024], ignored[1024];
      for (int d = 0; d < DEVICES; d++) {
        const cuseq_status status = run(model, devices[d], &input, 0, messages[d]);
        cr_expect(status == CUSEQ_STATUS_OK || status == CUSEQ_STATUS_NON_FINITE, "%s: %s", devices[d],
                  messages[d]);
        cr_expect_eq(run(model, devices[d], &input, 1, ignored), CUSEQ_STATUS_OK, "%s: %s: %s", devices[d],
                     ignored, json);
      }
      cr_expect(row_of(messages[1]) <= row_of(messages[0]), "the reference says \"%s\", the cpu \"%s\": %s",
                messages[0], messages[1], json);
      seen += strstr(messages[0], line) == messages[0];
      cuseq_model_destroy(model);
    }
  cr_expect_gt(seen, 0, "nothing overflowed at %s: %s", stage, json);
}

#define MODEL(input, layer, rest)                                                                            \
  "{\"version\":2,\"input\":{\"features\":3" input "},\"encoder\":{\"layers\":[" layer "]}" rest "}"
#define LINEAR_LSTM "{\"cell\":{\"kind\":\"lstm\",\"units\":3,\"activation\":\"linear\"}}"
#define HEAD(over, activation)                                                                               \
  ",\"output\":{\"over\":\"" over "\",\"layers\":[{\"units\":4,\"activation\":\"" activation "\"}]}"
#define DECODER(reads, more)                                                                                 \
  ",\"decoder\":{\"reads\":[" reads                                                                          \
  "],\"feedback\":\"none\",\"steps\":3,\"layers\":[{\"cell\":{\"kind\":\"gru\","                             \
  "\"units\":3},\"initial_h\":{\"from\":\"zeros\"}}]" more "}"

#define LINEAR_GRU "{\"cell\":{\"kind\":\"gru\",\"units\":3,\"activation\":\"linear\"}"

Test(overflow_structures, states_of_gru_layers_and_residual_sums_are_reported) {
  expect_overflow(MODEL("", LINEAR_GRU "}", HEAD("final", "tanh")), "encoder.layers.0.forward.kernel",
                  "encoder states");
  expect_overflow(MODEL("", LINEAR_GRU "}," LINEAR_GRU ",\"residual\":true}", HEAD("last", "tanh")),
                  "encoder.layers.1.forward.kernel", "encoder states");
}

Test(overflow_structures, embeddings_that_overflow_a_state_are_reported) {
  /* Few units add up numbers of one sign with gates that are open. */
  expect_overflow(MODEL(",\"embedding\":2",
                        "{\"cell\":{\"kind\":\"lstm\",\"units\":48,\"activation\":\"linear\"}}",
                        HEAD("mean", "tanh")),
                  "input.embedding", "encoder states");
}

Test(overflow_structures, weights_of_positions_are_reported) {
  char json[600];
  snprintf(json, sizeof json,
           "{\"version\":2,\"input\":{\"features\":3},\"encoder\":{\"layers\":[" LINEAR_GRU
           ",\"weighting\":{\"positions\":%d},\"dense\":{\"units\":2,\"activation\":\"relu\"}}]}" HEAD(
               "last", "tanh") "}",
           (int)T);
  expect_overflow(json, "encoder.layers.0.weighting.kernel", "annotations");
}

Test(overflow_structures, what_a_layer_asks_itself_is_reported) {
  static const char *const tensors[] = {"query_map", "key_map", "value_map"};
  for (int i = 0; i < 3; i++) {
    char name[80];
    snprintf(name, sizeof name, "encoder.layers.0.self_attention.%s.kernel", tensors[i]);
    expect_overflow(MODEL("",
                          LINEAR_GRU
                          ",\"self_attention\":{\"score\":\"dot\",\"heads\":3,\"key\":{\"units\":6},"
                          "\"query\":{\"units\":6},\"value\":{\"units\":3}},\"dense\":{\"units\":2,"
                          "\"activation\":\"relu\"}}",
                          HEAD("last", "tanh")),
                    name, "annotations");
  }
  expect_overflow(
      MODEL("", LINEAR_GRU ",\"self_attention\":{\"score\":\"additive\",\"units\":9}}", HEAD("mean", "tanh")),
      "encoder.layers.0.self_attention.value", "annotations");
}

Test(overflow_structures, outputs_of_every_kind_of_head_are_reported) {
  static const char *const sources[] = {"final", "mean", "maximum", "last", "every"};
  for (int i = 0; i < 5; i++) {
    char json[600];
    snprintf(json, sizeof json,
             "{\"version\":2,\"input\":{\"features\":3},\"encoder\":{\"layers\":[" LINEAR_GRU
             "}]},\"output\":{\"over\":\"%s\",\"layers\":[{\"units\":4}]}}",
             sources[i]);
    expect_overflow(json, "output.layers.0.kernel", "outputs");
  }
  expect_overflow(MODEL("", LINEAR_GRU "}", HEAD("last", "exponential")), "output.layers.0.kernel",
                  "outputs");
}

Test(overflow_structures, energies_that_ask_after_the_step_are_reported) {
  static const char json[] =
      MODEL("", LINEAR_GRU "}",
            ",\"attention\":{\"score\":\"general\",\"asks\":\"current\"}" DECODER(
                "\"attentional\"",
                ",\"attentional\":{\"parts\":[\"context\",\"state\"],\"units\":3}") ",\"output\":{\"layers\":"
                                                                                    "[{\"units\":4}]}");
  expect_overflow(json, "attention.general", "energies");
}

/* ---- many terms ---- */

/* Equal input to a cell without memory: every position is alike. */
static cuseq_model *pooling_model(void) {
  return model_of(
      MODEL("", "{\"cell\":{\"kind\":\"lstm\",\"units\":3,\"bias\":false}}", HEAD("mean", "linear")), 91,
      "encoder.layers.0.forward.recurrent_kernel", 0.0f);
}

Test(overflow_structures, the_mean_of_very_many_positions_errs_as_that_of_few) {
  cuseq_model *model = pooling_model();
  const int32_t lengths[] = {50, 20000, 100000};
  for (int n = 0; n < 3; n++) {
    float *x = malloc((size_t)lengths[n] * F * sizeof *x);
    for (int32_t i = 0; i < lengths[n] * F; i++)
      x[i] = 0.3f + 0.2f * (float)(i % F);
    struct results got, want;
    const cuseq_input input = {
        .size = sizeof(cuseq_input), .data = x, .dtype = CUSEQ_DTYPE_F32, .batch = 1, .time = lengths[n]};
    results_make(&got, model, 1, lengths[n], 1);
    results_make(&want, model, 1, lengths[n], 1);
    results_run(&want, model, "reference", 1, &input);
    results_run(&got, model, "cpu", 1, &input);
    for (int k = 0; k < 4; k++)
      cr_expect(fabs((double)got.decoding.outputs[k] - (double)want.decoding.outputs[k]) <= 1e-6,
                "T %d: got %.9g, want %.9g", (int)lengths[n], (double)got.decoding.outputs[k],
                (double)want.decoding.outputs[k]);
    results_free(&got);
    results_free(&want);
    free(x);
  }
  cuseq_model_destroy(model);
}

Test(overflow_structures, probabilities_of_very_many_outputs_err_as_those_of_few) {
  static const char *const activations[] = {"softmax", "log_softmax"};
  static const int32_t counts[] = {50, 100000};
  for (int a = 0; a < 2; a++)
    for (int n = 0; n < 2; n++) {
      char json[600];
      snprintf(json, sizeof json,
               "{\"version\":2,\"input\":{\"features\":3},\"encoder\":{\"layers\":[" LINEAR_LSTM
               "]},\"output\":{\"over\":\"last\",\"layers\":[{\"units\":%d,\"activation\":\"%s\"}]}}",
               (int)counts[n], activations[a]);
      cuseq_model *model = model_of(json, 91, "output.layers.0.kernel", 1.0f);
      float x[B * T * F];
      for (int i = 0; i < B * T * F; i++)
        x[i] = 0.1f * (float)(i % 7);
      struct results got, want;
      const cuseq_input input = {
          .size = sizeof(cuseq_input), .data = x, .dtype = CUSEQ_DTYPE_F32, .batch = B, .time = T};
      results_make(&got, model, B, T, 1);
      results_make(&want, model, B, T, 1);
      results_run(&want, model, "reference", 1, &input);
      results_run(&got, model, "cpu", 1, &input);
      for (int32_t k = 0; k < B * counts[n]; k++) {
        const double value = (double)want.decoding.outputs[k],
                     error = fabs((double)got.decoding.outputs[k] - value) / fabs(value);
        cr_assert(error <= 2e-6, "%s of %d: got %.9g, want %.9g", activations[a], (int)counts[n],
                  (double)got.decoding.outputs[k], value);
      }
      results_free(&got);
      results_free(&want);
      cuseq_model_destroy(model);
    }
}
