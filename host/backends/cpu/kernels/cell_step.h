/* A time step of all rows of a tile: which blocks of units of which rows are made in what order, and what of
 * a step's sums can be made ahead. cell.h makes a block. */
#ifndef CUSEQ_CPU_CELL_STEP_H
#define CUSEQ_CPU_CELL_STEP_H

#include "backends/cpu/kernels/cell.h"
#include "backends/cpu/kernels/cell_tail.h"

/* Of a GRU with its reset before the product: n = act(x W_n + (r h) U_n), h' = z h + (1-z) n. */
static void kernel_cell_end(const struct cpu_cell_step *step, const struct cpu_cell_row *rows,
                            int32_t count) {
  enum { MOST = 24 };
  const struct cpu_cell *cell = step->cell;
  const size_t stride = (size_t)cell->blocks * LANES, from = (size_t)step->part.first * LANES,
               end = from + (size_t)step->part.count * LANES;
  const size_t apart = count > 1 ? (size_t)(rows[1].gates - rows[0].gates) : stride;
  const struct cpu_dense candidate = cpu_dense_part(&cell->candidate, step->part, LANES, WORD_INPUTS);
  for (int32_t first = 0; first < count; first += MOST) {
    const int32_t here = count - first < MOST ? count - first : MOST;
    const float *reset[MOST];
    for (int32_t r = 0; r < here; r++)
      reset[r] = rows[first + r].gates + 2 * stride;
    kernel_dense(&candidate, reset, here, rows[first].gates + 3 * stride + from, apart, step->turned,
                 step->room);
  }
  for (int32_t r = 0; r < count; r++) {
    const struct cpu_cell_row *row = &rows[r];
    const float *product = row->gates + 3 * stride;
    for (size_t at = from; at < end; at += LANES) {
      vf h = v_load(row->state + at);
      vf n = v_activate_scaled(cell->activation, v_load(row->gates + stride + at) + v_load(product + at));
      vf z = v_activate_scaled(cell->recurrent_activation, v_load(row->gates + at));
      h = gru_blend(z, h, n);
      v_store(row->state + at, h);
      cell_store(row, h, at, cell->units - (int32_t)at);
    }
  }
}

/* Whether a step is turned around, and it is worth it. */
static bool step_turned(const struct cpu_cell_step *step) {
  return step->turned && step->cell->code & CODE_TURNS;
}

/* One row with more weights than stay in the second-level cache: blocks in fours, since weights come from
 * there the faster the more of them are read side by side (2% of a whole model). What is left of the fours
 * are two blocks, three, or two and three. Nothing is fetched ahead by instructions: the processor follows
 * the four by itself, and fetching each 8 rows ahead costs a whole model 7% at S 500 and 9% at H 1024. */
static void step_of_one_large(const struct cpu_cell_step *step, const struct cpu_cell_row *row) {
  cell_blocks *const blocks = cell_code_of(step->cell);
  const int32_t count = step->part.count, first = step->part.first, left = count % 4;
  const int32_t three = left % 2 != 0 ? 3 : 0, two = left == 1 || left == 2 ? 2 : 0;
  const int32_t fours = count - two - three, end = first + fours;
  const bool turned = step_turned(step);
  if (turned && three > 0)
    cell_make(blocks, step, row, -3, end + two, NULL);
  if (turned && two > 0)
    cell_make(blocks, step, row, -2, end, NULL);
  for (int32_t n = 0; n < fours; n += 4) {
    const int32_t block = turned ? end - 4 - n : first + n;
    const bool beside = step->cell->beside && !is_tail(step->cell, block + 3);
    cell_make(blocks, step, row, beside ? FOUR_BESIDE : -4, block, NULL);
  }
  if (!turned && two > 0)
    cell_make(blocks, step, row, -2, end, NULL);
  if (!turned && three > 0)
    cell_make(blocks, step, row, -3, end + two, NULL);
}

/* One row: blocks in pairs, the last three together. */
static void step_of_one(const struct cpu_cell_step *step, const struct cpu_cell_row *row) {
  cell_blocks *const blocks = cell_code_of(step->cell);
  const int32_t count = step->part.count, first = step->part.first;
  const bool turned = step_turned(step);
  const int32_t last = count % 2 == 0 ? 2 : count > 1 ? 3 : 1, pairs = count - last, end = first + pairs;
  if (turned)
    cell_make(blocks, step, row, last == 1 ? 1 : -last, end, NULL);
  for (int32_t n = 0; n < pairs; n += 2)
    cell_make(blocks, step, row, -2, turned ? end - 2 - n : first + n, NULL);
  if (!turned)
    cell_make(blocks, step, row, last == 1 ? 1 : -last, end, NULL);
}

/* The words of a block's weights that a step uses, from *first on: they lie together but for ids between
 * them. A step that is started leaves the inputs' out. */
