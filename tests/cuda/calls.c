/* The CUDA backend's public calls: several sessions and threads at once, devices that are not there, and a
 * session whose limits are larger than a call. */
#include "support/compare.h"
#include "support/random_case.h"
#include "support/results.h"

#include <criterion/criterion.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char json[] = "{\"version\":1,\"encoder\":{\"features\":6,\"units\":7,\"layers\":2},"
                           "\"attention\":{\"score\":\"additive\"},"
                           "\"decoder\":{\"units\":9,\"steps\":3,\"initial_state\":\"dense\",\"feedback\":"
                           "\"output\",\"start_token\":0},"
                           "\"output\":{\"units\":5}}";
static const struct random_widths widths = {.additive_units = 4, .additive_bias = true};

enum { B = 3, T = 8, F = 6, Y = 3, THREADS = 4, ROUNDS = 3 };

static cuseq_session *session_of(const cuseq_model *model, const char *device, int32_t batch, int32_t time) {
  cuseq_session_options options;
  cuseq_session_options_init(&options, sizeof options, model);
  options.device = device;
  options.max_batch = batch;
  options.max_time = time;
  cuseq_session *session;
  cr_assert_eq(cuseq_session_open(model, &options, &session), CUSEQ_STATUS_OK, "%s", cuseq_last_error());
  return session;
}

static void input_fill(float *x, uint64_t seed) {
  struct random random = {seed};
  for (int i = 0; i < B * T * F; i++)
    x[i] = random_between(&random, -1.0f, 1.0f);
}

static cuseq_input input_of(const float *x) {
  return (cuseq_input){
      .size = sizeof(cuseq_input), .data = x, .dtype = CUSEQ_DTYPE_F32, .batch = B, .time = T};
}

static void expect_same(const struct results *got, const struct results *want) {
  for (int32_t b = 0; b < B; b++)
    cr_expect(results_same_row(got, b, want, b), "%s", results_report());
}

/* Two sessions in turns: neither sees what the other left. */
Test(cuda_calls, two_sessions_of_a_thread_do_not_disturb_each_other) {
  struct random random = {31};
  cuseq_model *model = random_model(json, &widths, &random);
  float x[2][B * T * F];
  struct results want[2], got[2];
  cuseq_session *sessions[2];
  for (int i = 0; i < 2; i++) {
    input_fill(x[i], 40 + (uint64_t)i);
    cuseq_input input = input_of(x[i]);
    results_make(&want[i], model, B, T, Y);
    results_make(&got[i], model, B, T, Y);
    results_run(&want[i], model, "cuda", 0, &input);
    sessions[i] = session_of(model, "cuda:0", B, T);
  }
  for (int i = 0; i < 2; i++) {
    cuseq_input input = input_of(x[i]);
    cr_assert_eq(cuseq_encode(sessions[i], &input, &got[i].encoding), CUSEQ_STATUS_OK, "%s",
                 cuseq_last_error());
  }
  for (int i = 0; i < 2; i++) {
    cr_assert_eq(cuseq_decode(sessions[i], &got[i].decoding), CUSEQ_STATUS_OK, "%s", cuseq_last_error());
    expect_same(&got[i], &want[i]);
    cuseq_session_close(sessions[i]);
    results_free(&got[i]);
    results_free(&want[i]);
  }
  cuseq_model_destroy(model);
}

struct worker {
  const cuseq_model *model;
  float x[B * T * F];
  struct results want, got[ROUNDS];
};

static void *worker_run(void *argument) {
  struct worker *worker = argument;
  cuseq_input input = input_of(worker->x);
  for (int i = 0; i < ROUNDS; i++)
    results_run(&worker->got[i], worker->model, "cuda", 0, &input);
  return NULL;
}

