#include "cudnn_net.h"

#include <stdlib.h>
#include <string.h>

#define TRY(call)                                                                                            \
  do {                                                                                                       \
    const cudnnStatus_t try_status = (call);                                                                 \
    if (try_status != CUDNN_STATUS_SUCCESS)                                                                  \
      return try_status;                                                                                     \
  } while (0)

#define TRY_CUDA(call)                                                                                       \
  do {                                                                                                       \
    if ((call) != cudaSuccess)                                                                               \
      return CUDNN_STATUS_ALLOC_FAILED;                                                                      \
  } while (0)

/* The persistent algorithms want both biases of a gate (with one, cuDNN 9.19 refuses them): the second is
 * 0. */
static cudnnStatus_t describe(struct cudnn_net *net, const struct workload *w,
                              const struct cudnn_layout *layout, cudnnRNNAlgo_t algorithm) {
  const struct cudnn_library *l = net->library;
  const cudnnRNNDataLayout_t order =
      layout->is_packed ? CUDNN_RNN_DATA_LAYOUT_SEQ_MAJOR_PACKED : CUDNN_RNN_DATA_LAYOUT_SEQ_MAJOR_UNPACKED;
  const int states = workload_layers(w) * workload_directions(w), A = workload_annotations(w);
  const int dimensions[] = {states, w->B, w->H}, strides[] = {w->B * w->H, w->H, 1};
  float padding = 0.0f;
  int32_t *lengths = malloc((size_t)w->B * sizeof *lengths);
  if (!lengths)
    return CUDNN_STATUS_ALLOC_FAILED;
  for (int32_t place = 0; place < w->B; place++)
    lengths[place] = layout->lengths[layout->order[place]];
  cudnnStatus_t status = l->cudnnSetRNNDescriptor_v8(
      net->rnn, algorithm, CUDNN_LSTM, CUDNN_RNN_DOUBLE_BIAS,
      w->forward ? CUDNN_UNIDIRECTIONAL : CUDNN_BIDIRECTIONAL, CUDNN_LINEAR_INPUT, CUDNN_DATA_FLOAT,
      CUDNN_DATA_FLOAT, CUDNN_FMA_MATH, w->F, w->H, w->H, workload_layers(w), NULL,
      layout->is_packed ? CUDNN_RNN_PADDED_IO_DISABLED : CUDNN_RNN_PADDED_IO_ENABLED);
  if (status == CUDNN_STATUS_SUCCESS)
    status = l->cudnnSetRNNDataDescriptor(net->x_descriptor, CUDNN_DATA_FLOAT, order, w->T, w->B, w->F,
                                          lengths, &padding);
  if (status == CUDNN_STATUS_SUCCESS)
    status = l->cudnnSetRNNDataDescriptor(net->y_descriptor, CUDNN_DATA_FLOAT, order, w->T, w->B, A, lengths,
                                          &padding);
  if (status == CUDNN_STATUS_SUCCESS)
    status = l->cudnnSetTensorNdDescriptor(net->state_descriptor, CUDNN_DATA_FLOAT, 3, dimensions, strides);
  if (status == CUDNN_STATUS_SUCCESS &&
      (cudaMalloc((void **)&net->d_lengths, (size_t)w->B * sizeof *lengths) != cudaSuccess ||
       cudaMemcpy(net->d_lengths, lengths, (size_t)w->B * sizeof *lengths, cudaMemcpyHostToDevice) !=
           cudaSuccess))
    status = CUDNN_STATUS_ALLOC_FAILED;
  free(lengths);
  return status;
}

/* One gate's matrix [H,inputs] from kernel [inputs,4H], and its bias, into the host's copy of the weight
 * space. cuDNN counts the gates i, f, c, o as 0 to 3 for x and as 4 to 7 for h, and the directions of all
 * layers one after the other. */
static cudnnStatus_t pack_gate(const struct cudnn_net *net, char *weights, int32_t layer, int32_t gate,
                               const float *kernel, const float *bias, int32_t inputs, int32_t H) {
  const struct cudnn_library *l = net->library;
  cudnnTensorDescriptor_t matrix_descriptor, bias_descriptor = NULL;
  void *d_matrix = NULL, *d_bias = NULL;
  TRY(l->cudnnCreateTensorDescriptor(&matrix_descriptor));
  cudnnStatus_t status = l->cudnnCreateTensorDescriptor(&bias_descriptor);
  if (status == CUDNN_STATUS_SUCCESS)
    status = l->cudnnGetRNNWeightParams(net->handle, net->rnn, layer, net->weight_bytes, net->d_weights, gate,
                                        matrix_descriptor, &d_matrix, bias_descriptor, &d_bias);
  cudnnDataType_t type;
  int count, dimensions[3] = {0}, strides[3];
  if (status == CUDNN_STATUS_SUCCESS)
    status = l->cudnnGetTensorNdDescriptor(matrix_descriptor, 3, &type, &count, dimensions, strides);
  if (status == CUDNN_STATUS_SUCCESS &&
      (!d_matrix || !d_bias || dimensions[0] != 1 || dimensions[1] != H || dimensions[2] != inputs))
    status = CUDNN_STATUS_BAD_PARAM;
  if (status == CUDNN_STATUS_SUCCESS) {
    float *matrix = (float *)(void *)(weights + ((char *)d_matrix - (char *)net->d_weights));
    for (int32_t unit = 0; unit < H; unit++)
      for (int32_t k = 0; k < inputs; k++)
        matrix[(int64_t)unit * inputs + k] = kernel[(int64_t)k * 4 * H + gate % 4 * H + unit];
    if (bias)
      memcpy(weights + ((char *)d_bias - (char *)net->d_weights), bias + gate * H, (size_t)H * sizeof *bias);
  }
  l->cudnnDestroyTensorDescriptor(matrix_descriptor);
  l->cudnnDestroyTensorDescriptor(bias_descriptor);
  return status;
}

