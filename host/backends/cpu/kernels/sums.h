/* Sums of many terms in blocks, so that their errors do not grow with the number of terms: each lane adds up
 * SUM_TERMS of them, and the blocks' sums are added with what that loses kept beside (Kahan 1965).
 * Contraction is off in these sources and the compiler may not reorder, so the order is as written. */
#ifndef CUSEQ_CPU_SUMS_H
#define CUSEQ_CPU_SUMS_H

#include "backends/cpu/kernels/simd.h"

/* Terms of a block. Products with weights have both signs and err at random, those with alphas are alike
 * where positions are and err in one direction: these blocks are shorter. Neither costs anything to speak
 * of. */
enum { SUM_TERMS = 128, SUM_POSITIONS = 32 };

/* Products of bf16 err so much more than their sum in float32 that it needs no blocks. */
#if defined(CPU_BF16)
#define SUMS_IN_BLOCKS 0
#else
#define SUMS_IN_BLOCKS 1
#endif

/* A sum of blocks. */
struct block_sum {
  vf sum;
  vf lost; /* what the sum has too much */
};

INLINE void block_sum_add(struct block_sum *blocks, vf block) {
  vf rest = block - blocks->lost;
  vf sum = blocks->sum + rest;
  blocks->lost = (sum - blocks->sum) - rest;
  blocks->sum = sum;
}

/* Begins with the sum of a block that others follow; the next one begins at 0. */
INLINE struct block_sum block_sum_begin(vf *block) {
  const struct block_sum blocks = {*block, v_set(0.0f)};
  *block = v_set(0.0f);
  return blocks;
}

/* Takes over a further one. */
INLINE void block_sum_take(struct block_sum *blocks, vf *block) {
  block_sum_add(blocks, *block);
  *block = v_set(0.0f);
}

/* The sum of all. */
INLINE vf block_sum_total(const struct block_sum *blocks) {
  return blocks->sum - blocks->lost;
}

#endif
