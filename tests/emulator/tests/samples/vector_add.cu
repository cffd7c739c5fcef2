// Vector addition: grid sizes that do not divide, grid-stride loops, events, vector types, zero-copy host
// memory.
#include "check.h"

#include <vector>

__global__ void add(const float *a, const float *b, float *c, int n) {
  const int i = blockDim.x * blockIdx.x + threadIdx.x;
  if (i < n)
    c[i] = a[i] + b[i];
}

__global__ void add_strided(const double *a, const double *b, double *c, size_t n) {
  for (size_t i = blockIdx.x * (size_t)blockDim.x + threadIdx.x; i < n; i += (size_t)gridDim.x * blockDim.x)
    c[i] = a[i] + b[i];
}

__global__ void add_four(const float4 *__restrict__ a, const float4 *__restrict__ b, float4 *c, int n) {
  const int i = blockDim.x * blockIdx.x + threadIdx.x;
  if (i >= n)
    return;
  const float4 x = a[i], y = __ldg(b + i);
  c[i] = make_float4(x.x + y.x, x.y + y.y, x.z + y.z, x.w + y.w);
}

int main() {
  const int n = 50007, blocks = (n + 255) / 256;
  std::vector<float> a(n + 1), b(n + 1), c(n + 1), want(n + 1);
  std::vector<double> x(n), y(n), z(n), sum(n);
  unsigned state = 1;
  for (int i = 0; i < n; i++) {
    a[i] = noise(state) / 1000.f;
    b[i] = noise(state) / 3.f;
    want[i] = a[i] + b[i];
    x[i] = noise(state) / 7.0;
    y[i] = -(double)noise(state);
    sum[i] = x[i] + y[i];
  }
  float *d_a = device_array(n + 1, a.data()), *d_b = device_array(n + 1, b.data()),
        *d_c = device_array<float>(n + 1);
  cudaEvent_t start, stop;
  CHECK(cudaEventCreate(&start));
  CHECK(cudaEventCreate(&stop));
  CHECK(cudaEventRecord(start));
  add<<<blocks, 256>>>(d_a, d_b, d_c, n);
  CHECK(cudaGetLastError());
  CHECK(cudaEventRecord(stop));
  CHECK(cudaEventSynchronize(stop));
  float milliseconds = -1;
  CHECK(cudaEventElapsedTime(&milliseconds, start, stop));
  EXPECT(milliseconds >= 0);
  fetch(c.data(), d_c, n);
  expect_close("add", c.data(), want.data(), n, 0);

  CHECK(cudaMemset(d_c, 0xff, n * sizeof(float)));
  add_four<<<(n / 4 + 127) / 128, 128>>>((float4 *)d_a, (float4 *)d_b, (float4 *)d_c, n / 4);
  fetch(c.data(), d_c, n / 4 * 4);
  expect_close("add_four", c.data(), want.data(), n / 4 * 4, 0);

  double *d_x = device_array(n, x.data()), *d_y = device_array(n, y.data()), *d_z = device_array<double>(n);
  add_strided<<<7, 96>>>(d_x, d_y, d_z, n);
  fetch(z.data(), d_z, n);
  expect_close("add_strided", z.data(), sum.data(), n, 0);

  float *h_a, *h_b, *h_c, *m_a, *m_b, *m_c; // mapped host memory, used in place
  CHECK(cudaHostAlloc(&h_a, n * sizeof(float), cudaHostAllocMapped));
  CHECK(cudaHostAlloc(&h_b, n * sizeof(float), cudaHostAllocMapped));
  CHECK(cudaHostAlloc(&h_c, n * sizeof(float), cudaHostAllocMapped));
  for (int i = 0; i < n; i++) {
    h_a[i] = a[i];
    h_b[i] = b[i];
  }
  CHECK(cudaHostGetDevicePointer(&m_a, h_a, 0));
  CHECK(cudaHostGetDevicePointer(&m_b, h_b, 0));
  CHECK(cudaHostGetDevicePointer(&m_c, h_c, 0));
  add<<<blocks, 256>>>(m_a, m_b, m_c, n);
  CHECK(cudaDeviceSynchronize());
  expect_close("zero copy", h_c, want.data(), n, 0);
  CHECK(cudaFreeHost(h_a));
  CHECK(cudaFreeHost(h_b));
  CHECK(cudaFreeHost(h_c));
  CHECK(cudaFree(d_a));
  CHECK(cudaFree(d_b));
  CHECK(cudaFree(d_c));
  CHECK(cudaFree(d_x));
  CHECK(cudaFree(d_y));
  CHECK(cudaFree(d_z));
  CHECK(cudaEventDestroy(start));
  CHECK(cudaEventDestroy(stop));
  return passed("vector_add");
}
