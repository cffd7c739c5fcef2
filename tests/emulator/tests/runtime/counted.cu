// A small run whose counts are known; counters_test.sh reads what was written of it.
#include "check.h"

#include <cublas_v2.h>

__global__ void twice(float *values) {
  __shared__ float cells[64];
  cells[threadIdx.x] = values[blockIdx.x * 64 + threadIdx.x];
  __syncthreads();
  values[blockIdx.x * 64 + threadIdx.x] = 2 * cells[63 - threadIdx.x];
}

int main() {
  float *device, host[256] = {0}, two = 2;
  cublasHandle_t handle;
  OK(cudaMalloc(&device, sizeof host));
  OK(cudaMemcpy(device, host, sizeof host, cudaMemcpyHostToDevice));
  for (int i = 0; i < 3; i++)
    twice<<<4, 64>>>(device);
  CHECK_EQUAL(cublasCreate(&handle), CUBLAS_STATUS_SUCCESS);
  CHECK_EQUAL(cublasSscal(handle, 256, &two, device, 1), CUBLAS_STATUS_SUCCESS);
  CHECK_EQUAL(cublasDestroy(handle), CUBLAS_STATUS_SUCCESS);
  OK(cudaMemset(device + 128, 0, 64));
  OK(cudaMemcpy(host, device, sizeof host, cudaMemcpyDeviceToHost));
  OK(cudaFree(device));
  return finish();
}
