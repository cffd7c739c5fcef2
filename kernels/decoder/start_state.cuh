/* The state before the first step, on the device: zeros, the encoder's, dense, or the caller's. */
#ifndef CUSEQ_KERNELS_START_STATE_CUH
#define CUSEQ_KERNELS_START_STATE_CUH

#include "kernels/common/activation.cuh"
#include "kernels/launch.h"

/* Products of the dense layer that are added in one go. */
enum { START_BLOCK = 128 };

/* state[j], j < S, of row b: h, or c where is_cell. Complete after the caller's next barrier.
 *   final_row  [D] H floats each at a distance of final_stride: the row's final states; not looked at for
 *              kind zeros */
__device__ inline void block_start_state(const struct initial_state &start, bool is_cell, int b,
                                         const float *final_row, int64_t final_stride, float *state) {
  int S = start.state_units, H = start.units;
  const float *given = is_cell ? start.d_given_c : start.d_given_h;
  const float *kernel = is_cell ? start.d_kernel_c : start.d_kernel_h;
  const float *bias = is_cell ? start.d_bias_c : start.d_bias_h;
  bool zeros = start.kind == CUSEQ_INITIAL_STATE_ZEROS || (start.d_given_h && !given) ||
               (start.kind == CUSEQ_INITIAL_STATE_DENSE && !kernel);
  for (int j = (int)threadIdx.x; j < S; j += (int)blockDim.x) {
    float sum = 0.0f;
    if (given) {
      sum = given[(int64_t)b * S + j];
    } else if (!zeros && start.kind == CUSEQ_INITIAL_STATE_ENCODER) {
      sum = j < H ? final_row[j] : final_row[final_stride + j - H];
    } else if (!zeros) {
      for (int d = 0; d < start.directions; d++)
        for (int first = 0; first < H; first += START_BLOCK) {
          float block = 0.0f;
#pragma unroll 2
          for (int k = first; k < min(first + (int)START_BLOCK, H); k++)
            block = fmaf(final_row[d * final_stride + k], kernel[((int64_t)d * H + k) * S + j], block);
          sum += block;
        }
      sum = device_activate(start.activation, sum + bias[j]);
    }
    state[j] = sum;
  }
}

/* Whether a start can be launched; NULL or what is wrong with it. */
static inline const char *initial_state_fault(const struct initial_state *start, bool wants_cell) {
  if (start->state_units < 1)
    return "state_units below 1";
  if (start->d_given_h || start->kind == CUSEQ_INITIAL_STATE_ZEROS)
    return nullptr;
  if (start->directions < 1 || start->directions > 2 || start->units < 1)
    return "the encoder has no one or two directions, or no units";
  if (start->kind == CUSEQ_INITIAL_STATE_ENCODER && start->state_units != start->directions * start->units)
    return "state_units are not those of the encoder's final state";
  if (start->kind == CUSEQ_INITIAL_STATE_DENSE &&
      (!start->d_kernel_h || !start->d_bias_h || (wants_cell && (!start->d_kernel_c || !start->d_bias_c))))
    return "a dense layer's weights are missing";
  return nullptr;
}

/* The same for the encoder's final states, which a whole model makes itself. */
static inline const char *initial_state_source_fault(const struct initial_state *start, bool wants_cell) {
  if (start->d_given_h || start->kind == CUSEQ_INITIAL_STATE_ZEROS)
    return nullptr;
  return start->d_final_h && (!wants_cell || start->d_final_c) ? nullptr
                                                               : "the encoder's final states are missing";
}

#endif
