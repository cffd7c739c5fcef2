/* The pointwise kernels between the products of the per-step version: one launch each, on `stream`, which the
 * caller checks with cudaGetLastError(). All pointers are device memory, 4-byte aligned, and do not overlap
 * unless said otherwise. */
#ifndef BENCH_GPU_PER_STEP_KERNELS_H
#define BENCH_GPU_PER_STEP_KERNELS_H

#include <cuda_runtime_api.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* One step of an LSTM cell, tanh and sigmoid, after the product z = h U. */
struct per_step_cell {
  int32_t batch, units;
  const float *d_z;         /* [B,4H] */
  const float *d_projected; /* row b at d_projected + b * projected_stride: x W [4H]; NULL: none, or ids */
  int64_t projected_stride;
  const int32_t *d_ids; /* row b's id at d_ids + b * ids_stride; its row of d_kernel is x W; NULL: none */
  int64_t ids_stride;
  const float *d_kernel;    /* [F,4H], with d_ids */
  const float *d_bias;      /* [4H] */
  const int32_t *d_lengths; /* [B], rows with position >= length keep their state; NULL: all go on */
  int32_t position;
  float *d_h, *d_c; /* [B,H], in place */
  float *d_output; /* row b at d_output + b * output_stride receives h', 0 where it does not go on; or NULL */
  int64_t output_stride;
};
void per_step_cell(const struct per_step_cell *arguments, cudaStream_t stream);

/* output[b,t] = concat(left[b,t], right[b]): [B,T,left+right] from [B,T,left] and [B,right]. */
void per_step_concat(const float *d_left, const float *d_right, float *d_output, int32_t batch, int32_t time,
                     int32_t left, int32_t right, cudaStream_t stream);

/* x = act(x + bias), x [rows,units] in place, act tanh or relu. */
void per_step_bias(float *d_x, const float *d_bias, int64_t rows, int32_t units, int is_relu,
                   cudaStream_t stream);

/* Row b at d_output + b * output_stride: the softmax of d_x [B,width] + bias over its first lengths[b]
 * elements, 0 behind them. d_bias [width], d_lengths [B], d_tokens (argmax, lowest first; row b at d_tokens +
 * b * tokens_stride) may be NULL. */
struct per_step_softmax {
  int32_t batch, width;
  const float *d_x;
  const float *d_bias;
  const int32_t *d_lengths;
  float *d_output;
  int64_t output_stride;
  int32_t *d_tokens;
  int64_t tokens_stride;
};
void per_step_softmax(const struct per_step_softmax *arguments, cudaStream_t stream);

#ifdef __cplusplus
}
#endif

#endif
