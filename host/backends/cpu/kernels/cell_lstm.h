/* The LSTM as the cell core takes it: four weights a unit (i, f, c, o), each with a sum of its own; c is kept
 * beside h. Sums come scaled for their activations (kernels.h). */
#ifndef CUSEQ_CPU_CELL_LSTM_H
#define CUSEQ_CPU_CELL_LSTM_H

#include "backends/cpu/kernels.h"
#include "backends/cpu/kernels/activations.h"

enum { LSTM_GATES = 4 };

/* Where powers of two are cut in joined quotients: 2^30, within 1e-9 of the gates' limits. */
static const float TOP = 30.0f;

/* sigmoid, tanh: the quotients are joined, c' = c/f + g/(i(2-g)) over one denominator and h = e/(o(2-e)),
 * with i, f, o one more than their powers of two, and g, e what theirs lack of 1. Two divisions are left of
 * five. Powers cut at 2^30 (there the gates are within 1e-9 of their limits) keep every product finite for
 * |c| < 2^67. */
INLINE vf lstm_cell_joined(const vf z[4], vf c) {
  vf one = v_set(1.0f);
  vf i = one + v_exp2(z[0], TOP), f = one + v_exp2(z[1], TOP), g = v_less_exp2(z[2], TOP);
  vf share = i * (v_set(2.0f) - g);
  return v_fma(c, share, g * f) / (share * f);
}

INLINE vf lstm_hidden_joined(vf z, vf c) {
  const vf one = v_set(1.0f);
  vf o = one + v_exp2(z, TOP), e = v_less_exp2(c * v_set(-0x1.715476p+1f), TOP);
  return e / (o * (v_set(2.0f) - e));
}

/* hard sigmoids, tanh */
INLINE vf lstm_cell_clip(const vf z[4], vf c) {
  return v_fma(v_clip_scaled(z[1]), c, v_clip_scaled(z[0]) * v_tanh_scaled(z[2]));
}

INLINE vf lstm_hidden_clip(vf z, vf c) {
  return v_clip_scaled(z) * v_tanh_scaled(c * v_set(-0x1.715476p+1f));
}

INLINE vf lstm_cell_any(const struct cpu_cell *cell, const vf z[4], vf c) {
  const cuseq_activation rec = cell->recurrent_activation;
  return v_fma(v_activate_scaled(rec, z[1]), c,
               v_activate_scaled(rec, z[0]) * v_activate_scaled(cell->activation, z[2]));
}

INLINE vf lstm_hidden_any(const struct cpu_cell *cell, vf z, vf c) {
  const cuseq_activation act = cell->activation;
  return v_activate_scaled(cell->recurrent_activation, z) * v_activate_scaled(act, v_scaled(act, c));
}

#endif
