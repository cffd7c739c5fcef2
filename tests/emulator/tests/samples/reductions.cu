// Sums in many ways: shared memory interleaved and sequential, an unrolled last warp, shuffles, cooperative
// groups, one pass with a fence and a counter, atomics, several types by templates, and the whole grid at
// once.
#include "check.h"

#include <cooperative_groups.h>
#include <cooperative_groups/reduce.h>
#include <vector>

namespace cg = cooperative_groups;

template <typename T> struct SharedMemory { // one extern array under several types
  __device__ operator T *() {
    extern __shared__ int memory[];
    return (T *)memory;
  }
};

template <typename T> __global__ void interleaved(const T *in, T *out, unsigned n) {
  T *data = SharedMemory<T>();
  const unsigned t = threadIdx.x, i = blockIdx.x * blockDim.x + t;
  data[t] = i < n ? in[i] : 0;
  __syncthreads();
  for (unsigned s = 1; s < blockDim.x; s *= 2) {
    if (t % (2 * s) == 0)
      data[t] += data[t + s];
    __syncthreads();
  }
  if (t == 0)
    out[blockIdx.x] = data[0];
}

template <typename T, unsigned SIZE> __global__ void sequential(const T *in, T *out, unsigned n) {
  T *data = SharedMemory<T>();
  const unsigned t = threadIdx.x;
  T sum = 0;
  for (unsigned i = blockIdx.x * SIZE * 2 + t; i < n; i += SIZE * 2 * gridDim.x) {
    sum += in[i];
    if (i + SIZE < n)
      sum += in[i + SIZE];
  }
  data[t] = sum;
  __syncthreads();
  if (SIZE >= 256 && t < 128)
    data[t] = sum = sum + data[t + 128];
  __syncthreads();
  if (SIZE >= 128 && t < 64)
    data[t] = sum = sum + data[t + 64];
  __syncthreads();
  cg::thread_block_tile<32> warp = cg::tiled_partition<32>(cg::this_thread_block());
  if (t < 32) {
    sum += data[t + 32];
    for (int offset = warp.size() / 2; offset > 0; offset /= 2)
      sum += warp.shfl_down(sum, offset);
  }
  if (t == 0)
    out[blockIdx.x] = sum;
}

template <typename T> __inline__ __device__ T warp_sum(unsigned mask, T value) {
  for (int offset = warpSize / 2; offset > 0; offset /= 2)
    value += __shfl_down_sync(mask, value, offset);
  return value;
}

template <typename T> __global__ void by_shuffles(const T *in, T *out, unsigned n) {
  __shared__ T partial[32];
  T sum = 0;
  for (unsigned i = blockIdx.x * blockDim.x + threadIdx.x; i < n; i += blockDim.x * gridDim.x)
    sum += in[i];
  sum = warp_sum(0xffffffff, sum);
  if (threadIdx.x % warpSize == 0)
    partial[threadIdx.x / warpSize] = sum;
  __syncthreads();
  const unsigned warps = blockDim.x / warpSize, mask = __ballot_sync(0xffffffff, threadIdx.x < warps);
  if (threadIdx.x < warps) {
    sum = partial[threadIdx.x];
    for (unsigned offset = warps / 2; offset > 0; offset /= 2)
      sum += __shfl_down_sync(mask, sum, offset);
    if (threadIdx.x == 0)
      out[blockIdx.x] = sum;
  }
}

__device__ unsigned blocks_done;

__global__ void one_pass(const float *in, volatile float *partial, float *out, unsigned n) {
  __shared__ bool last;
  auto block = cg::this_thread_block();
  auto tile = cg::tiled_partition<32>(block);
  __shared__ float warps[8];
  float sum = 0;
  for (unsigned i = blockIdx.x * blockDim.x + threadIdx.x; i < n; i += blockDim.x * gridDim.x)
    sum += in[i];
  sum = cg::reduce(tile, sum, cg::plus<float>());
  if (tile.thread_rank() == 0)
    warps[tile.meta_group_rank()] = sum;
  block.sync();
  if (threadIdx.x == 0) {
    sum = 0;
    for (unsigned i = 0; i < tile.meta_group_size(); i++)
      sum += warps[i];
    partial[blockIdx.x] = sum;
    __threadfence();
    last = atomicInc(&blocks_done, gridDim.x) == gridDim.x - 1;
  }
  __syncthreads();
  if (last && threadIdx.x == 0) {
    float total = 0;
    for (unsigned i = 0; i < gridDim.x; i++)
      total += partial[i];
    *out = total;
    blocks_done = 0;
  }
}

