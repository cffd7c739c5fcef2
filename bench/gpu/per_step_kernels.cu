/* The kernels of the per-step version, as plainly as they are usually written: an element a thread, CUDA's
 * own expf and tanhf. What they cost is their number. */
#include "per_step_kernels.h"

enum { THREADS = 256, SOFTMAX_THREADS = 128 };

static unsigned blocks_of(int64_t elements) {
  return (unsigned)((elements + THREADS - 1) / THREADS);
}

__device__ static float sigmoid(float x) {
  return 1.0f / (1.0f + expf(-x));
}

/* computes  z = h U + x W + b; c' = f c + i g; h' = o tanh(c')
 * mapping   a thread: one unit of one row
 * launch    ceil(B H / 256) blocks of 256 threads
 * numerics  float32, an order of its own for every element: deterministic */
__global__ void per_step_cell_kernel(struct per_step_cell a) {
  const int64_t element = (int64_t)blockIdx.x * THREADS + threadIdx.x;
  if (element >= (int64_t)a.batch * a.units)
    return;
  const int32_t H = a.units, b = (int32_t)(element / H), unit = (int32_t)(element % H);
  const bool goes_on = !a.d_lengths || a.position < a.d_lengths[b];
  float h = 0.0f;
  if (goes_on) {
    const float *x = a.d_projected ? a.d_projected + b * a.projected_stride : NULL;
    if (a.d_ids)
      x = a.d_kernel + (int64_t)a.d_ids[b * a.ids_stride] * 4 * H;
    float z[4];
    for (int gate = 0; gate < 4; gate++) {
      const int column = gate * H + unit;
      z[gate] = a.d_z[(int64_t)b * 4 * H + column] + a.d_bias[column];
      if (x)
        z[gate] += x[column];
    }
    const float c = sigmoid(z[1]) * a.d_c[element] + sigmoid(z[0]) * tanhf(z[2]);
    h = sigmoid(z[3]) * tanhf(c);
    a.d_c[element] = c;
    a.d_h[element] = h;
  }
  if (a.d_output)
    a.d_output[b * a.output_stride + unit] = h;
}

void per_step_cell(const struct per_step_cell *arguments, cudaStream_t stream) {
  const int64_t elements = (int64_t)arguments->batch * arguments->units;
  per_step_cell_kernel<<<blocks_of(elements), THREADS, 0, stream>>>(*arguments);
}

/* computes  output[b,t] = concat(left[b,t], right[b])
 * mapping   a thread: one element of the output
 * launch    ceil(B T (left + right) / 256) blocks of 256 threads */
__global__ void per_step_concat_kernel(const float *left, const float *right, float *output, int64_t elements,
                                       int32_t time, int32_t left_width, int32_t right_width) {
  const int64_t element = (int64_t)blockIdx.x * THREADS + threadIdx.x;
  if (element >= elements)
    return;
  const int32_t width = left_width + right_width, column = (int32_t)(element % width);
  const int64_t row = element / width;
  output[element] = column < left_width ? left[row * left_width + column]
                                        : right[row / time * right_width + column - left_width];
}

void per_step_concat(const float *d_left, const float *d_right, float *d_output, int32_t batch, int32_t time,
                     int32_t left, int32_t right, cudaStream_t stream) {
  const int64_t elements = (int64_t)batch * time * (left + right);
  per_step_concat_kernel<<<blocks_of(elements), THREADS, 0, stream>>>(d_left, d_right, d_output, elements,
                                                                      time, left, right);
}

/* computes  x = act(x + bias)
 * mapping   a thread: one element
 * launch    ceil(rows units / 256) blocks of 256 threads */
__global__ void per_step_bias_kernel(float *x, const float *bias, int64_t elements, int32_t units,
                                     int is_relu) {
  const int64_t element = (int64_t)blockIdx.x * THREADS + threadIdx.x;
  if (element >= elements)
    return;
  const float sum = x[element] + bias[element % units];
  x[element] = is_relu ? fmaxf(sum, 0.0f) : tanhf(sum);
}

void per_step_bias(float *d_x, const float *d_bias, int64_t rows, int32_t units, int is_relu,
                   cudaStream_t stream) {
  per_step_bias_kernel<<<blocks_of(rows * units), THREADS, 0, stream>>>(d_x, d_bias, rows * units, units,
                                                                        is_relu);
}

struct best {
  float value;
  int index;
};

__device__ static best better(best x, best y) {
  return y.value > x.value || (y.value == x.value && y.index < x.index) ? y : x;
}

/* computes  softmax over x + bias, and its argmax
 * mapping   a block: one row; a thread: every 128th element
 * launch    B blocks of 128 threads; 1.5 KB of shared memory
 * numerics  sums in a tree over the threads: deterministic */
__global__ void per_step_softmax_kernel(struct per_step_softmax a) {
  __shared__ best bests[SOFTMAX_THREADS];
  __shared__ float sums[SOFTMAX_THREADS];
  const int32_t b = blockIdx.x, length = a.d_lengths ? a.d_lengths[b] : a.width;
  const float *x = a.d_x + (int64_t)b * a.width;
  float *output = a.d_output + b * a.output_stride;
  best own = {-__builtin_inff(), a.width};
  for (int32_t i = threadIdx.x; i < length; i += SOFTMAX_THREADS)
    own = better(own, best{x[i] + (a.d_bias ? a.d_bias[i] : 0.0f), i});
  bests[threadIdx.x] = own;
  __syncthreads(); /* all bests are there */
  for (int half = SOFTMAX_THREADS / 2; half > 0; half /= 2) {
    if (threadIdx.x < half)
      bests[threadIdx.x] = better(bests[threadIdx.x], bests[threadIdx.x + half]);
    __syncthreads(); /* this level's bests are there */
  }
  float sum = 0.0f;
  for (int32_t i = threadIdx.x; i < length; i += SOFTMAX_THREADS) {
    const float e = expf(x[i] + (a.d_bias ? a.d_bias[i] : 0.0f) - bests[0].value);
    output[i] = e;
    sum += e;
  }
  sums[threadIdx.x] = sum;
  __syncthreads(); /* all sums are there */
  for (int half = SOFTMAX_THREADS / 2; half > 0; half /= 2) {
    if (threadIdx.x < half)
      sums[threadIdx.x] += sums[threadIdx.x + half];
    __syncthreads(); /* this level's sums are there */
  }
  for (int32_t i = threadIdx.x; i < a.width; i += SOFTMAX_THREADS)
    output[i] = i < length ? output[i] / sums[0] : 0.0f;
  if (a.d_tokens && threadIdx.x == 0)
    a.d_tokens[b * a.tokens_stride] = bests[0].index;
}

void per_step_softmax(const struct per_step_softmax *arguments, cudaStream_t stream) {
  per_step_softmax_kernel<<<(unsigned)arguments->batch, SOFTMAX_THREADS, 0, stream>>>(*arguments);
}
