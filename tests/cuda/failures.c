/* What cannot be done is a status and one line, and the process and its other sessions go on. */
#include "cuda/call_memory.h"
#include "support/compare.h"
#include "support/random_case.h"

#include <criterion/criterion.h>
#include <cuda_runtime_api.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char json[] =
    "{\"version\":1,\"encoder\":{\"features\":6,\"units\":7,\"layers\":2},"
    "\"attention\":{\"score\":\"additive\"},"
    "\"decoder\":{\"units\":9,\"steps\":3,\"initial_state\":\"dense\",\"feedback\":\"output\","
    "\"start_token\":0},\"output\":{\"units\":5}}";
static const struct random_widths widths = {.additive_units = 4};
enum { B = 3, T = 8, F = 6, S = 9, V = 5, Y = 3 };

static cuseq_model *model_make(void) {
  struct random random = {101};
  return random_model(json, &widths, &random);
}

static cuseq_session_options options_of(const cuseq_model *model, const char *device) {
  cuseq_session_options options;
  cuseq_session_options_init(&options, sizeof options, model);
  options.device = device;
  options.max_batch = B;
  options.max_time = T;
  return options;
}

static cuseq_session *session_open(const cuseq_model *model, const cuseq_session_options *options) {
  cuseq_session *session;
  cr_assert_eq(cuseq_session_open(model, options, &session), CUSEQ_STATUS_OK, "%s", cuseq_last_error());
  return session;
}

static void expect_unopened(const cuseq_model *model, const cuseq_session_options *options,
                            cuseq_status status, const char *text) {
  cuseq_session *session;
  cr_expect_eq(cuseq_session_open(model, options, &session), status, "%s", cuseq_last_error());
  cr_expect_null(session);
  cr_expect(strstr(cuseq_last_error(), text) != NULL, "%s", cuseq_last_error());
}

static void expect_refused(cuseq_status got, const char *text) {
  cr_expect_eq(got, CUSEQ_STATUS_INVALID_ARGUMENT);
  cr_expect(strstr(cuseq_last_error(), text) != NULL, "%s", cuseq_last_error());
}

static float x[B * T * F], outputs[B * Y * V];
static const cuseq_input input = {sizeof(cuseq_input), x, CUSEQ_DTYPE_F32, B, T, NULL, NULL, NULL};

static void expect_works(cuseq_session *session) {
  cr_expect_eq(
      cuseq_run(session, &input, NULL, &(cuseq_decoding){.size = sizeof(cuseq_decoding), .outputs = outputs}),
      CUSEQ_STATUS_OK, "%s", cuseq_last_error());
}

/* Whether this is the emulated device, whose sizes and faults can be had by its settings. */
static bool emulated(void) {
  struct cudaDeviceProp properties;
  cr_assert_eq(cudaGetDeviceProperties(&properties, 0), cudaSuccess);
  return strstr(properties.name, "mulat") != NULL;
}

/* ---- places ---- */

static void two_devices(void) {
  setenv("CUSEQ_EMULATOR_DEVICES", "2", 1);
}

