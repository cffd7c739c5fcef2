/* A small model's encoder over one row by one block, in shared memory: x W, the recurrence, the keys. */
#ifndef CUSEQ_KERNELS_ENCODER_ROW_CUH
#define CUSEQ_KERNELS_ENCODER_ROW_CUH

#include "block_dense.cuh"
#include "lstm_chain.cuh"

enum {
  STAGE_FLOATS = 8192
}; /* about what slices of x and W may take                                       */

/* How many features a slice has: all, or what STAGE_FLOATS hold. `columns` = D H. */
__host__ __device__ static inline int stage_features(int features, int time, int columns) {
  int fit = (int)STAGE_FLOATS / (time + 4 * columns);
  fit = fit < 1 ? 1 : fit;
  return fit < features ? fit : features;
}

__host__ __device__ static inline int64_t stage_floats(int features, int time, int columns) {
  return (int64_t)stage_features(features, time, columns) * (time + 4 * columns);
}

/* products[t, column] = row ids[t] of W, t < length; complete after the next barrier. */
__device__ inline void block_gather(const struct lstm_sequence &a, int b, int length, float4 *products) {
  int columns = a.directions * a.units;
  const float4 *kernel = (const float4 *)a.d_kernel;
  const int32_t *ids = a.d_ids + (int64_t)b * a.time;
  for (int n = (int)threadIdx.x; n < length * columns; n += (int)blockDim.x)
    products[n] = kernel[(int64_t)ids[n / columns] * columns + n % columns];
}

/* products[t, column] = x[t] W[:, column], t < length; complete after the next barrier. Slices of x [T, slice] and W [slice,
 * columns] are staged, so that each is fetched once; a thread makes one column of four positions at a time. */
__device__ inline void block_products(const struct lstm_sequence &a, int b, int length, float *stage,
                                      float4 *products) {
  int F = a.features, columns = a.directions * a.units;
  int slice = stage_features(F, a.time, columns);
  float4 *w = (float4 *)stage;
  float *x = stage + (int64_t)slice * 4 * columns;
  const float4 *kernel = (const float4 *)a.d_kernel;
  const float *input = a.d_x + (int64_t)b * a.time * F;
  struct block_split split = block_split_make(columns);
  for (int first = 0; first < F; first += slice) {
    int width = min(slice, F - first);
    for (int n = (int)threadIdx.x; n < width * columns; n += (int)blockDim.x)
      w[n] = kernel[(int64_t)first * columns + n];
    for (int n = (int)threadIdx.x; n < length * width; n += (int)blockDim.x)
      x[n] = input[(int64_t)(n / width) * F + first + n % width];
    __syncthreads(); /* the slices are complete */
    for (int t = 4 * split.part; t < length && split.part < split.parts; t += 4 * split.parts) {
      float4 sum[4];
#pragma unroll
      for (int i = 0; i < 4; i++)
        sum[i] = first > 0 && t + i < length ? products[(t + i) * columns + split.column] : lstm_zero();
      for (int f = 0; f < width; f++) {
        float4 v = w[f * columns + split.column];
#pragma unroll
        for (int i = 0; i < 4; i++)
          lstm_multiply(sum[i], x[min(t + i, length - 1) * width + f], v);
      }
#pragma unroll
      for (int i = 0; i < 4; i++)
        if (t + i < length)
          products[(t + i) * columns + split.column] = sum[i];
    }
    __syncthreads(); /* the slices are read before the next ones come */
  }
}

/* One direction of a row by one warp: annotations[t, d H + unit] and the final states [2, D, H]. */
template <class core>
__device__ inline void warp_encode(const struct lstm_parameters &p, const lstm_row &row,
                                   const float4 *products, float *hidden, float *annotations,
                                   float *final_states) {
  const struct lstm_sequence &a = p.a;
  int columns = a.directions * a.units;
  core u;
  u.load(a, row.d);
  bool there = u.unit < a.units;
  int column = row.d * a.units + (there ? u.unit : 0);
  int64_t state = ((int64_t)row.d * a.batch + row.b) * a.units + u.unit;
  float h = there && a.d_initial_h ? a.d_initial_h[state] : 0.0f;
  float c = there && a.d_initial_c ? a.d_initial_c[state] : 0.0f;
  float4 bias = there ? ((const float4 *)a.d_bias)[column] : lstm_zero();
  u.begin();
  u.publish(hidden, h);
  u.sync(); /* the initial h is there */
  float4 next = products[row.t(0) * columns + column];
  for (int s = 0; s < row.length; s++) {
    float4 x = there ? next : lstm_zero();
    if (s + 1 < row.length)
      next = products[row.t(s + 1) * columns + column];
    lstm_chain_step(p, u, row, s, x, bias, hidden, annotations + column, c, h);
  }
  if (u.writer) {
    final_states[column] = h;
    final_states[columns + column] = c;
  }
}

/* keys[t,j] = bias[j] + sum_i annotations[t,i] key[i,j], t < length; complete after the next barrier. Summed as keys.cu
 * does, for the same bits. An odd stride of annotations lets neighbours of different t read different banks. */
__device__ inline void block_keys(const float *annotations, int stride, const float *key, const float *bias,
                                  int length, int A, int U, float *keys) {
  for (int n = (int)threadIdx.x; n < length * U; n += (int)blockDim.x) {
    int t = n / U, j = n - t * U;
    float sum = 0.0f;
    for (int i = 0; i < A; i++)
      sum = fmaf(annotations[t * stride + i], key[(int64_t)i * U + j], sum);
    keys[n] = bias ? sum + bias[j] : sum;
  }
}

#endif
