/* Finite input and weights whose numbers leave float32's range: the first row that does so is reported, on
 * every device. */
#include "support/changed_model.h"
#include "support/random_model.h"
#include "support/results.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The device tests build this file again, for their device. */
#ifndef OVERFLOW_DEVICES
#define OVERFLOW_DEVICES "reference", "cpu"
#endif

static const char *const devices[] = {OVERFLOW_DEVICES};
enum { DEVICES = sizeof devices / sizeof *devices, B = 5, T = 6, F = 3, Y = 4 };

#define ENCODER(more) "{\"version\":1,\"encoder\":{\"features\":3,\"units\":4" more "},"
#define LINEAR ",\"activation\":\"linear\""
#define DOT "\"attention\":{\"score\":\"dot\"}"
#define DECODER(more) ",\"decoder\":{\"units\":8,\"steps\":4" more "},"

/* A model by chance, one of its tensors (NULL: none) times `factor`. */
static cuseq_model *model_of(const char *json, int32_t additive_units, const char *name, float factor) {
  struct random random = {77};
  const struct random_widths widths = {.state_units = 8, .additive_units = additive_units};
  cuseq_model *plain = random_model(json, &widths, &random);
  return name ? changed_model_times(plain, name, factor) : plain;
}

static cuseq_session *open(const cuseq_model *model, const char *device, int32_t allow_nonfinite) {
  cuseq_session_options options;
  cuseq_session *session;
  cuseq_session_options_init(&options, sizeof options, model);
  options.device = device;
  options.precision = results_precision(device);
  options.max_batch = B;
  options.max_time = T;
  options.allow_nonfinite = allow_nonfinite;
  cr_assert_eq(cuseq_session_open(model, &options, &session), CUSEQ_STATUS_OK, "%s", cuseq_last_error());
  return session;
}

/* Input of about 1, but in the rows from `row` on, where it is of about `size`. */
static void input_make(float x[B * T * F], int32_t row, float size) {
  struct random random = {78};
  for (int32_t i = 0; i < B * T * F; i++)
    x[i] = random_between(&random, -1.0f, 1.0f) * (i / (T * F) >= row ? size : 1.0f);
}

static char message[1024]; /* of the last run */

static cuseq_status run(const cuseq_model *model, const char *device, const float *x, int32_t allow_nonfinite,
                        bool encodes_only) {
  cuseq_session *session = open(model, device, allow_nonfinite);
  struct results results;
  const cuseq_input input = {
      .size = sizeof(cuseq_input), .data = x, .dtype = CUSEQ_DTYPE_F32, .batch = B, .time = T};
  results_make(&results, model, B, T, cuseq_model_config(model)->has_decoder ? Y : 1);
  const cuseq_status status = encodes_only ? cuseq_encode(session, &input, &results.encoding)
                                           : cuseq_run(session, &input, &results.encoding, &results.decoding);
  snprintf(message, sizeof message, "%s", cuseq_last_error());
  if (status != CUSEQ_STATUS_OK)
    cr_expect_eq(cuseq_attend(session, NULL, NULL, NULL), CUSEQ_STATUS_INVALID_ARGUMENT,
                 "%s keeps annotations of a call that failed", device);
  results_free(&results);
  cuseq_session_close(session);
  return status;
}

struct overflow {
  const char *json;
  int32_t additive_units;
  const char *tensor; /* times `factor` */
  float factor;
  int32_t row; /* input from this row on times `size` */
  float size;
  const char *message; /* how it begins */
  bool encodes_only;
};

/* Every device reports the row, and lets it through where it is told to. */
static void expect_overflow(const struct overflow *one) {
  float x[B * T * F];
  cuseq_model *model = model_of(one->json, one->additive_units, one->tensor, one->factor);
  input_make(x, one->row, one->size);
  for (int d = 0; d < DEVICES; d++) {
    cr_expect_eq(run(model, devices[d], x, 0, one->encodes_only), CUSEQ_STATUS_NON_FINITE, "%s: %s",
                 devices[d], one->json);
    char line[200];
    snprintf(line, sizeof line, "%s: row %d leaves the range of float32", one->message, (int)one->row);
    cr_expect(strstr(message, line) == message, "%s: got \"%s\", want \"%s\": %s", devices[d], message, line,
              one->json);
    cr_expect_eq(run(model, devices[d], x, 1, one->encodes_only), CUSEQ_STATUS_OK, "%s: %s: %s", devices[d],
                 message, one->json);
  }
  cuseq_model_destroy(model);
}

