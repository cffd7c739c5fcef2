/* One time step of a recurrent cell for some rows. The four sums of LANES units of up to ROWS_OF_4 rows are
 * accumulated in registers over all inputs and the previous hidden state, and the cell's update follows in
 * registers: no sum is ever stored. Each row adds its products in the order of k, in blocks where there are
 * many, whatever the number of rows, so its bits do not depend on the others.
 *
 * What a cell's update is stands in cell_update.h. */
#ifndef CUSEQ_CPU_CELL_H
#define CUSEQ_CPU_CELL_H

#include "backends/cpu/kernels.h"
#include "backends/cpu/kernels/cell_update.h"
#include "backends/cpu/kernels/dense.h"
#include "backends/cpu/kernels/sums.h"
#include "backends/cpu/kernels/word.h"

#include <stdbool.h>

/* How far ahead, in rows of the weights, they are fetched from the second-level cache into the first. */
enum { FETCH_ROWS = 32 };

/* Where a product's weights begin: of blocks of units `size` floats apart, and of the cell's tail. `side`: so
 * many blocks lie side by side at every word. */
struct cell_weights {
  const float *blocks;
  size_t size;
  const float *tail;
  int side;
};

/* Cells have a tail in vectors of 16 alone: see cpu_tail_vectors(). */
enum { HAS_TAILS = LANES == CPU_LANES };

INLINE bool is_tail(const struct cpu_cell *cell, int32_t block) {
  return HAS_TAILS && cell->tail_vectors > 0 && block == cell->blocks - 1;
}

/* The vectors of a word of a block's input weights. */
INLINE int32_t block_vectors(const struct cpu_cell *cell, int32_t block) {
  return is_tail(cell, block) ? cell->tail_vectors : cell_gates(cell->kind);
}

/* A block's weights from a word of the inputs on. */
INLINE const float *block_weights(const struct cpu_cell *cell, int32_t block, size_t word) {
  const float *weights = is_tail(cell, block) ? cell->tail : cell->weights + (size_t)block * cell->block_size;
  return weights + word * (size_t)block_vectors(cell, block) * LANES;
}

/* What is made at a time: of R rows P blocks, and where T > 0 the tail, which has T vectors of sums. acc[r*Q
 * + q] are row r's sums of block q, the tail's behind those of the P blocks. */
INLINE int blocks_with_tail(const int P, const int T) {
  return P + (T > 0);
}

/* The vectors of sums of acc[n]. */
INLINE int sums_at(const int n, const int P, const int T) {
  return n % blocks_with_tail(P, T) < P ? SUMS : T;
}

/* The weights from so many words further on. */
INLINE struct cell_weights weights_at(const int T, const int gates, struct cell_weights weights,
                                      size_t words) {
  weights.blocks += words * (size_t)(weights.side * gates) * LANES;
  weights.tail += words * (size_t)T * LANES;
  return weights;
}

/* Fetches `lines` vectors of the weights that come soon. */
INLINE void weights_fetch(const float *weights, const int vectors) {
  UNROLL
  for (int line = 0; line < vectors * LANES; line += CPU_LANES)
    __builtin_prefetch(weights + FETCH_ROWS * vectors * LANES + line, 0, 3);
}

/* acc += in . weights for one segment of `count` words. With `fetch` a line from `ahead` on is fetched per k,
 * and so are the weights soon used. */
INLINE void cell_accumulate(const int R, const int P, const int T, const bool fetch, const enum update update,
                            const bool hidden, vf acc[BLOCK_ROWS][SUMS], struct cell_weights weights,
                            int32_t count, const float *const in[BLOCK_ROWS], const float *ahead) {
  const int gates = hidden ? hidden_gates(update) : input_gates(update), Q = blocks_with_tail(P, T);
  const float *w[BLOCK_ROWS], *tail = weights.tail;
  UNROLL
  for (int p = 0; p < P; p++)
    w[p] = weights.blocks + (size_t)p * weights.size;
  for (int32_t k = 0; k < count; k++) {
    if (fetch) {
      __builtin_prefetch(ahead, 0, 2);
      ahead += CPU_LANES;
    }
    UNROLL
    for (int p = 0; p < P; p++) {
      if (fetch)
        weights_fetch(w[p], gates);
      vf rows[SUMS];
      UNROLL
      for (int g = 0; g < gates; g++)
        rows[g] = v_load(w[p] + g * LANES);
      UNROLL
      for (int r = 0; r < R; r++) {
        vf x = v_set(in[r][k]), *z = acc[r * Q + p];
        UNROLL
        for (int g = 0; g < gates; g++)
          z[sum_of(update, g, hidden)] = v_product(x, rows[g], z[sum_of(update, g, hidden)]);
      }
      w[p] += weights.side * gates * LANES;
    }
    if (T > 0 && fetch)
      weights_fetch(tail, T);
    UNROLL
    for (int t = 0; t < T; t++) {
      const vf row = v_load(tail + t * LANES);
      UNROLL
      for (int r = 0; r < R; r++)
        acc[r * Q + P][t] = v_product(v_set(in[r][k]), row, acc[r * Q + P][t]);
    }
    tail += T * LANES;
  }
}

