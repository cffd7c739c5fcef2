/* Arrays that the caller left on the device give the bits of host arrays, and what is wrong in them is told
 * the same way. */
#include "cuda/call_memory.h"
#include "support/compare.h"
#include "support/random_case.h"

#include <criterion/criterion.h>
#include <cuda_runtime_api.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static cuseq_session *session_open(const cuseq_model *model, cuseq_memory memory, int32_t batch, int32_t time,
                                   int32_t steps) {
  cuseq_session_options options;
  cuseq_session_options_init(&options, sizeof options, model);
  options.device = "cuda";
  options.max_batch = batch;
  options.max_time = time;
  options.max_steps = steps;
  options.memory = memory;
  cuseq_session *session;
  cr_assert_eq(cuseq_session_open(model, &options, &session), CUSEQ_STATUS_OK, "%s", cuseq_last_error());
  return session;
}

static void expect_same(const struct results *got, const struct results *want, const char *what) {
  for (int32_t b = 0; b < want->B; b++)
    cr_expect(results_same_row(got, b, want, b), "%s: %s", what, results_report());
}

/* ---- the same bits ---- */

/* A case with initial states for the encoder too. */
struct whole_case {
  struct random_case made;
  cuseq_input input;
  size_t bytes, state_bytes;
  float *states;
};

static void whole_case_make(struct whole_case *whole, struct random *random, int32_t largest) {
  random_case_make(&whole->made, random, largest);
  const cuseq_config *config = cuseq_model_config(whole->made.model);
  whole->input = random_case_input(&whole->made);
  size_t positions = (size_t)whole->made.B * (size_t)whole->made.T;
  whole->bytes = positions * (whole->made.ids ? sizeof(int64_t) : (size_t)config->features * sizeof(float));
  int32_t D = config->direction == CUSEQ_DIRECTION_BIDIRECTIONAL ? 2 : 1;
  size_t count = (size_t)config->layers * (size_t)D * (size_t)whole->made.B * (size_t)config->units;
  whole->state_bytes = count * sizeof(float);
  whole->states = malloc(2 * whole->state_bytes);
  for (size_t i = 0; i < 2 * count; i++)
    whole->states[i] = random_between(random, -0.5f, 0.5f);
  whole->input.initial_h = whole->states;
  whole->input.initial_c = whole->states + count;
}

static void whole_case_free(struct whole_case *whole) {
  random_case_free(&whole->made);
  free(whole->states);
}

/* Runs the case with inputs in one kind of memory and outputs in another, and compares with host arrays. */
static void check_kinds(const struct whole_case *whole, const struct results *want, cuseq_session *session,
                        enum memory_kind in, enum memory_kind out) {
  struct results got;
  struct call_memory memory;
  char what[64];
  snprintf(what, sizeof what, "inputs %d, outputs %d", (int)in, (int)out);
  results_make(&got, whole->made.model, whole->made.B, whole->made.T, whole->made.Y);
  call_memory_make(&memory, &got, out);
  cuseq_input input = input_memory_make(&whole->input, whole->bytes, whole->state_bytes, in);
  cr_assert_eq(cuseq_run(session, &input, &memory.encoding, &memory.decoding), CUSEQ_STATUS_OK, "%s",
               cuseq_last_error());
  cr_assert_eq(cuseq_session_synchronize(session), CUSEQ_STATUS_OK, "%s", cuseq_last_error());
  call_memory_fetch(&memory, &got);
  expect_same(&got, want, what);
  /* and in calls of their own */
  cr_assert_eq(cuseq_encode(session, &input, &memory.encoding), CUSEQ_STATUS_OK, "%s", cuseq_last_error());
  cr_assert_eq(cuseq_decode(session, &memory.decoding), CUSEQ_STATUS_OK, "%s", cuseq_last_error());
  cr_assert_eq(cuseq_session_synchronize(session), CUSEQ_STATUS_OK, "%s", cuseq_last_error());
  call_memory_fetch(&memory, &got);
  struct results apart;
  results_make(&apart, whole->made.model, whole->made.B, whole->made.T, whole->made.Y);
  cr_assert_eq(cuseq_encode(session, &whole->input, &apart.encoding), CUSEQ_STATUS_OK, "%s",
               cuseq_last_error());
  cr_assert_eq(cuseq_decode(session, &apart.decoding), CUSEQ_STATUS_OK, "%s", cuseq_last_error());
  expect_same(&got, &apart, what);
  input_memory_free(&input);
  call_memory_free(&memory);
  results_free(&apart);
  results_free(&got);
}

