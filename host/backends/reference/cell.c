/* One step of a cell, each kind by its formulas. */
#include "backends/reference/reference.h"

#include <string.h>

/* z [gates x units] = x kernel + bias */
static void inputs_of(const struct cell *cell, const double *x, int32_t id, double *z) {
  int32_t width = cell_gates(cell->kind) * cell->units;
  for (int32_t j = 0; j < width; j++) {
    z[j] = cell->bias ? (double)cell->bias[j] : 0.0;
    if (id >= 0)
      z[j] += reference_product(1.0, cell->kernel[(size_t)id * (size_t)width + (size_t)j]);
  }
  if (id < 0)
    reference_multiply(x, cell->kernel, cell->inputs, width, z);
}

/* ---- the LSTM: Hochreiter and Schmidhuber (1997), with Gers's forget gate (2000) ---- */

/* z = x W + h U + b in gate blocks i, f, c, o; c' = f c + i g; h' = o act(c'). */
static void lstm_step(const struct cell *cell, const double *x, int32_t id, double *h, double *c, double *z) {
  int32_t H = cell->units;
  inputs_of(cell, x, id, z);
  reference_multiply(h, cell->recurrent_kernel, H, 4 * H, z);
  for (int32_t j = 0; j < H; j++) {
    double i = activation_value(cell->recurrent_activation, z[j]);
    double f = activation_value(cell->recurrent_activation, z[H + j]);
    double g = activation_value(cell->activation, z[2 * H + j]);
    double o = activation_value(cell->recurrent_activation, z[3 * H + j]);
    c[j] = f * c[j] + i * g;
    h[j] = o * activation_value(cell->activation, c[j]);
  }
}

/* ---- the GRU: Cho et al. (2014); with the reset after the product as cuDNN and PyTorch have it ---- */

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
static void gru_step(const struct cell *cell, const double *x, int32_t id, double *h, double *z) {
  int32_t H = cell->units;
  double *recurrent = z + 3 * H, *reset = z + 6 * H;
  inputs_of(cell, x, id, z);
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

/* ---- the choice ---- */

void reference_cell_step(const struct cell *cell, const double *x, int32_t id, double *h, double *c,
                         double *z) {
  if (cell->kind == CELL_GRU)
    gru_step(cell, x, id, h, z);
  else
    lstm_step(cell, x, id, h, c, z);
}
