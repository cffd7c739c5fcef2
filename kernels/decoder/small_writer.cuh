/* What the warps of a small decoder's loop (decode_small.cuh) that do not attend do besides: products of h,
 * outputs, tokens, and what is written. */
#ifndef CUSEQ_KERNELS_SMALL_WRITER_CUH
#define CUSEQ_KERNELS_SMALL_WRITER_CUH

#include "kernels/decoder/small_step.cuh"

/* The output layer's kernel [S,V] and bias. */
__device__ __forceinline__ void small_load_output(struct small_writer &writer, const struct decode &d,
                                                  const float *kernel, const float *bias) {
  int v = small_lane(), first = (small_warp() - SMALL_ATTENDING) * (SMALL_K / 4);
  bool there = v < d.outputs;
  small_load<false>(writer.output, kernel + first * d.outputs + v, there ? d.score.state_units - first : 0,
                    d.outputs);
  writer.output_bias = there ? bias[v] : 0.0f;
  writer.value = 0.0f;
  writer.part = 1.0f;
  writer.is_chosen = 0;
  writer.power = 0.0f;
  writer.most = INT32_MIN;
}

/* What is wanted of row b. */
__device__ __forceinline__ void small_want(struct small_writer &writer, const struct decode &d,
                                           const shared_floats &state, int b) {
  int thread = small_thread();
  const shared_floats own(state, SMALL_KEPT_AT + thread);
  writer.wants = small_kept(own, (d.d_tokens ? SMALL_TOKENS : 0) | (d.d_outputs ? SMALL_OUTPUTS : 0) |
                                     (d.d_alphas && d.time > SMALL_THREADS ? SMALL_MORE : 0) |
                                     (d.output_activation == CUSEQ_ACTIVATION_SOFTMAX ? SMALL_SOFTMAX : 0) |
                                     (small_lane(thread) < d.outputs ? SMALL_CLASS : 0));
  writer.below = (unsigned)small_kept(own, (int)((1u << small_lane(thread)) - 1));
  writer.turn = SMALL_ATTENDING - 1 - small_warp(thread); /* 0 behind the first step, or the second.. */
  writer.is_state = small_half(thread);
  writer.apart = small_kept(own, writer.is_state ? d.score.state_units : d.score.annotation_width);
  float *vectors = writer.is_state ? d.d_states : d.d_contexts;
  int i = small_column(thread) - 16 * SMALL_ATTENDING;
  int t = thread - SMALL_THREADS;
  writer.alpha = d.d_alphas && t < d.time ? d.d_alphas + (int64_t)b * d.steps * d.time + t : nullptr;
  writer.vector = vectors && i < writer.apart ? vectors + (int64_t)b * d.steps * writer.apart + i : nullptr;
}

/* Of h: U + b of two gates, of which that of a thread that attends goes to shared memory and the other is
 * returned; and a quarter of the logits of step `step`, into its place, which the warp whose turn it is
 * awaits at a barrier of their own. */
