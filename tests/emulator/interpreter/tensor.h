/* D = A * B + C of matrices that lie in the registers of a warp (fragment.h says where), eight columns at a
 * time.
 *
 * Every type of 32 bits or less is widened to double: there products are exact, and sums are taken in the
 * order of k and rounded once at the end. f64 is a chain of fused multiply-adds along k, which is the same
 * thing here, since fusing does not matter where products are exact. */
#ifndef EMU_TENSOR_H
#define EMU_TENSOR_H

#include "each_lane.h"
#include "fragment.h"

#ifdef __AVX512F__
#include <immintrin.h>
#endif

/* Elements of the largest A, B, C. */
enum { EMU_TENSOR_FACTOR = 512, EMU_TENSOR_SUM = 256, EMU_TENSOR_SIDE = 8 };

struct emu_tensor {
  struct emu_matrix_shape shape;
  enum emu_type a, b, c, d;
  bool saturates;
};

#define EMU_WIDEN(expression)                                                                                \
  EMU_LOOP                                                                                                   \
  for (unsigned lane = 0; lane < EMU_LANES; lane++) {                                                        \
    const uint32_t word = words[lane];                                                                       \
    to[lane] = (expression);                                                                                 \
  }                                                                                                          \
  break

/* Element `e` of a register, lane by lane. */
static inline void emu_tensor_widen(struct emu_warp *w, const struct emu_operand *r, enum emu_type type,
                                    unsigned e, double *to) {
  const uint32_t *words = emu_u32(w, r);
  switch (type) {
  case EMU_F64:
    memcpy(to, emu_f64(w, r), EMU_LANES * sizeof *to);
    break;
  case EMU_F16:
    EMU_WIDEN((double)emu_half_to_float((uint16_t)(word >> 16 * e)));
  case EMU_BF16:
    EMU_WIDEN((double)emu_bfloat_to_float((uint16_t)(word >> 16 * e)));
  case EMU_TF32:
    EMU_WIDEN((double)emu_float_float_of(word & 0xffffe000u));
  case EMU_F32:
    EMU_WIDEN((double)emu_float_float_of(word));
  case EMU_S8:
    EMU_WIDEN((double)(int8_t)(word >> 8 * e));
  case EMU_U8:
    EMU_WIDEN((double)(uint8_t)(word >> 8 * e));
  case EMU_S32:
    EMU_WIDEN((double)(int32_t)word);
  default:
    for (unsigned lane = 0; lane < EMU_LANES; lane++)
      to[lane] = emu_fragment_value(w, r, type, lane, e);
  }
}

/* All elements of the registers: by register, then by element of it, then by lane. */
static inline void emu_tensor_gather(struct emu_warp *w, const struct emu_instruction *in, unsigned slot,
                                     enum emu_type type, unsigned registers, double *to) {
  const struct emu_operand *r = in->elements + in->operand[slot].first;
  const unsigned per = emu_fragment_per(type);
  for (unsigned i = 0; i < registers; i++)
    for (unsigned e = 0; e < per; e++, to += EMU_LANES)
      emu_tensor_widen(w, &r[i], type, e, to);
}

/* B's rows, eight columns side by side: those of all k, then the next columns. */
static inline void emu_tensor_rows(const struct emu_matrix_shape *s, unsigned per, const double *from,
                                   double *to) {
  const unsigned blocks = s->n / EMU_TENSOR_SIDE * s->k / (4 * per);
  for (unsigned block = 0; block < blocks; block++)
    for (unsigned e = 0; e < per; e++, from += EMU_LANES)
      for (unsigned t = 0; t < 4; t++) {
        double *row = to + (block * 4 * per + t * per + e) * EMU_TENSOR_SIDE;
        for (unsigned l = 0; l < EMU_TENSOR_SIDE; l++)
          row[l] = from[4 * l + t]; // NOLINT(clang-analyzer-core.uninitialized.Assign): a shape fills it
      }
}

/* One block of eight rows and columns. a: element (row g, k) is at[k][4 * g]. */
static inline void emu_tensor_block(const double *const *at, const double *b, unsigned k, bool fused,
                                    double *c) {
#ifdef __AVX512F__
  __m512d sum[EMU_TENSOR_SIDE];
  (void)fused;
#pragma GCC unroll 8
  for (unsigned g = 0; g < EMU_TENSOR_SIDE; g++)
    sum[g] = _mm512_loadu_pd(c + g * EMU_TENSOR_SIDE);
  for (unsigned i = 0; i < k; i++) {
    const __m512d row = _mm512_loadu_pd(b + i * EMU_TENSOR_SIDE);
    const double *a = at[i];
#pragma GCC unroll 8
    for (unsigned g = 0; g < EMU_TENSOR_SIDE; g++)
      sum[g] = _mm512_fmadd_pd(_mm512_set1_pd(a[4 * g]), row, sum[g]);
  }
#pragma GCC unroll 8
  for (unsigned g = 0; g < EMU_TENSOR_SIDE; g++)
    _mm512_storeu_pd(c + g * EMU_TENSOR_SIDE, sum[g]);
#else
  for (unsigned g = 0; g < EMU_TENSOR_SIDE; g++, c += EMU_TENSOR_SIDE) {
    double sum[EMU_TENSOR_SIDE];
    memcpy(sum, c, sizeof sum);
    for (unsigned i = 0; i < k; i++) {
      // NOLINTNEXTLINE(clang-analyzer-core.uninitialized.Assign): a shape fills it
      const double a = at[i][4 * g], *row = b + i * EMU_TENSOR_SIDE;
      if (fused)
        for (unsigned l = 0; l < EMU_TENSOR_SIDE; l++)
          sum[l] = fma(a, row[l], sum[l]);
      else
        for (unsigned l = 0; l < EMU_TENSOR_SIDE; l++)
          sum[l] += a * row[l];
    }
    memcpy(c, sum, sizeof sum);
  }
#endif
}