Test(overflow, states_of_the_encoder_are_reported_with_their_row) {
  expect_overflow(&(struct overflow){.json = ENCODER(LINEAR) DOT "}",
                                     .row = 2,
                                     .size = 3e38f,
                                     .tensor = "encoder.layers.0.forward.kernel",
                                     .factor = 4.0f,
                                     .message = "encoder states"});
  expect_overflow(
      &(struct overflow){.json = ENCODER(",\"activation\":\"relu\",\"direction\":\"forward\"") DOT "}",
                         .row = 4,
                         .size = 3e38f,
                         .tensor = "encoder.layers.0.forward.kernel",
                         .factor = 9.0f,
                         .message = "encoder states",
                         .encodes_only = true});
}

Test(overflow, states_of_a_lower_layer_are_reported_though_the_layer_above_would_hide_them) {
  expect_overflow(&(struct overflow){.json = ENCODER(LINEAR ",\"layers\":2") DOT "}",
                                     .row = 1,
                                     .size = 3e38f,
                                     .tensor = "encoder.layers.0.backward.kernel",
                                     .factor = 4.0f,
                                     .message = "encoder states",
                                     .encodes_only = true});
}

Test(overflow, merges_are_reported) {
  expect_overflow(&(struct overflow){.json = ENCODER(LINEAR ",\"merge\":\"mul\"") DOT
                                     ",\"state\":{\"initial_state\":\"zeros\",\"units\":4}}",
                                     .row = 3,
                                     .size = 1e25f,
                                     .message = "annotations",
                                     .encodes_only = true});
}

Test(overflow, energies_are_reported_for_every_score) {
  static const char *const scores[] = {
      DOT, "\"attention\":{\"score\":\"general\"}",
      "\"attention\":{\"score\":\"concat\",\"layers\":[{\"units\":1,\"activation\":\"linear\"}]}",
      "\"attention\":{\"score\":\"concat\",\"layers\":[{\"units\":5,\"activation\":\"linear\"},{\"units\":1,"
      "\"activation\":\"linear\"}]}",
      "\"attention\":{\"score\":\"concat\",\"layers\":[{\"units\":5,\"activation\":\"relu\"},{\"units\":6,"
      "\"activation\":\"linear\"},{\"units\":1,\"activation\":\"linear\"}]}"};
  static const char *const tensors[] = {NULL, "attention.general", "attention.layers.0.kernel",
                                        "attention.layers.1.kernel", "attention.layers.2.kernel"};
  for (int i = 0; i < 5; i++) {
    char json[600];
    snprintf(json, sizeof json, "%s%s}", ENCODER(LINEAR), scores[i]);
    expect_overflow(&(struct overflow){
        .json = json, .row = 2, .size = 1e25f, .tensor = tensors[i], .factor = 1e20f, .message = "energies"});
  }
  expect_overflow(
      &(struct overflow){.json = ENCODER("") "\"attention\":{\"score\":\"additive\",\"scale\":1e30}}",
                         .additive_units = 40,
                         .row = 0,
                         .size = 1.0f,
                         .tensor = "attention.value",
                         .factor = 1e20f,
                         .message = "energies"});
}

