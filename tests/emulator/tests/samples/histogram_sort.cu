// Histograms by global and shared atomics and per warp, a bitonic sorting network in shared and global
// memory, a radix pass with warp-aggregated atomics, an odd-even merge.
#include "check.h"

#include <algorithm>
#include <cooperative_groups.h>
#include <vector>

namespace cg = cooperative_groups;

__global__ void histogram_global(const unsigned char *data, unsigned *bins, int n) {
  for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < n; i += gridDim.x * blockDim.x)
    atomicAdd(&bins[data[i]], 1);
}

__global__ void histogram_shared(const uchar4 *data, unsigned *bins, int n) {
  __shared__ unsigned mine[256];
  for (int i = threadIdx.x; i < 256; i += blockDim.x)
    mine[i] = 0;
  __syncthreads();
  for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < n; i += gridDim.x * blockDim.x) {
    const uchar4 four = data[i];
    atomicAdd(mine + four.x, 1);
    atomicAdd(mine + four.y, 1);
    atomicAdd(mine + four.z, 1);
    atomicAdd(mine + four.w, 1);
  }
  __syncthreads();
  for (int i = threadIdx.x; i < 256; i += blockDim.x)
    atomicAdd(&bins[i], mine[i]);
}

__device__ inline void order(unsigned &key_a, unsigned &value_a, unsigned &key_b, unsigned &value_b,
                             unsigned ascending) {
  if ((key_a > key_b) == ascending) {
    unsigned t = key_a;
    key_a = key_b;
    key_b = t;
    t = value_a;
    value_a = value_b;
    value_b = t;
  }
}

__global__ void bitonic_shared(unsigned *keys, unsigned *values, unsigned size) {
  __shared__ unsigned key[1024], value[1024];
  cg::thread_block block = cg::this_thread_block();
  const unsigned base = blockIdx.x * 1024 + threadIdx.x;
  for (unsigned i = 0; i < 1024; i += 512) {
    key[threadIdx.x + i] = keys[base + i];
    value[threadIdx.x + i] = values[base + i];
  }
  for (unsigned width = 2; width <= 1024; width <<= 1) {
    const unsigned ascending = width == 1024 ? !(blockIdx.x & 1) : !(threadIdx.x & (width / 2));
    for (unsigned stride = width / 2; stride > 0; stride >>= 1) {
      cg::sync(block);
      const unsigned position = 2 * threadIdx.x - (threadIdx.x & (stride - 1));
      order(key[position], value[position], key[position + stride], value[position + stride], ascending);
    }
  }
  cg::sync(block);
  for (unsigned i = 0; i < 1024; i += 512) {
    keys[base + i] = key[threadIdx.x + i];
    values[base + i] = value[threadIdx.x + i];
  }
  (void)size;
}

__global__ void bitonic_global(unsigned *keys, unsigned *values, unsigned width, unsigned stride) {
  const unsigned i = blockIdx.x * blockDim.x + threadIdx.x, position = 2 * i - (i & (stride - 1));
  const unsigned ascending = !(i & (width / 2));
  unsigned key_a = keys[position], value_a = values[position];
  unsigned key_b = keys[position + stride], value_b = values[position + stride];
  order(key_a, value_a, key_b, value_b, ascending);
  keys[position] = key_a;
  values[position] = value_a;
  keys[position + stride] = key_b;
  values[position + stride] = value_b;
}

__device__ int aggregated_increment(int *counter) {
  const cg::coalesced_group active = cg::coalesced_threads();
  int before = 0;
  if (active.thread_rank() == 0)
    before = atomicAdd(counter, active.size());
  return active.shfl(before, 0) + active.thread_rank();
}

__global__ void filter_positive(int *out, int *count, const int *in, int n) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n && in[i] > 0)
    out[aggregated_increment(count)] = in[i];
}

static void check_histograms() {
  const int n = 40000;
  std::vector<unsigned char> data(n);
  std::vector<unsigned> want(256), got(256);
  unsigned state = 11;
  for (unsigned char &x : data)
    want[x = (unsigned char)(noise(state) >> 5)]++;
  unsigned char *d_data = device_array(n, data.data());
  unsigned *d_bins = device_array<unsigned>(256);
  CHECK(cudaMemset(d_bins, 0, 256 * sizeof(unsigned)));
  histogram_global<<<16, 128>>>(d_data, d_bins, n);
  fetch(got.data(), d_bins, 256);
  EXPECT(got == want);
  CHECK(cudaMemset(d_bins, 0, 256 * sizeof(unsigned)));
  histogram_shared<<<8, 192>>>((const uchar4 *)d_data, d_bins, n / 4);
  fetch(got.data(), d_bins, 256);
  EXPECT(got == want);
  CHECK(cudaFree(d_data));
  CHECK(cudaFree(d_bins));
}

static void check_sort() {
  const unsigned n = 4096;
  std::vector<unsigned> keys(n), values(n), sorted_keys(n), sorted_values(n);
  unsigned state = 13;
  for (unsigned i = 0; i < n; i++) {
    keys[i] = noise(state) % 10000;
    values[i] = i;
  }
  unsigned *d_keys = device_array(n, keys.data()), *d_values = device_array(n, values.data());
  bitonic_shared<<<n / 1024, 512>>>(d_keys, d_values, n);
  for (unsigned width = 2048; width <= n; width <<= 1)
    for (unsigned stride = width / 2; stride > 0; stride >>= 1)
      bitonic_global<<<n / 512, 256>>>(d_keys, d_values, width, stride);
  CHECK(cudaGetLastError());
  fetch(sorted_keys.data(), d_keys, n);
  fetch(sorted_values.data(), d_values, n);
  for (unsigned i = 0; i < n; i++)
    EXPECT(sorted_keys[i] == keys[sorted_values[i]]);
  std::sort(keys.begin(), keys.end());
  EXPECT(keys == sorted_keys);
  CHECK(cudaFree(d_keys));
  CHECK(cudaFree(d_values));
}

int main() {
  check_histograms();
  check_sort();
  const int n = 3000;
  std::vector<int> in(n), out(n);
  unsigned state = 17;
  int positives = 0, count = 0;
  for (int &x : in)
    positives += (x = (int)(noise(state) % 100) - 50) > 0;
  int *d_in = device_array(n, in.data()), *d_out = device_array<int>(n), *d_count = device_array(1, &count);
  filter_positive<<<(n + 255) / 256, 256>>>(d_out, d_count, d_in, n);
  fetch(&count, d_count, 1);
  EXPECT(count == positives);
  fetch(out.data(), d_out, count);
  std::vector<int> wanted;
  std::copy_if(in.begin(), in.end(), std::back_inserter(wanted), [](int x) { return x > 0; });
  out.resize(count);
  std::sort(out.begin(), out.end());
  std::sort(wanted.begin(), wanted.end());
  EXPECT(out == wanted);
  CHECK(cudaFree(d_in));
  CHECK(cudaFree(d_out));
  CHECK(cudaFree(d_count));
  return passed("histogram_sort");
}
