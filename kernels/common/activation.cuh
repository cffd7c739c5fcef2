/* exp, sigmoid, tanh and all other activation functions in float32. No fast-math: what is approximate is
 * written out.
 *
 * Bounds, held by tests/cuda/activation.cu over all of float32's range, with ex2.approx and rcp.approx off by
 * all that the PTX manual allows (2 and 1 units in the last place): sigmoid and tanh within 2.4e-7 absolute,
 * exp within 2 units in the last place where the result is normal, device_activate_any() as it says. NaN
 * stays NaN; infinities give limits. */
#ifndef CUSEQ_KERNELS_ACTIVATION_CUH
#define CUSEQ_KERNELS_ACTIVATION_CUH

#include "cuseq/cuseq.h"

/* 2^x, within 2 units in the last place (the instruction's own bound); 0 where it is below 2^-126, to which a
 * sum with 1 is blind. Without .ftz it would scale its argument and its result, so that the small ones come
 * too. */
__device__ __forceinline__ float device_exp2_approximate(float x) {
  float y;
  asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
  return y;
}

/* 1 / x for 2^-126 <= x <= 2^126, within 1 unit in the last place (the instruction's own bound). Neither is
 * ever below 2^-126. */
__device__ __forceinline__ float device_reciprocal_approximate(float x) {
  float r;
  asm("rcp.approx.ftz.f32 %0, %1;" : "=f"(r) : "f"(x));
  return r;
}

/* The same and one Newton step, which takes its error below 0.6 units in the last place at a quarter of a
 * division's instructions. */
__device__ __forceinline__ float device_reciprocal(float x) {
  float r = device_reciprocal_approximate(x);
  return fmaf(r, fmaf(-x, r, 1.0f), r);
}

/* x - n ln 2, with ln 2 in two parts, so that nothing of it is lost. */
__device__ __forceinline__ float device_exp_rest(float x, float n) {
  return fmaf(n, -1.42860682e-6f, fmaf(n, -0.693145751953125f, x));
}

/* (e^r - 1 - r) / r^2 for |r| <= ln 2 / 2, so that e^r comes within 1e-8: a polynomial of degree 4. */
__device__ __forceinline__ float device_exp_bend(float r) {
  float p = 1.392618359e-3f;
  p = fmaf(p, r, 8.363179053e-3f);
  p = fmaf(p, r, 4.166655462e-2f);
  p = fmaf(p, r, 1.666657699e-1f);
  return fmaf(p, r, 0.5f);
}

/* e^r of such an r. */
__device__ __forceinline__ float device_exp_of_rest(float r) {
  return fmaf(fmaf(device_exp_bend(r), r, 1.0f), r, 1.0f);
}

/* e^x. Range reduction by ln 2 in two parts, a polynomial of degree 6 on |r| <= ln 2 / 2 (error 1e-8),
 * scaling in two steps so that results below 2^-126 are rounded once and overflow is infinity. ex2.approx
 * alone does not do: the rounding of x log2(e) costs |x| / 2 units in the last place. */
__device__ __forceinline__ float device_exp(float x) {
  float y = x > 89.0f ? 89.0f : x < -105.0f ? -105.0f : x; /* comparisons, so that NaN passes */
  float n = rintf(y * 1.44269504f);
  float p = device_exp_of_rest(device_exp_rest(y, n));
  int whole = (int)n, half = whole / 2;
  return p * __int_as_float((half + 127) << 23) * __int_as_float((whole - half + 127) << 23);
}

/* e^x - 1 for x <= 0: 2^n (e^r - 1) + (2^n - 1) with the same reduction and polynomial, so that nothing
 * cancels near 0. (expm1f takes 2^n from ex2.approx, which need not be exact.) */
__device__ __forceinline__ float device_expm1_negative(float x) {
  float y = x < -80.0f ? -80.0f : x;
  float n = rintf(y * 1.44269504f);
  float r = device_exp_rest(y, n), p = device_exp_bend(r);
  float power = __int_as_float(((int)n + 127) << 23);
  return fmaf(power, fmaf(r * r, p, r), power - 1.0f);
}

