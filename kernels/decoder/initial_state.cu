/* The state before the first step as a launch of its own. */
#include "kernels/common/launch_error.cuh"
#include "kernels/decoder/start_state.cuh"

enum { THREADS = 128 };

/* computes  h[b,j] and c[b,j]: 0, concat(final[0,b], final[1,b])[j], act(that . kernel[:,j] + bias[j]), or the given one
 * shapes    as in launch_attention.h; 4-byte aligned; outputs alias nothing
 * mapping   block (b, 0) makes row b of h, block (b, 1) of c; thread = column j, j + 128, ...; neighbours read neighbouring
 *           columns of the kernel
 * launch    grid (B, d_c ? 2 : 1), 128 threads, no shared memory
 * budget    64 registers, 0 bytes of shared memory
 * numerics  float32, summed in the order of k, 128 of a direction at a time, the bias last; deterministic
 * why       it runs once per sequence and is a small part of it: no split of the sum over threads */
__global__ void __launch_bounds__(THREADS)
    initial_states_kernel(const __grid_constant__ struct initial_states arguments) {
  const struct initial_state &start = arguments.start;
  int b = (int)blockIdx.x;
  bool is_cell = blockIdx.y == 1;
  const float *final_states = is_cell ? start.d_final_c : start.d_final_h;
  float *target = is_cell ? arguments.d_c : arguments.d_h;
  block_start_state(start, is_cell, b, final_states + (int64_t)b * start.units,
                    (int64_t)arguments.batch * start.units, target + (int64_t)b * start.state_units);
}

extern "C" cuseq_status launch_initial_states(const struct initial_states *arguments,
                                              const struct launch_stream *stream) {
  static const char *const name = "launch_initial_states";
  const char *fault = initial_state_fault(&arguments->start, arguments->d_c != nullptr);
  fault = fault ? fault : initial_state_source_fault(&arguments->start, arguments->d_c != nullptr);
  LAUNCH_NEED(!fault, "%s: %s", name, fault);
  LAUNCH_NEED(arguments->batch >= 1, "%s: batch below 1 (found %d)", name, (int)arguments->batch);
  LAUNCH_NEED(arguments->d_h, "%s: d_h is NULL", name);
  dim3 grid((unsigned)arguments->batch, arguments->d_c ? 2 : 1);
  initial_states_kernel<<<grid, THREADS, 0, (cudaStream_t)stream->stream>>>(*arguments);
  return launch_result(stream, name, cudaGetLastError());
}
