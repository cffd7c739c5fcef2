/* Scores, attention and decoders of random weights, on the device and in float64 on the host from design
 * formulas. */
#ifndef CUSEQ_TESTS_CUDA_ATTENTION_HOST_H
#define CUSEQ_TESTS_CUDA_ATTENTION_HOST_H

#include "bounds.h"
#include "check.h"
#include "kernels/launch.h"

#include <memory>
#include <string>

/* A deterministic source of numbers in [-size, size). */
struct random_source {
  uint64_t state;
  explicit random_source(uint64_t seed) : state(seed * 0x9e3779b97f4a7c15ull + 1) {
  }
  uint32_t next() {
    state = state * 6364136223846793005ull + 1442695040888963407ull;
    return (uint32_t)(state >> 33);
  }
  float value(float size) {
    return size * ((float)(next() >> 7) / 8388608.0f - 1.0f);
  }
  std::vector<float> values(size_t count, float size) {
    std::vector<float> all(count);
    for (float &x : all)
      x = value(size);
    return all;
  }
};

/* An array in both memories. */
struct both {
  std::vector<float> host;
  std::unique_ptr<device_array<float>> device;
  void set(std::vector<float> values) {
    host = std::move(values);
    device.reset(new device_array<float>(host));
  }
  const float *d() const {
    return device ? device->data() : nullptr;
  }
};

static inline double host_activate(cuseq_activation activation, double x) {
  switch (activation) {
  case CUSEQ_ACTIVATION_TANH:
    return std::tanh(x);
  case CUSEQ_ACTIVATION_RELU:
    return x > 0 ? x : 0;
  case CUSEQ_ACTIVATION_SIGMOID:
    return 1 / (1 + std::exp(-x));
  case CUSEQ_ACTIVATION_HARD_SIGMOID:
    return std::fmin(std::fmax(x / 6 + 0.5, 0), 1);
  case CUSEQ_ACTIVATION_HARD_SIGMOID_KERAS2:
    return std::fmin(std::fmax(0.2 * x + 0.5, 0), 1);
  default:
    return x;
  }
}

/* y = x kernel + bias; bias may be NULL */
static inline std::vector<double> host_dense(const double *x, int inputs, const float *kernel,
                                             const float *bias, int units) {
  std::vector<double> y(units);
  for (int j = 0; j < units; j++)
    y[j] = bias ? bias[j] : 0;
  for (int k = 0; k < inputs; k++)
    for (int j = 0; j < units; j++)
      y[j] += x[k] * kernel[(size_t)k * units + j];
  return y;
}

/* The first n of x become their softmax, the others 0. */
static inline void host_softmax(std::vector<double> &x, int n) {
  double most = x[0], sum = 0;
  for (int i = 0; i < n; i++)
    most = std::fmax(most, x[i]);
  for (int i = 0; i < n; i++)
    sum += x[i] = std::exp(x[i] - most);
  for (int i = 0; i < (int)x.size(); i++)
    x[i] = i < n ? x[i] / sum : 0;
}

/* A score with its weights. */
struct random_score {
  struct attention_score score = {};
  both key, bias, query, value, kernels[CUSEQ_MAX_ATTENTION_LAYERS], biases[CUSEQ_MAX_ATTENTION_LAYERS];

  void make(cuseq_score kind, int A, int S, std::vector<int> units, std::vector<cuseq_activation> activation,
            random_source &random) {
    score.score = kind;
    score.scale = 0.75f;
    score.annotation_width = A;
    score.state_units = S;
    score.layers = kind == CUSEQ_SCORE_CONCAT ? (int)units.size() : 0;
    for (size_t l = 0; l < units.size() && kind == CUSEQ_SCORE_CONCAT; l++) {
      score.units[l] = units[l];
      score.activation[l] = activation[l % activation.size()];
      if (l == 0)
        continue;
      kernels[l].set(random.values((size_t)units[l - 1] * units[l], 1.5f / std::sqrt((float)units[l - 1])));
      biases[l].set(random.values(units[l], 0.5f));
      score.d_kernel[l] = kernels[l].d();
      score.d_bias[l] = biases[l].d();
    }
    score.additive_units = kind == CUSEQ_SCORE_ADDITIVE ? units[0] : 0;
    if (kind == CUSEQ_SCORE_DOT)
      return;
    int U = attention_score_key_width(&score);
    key.set(random.values((size_t)A * U, 1.5f / std::sqrt((float)A)));
    score.d_key = key.d();
    if (kind == CUSEQ_SCORE_GENERAL)
      return;
    bias.set(random.values(U, 0.5f));
    query.set(random.values((size_t)S * U, 1.5f / std::sqrt((float)S)));
    value.set(random.values(U, 1.0f));
    score.d_key_bias = bias.d();
    score.d_query = query.d();
    score.d_value = kind == CUSEQ_SCORE_ADDITIVE ? value.d() : nullptr;
  }