Test(device_arrays, any_mixture_of_places_gives_the_bits_of_host_arrays) {
  struct random random = {71};
  static const enum memory_kind kinds[] = {MEMORY_PAGEABLE, MEMORY_LOCKED, MEMORY_REGISTERED, MEMORY_DEVICE,
                                           MEMORY_MANAGED};
  for (int i = 0; i < 25; i++) {
    struct whole_case whole;
    struct results want;
    whole_case_make(&whole, &random, 9);
    results_make(&want, whole.made.model, whole.made.B, whole.made.T, whole.made.Y);
    results_run(&want, whole.made.model, "cuda", 0, &whole.input);
    cuseq_session *session =
        session_open(whole.made.model, CUSEQ_MEMORY_ANY, whole.made.B, whole.made.T, whole.made.Y);
    check_kinds(&whole, &want, session, MEMORY_DEVICE, MEMORY_DEVICE);
    check_kinds(&whole, &want, session, kinds[i % 5], kinds[i / 5]);
    cuseq_session_close(session);
    results_free(&want);
    whole_case_free(&whole);
  }
}

/* The types of input: float64 is rounded, both integers are narrowed, wherever they and the lengths lie. */
Test(device_arrays, every_type_of_input_gives_the_bits_of_host_arrays) {
  static const char json[] = "{\"version\":1,\"encoder\":{\"features\":5,\"units\":6},"
                             "\"attention\":{\"score\":\"dot\"},\"decoder\":{\"units\":12,\"steps\":3},"
                             "\"output\":{\"units\":4}}";
  enum { B = 3, T = 7, F = 5 };
  struct random random = {72};
  cuseq_model *model = random_model(json, &(struct random_widths){0}, &random);
  double f64[B * T * F];
  float f32[B * T * F];
  int64_t i64[B * T];
  int32_t i32[B * T];
  static const int32_t lengths[B] = {7, 1, 4};
  for (int i = 0; i < B * T * F; i++)
    f32[i] = (float)(f64[i] = (double)random_between(&random, -1.0f, 1.0f) / 3.0);
  for (int i = 0; i < B * T; i++)
    i64[i] = i32[i] = random_below(&random, F);
  /* what is beyond a row's length is not looked at */
  for (int i = T + 1; i < 2 * T; i++) {
    i64[i] = -9;
    i32[i] = 2000000000;
    for (int f = 0; f < F; f++)
      f64[i * F + f] = f32[i * F + f] = NAN;
  }
  const struct {
    const void *data;
    cuseq_dtype dtype;
    size_t bytes;
  } types[] = {{f64, CUSEQ_DTYPE_F64, sizeof f64},
               {f32, CUSEQ_DTYPE_F32, sizeof f32},
               {i64, CUSEQ_DTYPE_I64, sizeof i64},
               {i32, CUSEQ_DTYPE_I32, sizeof i32}};
  cuseq_session *session = session_open(model, CUSEQ_MEMORY_ANY, B, T, 3);
  for (int i = 0; i < 4; i++) {
    struct results want, got;
    cuseq_input input = {sizeof(cuseq_input), types[i].data, types[i].dtype, B, T, lengths, NULL, NULL};
    results_make(&want, model, B, T, 3);
    results_run(&want, model, "cuda", 0, &input);
    for (int places = 0; places < 4; places++) {
      enum memory_kind data_kind = places & 1 ? MEMORY_DEVICE : MEMORY_PAGEABLE,
                       lengths_kind = places & 2 ? MEMORY_DEVICE : MEMORY_PAGEABLE;
      results_make(&got, model, B, T, 3);
      input.data = memory_copy(data_kind, types[i].data, types[i].bytes);
      input.lengths = memory_copy(lengths_kind, lengths, sizeof lengths);
      cr_assert_eq(cuseq_run(session, &input, &got.encoding, &got.decoding), CUSEQ_STATUS_OK, "%s",
                   cuseq_last_error());
      expect_same(&got, &want, "types");
      memory_free((void *)input.data);
      memory_free((void *)input.lengths);
      results_free(&got);
    }
    results_free(&want);
  }
  cuseq_session_close(session);
  cuseq_model_destroy(model);
}

