#include "per_step.h"

#include "device_call.h"
#include "per_step_kernels.h"

#include <cublas_v2.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_ALLOCATIONS = 48, MOST_LAYERS = 2 };

struct per_step {
  struct workload workload;
  int32_t A, S, Y; /* S: of the state that attends */
  cudaStream_t stream;
  cublasHandle_t blas;
  cudaGraphExec_t graph;
  void *allocations[MOST_ALLOCATIONS];
  int allocated;
  /* weights */
  struct cell_weights {
    float *kernel, *recurrent, *bias;
  } encoder[MOST_LAYERS][2], decoder;
  float *attention_kernel[2], *attention_bias[2];
  float *output_kernel, *output_bias;
  /* input */
  float *x;
  int32_t *ids, *lengths;
  /* between */
  float *first;        /* [B,T,A] of the first of two layers */
  float *projected[2]; /* [B,T,4H] */
  float *z;            /* [B,4H] or [B,4S] */
  float *h[2], *c[2];  /* [B,H] */
  float *state, *cell; /* [B,S] */
  float *concat;       /* [B,T,A+S] */
  float *hidden;       /* [B,T,keys] */
  float *energies;     /* [B,T] */
  float *logits;       /* [B,V] */
  struct answers d;    /* all of them in device memory; annotations always */
};

static bool allocate(struct per_step *p, void *pointer, size_t bytes) {
  void *memory;
  DEVICE_CALL(cudaMalloc(&memory, bytes));
  p->allocations[p->allocated++] = memory;
  memcpy(pointer, &memory, sizeof memory);
  return true;
}

static bool allocate_floats(struct per_step *p, float **pointer, size_t count) {
  return allocate(p, pointer, count * sizeof **pointer);
}

static bool upload(struct per_step *p, const cuseq_model *model, const char *name, float **pointer) {
  cuseq_tensor tensor;
  for (size_t i = 0; cuseq_model_tensor(model, i, &tensor) == CUSEQ_STATUS_OK; i++) {
    if (strcmp(tensor.name, name) != 0)
      continue;
    size_t count = 1;
    for (int32_t axis = 0; axis < tensor.rank; axis++)
      count *= (size_t)tensor.shape[axis];
    if (!allocate_floats(p, pointer, count))
      return false;
    DEVICE_CALL(cudaMemcpy(*pointer, tensor.data, count * sizeof **pointer, cudaMemcpyHostToDevice));
    return true;
  }
  fprintf(stderr, "bench: the model has no %s\n", name);
  return false;
}

static bool upload_cell(struct per_step *p, const cuseq_model *model, int32_t layer, int32_t direction) {
  struct cell_weights *weights = &p->encoder[layer][direction];
  char kernel[MOST_TENSOR_NAME], recurrent[MOST_TENSOR_NAME], bias[MOST_TENSOR_NAME];
  workload_tensor(kernel, layer, direction, "kernel");
  workload_tensor(recurrent, layer, direction, "recurrent_kernel");
  workload_tensor(bias, layer, direction, "bias");
  return upload(p, model, kernel, &weights->kernel) && upload(p, model, recurrent, &weights->recurrent) &&
         upload(p, model, bias, &weights->bias);
}

static bool upload_weights(struct per_step *p, const cuseq_model *m) {
  const struct workload *w = &p->workload;
  bool done = true;
  for (int32_t l = 0; l < workload_layers(w) && done; l++)
    for (int32_t d = 0; d < workload_directions(w) && done; d++)
      done = upload_cell(p, m, l, d);
  done = done && upload(p, m, "attention.layers.0.kernel", &p->attention_kernel[0]) &&
         upload(p, m, "attention.layers.0.bias", &p->attention_bias[0]);
  if (done && w->keys > 1)
    done = upload(p, m, "attention.layers.1.kernel", &p->attention_kernel[1]) &&
           upload(p, m, "attention.layers.1.bias", &p->attention_bias[1]);
  if (done && w->S > 0)
    done = upload(p, m, "decoder.kernel", &p->decoder.kernel) &&
           upload(p, m, "decoder.recurrent_kernel", &p->decoder.recurrent) &&
           upload(p, m, "decoder.bias", &p->decoder.bias) &&
           upload(p, m, "output.kernel", &p->output_kernel) && upload(p, m, "output.bias", &p->output_bias);
  return done;
}

