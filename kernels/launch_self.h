/* The part of launch.h, which includes this file, for self-attention: every position of a row asks all of the
 * row's positions. What launch.h says of pointers, launchers and errors holds here as well; arrays are 4-byte
 * aligned. */
#ifndef CUSEQ_KERNELS_LAUNCH_SELF_H
#define CUSEQ_KERNELS_LAUNCH_SELF_H

#include "kernels/launch.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Self-attention by inner products, one launch, any B, T and widths. Of each of `heads` equal parts of
 * queries, keys and values, which lie side by side as those of the output do:
 *   output[t] = sum_j alphas[t,j] values[j], alphas[t] = softmax over j < length of scale queries[t] keys[j]
 *   d_lengths  [B] each 0..T, or NULL: all T; what lies at a position t >= length is not looked at, and the
 *              output there becomes 0
 *   d_queries  [B,T,key_width], positions query_stride floats apart; the others likewise
 *   d_keys     [B,T,key_width]; d_keys and d_values may be d_queries
 *   d_values   [B,T,value_width]
 *   d_output   [B,T,value_width] */
struct self_attend {
  int32_t batch, time, heads;
  int32_t key_width, value_width; /* of all heads: multiples of their number */
  float scale;
  const int32_t *d_lengths;
  const float *d_queries, *d_keys, *d_values;
  int64_t query_stride, key_stride, value_stride;
  float *d_output;
  int64_t output_stride;
  struct launch_check check; /* of the output, as of a merge */
};
cuseq_status launch_self_attend(const struct self_attend *arguments, const struct launch_stream *stream);

/* Who asks where every position does, for launch_attend, which makes other energies: row b time + t attends
 * to row b, and to none of its positions where t >= length.
 *   d_lengths   [B] or NULL: all T
 *   d_rows      [B T] the row of each that asks
 *   d_attended  [B T] positions that it attends to */
struct self_rows {
  int32_t batch, time;
  const int32_t *d_lengths;
  int32_t *d_rows, *d_attended;
};
cuseq_status launch_self_rows(const struct self_rows *arguments, const struct launch_stream *stream);

#ifdef __cplusplus
}
#endif

#endif