/* ---- one's own loop ---- */

static const char feedback_json[] =
    "{\"version\":1,\"encoder\":{\"features\":6,\"units\":5},\"attention\":{\"score\":\"additive\"},"
    "\"decoder\":{\"units\":8,\"steps\":4,\"initial_state\":\"dense\",\"feedback\":\"output\",\"start_"
    "token\":1},"
    "\"output\":{\"units\":7}}";
static const struct random_widths feedback_widths = {.additive_units = 4};
enum { B = 3, T = 6, F = 6, S = 8, V = 7, Y = 4 };

/* State and token go round on the device, each step over the memory of the last. */
Test(device_arrays, a_state_is_carried_on_in_place) {
  struct random random = {73};
  cuseq_model *model = random_model(feedback_json, &feedback_widths, &random);
  float x[B * T * F];
  for (int i = 0; i < B * T * F; i++)
    x[i] = random_between(&random, -1.0f, 1.0f);
  cuseq_input input = {sizeof(cuseq_input), x, CUSEQ_DTYPE_F32, B, T, NULL, NULL, NULL};
  struct results want;
  results_make(&want, model, B, T, Y);
  results_run(&want, model, "cuda", 0, &input);
  cuseq_session *session = session_open(model, CUSEQ_MEMORY_ANY, B, T, Y);
  float zeros[B * S] = {0}, outputs[B * V];
  int32_t none[B] = {0};
  cuseq_decoding step = {.size = sizeof(cuseq_decoding),
                         .steps = 1,
                         .final_h = memory_copy(MEMORY_DEVICE, zeros, sizeof zeros),
                         .final_c = memory_copy(MEMORY_DEVICE, zeros, sizeof zeros),
                         .tokens = memory_copy(MEMORY_DEVICE, none, sizeof none),
                         .outputs = outputs};
  cr_assert_eq(cuseq_encode(session, &input, NULL), CUSEQ_STATUS_OK, "%s", cuseq_last_error());
  for (int y = 0; y < Y; y++) {
    cr_assert_eq(cuseq_decode(session, &step), CUSEQ_STATUS_OK, "%s", cuseq_last_error());
    for (int b = 0; b < B; b++)
      assert_same_bytes(outputs + b * V, want.decoding.outputs + (b * Y + y) * V, V * sizeof(float));
    step.initial_h = step.final_h;
    step.initial_c = step.final_c;
    step.previous = step.tokens;
  }
  /* attention, with the state where it is */
  float context[B * 10], host_context[B * 10], state[B * S];
  memory_fetch(state, step.final_h, sizeof state);
  float *d_context = memory_copy(MEMORY_DEVICE, context, sizeof context);
  cr_assert_eq(cuseq_attend(session, step.final_h, d_context, NULL), CUSEQ_STATUS_OK, "%s",
               cuseq_last_error());
  cr_assert_eq(cuseq_attend(session, state, host_context, NULL), CUSEQ_STATUS_OK, "%s", cuseq_last_error());
  memory_fetch(context, d_context, sizeof context);
  assert_same_bytes(context, host_context, sizeof context);
  memory_free(d_context);
  memory_free(step.final_h);
  memory_free(step.final_c);
  memory_free(step.tokens);
  cuseq_session_close(session);
  results_free(&want);
  cuseq_model_destroy(model);
}

