/* Attention and cell of a small decoder's step (decode_small.cuh), by the warps that do each. */
#ifndef CUSEQ_KERNELS_SMALL_STEP_CUH
#define CUSEQ_KERNELS_SMALL_STEP_CUH

#include "kernels/decoder/small_parts.cuh"

/* first + sum_k x[k] w[k], in four sums. */
template <int COUNT>
__device__ __forceinline__ float small_product(const shared_floats &x, const float (&w)[COUNT], float first) {
  float sum[4] = {first, 0.0f, 0.0f, 0.0f};
#pragma unroll
  for (int k = 0; k < COUNT; k += 4) {
    float4 v = x.load4(k);
    sum[0] = fmaf(v.x, w[k], sum[0]);
    sum[1] = fmaf(v.y, w[k + 1], sum[1]);
    sum[2] = fmaf(v.z, w[k + 2], sum[2]);
    sum[3] = fmaf(v.w, w[k + 3], sum[3]);
  }
  return (sum[0] + sum[1]) + (sum[2] + sum[3]);
}

/* Units j and j + 8 of the query, in all lanes. */
__device__ __forceinline__ void small_query(float (&query)[2], const struct small_attention &attention,
                                            const shared_floats &own) {
  float sum[2][2] = {{0.0f, 0.0f}, {0.0f, 0.0f}};
#pragma unroll
  for (int m = 0; m < 4; m++) {
    float4 v = own.load4(16 * m);
#pragma unroll
    for (int i = 0; i < 2; i++) {
      sum[i][0] = fmaf(v.x, attention.query[i][4 * m], sum[i][0]);
      sum[i][1] = fmaf(v.y, attention.query[i][4 * m + 1], sum[i][1]);
      sum[i][0] = fmaf(v.z, attention.query[i][4 * m + 2], sum[i][0]);
      sum[i][1] = fmaf(v.w, attention.query[i][4 * m + 3], sum[i][1]);
    }
  }
#pragma unroll
  for (int i = 0; i < 2; i++)
    query[i] = lanes_sum(lanes_sum(sum[i][0] + sum[i][1], 8), 16);
}

/* e^energy of the lane's two positions of a set, 0 behind the row's end. */
__device__ __forceinline__ void small_attend(const struct small_row &row, const struct small_score &score,
                                             const float (&key)[2][2], const int (&mask)[2],
                                             const float (&query)[2], int set) {
  float e[2];
#pragma unroll
  for (int n = 0; n < 2; n++) {
    e[n] = fmaf(score.value[0], device_tanh(key[n][0] + query[0]), score.bias);
    e[n] = fmaf(score.value[1], device_tanh(key[n][1] + query[1]), e[n]);
  }
#pragma unroll
  for (int lanes = 1; lanes < 8; lanes *= 2)
#pragma unroll
    for (int n = 0; n < 2; n++)
      e[n] = lanes_sum(e[n], lanes);
#pragma unroll
  for (int n = 0; n < 2; n++) {
    e[n] = e[n] < score.floor ? score.floor : e[n];
    row.power_own.store(set + 16 * n, small_exp(e[n], mask[n]), small_eighth() == 0);
  }
}

/* The powers of some of the lane's positions of a set. */
template <int COUNT>
__device__ __forceinline__ void small_powers(float (&p)[COUNT], const struct small_row &row, int at) {
#pragma unroll
  for (int i = 0; i < COUNT; i += 4) {
    float4 v = row.power_half.load4(at + i);
    p[i] = v.x, p[i + 1] = v.y, p[i + 2] = v.z, p[i + 3] = v.w;
  }
}

/* The sum of these powers. */
template <int COUNT> __device__ __forceinline__ float small_sum(const float (&p)[COUNT]) {
  float sum[4] = {p[0], p[1], p[2], p[3]};
#pragma unroll
  for (int i = 4; i < COUNT; i += 4) {
    sum[0] += p[i];
    sum[1] += p[i + 1];
    sum[2] += p[i + 2];
    sum[3] += p[i + 3];
  }
  return (sum[0] + sum[1]) + (sum[2] + sum[3]);
}

