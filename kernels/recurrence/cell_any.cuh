/* Any cell with any activations: what kernels that are not compiled for one cell make of four sums a unit. */
#ifndef CUSEQ_KERNELS_CELL_ANY_CUH
#define CUSEQ_KERNELS_CELL_ANY_CUH

#include "kernels/launch.h"
#include "kernels/recurrence/cell_gru.cuh"
#include "kernels/recurrence/cell_lstm.cuh"

/* A cell's two functions: those of the sequence kernels, written out there, where it has these; else any. */
struct cell_functions {
  bool is_usual;
  struct device_gates gates;
  cuseq_activation activation, recurrent;
};

template <int COUNT>
static __device__ __forceinline__ void device_recurrent(const struct cell_functions &f, float (&x)[COUNT]) {
  if (f.is_usual) {
    device_recurrent(f.gates, x);
    return;
  }
#pragma unroll
  for (int i = 0; i < COUNT; i++)
    x[i] = device_activate_any(f.recurrent, x[i]);
}

static __device__ __forceinline__ float device_cell_activation(const struct cell_functions &f, float x) {
  return f.is_usual ? device_cell_activation(f.gates, x) : device_activate_any(f.activation, x);
}

/* h' of one unit; z holds its sums, h its state before the step, c an LSTM's, which becomes c'. candidate: (r
 * h) U_n of a GRU that resets before that product. */
static __device__ __forceinline__ float cell_any_update(enum cell_form form, const struct cell_functions &f,
                                                        float4 z, float candidate, float h, float &c) {
  if (form == CELL_FORM_LSTM)
    return cell_lstm::update(f, z, c);
  if (form == CELL_FORM_GRU_RESET_AFTER)
    return cell_gru::update(f, z, h);
  float update[1] = {z.x};
  device_recurrent(f, update);
  return cell_gru::blend(update[0], h, device_cell_activation(f, z.z + candidate));
}

/* r of one unit, of its sum. */
static __device__ __forceinline__ float cell_any_reset(const struct cell_functions &f, float sum) {
  float reset[1] = {sum};
  device_recurrent(f, reset);
  return reset[0];
}

#endif
