/* One time step of an LSTM for some rows.
 * The four gates of LANES units of up to ROWS_OF_4 rows are accumulated in registers over all inputs and the
 * previous hidden state, and the cell update follows in registers: no pre-activation is ever stored. Each row
 * adds its products in the order of k whatever the number of rows, so its bits do not depend on the others.
 */
#ifndef CUSEQ_CPU_LSTM_H
#define CUSEQ_CPU_LSTM_H

#include "backends/cpu/kernels.h"
#include "backends/cpu/kernels/functions.h"

#include <stdbool.h>

/* The updates that are worth their own code; the rest chooses per vector. */
enum update { UPDATE_SIGMOID_TANH, UPDATE_CLIP_TANH, UPDATE_ANY };

/* The largest number of vectors that a block of rows accumulates: rows x 4 gates. */
enum { GATES = 4, BLOCK_ROWS = ROWS_OF_4 };

/* Where powers of two are cut in joined quotients: 2^30, within 1e-9 of the gates' limits. */
static const float TOP = 30.0f;

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
    vf i = one + v_exp2(z[0], TOP), f = one + v_exp2(z[1], TOP), g = v_exp2(z[2], TOP);
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
    vf o = one + v_exp2(z, TOP), e = v_exp2(scaled, TOP);
    return (one - e) / (o * (one + e));
  }
  if (update == UPDATE_CLIP_TANH)
    return v_clip_scaled(z) * v_tanh_scaled(scaled);
  const cuseq_activation act = cell->activation;
  return v_activate_scaled(cell->recurrent_activation, z) * v_activate_scaled(act, v_scaled(act, c));
}

/* How far ahead, in rows of the weights, they are fetched from the second-level cache into the first. */
enum { FETCH_ROWS = 32 };

/* acc += in . weights for one segment, of R rows and P blocks of units `size` apart; acc[r*P + p] are
 * row r's gates of block p. With `fetch` a line from `ahead` on is fetched per k, and so are the weights soon
 * used. */
INLINE void lstm_accumulate(const int R, const int P, const bool fetch, vf acc[BLOCK_ROWS][GATES],
                            const float *weights, size_t size, int32_t count,
                            const float *const in[BLOCK_ROWS], const float *ahead) {
  for (int32_t k = 0; k < count; k++, weights += GATES * LANES) {
    if (fetch) {
      __builtin_prefetch(ahead, 0, 2);
      ahead += CPU_LANES;
    }
    UNROLL
    for (int p = 0; p < P; p++) {
      const float *w = weights + (size_t)p * size;
      UNROLL
      for (int line = 0; fetch && line < GATES * LANES; line += CPU_LANES)
        __builtin_prefetch(w + FETCH_ROWS * GATES * LANES + line, 0, 3);
      vf w0 = v_load(w), w1 = v_load(w + LANES), w2 = v_load(w + 2 * LANES), w3 = v_load(w + 3 * LANES);
      UNROLL
      for (int r = 0; r < R; r++) {
        vf x = v_set(in[r][k]), *z = acc[r * P + p];
        z[0] = v_fma(x, w0, z[0]);
        z[1] = v_fma(x, w1, z[1]);
        z[2] = v_fma(x, w2, z[2]);
        z[3] = v_fma(x, w3, z[3]);
      }
    }
  }
}

/* The new hidden states of the units from `at` on, to both their places; `left` units are left of the
 * cell's. */
INLINE void lstm_store(const struct cpu_lstm_row *row, vf h, size_t at, int32_t left) {
  if (left >= LANES)
    v_store(row->out + at, h);
  else
    v_store_first(row->out + at, left, h);
  if (row->copy && left >= LANES)
    v_store(row->copy + at, h);
  else if (row->copy)
    v_store_first(row->copy + at, left, h);
}

