/* A word of packed weights, 32 bits: one float32, or with CPU_BF16 two bf16 of successive inputs, the first
 * in the low half. What is here is all that differs: the products are the same code over words.
 *
 * With CPU_BF16 the inputs of a product are rounded into words of their own first, to the nearest and ties to
 * even. A part of the weights that begins at an odd input begins within a word: its inputs begin with a zero.
 * The processor takes denormal numbers for zeros in these products. */
#ifndef CUSEQ_CPU_WORD_H
#define CUSEQ_CPU_WORD_H

#include "backends/cpu/kernels.h"
#include "backends/cpu/kernels/simd.h"

#if defined(CPU_BF16)
enum { WORD_INPUTS = 2 };
#else
enum { WORD_INPUTS = 1 };
#endif

/* The words of that many inputs. */
INLINE int32_t words_of(int32_t inputs) {
  return (inputs + WORD_INPUTS - 1) / WORD_INPUTS;
}

/* sum + the word x times the weights' word, for each lane. */
INLINE vf v_product(vf x, vf weights, vf sum) {
#if defined(CPU_BF16)
  return (vf)_mm512_dpbf16_ps((__m512)sum, (__m512bh)x, (__m512bh)weights);
#else
  return v_fma(x, weights, sum);
#endif
}

/* sum + the weights of one input, which are in the words at `weights`: the bits of a product with a one-hot
 * row. */
INLINE vf v_gathered(const float *weights, int32_t input, vf sum) {
#if defined(CPU_BF16)
  const int32_t one = 0x3f80; /* in bf16 */
  return v_product((vf)_mm512_set1_epi32(input % 2 == 0 ? one : one << 16), v_load(weights), sum);
#else
  (void)input;
  return sum + v_load(weights);
#endif
}

/* A sum of products with weights that were packed unscaled; others are packed with their scale. */
INLINE vf v_scaled_sum(vf sum, float scale) {
#if defined(CPU_BF16)
  return sum * v_set(scale);
#else
  (void)scale;
  return sum;
#endif
}

#if defined(CPU_BF16)
/* What words_make() may write beyond the words. */
enum { WORDS_BEYOND = LANES };

/* Rounds x [count] into words; `within`: they begin within a word. */
INLINE void words_make(const float *x, int32_t count, bool within, float *words) {
  char *to = (char *)words;
  if (within) {
    memset(to, 0, 2);
    to += 2;
  }
  for (int32_t k = 0; k < count; k += LANES, to += 2 * LANES) {
    const vf here = count - k >= LANES ? v_load(x + k) : v_load_first(x + k, count - k);
    _mm256_storeu_si256((__m256i *)(void *)to, (__m256i)_mm512_cvtneps_pbh((__m512)here));
  }
  memset(to, 0, 2); /* where the last word is half an input's: its other half is another part's weight */
}

/* The distance of two rows' words: an odd number of lines, so that rows do not share the sets of a cache. */
INLINE size_t words_stride(size_t words) {
  return ((words + WORDS_BEYOND + CPU_LANES - 1) / CPU_LANES | 1) * CPU_LANES;
}

/* Words of a cell's row: of all its segments, and of what each writes beyond the last. */
INLINE size_t cell_words_stride(int32_t inputs, int32_t units) {
  return words_stride((size_t)words_of(inputs) + (size_t)words_of(units) + CPU_SEGMENTS);
}

/* The next line at or behind an address. */
INLINE void *next_line(void *at) {
  return (char *)at + (64 - (uintptr_t)at % 64) % 64;
}

/* Rows of `inputs` in words: pointers to them, which lie in `room` as the words do. */
INLINE const float *const *rows_in_words(const float *const *in, int32_t count, int32_t inputs, void *room) {
  const float **made = room;
  float *words = next_line(made + count);
  for (int32_t r = 0; r < count; r++, words += words_stride((size_t)words_of(inputs))) {
    words_make(in[r], inputs, false, words);
    made[r] = words;
  }
  return made;
}

/* The same of a cell's rows, whose segments follow each other: copies of the rows that point to words, and of
 * the step, whose segments are told in words. A segment's words lie where its weights do among the cell's,
 * and one further for each segment before it, since two may share a word of weights. */
INLINE const struct cpu_cell_row *cell_rows_in_words(const struct cpu_cell_step *step,
                                                     const struct cpu_cell_row *rows, int32_t count,
                                                     struct cpu_cell_step *made_step) {
  const struct cpu_cell *cell = step->cell;
  const int32_t inputs = words_of(cell->inputs), all = step->segments + step->has_hidden;
  const size_t stride = cell_words_stride(cell->inputs, cell->units);
  struct cpu_cell_row *made = step->room;
  float *words = next_line(made + count);
  *made_step = *step;
  for (int32_t s = 0; s < all; s++) {
    const bool hidden = s == step->segments;
    const int32_t first = hidden ? 0 : step->first[s] / 2,
                  end = words_of((hidden ? 0 : step->first[s]) + step->count[s]);
    made_step->first[s] = (hidden ? inputs : 0) + first;
    made_step->count[s] = end - first;
  }
  for (int32_t r = 0; r < count; r++, words += stride) {
    made[r] = rows[r];
    for (int32_t s = 0; s < all; s++) {
      float *to = words + made_step->first[s] + s;
      words_make(rows[r].in[s], step->count[s], s < step->segments && step->first[s] % 2 != 0, to);
      made[r].in[s] = to;
    }
  }
  return made;
}

static size_t kernel_cell_room(int32_t inputs, int32_t units, int32_t count) {
  return (size_t)count * (sizeof(struct cpu_cell_row) + sizeof(float) * cell_words_stride(inputs, units)) +
         64;
}

static size_t kernel_dense_room(int32_t inputs, int32_t count) {
  return (size_t)count * (sizeof(float *) + sizeof(float) * words_stride((size_t)words_of(inputs))) + 64;
}
#endif

#endif
