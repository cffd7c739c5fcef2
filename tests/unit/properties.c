/* What holds for every model on every backend, whatever its weights. */
#include "support/compare.h"
#include "support/random_case.h"
#include "support/results.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The device tests build this file again, for their device and with fewer and smaller cases. */
#ifndef PROPERTIES_DEVICES
#define PROPERTIES_DEVICES "reference", "cpu"
#define PROPERTIES_CASES 60
#define PROPERTIES_LARGEST 40
#endif

static const char *const devices[] = {PROPERTIES_DEVICES};
enum { DEVICES = sizeof devices / sizeof *devices, CASES = PROPERTIES_CASES, LARGEST = PROPERTIES_LARGEST };

/* Runs `check` on many random cases on every device. */
static void for_all(uint64_t seed, int32_t largest, void (*check)(const struct random_case *, const char *)) {
  for (int d = 0; d < DEVICES; d++) {
    struct random random = {seed};
    for (int i = 0; i < CASES; i++) {
      struct random_case made;
      random_case_make(&made, &random, largest < LARGEST ? largest : LARGEST);
      check(&made, devices[d]);
      random_case_free(&made);
    }
  }
}

/* Row b of the case's input alone. */
static cuseq_input row_input(const struct random_case *made, int32_t b) {
  cuseq_input input = random_case_input(made);
  size_t F = (size_t)cuseq_model_config(made->model)->features, T = (size_t)made->T;
  input.data = made->ids ? (const void *)(made->ids + (size_t)b * T) : made->x + (size_t)b * T * F;
  input.lengths = made->lengths ? made->lengths + b : NULL;
  input.batch = 1;
  return input;
}

static void check_rows_alone(const struct random_case *made, const char *device) {
  struct results all, one;
  cuseq_input input = random_case_input(made);
  results_make(&all, made->model, made->B, made->T, made->Y);
  results_run(&all, made->model, device, 0, &input);
  for (int32_t b = 0; b < made->B; b++) {
    cuseq_input row = row_input(made, b);
    results_make(&one, made->model, 1, made->T, made->Y);
    results_run(&one, made->model, device, 0, &row);
    cr_expect(results_same_row(&one, 0, &all, b), "%s: %s: %s", device, results_report(), made->json);
    results_free(&one);
  }
  results_free(&all);
}

Test(properties, a_row_alone_gives_the_bits_that_it_gives_in_a_batch) {
  for_all(11, 37, check_rows_alone);
}

static void check_threads(const struct random_case *made, const char *device) {
  struct results one, two;
  cuseq_input input = random_case_input(made);
  results_make(&one, made->model, made->B, made->T, made->Y);
  results_make(&two, made->model, made->B, made->T, made->Y);
  results_run(&one, made->model, device, 1, &input);
  results_run(&two, made->model, device, 3, &input);
  for (int32_t b = 0; b < made->B; b++)
    cr_expect(results_same_row(&two, b, &one, b), "%s: %s: %s", device, results_report(), made->json);
  results_free(&one);
  results_free(&two);
}

Test(properties, the_number_of_threads_changes_no_bit) {
  for_all(12, 30, check_threads);
}

enum { PADDING = 5 };

/* The same input with more positions behind each row's length, filled with noise. */
static void pad(const struct random_case *made, struct random_case *padded) {
  size_t F = (size_t)cuseq_model_config(made->model)->features, width = made->ids ? 1 : F;
  *padded = *made;
  padded->T = made->T + PADDING;
  size_t count = (size_t)made->B * (size_t)padded->T;
  padded->lengths = malloc((size_t)made->B * sizeof *padded->lengths);
  padded->x = made->x ? malloc(count * F * sizeof(float)) : NULL;
  padded->ids = made->ids ? calloc(count, sizeof(int64_t)) : NULL;
  for (size_t i = 0; padded->x && i < count * F; i++)
    padded->x[i] = 0.25f * (float)(i % 9);
  for (int32_t b = 0; b < made->B; b++) {
    size_t from = (size_t)b * (size_t)made->T * width, to = (size_t)b * (size_t)padded->T * width;
    padded->lengths[b] = made->lengths ? made->lengths[b] : made->T;
    if (made->x)
      memcpy(padded->x + to, made->x + from, (size_t)made->T * F * sizeof(float));
    else
      memcpy(padded->ids + to, made->ids + from, (size_t)made->T * sizeof(int64_t));
  }
}