static bool allocate_arrays(struct per_step *p) {
  const struct workload *w = &p->workload;
  const size_t B = (size_t)w->B, T = (size_t)w->T, H = (size_t)w->H, A = (size_t)p->A, S = (size_t)p->S;
  const size_t Y = (size_t)p->Y, V = (size_t)w->V, widest = S > H ? S : H;
  bool done = allocate_floats(p, &p->z, B * 4 * widest) && allocate_floats(p, &p->d.annotations, B * T * A);
  if (done)
    done = w->ids ? allocate(p, &p->ids, B * T * sizeof *p->ids)
                  : allocate_floats(p, &p->x, B * T * (size_t)w->F);
  if (done && workload_layers(w) > 1)
    done = allocate_floats(p, &p->first, B * T * A);
  if (done && workload_has_lengths(w))
    done = allocate(p, &p->lengths, B * sizeof *p->lengths);
  for (int d = 0; d < workload_directions(w) && done; d++)
    done = allocate_floats(p, &p->h[d], B * H) && allocate_floats(p, &p->c[d], B * H) &&
           (w->ids || allocate_floats(p, &p->projected[d], B * T * 4 * H));
  if (done && !w->encodes_only)
    done = allocate_floats(p, &p->state, B * S) && allocate_floats(p, &p->cell, B * S) &&
           allocate_floats(p, &p->concat, B * T * (A + S)) &&
           allocate_floats(p, &p->hidden, B * T * (size_t)w->keys) &&
           allocate_floats(p, &p->energies, B * T) && allocate_floats(p, &p->d.contexts, B * Y * A) &&
           allocate_floats(p, &p->d.alphas, B * Y * T);
  if (done && w->S > 0)
    done = allocate_floats(p, &p->logits, B * V) && allocate_floats(p, &p->d.outputs, B * Y * V) &&
           allocate(p, &p->d.tokens, B * Y * sizeof *p->d.tokens);
  return done;
}

static bool open_parts(struct per_step *p, const struct instance *instance) {
  BLAS_CALL(cublasCreate(&p->blas));
  BLAS_CALL(cublasSetStream(p->blas, p->stream));
  return upload_weights(p, instance->model) && allocate_arrays(p);
}

struct per_step *per_step_open(const struct instance *instance, cudaStream_t stream) {
  struct per_step *p = calloc(1, sizeof *p);
  if (!p) {
    fprintf(stderr, "bench: out of memory\n");
    return NULL;
  }
  const struct workload *w = &instance->workload;
  p->workload = *w;
  p->A = workload_annotations(w);
  p->S = w->S > 0 ? w->S : p->A;
  p->Y = workload_steps(w);
  p->stream = stream;
  if (open_parts(p, instance))
    return p;
  per_step_close(p);
  return NULL;
}

void per_step_close(struct per_step *p) {
  if (!p)
    return;
  if (p->graph)
    cudaGraphExecDestroy(p->graph);
  if (p->blas)
    cublasDestroy(p->blas);
  for (int i = 0; i < p->allocated; i++)
    cudaFree(p->allocations[i]);
  free(p);
}

bool per_step_input(struct per_step *p, const struct instance *instance) {
  const struct workload *w = &p->workload;
  const size_t positions = (size_t)w->B * (size_t)w->T;
  const void *data = w->ids ? (const void *)instance->ids : (const void *)instance->x;
  DEVICE_CALL(cudaMemcpyAsync(w->ids ? (void *)p->ids : (void *)p->x, data,
                              positions * (w->ids ? sizeof *p->ids : sizeof *p->x * (size_t)w->F),
                              cudaMemcpyHostToDevice, p->stream));
  if (workload_has_lengths(w))
    DEVICE_CALL(cudaMemcpyAsync(p->lengths, instance->lengths, (size_t)w->B * sizeof *p->lengths,
                                cudaMemcpyHostToDevice, p->stream));
  return true;
}

static bool answer(struct per_step *p, void *host, const void *device, size_t count) {
  if (host)
    DEVICE_CALL(cudaMemcpyAsync(host, device, count * 4, cudaMemcpyDeviceToHost, p->stream));
  return true;
}

