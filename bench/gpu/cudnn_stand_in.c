/* Stands in for libcudnn.so.9 in tests, where there is no GPU: the calls that the benchmark makes, layers of
 * LSTMs computed on the host, in an arrangement of weights of its own. Like cuDNN 9.19 it refuses packed rows
 * that are not sorted and persistent algorithms with a single bias; beyond that, PERSIST_STATIC above H 16
 * and PERSIST_DYNAMIC on packed rows, so that refusals at different calls are met. */
#include <cuda_runtime_api.h>
#include <cudnn.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

struct cudnnContext {
  cudaStream_t stream;
};
struct cudnnRNNStruct {
  cudnnRNNAlgo_t algorithm;
  int32_t F, H, layers, directions;
  int is_built;
};
struct cudnnRNNDataStruct {
  cudnnRNNDataLayout_t layout;
  int T, B, width;
  int *lengths;
};
struct cudnnTensorStruct {
  int dimensions[3];
};

size_t cudnnGetVersion(void) {
  return 90000;
}

const char *cudnnGetErrorString(cudnnStatus_t status) {
  return status == CUDNN_STATUS_NOT_SUPPORTED ? "not supported" : "another failure";
}

#define LIFE(type, handle)                                                                                   \
  cudnnStatus_t cudnnCreate##type(handle *made) {                                                            \
    *made = calloc(1, sizeof **made);                                                                        \
    return *made ? CUDNN_STATUS_SUCCESS : CUDNN_STATUS_ALLOC_FAILED;                                         \
  }
LIFE(, cudnnHandle_t)
LIFE(RNNDescriptor, cudnnRNNDescriptor_t)
LIFE(RNNDataDescriptor, cudnnRNNDataDescriptor_t)
LIFE(TensorDescriptor, cudnnTensorDescriptor_t)

