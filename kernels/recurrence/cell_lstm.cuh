/* The LSTM as the cores take a cell (cores.cuh): four sums a unit, i, f, c, o, all of them of x and of h. */
#ifndef CUSEQ_KERNELS_CELL_LSTM_CUH
#define CUSEQ_KERNELS_CELL_LSTM_CUH

#include "kernels/common/activation.cuh"

struct cell_lstm {
  static const bool HAS_C = true, THIRD_OF_HIDDEN = true;

  /* z += h u, z += x w: a unit's row of the two products. */
  __device__ __forceinline__ static void multiply(float4 &z, float h, float4 u) {
    z.x = fmaf(h, u.x, z.x);
    z.y = fmaf(h, u.y, z.y);
    z.z = fmaf(h, u.z, z.z);
    z.w = fmaf(h, u.w, z.w);
  }
  __device__ __forceinline__ static void project(float4 &z, float x, float4 w) {
    multiply(z, x, w);
  }
  /* What a unit keeps from step to step beside the h that all see. */
  __device__ __forceinline__ static float carried(float, float c) {
    return c;
  }
  /* c' = f c + i g, h' = o act(c') of one unit; returns h'. */
  template <class Functions>
  __device__ __forceinline__ static float update(const Functions &functions, float4 z, float &c) {
    float gates[3] = {z.x, z.y, z.w};
    device_recurrent(functions, gates);
    float g = device_cell_activation(functions, z.z);
    c = fmaf(gates[1], c, gates[0] * g);
    return gates[2] * device_cell_activation(functions, c);
  }
};

#endif
