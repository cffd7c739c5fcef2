// Header-only libraries on top of the runtime: thrust's sort, reduce, scan and transform, cub's block and
// device primitives.
#include "check.h"

#include <algorithm>
#include <cub/cub.cuh>
#include <numeric>
#include <thrust/device_vector.h>
#include <thrust/functional.h>
#include <thrust/reduce.h>
#include <thrust/scan.h>
#include <thrust/sort.h>
#include <thrust/transform.h>
#include <vector>

template <int THREADS> __global__ void block_sums(const int *in, int *out) {
  using Reduce = cub::BlockReduce<int, THREADS>;
  using Scan = cub::BlockScan<int, THREADS>;
  __shared__ union {
    typename Reduce::TempStorage reduce;
    typename Scan::TempStorage scan;
  } storage;
  const int value = in[blockIdx.x * THREADS + threadIdx.x], sum = Reduce(storage.reduce).Sum(value);
  __syncthreads();
  int before;
  Scan(storage.scan).ExclusiveSum(value, before);
  out[blockIdx.x * (THREADS + 1) + 1 + threadIdx.x] = before;
  if (threadIdx.x == 0)
    out[blockIdx.x * (THREADS + 1)] = sum;
}

int main() {
  const int n = 3000;
  std::vector<int> values(n), got(n);
  unsigned state = 61;
  for (int &x : values)
    x = (int)(noise(state) % 5000);
  thrust::device_vector<int> d(values.begin(), values.end());
  EXPECT(thrust::reduce(d.begin(), d.end()) == std::accumulate(values.begin(), values.end(), 0));
  thrust::inclusive_scan(d.begin(), d.end(), d.begin());
  std::vector<int> sums(n);
  std::partial_sum(values.begin(), values.end(), sums.begin());
  thrust::copy(d.begin(), d.end(), got.begin());
  EXPECT(got == sums);
  d = values;
  thrust::sort(d.begin(), d.end());
  thrust::copy(d.begin(), d.end(), got.begin());
  std::sort(values.begin(), values.end());
  EXPECT(got == values);
  thrust::transform(d.begin(), d.end(), d.begin(), [] __device__(int x) { return 2 * x + 1; });
  EXPECT(d[7] == 2 * values[7] + 1);

  int *in = device_array(n, values.data()), *out = device_array<int>(n + 100), largest;
  size_t bytes = 0;
  CHECK(cub::DeviceReduce::Max(nullptr, bytes, in, out, n));
  void *room = device_array<char>(bytes);
  CHECK(cub::DeviceReduce::Max(room, bytes, in, out, n));
  fetch(&largest, out, 1);
  EXPECT(largest == values.back());
  block_sums<128><<<4, 128>>>(in, out);
  fetch(got.data(), out, 4 * 129);
  for (int b = 0; b < 4; b++) {
    EXPECT(got[b * 129] == std::accumulate(values.begin() + b * 128, values.begin() + b * 128 + 128, 0));
    EXPECT(got[b * 129 + 1] == 0 && got[b * 129 + 3] == values[b * 128] + values[b * 128 + 1]);
  }
  CHECK(cudaFree(in));
  CHECK(cudaFree(out));
  CHECK(cudaFree(room));
  return passed("libraries");
}
