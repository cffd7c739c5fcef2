/* Large batches go through in windows of rows, copies beside kernels: every bit is that of the whole batch at
 * once. */
#include "cuda/call_memory.h"
#include "cuda/runtime_calls.h"
#include "support/compare.h"
#include "support/random_case.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

/* Few multiprocessors, so that a window of the emulated device has few rows. */
static void few_multiprocessors(void) {
  setenv("CUSEQ_EMULATOR_MULTIPROCESSORS", "4", 1);
}

struct large {
  const char *json, *plan;
  int32_t batch, time, steps;
};

static cuseq_session *session_open(const cuseq_model *model, const struct large *large,
                                   int32_t asynchronous) {
  cuseq_session_options options;
  cuseq_session_options_init(&options, sizeof options, model);
  options.device = "cuda";
  options.max_batch = large->batch;
  options.max_time = large->time;
  options.max_steps = large->steps;
  options.cuda_plan = large->plan;
  options.asynchronous = asynchronous;
  cuseq_session *session;
  cr_assert_eq(cuseq_session_open(model, &options, &session), CUSEQ_STATUS_OK, "%s", cuseq_last_error());
  return session;
}

static void done(cuseq_status status) {
  cr_assert_eq(status, CUSEQ_STATUS_OK, "%s", cuseq_last_error());
}

static void expect_same(const struct results *got, const struct results *want, const char *what) {
  for (int32_t b = 0; b < want->B; b++)
    cr_assert(results_same_row(got, b, want, b), "%s: %s", what, results_report());
}

/* The whole batch at once is what a call with the input on the device is. */
static void check_windows(const struct large *large, const cuseq_input *input, const double *f64,
                          size_t bytes) {
  struct random random = {111};
  cuseq_model *model = random_model(large->json, &(struct random_widths){0}, &random);
  cuseq_session *session = session_open(model, large, 0);
  struct results want, got;
  results_make(&want, model, large->batch, large->time, large->steps);
  results_make(&got, model, large->batch, large->time, large->steps);
  cuseq_input whole = *input;
  whole.data = memory_copy(MEMORY_DEVICE, input->data, bytes);
  runtime_calls_take();
  done(cuseq_run(session, &whole, &want.encoding, &want.decoding));
  cr_expect_eq(runtime_calls_take().orders, 0);
  done(cuseq_run(session, input, &got.encoding, &got.decoding));
  struct runtime_calls calls = runtime_calls_take();
  cr_expect_geq(calls.orders, 6, "%d orders: there were no windows", calls.orders);
  cr_expect_eq(calls.allocations, 0);
  expect_same(&got, &want, "from ordinary memory");
  /* what stays in the session is that of all rows */
  memset(got.decoding.contexts, 0, sizeof(float));
  done(cuseq_decode(session, &got.decoding));
  expect_same(&got, &want, "decoded again");
  if (f64) {
    cuseq_input wide = *input;
    wide.data = f64;
    wide.dtype = CUSEQ_DTYPE_F64;
    done(cuseq_run(session, &wide, &got.encoding, &got.decoding));
    expect_same(&got, &want, "from float64");
  }
  cuseq_session_close(session);
  /* page-locked and asynchronous, two calls at once */
  struct call_memory first, second;
  struct results poisoned;
  results_make(&poisoned, model, large->batch, large->time, large->steps);
  call_memory_make(&first, &poisoned, MEMORY_LOCKED);
  call_memory_make(&second, &poisoned, MEMORY_DEVICE);
  cuseq_input locked = *input;
  locked.data = memory_copy(MEMORY_LOCKED, input->data, bytes);
  session = session_open(model, large, 1);
  runtime_calls_take();
  done(cuseq_run(session, &locked, &first.encoding, &first.decoding));
  done(cuseq_run(session, &locked, &second.encoding, &second.decoding));
  cr_expect_eq(runtime_calls_take().waits, 0);
  done(cuseq_session_synchronize(session));
  call_memory_fetch(&first, &got);
  expect_same(&got, &want, "page-locked");
  call_memory_fetch(&second, &got);
  expect_same(&got, &want, "results on the device");
  cuseq_session_close(session);
  memory_free((void *)locked.data);
  memory_free((void *)whole.data);
  call_memory_free(&first);
  call_memory_free(&second);
  results_free(&poisoned);
  results_free(&got);
  results_free(&want);
  cuseq_model_destroy(model);
}

static void check_dense(const struct large *large, int32_t F) {
  struct random random = {112};
  size_t count = (size_t)large->batch * (size_t)large->time * (size_t)F;
  float *x = malloc(count * sizeof *x);
  double *f64 = malloc(count * sizeof *f64);
  int32_t *lengths = malloc((size_t)large->batch * sizeof *lengths);
  for (size_t i = 0; i < count; i++)
    f64[i] = (double)(x[i] = random_between(&random, -1.0f, 1.0f));
  for (int32_t b = 0; b < large->batch; b++)
    lengths[b] = 1 + random_below(&random, 2); /* the bytes count here, not the steps */
  check_windows(
      large,
      &(cuseq_input){sizeof(cuseq_input), x, CUSEQ_DTYPE_F32, large->batch, large->time, lengths, NULL, NULL},
      f64, count * sizeof *x);
  free(x);
  free(f64);
  free(lengths);
}

