/* Exponentials and the activations made of them. Within 2.4e-7 absolute for sigmoid and tanh (they err about
 * 1e-7), 2 ulp for exp; NaN gives NaN. The polynomials are minimax fits of the relative error with p(0) = 1,
 * so that zero maps to exactly zero under tanh. */
#ifndef CUSEQ_CPU_ACTIVATIONS_H
#define CUSEQ_CPU_ACTIVATIONS_H

#include "backends/cpu/kernels/simd.h"

#include "cuseq/cuseq.h"

#include <float.h>
#include <math.h>
#include <stdbool.h>

#if LANES == 16
/* 2^(j/32) for j = 0 .. 31: two registers that a permutation reads from. */
static const float powers[32] = {
    0x1.000000p+0f, 0x1.059b0ep+0f, 0x1.0b5586p+0f, 0x1.11301ep+0f, 0x1.172b84p+0f, 0x1.1d4874p+0f,
    0x1.2387a6p+0f, 0x1.29e9e0p+0f, 0x1.306fe0p+0f, 0x1.371a74p+0f, 0x1.3dea64p+0f, 0x1.44e086p+0f,
    0x1.4bfdaep+0f, 0x1.5342b6p+0f, 0x1.5ab07ep+0f, 0x1.6247ecp+0f, 0x1.6a09e6p+0f, 0x1.71f75ep+0f,
    0x1.7a1148p+0f, 0x1.82589ap+0f, 0x1.8ace54p+0f, 0x1.93737cp+0f, 0x1.9c4918p+0f, 0x1.a5503cp+0f,
    0x1.ae89fap+0f, 0x1.b7f770p+0f, 0x1.c199bep+0f, 0x1.cb720ep+0f, 0x1.d5818ep+0f, 0x1.dfc974p+0f,
    0x1.ea4afap+0f, 0x1.f50766p+0f};

/* 2^z for z <= 128, infinity at 128 and 0 at minus infinity: the power of the next 1/32 below from the table
 * and a polynomial of degree 2 over the rest; relative error 6.5e-8 before rounding. */
INLINE vf v_exp2_bounded(vf z) {
  const vf magic = v_set(393216.0f); /* 1.5 * 2^18: 32 z, rounded down, stands in the low bits of the sum */
  vf shifted = _mm512_add_round_ps(z, magic, _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC);
  vf power = _mm512_permutex2var_ps(v_load(powers), (__m512i)shifted, v_load(powers + 16));
  vf r = _mm512_reduce_ps(z, 5 << 4 | _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC);
  vf p = v_fma(r, v_set(0x1.f0f026p-3f), v_set(0x1.62e122p-1f));
  return _mm512_scalef_ps(v_fma(power * r, p, power), z); /* scales by 2 to the floor of z */
}

/* 1 - 2^z for z <= 100, without what is lost where the power is rounded before it is taken from 1: the power
 * of the nearest 1/32, and a polynomial of degree 2 over the rest, |r| <= 1/64, of a relative error of
 * 5.3e-8. r is 0 where z is infinite. */