/* Each thread has sessions of its own on the one model; each gets the bits that it gets alone, every time. */
Test(cuda_calls, threads_with_a_session_each_get_the_same_bits_as_one_alone) {
  struct random random = {32};
  cuseq_model *model = random_model(json, &widths, &random);
  static struct worker workers[THREADS];
  pthread_t threads[THREADS];
  for (int i = 0; i < THREADS; i++) {
    workers[i].model = model;
    input_fill(workers[i].x, 50 + (uint64_t)i);
    cuseq_input input = input_of(workers[i].x);
    results_make(&workers[i].want, model, B, T, Y);
    results_run(&workers[i].want, model, "cuda", 0, &input);
    for (int j = 0; j < ROUNDS; j++)
      results_make(&workers[i].got[j], model, B, T, Y);
  }
  for (int i = 0; i < THREADS; i++)
    cr_assert_eq(pthread_create(&threads[i], NULL, worker_run, &workers[i]), 0);
  for (int i = 0; i < THREADS; i++) {
    pthread_join(threads[i], NULL);
    for (int j = 0; j < ROUNDS; j++) {
      expect_same(&workers[i].got[j], &workers[i].want);
      results_free(&workers[i].got[j]);
    }
    results_free(&workers[i].want);
  }
  cuseq_model_destroy(model);
}

/* Large calls, then smaller ones, then large again, in one session: nothing of an earlier call shows. */
Test(cuda_calls, a_session_gives_the_same_bits_whatever_it_ran_before) {
  struct random random = {33};
  cuseq_model *model = random_model(json, &widths, &random);
  float x[B * T * F];
  static const int32_t batches[] = {3, 1, 2, 3, 2, 3}, times[] = {8, 3, 5, 8, 5, 8};
  static const int32_t lengths[] = {2, 1, 3};
  input_fill(x, 60);
  cuseq_session *session = session_of(model, "cuda", 5, 13);
  for (int i = 0; i < 6; i++) {
    struct results want, got;
    cuseq_input input = input_of(x);
    input.batch = batches[i];
    input.time = times[i];
    input.lengths = i == 0 || i == 2 || i == 5 ? NULL : lengths;
    results_make(&want, model, input.batch, input.time, Y);
    results_make(&got, model, input.batch, input.time, Y);
    results_run(&want, model, "cuda", 0, &input);
    cr_assert_eq(cuseq_run(session, &input, &got.encoding, &got.decoding), CUSEQ_STATUS_OK, "%s",
                 cuseq_last_error());
    for (int32_t b = 0; b < input.batch; b++)
      cr_expect(results_same_row(&got, b, &want, b), "call %d: %s", i, results_report());
    results_free(&want);
    results_free(&got);
  }
  cuseq_session_close(session);
  cuseq_model_destroy(model);
}

struct attended {
  float context[B * 16], alphas[B * T];
};

static void attend(cuseq_session *session, struct attended *result) {
  memset(result, 0, sizeof *result);
  cr_assert_eq(cuseq_attend(session, NULL, result->context, result->alphas), CUSEQ_STATUS_OK, "%s",
               cuseq_last_error());
}

/* A whole model in one launch leaves no keys behind, and rows lie as close as in the call, not as in the
 * limits. */
Test(cuda_calls, attending_sees_what_the_last_call_encoded) {
  static const char small[] = "{\"version\":1,\"encoder\":{\"features\":6,\"units\":7},"
                              "\"attention\":{\"score\":\"additive\"},"
                              "\"decoder\":{\"units\":14,\"steps\":3},\"output\":{\"units\":5}}";
  struct random random = {38};
  cuseq_model *model = random_model(small, &widths, &random);
  float x[2][B * T * F];
  struct attended got, want;
  input_fill(x[0], 90);
  input_fill(x[1], 91);
  cuseq_session *session = session_of(model, "cuda", 5, 13);
  for (int i = 0; i < 4; i++) {
    cuseq_input input = input_of(x[i % 2]);
    input.batch = i % 2 ? 2 : 3;
    input.time = i % 2 ? 5 : 8;
    cuseq_session *other = session_of(model, "cuda", input.batch, input.time);
    cr_assert_eq(cuseq_encode(other, &input, NULL), CUSEQ_STATUS_OK, "%s", cuseq_last_error());
    attend(other, &want);
    cuseq_session_close(other);
    cr_assert_eq(i % 2 ? cuseq_run(session, &input, NULL, &(cuseq_decoding)CUSEQ_DECODING_INIT)
                       : cuseq_encode(session, &input, NULL),
                 CUSEQ_STATUS_OK, "%s", cuseq_last_error());
    attend(session, &got);
    assert_same_bytes(got.context, want.context, sizeof got.context);
    assert_same_bytes(got.alphas, want.alphas, sizeof got.alphas);
  }
  cuseq_session_close(session);
  cuseq_model_destroy(model);
}

