/* Products of some rows with a packed matrix, up to 4 vectors of columns and ROWS_OF_n rows in registers. Few
 * vectors are few chains of additions, of which one row would wait for each: PARTS_OF_n partial sums per
 * vector, for every number of rows alike. Many inputs are added in blocks (sums.h). */
#ifndef CUSEQ_CPU_DENSE_H
#define CUSEQ_CPU_DENSE_H

#include "backends/cpu/kernels.h"
#include "backends/cpu/kernels/simd.h"
#include "backends/cpu/kernels/sums.h"
#include "backends/cpu/kernels/word.h"

enum { DENSE_ROWS = 6, DENSE_VECTORS = 4, DENSE_SUMS = 4 };

/* What a product of four vectors of columns fetches. FETCH_NEXT: layers of so many bytes do not lie in the
 * second-level cache when a decoder comes back to them, so the next group's weights are fetched into it while
 * this one's are used, in even shares by all groups of rows: more lines on their way than the processor keeps
 * track of make it wait. One row waits for nothing but the weights: it fetches those that it uses so many
 * rows of them later into the first level (10% of a product of 2 MB). FETCH_SOON: where the weights come from
 * memory any number of rows does that, further ahead, and up to ROWS_OF_4 rows, which use a weight once,
 * nothing else (of V 10,000 and 500 inputs 5 and 12 rows take 12% less, 32 rows 5%; from the third level two
 * or three rows would take 5% more).
 *
 * Tried for one row, 128 inputs and V 3000, without gain: where columns are taken from the last to the first,
 * to fetch the beginning of the group that comes next (1% slower), and to take 128 KB at a time forwards (the
 * same). Non-temporal fetches do not spare what the second level holds, and some of their lines then come
 * from memory the next time. */
enum dense_fetch { FETCH_NOTHING, FETCH_NEXT, FETCH_SOON };

enum { DENSE_FETCH_NEXT = 512 * 1024 };
enum { DENSE_ROWS_OF_ONE = 16, DENSE_ROWS_SOON = 48 };

/* Where a share of the next group's weights begins, and how much of it is fetched with every word, in parts
 * of a line of which DENSE_LINE are one; NULL: nothing is. */
struct dense_ahead {
  const float *next;
  size_t parts;
};

enum { DENSE_LINE = 1 << 16 };

/* The weights of a group of vectors. */
struct dense_columns {
  const float *weights;
  const float *bias;
  float scale;
  int32_t words;
  const float *next; /* the group of four vectors that is used next; looked at where it is fetched */
};

/* At word k, whose weights begin at `weights`. */
INLINE void dense_fetch(const int R, const int V, const enum dense_fetch fetch, const float *weights,
                        int32_t k, struct dense_ahead ahead) {
  const int rows = fetch == FETCH_SOON ? DENSE_ROWS_SOON : R == 1 ? DENSE_ROWS_OF_ONE : 0;
  if (R > 1 && ahead.next)
    __builtin_prefetch(ahead.next + ((size_t)k * ahead.parts / DENSE_LINE) * CPU_LANES, 0, 2);
  if (rows > 0)
    UNROLL
  for (int line = 0; line < V * LANES; line += CPU_LANES)
    __builtin_prefetch(weights + rows * V * LANES + line, 0, 3);
}

/* Word k of the inputs of R rows, into sum q of the Q of each vector: acc[r][v*Q + q]. */
INLINE void dense_input(const int R, const int V, const int Q, const int q, vf acc[][DENSE_SUMS],
                        const float *weights, const float *const x[DENSE_ROWS], int32_t k) {
  vf w[DENSE_VECTORS];
  UNROLL
  for (int v = 0; v < V; v++)
    w[v] = v_load(weights + v * LANES);
  UNROLL
  for (int r = 0; r < R; r++) {
    vf xk = v_set(x[r][k]);
    UNROLL
    for (int v = 0; v < V; v++)
      acc[r][v * Q + q] = v_product(xk, w[v], acc[r][v * Q + q]);
  }
}

/* The words first .. end - 1, from a multiple of Q on; sum q of a vector takes the words q, q + Q, q + 2Q,
 * .. */
INLINE void dense_inputs(const int R, const int V, const int Q, const enum dense_fetch fetch,
                         vf acc[][DENSE_SUMS], const float *weights, const float *const x[DENSE_ROWS],
                         int32_t first, int32_t end, struct dense_ahead ahead) {
  int32_t k = first;
  weights += (size_t)first * (size_t)(V * LANES);
  for (; k + Q <= end; k += Q) {
    if (fetch != FETCH_NOTHING)
      dense_fetch(R, V, fetch, weights, k, ahead);
    UNROLL
    for (int q = 0; q < Q; q++, weights += V * LANES)
      dense_input(R, V, Q, q, acc, weights, x, k + q);
  }
  UNROLL
  for (int q = 0; q < Q - 1; q++, weights += V * LANES)
    if (k + q < end)
      dense_input(R, V, Q, q, acc, weights, x, k + q);
}

