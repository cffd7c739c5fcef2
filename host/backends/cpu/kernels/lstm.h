/* One time step of an LSTM for some rows.
 * The four gates of LANES units of up to ROWS_OF_4 rows are accumulated in registers over all inputs and the
 * previous hidden state, and the cell update follows in registers: no pre-activation is ever stored. Each row
 * adds its products in the order of k whatever the number of rows, so its bits do not depend on the others.
 */
#ifndef CUSEQ_CPU_LSTM_H
#define CUSEQ_CPU_LSTM_H

#include "backends/cpu/kernels.h"
#include "backends/cpu/kernels/functions.h"

/* The updates that are worth their own code; the rest chooses per vector. */
enum update { UPDATE_SIGMOID_TANH, UPDATE_CLIP_TANH, UPDATE_ANY };

/* The largest number of vectors that a block of rows accumulates: rows x 4 gates. */
enum { GATES = 4, BLOCK_ROWS = ROWS_OF_4 };

/* The update in two parts, c' from c and then h from c', so that the second parts of all rows can follow the
 * first parts of all: a part is one long chain of dependent operations, and the processor looks ahead only so
 * far.
 *
 * sigmoid, tanh: the quotients are joined, c' = c/f + (1-g)/(i(1+g)) over one denominator and h =
 * (1-e)/(o(1+e)), with i, f, o one more than their powers of two. Two divisions are left of five. Powers cut
 * at 2^30 (there the gates are within 1e-9 of their limits) keep every product finite for |c| < 2^67. */
INLINE vf update_cell(const enum update update, const struct cpu_lstm *cell, const vf z[GATES], vf c) {
  if (update == UPDATE_SIGMOID_TANH) {
    vf one = v_set(1.0f);
    vf i = one + v_exp2(z[0]), f = one + v_exp2(z[1]), g = v_exp2(z[2]);
    vf share = i * (one + g);
    return v_fma(c, share, (one - g) * f) / (share * f);
  }
  if (update == UPDATE_CLIP_TANH)
    return v_fma(v_clip_scaled(z[1]), c, v_clip_scaled(z[0]) * v_tanh_scaled(z[2]));
  const cuseq_activation rec = cell->recurrent_activation;
  return v_fma(v_activate_scaled(rec, z[1]), c,
               v_activate_scaled(rec, z[0]) * v_activate_scaled(cell->activation, z[2]));
}

INLINE vf update_hidden(const enum update update, const struct cpu_lstm *cell, vf z, vf c) {
  const vf one = v_set(1.0f), scaled = c * v_set(-0x1.715476p+1f);
  if (update == UPDATE_SIGMOID_TANH) {
    vf o = one + v_exp2(z), e = v_exp2(scaled);
    return (one - e) / (o * (one + e));
  }
  if (update == UPDATE_CLIP_TANH)
    return v_clip_scaled(z) * v_tanh_scaled(scaled);
  const cuseq_activation act = cell->activation;
  return v_activate_scaled(cell->recurrent_activation, z) * v_activate_scaled(act, v_scaled(act, c));
}

/* acc += in . weights for one segment. */
INLINE void lstm_accumulate(const int R, vf acc[BLOCK_ROWS][GATES], const float *weights, int32_t count,
                            const float *const in[BLOCK_ROWS]) {
  for (int32_t k = 0; k < count; k++, weights += GATES * LANES) {
    vf w0 = v_load(weights), w1 = v_load(weights + LANES), w2 = v_load(weights + 2 * LANES),
       w3 = v_load(weights + 3 * LANES);
#pragma GCC unroll 8
    for (int r = 0; r < R; r++) {
      vf x = v_set(in[r][k]);
      acc[r][0] = v_fma(x, w0, acc[r][0]);
      acc[r][1] = v_fma(x, w1, acc[r][1]);
      acc[r][2] = v_fma(x, w2, acc[r][2]);
      acc[r][3] = v_fma(x, w3, acc[r][3]);
    }
  }
}

/* The new hidden states of units at .. at + left - 1, to both their places. */
INLINE void lstm_store(const int R, const struct cpu_lstm_row *rows, const vf h[BLOCK_ROWS], size_t at,
                       int32_t left) {
#pragma GCC unroll 8
  for (int r = 0; r < R; r++)
    if (left >= LANES)
      v_store(rows[r].out + at, h[r]);
    else
      v_store_first(rows[r].out + at, left, h[r]);
#pragma GCC unroll 8
  for (int r = 0; r < R; r++)
    if (rows[r].copy && left >= LANES)
      v_store(rows[r].copy + at, h[r]);
    else if (rows[r].copy)
      v_store_first(rows[r].copy + at, left, h[r]);
}

