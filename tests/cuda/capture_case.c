#include "cuda/capture_case.h"

#include "support/compare.h"

#include <criterion/criterion.h>
#include <stdlib.h>

#define DECODER                                                                                              \
  "\"decoder\":{\"units\":14,\"steps\":3,\"initial_state\":\"encoder\",\"feedback\":\"output\",\"start_"     \
  "token\":0},\"output\":{\"units\":5}}"
#define ONE_LAYER                                                                                            \
  "{\"version\":1,\"encoder\":{\"features\":6,\"units\":7},\"attention\":{\"score\":\"dot\"}," DECODER
#define NETWORK                                                                                              \
  "{\"version\":1,\"encoder\":{\"features\":6,\"units\":7},\"attention\":{\"score\":\"concat\",\"layers\":[" \
  "{\"units\":10,\"activation\":\"tanh\"},{\"units\":1,\"activation\":\"relu\"}]}," DECODER
#define TWO_LAYERS                                                                                           \
  "{\"version\":1,\"encoder\":{\"features\":6,\"units\":7,\"layers\":2},\"attention\":{\"score\":"           \
  "\"general\"}," DECODER
/* Layers that attend to themselves: by inner products of two heads, by a product that is not
 * launch_attention_keys', by layered energies. */
#define SELF                                                                                                 \
  "{\"version\":2,\"input\":{\"features\":6},\"encoder\":{\"layers\":["                                      \
  "{\"cell\":{\"kind\":\"lstm\",\"units\":7},\"self_attention\":{\"score\":\"dot\",\"heads\":2,"             \
  "\"key\":{\"units\":6},\"query\":{\"units\":6},\"value\":{\"units\":4},\"beside\":true},"                  \
  "\"dense\":{\"units\":5}},"                                                                                \
  "{\"cell\":{\"kind\":\"gru\",\"units\":7},\"self_attention\":{\"score\":\"general\"}},"                    \
  "{\"cell\":{\"kind\":\"lstm\",\"units\":7},\"direction\":\"bidirectional\","                               \
  "\"self_attention\":{\"score\":\"additive\",\"units\":3}}]},"                                              \
  "\"attention\":{\"asks\":\"previous\",\"score\":\"dot\"},"                                                 \
  "\"decoder\":{\"reads\":[\"context\",\"token\"],\"feedback\":\"output\",\"start_token\":0,\"steps\":3,"    \
  "\"layers\":[{\"cell\":{\"kind\":\"lstm\",\"units\":14}}]},"                                               \
  "\"output\":{\"parts\":[\"state\"],\"layers\":[{\"units\":5,\"activation\":\"softmax\"}]}}"
const struct way ways[WAYS] = {{"one launch", NETWORK, NULL, {0}},
                               {"stages", TWO_LAYERS, "stages", {0}},
                               {"steps", TWO_LAYERS, "encoder=cell,decoder=steps", {0}},
                               {"steps with keys", NETWORK, "encoder=cell,decoder=steps", {0}},
                               {"across multiprocessors", ONE_LAYER, "encoder=grid", {0}},
                               {"self-attention", SELF, NULL, {0}}};

static const int32_t lengths_of[2][B] = {{T, 3, 1}, {2, T, 5}};

void done(cuseq_status status) {
  cr_assert_eq(status, CUSEQ_STATUS_OK, "%s", cuseq_last_error());
}

void cuda_done(cudaError_t error) {
  cr_assert_eq(error, cudaSuccess, "%s", cudaGetErrorString(error));
}

cuseq_model *model_of(const struct way *way, uint64_t seed) {
  struct random random = {seed};
  return random_model(way->model, &way->widths, &random);
}

void call_input(uint64_t n, float *x, const int32_t **lengths) {
  struct random random = {n};
  for (size_t i = 0; i < (size_t)B * T * F; i++)
    x[i] = random_between(&random, -1.0f, 1.0f);
  *lengths = lengths_of[n % 2];
}

static cuseq_input host_input(uint64_t n, float *x) {
  cuseq_input input = {
      .size = sizeof(cuseq_input), .data = x, .dtype = CUSEQ_DTYPE_F32, .batch = B, .time = T};
  call_input(n, x, &input.lengths);
  return input;
}

cudaStream_t stream_make(void) {
  cudaStream_t stream;
  cuda_done(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking));
  return stream;
}

cuseq_session_options options_of(const cuseq_model *model, const struct way *way, cudaStream_t stream) {
  cuseq_session_options options;
  cuseq_session_options_init(&options, sizeof options, model);
  options.device = "cuda";
  options.max_batch = B;
  options.max_time = T;
  options.stream = stream;
  options.cuda_plan = way->plan;
  options.capture = 1;
  return options;
}

cuseq_session *session_open(const cuseq_model *model, const struct way *way, cudaStream_t stream) {
  const cuseq_session_options options = options_of(model, way, stream);
  cuseq_session *session;
  cr_assert_eq(cuseq_session_open(model, &options, &session), CUSEQ_STATUS_OK, "%s", cuseq_last_error());
  return session;
}

void call_make(struct call *call, const cuseq_model *model) {
  float x[B * T * F];
  const cuseq_input input = host_input(1, x);
  results_make(&call->results, model, B, T, Y);
  call_memory_make(&call->device, &call->results, MEMORY_DEVICE);
  call->input = input_memory_make(&input, sizeof x, 0, MEMORY_DEVICE);
}

void call_free(struct call *call) {
  input_memory_free(&call->input);
  call_memory_free(&call->device);
  results_free(&call->results);
}

void call_feed(const struct call *call, uint64_t n) {
  float x[B * T * F];
  const int32_t *lengths;
  call_input(n, x, &lengths);
  cuda_done(cudaMemcpy((void *)call->input.data, x, sizeof x, cudaMemcpyHostToDevice));
  cuda_done(cudaMemcpy((void *)call->input.lengths, lengths, sizeof lengths_of[0], cudaMemcpyHostToDevice));
}

void call_expect(struct call *call, const cuseq_model *model, const struct way *way, uint64_t n) {
  float x[B * T * F];
  struct results want;
  const cuseq_input input = host_input(n, x);
  results_make(&want, model, B, T, Y);
  if (way->plan)
    setenv("CUSEQ_CUDA_PLAN", way->plan, 1);
  results_run(&want, model, "cuda", 0, &input);
  unsetenv("CUSEQ_CUDA_PLAN");
  call_memory_fetch(&call->device, &call->results);
  for (int32_t b = 0; b < B; b++)
    cr_expect(results_same_row(&call->results, b, &want, b), "%s: %s", way->name, results_report());
  results_free(&want);
}

void begin(cudaStream_t stream) {
  cuda_done(cudaStreamBeginCapture(stream, cudaStreamCaptureModeGlobal));
}

cudaGraphExec_t end(cudaStream_t stream) {
  cudaGraph_t graph;
  cudaGraphExec_t exec;
  cuda_done(cudaStreamEndCapture(stream, &graph));
  cuda_done(cudaGraphInstantiate(&exec, graph, 0));
  cuda_done(cudaGraphDestroy(graph));
  return exec;
}

cudaGraphExec_t capture_run(cuseq_session *session, cudaStream_t stream, const struct call *call) {
  begin(stream);
  done(cuseq_run(session, &call->input, &call->device.encoding, &call->device.decoding));
  return end(stream);
}