/* The blocks of a segment after the first, which is in acc. Their sums are added as they come: there are few,
 * and to keep what these additions lose would cost more than all the rest of it. */
INLINE void cell_accumulate_more(const int R, const int P, const int T, const bool fetch,
                                 const enum update update, const bool hidden, vf acc[BLOCK_ROWS][SUMS],
                                 struct cell_weights weights, int32_t count,
                                 const float *const in[BLOCK_ROWS], const float *ahead) {
  const int gates = hidden ? hidden_gates(update) : input_gates(update), all = R * blocks_with_tail(P, T);
  vf sums[BLOCK_ROWS][SUMS];
  const float *x[BLOCK_ROWS];
  UNROLL
  for (int n = 0; n < all; n++) {
    UNROLL
    for (int g = 0; g < sums_at(n, P, T); g++)
      sums[n][g] = acc[n][g];
  }
  if (all * SUMS > 16)
    v_in_memory(sums); /* the accumulators need most registers */
  for (int32_t done = SUM_TERMS; done < count; done += SUM_TERMS) {
    const int32_t here = count - done < SUM_TERMS ? count - done : SUM_TERMS;
    UNROLL
    for (int r = 0; r < R; r++)
      x[r] = in[r] + done;
    UNROLL
    for (int n = 0; n < all; n++) {
      UNROLL
      for (int g = 0; g < sums_at(n, P, T); g++)
        acc[n][g] = v_set(0.0f);
    }
    cell_accumulate(R, P, T, fetch, update, hidden, acc, weights_at(T, gates, weights, (size_t)done), here, x,
                    fetch ? ahead + (size_t)done * CPU_LANES : NULL);
    UNROLL
    for (int n = 0; n < all; n++) {
      UNROLL
      for (int g = 0; g < sums_at(n, P, T); g++)
        sums[n][g] += acc[n][g];
    }
  }
  UNROLL
  for (int n = 0; n < all; n++) {
    UNROLL
    for (int g = 0; g < sums_at(n, P, T); g++)
      acc[n][g] = sums[n][g];
  }
}

/* acc += in . weights for all of a segment; `wide`: there may be more terms than one block has. */
INLINE void cell_accumulate_blocks(const int R, const int P, const int T, const bool wide, const bool fetch,
                                   const enum update update, const bool hidden, vf acc[BLOCK_ROWS][SUMS],
                                   struct cell_weights weights, int32_t count,
                                   const float *const in[BLOCK_ROWS], const float *ahead) {
  const int32_t first = SUMS_IN_BLOCKS && wide && count > SUM_TERMS ? SUM_TERMS : count;
  cell_accumulate(R, P, T, fetch, update, hidden, acc, weights, first, in, ahead);
  if (SUMS_IN_BLOCKS && wide && count > first)
    cell_accumulate_more(R, P, T, fetch, update, hidden, acc, weights, count, in, ahead);
}

