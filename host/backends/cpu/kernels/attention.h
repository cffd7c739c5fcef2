/* Attention over the annotations of one row, vectorised over positions (energies) or columns (context). */
#ifndef CUSEQ_CPU_ATTENTION_H
#define CUSEQ_CPU_ATTENTION_H

#include "backends/cpu/kernels.h"
#include "backends/cpu/kernels/functions.h"

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
    for (; i + 4 <= here; i += 4) {
      const float *row = a + (size_t)(t + i) * stride;
      vf s0 = v_set(0.0f), s1 = s0, s2 = s0, s3 = s0;
      for (int32_t k = 0; k < columns; k += LANES) {
        vf x = v_load(v + k);
        s0 = v_fma(v_load(row + k), x, s0);
        s1 = v_fma(v_load(row + stride + k), x, s1);
        s2 = v_fma(v_load(row + 2 * stride + k), x, s2);
        s3 = v_fma(v_load(row + 3 * stride + k), x, s3);
      }
      v_store(partial + i * LANES, s0);
      v_store(partial + (i + 1) * LANES, s1);
      v_store(partial + (i + 2) * LANES, s2);
      v_store(partial + (i + 3) * LANES, s3);
    }
    for (; i < here; i++) {
      vf s = v_set(0.0f);
      for (int32_t k = 0; k < columns; k += LANES)
        s = v_fma(v_load(a + (size_t)(t + i) * stride + k), v_load(v + k), s);
      v_store(partial + i * LANES, s);
    }
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

/* N vectors of positions of the usual small network: one layer after the first, of one unit. tanh w =
 * 2w/(1+2^z) - w would save an operation and lose accuracy where keys are near zero, so it is not used. */
INLINE void energies_block(const int N, const cuseq_activation first, const struct cpu_energy *energy,
                           const float *keys, size_t stride, const float *query, float *e) {
  vf sum[2];
  UNROLL
  for (int n = 0; n < N; n++)
    sum[n] = v_set(energy->bias[1][0]);
  for (int32_t j = 0; j < energy->units[0]; j++, keys += stride) {
    vf q = v_set(query[j]), w = v_set(energy->weights[1][j]);
    UNROLL
    for (int n = 0; n < N; n++)
      sum[n] = v_fma(v_activate_scaled(first, v_load(keys + n * LANES) + q), w, sum[n]);
  }
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

/* N vectors of positions. */
INLINE void energies_of_powers(const int N, const struct cpu_energy *energy, const float *keys, size_t stride,
                               const float *first, const float *second, float *e) {
  const vf one = v_set(1.0f), top = v_set(POWER_TOP);
  vf sum[4];
  UNROLL
  for (int n = 0; n < N; n++)
    sum[n] = v_set(energy->bias[1][0]);
  for (int32_t j = 0; j < energy->units[0]; j++, keys += stride) {
    vf p = v_set(first[j]), q = v_set(second[j]), w = v_set(energy->weights[1][j]);
    UNROLL
    for (int n = 0; n < N; n++) {
      vf power = v_at_most(top, v_load(keys + n * LANES) * p * q);
      sum[n] = v_fma((one - power) / (one + power), w, sum[n]);
    }
  }
  UNROLL
  for (int n = 0; n < N; n++)
    v_store(e + n * LANES, v_activate_scaled(energy->activation[1], sum[n]) * v_set(energy->scale));
}

/* A layer of the score for LANES positions: out [units][LANES] from in [inputs][LANES]. */
INLINE void energy_layer(const float *in, int32_t inputs, const float *weights, const float *bias,
                         int32_t units, cuseq_activation activation, float *out) {
  int32_t u = 0;
  for (; u + 4 <= units; u += 4) {
    vf s0 = v_set(bias[u]), s1 = v_set(bias[u + 1]), s2 = v_set(bias[u + 2]), s3 = v_set(bias[u + 3]);
    const float *w = weights + u;
    for (int32_t j = 0; j < inputs; j++, w += units) {
      vf x = v_load(in + (size_t)j * LANES);
      s0 = v_fma(x, v_set(w[0]), s0);
      s1 = v_fma(x, v_set(w[1]), s1);
      s2 = v_fma(x, v_set(w[2]), s2);
      s3 = v_fma(x, v_set(w[3]), s3);
    }
    v_store(out + (size_t)u * LANES, v_activate_scaled(activation, s0));
    v_store(out + (size_t)(u + 1) * LANES, v_activate_scaled(activation, s1));
    v_store(out + (size_t)(u + 2) * LANES, v_activate_scaled(activation, s2));
    v_store(out + (size_t)(u + 3) * LANES, v_activate_scaled(activation, s3));
  }
  for (; u < units; u++) {
    vf s = v_set(bias[u]);
    for (int32_t j = 0; j < inputs; j++)
      s = v_fma(v_load(in + (size_t)j * LANES), v_set(weights[(size_t)j * (size_t)units + (size_t)u]), s);
    v_store(out + (size_t)u * LANES, v_activate_scaled(activation, s));
  }
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

/* V vectors of columns of the context; even and odd positions are summed apart, for two chains of additions.
 */
INLINE void context_block(const int V, const float *a, size_t stride, int32_t length, const float *e,
                          vf factor, float *context) {
  vf even[4], odd[4];
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
  UNROLL
  for (int v = 0; v < V; v++)
    v_store(context + v * LANES, (even[v] + odd[v]) * factor);
}

static void kernel_attend(const float *a, size_t stride, int32_t columns, int32_t length, float *e,
                          float *context) {
  vf factor = v_set(1.0f / exponentials_of(e, length));
  int32_t k = 0;
  for (; k + 3 * LANES < columns; k += 4 * LANES)
    context_block(4, a + k, stride, length, e, factor, context + k);
  for (; k + LANES < columns; k += 2 * LANES)
    context_block(2, a + k, stride, length, e, factor, context + k);
  if (k < columns)
    context_block(1, a + k, stride, length, e, factor, context + k);
  for (int32_t t = 0; t < length; t += LANES)
    v_store(e + t, v_load(e + t) * factor);
}

#endif
