/* Functions over whole arrays: activations, softmaxes, maxima, and what moves numbers. */
#ifndef CUSEQ_CPU_FUNCTIONS_H
#define CUSEQ_CPU_FUNCTIONS_H

#include "backends/cpu/kernels/activations.h"
#include "backends/cpu/kernels/sums.h"

static void kernel_activate(cuseq_activation activation, float *x, int32_t count) {
  for (int32_t i = 0; i < count; i += LANES)
    v_store(x + i, v_activate_scaled(activation, v_scaled(activation, v_load(x + i))));
}

static void kernel_exponential(float *x, int32_t count) {
  for (int32_t i = 0; i < count; i += LANES)
    v_store(x + i, v_exp(v_load(x + i)));
}

/* The largest of x [count] that is not NaN, minus infinity where there is none; whole vectors are read. */
INLINE float largest_of(const float *x, int32_t count) {
  const vf lowest = v_set(-__builtin_inff());
  vf largest[4] = {lowest, lowest, lowest, lowest};
  int32_t i = 0;
  for (; i + 4 * LANES <= count; i += 4 * LANES)
    UNROLL
  for (int n = 0; n < 4; n++)
    largest[n] = v_at_least(v_load(x + i + n * LANES), largest[n]);
  for (; i + LANES <= count; i += LANES)
    largest[0] = v_at_least(v_load(x + i), largest[0]);
  if (i < count)
    largest[1] = v_at_least(v_first(count - i, v_load(x + i), lowest), largest[1]);
  return v_largest(v_at_least(v_at_least(largest[0], largest[1]), v_at_least(largest[2], largest[3])));
}

/* x = exp(x - largest) for a block of values, 0 past count; returns the lanes' sums. */
INLINE vf exponentials_of_block(float *x, int32_t count, vf largest) {
  vf sum = v_set(0.0f);
  int32_t i = 0;
  for (; i + LANES <= count; i += LANES) {
    vf e = v_exp(v_load(x + i) - largest);
    v_store(x + i, e);
    sum += e;
  }
  if (i < count) {
    vf e = v_first(count - i, v_exp(v_load(x + i) - largest), v_set(0.0f));
    v_store(x + i, e);
    sum += e;
  }
  return sum;
}

/* x = exp(x - largest), 0 past count; returns the sum. */
INLINE float exponentials_of(float *x, int32_t count) {
  const int32_t block = LANES * SUM_POSITIONS;
  vf largest = v_set(largest_of(x, count));
  vf sum = exponentials_of_block(x, count < block ? count : block, largest);
  if (count <= block)
    return v_sum(sum);
  struct block_sum blocks = block_sum_begin(&sum);
  for (int32_t i = block; i < count; i += block) {
    sum = exponentials_of_block(x + i, count - i < block ? count - i : block, largest);
    block_sum_take(&blocks, &sum);
  }
  return v_sum(block_sum_total(&blocks));
}

static float kernel_exponentials(float *e, int32_t length) {
  return exponentials_of(e, length);
}

/* Zeros, and NaN where x or one before it was not finite. */
INLINE vf v_trace(vf x, vf trace) {
  return v_fma(x, v_set(0.0f), trace);
}

static bool kernel_finite(const float *x, int32_t count, bool softmax) {
  const vf lowest = v_set(softmax ? -FLT_MAX : -__builtin_inff());
  vf trace = v_set(0.0f);
  int32_t i = 0;
  for (; i + LANES <= count; i += LANES)
    trace = v_trace(v_at_least(lowest, v_load(x + i)), trace);
  if (i < count) /* and no more: what lies behind may be another thread's */
    trace = v_trace(v_at_least(lowest, v_load_first(x + i, count - i)), trace);
  return !v_any_nan(trace);
}

static void kernel_softmax(float *x, int32_t count, float *out) {
  vf factor = v_set(1.0f / exponentials_of(x, count));
  int32_t i = 0;
  for (; i + LANES <= count; i += LANES)
    v_store(out + i, v_load(x + i) * factor);
  if (i < count)
    v_store_first(out + i, count - i, v_load(x + i) * factor);
}

/* A block of so many vectors: as many as do not cost the sum more than its first rounding or two. */
enum { LOG_SUM_VECTORS = 8 };