/* The sums of further blocks of words, added to those of the first. */
INLINE void dense_more(const int R, const int V, const int Q, const enum dense_fetch fetch,
                       vf acc[][DENSE_SUMS], const float *weights, const float *const x[DENSE_ROWS],
                       int32_t first, int32_t count, struct dense_ahead ahead) {
  struct block_sum blocks[DENSE_ROWS][DENSE_SUMS];
  UNROLL
  for (int r = 0; r < R; r++)
    UNROLL
  for (int n = 0; n < V * Q; n++)
    blocks[r][n] = block_sum_begin(&acc[r][n]);
  for (; first < count; first += Q * SUM_TERMS) {
    const int32_t end = count - first < Q * SUM_TERMS ? count : first + Q * SUM_TERMS;
    dense_inputs(R, V, Q, fetch, acc, weights, x, first, end, ahead);
    UNROLL
    for (int r = 0; r < R; r++)
      UNROLL
    for (int n = 0; n < V * Q; n++)
      block_sum_take(&blocks[r][n], &acc[r][n]);
  }
  UNROLL
  for (int r = 0; r < R; r++)
    UNROLL
  for (int n = 0; n < V * Q; n++)
    acc[r][n] = block_sum_total(&blocks[r][n]);
}

/* V vectors of columns of R rows; `wide`: there may be more words than one block has. */
INLINE void dense_block(const int R, const int V, const int Q, const bool wide, const enum dense_fetch fetch,
                        const struct dense_columns *columns, const float *const *in, float *out,
                        size_t out_stride, struct dense_ahead ahead) {
  const int32_t words = columns->words;
  vf acc[DENSE_ROWS][DENSE_SUMS];
  const float *x[DENSE_ROWS];
  UNROLL
  for (int r = 0; r < R; r++)
    x[r] = in[r];
  UNROLL
  for (int r = 0; r < R; r++)
    UNROLL
  for (int n = 0; n < V * Q; n++)
    if (n % Q == 0)
      acc[r][n] = v_load(columns->bias + n / Q * LANES);
    else
      acc[r][n] = v_set(0.0f);
  const int32_t first = !SUMS_IN_BLOCKS || !wide || words < Q * SUM_TERMS ? words : Q * SUM_TERMS;
  dense_inputs(R, V, Q, fetch, acc, columns->weights, x, 0, first, ahead);
  if (SUMS_IN_BLOCKS && wide && first < words)
    dense_more(R, V, Q, fetch, acc, columns->weights, x, first, words, ahead);
  UNROLL
  for (int r = 0; r < R; r++)
    UNROLL
  for (int v = 0; v < V; v++) {
    vf sum = acc[r][v * Q];
    if (Q == 2)
      sum += acc[r][v * Q + 1];
    if (Q == 4)
      sum = (sum + acc[r][v * Q + 1 % Q]) + (acc[r][v * Q + 2 % Q] + acc[r][v * Q + 3 % Q]);
    v_store(out + (size_t)r * out_stride + v * LANES, v_scaled_sum(sum, columns->scale));
  }
}

/* The share of the next group that group `group` of `groups` of rows fetches: a line with every word at most,
 * which of few groups is not all of it. */
INLINE struct dense_ahead dense_share(const int V, const struct dense_columns *columns, int32_t groups,
                                      int32_t group) {
  const int32_t lines = V * LANES / CPU_LANES; /* of a word's weights */
  const size_t parts = (size_t)DENSE_LINE / (size_t)groups * (size_t)(groups < lines ? groups : lines),
               first = (size_t)group * (size_t)columns->words * parts / DENSE_LINE;
  return (struct dense_ahead){columns->next + first * CPU_LANES, parts};
}

/* All rows for one group of V vectors; most is ROWS_OF_V. The shares of rows are even. */
#define DENSE_GROUP(name, V, Q, most, wide, fetch)                                                           \
  static void name(const struct dense_columns *columns, const float *const *in, int32_t count, float *out,   \
                   size_t out_stride) {                                                                      \
    const int32_t groups = count <= (most) ? 1 : (count + (most)-1) / (most);                                \
    struct dense_ahead ahead = {NULL, 0};                                                                    \
    for (int32_t group = 0, first = 0; group < groups; group++) {                                            \
      const int32_t rows = groups == 1 ? count : (count - first + groups - group - 1) / (groups - group);    \
      const float *const *x = in + first;                                                                    \
      float *y = out + (size_t)first * out_stride;                                                           \
      if ((fetch) == FETCH_NEXT || ((fetch) == FETCH_SOON && groups > 1))                                    \
        ahead = dense_share(V, columns, groups, group);                                                      \
      first += rows;                                                                                         \
      switch (rows) {                                                                                        \
        DENSE_CASE(1, V, Q, most, wide, fetch)                                                               \
        DENSE_CASE(2, V, Q, most, wide, fetch)                                                               \
        DENSE_CASE(3, V, Q, most, wide, fetch)                                                               \
        DENSE_CASE(4, V, Q, most, wide, fetch)                                                               \
        DENSE_CASE(5, V, Q, most, wide, fetch)                                                               \
        DENSE_CASE(6, V, Q, most, wide, fetch)                                                               \
      }                                                                                                      \
    }                                                                                                        \
  }