INLINE vf v_less_exp2_bounded(vf z) {
  const vf magic = v_set(393216.0f); /* 32 z, rounded, stands in the low bits of the sum */
  vf power = _mm512_permutex2var_ps(v_load(powers), (__m512i)(z + magic), v_load(powers + 16));
  vf r = _mm512_reduce_ps(z, 5 << 4 | _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
  vf p = v_fma(r, v_set(-0x1.ebfbecp-3f), v_set(-0x1.62e584p-1f));
  power = _mm512_scalef_ps(power, z - r);
  return v_fma(power * r, p, v_set(1.0f) - power);
}
#else
/* 2^z = 2^n (1 + r p): relative error 1.1e-7 from the polynomial (degree 5 with the 1; degree 4 would err
 * 2.6e-6). Degree 6 would err 1.6e-8 and costs small models 1.5%, while their results err 5% less: the
 * roundings of the sums weigh more. */
INLINE vf v_exp2_parts(vf z, vf *n, vf *r) {
  *n = v_split(z, r);
  vf p = v_set(0x1.5bba14p-10f);
  p = v_fma(p, *r, v_set(0x1.3cea88p-7f));
  p = v_fma(p, *r, v_set(0x1.c6b752p-5f));
  p = v_fma(p, *r, v_set(0x1.ebf9bcp-3f));
  return v_fma(p, *r, v_set(0x1.62e42ap-1f));
}

/* 2^z for z in [-126, 128], infinity at 128. */
INLINE vf v_exp2_bounded(vf z) {
  vf n, r, p = v_exp2_parts(z, &n, &r);
  return v_scale(v_fma(p, r, v_set(1.0f)), n);
}

/* 1 - 2^z for z in [-126, 100], without what is lost where the power is rounded before it is taken from 1. */
INLINE vf v_less_exp2_bounded(vf z) {
  vf n, r, p = v_exp2_parts(z, &n, &r), power = v_scale(v_set(-1.0f), n);
  return v_fma(power * r, p, v_set(1.0f) + power);
}
#endif

/* z cut to `top`, and from below where the bits of the power could not hold it. */
INLINE vf v_exp2_cut(vf z, float top) {
  z = v_at_most(v_set(top), z);
#if LANES < 16
  z = v_at_least(v_set(-126.0f), z);
#endif
  return z;
}

/* 2^z for z <= 0; of AVX-512 0 at minus infinity, else at most the smallest normal number. */
INLINE vf v_exp2_below_one(vf z) {
#if LANES < 16
  z = v_at_least(v_set(-126.0f), z);
#endif
  return v_exp2_bounded(z);
}

/* 2^z with z cut to `top`. */
INLINE vf v_exp2(vf z, float top) {
  return v_exp2_bounded(v_exp2_cut(z, top));
}

/* 1 - 2^z with z cut to `top`, at most 100: small where z is, so that tanh errs a fraction of itself near
 * 0. */
INLINE vf v_less_exp2(vf z, float top) {
  return v_less_exp2_bounded(v_exp2_cut(z, top));
}

/* e^x for x <= 88; 0 where that is below the smallest normal number. */
INLINE vf v_exp(vf x) {
  vf bounded = v_at_least(v_set(-87.3f), v_at_most(v_set(88.0f), x));
  vf r;
  vf n = v_split(bounded * v_set(0x1.715476p+0f), &r);
#if LANES == 16
  vf whole = n;
#else
  vf whole = n - v_set(12582912.0f);
#endif
  r = v_fma(whole, v_set(-0x1.62e400p-1f), bounded); /* ln 2 in two parts: the first product is exact */
  r = v_fma(whole, v_set(-0x1.7f7d1cp-20f), r);
  vf p = v_set(0x1.6ae72ep-10f);
  p = v_fma(p, r, v_set(0x1.126784p-7f));
  p = v_fma(p, r, v_set(0x1.555822p-5f));
  p = v_fma(p, r, v_set(0x1.55541ap-3f));
  p = v_fma(p, r, v_set(0x1.fffffcp-2f));
  p = v_fma(p, r, v_set(0x1.000000p+0f));
  p = v_fma(p, r, v_set(1.0f));
  vf e = v_scale(p, n);
  vi tiny = x < v_set(-87.3f);
  return (vf)(~tiny & (vi)e);
}

/* Activations of scaled pre-activations (see kernels.h). The sigmoid of minus infinity is exactly 0. */
INLINE vf v_sigmoid_scaled(vf z) {
  return v_set(1.0f) / (v_set(1.0f) + v_exp2(z, 128.0f));
}

INLINE vf v_tanh_scaled(vf z) {
  vf d = v_less_exp2(z, 100.0f);
  return d / (v_set(2.0f) - d);
}

INLINE vf v_clip_scaled(vf z) {
  return v_at_most(v_set(1.0f), v_at_least(v_set(0.0f), z + v_set(0.5f)));
}

/* f of every lane, by the C library: the rarer activations. */
INLINE vf v_each(float (*f)(float), vf x) {
  float lanes[LANES];
  v_store(lanes, x);
  for (int i = 0; i < LANES; i++)
    lanes[i] = f(lanes[i]);
  return v_load(lanes);
}

/* x for x > 0, and for NaN; else `other`. */
INLINE vf v_above_zero(vf x, vf other) {
  vi below = x <= v_set(0.0f);
  return (vf)((below & (vi)other) | (~below & (vi)x));
}

static float elu_of(float x) {
  return x > 0.0f ? x : expm1f(x);
}
static float gelu_of(float x) {
  return 0.5f * x * (1.0f + erff(x * 0.70710678f));
}
static float gelu_tanh_of(float x) {
  return 0.5f * x * (1.0f + tanhf(0.7978845608f * (x + 0.044715f * x * x * x)));
}
static float softplus_of(float x) {
  return fmaxf(x, 0.0f) + log1pf(expf(-fabsf(x)));
}

/* The rarer ones: a function of their own, so that the code of the cells does not grow with them. */
static __attribute__((noinline, unused)) vf v_activate_rare(cuseq_activation activation, vf z) {
  switch (activation) {
  case CUSEQ_ACTIVATION_ELU:
    return v_each(elu_of, z);
  case CUSEQ_ACTIVATION_SELU:
    return v_set(1.0507009873554805f) * v_above_zero(z, v_set(1.6732632423543772f) * v_each(expm1f, z));
  case CUSEQ_ACTIVATION_GELU:
    return v_each(gelu_of, z);
  case CUSEQ_ACTIVATION_GELU_TANH:
    return v_each(gelu_tanh_of, z);
  case CUSEQ_ACTIVATION_SWISH:
    return z * v_sigmoid_scaled(z * v_set(-0x1.715476p+0f));
  case CUSEQ_ACTIVATION_SOFTPLUS:
    return v_each(softplus_of, z);
  case CUSEQ_ACTIVATION_SOFTSIGN:
    return z / (v_set(1.0f) + v_at_least(z, v_set(0.0f) - z));
  case CUSEQ_ACTIVATION_LEAKY_RELU:
    return v_above_zero(z, z * v_set(0.01f));
  case CUSEQ_ACTIVATION_LEAKY_RELU_02:
    return v_above_zero(z, z * v_set(0.2f));
  case CUSEQ_ACTIVATION_LEAKY_RELU_03:
    return v_above_zero(z, z * v_set(0.3f));
  case CUSEQ_ACTIVATION_EXPONENTIAL:
    return v_each(expf, z);
  case CUSEQ_ACTIVATION_HARD_TANH:
    return v_at_most(v_set(1.0f), v_at_least(v_set(-1.0f), z));
  default:
    return z;
  }
}

INLINE vf v_activate_scaled(cuseq_activation activation, vf z) {
  switch (activation) {
  case CUSEQ_ACTIVATION_TANH:
    return v_tanh_scaled(z);
  case CUSEQ_ACTIVATION_RELU:
    return v_at_least(v_set(0.0f), z);
  case CUSEQ_ACTIVATION_SIGMOID:
    return v_sigmoid_scaled(z);
  case CUSEQ_ACTIVATION_HARD_SIGMOID:
  case CUSEQ_ACTIVATION_HARD_SIGMOID_KERAS2:
    return v_clip_scaled(z);
  case CUSEQ_ACTIVATION_LINEAR:
    return z;
  default:
    return v_activate_rare(activation, z);
  }
}

/* The scaled pre-activation of an unscaled one. */
INLINE vf v_scaled(cuseq_activation activation, vf x) {
  switch (activation) {
  case CUSEQ_ACTIVATION_TANH:
    return x * v_set(-0x1.715476p+1f);
  case CUSEQ_ACTIVATION_SIGMOID:
    return x * v_set(-0x1.715476p+0f);
  case CUSEQ_ACTIVATION_HARD_SIGMOID:
    return x * v_set(1.0f / 6.0f);
  case CUSEQ_ACTIVATION_HARD_SIGMOID_KERAS2:
    return x * v_set(0.2f);
  default:
    return x;
  }
}

#endif