cudnnStatus_t cudnnDestroy(cudnnHandle_t handle) {
  free(handle);
  return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnDestroyRNNDescriptor(cudnnRNNDescriptor_t descriptor) {
  free(descriptor);
  return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnDestroyRNNDataDescriptor(cudnnRNNDataDescriptor_t descriptor) {
  free(descriptor->lengths);
  free(descriptor);
  return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnDestroyTensorDescriptor(cudnnTensorDescriptor_t descriptor) {
  free(descriptor);
  return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnSetStream(cudnnHandle_t handle, cudaStream_t stream) {
  handle->stream = stream;
  return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnSetRNNDescriptor_v8(cudnnRNNDescriptor_t rnn, cudnnRNNAlgo_t algorithm,
                                       cudnnRNNMode_t mode, cudnnRNNBiasMode_t bias,
                                       cudnnDirectionMode_t direction, cudnnRNNInputMode_t input,
                                       cudnnDataType_t type, cudnnDataType_t precision, cudnnMathType_t math,
                                       int32_t inputs, int32_t units, int32_t projected, int32_t layers,
                                       cudnnDropoutDescriptor_t dropout, uint32_t flags) {
  (void)flags;
  if (mode != CUDNN_LSTM || input != CUDNN_LINEAR_INPUT || dropout || type != CUDNN_DATA_FLOAT ||
      precision != CUDNN_DATA_FLOAT || math != CUDNN_FMA_MATH || projected != units || layers < 1)
    return CUDNN_STATUS_BAD_PARAM;
  if (algorithm != CUDNN_RNN_ALGO_STANDARD && bias != CUDNN_RNN_DOUBLE_BIAS)
    return CUDNN_STATUS_NOT_SUPPORTED;
  if (algorithm == CUDNN_RNN_ALGO_PERSIST_STATIC && units > 16)
    return CUDNN_STATUS_NOT_SUPPORTED;
  *rnn = (struct cudnnRNNStruct){.algorithm = algorithm, .F = inputs, .H = units, .layers = layers};
  rnn->directions = direction == CUDNN_BIDIRECTIONAL ? 2 : 1;
  return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnSetRNNDataDescriptor(cudnnRNNDataDescriptor_t data, cudnnDataType_t type,
                                        cudnnRNNDataLayout_t layout, int T, int B, int width,
                                        const int *lengths, void *padding) {
  (void)padding;
  for (int b = 0; b < B; b++)
    if (lengths[b] < 1 || lengths[b] > T ||
        (layout == CUDNN_RNN_DATA_LAYOUT_SEQ_MAJOR_PACKED && b > 0 && lengths[b] > lengths[b - 1]))
      return CUDNN_STATUS_BAD_PARAM;
  *data = (struct cudnnRNNDataStruct){layout, T, B, width, malloc((size_t)B * sizeof *lengths)};
  if (type != CUDNN_DATA_FLOAT || !data->lengths)
    return CUDNN_STATUS_BAD_PARAM;
  memcpy(data->lengths, lengths, (size_t)B * sizeof *lengths);
  return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnSetTensorNdDescriptor(cudnnTensorDescriptor_t tensor, cudnnDataType_t type, int count,
                                         const int *dimensions, const int *strides) {
  (void)strides;
  if (type != CUDNN_DATA_FLOAT || count != 3)
    return CUDNN_STATUS_BAD_PARAM;
  memcpy(tensor->dimensions, dimensions, sizeof tensor->dimensions);
  return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnGetTensorNdDescriptor(const cudnnTensorDescriptor_t tensor, int wanted,
                                         cudnnDataType_t *type, int *count, int *dimensions, int *strides) {
  if (wanted != 3)
    return CUDNN_STATUS_BAD_PARAM;
  *type = CUDNN_DATA_FLOAT;
  *count = 3;
  memcpy(dimensions, tensor->dimensions, sizeof tensor->dimensions);
  for (int i = 2, stride = 1; i >= 0; stride *= tensor->dimensions[i--])
    strides[i] = stride;
  return CUDNN_STATUS_SUCCESS;
}

/* What a direction reads; those of all layers are numbered one after the other. */
static int inputs_of(const struct cudnnRNNStruct *rnn, int direction) {
  return direction < rnn->directions ? rnn->F : rnn->directions * rnn->H;
}

/* Floats before a direction. Each has eight biases, then the gates' matrices of x, then those of h. */
static size_t floats_before(const struct cudnnRNNStruct *rnn, int direction) {
  size_t floats = 0;
  for (int d = 0; d < direction; d++)
    floats += (size_t)4 * (size_t)rnn->H * (size_t)(2 + inputs_of(rnn, d) + rnn->H);
  return floats;
}

static size_t matrix_at(const struct cudnnRNNStruct *rnn, int direction, int gate) {
  const size_t H = (size_t)rnn->H, F = (size_t)inputs_of(rnn, direction);
  return floats_before(rnn, direction) + 8 * H +
         (gate < 4 ? (size_t)gate * H * F : 4 * H * F + (size_t)(gate - 4) * H * H);
}

static size_t bias_at(const struct cudnnRNNStruct *rnn, int direction, int gate) {
  return floats_before(rnn, direction) + (size_t)gate * (size_t)rnn->H;
}

cudnnStatus_t cudnnGetRNNWeightSpaceSize(cudnnHandle_t handle, cudnnRNNDescriptor_t rnn, size_t *bytes) {
  (void)handle;
  *bytes = floats_before(rnn, rnn->layers * rnn->directions) * sizeof(float);
  return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnGetRNNWeightParams(cudnnHandle_t handle, cudnnRNNDescriptor_t rnn, int32_t direction,
                                      size_t bytes, const void *weights, int32_t gate,
                                      cudnnTensorDescriptor_t matrix_descriptor, void **matrix,
                                      cudnnTensorDescriptor_t bias_descriptor, void **bias) {
  (void)handle, (void)bytes;
  float *floats = (float *)(uintptr_t)weights;
  *matrix = floats + matrix_at(rnn, direction, gate);
  *bias = floats + bias_at(rnn, direction, gate);
  *matrix_descriptor = (struct cudnnTensorStruct){{1, rnn->H, gate < 4 ? inputs_of(rnn, direction) : rnn->H}};
  *bias_descriptor = (struct cudnnTensorStruct){{1, rnn->H, 1}};
  return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnBuildRNNDynamic(cudnnHandle_t handle, cudnnRNNDescriptor_t rnn, int batch) {
  (void)handle, (void)batch;
  rnn->is_built = 1;
  return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnGetRNNTempSpaceSizes(cudnnHandle_t handle, cudnnRNNDescriptor_t rnn,
                                        cudnnForwardMode_t mode, cudnnRNNDataDescriptor_t x,
                                        size_t *workspace, size_t *reserve) {
  (void)handle, (void)mode;
  *workspace = 256;
  *reserve = 0;
  return rnn->algorithm == CUDNN_RNN_ALGO_PERSIST_DYNAMIC &&
                 x->layout == CUDNN_RNN_DATA_LAYOUT_SEQ_MAJOR_PACKED
             ? CUDNN_STATUS_NOT_SUPPORTED
             : CUDNN_STATUS_SUCCESS;
}

/* The first vector of position t. */
static size_t start_of(const struct cudnnRNNDataStruct *data, int t) {
  size_t start = 0;
  for (int earlier = 0; earlier < t; earlier++)
    for (int b = 0; b < data->B; b++)
      start += data->layout == CUDNN_RNN_DATA_LAYOUT_SEQ_MAJOR_UNPACKED || data->lengths[b] > earlier;
  return start;
}

static double sigmoid(double x) {
  return 1.0 / (1.0 + exp(-x));
}

static void row_forward(const struct cudnnRNNStruct *rnn, const float *weights, int direction, const float *x,
                        double *h, double *c, double *z) {
  const int inputs = inputs_of(rnn, direction);
  for (int gate = 0; gate < 4; gate++)
    for (int unit = 0; unit < rnn->H; unit++) {
      const float *wx = weights + matrix_at(rnn, direction, gate) + (size_t)unit * (size_t)inputs;
      const float *wh = weights + matrix_at(rnn, direction, gate + 4) + (size_t)unit * (size_t)rnn->H;
      double sum = (double)weights[bias_at(rnn, direction, gate) + (size_t)unit] +
                   (double)weights[bias_at(rnn, direction, gate + 4) + (size_t)unit];
      for (int k = 0; k < inputs; k++)
        sum += (double)x[k] * (double)wx[k];
      for (int k = 0; k < rnn->H; k++)
        sum += h[k] * (double)wh[k];
      z[gate * rnn->H + unit] = sum;
    }
  for (int unit = 0; unit < rnn->H; unit++) {
    c[unit] = sigmoid(z[rnn->H + unit]) * c[unit] + sigmoid(z[unit]) * tanh(z[2 * rnn->H + unit]);
    h[unit] = sigmoid(z[3 * rnn->H + unit]) * tanh(c[unit]);
  }
}

static void forward(const struct cudnnRNNStruct *rnn, const struct cudnnRNNDataStruct *data, int layer,
                    const float *weights, const float *x, float *y, double *h) {
  const int H = rnn->H, width = rnn->directions * H, inputs = layer == 0 ? rnn->F : width;
  for (int b = 0; b < data->B; b++)
    for (int direction = 0; direction < rnn->directions; direction++) {
      memset(h, 0, (size_t)(2 * H) * sizeof *h);
      for (int step = 0; step < data->lengths[b]; step++) {
        const int t = direction == 0 ? step : data->lengths[b] - 1 - step;
        const size_t vector = start_of(data, t) + (size_t)b;
        row_forward(rnn, weights, layer * rnn->directions + direction, x + vector * (size_t)inputs, h, h + H,
                    h + 2 * H);
        for (int unit = 0; unit < H; unit++)
          y[vector * (size_t)width + (size_t)(direction * H + unit)] = (float)h[unit];
      }
    }
}

cudnnStatus_t cudnnRNNForward(cudnnHandle_t handle, cudnnRNNDescriptor_t rnn, cudnnForwardMode_t mode,
                              const int32_t *lengths, cudnnRNNDataDescriptor_t x_descriptor, const void *d_x,
                              cudnnRNNDataDescriptor_t y_descriptor, void *d_y,
                              cudnnTensorDescriptor_t h_descriptor, const void *hx, void *hy,
                              cudnnTensorDescriptor_t c_descriptor, const void *cx, void *cy,
                              size_t weight_bytes, const void *d_weights, size_t workspace_bytes,
                              void *workspace, size_t reserve_bytes, void *reserve) {
  (void)mode, (void)h_descriptor, (void)c_descriptor, (void)reserve;
  if (!lengths || hx || hy || cx || cy || reserve_bytes || workspace_bytes < 256 || !workspace ||
      y_descriptor->width != rnn->directions * rnn->H || x_descriptor->width != rnn->F ||
      (rnn->algorithm == CUDNN_RNN_ALGO_PERSIST_DYNAMIC && !rnn->is_built))
    return CUDNN_STATUS_BAD_PARAM;
  const size_t vectors = start_of(x_descriptor, x_descriptor->T);
  const size_t x_bytes = vectors * (size_t)rnn->F * sizeof(float),
               y_bytes = vectors * (size_t)(rnn->directions * rnn->H) * sizeof(float);
  float *x = malloc(x_bytes > y_bytes ? x_bytes : y_bytes), *y = calloc(1, y_bytes),
        *weights = malloc(weight_bytes);
  double *h = malloc((size_t)(6 * rnn->H) * sizeof *h);
  int failed = !x || !y || !weights || !h || cudaStreamSynchronize(handle->stream) != cudaSuccess ||
               cudaMemcpy(x, d_x, x_bytes, cudaMemcpyDeviceToHost) != cudaSuccess ||
               cudaMemcpy(weights, d_weights, weight_bytes, cudaMemcpyDeviceToHost) != cudaSuccess;
  if (!failed) {
    for (int layer = 0; layer < rnn->layers; layer++) {
      if (layer > 0)
        memcpy(x, y, y_bytes);
      forward(rnn, x_descriptor, layer, weights, x, y, h);
    }
    failed = cudaMemcpyAsync(d_y, y, y_bytes, cudaMemcpyHostToDevice, handle->stream) != cudaSuccess;
  }
  free(x);
  free(y);
  free(weights);
  free(h);
  return failed ? CUDNN_STATUS_EXECUTION_FAILED : CUDNN_STATUS_SUCCESS;
}