/* exp(x - largest) as a term of a sum, at most 1: a power of two, whose rounded exponent errs by as many
 * roundings of the term as it is below the largest, which is less than one of the sum. Half the work of
 * v_exp(). */
INLINE vf log_sum_term(const float *x, vf largest) {
  return v_exp2_below_one((v_load(x) - largest) * v_set(0x1.715476p+0f));
}

static float kernel_log_sum(const float *x, int32_t count, float top) {
  const vf largest = v_set(top);
  vf block = v_set(0.0f);
  struct block_sum blocks = block_sum_begin(&block);
  int32_t i = 0;
  for (; i + LOG_SUM_VECTORS * LANES <= count; i += LOG_SUM_VECTORS * LANES) {
    UNROLL
    for (int n = 0; n < LOG_SUM_VECTORS; n++)
      block += log_sum_term(x + i + n * LANES, largest);
    block_sum_take(&blocks, &block);
  }
  for (; i + LANES <= count; i += LANES)
    block += log_sum_term(x + i, largest);
  if (i < count)
    block += v_first(count - i, log_sum_term(x + i, largest), v_set(0.0f));
  block_sum_take(&blocks, &block);
  float lanes[LANES];
  double sum = 0.0;
  v_store(lanes, block_sum_total(&blocks));
  for (int l = 0; l < LANES; l++)
    sum += (double)lanes[l];
  return (float)log(sum);
}

static void kernel_log_softmax(const float *x, int32_t count, float top, float log_sum, float *out) {
  const vf largest = v_set(top), less = v_set(log_sum);
  for (int32_t i = 0; i < count; i += LANES)
    if (count - i >= LANES)
      v_store(out + i, v_load(x + i) - largest - less);
    else
      v_store_first(out + i, count - i, v_load(x + i) - largest - less);
}

/* The largest value and whether all are finite, in one pass. */
static int32_t kernel_argmax(const float *x, int32_t count, bool softmax, bool *finite) {
  const vf least = v_set(-__builtin_inff()), counted = v_set(softmax ? -FLT_MAX : -__builtin_inff());
  vf largest[4] = {least, least, least, least}, trace[4] = {{0.0f}};
  int32_t i = 0;
  for (; i + 4 * LANES <= count; i += 4 * LANES)
    UNROLL
  for (int n = 0; n < 4; n++) {
    const vf next = v_load(x + i + n * LANES);
    largest[n] = v_at_least(next, largest[n]);
    trace[n] = v_trace(v_at_least(counted, next), trace[n]);
  }
  for (; i < count; i += LANES) {
    const vf next = i + LANES <= count ? v_load(x + i) : v_first(count - i, v_load(x + i), least);
    const vf known = i + LANES <= count ? next : v_first(count - i, next, v_set(0.0f));
    largest[0] = v_at_least(next, largest[0]);
    trace[0] = v_trace(v_at_least(counted, known), trace[0]);
  }
  *finite = !v_any_nan((trace[0] + trace[1]) + (trace[2] + trace[3]));
  if (x[0] != x[0])
    return 0;
  const vf top =
      v_set(v_largest(v_at_least(v_at_least(largest[0], largest[1]), v_at_least(largest[2], largest[3]))));
  int lane; /* there is one: the first value at least counts */
  for (i = 0; (lane = v_first_equal(v_load(x + i), top)) == LANES;)
    i += LANES;
  return i + lane;
}

static void kernel_merge(cuseq_merge merge, const float *in1, const float *in2, int32_t count, float *out) {
  vf half = v_set(merge == CUSEQ_MERGE_AVE ? 0.5f : 1.0f);
  for (int32_t i = 0; i < count; i += LANES) {
    vf a = v_load(in1 + i), b = v_load(in2 + i);
    v_store(out + i, merge == CUSEQ_MERGE_MUL ? a * b : (a + b) * half);
  }
}

static void kernel_narrow(const double *in, int32_t count, float *out) {
  for (int32_t i = 0; i < count; i++)
    out[i] = (float)in[i];
}

static void kernel_transpose(const float *in, size_t in_stride, int32_t rows, int32_t columns, float *out,
                             size_t out_stride) {
  for (int32_t r = 0; r < rows; r += LANES)
    for (int32_t c = 0; c < columns; c += LANES)
      v_transpose(in + (size_t)r * in_stride + (size_t)c, in_stride, out + (size_t)c * out_stride + (size_t)r,
                  out_stride);
}

#endif
