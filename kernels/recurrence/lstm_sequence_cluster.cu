/* Whole LSTM sequences with U in the registers of a cluster of two blocks: H <= 128, sm_90 and later. */
#include "kernels/recurrence/lstm_chain.cuh"

/* computes  z = x W + h U + b; i, f, o = rec(z); g = act(z_c); c' = f c + i g; h' = o act(c')  for all steps
 *           of a chain.
 * shapes    struct lstm_sequence in launch.h: U, W, b gates innermost, 16-byte aligned; nothing aliases.
 * mapping   a cluster is one direction of one row; a block owns 64 units, a thread the four gates of a unit
 *           over a quarter of k (lstm_core_cluster128); each h is written into both blocks' shared memory.
 * launch    grid 2 B D, block 256, cluster 2, shared 1152 bytes, static.
 * budget    208 registers, no spills.
 * numerics  float32, k ascending in each quarter, (0 + 1) + (2 + 3); a row's bits depend on itself alone.
 * why       256 KB of U fill the registers of one SM exactly and leave none to compute with; two SMs have
 *           room. One cluster barrier a step.
 * cost      a step, by thread: 315 instructions (199 float32, of them 128 fma of the product). Counted as for
 *           one warp. */
#if !defined(__CUDA_ARCH__) || __CUDA_ARCH__ >= 900
#define LSTM_CLUSTER_BODY(source) lstm_chain_block<lstm_core_cluster128, source>(p)
#else
#define LSTM_CLUSTER_BODY(source) (void)p, __trap() /* never reached: launch_clusters_built() says so */
#endif
#define LSTM_CLUSTER_KERNEL(name, source)                                                                    \
  static __global__ void __launch_bounds__(256, 1) name(const __grid_constant__ struct lstm_parameters p) {  \
    LSTM_CLUSTER_BODY(source);                                                                               \
  }

LSTM_CLUSTER_KERNEL(lstm_cluster128_projected, LSTM_SOURCE_PROJECTED)
LSTM_CLUSTER_KERNEL(lstm_cluster128_ids, LSTM_SOURCE_IDS)

cudaError_t lstm_launch_cluster128(const struct lstm_parameters *parameters, cudaStream_t stream) {
  return lstm_chain_launch<lstm_core_cluster128>(parameters, lstm_cluster128_projected, lstm_cluster128_ids,
                                                 NULL, stream);
}

int32_t launch_clusters_built(void) {
  struct cudaFuncAttributes attributes;
  cudaError_t status = cudaFuncGetAttributes(&attributes, (const void *)lstm_cluster128_projected);
  if (status != cudaSuccess)
    (void)cudaGetLastError();
  return status == cudaSuccess && attributes.ptxVersion >= 90;
}