/* Where the accumulation starts: the bias and the gathered row, or what lstm_project() made of the input. */
INLINE void lstm_begin(const int R, const int P, vf acc[BLOCK_ROWS][GATES], const struct cpu_lstm_step *step,
                       const struct cpu_lstm_row *rows, const float *weights, size_t size, const float *bias,
                       int32_t block) {
  if (step->started) {
    UNROLL
    for (int n = 0; n < R * P; n++)
      UNROLL
    for (int g = 0; g < GATES; g++)
      acc[n][g] = v_load(rows[n / P].start + ((size_t)(block + n % P) * GATES + (size_t)g) * LANES);
    return;
  }
  UNROLL
  for (int n = 0; n < R * P; n++)
    UNROLL
  for (int g = 0; g < GATES; g++)
    acc[n][g] = v_load(bias + (n % P * GATES + g) * LANES);
  if (step->hot_first < 0)
    return;
  UNROLL
  for (int n = 0; n < R * P; n++) {
    const size_t row = (size_t)step->hot_first + (size_t)rows[n / P].hot;
    const float *hot = weights + (size_t)(n % P) * size + row * GATES * LANES;
    UNROLL
    for (int g = 0; g < GATES; g++)
      acc[n][g] += v_load(hot + g * LANES);
  }
}

/* P blocks of units from `block` on of R rows. One row takes two blocks at a time, and the last three
 * together: one alone has four chains of additions, and the processor can work on eight. */
INLINE void lstm_block(const int R, const int P, const enum update update, const struct cpu_lstm_step *step,
                       const struct cpu_lstm_row *rows, int32_t block, const float *ahead) {
  const struct cpu_lstm *cell = step->cell;
  const size_t size = ((size_t)cell->inputs + (size_t)cell->units) * GATES * LANES;
  const float *weights = cell->weights + (size_t)block * size;
  vf acc[BLOCK_ROWS][GATES], h[BLOCK_ROWS];
  lstm_begin(R, P, acc, step, rows, weights, size, cell->bias + (size_t)block * GATES * LANES, block);
  for (int32_t s = 0; s < step->segments; s++) {
    const float *in[BLOCK_ROWS];
    UNROLL
    for (int r = 0; r < R; r++)
      in[r] = rows[r].in[s];
    const float *first = weights + (size_t)step->first[s] * GATES * LANES;
    if (ahead) {
      lstm_accumulate(R, P, true, acc, first, size, step->count[s], in, ahead);
      ahead += (size_t)step->count[s] * CPU_LANES;
    } else {
      lstm_accumulate(R, P, false, acc, first, size, step->count[s], in, NULL);
    }
  }
  UNROLL
  for (int n = 0; n < R * P; n++) {
    float *c = rows[n / P].c + (size_t)(block + n % P) * LANES;
    h[n] = update_cell(update, cell, acc[n], v_load(c));
    v_store(c, h[n]);
  }
  UNROLL
  for (int n = 0; n < R * P; n++)
    h[n] = update_hidden(update, cell, acc[n][3], h[n]);
  UNROLL
  for (int n = 0; n < R * P; n++)
    lstm_store(&rows[n / P], h[n], (size_t)(block + n % P) * LANES, cell->units - (block + n % P) * LANES);
}

/* R rows of a block, for one kind of update; count -2, -3: one row of two, of three blocks. */
#define LSTM_CASE(R, update)                                                                                 \
  case (R) <= BLOCK_ROWS ? (R):                                                                              \
    -(R) : lstm_block((R) <= BLOCK_ROWS ? (R) : 1, 1, update, step, rows, block, ahead);                     \
    break;
#define LSTM_BLOCKS(name, update)                                                                            \
  static void name(const struct cpu_lstm_step *step, const struct cpu_lstm_row *rows, int32_t count,         \
                   int32_t block, const float *ahead) {                                                      \
    switch (count) {                                                                                         \
    case -2:                                                                                                 \
      lstm_block(1, 2, update, step, rows, block, ahead);                                                    \
      break;                                                                                                 \
    case -3:                                                                                                 \
      lstm_block(1, 3, update, step, rows, block, ahead);                                                    \
      break;                                                                                                 \
      LSTM_CASE(1, update)                                                                                   \
      LSTM_CASE(2, update)                                                                                   \
      LSTM_CASE(3, update)                                                                                   \
      LSTM_CASE(4, update)                                                                                   \
      LSTM_CASE(5, update)                                                                                   \
      LSTM_CASE(6, update)                                                                                   \
    }                                                                                                        \
  }

LSTM_BLOCKS(lstm_blocks_sigmoid_tanh, UPDATE_SIGMOID_TANH)
LSTM_BLOCKS(lstm_blocks_clip_tanh, UPDATE_CLIP_TANH)
LSTM_BLOCKS(lstm_blocks_any, UPDATE_ANY)