bool per_step_answers(struct per_step *p, const struct answers *answers) {
  const size_t B = (size_t)p->workload.B, T = (size_t)p->workload.T, A = (size_t)p->A, Y = (size_t)p->Y;
  return answer(p, answers->annotations, p->d.annotations, B * T * A) &&
         answer(p, answers->contexts, p->d.contexts, B * Y * A) &&
         answer(p, answers->alphas, p->d.alphas, B * Y * T) &&
         answer(p, answers->outputs, p->d.outputs, B * Y * (size_t)p->workload.V) &&
         answer(p, answers->tokens, p->d.tokens, B * Y);
}

/* c [m,n] = a [m,k] (rows a_stride apart) x b [k,n] + beta c, row-major: cuBLAS's column-major c' = b' a'. */
static bool multiply(struct per_step *p, const float *a, int a_stride, const float *b, float *c, int m, int n,
                     int k, float beta) {
  const float one = 1.0f;
  BLAS_CALL(cublasSgemm(p->blas, CUBLAS_OP_N, CUBLAS_OP_N, n, m, k, &one, b, n, a, a_stride, &beta, c, n));
  return true;
}

static bool zero(struct per_step *p, float *d_x, int32_t units) {
  DEVICE_CALL(cudaMemsetAsync(d_x, 0, (size_t)p->workload.B * (size_t)units * sizeof *d_x, p->stream));
  return true;
}

/* A layer's, from `ids` of the first layer or from the projected input to `output`. */
static bool encode_step(struct per_step *p, int32_t layer, int d, int32_t t, float *output) {
  const struct workload *w = &p->workload;
  const struct cell_weights *weights = &p->encoder[layer][d];
  const bool ids = w->ids && layer == 0;
  const int32_t B = w->B, T = w->T, H = w->H;
  if (!multiply(p, p->h[d], H, weights->recurrent, p->z, B, 4 * H, H, 0.0f))
    return false;
  const struct per_step_cell cell = {
      .batch = B,
      .units = H,
      .d_z = p->z,
      .d_projected = ids ? NULL : p->projected[d] + (int64_t)t * 4 * H,
      .projected_stride = (int64_t)T * 4 * H,
      .d_ids = ids ? p->ids + t : NULL,
      .ids_stride = T,
      .d_kernel = weights->kernel,
      .d_bias = weights->bias,
      .d_lengths = p->lengths,
      .position = t,
      .d_h = p->h[d],
      .d_c = p->c[d],
      .d_output = output + (int64_t)t * p->A + (int64_t)d * H,
      .output_stride = (int64_t)T * p->A,
  };
  per_step_cell(&cell, p->stream);
  DEVICE_CALL(cudaGetLastError());
  return true;
}

static bool encode_layer(struct per_step *p, int32_t layer) {
  const struct workload *w = &p->workload;
  const float *input = layer == 0 ? p->x : p->first;
  const int32_t width = layer == 0 ? w->F : p->A;
  float *output = layer + 1 < workload_layers(w) ? p->first : p->d.annotations;
  for (int d = 0; d < workload_directions(w); d++) {
    if (!zero(p, p->h[d], w->H) || !zero(p, p->c[d], w->H))
      return false;
    if ((!w->ids || layer > 0) && !multiply(p, input, width, p->encoder[layer][d].kernel, p->projected[d],
                                            w->B * w->T, 4 * w->H, width, 0.0f))
      return false;
    for (int32_t step = 0; step < w->T; step++)
      if (!encode_step(p, layer, d, d == 0 ? step : w->T - 1 - step, output))
        return false;
  }
  return true;
}

static bool encode(struct per_step *p) {
  for (int32_t layer = 0; layer < workload_layers(&p->workload); layer++)
    if (!encode_layer(p, layer))
      return false;
  return true;
}

