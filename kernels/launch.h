/* What host code may see of the kernels: arguments, packing of weights, launchers. C17 and CUDA C++.
 *
 * Letters and layouts are those of cuseq.h. Every pointer in an argument structure that is marked d_ is
 * device memory of the launch's device, 16-byte aligned unless said otherwise; arrays do not overlap unless
 * said otherwise.
 *
 * Every launcher checks its arguments, computes the grid, queues exactly one kernel on the stream and looks
 * at cudaGetLastError. It allocates nothing, synchronises nothing and may be captured in a graph. It returns
 * CUSEQ_STATUS_OK, or a status with one line in launch_stream.error. */
#ifndef CUSEQ_KERNELS_LAUNCH_H
#define CUSEQ_KERNELS_LAUNCH_H

#include "cuseq/cuseq.h"

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What the choice of a mapping and a grid depends on. Filled in once per session. */
struct launch_device {
  int32_t architecture;    /* 10 x major + minor: 75, 80, 90, 100, 120 */
  int32_t multiprocessors; /* SMs */
  int32_t shared_bytes;    /* of a block, with the opt-in (cudaDevAttrMaxSharedMemoryPerBlockOptin) */
  int32_t cooperative;     /* not 0: cooperative launches (cudaDevAttrCooperativeLaunch) */
  int32_t clusters;        /* not 0: cudaDevAttrClusterLaunch, and launch_clusters_built() */
};

/* Whether what the current device runs of this build has the kernels that need clusters: 0 where the device
 * took code for an architecture before 90. launch_device.clusters is then to be 0. */
int32_t launch_clusters_built(void);

/* Where a launcher queues its kernel and puts its error. */
struct launch_stream {
  void *stream;                       /* the cudaStream_t */
  const struct launch_device *device; /* never NULL */
  char *error;                        /* [error_capacity], receives one line on failure; never NULL */
  size_t error_capacity;
};

/* Where a row's numbers may leave float32's range, in the order in which they are made. */
enum launch_stage {
  LAUNCH_STAGE_ENCODER = 0, /* the encoder's states */
  LAUNCH_STAGE_MERGE = 1,
  LAUNCH_STAGE_ENERGIES = 2,
  LAUNCH_STAGE_CONTEXT = 3,
  LAUNCH_STAGE_DECODER = 4, /* the decoder's states */
  LAUNCH_STAGE_OUTPUTS = 5,
};

/* Where kernels tell of results that are not finite: the least of row << 32 | step << 8 | stage, steps counted from 1, 0
 * for what is before them. */
struct launch_check {
  uint64_t *d_fault; /* page-locked, mapped; UINT64_MAX: nothing was told. NULL: nothing is looked for */
  int32_t first_row; /* the number that the launch's first row has */
  int32_t step;      /* of launches that are one step; from 1 on */
};

/* ---- LSTM ---------------------------------------------------------------------------------------- */

/* Weights, packed once at opening. The four gates of a unit lie side by side, so that a thread takes them
 * with one 16-byte load: "gates innermost", [.., H, 4] in place of [.., 4, H], in the order i, f, c, o. One
 * layout serves all mappings and, as the right-hand matrix of the product ahead of the sequence, cuBLAS:
 *   kernel     [F, D, H, 4]   both directions side by side: one product gives x[BT,F] W = [B,T,D,H,4]
 *   recurrent  [D, H, H, 4]   k, unit, gate
 *   bias       [D, H, 4]
 * Each function writes direction d of a layer with D directions from Keras's layout (cuseq.h); host memory,
 * no CUDA. */
void lstm_pack_kernel(const float *kernel, int32_t features, int32_t units, int32_t directions, int32_t d,
                      float *packed);
void lstm_pack_recurrent(const float *recurrent, int32_t units, int32_t d, float *packed);
void lstm_pack_bias(const float *bias, int32_t units, int32_t d, float *packed);

/* How a sequence is laid on the device. Which one a shape gets is a function of H and the device alone, so
 * that a row's bits do not depend on its batch. Each mapping takes any H up to its limit and pads inside. */
enum lstm_mapping {
  LSTM_MAPPING_WARP16 = 0,     /* H <= 16:  one warp per (row, direction) */
  LSTM_MAPPING_WARP32 = 1,     /* H <= 32:  one warp per (row, direction) */
  LSTM_MAPPING_BLOCK64 = 2,    /* H <= 64:  four warps per (row, direction) */
  LSTM_MAPPING_CLUSTER128 = 3, /* H <= 128: two blocks of a cluster per (row, direction); sm_90 and later */
  LSTM_MAPPING_GRID = 4,       /* any H: groups of blocks per (direction, tile of rows), flag barriers between
                                    them (cooperative launch), or a block each where there is none */
};
enum { LSTM_MAPPINGS = 5 };

/* The mapping that H is given on a device; and whether a mapping can run H there at all. */
enum lstm_mapping lstm_mapping_choose(int32_t units, const struct launch_device *device);
int32_t lstm_mapping_possible(enum lstm_mapping mapping, int32_t units, const struct launch_device *device);

/* Whether the mapping computes x W itself from dense x of F features (d_x below); otherwise d_projected is
 * needed. It does so where that is less work than writing and reading xW. */
int32_t lstm_mapping_takes_x(enum lstm_mapping mapping, int32_t features, int32_t units);

/* Bytes of d_workspace that sequences of up to `batch` rows need, any number of rows after any other: 0 for
 * all mappings but GRID. It must be zeroed once, when it is made (cudaMemset); every launch leaves it ready
 * for the next one on the same stream. */
size_t lstm_workspace_bytes(enum lstm_mapping mapping, int32_t batch, int32_t units, int32_t directions,
                            const struct launch_device *device);