/* Weights from this size on do not stay in the second-level cache from step to step: the next block is
 * fetched into it while this one is used. (Without, the first rows of each block wait for the third level: 7%
 * of the whole at H 512.) */
enum { FETCH_WEIGHTS = 768 * 1024 };

static void kernel_lstm_step(const struct cpu_lstm_step *step, const struct cpu_lstm_row *rows,
                             int32_t count) {
  const struct cpu_lstm *cell = step->cell;
  void (*blocks)(const struct cpu_lstm_step *, const struct cpu_lstm_row *, int32_t, int32_t, const float *) =
      lstm_blocks_any;
  if (cell->activation == CUSEQ_ACTIVATION_TANH)
    blocks = cell->recurrent_activation == CUSEQ_ACTIVATION_SIGMOID ? lstm_blocks_sigmoid_tanh
                                                                    : lstm_blocks_clip_tanh;
  const size_t depth = (size_t)cell->inputs + (size_t)cell->units, size = depth * GATES * LANES;
  const bool fetch = (size_t)cell->blocks * size * sizeof(float) >= FETCH_WEIGHTS;
  const int32_t groups = (count + BLOCK_ROWS - 1) / BLOCK_ROWS;
  const int32_t share = count / groups, larger = count % groups; /* even shares: 32 rows are 6 6 5 5 5 5 */
  for (int32_t block = 0; block < cell->blocks; block++) {
    const float *weights = cell->weights + (size_t)block * size;
    if (count == 1 && block + 1 < cell->blocks) {
      const int32_t here = cell->blocks - block == 3 ? 3 : 2;
      blocks(step, rows, -here, block, NULL);
      block += here - 1;
      continue;
    }
    const float *next = block + 1 < cell->blocks ? weights + size : cell->weights;
    for (int32_t group = 0, first = 0; group < groups; group++) {
      const int32_t rows_here = share + (group < larger);
      const size_t fetched = (size_t)group * depth * CPU_LANES;
      blocks(step, rows + first, rows_here, block, !fetch ? NULL : fetched < size ? next + fetched : weights);
      first += rows_here;
    }
  }
}

/* A block of units of R rows of lstm_project(). */
INLINE void project_block(const int R, const struct cpu_lstm *cell, const struct cpu_lstm_row *rows,
                          int32_t block) {
  const size_t size = ((size_t)cell->inputs + (size_t)cell->units) * GATES * LANES;
  const float *weights = cell->weights + (size_t)block * size, *in[BLOCK_ROWS];
  const size_t at = (size_t)block * GATES * LANES;
  vf acc[BLOCK_ROWS][GATES];
  UNROLL
  for (int r = 0; r < R; r++) {
    in[r] = rows[r].in[0];
    UNROLL
    for (int g = 0; g < GATES; g++)
      acc[r][g] = v_load(cell->bias + at + g * LANES);
  }
  lstm_accumulate(R, 1, false, acc, weights, size, cell->inputs, in, NULL);
  UNROLL
  for (int r = 0; r < R; r++)
    UNROLL
  for (int g = 0; g < GATES; g++)
    v_store(rows[r].out + at + g * LANES, acc[r][g]);
}

#define PROJECT_CASE(R)                                                                                      \
  case (R) <= BLOCK_ROWS ? (R):                                                                              \
    -(R) : project_block((R) <= BLOCK_ROWS ? (R) : 1, cell, rows + first, block);                            \
    break;

static void kernel_lstm_project(const struct cpu_lstm *cell, const struct cpu_lstm_row *rows, int32_t count) {
  const int32_t groups = (count + BLOCK_ROWS - 1) / BLOCK_ROWS;
  for (int32_t block = 0; block < cell->blocks; block++)
    for (int32_t group = 0, first = 0; group < groups; group++) {
      const int32_t rows_here = count / groups + (group < count % groups);
      switch (rows_here) {
        PROJECT_CASE(1)
        PROJECT_CASE(2)
        PROJECT_CASE(3)
        PROJECT_CASE(4)
        PROJECT_CASE(5)
        PROJECT_CASE(6)
      }
      first += rows_here;
    }
}

#endif