/* a as emu_tensor_gather gives it, b as emu_tensor_rows does; c block by block, eight rows one below the
 * other, then the next columns. */
static inline void emu_tensor_multiply(const struct emu_matrix_shape *s, unsigned per, bool fused,
                                       const double *a, const double *b, double *c) {
  const unsigned row_blocks = s->m / EMU_TENSOR_SIDE, blocks = s->k / (4 * per), pair = s->m > 8 ? 2 : 1;
  const double *at[EMU_MATRIX_MOST];
  for (unsigned i = 0; i < row_blocks; i++) {
    for (unsigned k = 0; k < s->k; k++) {
      const unsigned block = k / (4 * per), t = k / per % 4, e = k % per;
      const unsigned index = (i / 2 * blocks + block) * pair + i % 2;
      at[k] = a + (index * per + e) * EMU_LANES + t;
    }
    for (unsigned j = 0; j < s->n / EMU_TENSOR_SIDE; j++)
      emu_tensor_block(at, b + j * s->k * EMU_TENSOR_SIDE, s->k, fused,
                       c + (j * row_blocks + i) * EMU_TENSOR_SIDE * EMU_TENSOR_SIDE);
  }
}

/* The bits of the f32 next to a sum, or of the one on zero's side of it. */
static inline uint32_t emu_tensor_round(double sum, bool towards_zero) {
  const float nearest = (float)sum;
  const uint32_t bits = emu_float_float_bits(nearest);
  return sum != sum ? 0x7fffffffu : bits - (towards_zero & (fabs((double)nearest) > fabs(sum)));
}

static inline void emu_tensor_store(struct emu_warp *w, const struct emu_instruction *in,
                                    const struct emu_tensor *x, const double *c) {
  const struct emu_operand *d = in->elements + in->operand[0].first;
  const unsigned per = emu_fragment_per(x->d), count = x->shape.m * x->shape.n / EMU_LANES;
  const bool truncates = emu_perturbs(w);
  for (unsigned i = 0; i < count; i++) {
    const double *sums = c + i / 2 * 2 * EMU_LANES + i % 2;
    if (x->d == EMU_F32) {
      uint32_t *to = emu_u32(w, &d[i]);
      EMU_LOOP
      for (unsigned lane = 0; lane < EMU_LANES; lane++)
        to[lane] = emu_tensor_round(sums[2 * lane], truncates);
      continue;
    }
    for (unsigned lane = 0; lane < EMU_LANES; lane++)
      emu_fragment_set(w, &d[i / per], x->d, lane, i % per, sums[2 * lane], x->saturates);
  }
}

/* The whole instruction: operands 0 to 3 are the vectors D, A, B, C. */
static inline void emu_tensor_product(struct emu_warp *w, const struct emu_instruction *in,
                                      const struct emu_tensor *x) {
  const struct emu_matrix_shape *s = &x->shape;
  const unsigned count = s->m * s->n / EMU_LANES;
  double a[EMU_TENSOR_FACTOR], b[EMU_TENSOR_FACTOR], rows[EMU_TENSOR_FACTOR], c[EMU_TENSOR_SUM],
      sums[EMU_TENSOR_SUM];
  emu_tensor_gather(w, in, 1, x->a, emu_fragment_registers(s->m, s->k, x->a), a);
  emu_tensor_gather(w, in, 2, x->b, emu_fragment_registers(s->n, s->k, x->b), b);
  emu_tensor_gather(w, in, 3, x->c, count / emu_fragment_per(x->c), c);
  emu_tensor_rows(s, emu_fragment_per(x->b), b, rows);
  /* A lane's two neighbours of a row, side by side: then 64 elements are a block, row by row. */
  for (unsigned i = 0; i < count; i++)
    for (unsigned lane = 0; lane < EMU_LANES; lane++)
      // NOLINTNEXTLINE(clang-analyzer-core.uninitialized.Assign): registers fill it
      sums[i / 2 * 2 * EMU_LANES + 2 * lane + i % 2] = c[i * EMU_LANES + lane];
  emu_tensor_multiply(s, emu_fragment_per(x->a), x->d == EMU_F64, a, rows, sums);
  emu_tensor_store(w, in, x, sums);
}

#endif
