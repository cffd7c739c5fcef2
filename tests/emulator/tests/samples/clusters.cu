// Thread-block clusters: a histogram whose bins lie in the shared memory of all blocks of a cluster, sizes
// fixed and chosen at launch, a ring of blocks, bulk copies that complete at a barrier.
#include "check.h"

#include <cooperative_groups.h>
#include <cuda/barrier>
#include <vector>

namespace cg = cooperative_groups;
using barrier = cuda::barrier<cuda::thread_scope_block>;
namespace cde = cuda::device::experimental;

__global__ void histogram(int *bins, int bins_per_block, int bin_count, const int *in, int n) {
  extern __shared__ int mine[];
  cg::cluster_group cluster = cg::this_cluster();
  const int id = blockIdx.x * blockDim.x + threadIdx.x;
  for (int i = threadIdx.x; i < bins_per_block; i += blockDim.x)
    mine[i] = 0;
  cluster.sync();
  for (int i = id; i < n; i += blockDim.x * gridDim.x) {
    const int bin = in[i] < 0 ? 0 : in[i] >= bin_count ? bin_count - 1 : in[i];
    int *there = cluster.map_shared_rank(mine, bin / bins_per_block);
    atomicAdd(there + bin % bins_per_block, 1);
  }
  cluster.sync();
  int *out = bins + cluster.block_rank() * bins_per_block;
  for (int i = threadIdx.x; i < bins_per_block; i += blockDim.x)
    atomicAdd(&out[i], mine[i]);
}

__global__ void __cluster_dims__(4, 1, 1) ring(int *out) {
  __shared__ int value[64];
  auto cluster = cg::this_cluster();
  value[threadIdx.x] = cluster.block_rank() * 100 + threadIdx.x;
  int *next = cluster.map_shared_rank(value, (cluster.block_rank() + 1) % cluster.num_blocks());
  for (int step = 0; step < 3; step++) {
    cluster.sync();
    const int x = next[threadIdx.x];
    cluster.sync();
    value[threadIdx.x] = x + 1;
  }
  auto token = cluster.barrier_arrive();
  out[blockIdx.x * blockDim.x + threadIdx.x] = value[threadIdx.x] + (cluster.dim_blocks().x - 4);
  cluster.barrier_wait(std::move(token));
}

__global__ void bulk(const int *in, int *out) {
  __shared__ alignas(128) int staged[256];
  __shared__ barrier ready;
  if (threadIdx.x == 0) {
    init(&ready, blockDim.x);
    cde::fence_proxy_async_shared_cta();
  }
  __syncthreads();
  barrier::arrival_token token;
  if (threadIdx.x == 0) {
    cde::cp_async_bulk_global_to_shared(staged, in + blockIdx.x * 256, sizeof staged, ready);
    token = cuda::device::barrier_arrive_tx(ready, 1, sizeof staged);
  } else
    token = ready.arrive();
  ready.wait(std::move(token));
  for (int i = threadIdx.x; i < 256; i += blockDim.x)
    staged[i] += 1000;
  cde::fence_proxy_async_shared_cta();
  __syncthreads();
  if (threadIdx.x == 0) {
    cde::cp_async_bulk_shared_to_global(out + blockIdx.x * 256, staged, sizeof staged);
    cde::cp_async_bulk_commit_group();
    cde::cp_async_bulk_wait_group_read<0>();
  }
}

static void check_histogram(int cluster_size) {
  const int n = 20000, bin_count = 512, threads = 128;
  std::vector<int> in(n), want(bin_count), got(bin_count);
  unsigned state = 31;
  for (int &x : in)
    want[x = (int)(noise(state) % bin_count)]++;
  int *d_in = device_array(n, in.data()), *d_bins = device_array<int>(bin_count);
  CHECK(cudaMemset(d_bins, 0, bin_count * sizeof(int)));
  cudaLaunchConfig_t config = {};
  config.gridDim = dim3(8);
  config.blockDim = dim3(threads);
  config.dynamicSmemBytes = bin_count / cluster_size * sizeof(int);
  CHECK(cudaFuncSetAttribute(histogram, cudaFuncAttributeMaxDynamicSharedMemorySize,
                             (int)config.dynamicSmemBytes));
  cudaLaunchAttribute attribute[1];
  attribute[0].id = cudaLaunchAttributeClusterDimension;
  attribute[0].val.clusterDim.x = cluster_size;
  attribute[0].val.clusterDim.y = attribute[0].val.clusterDim.z = 1;
  config.attrs = attribute;
  config.numAttrs = 1;
  CHECK(cudaLaunchKernelEx(&config, histogram, d_bins, bin_count / cluster_size, bin_count, (const int *)d_in,
                           n));
  fetch(got.data(), d_bins, bin_count);
  EXPECT(got == want);
  CHECK(cudaFree(d_in));
  CHECK(cudaFree(d_bins));
}

int main() {
  for (int size = 1; size <= 8; size *= 2)
    check_histogram(size);
  std::vector<int> got(8 * 64);
  int *d_out = device_array<int>(got.size());
  ring<<<8, 64>>>(d_out);
  CHECK(cudaGetLastError());
  fetch(got.data(), d_out, got.size());
  for (int b = 0; b < 8; b++)
    for (int t = 0; t < 64; t++)
      EXPECT(got[b * 64 + t] == (b + 3) % 4 * 100 + t + 3);
  std::vector<int> in(1024), out(1024);
  for (int i = 0; i < 1024; i++)
    in[i] = 3 * i;
  int *d_in = device_array(in.size(), in.data()), *d_copy = device_array<int>(out.size());
  bulk<<<4, 64>>>(d_in, d_copy);
  CHECK(cudaGetLastError());
  fetch(out.data(), d_copy, out.size());
  for (int i = 0; i < 1024; i++)
    EXPECT(out[i] == 3 * i + 1000);
  CHECK(cudaFree(d_out));
  CHECK(cudaFree(d_in));
  CHECK(cudaFree(d_copy));
  return passed("clusters");
}
