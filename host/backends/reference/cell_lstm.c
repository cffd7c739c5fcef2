/* The LSTM: Hochreiter and Schmidhuber (1997), with Gers's forget gate (2000). */
#include "backends/reference/reference.h"

/* z = x W + h U + b in gate blocks i, f, c, o; c' = f c + i g; h' = o act(c'). */
void reference_lstm_step(const struct cell *cell, const double *x, int32_t id, double *h, double *c,
                         double *z) {
  int32_t H = cell->units;
  reference_cell_inputs(cell, x, id, z);
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
