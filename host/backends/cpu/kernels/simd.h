/* One vector type, vf, of LANES floats, and the few operations that differ between instruction sets. The rest
 * is written with the compiler's own vector operators. Contraction is off in these sources, so a
 * multiplication and an addition are fused exactly where v_fma says so, and a row's bits do not depend on
 * what the compiler inlined. */
#ifndef CUSEQ_CPU_SIMD_H
#define CUSEQ_CPU_SIMD_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#if defined(__AVX512F__) || defined(__AVX2__)
#include <immintrin.h>
#elif defined(__aarch64__)
#include <arm_neon.h>
#endif

#define INLINE static inline __attribute__((always_inline, unused))

/* Before a loop of a constant few rounds: all of them, so that the arrays it runs over become registers. */
#if defined(__clang__)
#define UNROLL _Pragma("clang loop unroll(full)")
#else
#define UNROLL _Pragma("GCC unroll 16")
#endif

/* LANES; and how many rows the products of 4, 2 and 1 vectors hold in registers, and in how many sums each
 * vector. */
#if defined(__AVX512F__)
#define LANES 16
#define ROWS_OF_4 6
#define ROWS_OF_2 6
#define ROWS_OF_1 6
#define PARTS_OF_2 2
#define PARTS_OF_1 4
typedef __m512 vf;
typedef int32_t vi __attribute__((vector_size(64)));
#elif defined(__AVX2__)
#define LANES 8
#define ROWS_OF_4 3
#define ROWS_OF_2 4
#define ROWS_OF_1 6
#define PARTS_OF_2 1
#define PARTS_OF_1 2
typedef __m256 vf;
typedef int32_t vi __attribute__((vector_size(32)));
#else
#define LANES 4
#define ROWS_OF_4 3
#define ROWS_OF_2 4
#define ROWS_OF_1 6
#define PARTS_OF_2 1
#define PARTS_OF_1 2
typedef float vf __attribute__((vector_size(16)));
typedef int32_t vi __attribute__((vector_size(16)));
#endif

typedef float vf_unaligned __attribute__((vector_size(4 * LANES), aligned(4), may_alias));

INLINE vf v_load(const float *p) {
  return (vf) * (const vf_unaligned *)p;
}

INLINE void v_store(float *p, vf x) {
  *(vf_unaligned *)p = (vf_unaligned)x;
}

INLINE vf v_set(float x) {
#if defined(__AVX512F__)
  return _mm512_set1_ps(x);
#elif defined(__AVX2__)
  return _mm256_set1_ps(x);
#else
  return (vf){x, x, x, x};
#endif
}

/* a*b + c, rounded once where the instruction set has it. */
INLINE vf v_fma(vf a, vf b, vf c) {
#if defined(__AVX512F__)
  return _mm512_fmadd_ps(a, b, c);
#elif defined(__AVX2__)
  return _mm256_fmadd_ps(a, b, c);
#elif defined(__aarch64__)
  return (vf)vfmaq_f32((float32x4_t)c, (float32x4_t)a, (float32x4_t)b);
#else
  return a * b + c;
#endif
}

/* The larger, the smaller of a bound and x; a NaN in x stays. */
INLINE vf v_at_least(vf bound, vf x) {
#if defined(__AVX512F__)
  return _mm512_max_ps(bound, x);
#elif defined(__AVX2__)
  return _mm256_max_ps(bound, x);
#else
  vi below = x < bound;
  return (vf)((below & (vi)bound) | (~below & (vi)x));
#endif
}

INLINE vf v_at_most(vf bound, vf x) {
#if defined(__AVX512F__)
  return _mm512_min_ps(bound, x);
#elif defined(__AVX2__)
  return _mm256_min_ps(bound, x);
#else
  vi above = x > bound;
  return (vf)((above & (vi)bound) | (~above & (vi)x));
#endif
}

