/* When calls wait and when they do not, streams, and what may be done with arrays while work is queued. */
#include "cuda/call_memory.h"
#include "cuda/runtime_calls.h"
#include "support/compare.h"
#include "support/random_case.h"

#include <criterion/criterion.h>
#include <cuda_runtime_api.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* One layer with an end token; two layers, which are several launches. */
static const char *const models[] = {
    "{\"version\":1,\"encoder\":{\"features\":6,\"units\":7},\"attention\":{\"score\":\"dot\"},"
    "\"decoder\":{\"units\":14,\"steps\":3,\"initial_state\":\"encoder\",\"feedback\":\"output\",\"start_"
    "token\":0},"
    "\"output\":{\"units\":5}}",
    "{\"version\":1,\"encoder\":{\"features\":6,\"units\":7,\"layers\":2},\"attention\":{\"score\":"
    "\"general\"},"
    "\"decoder\":{\"units\":9,\"steps\":3,\"initial_state\":\"dense\"},\"output\":{\"units\":5}}"};
static const struct random_widths widths[] = {{0}, {0}};
enum { B = 3, T = 8, F = 6, Y = 3, V = 5, MODELS = 2 };

static cuseq_model *model_of(int i, uint64_t seed) {
  struct random random = {seed};
  return random_model(models[i], &widths[i], &random);
}

static cuseq_session_options options_of(const cuseq_model *model) {
  cuseq_session_options options;
  cuseq_session_options_init(&options, sizeof options, model);
  options.device = "cuda";
  options.max_batch = B;
  options.max_time = T;
  return options;
}

static cuseq_session *session_open(const cuseq_model *model, const cuseq_session_options *options) {
  cuseq_session *session;
  cr_assert_eq(cuseq_session_open(model, options, &session), CUSEQ_STATUS_OK, "%s", cuseq_last_error());
  return session;
}

static void done(cuseq_status status) {
  cr_assert_eq(status, CUSEQ_STATUS_OK, "%s", cuseq_last_error());
}

static void cuda_done(cudaError_t error) {
  cr_assert_eq(error, cudaSuccess, "%s", cudaGetErrorString(error));
}

static void fill(float *x, size_t count, uint64_t seed) {
  struct random random = {seed};
  for (size_t i = 0; i < count; i++)
    x[i] = random_between(&random, -1.0f, 1.0f);
}

static cuseq_input input_of(const float *x) {
  return (cuseq_input){
      .size = sizeof(cuseq_input), .data = x, .dtype = CUSEQ_DTYPE_F32, .batch = B, .time = T};
}

/* What a call of one's own gives. */
static void want_of(struct results *want, const cuseq_model *model, const float *x) {
  cuseq_input input = input_of(x);
  results_make(want, model, B, T, Y);
  results_run(want, model, "cuda", 0, &input);
}

static void expect_same(const struct results *got, const struct results *want) {
  for (int32_t b = 0; b < want->B; b++)
    cr_expect(results_same_row(got, b, want, b), "%s", results_report());
}

/* ---- when calls wait ---- */

static void expect_calls(int waits, int queries) {
  struct runtime_calls calls = runtime_calls_take();
  cr_expect_eq(calls.waits, waits, "%d waits, %d needed", calls.waits, waits);
  cr_expect_eq(calls.queries, queries, "%d queries, %d needed", calls.queries, queries);
  cr_expect_eq(calls.allocations, 0, "%d allocations", calls.allocations);
}

/* One wait for results in host memory, none for others; a query an array, or none where its place was
 * promised. */