  /* A position's key. */
  std::vector<double> host_key(const double *a) const {
    int A = score.annotation_width;
    if (score.score == CUSEQ_SCORE_DOT)
      return std::vector<double>(a, a + A);
    return host_dense(a, A, key.host.data(), bias.host.empty() ? nullptr : bias.host.data(),
                      attention_score_key_width(&score));
  }

  double host_energy(const std::vector<double> &u, const double *s) const {
    int S = score.state_units, U = (int)u.size();
    if (score.score == CUSEQ_SCORE_DOT || score.score == CUSEQ_SCORE_GENERAL) {
      double e = 0;
      for (int j = 0; j < U; j++)
        e += u[j] * s[j];
      return e * score.scale;
    }
    std::vector<double> x = host_dense(s, S, query.host.data(), nullptr, U);
    for (int j = 0; j < U; j++)
      x[j] += u[j];
    if (score.score == CUSEQ_SCORE_ADDITIVE) {
      double e = 0;
      for (int j = 0; j < U; j++)
        e += value.host[j] * std::tanh(x[j]);
      return e * score.scale;
    }
    for (int l = 0; l < score.layers; l++) {
      if (l > 0)
        x = host_dense(x.data(), score.units[l - 1], kernels[l].host.data(), biases[l].host.data(),
                       score.units[l]);
      for (double &y : x)
        y = host_activate(score.activation[l], y);
    }
    return x[0] * score.scale;
  }

  /* annotations [T,A], s [S] -> alphas [T], context [A] */
  void host_attend(const double *annotations, const std::vector<std::vector<double>> &keys, int length, int T,
                   const double *s, std::vector<double> &alphas, std::vector<double> &context) const {
    int A = score.annotation_width;
    alphas.assign(T, 0);
    context.assign(A, 0);
    for (int t = 0; t < length; t++)
      alphas[t] = host_energy(keys[t], s);
    host_softmax(alphas, length);
    for (int t = 0; t < length; t++)
      for (int i = 0; i < A; i++)
        context[i] += alphas[t] * annotations[(size_t)t * A + i];
  }
};

/* Annotations of rows with lengths: 0 behind them. */
static inline std::vector<float> random_annotations(int B, int T, int A, const std::vector<int32_t> &lengths,
                                                    random_source &random) {
  std::vector<float> a = random.values((size_t)B * T * A, 1.0f);
  for (int b = 0; b < B; b++)
    for (int t = lengths.empty() ? T : lengths[b]; t < T; t++)
      for (int i = 0; i < A; i++)
        a[((size_t)b * T + t) * A + i] = 0;
  return a;
}

/* Lengths between 1 and T; the first row has T, the second 1. Empty for ragged = false. */
static inline std::vector<int32_t> random_lengths(int B, int T, bool ragged, random_source &random) {
  std::vector<int32_t> lengths;
  for (int b = 0; ragged && b < B; b++)
    lengths.push_back(b == 0 ? T : b == 1 ? 1 : 1 + (int32_t)(random.next() % (uint32_t)T));
  return lengths;
}

/* The emulated device, or the GPU, as a launch sees it. */
struct test_device {
  struct launch_device device = {};
  char error[256] = "";
  struct launch_stream stream = {};
  test_device() {
    int major = 0, minor = 0;
    CHECK_CUDA(cudaDeviceGetAttribute(&major, cudaDevAttrComputeCapabilityMajor, 0));
    CHECK_CUDA(cudaDeviceGetAttribute(&minor, cudaDevAttrComputeCapabilityMinor, 0));
    device.architecture = 10 * major + minor;
    CHECK_CUDA(cudaDeviceGetAttribute(&device.multiprocessors, cudaDevAttrMultiProcessorCount, 0));
    CHECK_CUDA(cudaDeviceGetAttribute(&device.shared_bytes, cudaDevAttrMaxSharedMemoryPerBlockOptin, 0));
    CHECK_CUDA(cudaDeviceGetAttribute(&device.cooperative, cudaDevAttrCooperativeLaunch, 0));
    CHECK_CUDA(cudaDeviceGetAttribute(&device.clusters, cudaDevAttrClusterLaunch, 0));
    stream.device = &device;
    stream.error = error;
    stream.error_capacity = sizeof error;
  }
  /* Whether a launch was made; says why not. */
  bool launched(cuseq_status status, const std::string &what) {
    if (status == CUSEQ_STATUS_OK)
      return true;
    std::printf("%s: %s\n", what.c_str(), error);
    check_that(false, what.c_str());
    return false;
  }
};

#endif
