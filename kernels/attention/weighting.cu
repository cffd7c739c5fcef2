/* Weights of the positions of a row, for each feature by itself. */
#include "kernels/common/activation.cuh"
#include "kernels/common/check.cuh"
#include "kernels/common/launch_error.cuh"
#include "kernels/launch_weighting.h"

enum {
  FEATURES = 32, /* of a block: the lanes of a warp */
  WARPS = 8,
  TOGETHER = 4, /* positions whose energies a thread makes at a time */
  BLOCK = 64,   /* products that are added up before their sums are */
};

/* What a thread works on: one feature of one row, of which it may have none. */
struct feature {
  const float *x; /* of position 0 */
  float *output;
  int64_t stride;
  int length;
};

/* The energies of positions t .. t + TOGETHER - 1 without their bias. */
static __device__ __forceinline__ void energies_of(const struct weighting &a, const struct feature &of, int t,
                                                   float energies[TOGETHER]) {
  const float *kernel = a.d_kernel, *x = of.x; /* the row of a position, and the position */
  int column[TOGETHER];                        /* past the last the last */
  for (int i = 0; i < TOGETHER; i++) {
    column[i] = t + i < a.time ? t + i : a.time - 1;
    energies[i] = 0.0f;
  }
  for (int first = 0; first < of.length; first += BLOCK) {
    const int count = of.length - first < BLOCK ? of.length - first : BLOCK;
    float part[TOGETHER] = {};
    for (int k = 0; k < count; k++, kernel += a.time, x += of.stride) {
      const float value = *x;
#pragma unroll
      for (int i = 0; i < TOGETHER; i++)
        part[i] = fmaf(kernel[column[i]], value, part[i]);
    }
    for (int i = 0; i < TOGETHER; i++)
      energies[i] += part[i];
  }
}

/* Puts the thread's energies in the place of its outputs; returns the largest. */
static __device__ __forceinline__ float energies_make(const struct weighting &a, const struct feature &of) {
  float most = -INFINITY;
  for (int t = (int)threadIdx.y * TOGETHER; t < of.length; t += WARPS * TOGETHER) {
    float energies[TOGETHER];
    energies_of(a, of, t, energies);
    for (int i = 0; i < TOGETHER && t + i < of.length; i++) {
      const float energy = energies[i] + (a.d_bias ? a.d_bias[t + i] : 0.0f);
      of.output[(t + i) * of.stride] = energy;
      most = fmaxf(most, energy);
    }
  }
  return most;
}

/* Exponentials in the place of the energies; returns their sum. */
static __device__ __forceinline__ float exponentials_make(const struct feature &of, float most) {
  float sum = 0.0f;
  for (int t = (int)threadIdx.y * TOGETHER; t < of.length; t += WARPS * TOGETHER) {
    float part = 0.0f;
    for (int i = 0; i < TOGETHER && t + i < of.length; i++) {
      const float p = device_exp(of.output[(t + i) * of.stride] - most);
      of.output[(t + i) * of.stride] = p;
      part += p;
    }
    sum += part;
  }
  return sum;
}

/* computes  e[t] = bias[t] + sum over t' < length of kernel[t',t] x[t',f];
 *           output[t,f] = x[t,f] softmax(e)[t]; 0 at t >= length
 * shapes    as in launch_weighting.h
 * mapping   block = 32 features of a row, lane = feature; a warp has 4 positions at a time, every 32. A
 *           thread alone writes and reads the outputs of its feature at its positions, which hold the
 *           energies and then the exponentials before
 * launch    grid B ceil(width / 32), block 32 x 8, 1024 bytes of shared memory
 * budget    64 registers
 * numerics  float32; sums of 64 products, then their sum; the softmax's sum of 4, then of a warp's, then of
 *           the 8 warps: no order depends on the batch
 * why       a warp reads x of 32 features at a time, and an element of the kernel is one load for all of
 *           them */
__global__ void __launch_bounds__(FEATURES *WARPS)
    weighting_kernel(const __grid_constant__ struct weighting a, int chunks) {
  __shared__ float found[WARPS][FEATURES];
  const int row = (int)blockIdx.x / chunks, chunk = (int)blockIdx.x - row * chunks;
  const int j = chunk * FEATURES + (int)threadIdx.x, lane = (int)threadIdx.x;
  const bool has = j < a.width;
  const int64_t at = (int64_t)row * a.time * a.width + (has ? j : 0);
  const struct feature of = {a.d_x + at, a.d_output + at, a.width,
                             !has          ? 0
                             : a.d_lengths ? a.d_lengths[row]
                                           : a.time};
  found[threadIdx.y][lane] = energies_make(a, of);
  __syncthreads(); /* all warps' largest energies are there */
  float most = found[0][lane], sum = 0.0f;
  for (int w = 1; w < WARPS; w++)
    most = fmaxf(most, found[w][lane]);
  __syncthreads(); /* and all have read them */
  found[threadIdx.y][lane] = exponentials_make(of, most);
  __syncthreads(); /* all warps' sums are there */
  for (int w = 0; w < WARPS; w++)
    sum += found[w][lane];
  const float factor = 1.0f / sum;
  for (int t = (int)threadIdx.y * TOGETHER; has && t < a.time; t += WARPS * TOGETHER)
    for (int i = 0; i < TOGETHER && t + i < a.time; i++) {
      float *output = of.output + (t + i) * of.stride;
      const bool counts = t + i < of.length;
      const float y = counts ? *output * factor * of.x[(t + i) * of.stride] : 0.0f;
      *output = y;
      check_value(a.check, row, a.check.step, LAUNCH_STAGE_MERGE, y);
    }
}

extern "C" cuseq_status launch_weighting(const struct weighting *arguments,
                                         const struct launch_stream *stream) {
  static const char *const name = "launch_weighting";
  const struct weighting *a = arguments;
  LAUNCH_NEED(a->batch >= 1 && a->time >= 1 && a->width >= 1, "%s: sizes below 1 (found %d, %d, %d)", name,
              (int)a->batch, (int)a->time, (int)a->width);
  LAUNCH_NEED(a->d_kernel && a->d_x && a->d_output && a->d_x != a->d_output,
              "%s: an array is NULL, or the output is the input", name);
  const int chunks = (a->width + FEATURES - 1) / FEATURES;
  LAUNCH_NEED((int64_t)a->batch * chunks <= INT32_MAX && a->time <= INT32_MAX - WARPS * TOGETHER,
              "%s: too many elements (found %d rows of %d positions, %d wide)", name, (int)a->batch,
              (int)a->time, (int)a->width);
  weighting_kernel<<<(unsigned)(a->batch * chunks), dim3(FEATURES, WARPS), 0, (cudaStream_t)stream->stream>>>(
      *a, chunks);
  return launch_result(stream, name, cudaGetLastError());
}