static void check_padding(const struct random_case *made, const char *device) {
  struct random_case padded;
  pad(made, &padded);
  struct results got, want;
  cuseq_input input = random_case_input(made), longer = random_case_input(&padded);
  results_make(&want, made->model, made->B, made->T, made->Y);
  results_make(&got, made->model, made->B, padded.T, made->Y);
  results_run(&want, made->model, device, 1, &input);
  results_run(&got, made->model, device, 1, &longer);
  size_t A = (size_t)cuseq_model_config(made->model)->annotation_width, T = (size_t)made->T,
         Y = (size_t)made->Y;
  for (size_t b = 0; b < (size_t)made->B; b++) {
    const float *annotations = got.encoding.annotations + b * (T + PADDING) * A;
    cr_expect(compare_bytes(annotations, want.encoding.annotations + b * T * A, T * A * 4), "%s",
              compare_report());
    for (size_t i = 0; i < PADDING * A; i++)
      cr_expect_eq(annotations[T * A + i], 0.0f);
    for (size_t y = 0; y < Y; y++) {
      const float *alphas = got.decoding.alphas + (b * Y + y) * (T + PADDING);
      cr_expect(compare_bytes(alphas, want.decoding.alphas + (b * Y + y) * T, T * 4), "%s: %s",
                compare_report(), made->json);
      for (size_t t = 0; t < PADDING; t++)
        cr_expect_eq(alphas[T + t], 0.0f);
    }
  }
  for (int i = 1; i < RESULTS_FLOATS; i++)
    if (i != 8 && want.floats[i].data)
      cr_expect(compare_bytes(got.floats[i].data, want.floats[i].data,
                              want.floats[i].rows * want.floats[i].columns * 4),
                "%s: %s: %s", want.floats[i].name, compare_report(), made->json);
  results_free(&got);
  results_free(&want);
  free(padded.lengths);
  free(padded.x);
  free(padded.ids);
}

Test(properties, appending_padding_changes_nothing) {
  for_all(13, 24, check_padding);
}

static void check_alphas(const struct random_case *made, const char *device) {
  struct results got;
  cuseq_input input = random_case_input(made);
  results_make(&got, made->model, made->B, made->T, made->Y);
  results_run(&got, made->model, device, 0, &input);
  for (int32_t b = 0; b < made->B; b++)
    for (int32_t y = 0; y < (got.output_lengths ? got.output_lengths[b] : 1); y++) {
      const float *alphas = got.decoding.alphas + ((size_t)b * made->Y + y) * made->T;
      double sum = 0.0;
      for (int32_t t = 0; t < made->T; t++) {
        sum += (double)alphas[t];
        cr_expect(alphas[t] >= 0.0f &&
                  (t < (made->lengths ? made->lengths[b] : made->T) || alphas[t] == 0.0f));
      }
      cr_expect(fabs(sum - 1.0) <= 1e-5, "%s: the alphas sum to %.9g: %s", device, sum, made->json);
    }
  results_free(&got);
}

Test(properties, alphas_sum_to_one_over_the_rows_own_length) {
  for_all(14, 40, check_alphas);
}

