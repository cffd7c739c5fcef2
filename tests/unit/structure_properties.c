/* What holds of every structure on every backend, whatever its numbers are. */
#include "backends/call.h"
#include "model/model.h"
#include "support/compare.h"
#include "support/random_structure.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifndef STRUCTURES_DEVICES
#define STRUCTURES_DEVICES "reference", "cpu"
#endif

static const char *const devices[] = {STRUCTURES_DEVICES};
enum { DEVICES = sizeof devices / sizeof *devices, STRUCTURES = 150, LARGEST = 8 };

/* Calls `check` with structures by chance on each device. */
static void for_all(uint64_t seed, void (*check)(const struct random_structure *, const char *)) {
  for (int d = 0; d < DEVICES; d++) {
    struct random random = {seed};
    for (int i = 0; i < STRUCTURES; i++) {
      struct random_structure made;
      random_structure_make(&made, &random, LARGEST);
      check(&made, devices[d]);
      if (i % 4 == 0 && random_structure_give(&made, LARGEST))
        check(&made, devices[d]);
      random_structure_free(&made);
    }
  }
}

static void *copied(const void *array, size_t bytes) {
  void *copy = malloc(bytes > 0 ? bytes : 1);
  cr_assert_not_null(copy);
  memcpy(copy, array, bytes);
  return copy;
}

/* The bits of all rows. */
static void expect_same(const struct results *got, const struct results *want,
                        const struct random_structure *made, const char *device) {
  for (int32_t b = 0; b < (want->B > want->encoded ? want->B : want->encoded); b++)
    cr_expect(results_same_row(got, b, want, b), "%s: %s: %s", device, results_report(), made->json);
}

/* What is given of step `y` of rows that are given more. */
static float *given_of_step(const struct random_structure *made, int32_t y) {
  size_t G = (size_t)cuseq_model_config(made->model)->given_width, Y = (size_t)made->Y;
  float *given = G > 0 ? calloc((size_t)made->B, G * sizeof *given) : NULL;
  for (size_t b = 0; b < (size_t)made->B && G > 0; b++)
    memcpy(given + b * G, made->given + (b * Y + (size_t)y) * G, G * sizeof *given);
  return given;
}

/* ---- rows ---- */

/* A decoding of which every row attends to itself is the decoding without `rows`. */
static void check_rows(const struct random_structure *made, const char *device) {
  if (!made->model->structure.decoder.present)
    return;
  struct random_structure named = *made, plain = *made;
  struct results got, want;
  int32_t rows[64];
  plain.rows = NULL;
  named.B = plain.B = made->encoded < made->B ? made->encoded : made->B;
  named.encoded = plain.encoded = plain.B;
  for (int32_t b = 0; b < named.B; b++)
    rows[b] = b;
  named.rows = rows;
  if (made->start_h) { /* blocks of another number of rows */
    named.start_h = named.start_c = plain.start_h = plain.start_c = NULL;
  }
  setenv("CUSEQ_CUDA_PLAN", "stages", 1); /* the same kernels for both: one launch takes no rows */
  random_structure_run(&named, device, 0, &got);
  random_structure_run(&plain, device, 0, &want);
  unsetenv("CUSEQ_CUDA_PLAN");
  expect_same(&got, &want, made, device);
  results_free(&got);
  results_free(&want);
}

Test(structure_properties, rows_that_name_themselves_change_nothing) {
  for_all(41, check_rows);
}

/* Rows that attend to one encoded row and start alike are the same, whichever row of the batch they are. */
static void check_same_rows(const struct random_structure *made, const char *device) {
  if (!made->model->structure.decoder.present)
    return;
  struct random_structure beam = *made;
  struct results got;
  int32_t rows[3] = {made->encoded - 1, 0, made->encoded - 1}, previous[3] = {0}, *targets = NULL;
  beam.B = 3;
  beam.rows = rows;
  beam.initial_h = beam.initial_c = beam.initial_fed = NULL;
  beam.target_lengths = NULL;
  beam.previous = made->model->structure.decoder.feedback != FEEDBACK_NONE ? previous : NULL;
  if (made->targets)
    beam.targets = targets = calloc(3 * (size_t)made->Y, sizeof *targets);
  size_t G = (size_t)cuseq_model_config(made->model)->given_width, row = (size_t)made->Y * G;
  float *given = beam.given = G > 0 ? calloc(3, row * sizeof *given) : NULL;
  for (size_t b = 0; b < 3 && given; b++)
    memcpy(given + b * row, made->given, row * sizeof *given);
  random_structure_run(&beam, device, 0, &got);
  for (int i = RESULTS_FIRST_DECODED; i < RESULTS_FLOATS; i++) {
    const struct results_floats *floats = &got.floats[i];
    if (floats->data)
      cr_expect(
          compare_bytes(floats->data, floats->data + 2 * floats->columns, floats->columns * sizeof(float)),
          "%s: %s: %s: %s", device, floats->name, compare_report(), made->json);
  }
  results_free(&got);
  free(targets), free(given);
}