Test(failures, arrays_where_they_must_not_lie_are_refused, .init = two_devices) {
  cuseq_model *model = model_make();
  cuseq_session_options options = options_of(model, "cuda:0");
  cuseq_session *any = session_open(model, &options);
  options.memory = CUSEQ_MEMORY_HOST;
  cuseq_session *host = session_open(model, &options);
  options.memory = CUSEQ_MEMORY_DEVICE;
  cuseq_session *device = session_open(model, &options);
  options.memory = CUSEQ_MEMORY_ANY;
  options.asynchronous = 1;
  cuseq_session *asynchronous = session_open(model, &options);
  float *d_x = memory_copy(MEMORY_DEVICE, x, sizeof x),
        *d_outputs = memory_copy(MEMORY_DEVICE, outputs, sizeof outputs);
  cuseq_input d_input = input, moved = input;
  d_input.data = d_x;
  moved.data = (char *)d_x + 2;
  expect_refused(cuseq_encode(host, &d_input, NULL), "input: it lies in device memory");
  expect_refused(
      cuseq_run(host, &input, NULL, &(cuseq_decoding){.size = sizeof(cuseq_decoding), .outputs = d_outputs}),
      "outputs: it lies in device memory");
  expect_refused(cuseq_encode(device, &input, NULL), "input: it lies in host memory");
  expect_refused(cuseq_run(device, &d_input, NULL,
                           &(cuseq_decoding){.size = sizeof(cuseq_decoding), .outputs = outputs}),
                 "outputs: it lies in host memory");
  expect_refused(cuseq_encode(any, &moved, NULL), "input: its address is not a multiple of 4 bytes");
  expect_refused(cuseq_run(asynchronous, &input, NULL,
                           &(cuseq_decoding){.size = sizeof(cuseq_decoding), .outputs = outputs}),
                 "outputs: it lies in host memory that is not page-locked");
  expect_works(any);
  expect_works(host);
  cr_expect_eq(cuseq_run(device, &d_input, NULL,
                         &(cuseq_decoding){.size = sizeof(cuseq_decoding), .outputs = d_outputs}),
               CUSEQ_STATUS_OK, "%s", cuseq_last_error());
  int devices = 0;
  cudaGetDeviceCount(&devices);
  if (devices > 1) {
    cudaSetDevice(1);
    cuseq_input other = input;
    other.data = memory_copy(MEMORY_DEVICE, x, sizeof x);
    expect_refused(cuseq_encode(any, &other, NULL),
                   "input: it lies on another device (found cuda:1, needed cuda:0");
    int current = -1;
    cudaGetDevice(&current);
    cr_expect_eq(current, 1);
    expect_works(any);
    cudaGetDevice(&current);
    cr_expect_eq(current, 1);
    memory_free((void *)other.data);
    cudaSetDevice(0);
  }
  /* sessions without device memory, in a process that uses CUDA */
  static const char *const plain[] = {"cpu", "reference"};
  for (int i = 0; i < 2; i++) {
    options = options_of(model, plain[i]);
    cuseq_session *session = session_open(model, &options);
    expect_refused(cuseq_encode(session, &d_input, NULL), "input: it lies in device memory");
    expect_refused(cuseq_run(session, &input, NULL,
                             &(cuseq_decoding){.size = sizeof(cuseq_decoding), .outputs = d_outputs}),
                   "outputs: it lies in device memory");
    expect_works(session);
    cr_expect_eq(cuseq_session_synchronize(session), CUSEQ_STATUS_OK);
    cr_expect_null(cuseq_session_stream(session));
    cuseq_session_close(session);
  }
  memory_free(d_x);
  memory_free(d_outputs);
  cuseq_session_close(any);
  cuseq_session_close(host);
  cuseq_session_close(device);
  cuseq_session_close(asynchronous);
  cuseq_model_destroy(model);
}

/* ---- streams and options ---- */

