/* The update of a cell: what becomes of the four sums of a unit. What is an LSTM's and what a GRU's is in
 * cell_lstm.h and cell_gru.h: how many weights a unit has for an input and for a hidden state, which of the
 * four sums each adds to, and the update in two parts. */
#ifndef CUSEQ_CPU_CELL_UPDATE_H
#define CUSEQ_CPU_CELL_UPDATE_H

#include "backends/cpu/kernels.h"
#include "backends/cpu/kernels/cell_gru.h"
#include "backends/cpu/kernels/cell_lstm.h"
#include "backends/cpu/kernels/word.h"

#include <stdbool.h>

/* What the code below is made for: a kind of cell, and of its activations those that are worth their own
 * code. */
enum update {
  UPDATE_LSTM_SIGMOID_TANH,
  UPDATE_LSTM_CLIP_TANH,
  UPDATE_LSTM_ANY,
  UPDATE_GRU_SIGMOID_TANH, /* reset after the product */
  UPDATE_GRU_ANY,
  UPDATE_GRU_BEFORE, /* reset before it: this step leaves z, x W_n and r h to the one that ends it */
};

INLINE int is_lstm(const enum update update) {
  return update <= UPDATE_LSTM_ANY;
}

/* Weights of a unit for an input, and for a hidden state. */
INLINE int input_gates(const enum update update) {
  return is_lstm(update) ? LSTM_GATES : GRU_GATES;
}
INLINE int hidden_gates(const enum update update) {
  return is_lstm(update) ? LSTM_GATES : update == UPDATE_GRU_BEFORE ? GRU_GATES - 1 : GRU_GATES;
}

/* The sum that weight g of a row belongs to. */
INLINE int sum_of(const enum update update, const int g, const bool hidden) {
  return is_lstm(update) ? g : gru_sum_of(g, hidden);
}

/* The largest number of vectors that a block of rows accumulates: rows x 4 sums. */
enum { SUMS = 4, BLOCK_ROWS = ROWS_OF_4 };

/* The update of a block of units in two parts, so that the second parts of all rows can follow the first
 * parts of all: a part is one long chain of dependent operations, and the processor looks ahead only so far.
 * The first leaves in `state` what the cell keeps beside h, the second gives h. */
INLINE vf update_first(const enum update update, const struct cpu_cell *cell, vf z[SUMS], vf state) {
  switch (update) {
  case UPDATE_LSTM_SIGMOID_TANH:
    return lstm_cell_joined(z, state);
  case UPDATE_LSTM_CLIP_TANH:
    return lstm_cell_clip(z, state);
  case UPDATE_LSTM_ANY:
    return lstm_cell_any(cell, z, state);
  case UPDATE_GRU_SIGMOID_TANH:
    return gru_candidate_joined(z);
  case UPDATE_GRU_ANY:
    return gru_candidate_any(cell, z);
  case UPDATE_GRU_BEFORE:
    break;
  }
  return v_activate_scaled(cell->recurrent_activation, z[1]) * state; /* r h */
}

/* `first` is what the first part gave, `state` what the cell kept before it. */
INLINE vf update_second(const enum update update, const struct cpu_cell *cell, const vf z[SUMS], vf first,
                        vf state) {
  switch (update) {
  case UPDATE_LSTM_SIGMOID_TANH:
    return lstm_hidden_joined(z[3], first);
  case UPDATE_LSTM_CLIP_TANH:
    return lstm_hidden_clip(z[3], first);
  case UPDATE_LSTM_ANY:
    return lstm_hidden_any(cell, z[3], first);
  case UPDATE_GRU_SIGMOID_TANH:
    return gru_hidden_joined(z[0], first, state);
  case UPDATE_GRU_ANY:
    return gru_hidden_any(cell, z[0], first, state);
  case UPDATE_GRU_BEFORE:
    break;
  }
  return first;
}

/* The new hidden states of the units from `at` on, to both their places; `left` units are left of the
 * cell's. */
INLINE void cell_store(const struct cpu_cell_row *row, vf h, size_t at, int32_t left) {
  if (left >= LANES)
    v_store(row->out + at, h);
  else
    v_store_first(row->out + at, left, h);
  if (row->copy && left >= LANES)
    v_store(row->copy + at, h);
  else if (row->copy)
    v_store_first(row->copy + at, left, h);
}

/* What the step that ends a GRU with its reset before the product needs: z, x W_n and r h. */
INLINE void gates_store(const struct cpu_cell *cell, const struct cpu_cell_row *row, const vf z[SUMS],
                        vf reset, size_t at) {
  const size_t stride = (size_t)cell->blocks * LANES;
  v_store(row->gates + at, z[0]);
  v_store(row->gates + stride + at, z[2]);
  v_store(row->gates + 2 * stride + at, reset);
}

/* The updates of rows whose sums lie in memory: their code then stands once for each kind of cell, and not in
 * each of the row counts' code. That is so of tails, and of any activation, whose choice is much code. Small
 * cells feel the detour. */
INLINE void update_in_memory(const enum update update, const struct cpu_cell *cell,
                             const struct cpu_cell_row *rows, int count, int P, int32_t block,
                             vf sums[BLOCK_ROWS][SUMS]) {
  vf first[BLOCK_ROWS], state[BLOCK_ROWS];
  for (int n = 0; n < count; n++) {
    float *kept = rows[n / P].state + (size_t)(block + n % P) * LANES;
    state[n] = v_load(kept);
    first[n] = update_first(update, cell, sums[n], state[n]);
    if (is_lstm(update))
      v_store(kept, first[n]);
  }
  for (int n = 0; n < count; n++) {
    const size_t at = (size_t)(block + n % P) * LANES;
    if (update == UPDATE_GRU_BEFORE) {
      gates_store(cell, &rows[n / P], sums[n], first[n], at);
      continue;
    }
    const vf h = update_second(update, cell, sums[n], first[n], state[n]);
    if (!is_lstm(update))
      v_store(rows[n / P].state + at, h);
    cell_store(&rows[n / P], h, at, cell->units - (int32_t)at);
  }
}

#define UPDATE_IN_MEMORY(name, update)                                                                       \
  static __attribute__((noinline)) void name(const struct cpu_cell *cell, const struct cpu_cell_row *rows,   \
                                             int count, int P, int32_t block, vf sums[BLOCK_ROWS][SUMS]) {   \
    update_in_memory(update, cell, rows, count, P, block, sums);                                             \
  }
#if LANES == 16
UPDATE_IN_MEMORY(update_lstm_sigmoid_tanh, UPDATE_LSTM_SIGMOID_TANH)
UPDATE_IN_MEMORY(update_lstm_clip_tanh, UPDATE_LSTM_CLIP_TANH)
#endif
UPDATE_IN_MEMORY(update_lstm_any, UPDATE_LSTM_ANY)
UPDATE_IN_MEMORY(update_gru_any, UPDATE_GRU_ANY)
UPDATE_IN_MEMORY(update_gru_before, UPDATE_GRU_BEFORE)

typedef void update_rows(const struct cpu_cell *cell, const struct cpu_cell_row *rows, int count, int P,
                         int32_t block, vf sums[BLOCK_ROWS][SUMS]);

/* NULL: the update is part of the row counts' code. */
INLINE update_rows *update_apart(const enum update update) {
  if (WORD_INPUTS == 1) /* float32: the cells may be small */
    return NULL;
  switch (update) {
  case UPDATE_LSTM_ANY:
    return update_lstm_any;
  case UPDATE_GRU_ANY:
    return update_gru_any;
  case UPDATE_GRU_BEFORE:
    return update_gru_before;
  default:
    return NULL;
  }
}

#endif
