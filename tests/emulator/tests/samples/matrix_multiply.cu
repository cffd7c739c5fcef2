// Tiled matrix product by blocks of a template's size, launched with dim3, and one with registers and float4.
#include "check.h"

#include <vector>

template <int TILE>
__global__ void multiply(float *c, const float *a, const float *b, int width_a, int width_b) {
  __shared__ float as[TILE][TILE], bs[TILE][TILE];
  const int bx = blockIdx.x, by = blockIdx.y, tx = threadIdx.x, ty = threadIdx.y;
  const int first = width_a * TILE * by, last = first + width_a - 1;
  float sum = 0;
  for (int i = first, j = TILE * bx; i <= last; i += TILE, j += TILE * width_b) {
    as[ty][tx] = a[i + width_a * ty + tx];
    bs[ty][tx] = b[j + width_b * ty + tx];
    __syncthreads();
#pragma unroll
    for (int k = 0; k < TILE; k++)
      sum += as[ty][k] * bs[k][tx];
    __syncthreads();
  }
  c[width_b * TILE * by + TILE * bx + width_b * ty + tx] = sum;
}

// Any sizes; each thread four neighbours of a row.
__global__ void __launch_bounds__(64, 2)
    multiply_ragged(float *c, const float *a, const float *b, int m, int n, int k) {
  const int row = blockIdx.y * blockDim.y + threadIdx.y, column = 4 * (blockIdx.x * blockDim.x + threadIdx.x);
  float sum[4] = {};
  if (row >= m)
    return;
  for (int i = 0; i < k; i++) {
    const float x = a[row * k + i];
    for (int j = 0; j < 4; j++)
      if (column + j < n)
        sum[j] = fmaf(x, b[i * n + column + j], sum[j]);
  }
  for (int j = 0; j < 4 && column + j < n; j++)
    c[row * n + column + j] = sum[j];
}

static std::vector<float> product(const std::vector<float> &a, const std::vector<float> &b, int m, int n,
                                  int k) {
  std::vector<float> c(m * n);
  for (int i = 0; i < m; i++)
    for (int j = 0; j < n; j++) {
      double sum = 0;
      for (int l = 0; l < k; l++)
        sum += (double)a[i * k + l] * b[l * n + j];
      c[i * n + j] = (float)sum;
    }
  return c;
}

template <typename Launch> void check(const char *what, int m, int n, int k, Launch launch) {
  std::vector<float> a(m * k), b(k * n), c(m * n);
  unsigned state = 7;
  for (float &x : a)
    x = noise(state) / 16777216.f - .5f;
  for (float &x : b)
    x = noise(state) / 16777216.f - .5f;
  float *d_a = device_array(a.size(), a.data()), *d_b = device_array(b.size(), b.data()),
        *d_c = device_array<float>(c.size());
  launch(d_c, d_a, d_b);
  CHECK(cudaGetLastError());
  fetch(c.data(), d_c, c.size());
  expect_close(what, c.data(), product(a, b, m, n, k).data(), c.size(), 1e-5 * k);
  CHECK(cudaFree(d_a));
  CHECK(cudaFree(d_b));
  CHECK(cudaFree(d_c));
}

int main() {
  check("tiles of 16", 64, 96, 128, [](float *c, const float *a, const float *b) {
    multiply<16><<<dim3(96 / 16, 64 / 16), dim3(16, 16)>>>(c, a, b, 128, 96);
  });
  check("tiles of 32", 64, 96, 128, [](float *c, const float *a, const float *b) {
    multiply<32><<<dim3(96 / 32, 64 / 32), dim3(32, 32)>>>(c, a, b, 128, 96);
  });
  check("ragged", 37, 53, 41, [](float *c, const float *a, const float *b) {
    multiply_ragged<<<dim3((53 + 31) / 32, (37 + 7) / 8), dim3(8, 8)>>>(c, a, b, 37, 53, 41);
  });
  return passed("matrix_multiply");
}