/* The c of a GRU is 0 beside LSTMs too, whatever lay there of a call of more rows. */
Test(cuda_calls, cells_without_c_have_zeros_in_its_place) {
  static const char mixed[] =
      "{\"version\":2,\"input\":{\"features\":6},\"encoder\":{\"layers\":["
      "{\"cell\":{\"kind\":\"lstm\",\"units\":5},\"direction\":\"bidirectional\"},"
      "{\"cell\":{\"kind\":\"gru\",\"units\":4},\"direction\":\"bidirectional\"}]},"
      "\"output\":{\"over\":\"mean\",\"layers\":[{\"units\":3,\"activation\":\"softmax\"}]}}";
  static const char *const plans[] = {"stages", "whole", "encoder=cell"};
  enum { LSTM = 2 * 5, GRU = 2 * 4 };
  struct random random = {41};
  cuseq_model *model = random_model(mixed, &widths, &random);
  float x[B * T * F], final_c[B * (LSTM + GRU)], outputs[B * 3];
  input_fill(x, 95);
  for (int p = 0; p < 3; p++) {
    setenv("CUSEQ_CUDA_PLAN", plans[p], 1);
    cuseq_session *session = session_of(model, "cuda", B, T);
    cuseq_input input = input_of(x);
    const cuseq_encoding encoding = {.size = sizeof encoding, .final_c = final_c};
    const cuseq_decoding decoding = {.size = sizeof decoding, .outputs = outputs};
    cr_assert_eq(cuseq_run(session, &input, NULL, &decoding), CUSEQ_STATUS_OK, "%s", cuseq_last_error());
    input.batch = 1;
    cr_assert_eq(cuseq_run(session, &input, &encoding, &decoding), CUSEQ_STATUS_OK, "%s", cuseq_last_error());
    for (int i = 0; i < GRU; i++)
      cr_expect_eq(final_c[LSTM + i], 0.0f, "%s: c %d of the GRU: got %g", plans[p], i,
                   (double)final_c[LSTM + i]);
    cr_expect_neq(final_c[0], 0.0f);
    cuseq_session_close(session);
  }
  unsetenv("CUSEQ_CUDA_PLAN");
  cuseq_model_destroy(model);
}

/* Energies of more positions than a block has shared memory for, in the attention step and in the decoder's
 * loop. */
Test(cuda_calls, very_long_rows_agree_with_the_reference) {
  enum { LONG = 60000, ROWS = 2 };
  static const char smallest[] =
      "{\"version\":1,\"encoder\":{\"features\":2,\"units\":1,\"direction\":\"forward\"},"
      "\"attention\":{\"score\":\"dot\"},\"decoder\":{\"units\":1,\"steps\":2},\"output\":{\"units\":3}}";
  static const char *const devices[] = {"reference", "cuda"};
  static int32_t ids[ROWS * LONG];
  static float alphas[2][ROWS * LONG], outputs[2][ROWS * 2 * 3];
  struct random random = {39};
  cuseq_model *model = random_model(smallest, &(struct random_widths){0}, &random);
  for (int i = 0; i < ROWS * LONG; i++)
    ids[i] = random_below(&random, 2);
  cuseq_input input = {
      .size = sizeof(cuseq_input), .data = ids, .dtype = CUSEQ_DTYPE_I32, .batch = ROWS, .time = LONG};
  setenv("CUSEQ_CUDA_PLAN", "decoder=loop", 1);
  for (int i = 0; i < 2; i++) {
    cuseq_session *session = session_of(model, devices[i], ROWS, LONG);
    cr_assert_eq(cuseq_run(session, &input, NULL,
                           &(cuseq_decoding){.size = sizeof(cuseq_decoding), .outputs = outputs[i]}),
                 CUSEQ_STATUS_OK, "%s", cuseq_last_error());
    cr_assert_eq(cuseq_attend(session, NULL, NULL, alphas[i]), CUSEQ_STATUS_OK, "%s", cuseq_last_error());
    cuseq_session_close(session);
  }
  unsetenv("CUSEQ_CUDA_PLAN");
  cr_expect(compare_f32(outputs[1], outputs[0], ROWS * 2 * 3,
                        cuseq_model_tolerance(model, CUSEQ_PRECISION_FLOAT32, LONG, 0, CUSEQ_RESULT_OUTPUTS)),
            "%s", compare_report());
  for (int i = 0; i < ROWS * LONG; i++)
    for (int device = 0; device < 2; device++)
      alphas[device][i] *= LONG; /* about 1 */
  /* An energy is one number of the annotations times one of the state, both at most 1, and errs as these two
   * together; an alpha errs as its energy, and by what the power, the sum of all and the quotient round. */
  const double energies =
      cuseq_model_tolerance(model, CUSEQ_PRECISION_FLOAT32, LONG, 0, CUSEQ_RESULT_ANNOTATIONS) +
      cuseq_model_tolerance(model, CUSEQ_PRECISION_FLOAT32, LONG, 0, CUSEQ_RESULT_STATES);
  cr_expect(compare_f32(alphas[1], alphas[0], ROWS * LONG, energies + 16.0 * 0x1p-24), "%s",
            compare_report());
  cuseq_model_destroy(model);
}