/* Where the accumulation starts: the bias and the gathered row, or what cell_project() made of the input. */
INLINE void cell_begin(const int R, const int P, const int T, const enum update update,
                       vf acc[BLOCK_ROWS][SUMS], const struct cpu_cell_step *step,
                       const struct cpu_cell_row *rows, struct cell_weights weights, int32_t block) {
  const int Q = blocks_with_tail(P, T);
  UNROLL
  for (int n = 0; n < R * Q; n++) {
    const float *from = step->started ? rows[n / Q].start : step->cell->bias;
    UNROLL
    for (int g = 0; g < SUMS; g++)
      acc[n][g] = v_load(from + (size_t)(block + n % Q) * SUMS * LANES + g * LANES);
  }
  if (step->hot_first < 0)
    return;
  UNROLL
  for (int n = 0; n < R * Q; n++) {
    const int32_t input = step->hot_first + rows[n / Q].hot;
    const int q = n % Q, vectors = q < P ? input_gates(update) : T;
    const struct cell_weights at = weights_at(T, input_gates(update), weights, (size_t)(input / WORD_INPUTS));
    const float *hot = q < P ? at.blocks + (size_t)q * at.size : at.tail;
    UNROLL
    for (int g = 0; g < vectors; g++) {
      const int sum = q < P ? sum_of(update, g, false) : g;
      acc[n][sum] = v_gathered(hot + g * LANES, input, acc[n][sum]);
    }
  }
}

/* One segment of a step. */
INLINE void cell_segment(const int R, const int P, const int T, const bool wide, const enum update update,
                         const bool hidden, vf acc[BLOCK_ROWS][SUMS], const struct cpu_cell_step *step,
                         const struct cpu_cell_row *rows, int32_t s, struct cell_weights weights,
                         const float **ahead) {
  const float *in[BLOCK_ROWS];
  UNROLL
  for (int r = 0; r < R; r++)
    in[r] = rows[r].in[s];
  if (wide && *ahead) {
    cell_accumulate_blocks(R, P, T, wide, true, update, hidden, acc, weights, step->count[s], in, *ahead);
    *ahead += (size_t)step->count[s] * CPU_LANES;
  } else {
    cell_accumulate_blocks(R, P, T, wide, false, update, hidden, acc, weights, step->count[s], in, NULL);
  }
}

/* What a row's token adds to the sums of the units from a block on. */
INLINE const float *cell_token(const enum update update, const struct cpu_cell *cell,
                               const struct cpu_cell_row *row, int32_t block) {
  const size_t at = (size_t)row->hot * (size_t)cell->blocks + (size_t)block;
  return cell->token_sums + at * (size_t)input_gates(update) * LANES;
}

/* They are added at last, and come from far away: they are fetched when the block begins. */
INLINE void cell_tokens_fetch(const int R, const int Q, const enum update update, const struct cpu_cell *cell,
                              const struct cpu_cell_row *rows, int32_t block) {
  UNROLL
  for (int r = 0; r < R; r++) {
    const float *from = cell_token(update, cell, &rows[r], block);
    UNROLL
    for (int line = 0; line < Q * input_gates(update) * LANES; line += CPU_LANES)
      __builtin_prefetch(from + line, 0, 3);
  }
}

INLINE void cell_tokens_add(const int R, const int P, const int T, const enum update update,
                            const struct cpu_cell *cell, const struct cpu_cell_row *rows, int32_t block,
                            vf acc[BLOCK_ROWS][SUMS]) {
  const int Q = blocks_with_tail(P, T);
  UNROLL
  for (int n = 0; n < R * Q; n++) {
    const float *from = cell_token(update, cell, &rows[n / Q], block + n % Q);
    const int q = n % Q, vectors = q < P ? input_gates(update) : T;
    UNROLL
    for (int g = 0; g < vectors; g++)
      acc[n][q < P ? sum_of(update, g, false) : g] += v_load(from + g * LANES);
  }
}

/* All sums of a step for P blocks of units from `block` on, and the tail behind them where T > 0, of R
 * rows; `side`: with the weights of blocks side by side. */
INLINE void cell_sums(const int R, const int P, const int T, const bool side, const bool wide,
                      const enum update update, const struct cpu_cell_step *step,
                      const struct cpu_cell_row *rows, int32_t block, const float *ahead,
                      vf acc[BLOCK_ROWS][SUMS]) {
  const struct cpu_cell *cell = step->cell;
  const int gates = input_gates(update);
  const float *from = side ? cell->beside : cell->weights;
  const struct cell_weights weights = {from + (size_t)block * cell->block_size,
                                       side ? (size_t)(gates * LANES) : cell->block_size, cell->tail,
                                       side ? P : 1};
  if (cell->token_sums)
    cell_tokens_fetch(R, blocks_with_tail(P, T), update, cell, rows, block);
  cell_begin(R, P, T, update, acc, step, rows, weights, block);
  /* An LSTM's hidden state is a segment like the others: one loop is less code to fetch, and small cells feel
   * it. */
  const int32_t alike = step->segments + (is_lstm(update) && step->has_hidden);
  for (int32_t s = 0; s < alike; s++)
    cell_segment(R, P, T, wide, update, false, acc, step, rows, s,
                 weights_at(T, gates, weights, (size_t)step->first[s]), &ahead);
  if (!is_lstm(update) && step->has_hidden)
    cell_segment(R, P, T, wide, update, true, acc, step, rows, step->segments,
                 weights_at(T, gates, weights, (size_t)words_of(cell->inputs)), &ahead);
  if (cell->token_sums)
    cell_tokens_add(R, P, T, update, cell, rows, block, acc);
}