INLINE size_t step_words(const struct cpu_cell_step *step, size_t *first) {
  size_t words = 0;
  *first = (size_t)step->first[0];
  for (int32_t s = 0; s < step->segments + step->has_hidden; s++) {
    words += (size_t)step->count[s];
    *first = (size_t)step->first[s] < *first ? (size_t)step->first[s] : *first;
  }
  return words;
}

/* With every word a group of rows fetches a line of what is used of the next block, while there is more. */
static void step_of_rows(const struct cpu_cell_step *step, const struct cpu_cell_row *rows, int32_t count) {
  const struct cpu_cell *cell = step->cell;
  cell_blocks *const blocks = cell_code_of(cell);
  const bool turned = step_turned(step), fetch = cell->code & CODE_FETCHES;
  const int32_t groups = count <= BLOCK_ROWS ? 1 : (count + BLOCK_ROWS - 1) / BLOCK_ROWS;
  /* even shares: 32 rows are 6 6 5 5 5 5 */
  const int32_t share = groups == 1 ? count : count / groups, larger = count - share * groups;
  const int32_t from = step->part.first, all = step->part.count;
  size_t used;
  const size_t words = step_words(step, &used);
  for (int32_t n = 0; n < all; n++) {
    const int32_t block = from + (turned ? all - 1 - n : n);
    const int32_t next_block = n + 1 == all ? block : turned ? block - 1 : block + 1;
    const float *weights = block_weights(cell, block, used), *next = block_weights(cell, next_block, used);
    const size_t size = words * (size_t)block_vectors(cell, next_block) * LANES;
    for (int32_t group = 0, first = 0; group < groups; group++) {
      const int32_t rows_here = share + (group < larger);
      const size_t fetched = (size_t)group * words * CPU_LANES;
      const bool more = fetched + words * CPU_LANES <= size;
      cell_make(blocks, step, rows + first, rows_here, block,
                !fetch ? NULL
                : more ? next + fetched
                       : weights);
      first += rows_here;
    }
  }
}

/* Few enough rows for one register tile, and weights that need no fetching: small models spend a tenth of
 * their time on what a step does beside its sums. */
static void step_of_few(const struct cpu_cell_step *step, const struct cpu_cell_row *rows, int32_t count) {
  cell_blocks *const blocks = cell_code_of(step->cell);
  const int32_t first = step->part.first, all = step->part.count;
  for (int32_t n = 0; n < all; n++)
    cell_make(blocks, step, rows, count, first + (step->turned ? all - 1 - n : n), NULL);
}

INLINE void step_of_any(const struct cpu_cell_step *step, const struct cpu_cell_row *rows, int32_t count) {
  if (count == 1 && BLOCK_ROWS >= 4 && step->cell->code & CODE_FETCHES && step->part.count > 5)
    step_of_one_large(step, rows);
  else if (count == 1)
    step_of_one(step, rows);
  else if (count <= BLOCK_ROWS && !(step->cell->code & CODE_FETCHES))
    step_of_few(step, rows, count);
  else
    step_of_rows(step, rows, count);
}

static void kernel_cell_step(const struct cpu_cell_step *step, const struct cpu_cell_row *rows,
                             int32_t count) {
#if defined(CPU_BF16)
  struct cpu_cell_step words;
  const struct cpu_cell_row *made = cell_rows_in_words(step, rows, count, &words);
  step_of_any(&words, made, count);
#else
  step_of_any(step, rows, count);
#endif
}

static void kernel_cell_project(const struct cpu_cell *cell, const struct cpu_cell_row *rows, int32_t count,
                                struct cpu_part part, bool turned, void *room) {
#if defined(CPU_BF16)
  struct cpu_cell_step words;
  const struct cpu_cell_step step = {.cell = cell, .segments = 1, .count = {cell->inputs}, .room = room};
  rows = cell_rows_in_words(&step, rows, count, &words);
#else
  (void)room;
#endif
  const int32_t groups = (count + BLOCK_ROWS - 1) / BLOCK_ROWS;
  const size_t depth = (size_t)words_of(cell->inputs) * CPU_LANES,
               used = depth * (size_t)cell_gates(cell->kind);
  for (int32_t n = 0; n < part.count; n++)
    for (int32_t group = 0, first = 0; group < groups; group++) {
      const int32_t block = part.first + (turned ? part.count - 1 - n : n);
      const int32_t rows_here = count / groups + (group < count % groups);
      const size_t fetched = (size_t)group * depth;
      const bool more = fetched + depth <= used && n + 1 < part.count;
      const float *next = block_weights(cell, turned ? block - 1 : block + 1, 0);
      project_code_of(cell, block)(cell, rows + first, rows_here, block,
                                   more ? next + fetched : block_weights(cell, block, 0));
      first += rows_here;
    }
}

#endif
