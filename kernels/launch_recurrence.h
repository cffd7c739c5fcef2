/* The recurrent part of launch.h, which includes this file: cells, layers over whole sequences, merges. What
 * launch.h says of pointers, launchers and errors holds here as well. */
#ifndef CUSEQ_KERNELS_LAUNCH_RECURRENCE_H
#define CUSEQ_KERNELS_LAUNCH_RECURRENCE_H

#include "kernels/launch.h"

#include <stdbool.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- cells ---- */

/* What a cell makes of four sums a unit: every cell has four, so that one layout of weights and one core
 * serve all.
 *
 *   LSTM              sums i, f, c, o     c' = f c + i act(sum c), h' = o act(c')
 *   GRU_RESET_AFTER   sums z, r, n, m h' = z h + (1 - z) act(n + r m): n is x W_n + b_n, m is h U_n + b'_n
 *   GRU_RESET_BEFORE  sums z, r, n, 0 h' = z h + (1 - z) act(n + (r h) U_n): a second product, of another
 *                     matrix
 *
 * i, f, o, z and r go through the recurrent activation. A GRU has no c. */
enum cell_form { CELL_FORM_LSTM, CELL_FORM_GRU_RESET_AFTER, CELL_FORM_GRU_RESET_BEFORE };

/* Weights, packed once at opening. The four sums of a unit lie side by side, so that a thread takes them with
 * one 16-byte load: [.., H, 4] in place of the model's blocks [.., gates, H]. One layout serves all kernels
 * and, as the right-hand matrix of a product, cuBLAS:
 *   kernel     [inputs, D, H, 4]   both directions side by side: one product gives x[BT,F] W = [B,T,D,H,4]
 *   recurrent  [D, H, H, 4]        k, unit, sum
 *   bias       [D, H, 4]
 *   candidate  [D, H, H]           U_n of GRU_RESET_BEFORE, which has zeros in its place in `recurrent`
 * Where a sum has no part of x or of h there are zeros. Each function writes direction d of a layer with D
 * directions, of one cell's weights as the lowered model has them (host/model/structure.h); host memory, no
 * CUDA.
 *   bias            [gates x H], or NULL: zeros
 *   candidate_bias  [H] b'_n of GRU_RESET_AFTER, or NULL: zeros; other cells have none */
void cell_pack_kernel(enum cell_form form, const float *kernel, int32_t inputs, int32_t units,
                      int32_t directions, int32_t d, float *packed);
void cell_pack_recurrent(enum cell_form form, const float *recurrent, int32_t units, int32_t d,
                         float *packed);
void cell_pack_bias(enum cell_form form, const float *bias, const float *candidate_bias, int32_t units,
                    int32_t d, float *packed);
void cell_pack_candidate(const float *recurrent, int32_t units, int32_t d, float *packed);

/* One step of cells after the product h U: of a layer's two directions or of one, of a decoder's layer (T =
 * its steps, D = 1). For weights that do not fit on the chip. Rows whose length is not above `step` are left
 * as they are, so that the states end as the final ones; their output at t = step becomes 0. The others'
 * position is t = step forward, length - 1 - step backward.
 *
 * GRU_RESET_BEFORE takes two launches a step, with the product (r h) U_n between them: the first has d_reset,
 * and only writes r h there, 0 for rows that have ended; the second has d_candidate and no d_reset. Where h
 * is 0, and so r h, the second alone does, with neither. */
struct cell_step {
  enum cell_form form;
  int32_t batch, time, units, directions; /* B, T, H, D (1 or 2) */
  int32_t step;                           /* 0..T-1 */
  bool is_backward;                       /* of D 1: the direction is the backward one */
  cuseq_activation activation;            /* any but softmax and log_softmax */
  cuseq_activation recurrent_activation;  /* the same */
  const int32_t *d_lengths;               /* [B] each 0..T; NULL: all T */
  const float *d_products;                /* [D,B,H,4] h U, and whatever else is to be added; NULL: 0 */
  /* x W: at most one of the three */
  const float *d_projected; /* [B,T,D,H,4] without the bias */
  const int32_t *d_ids;     /* [B,T] the kernel's row of that number; not looked at where t >= the length */
  const int32_t *d_row_ids; /* [B] the same, one for the row: a decoder's last token */
  const float *d_kernel;    /* [ids,D,H,4]; with d_ids and d_row_ids */
  const float *d_bias;      /* [D,H,4] */
  /* States: rows lie state_leading (0: H) floats apart, directions B state_leading; 4-byte aligned. The
   * previous ones may be the new ones. */
  const float *d_previous_h; /* [D,B,..] GRU: h; LSTM: not looked at; NULL: 0 */
  const float *d_previous_c; /* [D,B,..] LSTM: c; NULL: 0 */
  float *d_h, *d_c;          /* [D,B,..] receive h', c'; GRU: d_c may be NULL and is not written */
  int64_t state_leading;
  /* GRU_RESET_BEFORE, see above; 4-byte aligned */
  float *d_reset;           /* [D,B,H] */
  const float *d_candidate; /* [D,B,H] */
  /* h' of direction d is also written to d_output[d] + (b * T + t) * leading; NULL: not wanted; 4-byte
   * aligned */
  float *d_output[2];
  int64_t leading;
  struct launch_check check; /* of the states; step 0: they are an encoder's */
};
cuseq_status launch_cell_step(const struct cell_step *arguments, const struct launch_stream *stream);

/* ---- layers over whole sequences ---- */

/* How a sequence is laid on the device. Which one a shape gets is a function of H and the device alone, so
 * that a row's bits do not depend on its batch. Each mapping takes any H up to its limit and pads inside. */
