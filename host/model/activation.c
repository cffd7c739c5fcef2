#include "model/activation.h"

#include <math.h>

static double clip(double x, double low, double high) {
  return isnan(x) ? x : fmin(fmax(x, low), high);
}

/* 1 / (1 + exp(-x)), without a power that could overflow. */
static double sigmoid(double x) {
  double power = exp(-fabs(x));
  return x >= 0.0 || isnan(x) ? 1.0 / (1.0 + power) : power / (1.0 + power);
}

/* x for x > 0, else slope (exp(x) - 1). */
static double elu(double x, double slope) {
  return x > 0.0 || isnan(x) ? x : slope * expm1(x);
}

static double leaky(double x, double slope) {
  return x > 0.0 || isnan(x) ? x : slope * x;
}

/* Hendrycks and Gimpel, 2016. */
static double gelu_tanh(double x) {
  return 0.5 * x * (1.0 + tanh(0.7978845608028654 * (x + 0.044715 * x * x * x)));
}

double activation_value(cuseq_activation activation, double x) {
  switch (activation) {
  case CUSEQ_ACTIVATION_TANH:
    return tanh(x);
  case CUSEQ_ACTIVATION_RELU:
    return x > 0.0 || isnan(x) ? x : 0.0;
  case CUSEQ_ACTIVATION_SIGMOID:
    return sigmoid(x);
  case CUSEQ_ACTIVATION_HARD_SIGMOID:
    return clip(x / 6.0 + 0.5, 0.0, 1.0);
  case CUSEQ_ACTIVATION_HARD_SIGMOID_KERAS2:
    return clip(0.2 * x + 0.5, 0.0, 1.0);
  case CUSEQ_ACTIVATION_ELU:
    return elu(x, 1.0);
  case CUSEQ_ACTIVATION_SELU: /* Klambauer et al., 2017 */
    return 1.0507009873554805 * elu(x, 1.6732632423543772);
  case CUSEQ_ACTIVATION_GELU:
    return 0.5 * x * (1.0 + erf(x * 0.7071067811865476));
  case CUSEQ_ACTIVATION_GELU_TANH:
    return gelu_tanh(x);
  case CUSEQ_ACTIVATION_SWISH:
    return x * sigmoid(x);
  case CUSEQ_ACTIVATION_SOFTPLUS:
    return fmax(x, 0.0) + log1p(exp(-fabs(x)));
  case CUSEQ_ACTIVATION_SOFTSIGN:
    return x / (1.0 + fabs(x));
  case CUSEQ_ACTIVATION_LEAKY_RELU:
    return leaky(x, 0.01);
  case CUSEQ_ACTIVATION_LEAKY_RELU_02:
    return leaky(x, 0.2);
  case CUSEQ_ACTIVATION_LEAKY_RELU_03:
    return leaky(x, 0.3);
  case CUSEQ_ACTIVATION_EXPONENTIAL:
    return exp(x);
  case CUSEQ_ACTIVATION_HARD_TANH:
    return clip(x, -1.0, 1.0);
  case CUSEQ_ACTIVATION_LINEAR:
  case CUSEQ_ACTIVATION_SOFTMAX: /* a vector's affair: activation_softmax */
  case CUSEQ_ACTIVATION_LOG_SOFTMAX:
    break;
  }
  return x;
}

static double largest(const double *x, int32_t n) {
  double maximum = x[0];
  for (int32_t i = 1; i < n; i++)
    maximum = x[i] > maximum ? x[i] : maximum;
  return maximum;
}

void activation_softmax(double *x, int32_t length, int32_t n) {
  double maximum = largest(x, length), sum = 0.0;
  for (int32_t i = 0; i < length; i++) {
    x[i] = exp(x[i] - maximum);
    sum += x[i];
  }
  for (int32_t i = 0; i < n; i++)
    x[i] = i < length ? x[i] / sum : 0.0;
}

void activation_log_softmax(double *x, int32_t n) {
  double maximum = largest(x, n), sum = 0.0;
  for (int32_t i = 0; i < n; i++)
    sum += exp(x[i] - maximum);
  for (int32_t i = 0; i < n; i++)
    x[i] = x[i] - maximum - log(sum);
}

void activation_normalise(double *x, int32_t n, double epsilon, const float *scale, const float *offset) {
  double mean = 0.0, variance = 0.0;
  for (int32_t i = 0; i < n; i++)
    mean += x[i] / n;
  for (int32_t i = 0; i < n; i++)
    variance += (x[i] - mean) * (x[i] - mean) / n;
  for (int32_t i = 0; i < n; i++)
    x[i] = (double)scale[i] * (x[i] - mean) / sqrt(variance + epsilon) + (double)offset[i];
}
