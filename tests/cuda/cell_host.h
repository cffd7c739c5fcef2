/* Activations and cells in float64 on the host, straight from the formulas. */
#ifndef CUSEQ_TESTS_CUDA_CELL_HOST_H
#define CUSEQ_TESTS_CUDA_CELL_HOST_H

#include "check.h"
#include "kernels/launch.h"

static inline double host_clip(double x, double low, double high) {
  return std::isnan(x) ? x : x < low ? low : x > high ? high : x;
}

static inline double host_sigmoid(double x) {
  return 1.0 / (1.0 + std::exp(-x));
}

static inline double host_activate(cuseq_activation activation, double x) {
  switch (activation) {
  case CUSEQ_ACTIVATION_TANH:
    return std::tanh(x);
  case CUSEQ_ACTIVATION_RELU:
    return x < 0 ? 0 : x;
  case CUSEQ_ACTIVATION_SIGMOID:
    return host_sigmoid(x);
  case CUSEQ_ACTIVATION_HARD_SIGMOID:
    return host_clip(x / 6.0 + 0.5, 0, 1);
  case CUSEQ_ACTIVATION_HARD_SIGMOID_KERAS2:
    return host_clip(0.2 * x + 0.5, 0, 1);
  case CUSEQ_ACTIVATION_ELU:
    return x <= 0 ? std::expm1(x) : x;
  case CUSEQ_ACTIVATION_SELU:
    return 1.0507009873554805 * (x <= 0 ? 1.6732632423543772 * std::expm1(x) : x);
  case CUSEQ_ACTIVATION_GELU:
    return 0.5 * x * std::erfc(-x / std::sqrt(2.0));
  case CUSEQ_ACTIVATION_GELU_TANH:
    return x * host_sigmoid(2.0 * 0.7978845608028654 * (x + 0.044715 * x * x * x));
  case CUSEQ_ACTIVATION_SWISH:
    return x * host_sigmoid(x);
  case CUSEQ_ACTIVATION_SOFTPLUS:
    return (x < 0 ? 0 : x) + std::log1p(std::exp(-std::fabs(x)));
  case CUSEQ_ACTIVATION_SOFTSIGN:
    return x / (1.0 + std::fabs(x));
  case CUSEQ_ACTIVATION_LEAKY_RELU:
    return x < 0 ? 0.01 * x : x;
  case CUSEQ_ACTIVATION_LEAKY_RELU_02:
    return x < 0 ? 0.2 * x : x;
  case CUSEQ_ACTIVATION_LEAKY_RELU_03:
    return x < 0 ? 0.3 * x : x;
  case CUSEQ_ACTIVATION_EXPONENTIAL:
    return std::exp(x);
  case CUSEQ_ACTIVATION_HARD_TANH:
    return host_clip(x, -1, 1);
  default:
    return x;
  }
}

/* Every activation of a number, one after the other. */
static const cuseq_activation host_activations[] = {
    CUSEQ_ACTIVATION_LINEAR,        CUSEQ_ACTIVATION_TANH,         CUSEQ_ACTIVATION_RELU,
    CUSEQ_ACTIVATION_SIGMOID,       CUSEQ_ACTIVATION_HARD_SIGMOID, CUSEQ_ACTIVATION_HARD_SIGMOID_KERAS2,
    CUSEQ_ACTIVATION_ELU,           CUSEQ_ACTIVATION_SELU,         CUSEQ_ACTIVATION_GELU,
    CUSEQ_ACTIVATION_GELU_TANH,     CUSEQ_ACTIVATION_SWISH,        CUSEQ_ACTIVATION_SOFTPLUS,
    CUSEQ_ACTIVATION_SOFTSIGN,      CUSEQ_ACTIVATION_LEAKY_RELU,   CUSEQ_ACTIVATION_LEAKY_RELU_02,
    CUSEQ_ACTIVATION_LEAKY_RELU_03, CUSEQ_ACTIVATION_EXPONENTIAL,  CUSEQ_ACTIVATION_HARD_TANH};
static const int HOST_ACTIVATIONS = sizeof host_activations / sizeof *host_activations;

static inline int host_gates(enum cell_form form) {
  return form == CELL_FORM_LSTM ? 4 : 3;
}

/* A cell of one direction in the model's layout, gates side by side: LSTM i, f, c, o; GRU z, r, n. */
struct host_cell {
  enum cell_form form;
  int H;
  cuseq_activation activation, recurrent_activation;
  std::vector<float> kernel, recurrent, bias,
      candidate_bias; /* [F,gates H] [H,gates H] [gates H] [H] or empty */
};

/* h and c after a step; x holds x W + b, [gates H]. */
static inline void host_cell_step(const struct host_cell &cell, const std::vector<double> &x,
                                  std::vector<double> &h, std::vector<double> &c) {
  int H = cell.H, G = host_gates(cell.form);
  auto rec = [&](double value) { return host_activate(cell.recurrent_activation, value); };
  auto act = [&](double value) { return host_activate(cell.activation, value); };
  auto recurrent = [&](const std::vector<double> &v, int gate, int j) {
    double sum = 0.0;
    for (int k = 0; k < H; k++)
      sum += v[k] * (double)cell.recurrent[((size_t)k * G + gate) * H + j];
    return sum;
  };
  auto sum = [&](int gate, int j) { return x[(size_t)gate * H + j] + recurrent(h, gate, j); };
  std::vector<double> next((size_t)H), reset((size_t)H);
  for (int j = 0; j < H && cell.form != CELL_FORM_LSTM; j++)
    reset[j] = rec(sum(1, j)) * (cell.form == CELL_FORM_GRU_RESET_BEFORE ? h[j] : 1.0);
  for (int j = 0; j < H; j++) {
    if (cell.form == CELL_FORM_LSTM) {
      c[j] = rec(sum(1, j)) * c[j] + rec(sum(0, j)) * act(sum(2, j));
      next[j] = rec(sum(3, j)) * act(c[j]);
      continue;
    }
    double n = x[(size_t)2 * H + j];
    if (cell.form == CELL_FORM_GRU_RESET_BEFORE)
      n += recurrent(reset, 2, j);
    else
      n += reset[j] *
           (recurrent(h, 2, j) + (cell.candidate_bias.empty() ? 0.0 : (double)cell.candidate_bias[j]));
    double z = rec(sum(0, j));
    next[j] = z * h[j] + (1.0 - z) * act(n);
  }
  h = next;
}

#endif