/* More rows than the kernel that orders them takes. */
Test(cuda_calls, very_many_rows_of_mixed_lengths_agree_with_the_reference) {
  enum { ROWS = 65539 };
  static const char smallest[] =
      "{\"version\":1,\"encoder\":{\"features\":2,\"units\":1,\"direction\":\"forward\"},"
      "\"attention\":{\"score\":\"dot\"}}";
  struct random random = {37};
  cuseq_model *model = random_model(smallest, &(struct random_widths){0}, &random);
  static int32_t ids[ROWS * 2], lengths[ROWS];
  for (int i = 0; i < ROWS; i++) {
    ids[2 * i] = random_below(&random, 2);
    ids[2 * i + 1] = random_below(&random, 2);
    lengths[i] = 1 + random_below(&random, 2);
  }
  cuseq_input input = {.size = sizeof(cuseq_input),
                       .data = ids,
                       .dtype = CUSEQ_DTYPE_I32,
                       .batch = ROWS,
                       .time = 2,
                       .lengths = lengths};
  static float got[ROWS * 2], want[ROWS * 2];
  const char *const devices[] = {"reference", "cuda"};
  for (int i = 0; i < 2; i++) {
    cuseq_session *session = session_of(model, devices[i], ROWS, 2);
    cr_assert_eq(
        cuseq_encode(session, &input,
                     &(cuseq_encoding){.size = sizeof(cuseq_encoding), .annotations = i ? got : want}),
        CUSEQ_STATUS_OK, "%s", cuseq_last_error());
    cuseq_session_close(session);
  }
  cr_expect(
      compare_f32(got, want, ROWS * 2,
                  cuseq_model_tolerance(model, CUSEQ_PRECISION_FLOAT32, 2, 0, CUSEQ_RESULT_ANNOTATIONS)),
      "%s", compare_report());
  cuseq_model_destroy(model);
}

/* A caller who wants one array only, or none, gets that one. */
Test(cuda_calls, any_output_may_be_left_out) {
  struct random random = {34};
  cuseq_model *model = random_model(json, &widths, &random);
  float x[B * T * F], outputs[B * Y * 5];
  input_fill(x, 70);
  cuseq_input input = input_of(x);
  struct results want;
  results_make(&want, model, B, T, Y);
  results_run(&want, model, "cuda", 0, &input);
  cuseq_session *session = session_of(model, "cuda", B, T);
  cr_expect_eq(
      cuseq_run(session, &input, NULL, &(cuseq_decoding){.size = sizeof(cuseq_decoding), .outputs = outputs}),
      CUSEQ_STATUS_OK, "%s", cuseq_last_error());
  assert_same_bytes(outputs, want.decoding.outputs, sizeof outputs);
  cr_expect_eq(cuseq_run(session, &input, NULL, NULL), CUSEQ_STATUS_OK, "%s", cuseq_last_error());
  cr_expect_eq(cuseq_decode(session, &(cuseq_decoding){.size = sizeof(cuseq_decoding), .outputs = outputs}),
               CUSEQ_STATUS_OK, "%s", cuseq_last_error());
  assert_same_bytes(outputs, want.decoding.outputs, sizeof outputs);
  cuseq_session_close(session);
  results_free(&want);
  cuseq_model_destroy(model);
}