/* P blocks of units from `block` on of R rows. One row takes two blocks at a time, and the last three
 * together: one alone has four chains of additions, and the processor can work on eight. */
INLINE void cell_block(const int R, const int P, const bool side, const bool wide, const enum update update,
                       const struct cpu_cell_step *step, const struct cpu_cell_row *rows, int32_t block,
                       const float *ahead) {
  const struct cpu_cell *cell = step->cell;
  vf acc[BLOCK_ROWS][SUMS], first[BLOCK_ROWS], state[BLOCK_ROWS];
  cell_sums(R, P, 0, side, wide, update, step, rows, block, ahead, acc);
  update_rows *apart = update_apart(update);
  if (apart) {
    vf sums[BLOCK_ROWS][SUMS];
    UNROLL
    for (int n = 0; n < R * P * SUMS; n++)
      sums[n / SUMS][n % SUMS] = v_scaled_sum(acc[n / SUMS][n % SUMS], cell->scale[n % SUMS]);
    apart(cell, rows, R * P, P, block, sums);
    return;
  }
  UNROLL
  for (int n = 0; n < R * P; n++) {
    float *kept = rows[n / P].state + (size_t)(block + n % P) * LANES;
    state[n] = v_load(kept);
    UNROLL
    for (int g = 0; g < SUMS; g++)
      acc[n][g] = v_scaled_sum(acc[n][g], cell->scale[g]);
    first[n] = update_first(update, cell, acc[n], state[n]);
    if (is_lstm(update))
      v_store(kept, first[n]);
  }
  if (update == UPDATE_GRU_BEFORE) {
    UNROLL
    for (int n = 0; n < R * P; n++)
      gates_store(cell, &rows[n / P], acc[n], first[n], (size_t)(block + n % P) * LANES);
    return;
  }
  UNROLL
  for (int n = 0; n < R * P; n++)
    first[n] = update_second(update, cell, acc[n], first[n], state[n]);
  UNROLL
  for (int n = 0; n < R * P; n++) {
    const size_t at = (size_t)(block + n % P) * LANES;
    if (!is_lstm(update))
      v_store(rows[n / P].state + at, first[n]);
    cell_store(&rows[n / P], first[n], at, cell->units - (int32_t)at);
  }
}

/* R rows of a block, for one kind of update; count -2, -3, -4: one row of so many blocks, four where the
 * registers hold them, and FOUR_BESIDE those that lie side by side, which large cells have. */
enum { FOUR_BESIDE = -8 };

/* Large cells of the usual activations in float32 and vectors of 16 have that. */
#define HAS_BESIDE(wide, update)                                                                             \
  (LANES == CPU_LANES && WORD_INPUTS == 1 && (wide) &&                                                       \
   ((update) == UPDATE_LSTM_SIGMOID_TANH || (update) == UPDATE_GRU_SIGMOID_TANH))
#define CELL_CASE(R, wide, update)                                                                           \
  case (R) <= BLOCK_ROWS ? (R):                                                                              \
    -16 - (R) : cell_block((R) <= BLOCK_ROWS ? (R) : 1, 1, false, wide, update, step, rows, block, ahead);   \
    break;