__device__ __forceinline__ float small_carry(const struct small_row &row, const struct small_writer &writer,
                                             int step) {
  float own[4] = {writer.bias, 0.0f, 0.0f, 0.0f}, other[4] = {writer.other_bias, 0.0f, 0.0f, 0.0f};
  float logit[2] = {0.0f, 0.0f};
#pragma unroll
  for (int k = 0; k < SMALL_K / 4; k += 4) {
    float4 v = row.state_quarter.load4(k);
    logit[0] = fmaf(v.x, writer.output[k], logit[0]);
    logit[1] = fmaf(v.y, writer.output[k + 1], logit[1]);
    logit[0] = fmaf(v.z, writer.output[k + 2], logit[0]);
    logit[1] = fmaf(v.w, writer.output[k + 3], logit[1]);
  }
  row.gate_own.store(SMALL_LOGITS_AT - SMALL_GATES_AT, logit[0] + logit[1], true);
#pragma unroll
  for (int k = 0; k < SMALL_K; k += 4) {
    float4 v = row.state.load4(k);
    own[0] = fmaf(v.x, writer.recurrent[k], own[0]);
    own[1] = fmaf(v.y, writer.recurrent[k + 1], own[1]);
    own[2] = fmaf(v.z, writer.recurrent[k + 2], own[2]);
    own[3] = fmaf(v.w, writer.recurrent[k + 3], own[3]);
    if (k < SMALL_CARRIED) {
      other[0] = fmaf(v.x, writer.other[k], other[0]);
      other[1] = fmaf(v.y, writer.other[k + 1], other[1]);
      other[2] = fmaf(v.z, writer.other[k + 2], other[2]);
      other[3] = fmaf(v.w, writer.other[k + 3], other[3]);
    }
  }
  row.gate_own.store(0, (other[0] + other[1]) + (other[2] + other[3]), true);
  if (step >= 0 && writer.turn != 0)
    asm volatile("bar.arrive 1, %0;" ::"n"((int)SMALL_THREADS) : "memory");
  return (own[0] + own[1]) + (own[2] + own[3]);
}

/* A number's place in their order, -0 beside 0. */
__device__ __forceinline__ int small_ordered(float x) {
  int bits = __float_as_int(x + 0.0f);
  return bits ^ (bits >> 31 & INT32_MAX);
}

/* The largest of a warp's. */
__device__ __forceinline__ int small_best(int x) {
#if __CUDA_ARCH__ >= 800
  return __reduce_max_sync(0xffffffffu, x);
#else
  for (int distance = WARP / 2; distance > 0; distance /= 2)
    x = max(x, __shfl_xor_sync(0xffffffffu, x, distance));
  return x;
#endif
}

/* The token of a step. As block_output(): lowest index first, NaN is never chosen but at 0. */
__device__ __forceinline__ void small_choose(const struct small_row &row, struct small_writer &writer) {
  asm volatile("bar.sync 1, %0;" ::"n"((int)SMALL_THREADS) : "memory"); /* the quarters are there */
  int v = small_lane();
  float x = (small_read(row.logits, v) + small_read(row.logits, v + WARP)) +
            (small_read(row.logits, v + 2 * WARP) + small_read(row.logits, v + 3 * WARP));
  x += writer.output_bias;
  int place = small_ordered(x);
  asm volatile("" : "+r"(place)); /* made beside the comparison, not behind it */
  place = writer.wants & SMALL_CLASS && x == x ? place : INT32_MIN;
  int most = small_best(place);
  unsigned chosen = __ballot_sync(0xffffffffu, place == most), numbers = __ballot_sync(0xffffffffu, x == x);
  bool is_zero = most == INT32_MIN || (numbers & 1) == 0; /* no number, or none at 0 */
  bool is_chosen = is_zero ? v == 0 : place == most && (chosen & writer.below) == 0;
  row.token.store(0, __int_as_float(v), is_chosen);
  writer.is_chosen = is_chosen;
  writer.value = x;
  writer.most = most;
}

/* What is behind the token, a part a step: the warp that did it all at once would keep the others waiting.
 * The token of step `step` - 1, the y-th of all rows, to where it is wanted, and e^(logit - the best): minus
 * infinity is 0 to a softmax unless all are. */
__device__ __forceinline__ void small_raise_outputs(const struct decode &d, struct small_writer &writer,
                                                    struct small_fault &fault, int step, int64_t y) {
  if (writer.wants & SMALL_TOKENS && writer.is_chosen)
    d.d_tokens[y] = small_lane();
  bool is_softmax = writer.wants & SMALL_SOFTMAX, there = writer.wants & SMALL_CLASS;
  float best =
      writer.most == INT32_MIN ? -INFINITY : __int_as_float(writer.most ^ (writer.most >> 31 & INT32_MAX));
  float x = writer.value, less = there ? x - best : -INFINITY;
  int good = !there | ((x <= FLT_MAX) & (best != -INFINITY) & (is_softmax | (x >= -FLT_MAX))); /* no branch */
  fault.look(good != 0, step, LAUNCH_STAGE_OUTPUTS);
  float power = small_exp(less < -87.0f ? -87.0f : less, less < -87.0f ? 0 : ~0); /* below: 0 */
  writer.part = lanes_sum(power, 1);
  writer.value = is_softmax ? power : x;
}

