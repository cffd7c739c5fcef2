// Launches: every way to ask for one, impossible ones, and what is known of a kernel.
#include "check.h"

#include <cooperative_groups.h>
#include <string.h>

namespace cg = cooperative_groups;

struct pair {
  double x;
  char tag;
};

__global__ void mixed(int *out, char c, pair p, short s, long long l) {
  if (threadIdx.x == 0 && blockIdx.x == 0)
    *out = c + (int)p.x + p.tag + s + (int)l;
}

__global__ void dynamic(int *out, int n) {
  extern __shared__ int cells[];
  for (int i = threadIdx.x; i < n; i += blockDim.x)
    cells[i] = i;
  __syncthreads();
  if (threadIdx.x == 0) {
    int sum = 0;
    for (int i = 0; i < n; i++)
      sum += cells[i];
    *out = sum;
  }
}

__global__ void __launch_bounds__(128) bounded(int *out) {
  __shared__ int cell[100];
  cell[threadIdx.x % 100] = 1;
  out[threadIdx.x] = cell[0];
}

__global__ void together(int *counter, int *seen) {
  cg::grid_group grid = cg::this_grid();
  if (threadIdx.x == 0)
    atomicAdd(counter, 1);
  grid.sync();
  if (threadIdx.x == 0)
    seen[blockIdx.x] = *(volatile int *)counter;
}

__global__ void in_cluster(int *out) {
#if __CUDA_ARCH__ >= 900
  __shared__ int mine;
  cg::cluster_group cluster = cg::this_cluster();
  if (threadIdx.x == 0)
    mine = blockIdx.x;
  cluster.sync();
  int *other = cluster.map_shared_rank(&mine, cluster.block_rank() ^ 1);
  if (threadIdx.x == 0)
    out[blockIdx.x] = *other * 10 + cluster.num_blocks();
  cluster.sync();
#endif
}

static int *device, host[64];

static int answer() {
  OK(cudaMemcpy(host, device, sizeof host, cudaMemcpyDeviceToHost));
  return host[0];
}

static void arguments_arrive_in_every_shape() {
  pair p = {20, 3};
  mixed<<<2, 32>>>(device, 1, p, 300, 4000);
  CHECK_EQUAL(answer(), 1 + 20 + 3 + 300 + 4000);
  char c = 2;
  short s = 5;
  long long l = 7;
  void *arguments[] = {&device, &c, &p, &s, &l};
  OK(cudaLaunchKernel((void *)mixed, dim3(1), dim3(1), arguments, 0, 0));
  CHECK_EQUAL(answer(), 2 + 20 + 3 + 5 + 7);
  cudaKernel_t kernel;
  OK(cudaGetKernel(&kernel, (const void *)mixed));
  c = 4;
  OK(cudaLaunchKernel((void *)kernel, dim3(1), dim3(1), arguments, 0, 0));
  CHECK_EQUAL(answer(), 4 + 20 + 3 + 5 + 7);
  arguments[4] = NULL;
  CODE(cudaLaunchKernel((void *)mixed, dim3(1), dim3(1), arguments, 0, 0), cudaErrorInvalidValue);
  arguments[4] = (void *)8;
  CODE(cudaLaunchKernel((void *)mixed, dim3(1), dim3(1), arguments, 0, 0), cudaErrorInvalidValue);
  CODE(cudaLaunchKernel((void *)mixed, dim3(1), dim3(1), NULL, 0, 0), cudaErrorInvalidValue);
  CODE(cudaLaunchKernel((void *)answer, dim3(1), dim3(1), arguments, 0, 0), cudaErrorInvalidDeviceFunction);
  CODE(cudaLaunchKernel(NULL, dim3(1), dim3(1), arguments, 0, 0), cudaErrorInvalidDeviceFunction);
  size_t offset, size;
  OK(cudaFuncGetParamInfo((const void *)mixed, 2, &offset, &size));
  CHECK(offset == 16 && size == sizeof(pair));
  CODE(cudaFuncGetParamInfo((const void *)mixed, 5, &offset, &size), cudaErrorInvalidValue);
  cudaGetLastError();
}

#define FAILS(launch, wanted)                                                                                \
  do {                                                                                                       \
    launch;                                                                                                  \
    CODE(cudaGetLastError(), wanted);                                                                        \
  } while (0)

static void impossible_shapes_are_refused() {
  FAILS((dynamic<<<0, 32>>>(device, 1)), cudaErrorInvalidConfiguration);
  FAILS((dynamic<<<1, 0>>>(device, 1)), cudaErrorInvalidConfiguration);
  FAILS((dynamic<<<1, 1025>>>(device, 1)), cudaErrorInvalidConfiguration);
  FAILS((dynamic<<<1, dim3(1, 1, 65)>>>(device, 1)), cudaErrorInvalidConfiguration);
  FAILS((dynamic<<<1, dim3(32, 33)>>>(device, 1)), cudaErrorInvalidConfiguration);
  FAILS((dynamic<<<dim3(1, 65536), 1>>>(device, 1)), cudaErrorInvalidConfiguration);
  FAILS((dynamic<<<dim3(1, 1, 65536), 1>>>(device, 1)), cudaErrorInvalidConfiguration);
  FAILS((dynamic<<<1, 32, 49153>>>(device, 1)), cudaErrorInvalidValue);
  FAILS((dynamic<<<1, 32, (size_t)1 << 40>>>(device, 1)), cudaErrorInvalidValue);
  FAILS((dynamic<<<1, 32, 0, (cudaStream_t)0x5550>>>(device, 1)), cudaErrorInvalidResourceHandle);
  bounded<<<1, 256>>>(device);
  CHECK(cudaGetLastError() != cudaSuccess);
  OK(cudaDeviceSynchronize());
}

