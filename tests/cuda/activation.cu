/* All activations against float64, over every 32749th of float32's bit patterns and closely around the places
 * where their formulas change; NaN and infinities. */
#include "cell_host.h"
#include "kernels/common/activation.cuh"

struct functions {
  float exp, sigmoid, tanh, keras2, keras3;
};

__global__ void evaluate(const float *x, struct functions *y, int count) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < count)
    y[i] = {device_exp(x[i]), device_sigmoid(x[i]), device_tanh(x[i]), device_hard_sigmoid(x[i], 0.2f),
            device_hard_sigmoid(x[i], 1.0f / 6.0f)};
}

static std::vector<float> inputs() {
  std::vector<float> x;
  for (uint64_t bits = 0; bits < (1ull << 32); bits += 32749) {
    uint32_t word = (uint32_t)bits;
    float value;
    std::memcpy(&value, &word, 4);
    x.push_back(value);
  }
  for (float centre :
       {0.0f, 0.5f, -0.5f, 1.0f, 10.0f, -10.0f, 43.3f, 86.6f, -86.6f, 87.3f, -87.3f, 88.7f, -103.9f})
    for (int i = -600; i <= 600; i++)
      x.push_back(centre + (float)i * 1e-3f);
  for (int i = -30000; i <= 30000; i++)
    x.push_back((float)i * 3e-3f);
  for (float value : {NAN, INFINITY, -INFINITY, -0.0f})
    x.push_back(value);
  return x;
}

/* Within `bound` units in the last place of float32 at `want`; below 2^-126 one more of the smallest. */
static bool close_in_units(float got, double want, double bound) {
  if (std::isnan(want))
    return std::isnan(got);
  if (want > 3.402823466e38)
    return got > 3.4028e38f;
  int exponent;
  std::frexp(want, &exponent);
  double unit = std::ldexp(1.0, (exponent < -125 ? -125 : exponent) - 24);
  return std::fabs((double)got - want) <= bound * unit;
}

static bool close_to(float got, double want, double bound) {
  return std::isnan(want) ? std::isnan(got) : std::fabs((double)got - want) <= bound;
}

static double clip(double x) {
  return host_clip(x, 0, 1);
}

__global__ void evaluate_any(cuseq_activation activation, const float *x, float *y, int count) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < count)
    y[i] = device_activate_any(activation, x[i]);
}

/* Those that device_activate_any() gives in units in the last place; the others are held by 2.4e-7 of their
 * size, or of 1. */
static bool is_close_in_units(cuseq_activation activation) {
  switch (activation) {
  case CUSEQ_ACTIVATION_LINEAR:
  case CUSEQ_ACTIVATION_RELU:
  case CUSEQ_ACTIVATION_ELU:
  case CUSEQ_ACTIVATION_SELU:
  case CUSEQ_ACTIVATION_SOFTPLUS:
  case CUSEQ_ACTIVATION_SOFTSIGN:
  case CUSEQ_ACTIVATION_LEAKY_RELU:
  case CUSEQ_ACTIVATION_LEAKY_RELU_02:
  case CUSEQ_ACTIVATION_LEAKY_RELU_03:
  case CUSEQ_ACTIVATION_EXPONENTIAL:
  case CUSEQ_ACTIVATION_HARD_TANH:
    return true;
  default:
    return false;
  }
}

static void check_any(cuseq_activation activation, const std::vector<float> &x) {
  device_array<float> d_x(x), d_y(x.size());
  evaluate_any<<<(unsigned)(x.size() + 255) / 256, 256>>>(activation, d_x.data(), d_y.data(), (int)x.size());
  CHECK_CUDA(cudaGetLastError());
  std::vector<float> y = d_y.read();
  size_t wrong = 0;
  for (size_t i = 0; i < x.size(); i++) {
    double want = host_activate(activation, (double)x[i]);
    bool good = std::isinf(want) || (double)std::fabs(want) > 3.402823466e38
                    ? y[i] == (want > 0 ? INFINITY : -INFINITY) || std::fabs(y[i]) > 3.4028e38f
                : is_close_in_units(activation)
                    ? close_in_units(want < 0 ? -y[i] : y[i], std::fabs(want), 5.0)
                    : close_to(y[i], want, 2.4e-7 * std::fmax(1.0, std::fabs(want)));
    if (!good && wrong++ < 5)
      std::printf("activation %d of %.9g: %.9g (want %.9g)\n", (int)activation, (double)x[i], (double)y[i],
                  want);
  }
  check_that(wrong == 0, "every activation is within its bound");
}

int main() {
  std::vector<float> x = inputs();
  for (cuseq_activation activation : host_activations)
    check_any(activation, x);
  device_array<float> d_x(x);
  device_array<struct functions> d_y(x.size());
  evaluate<<<(unsigned)(x.size() + 255) / 256, 256>>>(d_x.data(), d_y.data(), (int)x.size());
  CHECK_CUDA(cudaGetLastError());
  std::vector<struct functions> y = d_y.read();
  size_t wrong = 0;
  double worst[3] = {0, 0, 0};
  for (size_t i = 0; i < x.size(); i++) {
    double v = x[i], sigmoid = 1.0 / (1.0 + std::exp(-v));
    bool good = close_in_units(y[i].exp, std::exp(v), 2.0) && close_to(y[i].sigmoid, sigmoid, 2.4e-7) &&
                close_to(y[i].tanh, std::tanh(v), 2.4e-7) &&
                close_to(y[i].keras2, clip(0.2 * v + 0.5), 1.2e-7) &&
                close_to(y[i].keras3, clip(v / 6.0 + 0.5), 1.2e-7);
    worst[0] = std::fmax(worst[0], v < 88 && v > -87 ? std::fabs(y[i].exp / std::exp(v) - 1.0) : 0);
    worst[1] = std::fmax(worst[1], std::fabs(y[i].sigmoid - sigmoid));
    worst[2] = std::fmax(worst[2], std::fabs(y[i].tanh - std::tanh(v)));
    if (!good && wrong++ < 5)
      std::printf("x %.9g: exp %.9g sigmoid %.9g tanh %.9g hard %.9g %.9g (want %.9g %.9g %.9g %.9g %.9g)\n",
                  v, y[i].exp, y[i].sigmoid, y[i].tanh, y[i].keras2, y[i].keras3, std::exp(v), sigmoid,
                  std::tanh(v), clip(0.2 * v + 0.5), clip(v / 6.0 + 0.5));
  }
  std::printf("worst: exp %.3g relative, sigmoid %.3g, tanh %.3g absolute\n", worst[0], worst[1], worst[2]);
  check_that(wrong == 0, "exp, sigmoid and tanh are within their bounds");
  check_that(d_y.intact(), "nothing is written outside of the results");
  return check_end();
}
