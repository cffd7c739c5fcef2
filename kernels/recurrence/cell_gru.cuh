/* The GRU with its reset after the product as the cores take a cell (cores.cuh): four sums a unit, z, r, n of
 * x, n of h. */
#ifndef CUSEQ_KERNELS_CELL_GRU_CUH
#define CUSEQ_KERNELS_CELL_GRU_CUH

#include "kernels/common/activation.cuh"

struct cell_gru {
  static const bool HAS_C = false, THIRD_OF_HIDDEN = false;

  /* z += h u, z += x w: a unit's row of the two products. The third sum has no part of h, whose weights need
   * no registers then, the fourth none of x. */
  __device__ __forceinline__ static void multiply(float4 &z, float h, float4 u) {
    z.x = fmaf(h, u.x, z.x);
    z.y = fmaf(h, u.y, z.y);
    z.w = fmaf(h, u.w, z.w);
  }
  __device__ __forceinline__ static void project(float4 &z, float x, float4 w) {
    z.x = fmaf(x, w.x, z.x);
    z.y = fmaf(x, w.y, z.y);
    z.z = fmaf(x, w.z, z.z);
  }
  /* What a unit keeps from step to step beside the h that all see: its own h again, which it would have to
   * look for. */
  __device__ __forceinline__ static float carried(float h, float) {
    return h;
  }
  /* h' = z h + (1 - z) n, n = act(n of x + r n of h) of one unit; returns h'. */
  template <class Functions>
  __device__ __forceinline__ static float update(const Functions &functions, float4 z, float &h) {
    float gates[2] = {z.x, z.y};
    device_recurrent(functions, gates);
    return h = blend(gates[0], h, device_cell_activation(functions, fmaf(gates[1], z.w, z.z)));
  }
  __device__ __forceinline__ static float blend(float z, float h, float n) {
    return fmaf(z, h, (1.0f - z) * n);
  }
};

#endif
