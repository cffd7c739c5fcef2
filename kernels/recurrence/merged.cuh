/* The merges of two directions other than concat, of one element. */
#ifndef CUSEQ_KERNELS_MERGED_CUH
#define CUSEQ_KERNELS_MERGED_CUH

#include "cuseq/cuseq.h"

__device__ __forceinline__ float merged_states(cuseq_merge merge, float forward, float backward) {
  if (merge == CUSEQ_MERGE_MUL)
    return forward * backward;
  float sum = forward + backward;
  return merge == CUSEQ_MERGE_SUM ? sum : 0.5f * sum;
}

#endif
