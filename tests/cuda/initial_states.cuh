/* The state before the first step, which attend and the decoder's loops make inside, as a launch of its own
 * for tests. */
#ifndef CUSEQ_TESTS_CUDA_INITIAL_STATES_CUH
#define CUSEQ_TESTS_CUDA_INITIAL_STATES_CUH

#include "kernels/common/launch_error.cuh"
#include "kernels/decoder/start_state.cuh"

/* d_h, d_c: [B,S], 4-byte aligned; d_c may be NULL. */
struct initial_states {
  struct initial_state start;
  int32_t batch;
  float *d_h, *d_c;
};

enum { INITIAL_STATES_THREADS = 128 };

/* Block (b, 0) makes row b of h, block (b, 1) of c. */
__global__ void __launch_bounds__(INITIAL_STATES_THREADS)
    initial_states_kernel(const __grid_constant__ struct initial_states arguments) {
  const struct initial_state &start = arguments.start;
  int b = (int)blockIdx.x;
  bool is_cell = blockIdx.y == 1;
  const float *final_states = is_cell ? start.d_final_c : start.d_final_h;
  float *target = is_cell ? arguments.d_c : arguments.d_h;
  block_start_state(start, is_cell, b, final_states + (int64_t)b * start.units,
                    (int64_t)arguments.batch * start.units, target + (int64_t)b * start.state_units);
}

static cuseq_status launch_initial_states(const struct initial_states *arguments,
                                          const struct launch_stream *stream) {
  static const char *const name = "launch_initial_states";
  const char *fault = initial_state_fault(&arguments->start, arguments->d_c != nullptr);
  fault = fault ? fault : initial_state_source_fault(&arguments->start, arguments->d_c != nullptr);
  LAUNCH_NEED(!fault, "%s: %s", name, fault);
  LAUNCH_NEED(arguments->batch >= 1, "%s: batch below 1 (found %d)", name, (int)arguments->batch);
  LAUNCH_NEED(arguments->d_h, "%s: d_h is NULL", name);
  dim3 grid((unsigned)arguments->batch, arguments->d_c ? 2 : 1);
  initial_states_kernel<<<grid, INITIAL_STATES_THREADS, 0, (cudaStream_t)stream->stream>>>(*arguments);
  return launch_result(stream, name, cudaGetLastError());
}

#endif