Test(asynchronous, a_call_waits_once_or_never) {
  for (int i = 0; i < MODELS; i++) {
    cuseq_model *model = model_of(i, 81);
    float x[B * T * F];
    fill(x, B * T * F, 82);
    struct results host;
    struct call_memory locked, device;
    results_make(&host, model, B, T, Y);
    call_memory_make(&locked, &host, MEMORY_LOCKED);
    call_memory_make(&device, &host, MEMORY_DEVICE);
    cuseq_input input = input_of(x), device_input = input_memory_make(&input, sizeof x, 0, MEMORY_DEVICE);
    cuseq_session_options options = options_of(model);
    cuseq_session *session = session_open(model, &options);
    runtime_calls_take();
    done(cuseq_run(session, &input, &host.encoding, &host.decoding));
    expect_calls(1, 1 + 15);
    done(cuseq_run(session, &input, &locked.encoding, &locked.decoding));
    expect_calls(1, 1 + 15);
    done(cuseq_run(session, &input, &device.encoding, &device.decoding));
    expect_calls(0, 1 + 15);
    done(cuseq_run(session, &device_input, &device.encoding, &device.decoding));
    expect_calls(0, 1 + 15);
    done(cuseq_run(session, &device_input, &device.encoding, &host.decoding));
    expect_calls(1, 1 + 15);
    done(cuseq_encode(session, &input, NULL));
    expect_calls(0, 1);
    done(cuseq_attend(session, NULL, device.decoding.contexts, NULL));
    expect_calls(0, 1);
    done(cuseq_attend(session, NULL, device.decoding.contexts, host.decoding.alphas));
    expect_calls(1, 2);
    done(cuseq_session_synchronize(session));
    expect_calls(1, 0);
    cuseq_session_close(session);
    options.memory = CUSEQ_MEMORY_HOST;
    session = session_open(model, &options);
    done(cuseq_run(session, &input, &host.encoding, &host.decoding));
    runtime_calls_take();
    done(cuseq_run(session, &input, &host.encoding, &host.decoding));
    expect_calls(1, 0);
    cuseq_session_close(session);
    options.memory = CUSEQ_MEMORY_ANY;
    options.asynchronous = 1;
    session = session_open(model, &options);
    runtime_calls_take();
    done(cuseq_run(session, &input, &locked.encoding, &locked.decoding));
    done(cuseq_run(session, &input, &device.encoding, &locked.decoding));
    expect_calls(0, 2 * (1 + 15));
    cuseq_session_close(session);
    input_memory_free(&device_input);
    call_memory_free(&locked);
    call_memory_free(&device);
    results_free(&host);
    cuseq_model_destroy(model);
  }
}

/* ---- arrays while work is queued ---- */

/* Inputs in ordinary memory, gone when each of many calls returns; their results come in the order of the
 * stream. */
Test(asynchronous, inputs_in_ordinary_memory_may_go_when_a_call_returns) {
  enum { CALLS = 9 };
  for (int i = 0; i < MODELS; i++) {
    cuseq_model *model = model_of(i, 83);
    struct results want[CALLS], got[CALLS];
    struct call_memory locked[CALLS];
    float x[B * T * F];
    for (int c = 0; c < CALLS; c++) {
      fill(x, B * T * F, 90 + (uint64_t)c);
      want_of(&want[c], model, x);
      results_make(&got[c], model, B, T, Y);
      call_memory_make(&locked[c], &got[c], MEMORY_LOCKED);
    }
    cuseq_session_options options = options_of(model);
    options.asynchronous = 1;
    cuseq_session *session = session_open(model, &options);
    for (int c = 0; c < CALLS; c++) {
      fill(x, B * T * F, 90 + (uint64_t)c);
      cuseq_input input = input_of(x);
      done(cuseq_run(session, &input, &locked[c].encoding, &locked[c].decoding));
      memset(x, 0xff, sizeof x);
    }
    done(cuseq_session_synchronize(session));
    for (int c = 0; c < CALLS; c++) {
      call_memory_fetch(&locked[c], &got[c]);
      expect_same(&got[c], &want[c]);
      call_memory_free(&locked[c]);
      results_free(&got[c]);
      results_free(&want[c]);
    }
    cuseq_session_close(session);
    cuseq_model_destroy(model);
  }
}

/* A call that does not wait, of a session that is not asynchronous: page-locked inputs are the caller's
 * again too. */