/* 1 / (1 + e^-x). The exponent is kept below 126, so that the reciprocal's argument is finite. A Newton step
 * would take 2.4e-8 off the error at most, a tenth of it, and a step of a chain would wait for it twice. */
__device__ __forceinline__ float device_sigmoid(float x) {
  float e = x * -1.44269504f;
  e = e > 125.0f ? 125.0f : e;
  return device_reciprocal_approximate(1.0f + device_exp2_approximate(e));
}

/* tanh: an odd polynomial of degree 11 for |x| < 0.5, where 1 - 2 / (1 + e^2|x|) would cancel; that formula
 * elsewhere. Both are computed and one is taken, so that lanes do not part. */
__device__ __forceinline__ float device_tanh(float x) {
  float a = fabsf(x);
  float e = a * 2.88539008f;
  e = e > 125.0f ? 125.0f : e;
  float half = device_reciprocal_approximate(1.0f + device_exp2_approximate(e));
  float large = copysignf(fmaf(-2.0f, half, 1.0f), x);
  float s = x * x;
  float p = -6.942941730e-3f;
  p = fmaf(p, s, 2.147068301e-2f);
  p = fmaf(p, s, -5.393346914e-2f);
  p = fmaf(p, s, 1.333322578e-1f);
  p = fmaf(p, s, -3.333333280e-1f);
  float small = fmaf(x * s, p, x);
  return a < 0.5f ? small : large;
}

/* A cell's two functions as numbers, so that a kernel has one uniform branch for each and no variant per
 * pair:
 *   recurrent  sigmoid, or clip(slope x + 0.5, 0, 1): both hard sigmoids
 *   cell       tanh, or max(x, floor): relu (floor 0) and linear (floor -infinity) */
struct device_gates {
  int is_sigmoid;
  float slope;
  int is_tanh;
  float floor;
};

/* Sigmoid and tanh, of which most cells are: nothing to be chosen at run time. */
struct device_usual_gates {};

__host__ __device__ static inline bool device_gates_are_usual(const struct device_gates &gates) {
  return gates.is_sigmoid && gates.is_tanh;
}

/* Whether device_gates knows the two. */
__host__ __device__ static inline bool device_gates_take(cuseq_activation activation,
                                                         cuseq_activation recurrent) {
  return (activation == CUSEQ_ACTIVATION_TANH || activation == CUSEQ_ACTIVATION_RELU ||
          activation == CUSEQ_ACTIVATION_LINEAR) &&
         recurrent >= CUSEQ_ACTIVATION_SIGMOID && recurrent <= CUSEQ_ACTIVATION_HARD_SIGMOID_KERAS2;
}

__host__ __device__ static inline struct device_gates device_gates_make(cuseq_activation activation,
                                                                        cuseq_activation recurrent) {
  struct device_gates gates;
  gates.is_sigmoid = recurrent == CUSEQ_ACTIVATION_SIGMOID;
  gates.slope = recurrent == CUSEQ_ACTIVATION_HARD_SIGMOID ? 1.0f / 6.0f : 0.2f;
  gates.is_tanh = activation == CUSEQ_ACTIVATION_TANH;
  gates.floor = activation == CUSEQ_ACTIVATION_RELU ? 0.0f : -__builtin_inff();
  return gates;
}

__device__ __forceinline__ float device_hard_sigmoid(float x, float slope) {
  float y = fmaf(x, slope, 0.5f);
  y = y < 0.0f ? 0.0f : y;
  return y > 1.0f ? 1.0f : y;
}

__device__ __forceinline__ float device_cell_activation(const struct device_gates &gates, float x) {
  if (gates.is_tanh)
    return device_tanh(x);
  return x < gates.floor ? gates.floor : x;
}

__device__ __forceinline__ float device_cell_activation(const struct device_usual_gates &, float x) {
  return device_tanh(x);
}

template <int COUNT>
__device__ __forceinline__ void device_recurrent(const struct device_usual_gates &, float (&x)[COUNT]) {
#pragma unroll
  for (int i = 0; i < COUNT; i++)
    x[i] = device_sigmoid(x[i]);
}