static bool attend(struct per_step *p, int32_t y) {
  const struct workload *w = &p->workload;
  const int32_t B = w->B, T = w->T, A = p->A, S = p->S, u = w->keys;
  float *hidden = u > 1 ? p->hidden : p->energies;
  per_step_concat(p->d.annotations, p->state, p->concat, B, T, A, S, p->stream);
  if (!multiply(p, p->concat, A + S, p->attention_kernel[0], hidden, B * T, u, A + S, 0.0f))
    return false;
  per_step_bias(hidden, p->attention_bias[0], (int64_t)B * T, u, 0, p->stream);
  if (u > 1) {
    if (!multiply(p, hidden, u, p->attention_kernel[1], p->energies, B * T, 1, u, 0.0f))
      return false;
    per_step_bias(p->energies, p->attention_bias[1], (int64_t)B * T, 1, 1, p->stream);
  }
  float *alphas = p->d.alphas + (int64_t)y * T, *context = p->d.contexts + (int64_t)y * A;
  const struct per_step_softmax softmax = {.batch = B,
                                           .width = T,
                                           .d_x = p->energies,
                                           .d_lengths = p->lengths,
                                           .d_output = alphas,
                                           .output_stride = (int64_t)p->Y * T};
  per_step_softmax(&softmax, p->stream);
  DEVICE_CALL(cudaGetLastError());
  const float one = 1.0f, none = 0.0f;
  BLAS_CALL(cublasSgemmStridedBatched(p->blas, CUBLAS_OP_N, CUBLAS_OP_N, A, 1, T, &one, p->d.annotations, A,
                                      (long long)T * A, alphas, T, (long long)p->Y * T, &none, context, A,
                                      (long long)p->Y * A, B));
  return true;
}

static bool decode_step(struct per_step *p, int32_t y) {
  const struct workload *w = &p->workload;
  const int32_t B = w->B, A = p->A, S = p->S, V = w->V;
  const float *context = p->d.contexts + (int64_t)y * A;
  if (!multiply(p, context, p->Y * A, p->decoder.kernel, p->z, B, 4 * S, A, 0.0f) ||
      !multiply(p, p->state, S, p->decoder.recurrent, p->z, B, 4 * S, S, 1.0f))
    return false;
  const struct per_step_cell cell = {
      .batch = B, .units = S, .d_z = p->z, .d_bias = p->decoder.bias, .d_h = p->state, .d_c = p->cell};
  per_step_cell(&cell, p->stream);
  if (!multiply(p, p->state, S, p->output_kernel, p->logits, B, V, S, 0.0f))
    return false;
  const struct per_step_softmax softmax = {.batch = B,
                                           .width = V,
                                           .d_x = p->logits,
                                           .d_bias = p->output_bias,
                                           .d_output = p->d.outputs + (int64_t)y * V,
                                           .output_stride = (int64_t)p->Y * V,
                                           .d_tokens = p->d.tokens + y,
                                           .tokens_stride = p->Y};
  per_step_softmax(&softmax, p->stream);
  DEVICE_CALL(cudaGetLastError());
  return true;
}

bool per_step_run(struct per_step *p) {
  const struct workload *w = &p->workload;
  if (!encode(p))
    return false;
  if (w->encodes_only)
    return true;
  if (w->S > 0 && (!zero(p, p->state, p->S) || !zero(p, p->cell, p->S)))
    return false;
  if (w->S == 0) /* the encoder's final states attend */
    per_step_concat(p->h[0], p->h[1], p->state, w->B, 1, w->H, w->H, p->stream);
  for (int32_t y = 0; y < p->Y; y++)
    if (!attend(p, y) || (w->S > 0 && !decode_step(p, y)))
      return false;
  return true;
}

bool per_step_capture(struct per_step *p) {
  cudaGraph_t graph = NULL;
  DEVICE_CALL(cudaStreamBeginCapture(p->stream, cudaStreamCaptureModeThreadLocal));
  const bool queued = per_step_run(p);
  const cudaError_t ended = cudaStreamEndCapture(p->stream, &graph);
  cudaError_t made = ended;
  if (queued && ended == cudaSuccess)
    made = cudaGraphInstantiate(&p->graph, graph, 0);
  if (graph)
    cudaGraphDestroy(graph);
  DEVICE_CALL(made);
  return queued;
}

bool per_step_run_graph(struct per_step *p) {
  DEVICE_CALL(cudaGraphLaunch(p->graph, p->stream));
  return true;
}