/* Ids, the same rows one-hot in float32, and those in float64. */
static void check_one_hot(const struct random_case *made, const char *device) {
  if (!made->ids)
    return;
  size_t F = (size_t)cuseq_model_config(made->model)->features, positions = (size_t)made->B * made->T;
  float *narrow = calloc(positions * F, sizeof *narrow);
  double *wide = calloc(positions * F, sizeof *wide);
  for (size_t i = 0; i < positions; i++)
    narrow[i * F + (size_t)made->ids[i]] = wide[i * F + (size_t)made->ids[i]] = 1.0f;
  const void *data[] = {made->ids, narrow, wide};
  static const cuseq_dtype dtypes[] = {CUSEQ_DTYPE_I64, CUSEQ_DTYPE_F32, CUSEQ_DTYPE_F64};
  struct results results[3];
  for (int i = 0; i < 3; i++) {
    cuseq_input input = random_case_input(made);
    input.data = data[i];
    input.dtype = dtypes[i];
    results_make(&results[i], made->model, made->B, made->T, made->Y);
    results_run(&results[i], made->model, device, 0, &input);
    for (int32_t b = 0; b < made->B; b++)
      cr_expect(results_same_row(&results[i], b, &results[0], b), "%s: %s", device, results_report());
  }
  for (int i = 0; i < 3; i++)
    results_free(&results[i]);
  free(narrow);
  free(wide);
}

Test(properties, ids_and_one_hot_rows_give_the_same_bits) {
  for_all(15, 20, check_one_hot);
}

/* Rows that are nearly one-hot take the dense way: it must give what the gather gives where they are one-hot.
 */
Test(properties, one_row_that_is_not_one_hot_does_not_change_the_bits_of_the_others) {
  static const char json[] =
      "{\"version\":1,\"encoder\":{\"features\":7,\"units\":9},\"attention\":{\"score\":\"dot\"}}";
  struct random random = {16};
  cuseq_model *model = random_model(json, &(struct random_widths){0}, &random);
  float x[2 * 6 * 7] = {0};
  for (int i = 0; i < 12; i++)
    x[i * 7 + i % 7] = 1.0f;
  for (int d = 0; d < DEVICES; d++) {
    struct results gathered, dense;
    cuseq_input input = {
        .size = sizeof(cuseq_input), .data = x, .dtype = CUSEQ_DTYPE_F32, .batch = 2, .time = 6};
    results_make(&gathered, model, 2, 6, 1);
    results_make(&dense, model, 2, 6, 1);
    results_run(&gathered, model, devices[d], 1, &input);
    x[2 * 6 * 7 - 3] = 0.5f;
    results_run(&dense, model, devices[d], 1, &input);
    x[2 * 6 * 7 - 3] = 0.0f;
    cr_expect(results_same_row(&dense, 0, &gathered, 0), "%s: %s", devices[d], results_report());
    results_free(&gathered);
    results_free(&dense);
  }
  cuseq_model_destroy(model);
}

Test(properties, float64_input_is_rounded_to_float32_first) {
  static const char json[] =
      "{\"version\":1,\"encoder\":{\"features\":3,\"units\":5},\"attention\":{\"score\":\"dot\"}}";
  struct random random = {17};
  cuseq_model *model = random_model(json, &(struct random_widths){0}, &random);
  double wide[4 * 3];
  float narrow[4 * 3];
  for (int i = 0; i < 12; i++)
    narrow[i] = (float)(wide[i] = 1.0 / 3.0 * i + 1e-9);
  for (int d = 0; d < DEVICES; d++) {
    struct results a, b;
    results_make(&a, model, 1, 4, 1);
    results_make(&b, model, 1, 4, 1);
    results_run(
        &a, model, devices[d], 1,
        &(cuseq_input){
            .size = sizeof(cuseq_input), .data = wide, .dtype = CUSEQ_DTYPE_F64, .batch = 1, .time = 4});
    results_run(
        &b, model, devices[d], 1,
        &(cuseq_input){
            .size = sizeof(cuseq_input), .data = narrow, .dtype = CUSEQ_DTYPE_F32, .batch = 1, .time = 4});
    cr_expect(results_same_row(&a, 0, &b, 0), "%s: %s", devices[d], results_report());
    results_free(&a);
    results_free(&b);
  }
  cuseq_model_destroy(model);
}