static const float *tensor_of(const cuseq_model *model, int32_t layer, int32_t direction, const char *part) {
  char name[MOST_TENSOR_NAME];
  workload_tensor(name, layer, direction, part);
  return model_tensor(model, name);
}

/* The eight gates of a direction of a layer. */
static cudnnStatus_t pack_direction(const struct cudnn_net *net, char *weights,
                                    const struct instance *instance, int32_t layer, int32_t direction) {
  const struct workload *w = &instance->workload;
  const float *kernel = tensor_of(instance->model, layer, direction, "kernel");
  const float *recurrent = tensor_of(instance->model, layer, direction, "recurrent_kernel");
  const float *bias = tensor_of(instance->model, layer, direction, "bias");
  const int32_t place = layer * workload_directions(w) + direction,
                inputs = layer == 0 ? w->F : workload_annotations(w);
  for (int32_t gate = 0; gate < 4; gate++) {
    TRY(pack_gate(net, weights, place, gate, kernel, bias, inputs, w->H));
    TRY(pack_gate(net, weights, place, gate + 4, recurrent, NULL, w->H, w->H));
  }
  return CUDNN_STATUS_SUCCESS;
}

static cudnnStatus_t upload(struct cudnn_net *net, const struct instance *instance) {
  const struct workload *w = &instance->workload;
  TRY(net->library->cudnnGetRNNWeightSpaceSize(net->handle, net->rnn, &net->weight_bytes));
  TRY_CUDA(cudaMalloc(&net->d_weights, net->weight_bytes));
  char *weights = calloc(1, net->weight_bytes);
  if (!weights)
    return CUDNN_STATUS_ALLOC_FAILED;
  cudnnStatus_t status = CUDNN_STATUS_SUCCESS;
  for (int32_t l = 0; l < workload_layers(w); l++)
    for (int32_t d = 0; d < workload_directions(w) && status == CUDNN_STATUS_SUCCESS; d++)
      status = pack_direction(net, weights, instance, l, d);
  if (status == CUDNN_STATUS_SUCCESS &&
      cudaMemcpy(net->d_weights, weights, net->weight_bytes, cudaMemcpyHostToDevice) != cudaSuccess)
    status = CUDNN_STATUS_ALLOC_FAILED;
  free(weights);
  return status;
}

cudnnStatus_t cudnn_net_open(struct cudnn_net *net, const struct cudnn_library *library, cudnnHandle_t handle,
                             const struct instance *instance, const struct cudnn_layout *layout,
                             cudnnRNNAlgo_t algorithm) {
  *net = (struct cudnn_net){.library = library, .handle = handle};
  TRY(library->cudnnCreateRNNDescriptor(&net->rnn));
  TRY(library->cudnnCreateRNNDataDescriptor(&net->x_descriptor));
  TRY(library->cudnnCreateRNNDataDescriptor(&net->y_descriptor));
  TRY(library->cudnnCreateTensorDescriptor(&net->state_descriptor));
  TRY(describe(net, &instance->workload, layout, algorithm));
  if (algorithm == CUDNN_RNN_ALGO_PERSIST_DYNAMIC)
    TRY(library->cudnnBuildRNNDynamic(handle, net->rnn, instance->workload.B));
  TRY(upload(net, instance));
  size_t reserve;
  TRY(library->cudnnGetRNNTempSpaceSizes(handle, net->rnn, CUDNN_FWD_MODE_INFERENCE, net->x_descriptor,
                                         &net->workspace_bytes, &reserve));
  if (net->workspace_bytes > 0)
    TRY_CUDA(cudaMalloc(&net->d_workspace, net->workspace_bytes));
  return CUDNN_STATUS_SUCCESS;
}

void cudnn_net_close(struct cudnn_net *net) {
  if (net->rnn)
    net->library->cudnnDestroyRNNDescriptor(net->rnn);
  if (net->x_descriptor)
    net->library->cudnnDestroyRNNDataDescriptor(net->x_descriptor);
  if (net->y_descriptor)
    net->library->cudnnDestroyRNNDataDescriptor(net->y_descriptor);
  if (net->state_descriptor)
    net->library->cudnnDestroyTensorDescriptor(net->state_descriptor);
  cudaFree(net->d_weights);
  cudaFree(net->d_workspace);
  cudaFree(net->d_lengths);
  *net = (struct cudnn_net){0};
}

cudnnStatus_t cudnn_net_run(const struct cudnn_net *net, const float *d_x, float *d_y) {
  return net->library->cudnnRNNForward(net->handle, net->rnn, CUDNN_FWD_MODE_INFERENCE, net->d_lengths,
                                       net->x_descriptor, d_x, net->y_descriptor, d_y, net->state_descriptor,
                                       NULL, NULL, net->state_descriptor, NULL, NULL, net->weight_bytes,
                                       net->d_weights, net->workspace_bytes, net->d_workspace, 0, NULL);
}
