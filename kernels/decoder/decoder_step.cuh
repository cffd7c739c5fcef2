/* The decoder's cell and output layer of one row by one block. Used by decode and whole_model. */
#ifndef CUSEQ_KERNELS_DECODER_STEP_CUH
#define CUSEQ_KERNELS_DECODER_STEP_CUH

#include "kernels/common/activation.cuh"
#include "kernels/common/block_dense.cuh"
#include "kernels/common/check.cuh"
#include "kernels/common/placement.cuh"
#include "kernels/recurrence/cell_lstm.cuh"

__device__ __forceinline__ float4 add4(float4 a, float4 b) {
  return make_float4(a.x + b.x, a.y + b.y, a.z + b.z, a.w + b.w);
}

/* What the cell reads; gates of a unit side by side. `row` [S] is added to the sums where it is not NULL: the
 * row of the kernel that a one-hot input chooses. */
struct decoder_cell {
  const float4 *kernel; /* [inputs,S]                                                                     */
  const float4
      *recurrent;     /* [S,S]                                                                          */
  const float4 *bias; /* [S]                                                                            */
  int inputs, units;
};

/* next and cell of z = input kernel + state recurrent + bias + row; states that are not finite are told as of
 * row b and a step. input and state must be ready and `partial` free; next and cell are complete, and
 * `partial` free, after the caller's next barrier.
 *   split of S; input, state 16-byte aligned; partial [4 block]; cell is read and written by the same threads
 *   at every step */
__device__ inline void block_cell(const struct block_split &split, const struct decoder_cell &weights,
                                  const struct device_gates &gates, const float *input, const float *state,
                                  const float4 *row, float4 *partial, float *next, float *cell,
                                  const struct launch_check &check, int b, int step) {
  int S = weights.units;
  for (int first = 0; first < S; first += split.columns) {
    int j = first + split.column;
    float4 sum = make_float4(0.0f, 0.0f, 0.0f, 0.0f);
    if (split.part < split.parts && j < S) {
      part_products(split, input, weights.inputs, weights.kernel + j, S, sum);
      part_products(split, state, S, weights.recurrent + j, S, sum);
    }
    if (split.parts > 1) {
      partial[threadIdx.x] = sum;
      __syncthreads(); /* the partial sums are written; parts > 1 means a single pass of this loop */
      const float4 *part = partial + split.column;
      if (split.part == 0)
        for (int p = 1; p < split.parts; p++) {
          part += split.columns;
          sum = add4(sum, *part);
        }
    }
    if (split.part == 0 && j < S) {
      sum = add4(sum, weights.bias[j]);
      if (row)
        sum = add4(sum, row[j]);
      float c = cell[j];
      float h = cell_lstm::update(gates, sum, c);
      next[j] = h;
      cell[j] = c;
      check_states(check, b, step, LAUNCH_STAGE_DECODER, h, c);
    }
  }
}

/* The larger of two logits; of equal ones that with the lower index. NaN is never chosen. */
__device__ __forceinline__ void better_logit(float &value, int &index, float other, int other_index) {
  bool better = other > value || (other == value && other_index < index);
  value = better ? other : value;
  index = better ? other_index : index;
}

__device__ __forceinline__ void warp_best(float &value, int &index) {
  for (int distance = WARP / 2; distance > 0; distance /= 2) {
    float other = __shfl_xor_sync(0xffffffffu, value, distance);
    int other_index = __shfl_xor_sync(0xffffffffu, index, distance);
    better_logit(value, index, other, other_index);
  }
}

/* The same of a block, to all threads, through one barrier.
 *   reduce  [PLACE_REDUCE_FLOATS] 64..95 warps' best, 96..127 their indices */
__device__ __forceinline__ void block_best(float &value, int &index, float *reduce) {
  int warp = (int)threadIdx.x / WARP, lane = (int)threadIdx.x % WARP, warps = (int)blockDim.x / WARP;
  warp_best(value, index);
  if (lane == 0) {
    reduce[64 + warp] = value;
    reduce[96 + warp] = __int_as_float(index);
  }
  __syncthreads(); /* the warps' best are written */
  value = lane < warps ? reduce[64 + lane] : -INFINITY;
  index = lane < warps ? __float_as_int(reduce[96 + lane]) : INT32_MAX;
  warp_best(value, index);
}

/* The argmax of logits [V], lowest index first, to all threads, and output[v] = softmax (or the logits
 * themselves); output may be NULL. logits must be complete. Up to 32 classes each warp does it all, without a
 * barrier. What is not finite is told as of row b and a step; minus infinity is 0 to a softmax, unless all
 * are.
 *   reduce  [PLACE_REDUCE_FLOATS] 32..63 warps' sums, 64..95 warps' best, 96..127 their indices */
__device__ inline int block_output(const float *logits, int V, bool is_softmax, float *output, float *reduce,
                                   const struct launch_check &check, int b, int step_number) {
  int warp = (int)threadIdx.x / WARP, lane = (int)threadIdx.x % WARP, warps = (int)blockDim.x / WARP;
  bool narrow = V <= WARP;
  int first = narrow ? lane : (int)threadIdx.x, step = narrow ? WARP : (int)blockDim.x;
  float best = -INFINITY;
  int index = INT32_MAX;
  for (int v = first; v < V; v += step) {
    float logit = logits[v];
    better_logit(best, index, logit, v);
    if (!(logit <= FLT_MAX) || (!is_softmax && !(logit >= -FLT_MAX)))
      check_tell(check, b, step_number, LAUNCH_STAGE_OUTPUTS);
  }
  if (narrow)
    warp_best(best, index);
  else
    block_best(best, index, reduce);
  if (threadIdx.x == 0 && best == -INFINITY)
    check_tell(check, b, step_number, LAUNCH_STAGE_OUTPUTS);
  /* a NaN at 0 is never beaten, and nothing beats it where all the rest is NaN */
  int token = index == INT32_MAX || logits[0] != logits[0] ? 0 : index;
  if (!output || (narrow && warp > 0)) /* the first warp writes few classes */
    return token;
  if (!is_softmax) {
    for (int v = (int)threadIdx.x; v < V; v += (int)blockDim.x)
      output[v] = logits[v];
    return token;
  }
  float sum = 0.0f;
  for (int v = first; v < V; v += step)
    sum += device_exp(logits[v] - best);
  sum = warp_sum(sum);
  if (!narrow) {
    if (lane == 0)
      reduce[32 + warp] = sum;
    __syncthreads(); /* the warps' sums are written */
    sum = warp_sum(lane < warps ? reduce[32 + lane] : 0.0f);
  }
  float normaliser = 1.0f / sum;
  for (int v = (int)threadIdx.x; v < V; v += (int)blockDim.x)
    output[v] = device_exp(logits[v] - best) * normaliser;
  return token;
}

#endif