/* The model with its two directions' weights exchanged. */
static cuseq_model *swapped(const cuseq_model *model) {
  cuseq_tensor tensors[64];
  size_t count = cuseq_model_tensor_count(model);
  char names[64][64];
  cr_assert_leq(count, 64);
  for (size_t i = 0; i < count; i++) {
    cr_assert_eq(cuseq_model_tensor(model, i, &tensors[i]), CUSEQ_STATUS_OK);
    const char *forward = strstr(tensors[i].name, "forward"), *backward = strstr(tensors[i].name, "backward");
    if (forward || backward)
      snprintf(names[i], sizeof names[i], "encoder.layers.0.%s%s", forward ? "backward" : "forward",
               forward ? forward + 7 : backward + 8);
    else
      snprintf(names[i], sizeof names[i], "%s", tensors[i].name);
    tensors[i].name = names[i];
  }
  cuseq_model *made;
  cr_assert_eq(cuseq_model_create(cuseq_model_config_json(model), tensors, count, &made), CUSEQ_STATUS_OK,
               "%s", cuseq_last_error());
  return made;
}

Test(properties, reversing_the_input_swaps_the_roles_of_the_directions) {
  enum { T = 11, F = 4, H = 6 };
  static const char json[] =
      "{\"version\":1,\"encoder\":{\"features\":4,\"units\":6},\"attention\":{\"score\":\"dot\"}}";
  struct random random = {18};
  cuseq_model *model = random_model(json, &(struct random_widths){0}, &random), *other = swapped(model);
  float x[T * F], reversed[T * F];
  for (int i = 0; i < T * F; i++)
    x[i] = random_between(&random, -1.0f, 1.0f);
  for (int t = 0; t < T; t++)
    memcpy(reversed + t * F, x + (T - 1 - t) * F, F * sizeof(float));
  for (int d = 0; d < DEVICES; d++) {
    struct results a, b;
    results_make(&a, model, 1, T, 1);
    results_make(&b, model, 1, T, 1);
    results_run(&a, model, devices[d], 1,
                &(cuseq_input){
                    .size = sizeof(cuseq_input), .data = x, .dtype = CUSEQ_DTYPE_F32, .batch = 1, .time = T});
    results_run(
        &b, other, devices[d], 1,
        &(cuseq_input){
            .size = sizeof(cuseq_input), .data = reversed, .dtype = CUSEQ_DTYPE_F32, .batch = 1, .time = T});
    for (int t = 0; t < T; t++)
      for (int j = 0; j < H; j++) {
        const float *there = a.encoding.annotations + t * 2 * H,
                    *here = b.encoding.annotations + (T - 1 - t) * 2 * H;
        cr_expect_eq(there[j], here[H + j]);
        cr_expect_eq(there[H + j], here[j]);
      }
    assert_same_bytes(a.encoding.h_fw, b.encoding.h_bw, H * sizeof(float));
    assert_same_bytes(a.encoding.c_bw, b.encoding.c_fw, H * sizeof(float));
    results_free(&a);
    results_free(&b);
  }
  cuseq_model_destroy(model);
  cuseq_model_destroy(other);
}

static cuseq_session *open_session(const cuseq_model *model, const char *device, int32_t B, int32_t T,
                                   int32_t Y) {
  cuseq_session_options options;
  cuseq_session_options_init(&options, sizeof options, model);
  options.device = device;
  options.precision = results_precision(device);
  options.max_batch = B;
  options.max_time = T;
  options.max_steps = Y;
  cuseq_session *session;
  cr_assert_eq(cuseq_session_open(model, &options, &session), CUSEQ_STATUS_OK, "%s", cuseq_last_error());
  return session;
}

