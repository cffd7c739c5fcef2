/* The last step of a head by one block: bias and activation over the sums of its last layer, the best class,
 * logarithms. Used by decode_rows and heads. */
#ifndef CUSEQ_KERNELS_HEAD_CUH
#define CUSEQ_KERNELS_HEAD_CUH

#include "kernels/decoder/decoder_step.cuh"

/* What a block finds out about a row's classes; the same in all threads. */
struct head_result {
  int token; /* the class of the largest output, lowest index first; NaN is never chosen, but at 0 */
  float best, log_sum; /* softmax, log_softmax: log p[v] = (logits[v] - best) - log_sum */
};

/* Classes that a thread adds up in one go. */
enum { HEAD_BLOCK = 64 };

/* The sum of exp(logits[v] - best) over this thread's classes, in blocks, so that its error does not grow
 * with V. */
__device__ __forceinline__ float head_exponents(const float *logits, int V, float best) {
  float sum = 0.0f;
  for (int first = (int)threadIdx.x; first < V; first += HEAD_BLOCK * (int)blockDim.x) {
    float block = 0.0f;
    int end = min(V, first + HEAD_BLOCK * (int)blockDim.x);
    for (int v = first; v < end; v += (int)blockDim.x)
      block += device_exp(logits[v] - best);
    sum += block;
  }
  return sum;
}

/* Bytes of shared memory for a copy of V sums, so that the passes of block_head go over it there; 0: they
 * stay where they are. */
enum { HEAD_ROOM_MOST = 40 * 1024 };
static inline size_t head_room(int V) {
  size_t bytes = (size_t)V * sizeof(float);
  return bytes <= HEAD_ROOM_MOST ? bytes : 0;
}

/* The sums that block_head takes: in `room`, where there is some. Each thread copies what it is the first to
 * read. */
__device__ __forceinline__ float *head_sums(float *sums, int V, bool has_room, float *room) {
  for (int v = (int)threadIdx.x; has_room && v < V; v += (int)blockDim.x)
    room[v] = sums[v];
  return has_room ? room : sums;
}

/* logits [V] hold the sums, without the bias (NULL: none); they are overwritten with what softmax takes, or
 * with the outputs of other activations. output [V] and log_output [V] may be NULL. What is not finite is
 * told as of row b and a step; minus infinity is 0 to a softmax, unless all are. Begins with what the
 * caller's last barrier has ended; reduce and logits are free after the caller's next one.
 *   reduce  [PLACE_REDUCE_FLOATS] 32..63 warps' sums, 64..95 warps' best, 96..127 their indices */
__device__ inline struct head_result block_head(float *logits, const float *bias, int V,
                                                cuseq_activation activation, float *output, float *log_output,
                                                float *reduce, const struct launch_check &check, int b,
                                                int step) {
  int warp = (int)threadIdx.x / WARP, lane = (int)threadIdx.x % WARP, warps = (int)blockDim.x / WARP;
  bool is_softmax = activation == CUSEQ_ACTIVATION_SOFTMAX;
  bool normalises = is_softmax || activation == CUSEQ_ACTIVATION_LOG_SOFTMAX;
  for (int v = (int)threadIdx.x; v < V; v += (int)blockDim.x) {
    float x = logits[v] + (bias ? bias[v] : 0.0f);
    if (!normalises)
      x = device_activate_any(activation, x);
    if (!(x <= FLT_MAX) || (!is_softmax && !(x >= -FLT_MAX)))
      check_tell(check, b, step, LAUNCH_STAGE_OUTPUTS);
    logits[v] = x;
  }
  __syncthreads(); /* all classes are there */
  struct head_result result;
  float best = -INFINITY;
  int index = INT32_MAX;
  for (int v = (int)threadIdx.x; v < V; v += (int)blockDim.x)
    better_logit(best, index, logits[v], v);
  block_best(best, index, reduce);
  result.best = best;
  if (threadIdx.x == 0 && best == -INFINITY)
    check_tell(check, b, step, LAUNCH_STAGE_OUTPUTS);
  /* a NaN at 0 is never beaten, and nothing beats it where all the rest is NaN */
  result.token = index == INT32_MAX || logits[0] != logits[0] ? 0 : index;
  result.log_sum = 0.0f;
  if (!normalises) {
    for (int v = (int)threadIdx.x; output && v < V; v += (int)blockDim.x)
      output[v] = logits[v];
    return result;
  }
  float sum = warp_sum(head_exponents(logits, V, best));
  if (lane == 0)
    reduce[32 + warp] = sum;
  __syncthreads(); /* the warps' sums are written */
  sum = warp_sum(lane < warps ? reduce[32 + lane] : 0.0f);
  float normaliser = 1.0f / sum, log_sum = logf(sum);
  result.log_sum = log_sum;
  for (int v = (int)threadIdx.x; v < V; v += (int)blockDim.x) {
    float log_probability = (logits[v] - best) - log_sum;
    if (output)
      output[v] = is_softmax ? device_exp(logits[v] - best) * normaliser : log_probability;
    if (log_output)
      log_output[v] = log_probability;
  }
  return result;
}

#endif
