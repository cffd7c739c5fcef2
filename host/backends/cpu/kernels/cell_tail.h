/* The tail of an LSTM's units (kernels.h): what is made with it, and how its sums are taken apart for the
 * update, which is one of those in memory. Rows make the tail by itself; one row makes it with the last
 * blocks, since its few chains of additions alone would leave the processor idle. */
#ifndef CUSEQ_CPU_CELL_TAIL_H
#define CUSEQ_CPU_CELL_TAIL_H

#include "backends/cpu/kernels/cell.h"

#if LANES == 16
/* Sum g of a tail's T vectors. */
INLINE vf tail_sum(const int T, const int g, const vf sums[SUMS]) {
  const int lanes = T * LANES / SUMS; /* of a sum */
  return v_lanes(sums[g * T / SUMS], g * lanes % LANES, lanes);
}

/* The last P blocks and the tail, T vectors of sums, of R rows. Nothing is fetched meanwhile. */
INLINE void tail_block(const int R, const int P, const int T, const struct cpu_cell_step *step,
                       const struct cpu_cell_row *rows, int32_t block) {
  static update_rows *const updates[] = {[UPDATE_LSTM_SIGMOID_TANH] = update_lstm_sigmoid_tanh,
                                         [UPDATE_LSTM_CLIP_TANH] = update_lstm_clip_tanh,
                                         [UPDATE_LSTM_ANY] = update_lstm_any};
  const struct cpu_cell *cell = step->cell;
  const int Q = blocks_with_tail(P, T);
  vf acc[BLOCK_ROWS][SUMS], sums[BLOCK_ROWS][SUMS]; /* the first stay in registers */
  cell_sums(R, P, T, false, true, UPDATE_LSTM_ANY, step, rows, block, NULL, acc);
  UNROLL
  for (int n = 0; n < R * Q; n++) {
    UNROLL
    for (int g = 0; g < SUMS; g++)
      sums[n][g] = v_scaled_sum(n % Q < P ? acc[n][g] : tail_sum(T, g, acc[n]), cell->scale[g]);
  }
  updates[cell->code / CODE_UPDATE](cell, rows, R * Q, Q, block, sums);
}

/* The tail of some rows; or `count` -2, -3, -4: that of one row with one to three blocks in front of it. */
#define TAIL_CASE(R, T)                                                                                      \
  case R:                                                                                                    \
    tail_block(R, 0, T, step, rows, block);                                                                  \
    break;
#define TAIL_BLOCKS(name, T)                                                                                 \
  static void name(const struct cpu_cell_step *step, const struct cpu_cell_row *rows, int32_t count,         \
                   int32_t block) {                                                                          \
    switch (count) {                                                                                         \
    case -4:                                                                                                 \
      tail_block(1, 3, T, step, rows, block);                                                                \
      break;                                                                                                 \
    case -3:                                                                                                 \
      tail_block(1, 2, T, step, rows, block);                                                                \
      break;                                                                                                 \
    case -2:                                                                                                 \
      tail_block(1, 1, T, step, rows, block);                                                                \
      break;                                                                                                 \
      TAIL_CASE(1, T)                                                                                        \
      TAIL_CASE(2, T)                                                                                        \
      TAIL_CASE(3, T)                                                                                        \
      TAIL_CASE(4, T)                                                                                        \
      TAIL_CASE(5, T)                                                                                        \
      TAIL_CASE(6, T)                                                                                        \
    }                                                                                                        \
  }
TAIL_BLOCKS(tail_of_1, 1)
TAIL_BLOCKS(tail_of_2, 2)
#endif

/* Makes blocks of units: with the code of a cell's blocks, or where they end with the tail with its. */
INLINE void cell_make(cell_blocks *blocks, const struct cpu_cell_step *step, const struct cpu_cell_row *rows,
                      int32_t count, int32_t block, const float *ahead) {
#if LANES == 16
  if (count != FOUR_BESIDE && is_tail(step->cell, count < 0 ? block - count - 1 : block)) {
    (step->cell->tail_vectors == 1 ? tail_of_1 : tail_of_2)(step, rows, count, block);
    return;
  }
#endif
  blocks(step, rows, count, block, ahead);
}

#endif