/* The powers' sums of sixteen lanes. */
__device__ __forceinline__ void small_sum_outputs(struct small_writer &writer) {
  writer.part = lanes_sum(lanes_sum(lanes_sum(writer.part, 2), 4), 8);
}

/* The softmax, or the logits themselves. */
__device__ __forceinline__ void small_write_outputs(const struct decode &d, const struct small_writer &writer,
                                                    int64_t y) {
  float share = writer.value * device_reciprocal(lanes_sum(writer.part, 16)); /* the sum is at least 1 */
  if (writer.wants & SMALL_OUTPUTS && writer.wants & SMALL_CLASS)
    d.d_outputs[y * d.outputs + small_lane()] = writer.wants & SMALL_SOFTMAX ? share : writer.value;
}

/* The power of the thread's position: the warps that do not attend take 32 positions each. */
__device__ __forceinline__ float small_own_power(const struct small_row &row) {
  int t = (int)threadIdx.x - SMALL_THREADS;
  return small_read(row.powers, t < row.length ? t : 0);
}

/* The alpha of the thread's position in step `step` - 1. part: 1 / sum p of that step. */
__device__ __forceinline__ void small_write_alpha(const struct small_row &row, struct small_writer &writer,
                                                  int step, float part) {
  int t = (int)threadIdx.x - SMALL_THREADS;
  if (writer.alpha && step > 0)
    writer.alpha[(step - 1) * row.time] = t < row.length ? writer.power * part : 0.0f;
}

/* Alphas of the positions behind the threads' in the step, the y-th of all rows. half: of sum p, the
 * lane's. */
__device__ __forceinline__ void small_write_more(const struct decode &d, const struct small_row &row,
                                                 float half, int64_t y) {
  asm volatile("" : "+f"(half)); /* that nothing of it is made for all rows */
  float part = small_part(half);
#pragma unroll 1
  for (int t = (int)threadIdx.x; t < row.time; t += SMALL_THREADS)
    d.d_alphas[y * row.time + t] = t < row.length ? small_read(row.powers, t) * part : 0.0f;
}

/* Context and h of step `step` - 1: looked at, and written where they are wanted. Each of those warps takes
 * sixteen columns and sixteen units. part: 1 / sum p of that step. */
__device__ __forceinline__ void small_write_vectors(const struct small_row &row,
                                                    const struct small_writer &writer, int step, float part,
                                                    struct small_fault &fault) {
  float value = small_read(row.vector_own, 0) * (writer.is_state ? 1.0f : part);
  int stage = !check_is_finite(part) ? (int)LAUNCH_STAGE_ENERGIES
              : writer.is_state      ? (int)LAUNCH_STAGE_DECODER
                                     : (int)LAUNCH_STAGE_CONTEXT;
  fault.look(check_is_finite(value) || step == 0, step, (enum launch_stage)stage);
  if (writer.vector && step > 0)
    writer.vector[(step - 1) * writer.apart] = value;
}

/* Behind `step` steps, the y-th of all rows: what of the last ones is not yet written. */
__device__ __forceinline__ void small_end_outputs(const struct decode &d, struct small_writer &writer,
                                                  struct small_fault &fault, int step, int64_t y) {
  asm volatile("" : "+r"(writer.wants)); /* that nothing of it is made before the loop */
  if (writer.turn == 1)
    small_raise_outputs(d, writer, fault, step, y - 1);
  if (writer.turn == 1 || writer.turn == 2)
    small_sum_outputs(writer);
  if (writer.turn > 0)
    small_write_outputs(d, writer, y - writer.turn);
}

#endif