/* Block `block` of units of R rows. */
INLINE void lstm_block(const int R, const enum update update, const struct cpu_lstm_step *step,
                       const struct cpu_lstm_row *rows, int32_t block) {
  const struct cpu_lstm *cell = step->cell;
  const size_t depth = (size_t)cell->inputs + (size_t)cell->units;
  const float *weights = cell->weights + (size_t)block * depth * GATES * LANES;
  const float *bias = cell->bias + (size_t)block * GATES * LANES;
  vf acc[BLOCK_ROWS][GATES];
#pragma GCC unroll 8
  for (int r = 0; r < R; r++)
#pragma GCC unroll 8
    for (int g = 0; g < GATES; g++)
      acc[r][g] = v_load(bias + g * LANES);
  if (step->hot_first >= 0) {
#pragma GCC unroll 8
    for (int r = 0; r < R; r++) {
      const float *hot = weights + ((size_t)step->hot_first + (size_t)rows[r].hot) * GATES * LANES;
#pragma GCC unroll 8
      for (int g = 0; g < GATES; g++)
        acc[r][g] += v_load(hot + g * LANES);
    }
  }
  for (int32_t s = 0; s < step->segments; s++) {
    const float *in[BLOCK_ROWS];
#pragma GCC unroll 8
    for (int r = 0; r < R; r++)
      in[r] = rows[r].in[s];
    lstm_accumulate(R, acc, weights + (size_t)step->first[s] * GATES * LANES, step->count[s], in);
  }
  vf h[BLOCK_ROWS];
#pragma GCC unroll 8
  for (int r = 0; r < R; r++) {
    float *c = rows[r].c + (size_t)block * LANES;
    h[r] = update_cell(update, cell, acc[r], v_load(c));
    v_store(c, h[r]);
  }
#pragma GCC unroll 8
  for (int r = 0; r < R; r++)
    h[r] = update_hidden(update, cell, acc[r][3], h[r]);
  lstm_store(R, rows, h, (size_t)block * LANES, cell->units - block * LANES);
}

/* Blocks of 1 .. BLOCK_ROWS rows for one kind of update. */
#define LSTM_BLOCKS(name, update)                                                                            \
  static void name(const struct cpu_lstm_step *step, const struct cpu_lstm_row *rows, int32_t count,         \
                   int32_t block) {                                                                          \
    switch (count) {                                                                                         \
    case 1:                                                                                                  \
      lstm_block(1, update, step, rows, block);                                                              \
      break;                                                                                                 \
    case 2:                                                                                                  \
      lstm_block(2, update, step, rows, block);                                                              \
      break;                                                                                                 \
    case 3:                                                                                                  \
      lstm_block(3, update, step, rows, block);                                                              \
      break;                                                                                                 \
    case BLOCK_ROWS > 3 ? 4:                                                                                 \
      -4 : lstm_block(BLOCK_ROWS > 3 ? 4 : 1, update, step, rows, block);                                    \
      break;                                                                                                 \
    case BLOCK_ROWS > 4 ? 5:                                                                                 \
      -5 : lstm_block(BLOCK_ROWS > 4 ? 5 : 1, update, step, rows, block);                                    \
      break;                                                                                                 \
    case BLOCK_ROWS > 5 ? 6:                                                                                 \
      -6 : lstm_block(BLOCK_ROWS > 5 ? 6 : 1, update, step, rows, block);                                    \
      break;                                                                                                 \
    }                                                                                                        \
  }

LSTM_BLOCKS(lstm_blocks_sigmoid_tanh, UPDATE_SIGMOID_TANH)
LSTM_BLOCKS(lstm_blocks_clip_tanh, UPDATE_CLIP_TANH)
LSTM_BLOCKS(lstm_blocks_any, UPDATE_ANY)

static void kernel_lstm_step(const struct cpu_lstm_step *step, const struct cpu_lstm_row *rows,
                             int32_t count) {
  const struct cpu_lstm *cell = step->cell;
  void (*blocks)(const struct cpu_lstm_step *, const struct cpu_lstm_row *, int32_t, int32_t) =
      lstm_blocks_any;
  if (cell->activation == CUSEQ_ACTIVATION_TANH)
    blocks = cell->recurrent_activation == CUSEQ_ACTIVATION_SIGMOID ? lstm_blocks_sigmoid_tanh
                                                                    : lstm_blocks_clip_tanh;
  const int32_t groups = (count + BLOCK_ROWS - 1) / BLOCK_ROWS;
  for (int32_t block = 0; block < cell->blocks; block++)
    for (int32_t group = 0, first = 0; group < groups; group++) { /* even shares: 32 rows are 6 6 5 5 5 5 */
      int32_t rows_here = (count - first + groups - group - 1) / (groups - group);
      blocks(step, rows + first, rows_here, block);
      first += rows_here;
    }
}

#endif