Test(overflow, states_and_outputs_of_the_decoder_are_reported) {
  expect_overflow(&(struct overflow){
      .json = ENCODER(LINEAR) "\"attention\":{\"score\":\"concat\",\"layers\":[{"
                              "\"units\":1,\"activation\":\"tanh\"}]}" DECODER(
                                  ",\"initial_state\":\"zeros\",\"activation\":\"linear\"") "\"output\":{"
                                                                                            "\"units\":5}}",
      .row = 1,
      .size = 1e20f,
      .tensor = "decoder.kernel",
      .factor = 1e25f,
      .message = "decoder states"});
#define LINEAR_DECODER                                                                                       \
  ENCODER(LINEAR)                                                                                            \
  "\"attention\":{\"score\":\"concat\",\"layers\":[{\"units\":1,\"activation\":\"tanh\"}]}" DECODER(         \
      ",\"initial_state\":\"zeros\",\"activation\":\"linear\"")
  static const char *const outputs[] = {LINEAR_DECODER "\"output\":{\"units\":70,\"activation\":\"linear\"}}",
                                        LINEAR_DECODER "\"output\":{\"units\":70}}"};
  for (int i = 0; i < 2; i++)
    expect_overflow(&(struct overflow){.json = outputs[i],
                                       .row = 2,
                                       .size = 1e8f,
                                       .tensor = "output.kernel",
                                       .factor = 1e35f,
                                       .message = "outputs"});
}

Test(overflow, a_state_that_a_caller_gives_is_reported_where_its_energies_overflow) {
  cuseq_model *model = model_of(ENCODER(LINEAR) DOT "}", 0, NULL, 1.0f);
  float x[B * T * F], state[B * 8], context[B * 8];
  input_make(x, 0, 1e4f);
  for (int i = 0; i < B * 8; i++)
    state[i] = i / 8 >= 3 ? 3e38f : 1.0f;
  for (int d = 0; d < DEVICES; d++) {
    cuseq_session *session = open(model, devices[d], 0);
    const cuseq_input input = {
        .size = sizeof(cuseq_input), .data = x, .dtype = CUSEQ_DTYPE_F32, .batch = B, .time = T};
    cr_assert_eq(cuseq_encode(session, &input, NULL), CUSEQ_STATUS_OK);
    cr_expect_eq(cuseq_attend(session, state, context, NULL), CUSEQ_STATUS_NON_FINITE, "%s", devices[d]);
    cr_expect(strstr(cuseq_last_error(), "energies: row 3 "), "%s: %s", devices[d], cuseq_last_error());
    cr_expect_eq(cuseq_attend(session, NULL, context, NULL), CUSEQ_STATUS_OK, "%s: %s", devices[d],
                 cuseq_last_error());
    cuseq_session_close(session);
  }
  cuseq_model_destroy(model);
}

/* Gates and tanh are in range whatever goes in: nothing is reported, and what comes out is right. */
Test(overflow, cells_that_saturate_take_any_finite_input) {
  cuseq_model *model =
      model_of(ENCODER(",\"layers\":2") DOT DECODER("") "\"output\":{\"units\":5}}", 0, NULL, 1.0f);
  float x[B * T * F];
  static const float sizes[] = {1e4f, 1e10f, 1e30f};
  for (int i = 0; i < 3; i++) {
    input_make(x, 0, sizes[i]);
    struct results want;
    const cuseq_input input = {
        .size = sizeof(cuseq_input), .data = x, .dtype = CUSEQ_DTYPE_F32, .batch = B, .time = T};
    results_make(&want, model, B, T, Y);
    results_run(&want, model, "reference", 1, &input);
    for (int d = 0; d < DEVICES; d++) {
      struct results got;
      results_make(&got, model, B, T, Y);
      results_run(&got, model, devices[d], 1, &input);
      cr_expect(results_close(&got, &want, 1.0), "%s: %s", devices[d], results_report());
      results_free(&got);
    }
    results_free(&want);
  }
  cuseq_model_destroy(model);
}