Test(failures, streams_that_cannot_be_used_are_refused, .init = two_devices) {
  cuseq_model *model = model_make();
  cudaStream_t stream;
  cuseq_session_options options = options_of(model, "cuda:0");
  cr_assert_eq(cudaStreamCreate(&stream), cudaSuccess);
  cr_assert_eq(cudaStreamBeginCapture(stream, cudaStreamCaptureModeThreadLocal), cudaSuccess);
  options.stream = stream;
  expect_unopened(model, &options, CUSEQ_STATUS_INVALID_ARGUMENT, "stream: it is being captured");
  cudaGraph_t graph;
  cr_assert_eq(cudaStreamEndCapture(stream, &graph), cudaSuccess);
  cudaGraphDestroy(graph);
  cuseq_session *session = session_open(model, &options);
  expect_works(session);
  cuseq_session_close(session);
  cr_assert_eq(cudaStreamDestroy(stream), cudaSuccess);
  if (emulated()) /* a GPU's driver may take the handle of a stream that is gone for one that is not */
    expect_unopened(model, &options, CUSEQ_STATUS_INVALID_ARGUMENT, "stream: not a stream that can be used");
  int devices = 0;
  cudaGetDeviceCount(&devices);
  if (devices > 1) {
    cudaSetDevice(1);
    cr_assert_eq(cudaStreamCreate(&stream), cudaSuccess);
    options.stream = stream;
    expect_unopened(model, &options, CUSEQ_STATUS_INVALID_ARGUMENT,
                    "stream: it is of another device (found cuda:1, needed cuda:0)");
    cudaStreamDestroy(stream);
    cudaSetDevice(0);
  }
  options = options_of(model, "cpu");
  options.stream = stream;
  expect_unopened(model, &options, CUSEQ_STATUS_INVALID_ARGUMENT, "device cpu takes no stream");
  options.stream = NULL;
  options.memory = CUSEQ_MEMORY_DEVICE;
  expect_unopened(model, &options, CUSEQ_STATUS_INVALID_ARGUMENT,
                  "device cpu takes arrays in host memory only");
  options.device = "cuda";
  options.memory = (cuseq_memory)7;
  expect_unopened(model, &options, CUSEQ_STATUS_INVALID_ARGUMENT, "there is no such memory (found 7");
  options.memory = CUSEQ_MEMORY_ANY;
  options.cuda_plan = "encoder=nothing";
  expect_unopened(model, &options, CUSEQ_STATUS_INVALID_ARGUMENT, "nothing");
  options.cuda_plan = "stages";
  session = session_open(model, &options);
  expect_works(session);
  cuseq_session_close(session);
  cuseq_model_destroy(model);
  cr_expect_eq(cuseq_session_synchronize(NULL), CUSEQ_STATUS_INVALID_ARGUMENT);
  cr_expect_null(cuseq_session_stream(NULL));
}

Test(failures, sizes_beyond_the_limits_are_refused) {
  cuseq_model *model = model_make();
  cuseq_session_options options = options_of(model, "cuda");
  cuseq_session *session = session_open(model, &options);
  static const struct {
    int32_t batch, time, steps;
    const char *text;
  } wrong[] = {{0, T, Y, "batch is out of range (found 0"}, {B + 1, T, Y, "batch is out of range"},
               {-1, T, Y, "batch is out of range"},         {B, 0, Y, "time is out of range (found 0"},
               {B, T + 1, Y, "time is out of range"},       {B, T, Y + 1, "steps are out of range"},
               {B, T, -1, "steps are out of range"}};
  for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
    cuseq_input sized = input;
    sized.batch = wrong[i].batch;
    sized.time = wrong[i].time;
    expect_refused(
        cuseq_run(
            session, &sized, NULL,
            &(cuseq_decoding){.size = sizeof(cuseq_decoding), .steps = wrong[i].steps, .outputs = outputs}),
        wrong[i].text);
    expect_works(session);
  }
  cuseq_session_close(session);
  cuseq_model_destroy(model);
}

/* ---- memory ---- */

static void little_memory(void) {
  setenv("CUSEQ_EMULATOR_MEMORY", "4194304", 1);
}

/* What is said to fit fits. */
static void expect_fitting(const cuseq_model *model, int32_t batch, int32_t time, const char *format) {
  cuseq_session_options options = options_of(model, "cuda");
  cuseq_session *session;
  options.max_batch = batch;
  options.max_time = time;
  cr_assert_eq(cuseq_session_open(model, &options, &session), CUSEQ_STATUS_OUT_OF_MEMORY, "%s",
               cuseq_last_error());
  const char *told = strstr(cuseq_last_error(), "; max_batch ");
  cr_assert_not_null(told, "%s", cuseq_last_error());
  int fits = 0;
  cr_assert_eq(sscanf(told, format, &fits), 1, "%s", cuseq_last_error());
  bool is_time = strstr(format, "max_time %d") != NULL;
  options.max_batch = is_time ? 1 : fits;
  options.max_time = is_time ? fits : time;
  session = session_open(model, &options);
  cuseq_session_close(session);
  options.max_batch = is_time ? 1 : 2 * fits;
  options.max_time = is_time ? 2 * fits : time;
  cr_expect_eq(cuseq_session_open(model, &options, &session), CUSEQ_STATUS_OUT_OF_MEMORY);
}