/* Rows of U, of H, that LSTM_MAPPING_GRID keeps in shared memory at any batch; the rest it reads again for every eight
 * rows of a step. */
int32_t lstm_grid_resident(int32_t units, int32_t directions, const struct launch_device *device);

/* One layer over whole sequences, both directions: exactly one launch whatever T is. Forward reads t =
 * 0..L-1, backward t = L-1..0, L the row's length; a row costs its own length. Outputs at t >= L are set to
 * 0. */
struct lstm_sequence {
  enum lstm_mapping mapping;
  int32_t batch, time, units, directions; /* B, T, H, D (1 or 2) */
  cuseq_activation activation;            /* tanh, relu, linear */
  cuseq_activation recurrent_activation;  /* sigmoid, hard_sigmoid, hard_sigmoid_keras2 */
  const int32_t *d_lengths;               /* [B] each 1..T; NULL: all T */
  /* [B] a permutation of the rows, the longest first, so that the longest chains start first and tiles have
   * rows of like length; NULL: 0..B-1. Results do not depend on it. */
  const int32_t *d_order;
  /* the input: exactly one of the three */
  const float *d_projected; /* [B,T,D,H,4] x W without the bias */
  const int32_t *d_ids;     /* [B,T] row k of the kernel is gathered for id k; not looked at where t >= L */
  const float *d_x;         /* [B,T,F], 4-byte aligned; where lstm_mapping_takes_x() */
  int32_t features;         /* F; looked at with d_ids (0 <= id < F is the caller's promise) and d_x */
  const float *d_kernel;    /* [F,D,H,4]; with d_ids and d_x, else may be NULL */
  const float *d_recurrent; /* [D,H,H,4] */
  const float *d_bias;      /* [D,H,4] */
  const float *d_initial_h; /* [D,B,H], 4-byte aligned; NULL: zeros */
  const float *d_initial_c; /* the same */
  /* Hidden states of direction d, row b, position t are written to d_output[d] + (b * T + t) * leading; NULL:
   * not wanted. Concat in place: d_output[1] = d_output[0] + H, leading = 2H. 4-byte aligned. */
  float *d_output[2];
  int64_t leading;
  float *d_final_h; /* [D,B,H], 4-byte aligned; NULL: not wanted */
  float *d_final_c;
  void *d_workspace;         /* lstm_workspace_bytes(), 256-byte aligned, of this stream alone */
  struct launch_check check; /* of the final states: a cell that was not finite once never becomes so again */
};
cuseq_status launch_lstm_sequence(const struct lstm_sequence *arguments, const struct launch_stream *stream);

/* One step of a layer after the product h U, both directions: i, f, o = rec(z), g = act(z), c' = f c + i g, h' = o act(c')
 * with z = h U + x W + bias. For weights that do not fit on the chip, and for large decoders (T = their steps, D = 1). Rows
 * whose length is not above `step` are left as they are, so that the states end as the final ones; their output at t = step
 * becomes 0. The others' position is t = step forward, length - 1 - step backward. */
struct lstm_cell {
  int32_t batch, time, units, directions; /* B, T, H, D (1 or 2) */
  int32_t step;                           /* 0..T-1 */
  cuseq_activation activation;            /* tanh, relu, linear */
  cuseq_activation recurrent_activation;  /* sigmoid, hard_sigmoid, hard_sigmoid_keras2 */
  const int32_t *d_lengths;               /* [B] each 0..T; NULL: all T */
  const float *d_products;                /* [D,B,H,4] h U, and whatever else is to be added; NULL: 0 */
  /* x W: at most one of the three */
  const float *d_projected;  /* [B,T,D,H,4] without the bias */
  const int32_t *d_ids;      /* [B,T] the kernel's row of that number; not looked at where t >= the length */
  const int32_t *d_row_ids;  /* [B] the same, one for the row: a decoder's last token */
  const float *d_kernel;     /* [ids,D,H,4]; with d_ids and d_row_ids */
  const float *d_bias;       /* [D,H,4] */
  const float *d_previous_c; /* [D,B,H] c; may be d_c; NULL: 0; 4-byte aligned */
  float *d_h, *d_c;          /* [D,B,H] receive h', c'; 4-byte aligned */
  /* h' of direction d is also written to d_output[d] + (b * T + t) * leading; NULL: not wanted; 4-byte aligned */
  float *d_output[2];
  int64_t leading;
  struct launch_check check; /* of the states; step 0: they are an encoder's */
};
cuseq_status launch_lstm_cell(const struct lstm_cell *arguments, const struct launch_stream *stream);

/* output = forward + backward, forward * backward or their mean, elementwise: the merges other than concat.
 *   d_forward, d_backward, d_output  [count], 4-byte aligned; d_output may be one of the two */
struct lstm_merge {
  cuseq_merge merge;
  int64_t count; /* B T H */
  const float *d_forward, *d_backward;
  float *d_output;
  int64_t row;               /* T H, elements of a row; looked at for the check */
  struct launch_check check; /* of the output */
};
cuseq_status launch_lstm_merge(const struct lstm_merge *arguments, const struct launch_stream *stream);

enum { LSTM_ORDER_ROWS = 65536 };
/* The permutation of rows by falling length (rows of one length in their order), for d_order.
 *   d_lengths [B], d_order [B]; B <= LSTM_ORDER_ROWS: with more, rows may stay in their order */
struct lstm_order {
  int32_t batch;
  const int32_t *d_lengths;
  int32_t *d_order;
};
cuseq_status launch_lstm_order(const struct lstm_order *arguments, const struct launch_stream *stream);

#ifdef __cplusplus
}
#endif

#include "kernels/launch_attention.h"
#include "kernels/launch_input.h"
#include "kernels/launch_steps.h"

#endif