Test(asynchronous, any_host_input_may_go_when_a_waiting_sessions_call_returns) {
  for (int kind = MEMORY_PAGEABLE; kind <= MEMORY_REGISTERED; kind++) {
    cuseq_model *model = model_of(0, 84);
    struct results want, got;
    struct call_memory device;
    float values[B * T * F];
    fill(values, B * T * F, 85);
    want_of(&want, model, values);
    results_make(&got, model, B, T, Y);
    call_memory_make(&device, &got, MEMORY_DEVICE);
    cuseq_session_options options = options_of(model);
    cuseq_session *session = session_open(model, &options);
    for (int round = 0; round < 3; round++) {
      float *x = memory_copy((enum memory_kind)kind, values, sizeof values);
      cuseq_input input = input_of(x);
      done(cuseq_run(session, &input, &device.encoding, &device.decoding));
      memset(x, 0xff, sizeof values);
      memory_free(x);
    }
    done(cuseq_session_synchronize(session));
    call_memory_fetch(&device, &got);
    expect_same(&got, &want);
    cuseq_session_close(session);
    call_memory_free(&device);
    results_free(&got);
    results_free(&want);
    cuseq_model_destroy(model);
  }
}

/* Input and outputs that are larger than the memory they pass through, and not a multiple of it. */
Test(asynchronous, arrays_larger_than_the_staging_memory_pass_through_it) {
  static const char json[] =
      "{\"version\":1,\"encoder\":{\"features\":301,\"units\":1,\"direction\":\"forward\"},"
      "\"attention\":{\"score\":\"dot\"},\"decoder\":{\"units\":1,\"steps\":70},"
      "\"output\":{\"units\":5003,\"activation\":\"linear\"}}";
  enum { ROWS = 4, TIME = 1201, WIDE = 301, STEPS = 70, OUT = 5003 };
  struct random random = {86};
  cuseq_model *model = random_model(json, &widths[0], &random);
  size_t count = (size_t)ROWS * TIME * WIDE, out = (size_t)ROWS * STEPS * OUT;
  double *f64 = malloc(count * sizeof *f64);
  float *x = malloc(count * sizeof *x), *want = malloc(out * sizeof *want), *got = malloc(out * sizeof *got);
  for (size_t i = 0; i < count; i++)
    x[i] = (float)(f64[i] = (double)random_between(&random, -1.0f, 1.0f) / 3.0);
  cuseq_session_options options = options_of(model);
  options.max_batch = ROWS;
  options.max_time = TIME;
  cuseq_session *session = session_open(model, &options);
  cuseq_input input = {sizeof(cuseq_input), x, CUSEQ_DTYPE_F32, ROWS, TIME, NULL, NULL, NULL};
  float *d_x = memory_copy(MEMORY_DEVICE, x, count * sizeof *x);
  float *d_outputs = memory_copy(MEMORY_DEVICE, got, out * sizeof *got);
  input.data = d_x;
  done(cuseq_run(session, &input, NULL,
                 &(cuseq_decoding){.size = sizeof(cuseq_decoding), .outputs = d_outputs}));
  done(cuseq_session_synchronize(session));
  memory_fetch(want, d_outputs, out * sizeof *want);
  for (int i = 0; i < 2; i++) {
    memset(got, 0, out * sizeof *got);
    input.data = i == 0 ? (const void *)x : f64;
    input.dtype = i == 0 ? CUSEQ_DTYPE_F32 : CUSEQ_DTYPE_F64;
    done(cuseq_run(session, &input, NULL, &(cuseq_decoding){.size = sizeof(cuseq_decoding), .outputs = got}));
    assert_same_bytes(got, want, out * sizeof *got);
  }
  memory_free(d_x);
  memory_free(d_outputs);
  cuseq_session_close(session);
  cuseq_model_destroy(model);
  free(f64);
  free(x);
  free(want);
  free(got);
}

/* ---- streams ---- */