#define DENSE_CASE(R, V, Q, most, wide, fetch)                                                               \
  case (R) <= (most) ? (R):                                                                                  \
    -(R) : dense_block((R) <= (most) ? (R) : 1, V, Q, wide, fetch, columns, x, y, out_stride, ahead);        \
    break;

/* Sums of one block have code of their own, so that small layers pay nothing for large ones. */
DENSE_GROUP(narrow_of_4, 4, 1, ROWS_OF_4, false, FETCH_NOTHING)
DENSE_GROUP(narrow_of_4_next, 4, 1, ROWS_OF_4, false, FETCH_NEXT)
DENSE_GROUP(narrow_of_4_soon, 4, 1, ROWS_OF_4, false, FETCH_SOON)
DENSE_GROUP(narrow_of_2, 2, PARTS_OF_2, ROWS_OF_2, false, FETCH_NOTHING)
DENSE_GROUP(narrow_of_1, 1, PARTS_OF_1, ROWS_OF_1, false, FETCH_NOTHING)
#if SUMS_IN_BLOCKS
DENSE_GROUP(wide_of_4, 4, 1, ROWS_OF_4, true, FETCH_NOTHING)
DENSE_GROUP(wide_of_4_next, 4, 1, ROWS_OF_4, true, FETCH_NEXT)
DENSE_GROUP(wide_of_4_soon, 4, 1, ROWS_OF_4, true, FETCH_SOON)
DENSE_GROUP(wide_of_2, 2, PARTS_OF_2, ROWS_OF_2, true, FETCH_NOTHING)
DENSE_GROUP(wide_of_1, 1, PARTS_OF_1, ROWS_OF_1, true, FETCH_NOTHING)
#define DENSE_WIDE(vectors) wide_of_##vectors
#else
#define DENSE_WIDE(vectors) narrow_of_##vectors
#endif

typedef void dense_group(const struct dense_columns *columns, const float *const *in, int32_t count,
                         float *out, size_t out_stride);

/* The group of vectors from `at` on: groups are of 4 vectors while there are as many, then of 2, then of 1.
 * `next`: where another one begins that is to be fetched. */
static int32_t dense_group_at(const struct cpu_dense *dense, int32_t at, int32_t next, enum dense_fetch fetch,
                              const float *const *in, int32_t count, float *out, size_t out_stride) {
  static dense_group *const groups[][2] = {
      {narrow_of_1, DENSE_WIDE(1)},           {narrow_of_2, DENSE_WIDE(2)},
      {narrow_of_4, DENSE_WIDE(4)},           {narrow_of_4_next, DENSE_WIDE(4_next)},
      {narrow_of_4_soon, DENSE_WIDE(4_soon)},
  };
  const int32_t left = (dense->units + LANES - 1) / LANES - at, kind = left >= 4 ? 2 : left >= 2 ? 1 : 0;
  const int32_t words = words_of(dense->inputs);
  const struct dense_columns columns = {.weights = dense->weights + (size_t)words * (size_t)at * LANES,
                                        .bias = dense->bias + at * LANES,
                                        .scale = dense->scale,
                                        .words = words,
                                        .next = dense->weights + (size_t)words * (size_t)next * LANES};
  groups[kind + (kind == 2 ? (int)fetch : 0)][words > SUM_TERMS](&columns, in, count, out + at * LANES,
                                                                 out_stride);
  return 1 << kind;
}

/* Weights in bytes beyond which nothing is left in the second-level cache that is worth turning around for:
 * taken backwards, the third level and the memory give them 2% more slowly. */
enum { TURNED_MOST = 4 << 20 };

static void kernel_dense(const struct cpu_dense *dense, const float *const *in, int32_t count, float *out,
                         size_t out_stride, bool turned, void *room) {
  const int32_t vectors = (dense->units + LANES - 1) / LANES, whole = vectors & ~3;
#if defined(CPU_BF16)
  in = rows_in_words(in, count, dense->inputs, room);
#else
  (void)room;
#endif
  const size_t bytes = (size_t)words_of(dense->inputs) * (size_t)vectors * LANES * sizeof(float);
  const enum dense_fetch fetch = bytes < DENSE_FETCH_NEXT ? FETCH_NOTHING
                                 : dense->far             ? FETCH_SOON
                                                          : FETCH_NEXT;
  if (!turned || bytes > TURNED_MOST) {
    for (int32_t at = 0; at < vectors;)
      at += dense_group_at(dense, at, at + 8 <= vectors ? at + 4 : at, fetch, in, count, out, out_stride);
    return;
  }
  for (int32_t at = whole; at < vectors;) /* there are at most two of them */
    at += dense_group_at(dense, at, at, FETCH_NOTHING, in, count, out, out_stride);
  for (int32_t at = whole - 4; at >= 0; at -= 4)
    dense_group_at(dense, at, at >= 4 ? at - 4 : at, fetch, in, count, out, out_stride);
}

#endif