static void large_shared_memory_is_asked_for() {
  int optin;
  OK(cudaDeviceGetAttribute(&optin, cudaDevAttrMaxSharedMemoryPerBlockOptin, 0));
  CHECK(optin > 49152);
  OK(cudaFuncSetAttribute(dynamic, cudaFuncAttributeMaxDynamicSharedMemorySize, optin));
  dynamic<<<1, 64, (size_t)optin>>>(device, 15000);
  OK(cudaGetLastError());
  CHECK_EQUAL(answer(), 15000 * 14999 / 2);
  CODE(cudaFuncSetAttribute(dynamic, cudaFuncAttributeMaxDynamicSharedMemorySize, optin + 1),
       cudaErrorInvalidValue);
  cudaGetLastError();
}

static void kernels_are_described() {
  cudaFuncAttributes a;
  const char *name;
  int blocks;
  OK(cudaFuncGetAttributes(&a, bounded));
  CHECK_EQUAL(a.sharedSizeBytes, 400);
  CHECK_EQUAL(a.maxThreadsPerBlock, 128);
  CHECK(a.numRegs > 0 && a.ptxVersion >= 75 && a.binaryVersion >= 75);
  OK(cudaFuncGetName(&name, (const void *)bounded));
  CHECK(strstr(name, "bounded") != NULL);
  OK(cudaOccupancyMaxActiveBlocksPerMultiprocessor(&blocks, bounded, 128, 0));
  CHECK(blocks >= 1 && blocks <= 16);
  OK(cudaOccupancyMaxActiveBlocksPerMultiprocessor(&blocks, bounded, 1024, 0));
  CHECK_EQUAL(blocks, 0);
  int grid, block;
  OK(cudaOccupancyMaxPotentialBlockSize(&grid, &block, dynamic, 0, 0));
  CHECK(grid >= 1 && block >= 32);
  size_t left;
  OK(cudaOccupancyAvailableDynamicSMemPerBlock(&left, bounded, 2, 128));
  CHECK(left > 1024);
  CODE(cudaFuncGetAttributes(&a, (const void *)answer), cudaErrorInvalidDeviceFunction);
  CODE(cudaFuncGetAttributes(NULL, (const void *)bounded), cudaErrorInvalidValue);
  CODE(cudaOccupancyMaxActiveBlocksPerMultiprocessor(&blocks, bounded, 0, 0), cudaErrorInvalidValue);
  cudaGetLastError();
}

static void a_cooperative_grid_meets() {
  int *seen, blocks = 24;
  OK(cudaMalloc(&seen, 64 * 4));
  OK(cudaMemset(device, 0, 4));
  void *arguments[] = {&device, &seen};
  OK(cudaLaunchCooperativeKernel((void *)together, dim3(blocks), dim3(64), arguments, 0, 0));
  OK(cudaMemcpy(host, seen, blocks * 4, cudaMemcpyDeviceToHost));
  for (int i = 0; i < blocks; i++)
    CHECK_EQUAL(host[i], blocks);
  CODE(cudaLaunchCooperativeKernel((void *)together, dim3(1000000), dim3(64), arguments, 0, 0),
       cudaErrorCooperativeLaunchTooLarge);
  OK(cudaFree(seen));
  cudaGetLastError();
}

static void clusters_share_memory() {
  int major, clusters;
  OK(cudaDeviceGetAttribute(&major, cudaDevAttrComputeCapabilityMajor, 0));
  cudaLaunchConfig_t config = {};
  cudaLaunchAttribute attribute = {};
  attribute.id = cudaLaunchAttributeClusterDimension;
  attribute.val.clusterDim.x = 2;
  attribute.val.clusterDim.y = attribute.val.clusterDim.z = 1;
  config.gridDim = dim3(6);
  config.blockDim = dim3(32);
  config.attrs = &attribute;
  config.numAttrs = 1;
  if (major < 9) {
    CHECK(cudaLaunchKernelEx(&config, in_cluster, device) != cudaSuccess);
    cudaGetLastError();
    return;
  }
  OK(cudaLaunchKernelEx(&config, in_cluster, device));
  answer();
  for (int i = 0; i < 6; i++)
    CHECK_EQUAL(host[i], (i ^ 1) * 10 + 2);
  OK(cudaOccupancyMaxActiveClusters(&clusters, in_cluster, &config));
  CHECK(clusters > 0);
  config.gridDim = dim3(5);
  CODE(cudaLaunchKernelEx(&config, in_cluster, device), cudaErrorInvalidClusterSize);
  config.gridDim = dim3(32);
  attribute.val.clusterDim.x = 16;
  CODE(cudaLaunchKernelEx(&config, in_cluster, device), cudaErrorInvalidClusterSize);
  attribute.id = (cudaLaunchAttributeID)60;
  CHECK(cudaLaunchKernelEx(&config, in_cluster, device) != cudaSuccess);
  cudaGetLastError();
}

int main() {
  OK(cudaMalloc(&device, 1024));
  OK(cudaMemset(device, 0, 1024));
  arguments_arrive_in_every_shape();
  impossible_shapes_are_refused();
  large_shared_memory_is_asked_for();
  kernels_are_described();
  a_cooperative_grid_meets();
  clusters_share_memory();
  OK(cudaFree(device));
  return finish();
}