/* Their part of the lane's column of the context. */
template <int COUNT>
__device__ __forceinline__ float small_context(const float (&p)[COUNT], const float (&a)[COUNT]) {
  float sum[4] = {p[0] * a[0], p[1] * a[1], p[2] * a[2], p[3] * a[3]};
#pragma unroll
  for (int i = 4; i < COUNT; i += 4) {
    sum[0] = fmaf(p[i], a[i], sum[0]);
    sum[1] = fmaf(p[i + 1], a[i + 1], sum[1]);
    sum[2] = fmaf(p[i + 2], a[i + 2], sum[2]);
    sum[3] = fmaf(p[i + 3], a[i + 3], sum[3]);
  }
  return (sum[0] + sum[1]) + (sum[2] + sum[3]);
}

/* The half of the powers' sum that the lane has, of the powers of the first set, which are there; ATTENDS:
 * and the context into its place. Of other sets eight positions at a time: registers are short. */
template <bool ATTENDS>
__device__ __forceinline__ float small_sums(const struct small_row &row, const float (&first)[SMALL_EACH],
                                            const struct small_attention *attention) {
  float context = ATTENDS ? small_context(first, attention->annotations) : 0.0f;
  float sum = row.length > 0 ? 0.0f : 0.5f; /* a row of no positions: 0 / 1 */
  if (__builtin_expect(row.length > SMALL_SET, 0)) {
    const struct small_source source = small_kept_source(row);
#pragma unroll 1
    for (int set = SMALL_SET; set < row.length; set += SMALL_SET)
#pragma unroll 1
      for (int at = set; at < set + SMALL_EACH; at += SMALL_EACH / 2) {
        float p[SMALL_EACH / 2], a[SMALL_EACH / 2];
        small_powers(p, row, at);
        if (ATTENDS) {
          small_annotations(a, row, source, at);
          context += small_context(p, a);
        }
        sum += small_sum(p);
      }
  }
  if (ATTENDS)
    row.context_own.store(0, lanes_sum(context, 16), small_half() == 0);
  return sum + small_sum(first);
}

/* 1 / sum p, the same in all warps. */
__device__ __forceinline__ float small_part(float half) {
  return device_reciprocal(lanes_sum(half, 16));
}

/* The lane's gate, by selection: all lanes go one way. sigmoid(x) = 1/2 + 1/2 tanh(x / 2). */
__device__ __forceinline__ float small_activate(const struct small_cell &cell, float z) {
  float smooth = fmaf(cell.scale, device_tanh(z * cell.scale), cell.add),
        bent = fmaf(z, cell.slope, cell.add);
  bent = bent < cell.low ? cell.low : bent;
  bent = bent > cell.high ? cell.high : bent;
  return cell.slope == 0.0f ? smooth : bent;
}

/* act(c), likewise. */
__device__ __forceinline__ float small_activate_state(const struct small_cell &cell, float c) {
  float bent = c < cell.floor ? cell.floor : c, tangent = device_tanh(c);
  return cell.floor == __builtin_inff() ? tangent : bent;
}

/* c and h of the lane's unit; z: its gate's sum. h goes into its place. */
__device__ __forceinline__ void small_update(const struct small_row &row, const struct small_cell &cell,
                                             float z, float &c, float &h) {
  float gate = small_activate(cell, z);
  float i = __shfl_sync(0xffffffffu, gate, 0, 4), f = __shfl_sync(0xffffffffu, gate, 1, 4);
  float g = __shfl_sync(0xffffffffu, gate, 2, 4), o = __shfl_sync(0xffffffffu, gate, 3, 4);
  c = fmaf(f, c, i * g);
  h = o * small_activate_state(cell, c);
  row.state_own.store(0, h, small_gate() == 0);
}

#endif