enum sequence_mapping {
  SEQUENCE_MAPPING_WARP16 = 0,  /* H <= 16:  one warp per (row, direction) */
  SEQUENCE_MAPPING_WARP32 = 1,  /* H <= 32:  one warp per (row, direction) */
  SEQUENCE_MAPPING_BLOCK64 = 2, /* H <= 64:  four warps per (row, direction) */
  SEQUENCE_MAPPING_CLUSTER128 =
      3,                     /* H <= 128: two blocks of a cluster per (row, direction); sm_90 and later */
  SEQUENCE_MAPPING_GRID = 4, /* any H: groups of blocks per (direction, tile of rows), flag barriers between
                                    them (cooperative launch), or a block each where there is none */
};
enum { SEQUENCE_MAPPINGS = 5 };

/* The mapping that H is given on a device; and whether a mapping can run H there at all. */
enum sequence_mapping sequence_mapping_choose(int32_t units, const struct launch_device *device);
int32_t sequence_mapping_possible(enum sequence_mapping mapping, int32_t units,
                                  const struct launch_device *device);

/* Whether the mapping computes x W itself from dense x of F features (d_x below); otherwise d_projected is
 * needed. It does so where that is less work than writing and reading xW. */
int32_t sequence_mapping_takes_x(enum sequence_mapping mapping, int32_t features, int32_t units);

/* Bytes of d_workspace that sequences of up to `batch` rows need, any number of rows after any other: 0 for
 * all mappings but GRID. It must be zeroed once, when it is made (cudaMemset); every launch leaves it ready
 * for the next one on the same stream. */
size_t sequence_workspace_bytes(enum sequence_mapping mapping, int32_t batch, int32_t units,
                                int32_t directions, const struct launch_device *device);

/* Rows of U, of H, that SEQUENCE_MAPPING_GRID keeps in shared memory at any batch; the rest it reads again
 * for every sixteen (without tensor cores eight) rows of a step. bf16 has room for twice as many. */
int32_t sequence_grid_resident(int32_t units, int32_t directions, cuseq_precision precision,
                               const struct launch_device *device);

/* One layer over whole sequences, both directions or one: exactly one launch whatever T is. Forward reads t =
 * 0..L-1, backward t = L-1..0, L the row's length; a row costs its own length. Outputs at t >= L are set to
 * 0. */
struct sequence {
  enum cell_form form; /* CELL_FORM_LSTM or CELL_FORM_GRU_RESET_AFTER */
  enum sequence_mapping mapping;
  int32_t batch, time, units, directions; /* B, T, H, D (1 or 2) */
  bool is_backward;                       /* of D 1: the direction is the backward one */
  cuseq_activation activation;            /* tanh, relu, linear */
  cuseq_activation recurrent_activation;  /* sigmoid, hard_sigmoid, hard_sigmoid_keras2 */
  cuseq_precision precision; /* of h U; looked at by GRID; but float32: launch_device.tensor_cores */
  const int32_t *d_lengths;  /* [B] each 1..T; NULL: all T */
  /* [B] a permutation of the rows, the longest first, so that the longest chains start first and tiles have
   * rows of like length; NULL: 0..B-1. Results do not depend on it. */
  const int32_t *d_order;
  /* the input: exactly one of the three */
  const float *d_projected; /* [B,T,D,H,4] x W without the bias */
  const int32_t *d_ids;     /* [B,T] row k of the kernel is gathered for id k; not looked at where t >= L */
  const float *d_x;         /* [B,T,F], 4-byte aligned; where sequence_mapping_takes_x() */
  int32_t features;         /* F; looked at with d_ids (0 <= id < F is the caller's promise) and d_x */
  const float *d_kernel;    /* [F,D,H,4]; with d_ids and d_x, else may be NULL */
  const float *d_recurrent; /* [D,H,H,4] */
  const float *d_bias;      /* [D,H,4] */
  const float *d_initial_h; /* [D,B,H], 4-byte aligned; NULL: zeros */
  const float *d_initial_c; /* the same; of an LSTM */
  /* Hidden states of direction d, row b, position t are written to d_output[d] + (b * T + t) * leading; NULL:
   * not wanted. Concat in place: d_output[1] = d_output[0] + H, leading = 2H. 4-byte aligned. */
  float *d_output[2];
  int64_t leading;
  float *d_final_h;          /* [D,B,H], 4-byte aligned; NULL: not wanted */
  float *d_final_c;          /* the same; of an LSTM */
  void *d_workspace;         /* sequence_workspace_bytes(), 256-byte aligned, of this stream alone */
  struct launch_check check; /* of the final states: a cell that was not finite once never becomes so again */
};
cuseq_status launch_sequence(const struct sequence *arguments, const struct launch_stream *stream);

/* output = forward + backward, forward * backward or their mean, elementwise: the merges other than concat.
 *   d_forward, d_backward, d_output  [count], 4-byte aligned; d_output may be one of the two */
struct layer_merge {
  cuseq_merge merge;
  int64_t count; /* B T H */
  const float *d_forward, *d_backward;
  float *d_output;
  int64_t row;               /* T H, elements of a row; looked at for the check */
  struct launch_check check; /* of the output */
};
cuseq_status launch_layer_merge(const struct layer_merge *arguments, const struct launch_stream *stream);

enum { ROW_ORDER_MOST = 65536 };
/* The permutation of rows by falling length (rows of one length in their order), for d_order.
 *   d_lengths [B], d_order [B]; B <= ROW_ORDER_MOST: with more, rows may stay in their order */
struct row_order {
  int32_t batch;
  const int32_t *d_lengths;
  int32_t *d_order;
};
cuseq_status launch_row_order(const struct row_order *arguments, const struct launch_stream *stream);

#ifdef __cplusplus
}
#endif

#endif
