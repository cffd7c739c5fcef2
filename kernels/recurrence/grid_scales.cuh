/* Powers of two by which h of a row and U of a unit's sums become two float16 each (grid_tensor.cuh). They
 * follow from the row alone and from the weights alone: a row has the same bits in every batch.
 *
 * h that tanh has made is below 1, or below the largest of the row's initial ones, in every step: an LSTM's
 * is tanh times a sigmoid, a GRU's lies between the one before and a tanh. So one scale does for all
 * steps. */
#ifndef CUSEQ_KERNELS_GRID_SCALES_CUH
#define CUSEQ_KERNELS_GRID_SCALES_CUH

#include "kernels/recurrence/grid_cells.cuh"

/* Of the team's rows, with all its threads. Rows must be there; complete after the team's next barrier. */
template <int SLOTS, int EIGHTS>
__device__ __forceinline__ void tensor_row_scales(const struct sequence &a,
                                                  struct tensor_memory<SLOTS, EIGHTS> &m, int d, int thread) {
  const int EACH = TENSOR_TEAM / (EIGHTS * 8); /* threads of a row */
  int row = thread / EACH;
  float most = 1.0f;
  for (int unit = thread % EACH; a.d_initial_h && m.length[row] > 0 && unit < a.units; unit += EACH)
    most = fmaxf(most, fabsf(a.d_initial_h[((size_t)d * a.batch + m.row[row]) * a.units + unit]));
#pragma unroll
  for (int lanes = 1; lanes < EACH; lanes *= 2)
    most = fmaxf(most, __shfl_xor_sync(0xffffffffu, most, lanes));
  if (thread % EACH == 0)
    m.scale[row] = tensor_scale(most);
}

/* Of all sums of the block's units, as what takes the products back: `inverses` [tiles of units][UNITS], with
 * all its threads. Complete after the block's next barrier. */
template <int UNITS>
__device__ __forceinline__ void tensor_unit_scales(const struct sequence &a, int d, int rank, int blocks,
                                                   float4 *inverses) {
  int most[4], threads = (int)blockDim.x / UNITS, at = 0;
  for (int first = rank * UNITS; first < a.units; first += blocks * UNITS, at += UNITS) {
    int unit = first + (int)threadIdx.x % UNITS;
    int *found =
        (int *)(inverses + at + threadIdx.x % UNITS); /* numbers above 0 have the order of their bits */
    float4 largest = sums_zero();
    if (threadIdx.x < UNITS)
      inverses[at + threadIdx.x] = sums_zero();
    for (int k = (int)threadIdx.x / UNITS; k < a.units && unit < a.units; k += threads) {
      float4 u = __ldg((const float4 *)a.d_recurrent + ((size_t)d * a.units + k) * a.units + unit);
      largest.x = fmaxf(largest.x, fabsf(u.x)), largest.y = fmaxf(largest.y, fabsf(u.y));
      largest.z = fmaxf(largest.z, fabsf(u.z)), largest.w = fmaxf(largest.w, fabsf(u.w));
    }
    most[0] = __float_as_int(largest.x), most[1] = __float_as_int(largest.y);
    most[2] = __float_as_int(largest.z), most[3] = __float_as_int(largest.w);
    __syncthreads(); /* zeros are there */
    for (int sum = 0; sum < 4; sum++)
      atomicMax(found + sum, most[sum]);
    __syncthreads(); /* the largest are there */
    if (threadIdx.x < UNITS) {
      float4 &own = inverses[at + threadIdx.x];
      own.x = tensor_inverse(tensor_scale(own.x)), own.y = tensor_inverse(tensor_scale(own.y));
      own.z = tensor_inverse(tensor_scale(own.z)), own.w = tensor_inverse(tensor_scale(own.w));
    }
  }
}

#endif