Test(structure_properties, rows_that_attend_to_one_row_are_alike) {
  for_all(42, check_same_rows);
}

/* ---- continuing ---- */

/* Steps of a decoding, each a call of its own that continues from what the last one ended with. */
static void check_continuing(const struct random_structure *made, const char *device) {
  const struct decoder_structure *decoder = &made->model->structure.decoder;
  if (!decoder->present)
    return;
  struct random_structure whole = *made;
  whole.target_lengths = NULL;
  struct results want;
  random_structure_run(&whole, device, 0, &want);
  struct random_structure step = whole;
  step.Y = 1;
  size_t state = call_row_elements(cuseq_model_config(made->model), BACKEND_STATE_H, made->T, 1);
  size_t fed = (size_t)decoder->fed_width, B = (size_t)made->B;
  float *h = NULL, *c = NULL, *x = NULL;
  int32_t *tokens = NULL, *targets = calloc(B, sizeof *targets);
  for (int32_t y = 0; y < made->Y; y++) {
    struct results got;
    for (size_t b = 0; made->targets && b < B; b++)
      targets[b] = made->targets[b * (size_t)made->Y + (size_t)y];
    step.targets = made->targets ? targets : NULL;
    float *given = step.given = given_of_step(made, y);
    random_structure_run(&step, device, 0, &got);
    free(given);
    for (size_t b = 0; b < B; b++) {
      if (y >= want.output_lengths[b])
        continue; /* a row that ended within the whole call */
      const float *mine = got.decoding.outputs + b * (size_t)got.V;
      const float *yours = want.decoding.outputs + (b * (size_t)made->Y + (size_t)y) * (size_t)got.V;
      cr_expect(compare_f32(mine, yours, (size_t)got.V, 2e-5), "%s, step %d, row %zu: %s: %s", device, (int)y,
                b, compare_report(), made->json);
    }
    free(h), free(c), free(x), free(tokens);
    step.initial_h = h = copied(got.decoding.final_h, B * state * sizeof *h);
    step.initial_c = c = got.decoding.final_c ? copied(got.decoding.final_c, B * state * sizeof *c) : NULL;
    step.initial_fed = x = fed > 0 ? copied(got.decoding.final_fed, B * fed * sizeof *x) : NULL;
    /* what follows is the token that was given, else the output's */
    tokens = copied(made->targets ? targets : got.tokens, B * sizeof *tokens);
    step.previous = decoder->feedback != FEEDBACK_NONE ? tokens : NULL;
    results_free(&got);
  }
  free(h), free(c), free(x), free(tokens), free(targets);
  results_free(&want);
}

Test(structure_properties, steps_that_continue_are_one_decoding) {
  for_all(43, check_continuing);
}

/* ---- given tokens ---- */

/* Given the tokens that it makes by itself, a decoding gives the same, and ends nowhere. */
static void check_forcing(const struct random_structure *made, const char *device) {
  const struct decoder_structure *decoder = &made->model->structure.decoder;
  if (!decoder->present || decoder->feedback != FEEDBACK_OUTPUT)
    return;
  struct random_structure free_running = *made, forced = *made;
  struct results want, got;
  free_running.targets = free_running.target_lengths = NULL;
  random_structure_run(&free_running, device, 0, &want);
  forced.targets = want.tokens;
  forced.target_lengths = want.output_lengths;
  random_structure_run(&forced, device, 0, &got);
  expect_same(&got, &want, made, device);
  results_free(&got);
  results_free(&want);
}

Test(structure_properties, a_decoding_given_its_own_tokens_is_the_same) {
  for_all(44, check_forcing);
}

