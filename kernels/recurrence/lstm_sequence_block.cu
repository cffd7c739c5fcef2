/* Whole LSTM sequences with U in the registers of four warps: H <= 64. */
#include "kernels/recurrence/lstm_chain.cuh"

/* computes  z = x W + h U + b; i, f, o = rec(z); g = act(z_c); c' = f c + i g; h' = o act(c')  for all steps
 *           of a chain.
 * shapes    struct lstm_sequence in launch.h: U, W, b gates innermost, 16-byte aligned; nothing aliases.
 * mapping   a block is one direction of one row: a thread owns the four gates of a unit over half of k
 *           (lstm_core_block64). The x variant has eight producer warps that compute x W ahead of it.
 * launch    grid B D, block 128 (x: 384), shared 576 bytes (x: 40.7 KB more), static.
 * budget    208 registers (x: 168), no spills.
 * numerics  float32, k ascending in each half, the halves added; a row's bits depend on itself alone.
 * why       two gate columns or more a thread keep the reading of h below the shared memory's rate. One
 *           barrier of four warps a step, for h is double-buffered.
 * cost      a step, by thread: 299 instructions (195 float32, of them 128 fma of the product). Counted as for
 *           one warp. */
#define LSTM_BLOCK_KERNEL(name, source)                                                                      \
  static __global__ void __launch_bounds__(lstm_chain_threads<lstm_core_block64, source>(), 1)               \
      name(const __grid_constant__ struct lstm_parameters p) {                                               \
    lstm_chain_block<lstm_core_block64, source>(p);                                                          \
  }

LSTM_BLOCK_KERNEL(lstm_block64_projected, LSTM_SOURCE_PROJECTED)
LSTM_BLOCK_KERNEL(lstm_block64_ids, LSTM_SOURCE_IDS)
LSTM_BLOCK_KERNEL(lstm_block64_x, LSTM_SOURCE_X)

cudaError_t lstm_launch_block64(const struct lstm_parameters *parameters, cudaStream_t stream) {
  return lstm_chain_launch<lstm_core_block64>(parameters, lstm_block64_projected, lstm_block64_ids,
                                              lstm_block64_x, stream);
}
