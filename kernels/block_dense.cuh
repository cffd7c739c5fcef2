/* What a block does together: a product of a vector with a matrix, reductions, a copy. Any block of whole warps. */
#ifndef CUSEQ_KERNELS_BLOCK_DENSE_CUH
#define CUSEQ_KERNELS_BLOCK_DENSE_CUH

#include <stdint.h>

enum { WARP = 32, MAX_PARTS = 16 };

/* How the threads of a block share `width` columns: thread = (part, column), columns innermost, so that neighbours read
 * neighbouring columns; the parts split what is summed. */
struct block_split {
  int columns; /* at once: the smaller of width and the block                                               */
  int parts;
  int part; /* this thread's; >= parts: it has nothing to do                                               */
  int column;
};

__device__ __forceinline__ struct block_split block_split_make(int width) {
  struct block_split split;
  int threads = (int)blockDim.x;
  split.columns = width < threads ? width : threads;
  split.parts = min(threads / split.columns, (int)MAX_PARTS);
  split.part = (int)threadIdx.x / split.columns;
  split.column = (int)threadIdx.x - split.part * split.columns;
  return split;
}

/* y[j] = bias[j] + sum_k x[k] kernel[k,j], j < units. x and `partial` must be ready for use (a barrier); y is complete, and
 * `partial` free, after the caller's next barrier. The order of the sum depends on units, inputs and the block alone.
 *   x [inputs], kernel [inputs,units], bias [units] or NULL, y [units], partial [block]; y is none of the others */
__device__ inline void block_dense(const float *x, int inputs, const float *kernel, const float *bias,
                                   int units, float *y, float *partial) {
  struct block_split split = block_split_make(units);
  for (int first = 0; first < units; first += split.columns) {
    int j = first + split.column;
    if (split.part < split.parts && j < units) {
      float sum = 0.0f;
      const float *column = kernel + j;
#pragma unroll 4
      for (int k = split.part; k < inputs; k += split.parts)
        sum = fmaf(x[k], column[(int64_t)k * units], sum);
      if (split.parts == 1)
        y[j] = bias ? sum + bias[j] : sum;
      else
        partial[threadIdx.x] = sum;
    }
  }
  if (split.parts == 1) /* uniform: units alone decide */
    return;
  __syncthreads(); /* the partial sums are written */
  if ((int)threadIdx.x < units) {
    float sum = partial[threadIdx.x];
    for (int p = 1; p < split.parts; p++)
      sum += partial[p * units + threadIdx.x];
    y[threadIdx.x] = bias ? sum + bias[threadIdx.x] : sum;
  }
}

__device__ __forceinline__ float warp_sum(float x) {
  for (int distance = WARP / 2; distance > 0; distance /= 2)
    x += __shfl_xor_sync(0xffffffffu, x, distance);
  return x;
}

__device__ __forceinline__ float warp_max(float x) {
  for (int distance = WARP / 2; distance > 0; distance /= 2) {
    float other = __shfl_xor_sync(0xffffffffu, x, distance);
    x = other > x ? other : x;
  }
  return x;
}

/* target[i] = source[i], i < count, by threads numbered 0 .. threads - 1; complete after the next barrier. */
__device__ inline void block_copy(float *target, const float *source, int64_t count, int thread,
                                  int threads) {
  int64_t whole = (((uintptr_t)target | (uintptr_t)source) & 15) == 0 ? count / 4 : 0;
  for (int64_t i = thread; i < whole; i += threads)
    ((float4 *)target)[i] = ((const float4 *)source)[i];
  for (int64_t i = 4 * whole + thread; i < count; i += threads)
    target[i] = source[i];
}

__device__ inline void block_fill(float *target, float value, int64_t count) {
  for (int64_t i = threadIdx.x; i < count; i += blockDim.x)
    target[i] = value;
}

#endif
