/* What a session that is captured in graphs of the caller's refuses, and what it reports of a graph's
 * launch. */
#include "cuda/capture_case.h"
#include "cuda/runtime_calls.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdint.h>
#include <string.h>

Test(capture_refusals, what_a_launch_finds_in_its_inputs_is_reported) {
  cudaStream_t stream = stream_make();
  cuseq_model *model = model_of(&ways[0], 47);
  struct call call;
  const float nan = NAN;
  call_make(&call, model);
  cuseq_session *session = session_open(model, &ways[0], stream);
  cudaGraphExec_t graph = capture_run(session, stream, &call);
  call_feed(&call, 2);
  cuda_done(cudaMemcpy((float *)(uintptr_t)call.input.data + F, &nan, sizeof nan, cudaMemcpyHostToDevice));
  cuda_done(cudaGraphLaunch(graph, stream));
  cr_assert_eq(cuseq_session_synchronize(session), CUSEQ_STATUS_NON_FINITE);
  cr_expect_str_eq(cuseq_last_error(),
                   "an earlier call: input: [0,1,0] is not finite (found nan, needed finite numbers)");
  call_feed(&call, 4);
  cuda_done(cudaGraphLaunch(graph, stream));
  done(cuseq_session_synchronize(session));
  call_expect(&call, model, &ways[0], 4);
  cuda_done(cudaGraphExecDestroy(graph));
  cuseq_session_close(session);
  call_free(&call);
  cuseq_model_destroy(model);
  cuda_done(cudaStreamDestroy(stream));
}

static void expect_refused(const cuseq_model *model, const cuseq_session_options *options, const char *why) {
  cuseq_session *session;
  cr_expect_eq(cuseq_session_open(model, options, &session), CUSEQ_STATUS_INVALID_ARGUMENT);
  cr_expect_null(session);
  cr_expect_not_null(strstr(cuseq_last_error(), why), "%s (needed %s)", cuseq_last_error(), why);
}

Test(capture_refusals, what_cannot_be_captured_is_refused_at_opening) {
  cuseq_model *model = model_of(&ways[0], 48);
  cuseq_session_options options = options_of(model, &ways[0], NULL);
  options.memory = CUSEQ_MEMORY_HOST;
  expect_refused(model, &options, "capture: arrays in host memory");
  options.memory = CUSEQ_MEMORY_ANY;
  options.max_beams = 4;
  expect_refused(model, &options,
                 "capture: a beam search waits for the device (found max_beams 4, needed 1)");
  options.max_beams = 1;
  options.stream = cudaStreamLegacy;
  expect_refused(model, &options, "stream: the legacy default stream cannot be captured");
  options.stream = NULL;
  options.device = "cpu";
  expect_refused(model, &options, "capture: device cpu has no graphs");
  options.device = "reference";
  expect_refused(model, &options, "capture: device reference has no graphs");
  cuseq_model_destroy(model);
}

static void expect_invalid(cuseq_status status, const char *why) {
  cr_expect_eq(status, CUSEQ_STATUS_INVALID_ARGUMENT);
  cr_expect_not_null(strstr(cuseq_last_error(), why), "%s (needed %s)", cuseq_last_error(), why);
}

/* And the capture goes on. */
Test(capture_refusals, what_a_captured_stream_does_not_allow_is_refused_by_the_call) {
  cudaStream_t stream = stream_make();
  cuseq_model *model = model_of(&ways[0], 49);
  struct call call;
  float x[B * T * F];
  cuseq_beam beam;
  call_make(&call, model);
  cuseq_session *session = session_open(model, &ways[0], stream), *plain;
  cuseq_session_options options = options_of(model, &ways[0], stream);
  options.capture = 0;
  options.memory = CUSEQ_MEMORY_DEVICE;
  options.asynchronous = 1;
  done(cuseq_session_open(model, &options, &plain));
  cuseq_input host = call.input;
  host.data = x;
  call_input(1, x, &host.lengths);
  cuseq_beam_init(&beam, sizeof beam);
  beam.tokens = call.device.decoding.tokens;
  begin(stream);
  done(cuseq_encode(session, &call.input, NULL));
  expect_invalid(cuseq_beam_search(session, &beam), "it waits for the device");
  expect_invalid(cuseq_encode(session, &host, NULL), "it lies in host memory");
  expect_invalid(cuseq_run(plain, &call.input, NULL, &call.device.decoding),
                 "cuseq_run: the stream is being captured (needed a session opened with the option capture)");
  expect_invalid(cuseq_session_synchronize(session), "captured work cannot be waited for");
  expect_invalid(cuseq_session_synchronize(plain), "the stream is being captured");
  done(cuseq_run(session, &call.input, &call.device.encoding, &call.device.decoding));
  cudaGraphExec_t graph = end(stream);
  call_feed(&call, 6);
  cuda_done(cudaGraphLaunch(graph, stream));
  done(cuseq_session_synchronize(session));
  call_expect(&call, model, &ways[0], 6);
  cuda_done(cudaGraphExecDestroy(graph));
  cuseq_session_close(session);
  cuseq_session_close(plain);
  call_free(&call);
  cuseq_model_destroy(model);
  cuda_done(cudaStreamDestroy(stream));
}

/* Dense rows are refused when they are queued, where the model has an embedding; the ids after them are
 * captured. */
Test(capture_refusals, a_call_that_fails_waits_for_nothing_and_the_capture_goes_on) {
  static const struct way way = {.name = "an embedding"};
  cudaStream_t stream = stream_make();
  cuseq_model *model;
  void *d_x;
  done(cuseq_model_load("tests/golden/models/structure_embedding.safetensors", &model));
  const size_t features = (size_t)cuseq_model_config(model)->features;
  cuda_done(cudaMalloc(&d_x, B * T * features * sizeof(float)));
  cuda_done(cudaMemset(d_x, 0, B * T * features * sizeof(float)));
  cuseq_session *session = session_open(model, &way, stream);
  cuseq_input input = {.size = sizeof input, .data = d_x, .dtype = CUSEQ_DTYPE_F32, .batch = B, .time = T};
  begin(stream);
  runtime_calls_take();
  expect_invalid(cuseq_encode(session, &input, NULL), "input: dense rows that only the device can look at");
  cr_expect_eq(runtime_calls_take().waits, 0);
  input.dtype = CUSEQ_DTYPE_I32;
  done(cuseq_encode(session, &input, NULL));
  cudaGraphExec_t graph = end(stream);
  cuda_done(cudaGraphLaunch(graph, stream));
  done(cuseq_session_synchronize(session));
  cuda_done(cudaGraphExecDestroy(graph));
  cuseq_session_close(session);
  cuseq_model_destroy(model);
  cuda_done(cudaFree(d_x));
  cuda_done(cudaStreamDestroy(stream));
}