/* A unit's gates, all at once: one branch. */
template <int COUNT>
__device__ __forceinline__ void device_recurrent(const struct device_gates &gates, float (&x)[COUNT]) {
  if (gates.is_sigmoid) {
#pragma unroll
    for (int i = 0; i < COUNT; i++)
      x[i] = device_sigmoid(x[i]);
  } else {
#pragma unroll
    for (int i = 0; i < COUNT; i++)
      x[i] = device_hard_sigmoid(x[i], gates.slope);
  }
}

/* The activations of attention and output layers in models of version 1. Uniform `activation`. */
__device__ __forceinline__ float device_activate(cuseq_activation activation, float x) {
  switch (activation) {
  case CUSEQ_ACTIVATION_TANH:
    return device_tanh(x);
  case CUSEQ_ACTIVATION_RELU:
    return x < 0.0f ? 0.0f : x;
  case CUSEQ_ACTIVATION_SIGMOID:
    return device_sigmoid(x);
  case CUSEQ_ACTIVATION_HARD_SIGMOID:
    return device_hard_sigmoid(x, 1.0f / 6.0f);
  case CUSEQ_ACTIVATION_HARD_SIGMOID_KERAS2:
    return device_hard_sigmoid(x, 0.2f);
  default:
    return x;
  }
}

/* Whether an activation is one of a number, which device_activate_any() takes. */
static inline bool device_activation_is_any(cuseq_activation activation) {
  return activation >= CUSEQ_ACTIVATION_LINEAR && activation <= CUSEQ_ACTIVATION_HARD_TANH &&
         activation != CUSEQ_ACTIVATION_SOFTMAX && activation != CUSEQ_ACTIVATION_LOG_SOFTMAX;
}

/* Every activation but softmax and log_softmax, which are a vector's affair. Uniform `activation`. Within
 * 2.4e-7 times the result or, where that is below 1 in size, 2.4e-7; elu, selu, softplus, exponential and all
 * that bend in corners within 5 units in the last place of the result. A function of its own: inlined it
 * would be all of a small kernel. */
static __device__ __noinline__ float device_activate_any(cuseq_activation activation, float x) {
  const float leaks = activation == CUSEQ_ACTIVATION_LEAKY_RELU      ? 0.01f
                      : activation == CUSEQ_ACTIVATION_LEAKY_RELU_02 ? 0.2f
                                                                     : 0.3f;
  switch (activation) {
  case CUSEQ_ACTIVATION_ELU:
    return x <= 0.0f ? device_expm1_negative(x) : x;
  case CUSEQ_ACTIVATION_SELU:
    return x <= 0.0f ? 1.758099341f * device_expm1_negative(x) : 1.050700987f * x;
  case CUSEQ_ACTIVATION_GELU: /* 1 + erf(x / sqrt 2) is erfc(-x / sqrt 2), which does not cancel */
    return 0.5f * x * erfcf(-0.707106781f * x);
  case CUSEQ_ACTIVATION_GELU_TANH: /* 1 + tanh(u) is 2 sigmoid(2 u) */
    return x / (1.0f + device_exp(-1.595769122f * fmaf(0.044715f * x * x, x, x)));
  case CUSEQ_ACTIVATION_SWISH:
    return x / (1.0f + device_exp(-x));
  case CUSEQ_ACTIVATION_SOFTPLUS:
    return (x < 0.0f ? 0.0f : x) + log1pf(device_exp(-fabsf(x)));
  case CUSEQ_ACTIVATION_SOFTSIGN:
    return x / (1.0f + fabsf(x));
  case CUSEQ_ACTIVATION_LEAKY_RELU:
  case CUSEQ_ACTIVATION_LEAKY_RELU_02:
  case CUSEQ_ACTIVATION_LEAKY_RELU_03:
    return x < 0.0f ? leaks * x : x;
  case CUSEQ_ACTIVATION_EXPONENTIAL:
    return device_exp(x);
  case CUSEQ_ACTIVATION_HARD_TANH:
    return x < -1.0f ? -1.0f : x > 1.0f ? 1.0f : x;
  default:
    return device_activate(activation, x);
  }
}

#endif
