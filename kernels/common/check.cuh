/* What kernels do with results that are not finite: the first of them is told to the host, in memory that
 * both see, without a launch or a wait for it. */
#ifndef CUSEQ_KERNELS_CHECK_CUH
#define CUSEQ_KERNELS_CHECK_CUH

#include "kernels/launch.h"

#include <float.h>

/* One fault; out of the way of what is computed. */
static __device__ __noinline__ void check_tell(const struct launch_check &check, int row, int step,
                                               enum launch_stage stage) {
  if (check.d_fault)
    atomicMin((unsigned long long *)check.d_fault, (unsigned long long)(check.first_row + row) << 32 |
                                                       (unsigned long long)step << 8 |
                                                       (unsigned long long)stage);
}

__device__ __forceinline__ bool check_is_finite(float x) {
  return fabsf(x) <= FLT_MAX;
}

/* Tells of x where it is not finite. */
__device__ __forceinline__ void check_value(const struct launch_check &check, int row, int step,
                                            enum launch_stage stage, float x) {
  if (!check_is_finite(x))
    check_tell(check, row, step, stage);
}

/* Of a cell's states. */
__device__ __forceinline__ void check_states(const struct launch_check &check, int row, int step,
                                             enum launch_stage stage, float h, float c) {
  if (!check_is_finite(h) || !check_is_finite(c))
    check_tell(check, row, step, stage);
}

#endif
