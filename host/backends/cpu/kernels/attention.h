/* Attention over the annotations of one row, vectorised over positions (energies) or columns (context). */
#ifndef CUSEQ_CPU_ATTENTION_H
#define CUSEQ_CPU_ATTENTION_H

#include "backends/cpu/kernels.h"
#include "backends/cpu/kernels/functions.h"
#include "backends/cpu/kernels/sums.h"

/* s[r] += products of row r with v over the columns first .. end - 1, whole vectors of them. */
INLINE void dots_of_columns(const int R, const float *row, size_t stride, const float *v, int32_t first,
                            int32_t end, vf s[4]) {
  for (int32_t k = first; k < end; k += LANES) {
    vf x = v_load(v + k);
    UNROLL
    for (int r = 0; r < R; r++)
      s[r] = v_fma(v_load(row + (size_t)r * stride + k), x, s[r]);
  }
}

/* The partial sums of R rows, in blocks where there are many columns. */
INLINE void dots_of_rows(const int R, const float *row, size_t stride, int32_t columns, const float *v,
                         float *partial) {
  const int32_t block = LANES * SUM_TERMS;
  vf s[4];
  UNROLL
  for (int r = 0; r < R; r++)
    s[r] = v_set(0.0f);
  dots_of_columns(R, row, stride, v, 0, columns < block ? columns : block, s);
  if (columns > block) {
    struct block_sum blocks[4];
    UNROLL
    for (int r = 0; r < R; r++)
      blocks[r] = block_sum_begin(&s[r]);
    for (int32_t k = block; k < columns; k += block) {
      dots_of_columns(R, row, stride, v, k, columns - k < block ? columns : k + block, s);
      UNROLL
      for (int r = 0; r < R; r++)
        block_sum_take(&blocks[r], &s[r]);
    }
    UNROLL
    for (int r = 0; r < R; r++)
      s[r] = block_sum_total(&blocks[r]);
  }
  UNROLL
  for (int r = 0; r < R; r++)
    v_store(partial + r * LANES, s[r]);
}

/* e[t] of LANES positions at a time: one vector of partial sums per position, transposed and added up in a
 * tree. */
static void kernel_dots(const float *a, size_t stride, int32_t columns, const float *v, float bias,
                        float scale, int32_t length, float *e) {
  float partial[LANES * LANES] __attribute__((aligned(64)));
  float turned[LANES * LANES] __attribute__((aligned(64)));
  memset(partial, 0, sizeof partial);
  for (int32_t t = 0; t < length; t += LANES) {
    const int32_t here = length - t < LANES ? length - t : LANES;
    int32_t i = 0;
    for (; i + 4 <= here; i += 4)
      dots_of_rows(4, a + (size_t)(t + i) * stride, stride, columns, v, partial + i * LANES);
    for (; i < here; i++)
      dots_of_rows(1, a + (size_t)(t + i) * stride, stride, columns, v, partial + i * LANES);
    v_transpose(partial, LANES, turned, LANES);
    vf sums[LANES];
    UNROLL
    for (int l = 0; l < LANES; l++)
      sums[l] = v_load(turned + l * LANES);
    UNROLL
    for (int half = LANES / 2; half > 0; half /= 2)
      UNROLL
    for (int l = 0; l < half; l++)
      sums[l] += sums[l + half];
    v_store(e + t, (sums[0] + v_set(bias)) * v_set(scale));
  }
}

/* Sums over units in blocks: `sum` [N] is what `add` made of the first SUM_TERMS of `units`. */
#define ADD_IN_BLOCKS(N, sum, units, add)                                                                    \
  do {                                                                                                       \
    struct block_sum blocks[4];                                                                              \
    UNROLL                                                                                                   \
    for (int n = 0; n < (N); n++)                                                                            \
      blocks[n] = block_sum_begin(&(sum)[n]);                                                                \
    for (int32_t first = SUM_TERMS; first < (units); first += SUM_TERMS) {                                   \
      const int32_t end = (units)-first < SUM_TERMS ? (units) : first + SUM_TERMS;                           \
      add;                                                                                                   \
      UNROLL                                                                                                 \
      for (int n = 0; n < (N); n++)                                                                          \
        block_sum_take(&blocks[n], &(sum)[n]);                                                               \
    }                                                                                                        \
    UNROLL                                                                                                   \
    for (int n = 0; n < (N); n++)                                                                            \
      (sum)[n] = block_sum_total(&blocks[n]);                                                                \
  } while (0)

INLINE int32_t first_block(int32_t units) {
  return units < SUM_TERMS ? units : SUM_TERMS;
}

/* The units first .. end - 1 of the usual small network: one layer after the first, of one unit. tanh w =
 * 2w/(1+2^z) - w would save an operation and lose accuracy where keys are near zero, so it is not used. */
