/* The GRU: Cho et al. (2014); with the reset after the product as cuDNN and PyTorch have it. */
#include "backends/reference/reference.h"

#include <string.h>

/* y [units] += x U_n, the candidate's block of the recurrent kernel. */
static void multiply_candidate(const struct cell *cell, const double *x, double *y) {
  int32_t H = cell->units;
  for (int32_t k = 0; k < H; k++)
    for (int32_t j = 0; j < H; j++)
      y[j] +=
          reference_product(x[k], cell->recurrent_kernel[(size_t)k * 3 * (size_t)H + (size_t)(2 * H + j)]);
}

/* z, r = rec(x W + b + h U + b') in blocks z, r, n; reset after: n = act(x W_n + b_n + r (h U_n + b'_n));
 * before: n = act(x W_n + b_n + (r h) U_n); h' = z h + (1 - z) n. `z` holds x W + b [3H], then h U + b' [3H],
 * then r h [H]. */
void reference_gru_step(const struct cell *cell, const double *x, int32_t id, double *h, double *z) {
  int32_t H = cell->units;
  double *recurrent = z + 3 * H, *reset = z + 6 * H;
  reference_cell_inputs(cell, x, id, z);
  for (int32_t j = 0; j < 3 * H; j++)
    recurrent[j] = cell->recurrent_bias ? (double)cell->recurrent_bias[j] : 0.0;
  reference_multiply(h, cell->recurrent_kernel, H, 3 * H, recurrent);
  for (int32_t j = 0; j < H; j++)
    reset[j] = activation_value(cell->recurrent_activation, z[H + j] + recurrent[H + j]);
  if (cell->reset_after) {
    for (int32_t j = 0; j < H; j++)
      recurrent[2 * H + j] *= reset[j];
  } else {
    for (int32_t j = 0; j < H; j++)
      reset[j] *= h[j];
    memset(recurrent + 2 * H, 0, (size_t)H * sizeof *recurrent);
    multiply_candidate(cell, reset, recurrent + 2 * H);
  }
  for (int32_t j = 0; j < H; j++) {
    double update = activation_value(cell->recurrent_activation, z[j] + recurrent[j]);
    double candidate = activation_value(cell->activation, z[2 * H + j] + recurrent[2 * H + j]);
    h[j] = update * h[j] + (1.0 - update) * candidate;
  }
}
