/* Whole sequences with U in the registers of four warps: H <= 64. */
#include "kernels/recurrence/cell_gru.cuh"
#include "kernels/recurrence/cell_lstm.cuh"
#include "kernels/recurrence/chain.cuh"

/* computes  s = x W + h U + b, four sums a unit, and of them what the cell makes (enum cell_form), for all
 *           steps of a chain.
 * shapes    struct sequence in launch_recurrence.h: U, W, b with a unit's four sums innermost, 16-byte
 *           aligned; nothing aliases.
 * mapping   a block is one direction of one row: a thread owns the four sums of a unit over half of k
 *           (core_block64). The x variant has eight producer warps that compute x W ahead of it.
 * launch    grid B D, block 128 (x: 384), shared 8768 bytes (x: 40.7 KB more), static.
 * budget    214 registers (x: 168), no spills.
 * numerics  float32, k ascending in each half, the halves added; a row's bits depend on itself alone.
 * why       two columns of sums or more a thread keep the reading of h below the shared memory's rate. One
 *           barrier of four warps a step, for h is double-buffered.
 * cost      of a step by its machine code: bench/machine/table.md. */
#define BLOCK_KERNEL(name, cell, source)                                                                     \
  static __global__ void __launch_bounds__(chain_threads<core_block64<cell>, source>(), 1)                   \
      name(const __grid_constant__ struct sequence_parameters p) {                                           \
    chain_block<core_block64<cell>, source>(p);                                                              \
  }

BLOCK_KERNEL(block64_lstm_projected, cell_lstm, SEQUENCE_OF_PROJECTED)
BLOCK_KERNEL(block64_lstm_ids, cell_lstm, SEQUENCE_OF_IDS)
BLOCK_KERNEL(block64_lstm_x, cell_lstm, SEQUENCE_OF_X)
BLOCK_KERNEL(block64_gru_projected, cell_gru, SEQUENCE_OF_PROJECTED)
BLOCK_KERNEL(block64_gru_ids, cell_gru, SEQUENCE_OF_IDS)
BLOCK_KERNEL(block64_gru_x, cell_gru, SEQUENCE_OF_X)

cudaError_t sequence_launch_block64(const struct sequence_parameters *p, cudaStream_t stream) {
  return p->a.form == CELL_FORM_LSTM
             ? chain_launch<core_block64<cell_lstm>>(p, block64_lstm_projected, block64_lstm_ids,
                                                     block64_lstm_x, stream)
             : chain_launch<core_block64<cell_gru>>(p, block64_gru_projected, block64_gru_ids, block64_gru_x,
                                                    stream);
}