INLINE void energies_of_units(const int N, const cuseq_activation activation, const struct cpu_energy *energy,
                              const float *keys, size_t stride, const float *query, int32_t first,
                              int32_t end, vf sum[4]) {
  keys += (size_t)first * stride;
  for (int32_t j = first; j < end; j++, keys += stride) {
    vf q = v_set(query[j]), w = v_set(energy->weights[1][j]);
    UNROLL
    for (int n = 0; n < N; n++)
      sum[n] = v_fma(v_activate_scaled(activation, v_load(keys + n * LANES) + q), w, sum[n]);
  }
}

/* N vectors of positions. */
INLINE void energies_block(const int N, const cuseq_activation activation, const struct cpu_energy *energy,
                           const float *keys, size_t stride, const float *query, float *e) {
  const int32_t units = energy->units[0];
  vf sum[4];
  UNROLL
  for (int n = 0; n < N; n++)
    sum[n] = v_set(energy->bias[1][0]);
  energies_of_units(N, activation, energy, keys, stride, query, 0, first_block(units), sum);
  if (units > SUM_TERMS)
    ADD_IN_BLOCKS(N, sum, units,
                  energies_of_units(N, activation, energy, keys, stride, query, first, end, sum));
  UNROLL
  for (int n = 0; n < N; n++)
    v_store(e + n * LANES, v_activate_scaled(energy->activation[1], sum[n]) * v_set(energy->scale));
}

INLINE void energies_of_two(const cuseq_activation first, const struct cpu_energy *energy, const float *keys,
                            size_t stride, const float *query, int32_t length, float *e) {
  int32_t t = 0;
  for (; t + LANES < length; t += 2 * LANES)
    energies_block(2, first, energy, keys + t, stride, query, e + t);
  if (t < length)
    energies_block(1, first, energy, keys + t, stride, query, e + t);
}

/* tanh(k + q) = (1 - 2^(y+z)) / (1 + 2^(y+z)), where y and z are k and q scaled, and 2^(y+z) = 2^y 2^z: the
 * powers of the keys are made once per sequence, those of the query once per step, and no position needs one
 * of its own. KEY_BOUND keeps the keys' representable; the query's come as two factors, the second an exact
 * power of two, so that any query may meet them: a product that overflows or vanishes is one of a tanh of 1.
 * The tanh errs 1.5e-7 where it is steepest. */
static const float KEY_BOUND = 60.0f, QUERY_BOUND = 252.0f, POWER_TOP = 0x1p30f;

static int32_t kernel_key_powers(const struct cpu_energy *energy, float *keys, size_t stride,
                                 int32_t length) {
  if (energy->layers != 1 || energy->units[1] != 1 || energy->activation[0] != CUSEQ_ACTIVATION_TANH)
    return 0;
  vi beyond = {0};
  for (int32_t j = 0; j < energy->units[0]; j++)
    for (int32_t t = 0; t < length; t += LANES) {
      vf z = v_load(keys + (size_t)j * stride + t);
      z = length - t < LANES ? v_first(length - t, z, v_set(0.0f)) : z;
      beyond |= ~((z <= v_set(KEY_BOUND)) & (z >= v_set(-KEY_BOUND)));
    }
  if (v_largest((vf)(beyond & (vi)v_set(1.0f))) > 0.0f)
    return 0;
  for (int32_t j = 0; j < energy->units[0]; j++)
    for (int32_t t = 0; t < length; t += LANES)
      v_store(keys + (size_t)j * stride + t, v_exp2_bounded(v_load(keys + (size_t)j * stride + t)));
  return 1;
}

/* The two factors of the query's powers: [units[0] in whole vectors] each. */
INLINE void query_powers(const float *query, int32_t units, float *first, float *second) {
  const vf magic = v_set(12582912.0f); /* 1.5 * 2^23: rounds to an integer */
  for (int32_t j = 0; j < units; j += LANES) {
    vf z = v_at_least(v_set(-QUERY_BOUND), v_at_most(v_set(QUERY_BOUND), v_load(query + j)));
    vf half = (z * v_set(0.5f) + magic) - magic;
    v_store(first + j, v_exp2_bounded(z - half));
    v_store(second + j, v_exp2_bounded(half));
  }
}

/* sum + w tanh of a unit, from the power of a vector of keys and the two factors p, q of the query's. */
INLINE vf power_of_unit(vf key, float p, float q, float w, vf sum) {
  const vf one = v_set(1.0f);
  vf power = v_at_most(v_set(POWER_TOP), key * v_set(p) * v_set(q));
  return v_fma((one - power) / (one + power), v_set(w), sum);
}