/* Results of a small model's one launch that go to the memory of its input. */
Test(device_arrays, results_may_take_the_place_of_the_input) {
  static const char json[] = "{\"version\":1,\"encoder\":{\"features\":40,\"units\":16},"
                             "\"attention\":{\"score\":\"dot\"}}";
  enum { ROWS = 4, TIME = 9, WIDE = 40 };
  struct random random = {74};
  cuseq_model *model = random_model(json, &(struct random_widths){0}, &random);
  float x[ROWS * TIME * WIDE];
  for (int i = 0; i < ROWS * TIME * WIDE; i++)
    x[i] = random_between(&random, -1.0f, 1.0f);
  cuseq_input input = {sizeof(cuseq_input), x, CUSEQ_DTYPE_F32, ROWS, TIME, NULL, NULL, NULL};
  float want[ROWS * 32], got[ROWS * 32];
  cuseq_session *session = session_open(model, CUSEQ_MEMORY_ANY, ROWS, TIME, 1);
  cr_assert_eq(
      cuseq_run(session, &input, NULL, &(cuseq_decoding){.size = sizeof(cuseq_decoding), .contexts = want}),
      CUSEQ_STATUS_OK);
  float *d_x = memory_copy(MEMORY_DEVICE, x, sizeof x);
  input.data = d_x;
  cr_assert_eq(
      cuseq_run(session, &input, NULL,
                &(cuseq_decoding){.size = sizeof(cuseq_decoding), .contexts = d_x + 2 * TIME * WIDE}),
      CUSEQ_STATUS_OK);
  cr_assert_eq(cuseq_session_synchronize(session), CUSEQ_STATUS_OK, "%s", cuseq_last_error());
  memory_fetch(got, d_x + 2 * TIME * WIDE, sizeof got);
  assert_same_bytes(got, want, sizeof want);
  memory_free(d_x);
  cuseq_session_close(session);
  cuseq_model_destroy(model);
}

/* ---- what is wrong in them ---- */

struct faulty {
  cuseq_session *session;
  cuseq_input input;
  cuseq_decoding decoding;
  float *outputs;
};

/* Runs with one array changed: the same line as on the host, with outputs on either side; the session goes
 * on. */
static void expect_told(struct faulty *faulty, const cuseq_input *input, const cuseq_decoding *decoding,
                        cuseq_status status, const char *text) {
  cuseq_decoding wanted = *decoding;
  float outputs[B * Y * V];
  wanted.outputs = outputs;
  cr_expect_eq(cuseq_run(faulty->session, input, NULL, &wanted), status, "%s", cuseq_last_error());
  cr_expect_str_eq(cuseq_last_error(), text);
  cr_expect_eq(cuseq_decode(faulty->session, &wanted), CUSEQ_STATUS_INVALID_ARGUMENT);
  wanted.outputs = faulty->outputs;
  cr_expect_eq(cuseq_run(faulty->session, input, NULL, &wanted), CUSEQ_STATUS_OK, "%s", cuseq_last_error());
  cr_expect_eq(cuseq_run(faulty->session, &faulty->input, NULL, &wanted), CUSEQ_STATUS_OK, "%s",
               cuseq_last_error());
  cr_expect_eq(cuseq_session_synchronize(faulty->session), status);
  cr_expect(strncmp(cuseq_last_error(), "an earlier call: ", 17) == 0 &&
                strcmp(cuseq_last_error() + 17, text) == 0,
            "%s", cuseq_last_error());
  cr_expect_eq(cuseq_session_synchronize(faulty->session), CUSEQ_STATUS_OK, "%s", cuseq_last_error());
  wanted = faulty->decoding;
  wanted.outputs = outputs;
  cr_expect_eq(cuseq_run(faulty->session, &faulty->input, NULL, &wanted), CUSEQ_STATUS_OK, "%s",
               cuseq_last_error());
}

