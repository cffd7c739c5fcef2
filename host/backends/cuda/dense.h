/* Dense layers on the device: a product for each of the vectors that a layer reads side by side, and what
 * finishes them. */
#ifndef CUSEQ_CUDA_DENSE_H
#define CUSEQ_CUDA_DENSE_H

#include "backends/cuda/cuda.h"
#include "model/structure.h"

/* One of the vectors that are read side by side, a row of it for each row of the product. */
struct cuda_part {
  const float *d_rows; /* row r at d_rows + r * stride                                    */
  int64_t stride;
  int32_t width;
  const int32_t *d_ids; /* in place of d_rows: row r is one-hot, its one at d_ids[r]      */
};

/* Vectors side by side. */
struct cuda_parts {
  int32_t count;
  struct cuda_part list[STRUCTURE_MAX_PARTS];
};

static inline struct cuda_parts cuda_parts_one(const float *d_rows, int64_t stride, int32_t width) {
  return (struct cuda_parts){.count = 1, .list = {{.d_rows = d_rows, .stride = stride, .width = width}}};
}

/* Which rows of a layer count; all members 0: all do. As in struct dense_finish. */
struct cuda_kept {
  int32_t positions; /* rows of each row of the batch; 0 is 1 */
  const int32_t *d_lengths;
  const int32_t *d_running;
  int32_t step;
  struct launch_check check; /* d_fault NULL: nothing is looked for */
  enum launch_stage stage;
};

/* sums [rows,columns] = the parts times a kernel whose row for the first part's first element is `kernel`;
 * rows of the kernel are `columns` wide. adds: onto what is there. */
cuseq_status cuda_parts_multiply(struct cuda_session *session, const struct cuda_parts *parts, int64_t rows,
                                 const float *kernel, int32_t columns, float *d_sums, bool adds);

/* The sums of a dense layer, without its bias: [rows,units]. */
cuseq_status cuda_dense_sums(struct cuda_session *session, const struct dense *dense,
                             const struct cuda_parts *parts, int64_t rows, float *d_sums);

/* activation(norm(sums + bias)) of a layer whose sums are there, to d_output, whose rows are output_stride
 * apart. The sums are changed where the layer normalises. */
cuseq_status cuda_dense_finish(struct cuda_session *session, const struct dense *dense, float *d_sums,
                               int64_t rows, const struct cuda_kept *kept, float *d_output,
                               int64_t output_stride);

/* Layers one after the other, at least one, to d_output. d_scratch: two arrays of [rows, the widest layer];
 * the last layer's sums go to the one or the other. */
cuseq_status cuda_chain_queue(struct cuda_session *session, const struct dense_chain *chain,
                              const struct cuda_parts *parts, int64_t rows, float *const d_scratch[2],
                              const struct cuda_kept *kept, float *d_output, int64_t output_stride);

/* The same but for the last layer's bias and activation: its sums, [rows,units], to d_sums. */
cuseq_status cuda_chain_sums(struct cuda_session *session, const struct dense_chain *chain,
                             const struct cuda_parts *parts, int64_t rows, float *const d_scratch[2],
                             float *d_sums);

/* The parts themselves, side by side, to d_output. */
cuseq_status cuda_parts_copy(struct cuda_session *session, const struct cuda_parts *parts, int64_t rows,
                             float *d_output, int64_t output_stride);

/* positions.c: the layers of a chain over every position of what is encoded, `below` [B,T,inputs], to d_made
 * [B,T,units]; a chain of none makes nothing. Layers between lie in the session's d_wide. */
cuseq_status cuda_positions_queue(struct cuda_session *session, const struct dense_chain *chain,
                                  const float *below, float *d_made);
/* Whether its layers are so narrow that no product but launch_attention_keys' makes them, which gives a row
 * the same bits whatever its batch. */
bool cuda_positions_are_narrow(const struct dense_chain *chain);

static inline int32_t cuda_larger(int32_t a, int32_t b) {
  return a > b ? a : b;
}

/* The widest of a chain's layers; 0 where there are none. */
int32_t cuda_chain_widest(const struct dense_chain *chain);

#endif
