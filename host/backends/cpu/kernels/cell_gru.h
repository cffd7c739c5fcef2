/* The GRU as the cell core takes it: three weights a unit (z, r, n) for an input and for a hidden state, and
 * four sums: z and r of both, n of the input and n of the hidden state apart, since the reset gate comes
 * between them. What is kept is h itself, in whole vectors. Sums come scaled for their activations
 * (kernels.h). */
#ifndef CUSEQ_CPU_CELL_GRU_H
#define CUSEQ_CPU_CELL_GRU_H

#include "backends/cpu/kernels.h"
#include "backends/cpu/kernels/activations.h"

enum { GRU_GATES = 3 };

INLINE int gru_sum_of(const int g, const int hidden) {
  return g == 2 && hidden ? 3 : g;
}

/* sigmoid, tanh: what the power of the candidate's pre-activation, 2^(x W_n + r (h U_n)), cut at 2^30, lacks
 * of 1. */
INLINE vf gru_candidate_joined(const vf z[4]) {
  return v_less_exp2(v_fma(v_sigmoid_scaled(z[1]), z[3], z[2]), 30.0f);
}

/* With Z = 1 + 2^z and n = e/(2-e): h' = n + (h-n)/Z = (h (2-e) + (Z-1) e) / (Z (2-e)): one division. */
INLINE vf gru_hidden_joined(vf z, vf e, vf h) {
  const vf two = v_set(2.0f);
  vf power = v_exp2(z, 30.0f);
  return v_fma(h, two - e, power * e) / ((v_set(1.0f) + power) * (two - e));
}

INLINE vf gru_candidate_any(const struct cpu_cell *cell, const vf z[4]) {
  return v_activate_scaled(cell->activation,
                           v_fma(v_activate_scaled(cell->recurrent_activation, z[1]), z[3], z[2]));
}

/* h' = Z h + (1-Z) n. It is not n + Z (h-n): an n far larger than h, as relu and its like give, would take h
 * along where Z is 1 and n does not count. */
INLINE vf gru_blend(vf z, vf h, vf n) {
  return v_fma(z, h, (v_set(1.0f) - z) * n);
}

INLINE vf gru_hidden_any(const struct cpu_cell *cell, vf z, vf n, vf h) {
  return gru_blend(v_activate_scaled(cell->recurrent_activation, z), h, n);
}

#endif