static void *device(const void *data, size_t bytes) {
  return memory_copy(MEMORY_DEVICE, data, bytes);
}

Test(device_arrays, what_is_wrong_in_them_is_told_as_for_host_arrays) {
  struct random random = {75};
  cuseq_model *model = random_model(feedback_json, &feedback_widths, &random);
  float x[B * T * F] = {0}, states[2 * B * 5] = {0}, state[B * S] = {0}, outputs[B * Y * V] = {0};
  int64_t ids[B * T] = {0};
  int32_t lengths[B] = {6, 2, 3}, previous[B] = {0};
  struct faulty faulty = {.session = session_open(model, CUSEQ_MEMORY_ANY, B, T, Y),
                          .outputs = device(outputs, sizeof outputs)};
  cuseq_input *good = &faulty.input;
  *good = (cuseq_input){sizeof(cuseq_input),
                        device(x, sizeof x),
                        CUSEQ_DTYPE_F32,
                        B,
                        T,
                        device(lengths, sizeof lengths),
                        device(states, sizeof states),
                        device(states, sizeof states)};
  faulty.decoding = (cuseq_decoding){.size = sizeof(cuseq_decoding),
                                     .initial_h = device(state, sizeof state),
                                     .initial_c = device(state, sizeof state),
                                     .previous = device(previous, sizeof previous)};
  cuseq_input input = *good;
  cuseq_decoding decoding = faulty.decoding;
  void *bad;
#define WITH(structure, member, array, text, status)                                                         \
  structure.member = bad = device(array, sizeof array);                                                      \
  expect_told(&faulty, &input, &decoding, status, text);                                                     \
  memory_free(bad);                                                                                          \
  input = *good;                                                                                             \
  decoding = faulty.decoding
  lengths[1] = 0;
  WITH(input, lengths, lengths, "lengths: row 1 is out of range (found 0, needed 1 to 6)",
       CUSEQ_STATUS_INVALID_ARGUMENT);
  lengths[1] = 2;
  lengths[2] = 7;
  WITH(input, lengths, lengths, "lengths: row 2 is out of range (found 7, needed 1 to 6)",
       CUSEQ_STATUS_INVALID_ARGUMENT);
  x[(1 * T + 1) * F + 3] = INFINITY;
  x[(2 * T + 1) * F + 3] = NAN;
  x[(1 * T + 2) * F] = NAN; /* beyond the length */
  WITH(input, data, x, "input: [1,1,3] is not finite (found inf, needed finite numbers)",
       CUSEQ_STATUS_NON_FINITE);
  states[7] = NAN;
  WITH(input, initial_h, states, "initial_h: [1,2] is not finite (found nan, needed finite numbers)",
       CUSEQ_STATUS_NON_FINITE);
  WITH(input, initial_c, states, "initial_c: [1,2] is not finite (found nan, needed finite numbers)",
       CUSEQ_STATUS_NON_FINITE);
  state[2 * S + 1] = -INFINITY;
  WITH(decoding, initial_h, state,
       "decoder initial_h: [2,1] is not finite (found -inf, needed finite numbers)", CUSEQ_STATUS_NON_FINITE);
  WITH(decoding, initial_c, state,
       "decoder initial_c: [2,1] is not finite (found -inf, needed finite numbers)", CUSEQ_STATUS_NON_FINITE);
  previous[1] = V;
  WITH(decoding, previous, previous, "previous: row 1 is out of range (found 7, needed 0 to 6)",
       CUSEQ_STATUS_INVALID_ARGUMENT);
  previous[1] = -1;
  WITH(decoding, previous, previous, "previous: row 1 is out of range (found -1, needed 0 to 6)",
       CUSEQ_STATUS_INVALID_ARGUMENT);
  ids[1 * T + 1] = 6000000000;
  ids[2 * T + 2] = -1;
  input.dtype = CUSEQ_DTYPE_I64;
  WITH(input, data, ids, "input: id [1,1] is out of range (found 6000000000, needed 0 to 5)",
       CUSEQ_STATUS_INVALID_ARGUMENT);
  double wide[B * T * F] = {0};
  wide[2] = 1e300;
  input.dtype = CUSEQ_DTYPE_F64;
  WITH(input, data, wide,
       "input: [0,0,2] is not finite (found a number too large for float32, needed finite numbers)",
       CUSEQ_STATUS_NON_FINITE);
  /* data in host memory whose lengths only the device knows */
  input.data = x;
  expect_told(&faulty, &input, &decoding, CUSEQ_STATUS_NON_FINITE,
              "input: [1,1,3] is not finite (found inf, needed finite numbers)");
  int32_t narrow[B * T] = {[2 * T + 2] = 6};
  input = (cuseq_input){sizeof(cuseq_input), narrow, CUSEQ_DTYPE_I32, B, T, good->lengths, NULL, NULL};
  expect_told(&faulty, &input, &decoding, CUSEQ_STATUS_INVALID_ARGUMENT,
              "input: id [2,2] is out of range (found 6, needed 0 to 5)");
  input_memory_free(good);
  memory_free((void *)faulty.decoding.initial_h);
  memory_free((void *)faulty.decoding.initial_c);
  memory_free((void *)faulty.decoding.previous);
  memory_free(faulty.outputs);
  cuseq_session_close(faulty.session);
  cuseq_model_destroy(model);
}

