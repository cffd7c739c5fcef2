// Prefix sums (work-efficient in shared memory, by shuffles over warps and blocks, cooperative groups) and
// transposition with and without bank conflicts.
#include "check.h"

#include <cooperative_groups.h>
#include <cooperative_groups/scan.h>
#include <vector>

namespace cg = cooperative_groups;

__global__ void blelloch(int *data, int *sums, int n) {
  extern __shared__ int temp[];
  const int t = threadIdx.x, base = blockIdx.x * 2 * blockDim.x;
  int offset = 1;
  const int size = 2 * blockDim.x;
  temp[2 * t] = base + 2 * t < n ? data[base + 2 * t] : 0;
  temp[2 * t + 1] = base + 2 * t + 1 < n ? data[base + 2 * t + 1] : 0;
  for (int d = size >> 1; d > 0; d >>= 1) {
    __syncthreads();
    if (t < d)
      temp[offset * (2 * t + 2) - 1] += temp[offset * (2 * t + 1) - 1];
    offset *= 2;
  }
  if (t == 0) {
    sums[blockIdx.x] = temp[size - 1];
    temp[size - 1] = 0;
  }
  for (int d = 1; d < size; d *= 2) {
    offset >>= 1;
    __syncthreads();
    if (t < d) {
      const int a = offset * (2 * t + 1) - 1, b = offset * (2 * t + 2) - 1, x = temp[a];
      temp[a] = temp[b];
      temp[b] += x;
    }
  }
  __syncthreads();
  if (base + 2 * t < n)
    data[base + 2 * t] = temp[2 * t];
  if (base + 2 * t + 1 < n)
    data[base + 2 * t + 1] = temp[2 * t + 1];
}

__global__ void add_sums(int *data, const int *sums, int n) {
  __shared__ int before;
  if (threadIdx.x == 0) {
    before = 0;
    for (unsigned i = 0; i < blockIdx.x; i++)
      before += sums[i];
  }
  __syncthreads();
  for (int i = threadIdx.x; i < 2 * blockDim.x; i += blockDim.x)
    if (blockIdx.x * 2 * blockDim.x + i < n)
      data[blockIdx.x * 2 * blockDim.x + i] += before;
}

__global__ void shuffle_scan(int *data, int width, int *partial) {
  extern __shared__ int sums[];
  const int id = blockIdx.x * blockDim.x + threadIdx.x, lane = id % warpSize, warp = threadIdx.x / warpSize;
  int value = data[id];
#pragma unroll
  for (int i = 1; i <= width; i *= 2) {
    const int n = __shfl_up_sync(0xffffffff, value, i, width);
    if (lane >= i)
      value += n;
  }
  if (threadIdx.x % warpSize == warpSize - 1)
    sums[warp] = value;
  __syncthreads();
  if (warp == 0 && lane < blockDim.x / warpSize) {
    int sum = sums[lane];
    const int mask = (1 << (blockDim.x / warpSize)) - 1;
    for (int i = 1; i <= blockDim.x / warpSize; i *= 2) {
      const int n = __shfl_up_sync(mask, sum, i, blockDim.x / warpSize);
      if (lane >= i)
        sum += n;
    }
    sums[lane] = sum;
  }
  __syncthreads();
  data[id] = value + (warp > 0 ? sums[warp - 1] : 0);
  if (partial && threadIdx.x == blockDim.x - 1)
    partial[blockIdx.x] = data[id];
}

__global__ void tile_scan(const int *in, int *inclusive, int *exclusive) {
  auto tile = cg::tiled_partition<32>(cg::this_thread_block());
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  inclusive[i] = cg::inclusive_scan(tile, in[i]);
  exclusive[i] = cg::exclusive_scan(tile, in[i], cg::greater<int>());
}

enum { TILE = 32, ROWS = 8 };

