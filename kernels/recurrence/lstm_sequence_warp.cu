/* Whole LSTM sequences with U in the registers of one warp: H <= 16 and H <= 32. */
#include "kernels/recurrence/lstm_chain.cuh"

/* computes  z = x W + h U + b; i, f, o = rec(z); g = act(z_c); c' = f c + i g; h' = o act(c')  for all steps
 *           of a chain.
 * shapes    struct lstm_sequence in launch.h: U, W, b gates innermost, 16-byte aligned; nothing aliases.
 * mapping   a block is one direction of one row: one warp holds U (lstm_core_warp16: a lane owns two gates of
 *           a unit; lstm_core_warp32: all four) and walks the steps; h is broadcast through shared memory, 16
 *           bytes a load. The x variants have four producer warps that compute x W ahead of it.
 * launch    grid B D, block 32 (x: 160), shared 128 or 256 bytes (x: 32.3 or 24.3 KB more), static.
 * budget    208 registers (warp16 112), no spills.
 * numerics  float32, k ascending (warp16: even and odd k apart, then added); a row's bits depend on itself
 *           alone.
 * why       a step is a chain: its time is the latency of product, cell and broadcast. One warp needs no
 *           barrier. Inputs are loaded 4 (warp32: 2) steps ahead, about a memory latency.
 * cost      a step, by thread: warp16 188 instructions (89 float32, of them 32 fma of the product), with ids
 *           192; warp32 275 (187, 128), with ids 287; the rest is three sigmoids and two tanh. Counted on the
 *           emulated device at sm_90, PTX. */
#define LSTM_WARP_KERNEL(name, core, source)                                                                 \
  static __global__ void __launch_bounds__(lstm_chain_threads<core, source>(), 1)                            \
      name(const __grid_constant__ struct lstm_parameters p) {                                               \
    lstm_chain_block<core, source>(p);                                                                       \
  }

LSTM_WARP_KERNEL(lstm_warp16_projected, lstm_core_warp16, LSTM_SOURCE_PROJECTED)
LSTM_WARP_KERNEL(lstm_warp16_ids, lstm_core_warp16, LSTM_SOURCE_IDS)
LSTM_WARP_KERNEL(lstm_warp16_x, lstm_core_warp16, LSTM_SOURCE_X)
LSTM_WARP_KERNEL(lstm_warp32_projected, lstm_core_warp32, LSTM_SOURCE_PROJECTED)
LSTM_WARP_KERNEL(lstm_warp32_ids, lstm_core_warp32, LSTM_SOURCE_IDS)
LSTM_WARP_KERNEL(lstm_warp32_x, lstm_core_warp32, LSTM_SOURCE_X)

cudaError_t lstm_launch_warp16(const struct lstm_parameters *parameters, cudaStream_t stream) {
  return lstm_chain_launch<lstm_core_warp16>(parameters, lstm_warp16_projected, lstm_warp16_ids,
                                             lstm_warp16_x, stream);
}

cudaError_t lstm_launch_warp32(const struct lstm_parameters *parameters, cudaStream_t stream) {
  return lstm_chain_launch<lstm_core_warp32>(parameters, lstm_warp32_projected, lstm_warp32_ids,
                                             lstm_warp32_x, stream);
}