#define CELL_BLOCKS(name, wide, update)                                                                      \
  static void name(const struct cpu_cell_step *step, const struct cpu_cell_row *rows, int32_t count,         \
                   int32_t block, const float *ahead) {                                                      \
    switch (count) {                                                                                         \
    case -2:                                                                                                 \
      cell_block(1, 2, false, wide, update, step, rows, block, ahead);                                       \
      break;                                                                                                 \
    case -3:                                                                                                 \
      cell_block(1, 3, false, wide, update, step, rows, block, ahead);                                       \
      break;                                                                                                 \
    case -4:                                                                                                 \
      cell_block(1, BLOCK_ROWS >= 4 ? 4 : 1, false, wide, update, step, rows, block, ahead);                 \
      break;                                                                                                 \
    case FOUR_BESIDE:                                                                                        \
      if (HAS_BESIDE(wide, update))                                                                          \
        cell_block(1, BLOCK_ROWS >= 4 ? 4 : 1, true, wide, update, step, rows, block, ahead);                \
      break;                                                                                                 \
      CELL_CASE(1, wide, update)                                                                             \
      CELL_CASE(2, wide, update)                                                                             \
      CELL_CASE(3, wide, update)                                                                             \
      CELL_CASE(4, wide, update)                                                                             \
      CELL_CASE(5, wide, update)                                                                             \
      CELL_CASE(6, wide, update)                                                                             \
    }                                                                                                        \
  }

typedef void cell_blocks(const struct cpu_cell_step *step, const struct cpu_cell_row *rows, int32_t count,
                         int32_t block, const float *ahead);

/* The usual cells have code of their own where every segment is one block of sums, so that small ones pay
 * nothing for large ones. */
#if SUMS_IN_BLOCKS
CELL_BLOCKS(narrow_lstm_sigmoid_tanh, false, UPDATE_LSTM_SIGMOID_TANH)
CELL_BLOCKS(narrow_lstm_clip_tanh, false, UPDATE_LSTM_CLIP_TANH)
CELL_BLOCKS(narrow_gru_sigmoid_tanh, false, UPDATE_GRU_SIGMOID_TANH)
#define CELL_NARROW(name) narrow_##name
#else
#define CELL_NARROW(name) wide_##name
#endif
CELL_BLOCKS(wide_lstm_sigmoid_tanh, true, UPDATE_LSTM_SIGMOID_TANH)
CELL_BLOCKS(wide_lstm_clip_tanh, true, UPDATE_LSTM_CLIP_TANH)
CELL_BLOCKS(wide_lstm_any, true, UPDATE_LSTM_ANY)
CELL_BLOCKS(wide_gru_sigmoid_tanh, true, UPDATE_GRU_SIGMOID_TANH)
CELL_BLOCKS(wide_gru_any, true, UPDATE_GRU_ANY)
CELL_BLOCKS(wide_gru_before, true, UPDATE_GRU_BEFORE)

/* The update of a cell. */
static enum update cell_update(const struct cpu_cell *cell) {
  const bool sigmoid = cell->recurrent_activation == CUSEQ_ACTIVATION_SIGMOID,
             clip = cell->recurrent_activation == CUSEQ_ACTIVATION_HARD_SIGMOID ||
                    cell->recurrent_activation == CUSEQ_ACTIVATION_HARD_SIGMOID_KERAS2,
             tanh = cell->activation == CUSEQ_ACTIVATION_TANH;
  if (cell->kind == CELL_LSTM)
    return tanh && sigmoid ? UPDATE_LSTM_SIGMOID_TANH
           : tanh && clip  ? UPDATE_LSTM_CLIP_TANH
                           : UPDATE_LSTM_ANY;
  return !cell->reset_after ? UPDATE_GRU_BEFORE : tanh && sigmoid ? UPDATE_GRU_SIGMOID_TANH : UPDATE_GRU_ANY;
}

/* The code for a cell, by its update and by whether a segment may have more terms than one block of sums. */
static cell_blocks *const cell_codes[][2] = {
    [UPDATE_LSTM_SIGMOID_TANH] = {CELL_NARROW(lstm_sigmoid_tanh), wide_lstm_sigmoid_tanh},
    [UPDATE_LSTM_CLIP_TANH] = {CELL_NARROW(lstm_clip_tanh), wide_lstm_clip_tanh},
    [UPDATE_LSTM_ANY] = {wide_lstm_any, wide_lstm_any},
    [UPDATE_GRU_SIGMOID_TANH] = {CELL_NARROW(gru_sigmoid_tanh), wide_gru_sigmoid_tanh},
    [UPDATE_GRU_ANY] = {wide_gru_any, wide_gru_any},
    [UPDATE_GRU_BEFORE] = {wide_gru_before, wide_gru_before}};

/* Weights from this size on do not stay in the second-level cache from step to step: the next block is
 * fetched into it while this one is used. (Without, the first rows of each block wait for the third level: 7%
 * of the whole at H 512.) */
