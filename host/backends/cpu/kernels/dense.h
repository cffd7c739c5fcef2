/* Products of some rows with a packed matrix, up to 4 vectors of columns and ROWS_OF_n rows in registers. */
#ifndef CUSEQ_CPU_DENSE_H
#define CUSEQ_CPU_DENSE_H

#include "backends/cpu/kernels.h"
#include "backends/cpu/kernels/simd.h"

enum { DENSE_ROWS = 8, DENSE_VECTORS = 4 };

/* V vectors of columns of R rows. */
INLINE void dense_block(const int R, const int V, const float *weights, const float *bias, int32_t inputs,
                        const float *const *in, float *out, size_t out_stride) {
  vf acc[DENSE_ROWS][DENSE_VECTORS];
  const float *x[DENSE_ROWS];
  UNROLL
  for (int r = 0; r < R; r++) {
    x[r] = in[r];
    UNROLL
    for (int v = 0; v < V; v++)
      acc[r][v] = v_load(bias + v * LANES);
  }
  for (int32_t k = 0; k < inputs; k++, weights += V * LANES) {
    vf w[DENSE_VECTORS];
    UNROLL
    for (int v = 0; v < V; v++)
      w[v] = v_load(weights + v * LANES);
    UNROLL
    for (int r = 0; r < R; r++) {
      vf xk = v_set(x[r][k]);
      UNROLL
      for (int v = 0; v < V; v++)
        acc[r][v] = v_fma(xk, w[v], acc[r][v]);
    }
  }
  UNROLL
  for (int r = 0; r < R; r++)
    UNROLL
  for (int v = 0; v < V; v++)
    v_store(out + (size_t)r * out_stride + v * LANES, acc[r][v]);
}

/* All rows for one group of V vectors; most is ROWS_OF_V. The shares of rows are even. */
#define DENSE_GROUP(name, V, most)                                                                           \
  static void name(const float *weights, const float *bias, int32_t inputs, const float *const *in,          \
                   int32_t count, float *out, size_t out_stride) {                                           \
    const int32_t groups = (count + (most)-1) / (most);                                                      \
    for (int32_t group = 0, first = 0; group < groups; group++) {                                            \
      const int32_t rows = (count - first + groups - group - 1) / (groups - group);                          \
      const float *const *x = in + first;                                                                    \
      float *y = out + (size_t)first * out_stride;                                                           \
      first += rows;                                                                                         \
      switch (rows) {                                                                                        \
        DENSE_CASE(1, V, most)                                                                               \
        DENSE_CASE(2, V, most)                                                                               \
        DENSE_CASE(3, V, most)                                                                               \
        DENSE_CASE(4, V, most)                                                                               \
        DENSE_CASE(5, V, most)                                                                               \
        DENSE_CASE(6, V, most)                                                                               \
        DENSE_CASE(7, V, most)                                                                               \
        DENSE_CASE(8, V, most)                                                                               \
      }                                                                                                      \
    }                                                                                                        \
  }
#define DENSE_CASE(R, V, most)                                                                               \
  case (R) <= (most) ? (R):                                                                                  \
    -(R) : dense_block((R) <= (most) ? (R) : 1, V, weights, bias, inputs, x, y, out_stride);                 \
    break;

DENSE_GROUP(dense_of_4, 4, ROWS_OF_4)
DENSE_GROUP(dense_of_2, 2, ROWS_OF_2)
DENSE_GROUP(dense_of_1, 1, ROWS_OF_1)

static void kernel_dense(const struct cpu_dense *dense, const float *const *in, int32_t count, float *out,
                         size_t out_stride) {
  const float *weights = dense->weights;
  int32_t vectors = (dense->units + LANES - 1) / LANES;
  for (int32_t done = 0; done < vectors;) {
    const int32_t left = vectors - done, here = left >= 4 ? 4 : left >= 2 ? 2 : 1;
    void (*group)(const float *, const float *, int32_t, const float *const *, int32_t, float *, size_t) =
        here == 4   ? dense_of_4
        : here == 2 ? dense_of_2
                    : dense_of_1;
    group(weights, dense->bias + done * LANES, dense->inputs, in, count, out + done * LANES, out_stride);
    weights += (size_t)dense->inputs * (size_t)here * LANES;
    done += here;
  }
}

#endif
