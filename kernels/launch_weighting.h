/* Weights of the positions, for those who queue them. What launch.h says of pointers, launchers and errors
 * holds here as well; arrays are 4-byte aligned. */
#ifndef CUSEQ_KERNELS_LAUNCH_WEIGHTING_H
#define CUSEQ_KERNELS_LAUNCH_WEIGHTING_H

#include "kernels/launch.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Weights of the positions of each row, for each feature f by itself; any B, T and width:
 *   energies[t] = bias[t] + sum over t' < length of kernel[t',t] x[t',f]
 *   output[t,f] = alphas[t] x[t,f], alphas = softmax of energies over t < length
 *   d_lengths  [B] each 0..T, or NULL: all T; what lies at a position t >= length is not looked at, and the
 *              output there becomes 0
 *   d_kernel   [T,T]; d_bias [T], or NULL: zeros
 *   d_x        [B,T,width]
 *   d_output   [B,T,width] */
struct weighting {
  int32_t batch, time, width;
  const int32_t *d_lengths;
  const float *d_kernel, *d_bias;
  const float *d_x;
  float *d_output;
  struct launch_check check; /* of the output, as of a merge */
};
cuseq_status launch_weighting(const struct weighting *arguments, const struct launch_stream *stream);

#ifdef __cplusplus
}
#endif

#endif