static void expect_refused(const cuseq_model *model, const cuseq_session_options *options,
                           cuseq_status status, const char *text) {
  cuseq_session *session;
  cr_expect_eq(cuseq_session_open(model, options, &session), status, "%s", cuseq_last_error());
  cr_expect_null(session);
  cr_expect(strstr(cuseq_last_error(), text) != NULL, "%s", cuseq_last_error());
}

/* What does not fit is refused in words, and the next session works. */
Test(cuda_calls, sessions_that_cannot_be_are_refused_and_the_next_one_works) {
  struct random random = {35};
  cuseq_model *model = random_model(json, &widths, &random);
  cuseq_session_options options;
  cuseq_session_options_init(&options, sizeof options, model);
  options.max_batch = B;
  options.max_time = T;
  options.device = "cuda:99";
  expect_refused(model, &options, CUSEQ_STATUS_NO_DEVICE, "cuda:99");
  options.device = "cuda:";
  expect_refused(model, &options, CUSEQ_STATUS_NO_DEVICE, "cuda:");
  options.device = "cuda:0x";
  expect_refused(model, &options, CUSEQ_STATUS_NO_DEVICE, "cuda:0x");
  options.device = "cuda";
  options.max_batch = 1000000;
  options.max_time = 100000;
  expect_refused(model, &options, CUSEQ_STATUS_OUT_OF_MEMORY, "");
  options.max_time = 600; /* the host has room for it */
  expect_refused(model, &options, CUSEQ_STATUS_OUT_OF_MEMORY, "cuda:0: out of memory (needed ");
  cuseq_session *session = session_of(model, "cuda", B, T);
  float x[B * T * F];
  input_fill(x, 80);
  cuseq_input input = input_of(x);
  cr_expect_eq(cuseq_run(session, &input, NULL, NULL), CUSEQ_STATUS_OK, "%s", cuseq_last_error());
  input.batch = B + 1;
  cr_expect_eq(cuseq_run(session, &input, NULL, NULL), CUSEQ_STATUS_INVALID_ARGUMENT);
  input.batch = B;
  input.time = 0;
  cr_expect_eq(cuseq_run(session, &input, NULL, NULL), CUSEQ_STATUS_INVALID_ARGUMENT);
  input.time = T;
  cr_expect_eq(cuseq_run(session, &input, NULL, NULL), CUSEQ_STATUS_OK, "%s", cuseq_last_error());
  cuseq_session_close(session);
  cuseq_model_destroy(model);
}

/* The option is looked at before the environment; a plan that cannot be is refused. */
Test(cuda_calls, a_plan_is_taken_from_the_option_or_from_the_environment) {
  struct random random = {36};
  cuseq_model *model = random_model(json, &widths, &random);
  cuseq_session_options options;
  cuseq_session_options_init(&options, sizeof options, model);
  options.device = "cuda";
  options.cuda_plan = "everything";
  expect_refused(model, &options, CUSEQ_STATUS_INVALID_ARGUMENT,
                 "cuda plan: no such word (found \"everything\"");
  options.cuda_plan = "whole";
  int32_t time = options.max_time;
  options.max_time = 513;
  expect_refused(model, &options, CUSEQ_STATUS_NOT_SUPPORTED,
                 "cuda plan: \"whole\" cannot run this model (found layers 2");
  options.max_time = time;
  options.cuda_plan = NULL;
  setenv("CUSEQ_CUDA_PLAN", "nothing", 1);
  expect_refused(model, &options, CUSEQ_STATUS_INVALID_ARGUMENT,
                 "cuda plan: no such word (found \"nothing\"");
  options.cuda_plan = "encoder=grid,decoder=loop";
  cuseq_session *session;
  cr_expect_eq(cuseq_session_open(model, &options, &session), CUSEQ_STATUS_OK, "%s", cuseq_last_error());
  cuseq_session_close(session);
  unsetenv("CUSEQ_CUDA_PLAN");
  cuseq_model_destroy(model);
}
