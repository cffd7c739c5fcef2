/* What a block does together: a product of a vector with a matrix, reductions, a copy. Any block of whole
 * warps. */
#ifndef CUSEQ_KERNELS_BLOCK_DENSE_CUH
#define CUSEQ_KERNELS_BLOCK_DENSE_CUH

#include <stdint.h>

enum { WARP = 32, MAX_PARTS = 16 };

/* How the threads of a block share `width` columns: thread = (part, column), columns innermost, so that
 * neighbours read neighbouring columns; the parts split what is summed. */
struct block_split {
  int columns; /* at once: the smaller of width and the block                                               */
  int parts;
  int part; /* this thread's; >= parts: it has nothing to do                                               */
  int column;
  /* of parts: 2^32 / parts, rounded up; a division of integers is thirty instructions */
  unsigned reciprocal;
};

__device__ __forceinline__ struct block_split block_split_make(int width) {
  struct block_split split;
  int threads = (int)blockDim.x;
  split.columns = width < threads ? width : threads;
  split.parts = min(threads / split.columns, (int)MAX_PARTS);
  split.part = (int)threadIdx.x / split.columns;
  split.column = (int)threadIdx.x - split.part * split.columns;
  split.reciprocal = 0xffffffffu / (unsigned)split.parts + 1;
  return split;
}

/* inputs / parts, rounded up: exact below 2^28, as parts are at most 16. */
__device__ __forceinline__ int block_split_each(const struct block_split &split, int inputs) {
  return split.parts == 1 ? inputs : (int)__umulhi((unsigned)(inputs + split.parts - 1), split.reciprocal);
}

__device__ __forceinline__ void multiply_add(float &sum, float x, float w) {
  sum = fmaf(x, w, sum);
}

/* The four gates of a unit. */
__device__ __forceinline__ void multiply_add(float4 &sum, float x, float4 w) {
  sum.x = fmaf(x, w.x, sum.x);
  sum.y = fmaf(x, w.y, sum.y);
  sum.z = fmaf(x, w.z, sum.z);
  sum.w = fmaf(x, w.w, sum.w);
}

/* sum += x[k] column[k apart] over this thread's part of k < inputs. Parts are contiguous, a multiple of four
 * long, where a warp lies in one part: x is then read as uniform 16-byte loads. With narrow columns they are
 * interleaved, so that the parts of a warp read neighbouring weights.
 *   x  [inputs], 16-byte aligned */
template <class V>
__device__ __forceinline__ void part_products(const struct block_split &split, const float *x, int inputs,
                                              const V *column, int apart, V &sum) {
  if (split.columns < WARP) {
    const float *xk = x + split.part;
    column += (int64_t)split.part * apart;
    int64_t step = (int64_t)split.parts * apart;
#pragma unroll 4
    for (int k = split.part; k < inputs; k += split.parts, xk += split.parts, column += step)
      multiply_add(sum, *xk, *column);
    return;
  }
  int each = (block_split_each(split, inputs) + 3) & ~3;
  int from = min(split.part * each, inputs), count = min(each, inputs - from);
  column += (int64_t)from * apart;
  x += from;
#pragma unroll 2
  for (; count >= 4; count -= 4, x += 4) {
    float4 v = *(const float4 *)x;
    multiply_add(sum, v.x, *column);
    column += apart;
    multiply_add(sum, v.y, *column);
    column += apart;
    multiply_add(sum, v.z, *column);
    column += apart;
    multiply_add(sum, v.w, *column);
    column += apart;
  }
  for (; count > 0; count--, x++, column += apart)
    multiply_add(sum, *x, *column);
}

/* y[j] = bias[j] + sum_k x[k] kernel[k,j], j < units; split: of units. x and `partial` must be ready for use
 * (a barrier); y is complete, and `partial` free, after the caller's next barrier. The order of the sum
 * depends on units, inputs and the block alone.
 *   x [inputs] 16-byte aligned, kernel [inputs,units], bias [units] or NULL, y [units], partial [block]; y is
 *     none of the others */
__device__ inline void block_dense(const struct block_split &split, const float *x, int inputs,
                                   const float *kernel, const float *bias, int units, float *y,
                                   float *partial) {
  for (int first = 0; first < units; first += split.columns) {
    int j = first + split.column;
    if (split.part < split.parts && j < units) {
      float sum = 0.0f;
      part_products(split, x, inputs, kernel + j, units, sum);
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
    const float *part = partial + threadIdx.x;
    float sum = *part;
    for (int p = 1; p < split.parts; p++) {
      part += units;
      sum += *part;
    }
    y[threadIdx.x] = bias ? sum + bias[threadIdx.x] : sum;
  }
}

/* x and that of the lane whose number differs in the bits of `lanes`. */
__device__ __forceinline__ float lanes_sum(float x, int lanes) {
  return x + __shfl_xor_sync(0xffffffffu, x, lanes);
}

template <class V> __device__ __forceinline__ V warp_sum(V x) {
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

/* One copy of 16 or 4 bytes from global to shared memory, under way until block_copies_wait(); at once before
 * sm_80. */
template <class V> __device__ __forceinline__ void copy_ahead(V *target, const V *source) {
#if __CUDA_ARCH__ >= 800
  unsigned to = (unsigned)__cvta_generic_to_shared(target);
  size_t from = __cvta_generic_to_global(source);
  if (sizeof(V) == 16)
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16;" ::"r"(to), "l"(from) : "memory");
  else
    asm volatile("cp.async.ca.shared.global [%0], [%1], 4;" ::"r"(to), "l"(from) : "memory");
#else
  *target = *source;
#endif
}

/* This thread's copies are there; for the block's others after the next barrier. */
__device__ __forceinline__ void block_copies_wait(void) {
#if __CUDA_ARCH__ >= 800
  asm volatile("cp.async.wait_all;" ::: "memory");
#endif
}

/* target[i] = source[i], i < count, by threads numbered 0 .. threads - 1; target is shared memory, source
 * global. Complete after block_copies_wait() and the next barrier. */
__device__ inline void block_copy(float *target, const float *source, int count, int thread, int threads) {
  int whole = (((uintptr_t)target | (uintptr_t)source) & 15) == 0 ? count / 4 : 0;
  for (int i = thread; i < whole; i += threads)
    copy_ahead((float4 *)target + i, (const float4 *)source + i);
  for (int i = 4 * whole + thread; i < count; i += threads)
    copy_ahead(target + i, source + i);
}

__device__ inline void block_fill(float *target, float value, int count) {
  for (int i = (int)threadIdx.x; i < count; i += (int)blockDim.x)
    target[i] = value;
}

#endif