/* The units first .. end - 1 of N vectors of positions. */
INLINE void powers_of_units(const int N, const struct cpu_energy *energy, const float *keys, size_t stride,
                            const float *first_power, const float *second_power, int32_t first, int32_t end,
                            vf sum[4]) {
  keys += (size_t)first * stride;
  int32_t j = first;
  if (N == 1) { /* odd units apart: one sum would wait for itself */
    vf odd = v_set(0.0f);
    for (; j + 2 <= end; j += 2, keys += 2 * stride) {
      sum[0] = power_of_unit(v_load(keys), first_power[j], second_power[j], energy->weights[1][j], sum[0]);
      odd = power_of_unit(v_load(keys + stride), first_power[j + 1], second_power[j + 1],
                          energy->weights[1][j + 1], odd);
    }
    sum[0] += odd;
  }
  for (; j < end; j++, keys += stride) {
    UNROLL
    for (int n = 0; n < N; n++)
      sum[n] = power_of_unit(v_load(keys + n * LANES), first_power[j], second_power[j], energy->weights[1][j],
                             sum[n]);
  }
}

/* N vectors of positions; p, q: the factors of the query's powers. */
INLINE void energies_of_powers(const int N, const struct cpu_energy *energy, const float *keys, size_t stride,
                               const float *p, const float *q, float *e) {
  const int32_t units = energy->units[0];
  vf sum[4];
  UNROLL
  for (int n = 0; n < N; n++)
    sum[n] = v_set(energy->bias[1][0]);
  powers_of_units(N, energy, keys, stride, p, q, 0, first_block(units), sum);
  if (units > SUM_TERMS)
    ADD_IN_BLOCKS(N, sum, units, powers_of_units(N, energy, keys, stride, p, q, first, end, sum));
  UNROLL
  for (int n = 0; n < N; n++)
    v_store(e + n * LANES, v_activate_scaled(energy->activation[1], sum[n]) * v_set(energy->scale));
}

/* The inputs first .. end - 1 of N units of a layer of the score, LANES positions of them. */
INLINE void layer_of_inputs(const int N, const float *in, const float *weights, int32_t units, int32_t first,
                            int32_t end, vf sum[4]) {
  weights += (size_t)first * (size_t)units;
  for (int32_t j = first; j < end; j++, weights += units) {
    vf x = v_load(in + (size_t)j * LANES);
    UNROLL
    for (int n = 0; n < N; n++)
      sum[n] = v_fma(x, v_set(weights[n]), sum[n]);
  }
}

INLINE void layer_units(const int N, const float *in, int32_t inputs, const float *weights, const float *bias,
                        int32_t units, cuseq_activation activation, float *out) {
  vf sum[4];
  UNROLL
  for (int n = 0; n < N; n++)
    sum[n] = v_set(bias[n]);
  layer_of_inputs(N, in, weights, units, 0, first_block(inputs), sum);
  if (inputs > SUM_TERMS)
    ADD_IN_BLOCKS(N, sum, inputs, layer_of_inputs(N, in, weights, units, first, end, sum));
  UNROLL
  for (int n = 0; n < N; n++)
    v_store(out + (size_t)n * LANES, v_activate_scaled(activation, sum[n]));
}

/* A layer of the score for LANES positions: out [units][LANES] from in [inputs][LANES]. */
INLINE void energy_layer(const float *in, int32_t inputs, const float *weights, const float *bias,
                         int32_t units, cuseq_activation activation, float *out) {
  int32_t u = 0;
  for (; u + 4 <= units; u += 4)
    layer_units(4, in, inputs, weights + u, bias + u, units, activation, out + (size_t)u * LANES);
  for (; u < units; u++)
    layer_units(1, in, inputs, weights + u, bias + u, units, activation, out + (size_t)u * LANES);
}

/* Any number of layers, LANES positions at a time. */
static void energies_of_many(const struct cpu_energy *energy, const float *keys, size_t stride,
                             const float *query, int32_t length, float *scratch, float *e) {
  int32_t most = 0;
  for (int32_t l = 0; l <= energy->layers; l++)
    most = energy->units[l] > most ? energy->units[l] : most;
  float *in = scratch, *out = scratch + (size_t)most * CPU_LANES;
  for (int32_t t = 0; t < length; t += LANES) {
    for (int32_t j = 0; j < energy->units[0]; j++) {
      vf z = v_load(keys + (size_t)j * stride + t) + v_set(query[j]);
      v_store(in + (size_t)j * LANES, v_activate_scaled(energy->activation[0], z));
    }
    for (int32_t l = 1; l <= energy->layers; l++) {
      energy_layer(in, energy->units[l - 1], energy->weights[l], energy->bias[l], energy->units[l],
                   energy->activation[l], out);
      float *swap = in;
      in = out;
      out = swap;
    }
    v_store(e + t, v_load(in) * v_set(energy->scale));
  }
}

