/* The part of launch.h, which includes this file, that any structure is run with, step by step: products, and
 * what lies between them, the cells and attention. What launch.h says of pointers, launchers and errors holds
 * here as well; arrays are 4-byte aligned.
 *
 * One step of a decoder is
 *   a query          products of its layers, each finished by launch_dense_finish
 *   launch_attend    from the query, over d_attended positions, to the alphas and the context
 *   products         gates [R,S,4] of each layer, then launch_cell_step
 *   products         of the attentional vector and of the head's layers but the last, each finished by
 *                    launch_dense_finish
 *   a product        the sums of the head's last layer
 *   launch_decode_output
 * after launch_initial_gather and launch_decode_begin. A row runs at the steps below its d_output_lengths;
 * after its end all of these leave its states alone and give zeros and end tokens. */
#ifndef CUSEQ_KERNELS_LAUNCH_STEPS_H
#define CUSEQ_KERNELS_LAUNCH_STEPS_H

#include "kernels/launch.h"

#ifdef __cplusplus
extern "C" {
#endif

/* C[m,n] = A[m,k] B[k,n] + bias, or that added to C, row-major, by tensor cores: where
 * launch_device.tensor_cores. A row's bits do not depend on the other rows, nor on how many there are. A sum
 * with a factor that is not finite is not finite.
 *   lda, ldb    floats from row to row of A and B; rows of C lie n apart
 *   transposed  B lies as [n,k]
 *   count       0 or 1: one; of more A, B and C lie one behind the other, m lda, k n and m n floats apart
 *   d_bias      [n] or NULL */
struct product {
  const float *d_a, *d_b;
  float *d_c;
  const float *d_bias;
  int32_t m, n, k;
  int64_t lda, ldb;
  int32_t transposed, count, adds;
  cuseq_precision precision; /* of the factors; sums are float32 */
};
cuseq_status launch_product(const struct product *arguments, const struct launch_stream *stream);

/* What follows the product of a dense layer: output = activation(sums + bias) + added, of rows that count.
 *   d_sums    row r at d_sums + r * sums_stride; may be d_output, of the same stride
 *   d_bias    [width] or NULL
 *   d_added   row r at d_added + r * added_stride: what a residual layer read; NULL: none
 *   d_output  row r at d_output + r * output_stride
 *   d_running [rows / positions] a row counts where step < d_running[row]; the others are left as they are.
 *             NULL: all count
 *   d_lengths [rows / positions] positions of the row that count, the rest of its rows become 0. NULL: all
 *             count
 *   positions rows of `d_sums` that each row of the batch has: 1, or T */
struct dense_finish {
  int64_t rows;
  int32_t width, positions;
  const float *d_sums;
  int64_t sums_stride;
  const float *d_bias;
  cuseq_activation activation; /* any but softmax and log_softmax */
  const float *d_added;
  int64_t added_stride;
  float *d_output;
  int64_t output_stride;
  const int32_t *d_running;
  int32_t step;
  const int32_t *d_lengths;
  struct launch_check check; /* of the output, of rows that count */
  enum launch_stage stage;
};
cuseq_status launch_dense_finish(const struct dense_finish *arguments, const struct launch_stream *stream);

/* Layer normalisation of a dense layer's sums, between the product and launch_dense_finish: the bias is
 * added to all of them, and `units` from `first` on become scale (z - mean) / sqrt(variance + epsilon) +
 * offset, mean and variance of these.
 *   d_sums              [rows, width], in place
 *   d_bias              [width], or NULL
 *   d_scale, d_offset   [units]
 *   d_lengths, positions  as in struct dense_finish: rows beyond a length are left as they are */
struct sums_norm {
  int64_t rows;
  int32_t width, positions;
  int32_t first, units;
  float epsilon;
  float *d_sums;
  const float *d_bias, *d_scale, *d_offset;
  const int32_t *d_lengths;
};
cuseq_status launch_sums_norm(const struct sums_norm *arguments, const struct launch_stream *stream);

/* Rows of a table by number: an embedding, or what a one-hot vector makes of a matrix.
 *   d_ids    [rows], each 0 .. the table's rows - 1 where it counts, elsewhere not looked at
 *   d_table  row k at d_table + k * row_stride, its elements column_stride apart; NULL: the unit matrix
 *   d_output row r at d_output + r * output_stride, `width` elements: the table's, or added to what is there
 *   d_lengths [rows / positions] positions of each row of the batch that count; of the rest the output
 *   becomes 0, or stays
 *             what is there. NULL: all count
 *   positions rows of `d_ids` that each row of the batch has; looked at with d_lengths */
struct table_lookup {
  int64_t rows;
  int32_t width, positions;
  const int32_t *d_ids;
  const float *d_table;
  int64_t row_stride, column_stride;
  float *d_output;
  int64_t output_stride;
  int32_t adds;
  const int32_t *d_lengths;
};
cuseq_status launch_table_lookup(const struct table_lookup *arguments, const struct launch_stream *stream);

/* What an initial state takes of the encoder's final states, for each row of a decoding.
 *   d_first, d_second  [encoded rows, units] the final states of one or two directions; d_second NULL: of one
 *   sums               0: side by side, [first, second]; otherwise their sum, of equal widths
 *   d_rows             [batch] the encoded row of each; NULL: its own
 *   d_output           row b at d_output + b * stride; d_first NULL: zeros, first_units wide */
struct initial_gather {
  int32_t batch;
  const float *d_first, *d_second;
  int32_t first_units, second_units;
  int32_t sums;
  const int32_t *d_rows;
  float *d_output;
  int64_t stride;
};
cuseq_status launch_initial_gather(const struct initial_gather *arguments,
                                   const struct launch_stream *stream);

/* One vector of a row's annotations: their mean, their maximum, or the last. [batch,time,width] ->
 * [batch,width] */
enum pool_kind { POOL_MEAN, POOL_MAXIMUM, POOL_LAST };
struct pool {
  enum pool_kind kind;
  int32_t batch, time, width;
  const int32_t *d_lengths; /* [batch] each 1..T, or NULL: all T */
  const float *d_annotations;
  float *d_output;
};
cuseq_status launch_pool(const struct pool *arguments, const struct launch_stream *stream);

/* The end of a head of a model without a decoder: output = activation(logits + bias), token = argmax, lowest
 * index first.
 *   d_logits  [rows,units] the sums of the last layer; may be overwritten
 *   d_outputs row r at d_outputs + r * output_stride; may be NULL
 *   d_tokens  row r at d_tokens[r * token_stride]; may be NULL
 *   rows that do not count (positions beyond a row's length) give zeros */
struct head_output {
  int64_t rows;
  int32_t units, positions; /* rows of each row of the batch: 1, or T */
  cuseq_activation activation;
  float *d_logits;
  const float *d_bias; /* [units] or NULL */
  float *d_outputs;
  int64_t output_stride;
  int32_t *d_tokens;
  int32_t token_stride;
  const int32_t *d_lengths; /* [rows / positions] or NULL: all count */
  struct launch_check check;
};
cuseq_status launch_head_output(const struct head_output *arguments, const struct launch_stream *stream);

/* A head over rows beside heads over every position: what stands at a row's first position comes to all of
 * them, and 0 behind its last.
 *   d_outputs row b, position t at d_outputs + (b * time + t) * output_stride, `units` elements; may be NULL
 *   d_tokens  row b, position t at d_tokens[(b * time + t) * token_stride]; may be NULL */
struct head_spread {
  int32_t batch, time, units;
  const int32_t *d_lengths; /* [batch] each 1..T, or NULL: all T */
  float *d_outputs;
  int64_t output_stride;
  int32_t *d_tokens;
  int32_t token_stride;
};
cuseq_status launch_head_spread(const struct head_spread *arguments, const struct launch_stream *stream);

/* A vector of each step that is a result: row b, step y of d_to is d_to + (b * steps + y) * to_stride; zeros
 * after a row's end. of_last_step: of the last step that a row runs alone, at d_to + b * to_stride. d_from
 * NULL: none. */
struct decode_kept {
  const float *d_from; /* row b at d_from + b * stride */
  int64_t stride;
  float *d_to;
  int64_t to_stride;
  int32_t width;
  int32_t of_last_step;
};
enum { DECODE_KEPT = 5 };

/* What a decoder's steps begin from, and what each of them ends with; R rows. */
struct decode_rows {
  int32_t batch, time, steps;         /* R, T, Y */
  const int32_t *d_lengths;           /* [encoded rows] or NULL: all T */
  const int32_t *d_rows;              /* [R] the encoded row of each; NULL: its own */
  int32_t embedding_units;            /* E */
  const float *d_embedding;           /* [V,E] or NULL */
  const int32_t *d_previous;          /* [R] tokens before the first step; NULL: start_token */
  int32_t start_token, end_token;     /* -1: none */
  const int32_t *d_targets;           /* [R,Y] tokens that are fed in place of the best; NULL: none */
  const int32_t *d_target_lengths;    /* [R] steps of each row, with targets; NULL: Y */
  int32_t outputs;                    /* V */
  cuseq_activation output_activation; /* any */
  const float *d_output_bias;         /* [V] or NULL */
  float *d_logits;                    /* [R,V] the product; may be overwritten */
  /* what the loop goes on from; written by both */
  int32_t *d_output_lengths; /* [R] Y, or the number of steps that a row takes */
  int32_t *d_attended;       /* [R] positions that a row attends to: its length; 0 once it has ended */
  int32_t *d_fed_ids;        /* [R] the token that the next step reads; NULL: steps read none */
  float *d_fed;              /* [R,E] its embedding; with d_embedding */
  float *d_probabilities;    /* [R,V] that the next step reads, of a token all its own; NULL: it reads none */
  /* results; each may be NULL */
  float *d_outputs;           /* [R,Y,V] */
  int32_t *d_tokens;          /* [R,Y] the best of each step */
  float *d_log_probabilities; /* [R,Y] of the token that is fed next: the target, or the best */
  float *d_log_outputs;       /* [R,Y,V] the logarithm of each output; softmax and log_softmax */
  struct decode_kept kept[DECODE_KEPT];
  struct launch_check check; /* of the outputs */
};
cuseq_status launch_decode_begin(const struct decode_rows *arguments, const struct launch_stream *stream);
cuseq_status launch_decode_output(const struct decode_rows *arguments, int32_t step,
                                  const struct launch_stream *stream);

#ifdef __cplusplus
}
#endif

#endif