__global__ void whole_grid(const int *in, int *partial, int *out, unsigned n) {
  auto grid = cg::this_grid();
  auto block = cg::this_thread_block();
  __shared__ int sum;
  if (block.thread_rank() == 0)
    sum = 0;
  block.sync();
  int mine = 0;
  for (unsigned i = grid.thread_rank(); i < n; i += grid.size())
    mine += in[i];
  mine = cg::reduce(cg::tiled_partition<16>(block), mine, cg::plus<int>());
  if (block.thread_rank() % 16 == 0)
    atomicAdd(&sum, mine);
  block.sync();
  if (block.thread_rank() == 0)
    partial[blockIdx.x] = sum;
  grid.sync();
  if (grid.thread_rank() == 0) {
    int total = 0;
    for (unsigned i = 0; i < gridDim.x; i++)
      total += partial[i];
    *out = total;
  }
}

template <typename T> void check(const char *what, unsigned n) {
  std::vector<T> values(n);
  unsigned state = 3;
  double want = 0;
  for (T &x : values) {
    x = (T)(noise(state) % 100);
    want += (double)x;
  }
  const unsigned blocks = 24;
  T *d_in = device_array(n, values.data()), *d_out = device_array<T>((n + 127) / 128);
  std::vector<T> out((n + 127) / 128);
  auto total = [&](const char *kind, unsigned count) {
    CHECK(cudaGetLastError());
    fetch(out.data(), d_out, count);
    double got = 0;
    for (unsigned i = 0; i < count; i++)
      got += (double)out[i];
    if (!(fabs(got - want) <= 1e-6 * want)) {
      fprintf(stderr, "%s of %s: %g, not %g\n", kind, what, got, want);
      exit(1);
    }
  };
  interleaved<T><<<(n + 127) / 128, 128, 128 * sizeof(T)>>>(d_in, d_out, n);
  total("interleaved", (n + 127) / 128);
  sequential<T, 256><<<blocks, 256, 256 * sizeof(T)>>>(d_in, d_out, n);
  total("sequential", blocks);
  sequential<T, 64><<<blocks, 64, 64 * sizeof(T)>>>(d_in, d_out, n);
  total("sequential 64", blocks);
  by_shuffles<T><<<blocks, 256>>>(d_in, d_out, n);
  total("by_shuffles", blocks);
  CHECK(cudaFree(d_in));
  CHECK(cudaFree(d_out));
}

int main() {
  check<int>("int", 20011);
  check<float>("float", 9999);
  check<double>("double", 9999);

  const unsigned n = 12345, blocks = 16;
  std::vector<float> values(n, 0.5f);
  std::vector<int> whole(n, 3);
  float *d_in = device_array(n, values.data()), *d_partial = device_array<float>(blocks),
        *d_out = device_array<float>(1), sum;
  for (int round = 0; round < 2; round++) {
    one_pass<<<blocks, 256>>>(d_in, d_partial, d_out, n);
    fetch(&sum, d_out, 1);
    EXPECT(sum == n * 0.5f);
  }
  int *d_whole = device_array(n, whole.data()), *d_some = device_array<int>(blocks),
      *d_total = device_array<int>(1), total;
  unsigned count = n;
  void *arguments[] = {&d_whole, &d_some, &d_total, &count};
  CHECK(cudaLaunchCooperativeKernel((void *)whole_grid, dim3(blocks), dim3(128), arguments, 0, 0));
  fetch(&total, d_total, 1);
  EXPECT(total == (int)n * 3);
  CHECK(cudaFree(d_in));
  CHECK(cudaFree(d_partial));
  CHECK(cudaFree(d_out));
  CHECK(cudaFree(d_whole));
  CHECK(cudaFree(d_some));
  CHECK(cudaFree(d_total));
  return passed("reductions");
}