static void kernel_energies(const struct cpu_energy *energy, const float *keys, size_t stride, int32_t powers,
                            const float *query, int32_t length, float *scratch, float *e) {
  if (powers) {
    float *second = scratch + (energy->units[0] + LANES - 1) / LANES * LANES;
    int32_t t = 0;
    query_powers(query, energy->units[0], scratch, second);
    for (; t + LANES < length; t += 2 * LANES)
      energies_of_powers(2, energy, keys + t, stride, scratch, second, e + t);
    if (t < length)
      energies_of_powers(1, energy, keys + t, stride, scratch, second, e + t);
  } else if (energy->layers == 0) {
    for (int32_t t = 0; t < length; t += LANES) {
      vf z = v_load(keys + t) + v_set(query[0]);
      v_store(e + t, v_activate_scaled(energy->activation[0], z) * v_set(energy->scale));
    }
  } else if (energy->layers == 1 && energy->units[1] == 1) {
    if (energy->activation[0] == CUSEQ_ACTIVATION_TANH)
      energies_of_two(CUSEQ_ACTIVATION_TANH, energy, keys, stride, query, length, e);
    else
      energies_of_two(energy->activation[0], energy, keys, stride, query, length, e);
  } else {
    energies_of_many(energy, keys, stride, query, length, scratch, e);
  }
}

/* Positions t < length of V vectors of columns; even and odd positions are summed apart, for two chains of
 * additions. */
INLINE void context_positions(const int V, const float *a, size_t stride, int32_t length, const float *e,
                              vf even[4], vf odd[4]) {
  UNROLL
  for (int v = 0; v < V; v++)
    even[v] = odd[v] = v_set(0.0f);
  int32_t t = 0;
  for (; t + 2 <= length; t += 2, a += 2 * stride) {
    vf p = v_set(e[t]), q = v_set(e[t + 1]);
    UNROLL
    for (int v = 0; v < V; v++) {
      even[v] = v_fma(p, v_load(a + v * LANES), even[v]);
      odd[v] = v_fma(q, v_load(a + stride + v * LANES), odd[v]);
    }
  }
  if (t < length) {
    vf p = v_set(e[t]);
    UNROLL
    for (int v = 0; v < V; v++)
      even[v] = v_fma(p, v_load(a + v * LANES), even[v]);
  }
}

/* V vectors of columns of the context, in blocks of positions. */
INLINE void context_block(const int V, const float *a, size_t stride, int32_t length, const float *e,
                          vf factor, float *context, vf *trace) {
  const int32_t block = 2 * SUM_POSITIONS;
  vf even[4], odd[4];
  context_positions(V, a, stride, length < block ? length : block, e, even, odd);
  UNROLL
  for (int v = 0; v < V; v++)
    even[v] += odd[v];
  if (length > block) {
    struct block_sum blocks[4];
    UNROLL
    for (int v = 0; v < V; v++)
      blocks[v] = block_sum_begin(&even[v]);
    for (int32_t t = block; t < length; t += block) {
      context_positions(V, a + (size_t)t * stride, stride, length - t < block ? length - t : block, e + t,
                        even, odd);
      UNROLL
      for (int v = 0; v < V; v++)
        block_sum_add(&blocks[v], even[v] + odd[v]);
    }
    UNROLL
    for (int v = 0; v < V; v++)
      even[v] = block_sum_total(&blocks[v]);
  }
  UNROLL
  for (int v = 0; v < V; v++) {
    const vf mean = even[v] * factor;
    v_store(context + v * LANES, mean);
    *trace = v_trace(mean, *trace);
  }
}

static enum cpu_attended kernel_attend(const float *a, size_t stride, int32_t columns, int32_t length,
                                       float *e, float *context) {
  const float sum = exponentials_of(e, length);
  vf factor = v_set(1.0f / sum), trace = v_set(0.0f);
  int32_t k = 0;
  for (; k + 3 * LANES < columns; k += 4 * LANES)
    context_block(4, a + k, stride, length, e, factor, context + k, &trace);
  for (; k + LANES < columns; k += 2 * LANES)
    context_block(2, a + k, stride, length, e, factor, context + k, &trace);
  if (k < columns)
    context_block(1, a + k, stride, length, e, factor, context + k, &trace);
  for (int32_t t = 0; t < length; t += LANES)
    v_store(e + t, v_load(e + t) * factor);
  if (!(sum < __builtin_inff()))
    return CPU_ATTENDED_ENERGIES;
  return v_any_nan(trace) ? CPU_ATTENDED_CONTEXT : CPU_ATTENDED;
}

#endif