Test(failures, out_of_memory_says_what_would_fit, .init = little_memory) {
  if (!emulated())
    cr_skip_test("this device has more memory than can be asked for here");
  cuseq_model *model = model_make();
  expect_fitting(model, 5000, 40, "; max_batch %d would fit");
  expect_fitting(model, 1000000, 40, "; max_batch %d would fit");
  expect_fitting(model, 3, 1000000, "; max_batch 1 and max_time %d would fit");
  cuseq_session_options options = options_of(model, "cuda");
  options.max_batch = options.max_time = 5000000;
  options.max_steps = 2000000000;
  expect_unopened(model, &options, CUSEQ_STATUS_OUT_OF_MEMORY, "");
  options.max_batch = options.max_time = 1;
  options.max_steps = 1000000;
  expect_unopened(model, &options, CUSEQ_STATUS_OUT_OF_MEMORY, "; max_batch 1 and max_time 1 need ");
  options = options_of(model, "cuda");
  cuseq_session *session = session_open(model, &options);
  expect_works(session);
  cuseq_session_close(session);
  cuseq_model_destroy(model);
}

/* ---- faults ---- */

static void few_steps(void) {
  setenv("CUSEQ_EMULATOR_MAX_STEPS", "10", 1);
}

/* The emulated device ends a kernel that takes too long, and with it, as on hardware, all work of the
 * process there. */
Test(failures, after_a_fault_a_session_refuses_and_others_go_on, .init = few_steps) {
  if (!emulated())
    cr_skip_test("a fault is planted by a setting of the emulated device");
  cuseq_model *model = model_make();
  cuseq_session_options options = options_of(model, "cuda");
  cuseq_session *session = session_open(model, &options), *plain;
  options.device = "cpu";
  plain = session_open(model, &options);
  cuseq_decoding wanted = {.size = sizeof(cuseq_decoding), .outputs = outputs};
  cr_expect_eq(cuseq_run(session, &input, NULL, &wanted), CUSEQ_STATUS_DEVICE_FAILED, "%s",
               cuseq_last_error());
  char first[256];
  snprintf(first, sizeof first, "%s", cuseq_last_error());
  cr_expect(strncmp(first, "cuda: ", 6) == 0, "%s", first);
  cr_expect_eq(cuseq_run(session, &input, NULL, &wanted), CUSEQ_STATUS_DEVICE_FAILED);
  cr_expect(strstr(cuseq_last_error(), "the device failed earlier: ") && strstr(cuseq_last_error(), first),
            "%s", cuseq_last_error());
  cr_expect_eq(cuseq_session_synchronize(session), CUSEQ_STATUS_DEVICE_FAILED);
  cr_expect(strstr(cuseq_last_error(), first) != NULL, "%s", cuseq_last_error());
  cr_expect_eq(cuseq_attend(session, NULL, NULL, NULL), CUSEQ_STATUS_DEVICE_FAILED);
  cuseq_session_close(session);
  expect_works(plain);
  cuseq_session_close(plain);
  options.device = "cuda";
  cr_expect_eq(cuseq_session_open(model, &options, &session), CUSEQ_STATUS_DEVICE_FAILED, "%s",
               cuseq_last_error());
  cuseq_model_destroy(model);
}

/* The same where nobody waits for the call: the first that waits tells. */
Test(failures, a_fault_of_a_call_that_did_not_wait_is_told_later, .init = few_steps) {
  if (!emulated())
    cr_skip_test("a fault is planted by a setting of the emulated device");
  cuseq_model *model = model_make();
  cuseq_session_options options = options_of(model, "cuda");
  options.asynchronous = 1;
  cuseq_session *session = session_open(model, &options);
  cr_expect_eq(cuseq_encode(session, &input, NULL), CUSEQ_STATUS_OK, "%s", cuseq_last_error());
  cr_expect_eq(cuseq_session_synchronize(session), CUSEQ_STATUS_DEVICE_FAILED, "%s", cuseq_last_error());
  cr_expect_eq(cuseq_encode(session, &input, NULL), CUSEQ_STATUS_DEVICE_FAILED, "%s", cuseq_last_error());
  cr_expect(strstr(cuseq_last_error(), "the device failed earlier: ") != NULL, "%s", cuseq_last_error());
  cuseq_session_close(session);
  cuseq_model_destroy(model);
}
