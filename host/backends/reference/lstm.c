#include "backends/reference/reference.h"

/* z = x W + h U + b in gate blocks i, f, c, o; c' = f c + i g; h' = o act(c'). Keras, LSTMCell; design
 * section 2. */
void reference_lstm_step(const struct lstm_weights *weights, cuseq_activation activation,
                         cuseq_activation recurrent, const double *x, int32_t id, double *h, double *c,
                         double *z) {
  int32_t H = weights->units;
  for (int32_t j = 0; j < 4 * H; j++)
    z[j] = (double)weights->bias[j] + (id >= 0 ? (double)weights->kernel[(size_t)id * 4 * H + j] : 0.0);
  if (id < 0)
    reference_multiply(x, weights->kernel, weights->inputs, 4 * H, z);
  reference_multiply(h, weights->recurrent_kernel, H, 4 * H, z);
  for (int32_t j = 0; j < H; j++) {
    double i = reference_activate(recurrent, z[j]);
    double f = reference_activate(recurrent, z[H + j]);
    double g = reference_activate(activation, z[2 * H + j]);
    double o = reference_activate(recurrent, z[3 * H + j]);
    c[j] = f * c[j] + i * g;
    h[j] = o * reference_activate(activation, c[j]);
  }
}