/* The caller's work before and after the call, on the one stream, and one wait at the very end. */
static void check_stream(cudaStream_t stream) {
  cuseq_model *model = model_of(1, 87);
  struct results want, got;
  struct call_memory device;
  float values[B * T * F], *x, *d_x;
  fill(values, B * T * F, 88);
  want_of(&want, model, values);
  results_make(&got, model, B, T, Y);
  call_memory_make(&device, &got, MEMORY_DEVICE);
  x = memory_copy(MEMORY_LOCKED, values, sizeof values);
  memset(values, 0, sizeof values);
  d_x = memory_copy(MEMORY_DEVICE, values, sizeof values);
  float *outputs = memory_copy(MEMORY_LOCKED, want.decoding.outputs, B * Y * V * sizeof(float));
  cuseq_session_options options = options_of(model);
  options.stream = stream;
  options.asynchronous = 1;
  options.memory = CUSEQ_MEMORY_DEVICE;
  cuseq_session *session = session_open(model, &options);
  cr_expect_eq(cuseq_session_stream(session), (void *)stream);
  cuda_done(cudaMemcpyAsync(d_x, x, sizeof values, cudaMemcpyHostToDevice, stream));
  cuseq_input input = input_of(d_x);
  done(cuseq_run(session, &input, &device.encoding, &device.decoding));
  cuda_done(cudaMemsetAsync(d_x, 0xff, sizeof values, stream));
  cuda_done(cudaMemcpyAsync(outputs, device.decoding.outputs, B * Y * V * sizeof(float),
                            cudaMemcpyDeviceToHost, stream));
  cuda_done(cudaStreamSynchronize(stream));
  assert_same_bytes(outputs, want.decoding.outputs, B * Y * V * sizeof(float));
  call_memory_fetch(&device, &got);
  expect_same(&got, &want);
  cuseq_session_close(session);
  cuda_done(cudaStreamSynchronize(stream)); /* it is the caller's, and still there */
  memory_free(x);
  memory_free(d_x);
  memory_free(outputs);
  call_memory_free(&device);
  results_free(&got);
  results_free(&want);
  cuseq_model_destroy(model);
}

Test(asynchronous, work_is_queued_on_the_callers_stream) {
  cudaStream_t stream;
  cuda_done(cudaStreamCreate(&stream));
  check_stream(stream);
  cuda_done(cudaStreamDestroy(stream));
  cuda_done(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking));
  check_stream(stream);
  cuda_done(cudaStreamDestroy(stream));
  check_stream(cudaStreamLegacy);
  check_stream(cudaStreamPerThread);
}

/* Two sessions on streams of their own, their calls queued in turns: nothing of one is seen in the other,
 * in whatever order the device takes their work. */
Test(asynchronous, sessions_on_two_streams_do_not_disturb_each_other) {
  enum { ROUNDS = 4 };
  cuseq_model *model[2];
  cuseq_session *sessions[2];
  struct results want[2][ROUNDS], got;
  struct call_memory memory[2][ROUNDS];
  float *x[2][ROUNDS];
  for (int s = 0; s < 2; s++) {
    model[s] = model_of(s, 91);
    cuseq_session_options options = options_of(model[s]);
    options.asynchronous = 1;
    sessions[s] = session_open(model[s], &options);
    for (int r = 0; r < ROUNDS; r++) {
      float values[B * T * F];
      fill(values, B * T * F, (uint64_t)(100 + 10 * s + r));
      want_of(&want[s][r], model[s], values);
      results_make(&got, model[s], B, T, Y);
      call_memory_make(&memory[s][r], &got, r % 2 ? MEMORY_DEVICE : MEMORY_LOCKED);
      results_free(&got);
      x[s][r] = memory_copy(r < 2 ? MEMORY_LOCKED : MEMORY_DEVICE, values, sizeof values);
    }
  }
  for (int r = 0; r < ROUNDS; r++)
    for (int s = 0; s < 2; s++) {
      cuseq_input input = input_of(x[s][r]);
      done(cuseq_run(sessions[s], &input, &memory[s][r].encoding, &memory[s][r].decoding));
    }
  for (int s = 0; s < 2; s++)
    done(cuseq_session_synchronize(sessions[s]));
  for (int s = 0; s < 2; s++) {
    for (int r = 0; r < ROUNDS; r++) {
      results_make(&got, model[s], B, T, Y);
      call_memory_fetch(&memory[s][r], &got);
      expect_same(&got, &want[s][r]);
      call_memory_free(&memory[s][r]);
      memory_free(x[s][r]);
      results_free(&got);
      results_free(&want[s][r]);
    }
    cuseq_session_close(sessions[s]);
    cuseq_model_destroy(model[s]);
  }
}