enum { FETCH_WEIGHTS = 768 * 1024 };

/* What cell_code() says of a cell: its update, and these. */
enum { CODE_WIDE = 1, CODE_FETCHES = 2, CODE_TURNS = 4, CODE_UPDATE = 8 };

static int32_t kernel_cell_code(const struct cpu_cell *cell) {
  const size_t bytes = (size_t)cell->blocks * cell->block_size * sizeof(float);
  int32_t code = (int32_t)cell_update(cell) * CODE_UPDATE;
  const bool fetches = bytes >= FETCH_WEIGHTS;
  code |= cell->inputs > SUM_TERMS || cell->units > SUM_TERMS || fetches ? CODE_WIDE : 0;
  code |= fetches ? CODE_FETCHES : 0;
  return code | (bytes <= TURNED_MOST ? CODE_TURNS : 0);
}

INLINE cell_blocks *cell_code_of(const struct cpu_cell *cell) {
  return cell_codes[cell->code / CODE_UPDATE][cell->code & CODE_WIDE];
}

/* A block of units of R rows of cell_project(): the tail where T > 0. `ahead`: weights to fetch meanwhile. */
INLINE void project_block(const int R, const int T, const enum update update, const struct cpu_cell *cell,
                          const struct cpu_cell_row *rows, int32_t block, const float *ahead) {
  const struct cell_weights weights = {cell->weights + (size_t)block * cell->block_size, cell->block_size,
                                       cell->tail, 1};
  const float *in[BLOCK_ROWS];
  const size_t at = (size_t)block * SUMS * LANES;
  const int vectors = T > 0 ? T : SUMS;
  vf acc[BLOCK_ROWS][SUMS];
  UNROLL
  for (int r = 0; r < R; r++) {
    in[r] = rows[r].in[0];
    UNROLL
    for (int g = 0; g < vectors; g++)
      acc[r][g] = v_load(cell->bias + at + g * LANES);
  }
  cell_accumulate_blocks(R, T == 0, T, true, true, update, false, acc, weights, words_of(cell->inputs), in,
                         ahead);
  UNROLL
  for (int r = 0; r < R; r++) {
    UNROLL
    for (int g = 0; g < vectors; g++)
      v_store(rows[r].out + at + g * LANES, acc[r][g]);
  }
}

#define PROJECT_CASE(R, T, update)                                                                           \
  case (R) <= BLOCK_ROWS ? (R):                                                                              \
    -(R) : project_block((R) <= BLOCK_ROWS ? (R) : 1, T, update, cell, rows, block, ahead);                  \
    break;
#define PROJECT_ROWS(name, T, update)                                                                        \
  static void name(const struct cpu_cell *cell, const struct cpu_cell_row *rows, int32_t count,              \
                   int32_t block, const float *ahead) {                                                      \
    switch (count) {                                                                                         \
      PROJECT_CASE(1, T, update)                                                                             \
      PROJECT_CASE(2, T, update)                                                                             \
      PROJECT_CASE(3, T, update)                                                                             \
      PROJECT_CASE(4, T, update)                                                                             \
      PROJECT_CASE(5, T, update)                                                                             \
      PROJECT_CASE(6, T, update)                                                                             \
    }                                                                                                        \
  }

PROJECT_ROWS(project_rows_lstm, 0, UPDATE_LSTM_ANY)
PROJECT_ROWS(project_rows_gru, 0, UPDATE_GRU_ANY)
PROJECT_ROWS(project_rows_gru_before, 0, UPDATE_GRU_BEFORE)
#if LANES == 16
PROJECT_ROWS(project_tail_of_1, 1, UPDATE_LSTM_ANY)
PROJECT_ROWS(project_tail_of_2, 2, UPDATE_LSTM_ANY)
#endif

typedef void project_rows(const struct cpu_cell *cell, const struct cpu_cell_row *rows, int32_t count,
                          int32_t block, const float *ahead);

static project_rows *project_code_of(const struct cpu_cell *cell, int32_t block) {
#if LANES == 16
  if (is_tail(cell, block))
    return cell->tail_vectors == 1 ? project_tail_of_1 : project_tail_of_2;
#else
  (void)block;
#endif
  return cell->kind == CELL_LSTM ? project_rows_lstm
         : cell->reset_after     ? project_rows_gru
                                 : project_rows_gru_before;
}

#endif