/* A large input: two layers whose directions are added up, launch by launch. */
Test(windows, a_large_input_gives_the_bits_of_the_whole_batch, .init = few_multiprocessors) {
  check_dense(&(struct large){"{\"version\":1,\"encoder\":{\"features\":128,\"units\":3,\"layers\":2,"
                              "\"merge\":\"sum\"},\"attention\":{\"score\":\"general\"},"
                              "\"decoder\":{\"units\":6,\"steps\":2,\"initial_state\":\"encoder\"},"
                              "\"output\":{\"units\":5}}",
                              "stages", 301, 28, 2},
              128);
}

/* The same of a small model in one launch. */
Test(windows, a_large_input_of_a_small_model_gives_them_too, .init = few_multiprocessors) {
  check_dense(&(struct large){"{\"version\":1,\"encoder\":{\"features\":128,\"units\":3,\"layers\":2},"
                              "\"attention\":{\"score\":\"dot\"}}",
                              "whole", 301, 28, 1},
              128);
}

#define GRUS                                                                                                 \
  "{\"version\":2,\"input\":{\"features\":128},\"encoder\":{\"layers\":["                                    \
  "{\"cell\":{\"kind\":\"gru\",\"units\":3},\"direction\":\"bidirectional\",\"merge\":\"sum\"},"             \
  "{\"cell\":{\"kind\":\"lstm\",\"units\":5},\"direction\":\"backward\"},"                                   \
  "{\"cell\":{\"kind\":\"gru\",\"units\":4},\"direction\":\"bidirectional\"}]},"                             \
  "\"attention\":{\"asks\":\"current\",\"score\":\"additive\",\"units\":4,\"value\":{\"units\":6}},"         \
  "\"decoder\":{\"reads\":[\"token\",\"attentional\"],\"feedback\":\"output\",\"start_token\":1,\"steps\":"  \
  "2,"                                                                                                       \
  "\"embedding\":3,\"attentional\":{\"parts\":[\"context\",\"state\"],\"units\":7,\"activation\":\"tanh\"}," \
  "\"layers\":[{\"cell\":{\"kind\":\"gru\",\"units\":5},\"initial_h\":{\"layer\":1}},"                       \
  "{\"cell\":{\"kind\":\"lstm\",\"units\":5},\"initial_h\":{\"from\":\"zeros\"},\"initial_c\":{\"layer\":1," \
  "\"state\":\"c\"}}]},"                                                                                     \
  "\"output\":{\"parts\":[\"attentional\"],\"layers\":[{\"units\":6,\"activation\":\"softmax\"}]}}"

/* Other structures, by stages and in one launch: layers of unlike cells, widths and directions, whose final
 * states are taken. */
Test(windows, a_large_input_of_any_structure_gives_them_by_stages, .init = few_multiprocessors) {
  check_dense(&(struct large){GRUS, "stages", 301, 28, 2}, 128);
}

Test(windows, a_large_input_of_any_structure_gives_them_in_one_launch, .init = few_multiprocessors) {
  check_dense(&(struct large){GRUS, "whole", 301, 28, 2}, 128);
}

#define SELF                                                                                                 \
  "{\"version\":2,\"input\":{\"features\":128},\"encoder\":{\"layers\":["                                    \
  "{\"cell\":{\"kind\":\"gru\",\"units\":3},\"direction\":\"bidirectional\",\"merge\":\"sum\","              \
  "\"self_attention\":{\"score\":\"dot\",\"heads\":2,\"key\":{\"units\":4},\"query\":{\"units\":4},"         \
  "\"value\":{\"units\":6},\"beside\":true}},"                                                               \
  "{\"cell\":{\"kind\":\"lstm\",\"units\":5},\"self_attention\":{\"score\":\"additive\",\"units\":3}}]},"    \
  "\"attention\":{\"asks\":\"previous\",\"score\":\"dot\"},"                                                 \
  "\"decoder\":{\"reads\":[\"context\"],\"steps\":2,"                                                        \
  "\"layers\":[{\"cell\":{\"kind\":\"gru\",\"units\":5},\"initial_h\":{\"layer\":1}}]},"                     \
  "\"output\":{\"parts\":[\"state\"],\"layers\":[{\"units\":6,\"activation\":\"softmax\"}]}}"

/* Layers that attend to themselves: what positions ask is one window's after the other. */
Test(windows, a_large_input_gives_them_where_layers_attend_to_themselves, .init = few_multiprocessors) {
  check_dense(&(struct large){SELF, "stages", 301, 28, 2}, 128);
}

/* Large results of a small input, which is ids. */
Test(windows, large_results_have_the_bits_of_the_whole_batch, .init = few_multiprocessors) {
  enum { B = 301, T = 4, Y = 5 };
  struct random random = {113};
  int32_t *ids = malloc((size_t)B * T * sizeof *ids);
  for (int i = 0; i < B * T; i++)
    ids[i] = random_below(&random, 5);
  check_windows(&(struct large){"{\"version\":1,\"encoder\":{\"features\":5,\"units\":2},"
                                "\"attention\":{\"score\":\"dot\"},\"decoder\":{\"units\":4,\"steps\":2},"
                                "\"output\":{\"units\":1000}}",
                                "stages", B, T, Y},
                &(cuseq_input){sizeof(cuseq_input), ids, CUSEQ_DTYPE_I32, B, T, NULL, NULL, NULL}, NULL,
                (size_t)B * T * sizeof *ids);
  free(ids);
}