/* Numbers that are not finite go through where that was allowed; ids are checked all the same. */
Test(device_arrays, nonfinite_numbers_pass_where_they_are_allowed) {
  struct random random = {76};
  cuseq_model *model = random_model(feedback_json, &feedback_widths, &random);
  cuseq_session_options options;
  cuseq_session_options_init(&options, sizeof options, model);
  options.device = "cuda";
  options.max_batch = B;
  options.max_time = T;
  options.allow_nonfinite = 1;
  cuseq_session *session;
  cr_assert_eq(cuseq_session_open(model, &options, &session), CUSEQ_STATUS_OK, "%s", cuseq_last_error());
  float x[B * T * F], want[B * Y * V], got[B * Y * V];
  for (int i = 0; i < B * T * F; i++)
    x[i] = random_between(&random, -1.0f, 1.0f);
  x[T * F + 2] = NAN;
  cuseq_input input = {sizeof(cuseq_input), x, CUSEQ_DTYPE_F32, B, T, NULL, NULL, NULL};
  cr_expect_eq(
      cuseq_run(session, &input, NULL, &(cuseq_decoding){.size = sizeof(cuseq_decoding), .outputs = want}),
      CUSEQ_STATUS_OK, "%s", cuseq_last_error());
  input.data = device(x, sizeof x);
  cr_expect_eq(
      cuseq_run(session, &input, NULL, &(cuseq_decoding){.size = sizeof(cuseq_decoding), .outputs = got}),
      CUSEQ_STATUS_OK, "%s", cuseq_last_error());
  assert_same_bytes(got, want, V * Y * sizeof(float));
  assert_same_bytes(got + 2 * Y * V, want + 2 * Y * V, V * Y * sizeof(float));
  memory_free((void *)input.data);
  int32_t ids[B * T] = {[4] = 6};
  input =
      (cuseq_input){sizeof(cuseq_input), device(ids, sizeof ids), CUSEQ_DTYPE_I32, B, T, NULL, NULL, NULL};
  cr_expect_eq(
      cuseq_run(session, &input, NULL, &(cuseq_decoding){.size = sizeof(cuseq_decoding), .outputs = got}),
      CUSEQ_STATUS_INVALID_ARGUMENT);
  memory_free((void *)input.data);
  cuseq_session_close(session);
  cuseq_model_destroy(model);
}