/* p * 2^x for the power-of-two part: n = x rounded, and the rest in `rest`. -126 <= x <= 128. */
INLINE vf v_split(vf x, vf *rest) {
#if defined(__AVX512F__)
  vf n = _mm512_roundscale_ps(x, 8);
  *rest = x - n;
  return n;
#else
  const float magic = 12582912.0f; /* 1.5 * 2^23: n stands in the low bits of the sum */
  vf shifted = x + v_set(magic);
  *rest = x - (shifted - v_set(magic));
  return shifted;
#endif
}

/* p * 2^n, n as v_split gives it. A product, not a sum of exponents: a NaN of any payload stays one. */
INLINE vf v_scale(vf p, vf n) {
#if defined(__AVX512F__)
  return _mm512_scalef_ps(p, n);
#else
  return p * (vf)(((vi)n << 23) + 0x3f800000);
#endif
}

/* Has an array of vectors lie in memory, and leave the registers to others: the compiler may not know which
 * of them a loop needs more. */
INLINE void v_in_memory(void *array) {
  __asm__ volatile("" : : "r"(array) : "memory");
}

/* Lane numbers 0, 1, .. LANES-1. */
INLINE vi v_iota(void) {
#if LANES == 16
  return (vi){0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
#elif LANES == 8
  return (vi){0, 1, 2, 3, 4, 5, 6, 7};
#else
  return (vi){0, 1, 2, 3};
#endif
}

/* x in the first n lanes, `other` in the rest. */
INLINE vf v_first(int32_t n, vf x, vf other) {
#if defined(__AVX512F__)
  return _mm512_mask_blend_ps((__mmask16)((1u << n) - 1u), other, x);
#else
  vi keep = v_iota() < n;
  return (vf)((keep & (vi)x) | (~keep & (vi)other));
#endif
}

/* The lanes from .. from + n - 1 in front, zeros behind them. */
INLINE vf v_lanes(vf x, const int from, const int n) {
#if defined(__AVX512F__)
  const vi at = v_iota() + from;
  return _mm512_maskz_permutexvar_ps((__mmask16)((1u << n) - 1u), (__m512i)at, x);
#elif defined(__AVX2__)
  const vi at = v_iota() + from;
  return v_first(n, _mm256_permutevar8x32_ps(x, (__m256i)at), v_set(0.0f));
#else
  float lanes[2 * LANES] = {0};
  v_store(lanes, x);
  return v_first(n, v_load(lanes + from), v_set(0.0f));
#endif
}

/* Loads the first n lanes, 0 < n < LANES, and looks at nothing else; the others are zero. */
INLINE vf v_load_first(const float *p, int32_t n) {
#if defined(__AVX512F__)
  return _mm512_maskz_loadu_ps((__mmask16)((1u << n) - 1u), p);
#elif defined(__AVX2__)
  return _mm256_maskload_ps(p, (__m256i)(v_iota() < n));
#else
  float lanes[LANES] = {0};
  memcpy(lanes, p, (size_t)n * sizeof *p);
  return v_load(lanes);
#endif
}

/* Stores the first n lanes, 0 < n < LANES, and touches nothing else. */
INLINE void v_store_first(float *p, int32_t n, vf x) {
#if defined(__AVX512F__)
  _mm512_mask_storeu_ps(p, (__mmask16)((1u << n) - 1u), x);
#elif defined(__AVX2__)
  _mm256_maskstore_ps(p, (__m256i)(v_iota() < n), x);
#else
  float lanes[LANES];
  v_store(lanes, x);
  memcpy(p, lanes, (size_t)n * sizeof *p);
#endif
}

/* Whether any lane is not a number. */
INLINE int v_any_nan(vf x) {
#if defined(__AVX512F__)
  return _mm512_cmp_ps_mask(x, x, _CMP_UNORD_Q) != 0;
#elif defined(__AVX2__)
  return _mm256_movemask_ps(_mm256_cmp_ps(x, x, _CMP_UNORD_Q)) != 0;
#else
  return __builtin_isnan(x[0]) | __builtin_isnan(x[1]) | __builtin_isnan(x[2]) | __builtin_isnan(x[3]);
#endif
}

/* The first lane that is the same in both, LANES where none is; NaN is not. */
INLINE int v_first_equal(vf a, vf b) {
#if defined(__AVX512F__)
  return __builtin_ctz(_mm512_cmp_ps_mask(a, b, _CMP_EQ_OQ) | 1u << LANES);
#elif defined(__AVX2__)
  return __builtin_ctz((unsigned)_mm256_movemask_ps(_mm256_cmp_ps(a, b, _CMP_EQ_OQ)) | 1u << LANES);
#else
  const vi equal = a == b;
  int lane = 0;
  while (lane < LANES && !equal[lane])
    lane++;
  return lane;
#endif
}

/* Sums and maxima of the lanes, in a fixed order; a NaN lane makes the sum NaN. */
INLINE float v_sum(vf x) {
#if defined(__AVX512F__)
  return _mm512_reduce_add_ps(x);
#else
  float lanes[LANES];
  v_store(lanes, x);
  for (int half = LANES / 2; half > 0; half /= 2)
    for (int i = 0; i < half; i++)
      lanes[i] += lanes[i + half];
  return lanes[0];
#endif
}

INLINE float v_largest(vf x) {
#if defined(__AVX512F__)
  return _mm512_reduce_max_ps(x);
#else
  float lanes[LANES];
  v_store(lanes, x);
  float largest = lanes[0];
  for (int i = 1; i < LANES; i++)
    largest = lanes[i] > largest ? lanes[i] : largest;
  return largest;
#endif
}

/* Transposes LANES x LANES floats: out row c = column c of `in`. `in` and `out` must not overlap. */
INLINE void v_transpose(const float *in, size_t in_stride, float *out, size_t out_stride) {
#if LANES == 16
  vf a[16], b[16];
  for (int i = 0; i < 16; i += 2) {
    vf x = v_load(in + (size_t)i * in_stride), y = v_load(in + (size_t)(i + 1) * in_stride);
    a[i] = _mm512_unpacklo_ps(x, y);
    a[i + 1] = _mm512_unpackhi_ps(x, y);
  }
  for (int i = 0; i < 16; i += 4)
    for (int j = 0; j < 2; j++) {
      __m512d x = _mm512_castps_pd(a[i + j]), y = _mm512_castps_pd(a[i + 2 + j]);
      b[i + 2 * j] = _mm512_castpd_ps(_mm512_unpacklo_pd(x, y));
      b[i + 2 * j + 1] = _mm512_castpd_ps(_mm512_unpackhi_pd(x, y));
    }
  for (int i = 0; i < 4; i++) { /* b[4*q + i]: column 4*lane128 + i of rows 4q..4q+3 */
    vf x = _mm512_shuffle_f32x4(b[i], b[4 + i], 0x88), y = _mm512_shuffle_f32x4(b[8 + i], b[12 + i], 0x88);
    vf z = _mm512_shuffle_f32x4(b[i], b[4 + i], 0xdd), w = _mm512_shuffle_f32x4(b[8 + i], b[12 + i], 0xdd);
    v_store(out + (size_t)i * out_stride, _mm512_shuffle_f32x4(x, y, 0x88));
    v_store(out + (size_t)(8 + i) * out_stride, _mm512_shuffle_f32x4(x, y, 0xdd));
    v_store(out + (size_t)(4 + i) * out_stride, _mm512_shuffle_f32x4(z, w, 0x88));
    v_store(out + (size_t)(12 + i) * out_stride, _mm512_shuffle_f32x4(z, w, 0xdd));
  }
#else
  for (int i = 0; i < LANES; i++)
    for (int j = 0; j < LANES; j++)
      out[(size_t)j * out_stride + (size_t)i] = in[(size_t)i * in_stride + (size_t)j];
#endif
}

#endif