/* Log-probabilities are the logarithms of the outputs, of the tokens that followed. */
static void check_log_probabilities(const struct random_structure *made, const char *device) {
  struct results got;
  random_structure_run(made, device, 0, &got);
  const float *logs = got.decoding.log_probabilities;
  const struct dense_chain *layers = &made->model->structure.output.heads[0].layers;
  for (size_t i = 0; logs && i < (size_t)(made->B * made->Y); i++) {
    bool is_log = layers->layers[layers->count - 1].activation == CUSEQ_ACTIVATION_LOG_SOFTMAX;
    bool ended = (int32_t)(i % (size_t)made->Y) >= got.output_lengths[i / (size_t)made->Y];
    int32_t token = made->targets ? made->targets[i] : got.tokens[i];
    double output = ended ? 0.0 : (double)got.decoding.outputs[i * (size_t)got.V + (size_t)token];
    double wanted = ended || is_log ? output : log(output);
    cr_expect(fabs((double)logs[i] - wanted) <= 1e-4 * fmax(1.0, fabs(wanted)), "%s: got %.9g, want %.9g: %s",
              device, (double)logs[i], wanted, made->json);
  }
  results_free(&got);
}

Test(structure_properties, log_probabilities_are_of_the_tokens_that_follow) {
  for_all(45, check_log_probabilities);
}

/* ---- input ---- */

/* Ids, and the same rows one-hot. */
static void check_one_hot(const struct random_structure *made, const char *device) {
  if (!made->ids)
    return;
  size_t F = (size_t)cuseq_model_config(made->model)->features, positions = (size_t)(made->encoded * made->T);
  struct random_structure dense = *made;
  struct results got, want;
  dense.ids = NULL;
  dense.x = calloc(positions * F, sizeof *dense.x);
  for (size_t i = 0; i < positions; i++)
    dense.x[i * F + (size_t)made->ids[i]] = 1.0f;
  random_structure_run(&dense, device, 0, &got);
  random_structure_run(made, device, 0, &want);
  expect_same(&got, &want, made, device);
  results_free(&got);
  results_free(&want);
  free(dense.x);
}

Test(structure_properties, ids_and_one_hot_rows_give_the_same_bits) {
  for_all(46, check_one_hot);
}

/* Positions at and beyond a row's length are not looked at. */
static void check_padding(const struct random_structure *made, const char *device) {
  if (!made->lengths || !made->x)
    return;
  size_t F = (size_t)cuseq_model_config(made->model)->features, T = (size_t)made->T;
  size_t count = (size_t)made->encoded * T * F;
  struct random_structure spoilt = *made;
  struct results got, want;
  spoilt.x = copied(made->x, count * sizeof *spoilt.x);
  for (size_t b = 0; b < (size_t)made->encoded; b++)
    for (size_t i = (size_t)made->lengths[b] * F; i < T * F; i++)
      spoilt.x[b * T * F + i] = NAN;
  random_structure_run(&spoilt, device, 0, &got);
  random_structure_run(made, device, 0, &want);
  expect_same(&got, &want, made, device);
  results_free(&got);
  results_free(&want);
  free(spoilt.x);
}

Test(structure_properties, what_lies_beyond_a_row_is_not_looked_at) {
  for_all(47, check_padding);
}

/* Steps behind the last of a row's targets are not looked at. */
static void check_behind_targets(const struct random_structure *made, const char *device) {
  if (!made->given || !made->target_lengths)
    return;
  size_t row = (size_t)made->Y * (size_t)cuseq_model_config(made->model)->given_width;
  struct random_structure spoilt = *made;
  struct results got, want;
  spoilt.given = copied(made->given, (size_t)made->B * row * sizeof *spoilt.given);
  for (size_t b = 0; b < (size_t)made->B; b++)
    for (size_t i = (size_t)made->target_lengths[b] * (row / (size_t)made->Y); i < row; i++)
      spoilt.given[b * row + i] = NAN;
  random_structure_run(&spoilt, device, 0, &got);
  random_structure_run(made, device, 0, &want);
  expect_same(&got, &want, made, device);
  results_free(&got);
  results_free(&want);
  free(spoilt.given);
}

Test(structure_properties, what_is_given_behind_a_rows_targets_is_not_looked_at) {
  for_all(48, check_behind_targets);
}
