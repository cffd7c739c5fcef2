/* Whole sequences with U in the registers of one warp: H <= 16 and H <= 32. */
#include "kernels/recurrence/cell_gru.cuh"
#include "kernels/recurrence/cell_lstm.cuh"
#include "kernels/recurrence/chain.cuh"

/* computes  s = x W + h U + b, four sums a unit, and of them what the cell makes (enum cell_form), for all
 *           steps of a chain.
 * shapes    struct sequence in launch_recurrence.h: U, W, b with a unit's four sums innermost, 16-byte
 *           aligned; nothing aliases.
 * mapping   a block is one direction of one row: one warp holds U (core_warp16: a lane owns two sums of a
 *           unit; core_warp32: all four) and walks the steps; h is broadcast through shared memory, 16 bytes
 *           a load. The x variants have four producer warps that compute x W ahead of it.
 * launch    grid B D, block 32 (x: 160), shared 2176 or 2304 bytes (x: 32.3 or 24.3 KB more), static.
 * budget    210 registers (warp16 112), no spills.
 * numerics  float32, k ascending (warp16: even and odd k apart, then added); a row's bits depend on itself
 *           alone.
 * why       a step is a chain: its time is the latency of product, cell and broadcast. One warp needs no
 *           barrier. Inputs are fetched 4 steps ahead, more than a memory latency. Sigmoid and tanh have a
 *           loop of their own: a branch for each function would keep them from overlapping.
 * cost      of a step by its machine code: bench/machine/table.md. */
#define WARP_KERNEL(name, core, source)                                                                      \
  static __global__ void __launch_bounds__(chain_threads<core, source>(), 1)                                 \
      name(const __grid_constant__ struct sequence_parameters p) {                                           \
    chain_block<core, source>(p);                                                                            \
  }
#define WARP_KERNELS(cell, name)                                                                             \
  WARP_KERNEL(warp16_##name##_projected, core_warp16<cell>, SEQUENCE_OF_PROJECTED)                           \
  WARP_KERNEL(warp16_##name##_ids, core_warp16<cell>, SEQUENCE_OF_IDS)                                       \
  WARP_KERNEL(warp16_##name##_x, core_warp16<cell>, SEQUENCE_OF_X)                                           \
  WARP_KERNEL(warp32_##name##_projected, core_warp32<cell>, SEQUENCE_OF_PROJECTED)                           \
  WARP_KERNEL(warp32_##name##_ids, core_warp32<cell>, SEQUENCE_OF_IDS)                                       \
  WARP_KERNEL(warp32_##name##_x, core_warp32<cell>, SEQUENCE_OF_X)

WARP_KERNELS(cell_lstm, lstm)
WARP_KERNELS(cell_gru, gru)

cudaError_t sequence_launch_warp16(const struct sequence_parameters *p, cudaStream_t stream) {
  return p->a.form == CELL_FORM_LSTM
             ? chain_launch<core_warp16<cell_lstm>>(p, warp16_lstm_projected, warp16_lstm_ids, warp16_lstm_x,
                                                    stream)
             : chain_launch<core_warp16<cell_gru>>(p, warp16_gru_projected, warp16_gru_ids, warp16_gru_x,
                                                   stream);
}

cudaError_t sequence_launch_warp32(const struct sequence_parameters *p, cudaStream_t stream) {
  return p->a.form == CELL_FORM_LSTM
             ? chain_launch<core_warp32<cell_lstm>>(p, warp32_lstm_projected, warp32_lstm_ids, warp32_lstm_x,
                                                    stream)
             : chain_launch<core_warp32<cell_gru>>(p, warp32_gru_projected, warp32_gru_ids, warp32_gru_x,
                                                   stream);
}