/* The caller's own loop: attend, then one step at a time from the last one's state and token. */
static void check_stepwise(const struct random_case *made, const char *device) {
  const cuseq_config *config = cuseq_model_config(made->model);
  if (!config->has_decoder || config->end_token >= 0)
    return;
  struct results want;
  cuseq_input input = random_case_input(made);
  results_make(&want, made->model, made->B, made->T, made->Y);
  results_run(&want, made->model, device, 0, &input);
  size_t B = (size_t)made->B, S = (size_t)config->state_units, V = (size_t)config->outputs,
         Y = (size_t)made->Y;
  float *h = calloc(B, S * 4), *c = calloc(B, S * 4), *outputs = calloc(B, V * 4),
        *context = calloc(B, (size_t)config->annotation_width * 4);
  int32_t *tokens = calloc(B, 4);
  cuseq_session *session = open_session(made->model, device, made->B, made->T, made->Y);
  cr_assert_eq(cuseq_encode(session, &input, NULL), CUSEQ_STATUS_OK, "%s", cuseq_last_error());
  cr_assert_eq(cuseq_attend(session, NULL, context, NULL), CUSEQ_STATUS_OK, "%s", cuseq_last_error());
  for (size_t y = 0; y < Y; y++) {
    cuseq_decoding step = {.size = sizeof(cuseq_decoding),
                           .steps = 1,
                           .outputs = outputs,
                           .tokens = tokens,
                           .final_h = h,
                           .final_c = c};
    if (y > 0) {
      step.initial_h = h;
      step.initial_c = c;
      step.previous = tokens;
    }
    cr_assert_eq(cuseq_decode(session, &step), CUSEQ_STATUS_OK, "%s", cuseq_last_error());
    for (size_t b = 0; b < B; b++) {
      cr_expect(
          compare_f32(outputs + b * V, want.decoding.outputs + (b * Y + y) * V, V, want.floats[10].tolerance),
          "%s: step %zu: %s: %s", device, y, compare_report(), made->json);
      cr_expect_eq(tokens[b], want.tokens[b * Y + y], "%s: step %zu: %s", device, y, made->json);
    }
  }
  size_t A = (size_t)config->annotation_width;
  for (size_t b = 0; b < B; b++)
    cr_expect(compare_f32(context + b * A, want.decoding.contexts + b * Y * A, A, want.floats[7].tolerance),
              "%s: %s", device, compare_report());
  cuseq_session_close(session);
  free(h);
  free(c);
  free(outputs);
  free(context);
  free(tokens);
  results_free(&want);
}

Test(properties, a_loop_of_single_steps_gives_what_one_call_gives) {
  for_all(19, 16, check_stepwise);
}

Test(properties, an_encoder_goes_on_from_the_states_it_gave) {
  enum { T = 9, F = 3, H = 5, LAYERS = 2 };
  static const char json[] =
      "{\"version\":1,\"encoder\":{\"features\":3,\"units\":5,\"layers\":2,\"direction\":\"forward\"},"
      "\"attention\":{\"score\":\"dot\"}}";
  struct random random = {20};
  cuseq_model *model = random_model(json, &(struct random_widths){0}, &random);
  float x[T * F];
  for (int i = 0; i < T * F; i++)
    x[i] = random_between(&random, -1.0f, 1.0f);
  for (int d = 0; d < DEVICES; d++) {
    struct results whole;
    results_make(&whole, model, 1, T, 1);
    cuseq_input input = {
        .size = sizeof(cuseq_input), .data = x, .dtype = CUSEQ_DTYPE_F32, .batch = 1, .time = T};
    results_run(&whole, model, devices[d], 1, &input);
    cuseq_session *session = open_session(model, devices[d], 1, T, 1);
    float h[LAYERS * H], c[LAYERS * H], annotations[T * H];
    input.time = 4;
    cr_assert_eq(cuseq_encode(session, &input,
                              &(cuseq_encoding){.size = sizeof(cuseq_encoding),
                                                .annotations = annotations,
                                                .final_h = h,
                                                .final_c = c}),
                 CUSEQ_STATUS_OK);
    input = (cuseq_input){.size = sizeof(cuseq_input),
                          .data = x + 4 * F,
                          .dtype = CUSEQ_DTYPE_F32,
                          .batch = 1,
                          .time = T - 4,
                          .initial_h = h,
                          .initial_c = c};
    cr_assert_eq(
        cuseq_encode(session, &input,
                     &(cuseq_encoding){.size = sizeof(cuseq_encoding), .annotations = annotations + 4 * H}),
        CUSEQ_STATUS_OK);
    cr_expect(compare_f32(annotations, whole.encoding.annotations, T * H, whole.floats[0].tolerance),
              "%s: %s", devices[d], compare_report());
    cuseq_session_close(session);
    results_free(&whole);
  }
  cuseq_model_destroy(model);
}
