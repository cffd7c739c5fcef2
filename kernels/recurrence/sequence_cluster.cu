/* Whole sequences with U in the registers of a cluster of two blocks: H <= 128, sm_90 and later. */
#include "kernels/recurrence/cell_gru.cuh"
#include "kernels/recurrence/cell_lstm.cuh"
#include "kernels/recurrence/chain.cuh"

/* computes  s = x W + h U + b, four sums a unit, and of them what the cell makes (enum cell_form), for all
 *           steps of a chain.
 * shapes    struct sequence in launch_recurrence.h: U, W, b with a unit's four sums innermost, 16-byte
 *           aligned; nothing aliases.
 * mapping   a cluster is one direction of one row; a block owns 64 units, a thread the four sums of a unit
 *           over a quarter of k (core_cluster128); each h is sent into both blocks' shared memory.
 * launch    grid 2 B D, block 256, cluster 2, shared 17552 bytes, static.
 * budget    208 registers, no spills.
 * numerics  float32, k ascending in each quarter, (0 + 1) + (2 + 3); a row's bits depend on itself alone.
 * why       256 KB of U fill the registers of one SM exactly and leave none to compute with; two SMs have
 *           room. A step waits for an mbarrier that what is sent arrives at: a cluster's barrier, which
 *           it was before, fences the step's output too (950 cycles by the code, and 1,170 with the fence).
 * cost      of a step by its machine code: bench/machine/table.md. */
#if !defined(__CUDA_ARCH__) || __CUDA_ARCH__ >= 900
#define CLUSTER_BODY(cell, source) chain_block<core_cluster128<cell>, source>(p)
#else
#define CLUSTER_BODY(cell, source) (void)p, __trap() /* never reached: launch_clusters_built() says so */
#endif
#define CLUSTER_KERNEL(name, cell, source)                                                                   \
  static __global__ void __launch_bounds__(256, 1)                                                           \
      name(const __grid_constant__ struct sequence_parameters p) {                                           \
    CLUSTER_BODY(cell, source);                                                                              \
  }

CLUSTER_KERNEL(cluster128_lstm_projected, cell_lstm, SEQUENCE_OF_PROJECTED)
CLUSTER_KERNEL(cluster128_lstm_ids, cell_lstm, SEQUENCE_OF_IDS)
CLUSTER_KERNEL(cluster128_gru_projected, cell_gru, SEQUENCE_OF_PROJECTED)
CLUSTER_KERNEL(cluster128_gru_ids, cell_gru, SEQUENCE_OF_IDS)

cudaError_t sequence_launch_cluster128(const struct sequence_parameters *p, cudaStream_t stream) {
  return p->a.form == CELL_FORM_LSTM
             ? chain_launch<core_cluster128<cell_lstm>>(p, cluster128_lstm_projected, cluster128_lstm_ids,
                                                        NULL, stream)
             : chain_launch<core_cluster128<cell_gru>>(p, cluster128_gru_projected, cluster128_gru_ids, NULL,
                                                       stream);
}

int32_t launch_clusters_built(void) {
  struct cudaFuncAttributes attributes;
  cudaError_t status = cudaFuncGetAttributes(&attributes, (const void *)cluster128_lstm_projected);
  if (status != cudaSuccess)
    (void)cudaGetLastError();
  return status == cudaSuccess && attributes.ptxVersion >= 90;
}