/* A GRU of 4 units whose update gate is shut and whose candidate is 1e9: each h is the one before. */
static cuseq_model *shut_gru(const char *reset) {
  enum { H = 4 };
  char json[300];
  float kernel[F * 3 * H] = {0}, recurrent[H * 3 * H] = {0}, bias[3 * H], zero[3 * H] = {0};
  snprintf(
      json, sizeof json,
      "{\"version\":2,\"input\":{\"features\":3},\"encoder\":{\"layers\":[{\"cell\":{\"kind\":\"gru\","
      "\"units\":4,\"activation\":\"relu\",\"recurrent_activation\":\"hard_sigmoid\",\"reset\":\"%s\"}}]},"
      "\"attention\":{\"score\":\"dot\"}}",
      reset);
  for (int i = 0; i < 3 * H; i++)
    bias[i] = i < H ? 40.0f : i < 2 * H ? 0.0f : 1e9f;
  const cuseq_tensor tensors[] = {
      {"encoder.layers.0.forward.kernel", CUSEQ_DTYPE_F32, 2, {F, 3 * H}, kernel},
      {"encoder.layers.0.forward.recurrent_kernel", CUSEQ_DTYPE_F32, 2, {H, 3 * H}, recurrent},
      {"encoder.layers.0.forward.bias", CUSEQ_DTYPE_F32, 1, {3 * H}, bias},
      {"encoder.layers.0.forward.recurrent_bias", CUSEQ_DTYPE_F32, 1, {3 * H}, zero}};
  cuseq_model *model;
  cr_assert_eq(cuseq_model_create(json, tensors, strcmp(reset, "after") == 0 ? 4 : 3, &model),
               CUSEQ_STATUS_OK, "%s", cuseq_last_error());
  return model;
}

/* n + z (h - n) would lose h: h - n is -n in float32. */
Test(overflow, a_gru_that_keeps_its_state_does_so_beside_a_candidate_of_any_size) {
  static const char *const resets[] = {"after", "before"};
  float x[B * T * F], initial[B * 4], annotations[B * T * 4];
  input_make(x, B, 1.0f);
  for (int i = 0; i < B * 4; i++)
    initial[i] = 0.3f + 0.01f * (float)i;
  const cuseq_input input = {
      .size = sizeof input, .data = x, .dtype = CUSEQ_DTYPE_F32, .batch = B, .time = T, .initial_h = initial};
  const cuseq_encoding encoding = {.size = sizeof encoding, .annotations = annotations};
  const char *const plan = getenv("CUSEQ_CUDA_PLAN");
  const int count = plan && strstr(plan, "grid") ? 1 : 2; /* which takes no reset before the product */
  for (int m = 0; m < count; m++) {
    cuseq_model *model = shut_gru(resets[m]);
    for (int d = 0; d < DEVICES; d++) {
      cuseq_session *session = open(model, devices[d], 0);
      cr_assert_eq(cuseq_encode(session, &input, &encoding), CUSEQ_STATUS_OK, "%s", cuseq_last_error());
      for (int i = 0; i < B * T * 4; i++)
        cr_expect(annotations[i] == initial[i / (T * 4) * 4 + i % 4], "%s, reset %s: h %d is %.9g",
                  devices[d], resets[m], i, (double)annotations[i]);
      cuseq_session_close(session);
    }
    cuseq_model_destroy(model);
  }
}

/* A fault is forgotten with its call. */
Test(overflow, a_session_goes_on_after_a_row_that_overflowed) {
  cuseq_model *model = model_of(ENCODER(LINEAR) DOT "}", 0, "encoder.layers.0.forward.kernel", 4.0f);
  float x[B * T * F], y[B * T * F];
  input_make(x, 2, 3e38f);
  input_make(y, B, 1.0f);
  for (int d = 0; d < DEVICES; d++) {
    cuseq_session *session = open(model, devices[d], 0);
    cuseq_input input = {
        .size = sizeof(cuseq_input), .data = x, .dtype = CUSEQ_DTYPE_F32, .batch = B, .time = T};
    float annotations[B * T * 8];
    const cuseq_encoding encoding = {.size = sizeof(cuseq_encoding), .annotations = annotations};
    cr_expect_eq(cuseq_encode(session, &input, &encoding), CUSEQ_STATUS_NON_FINITE, "%s", devices[d]);
    input.data = y;
    cr_expect_eq(cuseq_encode(session, &input, &encoding), CUSEQ_STATUS_OK, "%s: %s", devices[d],
                 cuseq_last_error());
    cuseq_session_close(session);
  }
  cuseq_model_destroy(model);
}
