#include "backends/reference/reference.h"

#include <math.h>

static double clip01(double x) {
  return isnan(x) ? x : fmin(fmax(x, 0.0), 1.0);
}

double reference_activate(cuseq_activation activation, double x) {
  switch (activation) {
  case CUSEQ_ACTIVATION_TANH:
    return tanh(x);
  case CUSEQ_ACTIVATION_RELU:
    return x > 0.0 || isnan(x) ? x : 0.0;
  case CUSEQ_ACTIVATION_SIGMOID:
    return 1.0 / (1.0 + exp(-x));
  case CUSEQ_ACTIVATION_HARD_SIGMOID:
    return clip01(x / 6.0 + 0.5);
  case CUSEQ_ACTIVATION_HARD_SIGMOID_KERAS2:
    return clip01(0.2 * x + 0.5);
  case CUSEQ_ACTIVATION_LINEAR:
  case CUSEQ_ACTIVATION_SOFTMAX: /* a row's affair: reference_softmax */
    break;
  }
  return x;
}

void reference_softmax(double *x, int32_t length, int32_t n) {
  double maximum = x[0], sum = 0.0;
  for (int32_t i = 1; i < length; i++)
    maximum = x[i] > maximum ? x[i] : maximum;
  for (int32_t i = 0; i < length; i++) {
    x[i] = exp(x[i] - maximum);
    sum += x[i];
  }
  for (int32_t i = 0; i < n; i++)
    x[i] = i < length ? x[i] / sum : 0.0;
}

void reference_multiply(const double *x, const float *kernel, int32_t inputs, int32_t units, double *y) {
  for (int32_t k = 0; k < inputs; k++)
    for (int32_t j = 0; j < units; j++)
      y[j] += x[k] * (double)kernel[(size_t)k * units + j];
}

void reference_dense(const struct dense_weights *dense, const double *x, double *y) {
  for (int32_t j = 0; j < dense->units; j++)
    y[j] = (double)dense->bias[j];
  reference_multiply(x, dense->kernel, dense->inputs, dense->units, y);
}

void reference_store(float *target, size_t offset, const double *values, size_t count) {
  for (size_t i = 0; target && i < count; i++)
    target[offset + i] = (float)values[i];
}