template <int PAD> __global__ void transpose(float *out, const float *in, int width, int height) {
  __shared__ float tile[TILE][TILE + PAD];
  int x = blockIdx.x * TILE + threadIdx.x, y = blockIdx.y * TILE + threadIdx.y;
  for (int i = 0; i < TILE; i += ROWS)
    if (x < width && y + i < height)
      tile[threadIdx.y + i][threadIdx.x] = in[(y + i) * width + x];
  cg::sync(cg::this_thread_block());
  x = blockIdx.y * TILE + threadIdx.x;
  y = blockIdx.x * TILE + threadIdx.y;
  for (int i = 0; i < TILE; i += ROWS)
    if (x < height && y + i < width)
      out[(y + i) * height + x] = tile[threadIdx.x][threadIdx.y + i];
}

static void check_scans() {
  const int n = 5000, threads = 256, blocks = (n + 2 * threads - 1) / (2 * threads);
  std::vector<int> values(n), want(n), got(n);
  unsigned state = 5;
  for (int i = 0, sum = 0; i < n; i++) {
    values[i] = noise(state) % 50;
    want[i] = sum;
    sum += values[i];
  }
  int *d = device_array(n, values.data()), *sums = device_array<int>(blocks);
  blelloch<<<blocks, threads, 2 * threads * sizeof(int)>>>(d, sums, n);
  add_sums<<<blocks, threads>>>(d, sums, n);
  fetch(got.data(), d, n);
  expect_close("blelloch", got.data(), want.data(), n, 0);

  CHECK(cudaMemcpy(d, values.data(), 1024 * sizeof(int), cudaMemcpyHostToDevice));
  shuffle_scan<<<2, 512, 16 * sizeof(int)>>>(d, 32, sums);
  fetch(got.data(), d, 1024);
  for (int b = 0; b < 2; b++)
    for (int i = 0, sum = 0; i < 512; i++)
      want[b * 512 + i] = sum += values[b * 512 + i];
  expect_close("shuffle_scan", got.data(), want.data(), 1024, 0);

  CHECK(cudaMemcpy(d, values.data(), 256 * sizeof(int), cudaMemcpyHostToDevice));
  int *inclusive = device_array<int>(256), *exclusive = device_array<int>(256);
  tile_scan<<<2, 128>>>(d, inclusive, exclusive);
  fetch(got.data(), inclusive, 256);
  for (int i = 0, sum = 0; i < 256; i++)
    want[i] = sum = i % 32 ? sum + values[i] : values[i];
  expect_close("inclusive_scan", got.data(), want.data(), 256, 0);
  fetch(got.data(), exclusive, 256);
  for (int i = 1, most = values[0]; i < 256; i++) {
    if (i % 32) {
      EXPECT(got[i] == most);
      most = values[i] > most ? values[i] : most;
    } else
      most = values[i];
  }
  CHECK(cudaFree(d));
  CHECK(cudaFree(sums));
  CHECK(cudaFree(inclusive));
  CHECK(cudaFree(exclusive));
}

int main() {
  check_scans();
  const int width = 100, height = 70;
  std::vector<float> in(width * height), out(width * height), want(width * height);
  for (int i = 0; i < width * height; i++)
    in[i] = (float)i;
  for (int y = 0; y < height; y++)
    for (int x = 0; x < width; x++)
      want[x * height + y] = in[y * width + x];
  float *d_in = device_array(in.size(), in.data()), *d_out = device_array<float>(in.size());
  const dim3 grid((width + TILE - 1) / TILE, (height + TILE - 1) / TILE), block(TILE, ROWS);
  transpose<0><<<grid, block>>>(d_out, d_in, width, height);
  fetch(out.data(), d_out, out.size());
  expect_close("transpose", out.data(), want.data(), out.size(), 0);
  CHECK(cudaMemset(d_out, 0, out.size() * sizeof(float)));
  transpose<1><<<grid, block>>>(d_out, d_in, width, height);
  fetch(out.data(), d_out, out.size());
  expect_close("padded transpose", out.data(), want.data(), out.size(), 0);
  CHECK(cudaFree(d_in));
  CHECK(cudaFree(d_out));
  return passed("scan_transpose");
}