/* ---- threads and devices ---- */

struct worker {
  const cuseq_model *model;
  char device[16];
  int index;
  const float *x;
  struct results got;
  cuseq_status status;
  char error[256];
  int current;
};

static void *work(void *argument) {
  struct worker *worker = argument;
  cuseq_session *session = NULL;
  cuseq_session_options options = options_of(worker->model);
  options.device = worker->device;
  options.asynchronous = 1;
  cudaSetDevice(worker->index); /* where the arrays are made */
  void *outputs = NULL, *x = NULL;
  size_t bytes = B * Y * V * sizeof(float);
  cudaMalloc(&outputs, bytes);
  cudaMalloc(&x, B * T * F * sizeof(float));
  cudaMemcpy(x, worker->x, B * T * F * sizeof(float), cudaMemcpyHostToDevice);
  cudaSetDevice(0);
  worker->status = cuseq_session_open(worker->model, &options, &session);
  for (int i = 0; i < 4 && worker->status == CUSEQ_STATUS_OK; i++) {
    cuseq_input input = input_of(i % 2 ? worker->x : x);
    worker->status = cuseq_run(session, &input, NULL,
                               &(cuseq_decoding){.size = sizeof(cuseq_decoding), .outputs = outputs});
  }
  if (worker->status == CUSEQ_STATUS_OK)
    worker->status = cuseq_session_synchronize(session);
  if (worker->status != CUSEQ_STATUS_OK)
    strncpy(worker->error, cuseq_last_error(), sizeof worker->error - 1);
  cudaMemcpy(worker->got.decoding.outputs, outputs, bytes, cudaMemcpyDeviceToHost);
  cuseq_session_close(session);
  cudaGetDevice(&worker->current);
  cudaFree(outputs);
  cudaFree(x);
  return NULL;
}

/* A session in each of several threads, over all the devices there are; none changes its thread's current
 * device. */
Test(asynchronous, threads_and_devices_each_get_their_own_results) {
  enum { WORKERS = 4 };
  static struct worker workers[WORKERS];
  static float x[WORKERS][B * T * F];
  struct results want[WORKERS];
  pthread_t threads[WORKERS];
  int devices;
  cuda_done(cudaGetDeviceCount(&devices));
  cuseq_model *model = model_of(1, 95);
  for (int i = 0; i < WORKERS; i++) {
    fill(x[i], B * T * F, 96 + (uint64_t)i);
    want_of(&want[i], model, x[i]);
    workers[i] = (struct worker){.model = model, .index = i % devices, .x = x[i]};
    snprintf(workers[i].device, sizeof workers[i].device, "cuda:%d", workers[i].index);
    results_make(&workers[i].got, model, B, T, Y);
  }
  for (int i = 0; i < WORKERS; i++)
    cr_assert_eq(pthread_create(&threads[i], NULL, work, &workers[i]), 0);
  for (int i = 0; i < WORKERS; i++) {
    pthread_join(threads[i], NULL);
    cr_expect_eq(workers[i].status, CUSEQ_STATUS_OK, "%s", workers[i].error);
    cr_expect_eq(workers[i].current, 0);
    assert_same_bytes(workers[i].got.decoding.outputs, want[i].decoding.outputs, B * Y * V * sizeof(float));
    results_free(&workers[i].got);
    results_free(&want[i]);
  }
  cuseq_model_destroy(model);
}
