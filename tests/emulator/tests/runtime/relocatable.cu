// Built with -rdc=true: the program's own container has machine code at most, its PTX is in what was linked.
#include "check.h"

__device__ int offset = 30;
__constant__ int table[2] = {4, 5};
__managed__ int both = 1;

__device__ __noinline__ int of(int i) {
  return table[i & 1] + offset;
}

__global__ void store(int *to) {
  to[threadIdx.x] = of(threadIdx.x) + both;
}

int main() {
  int *device, host[2], more = 50;
  OK(cudaMalloc(&device, sizeof host));
  store<<<1, 2>>>(device);
  OK(cudaMemcpy(host, device, sizeof host, cudaMemcpyDeviceToHost));
  CHECK(host[0] == 35 && host[1] == 36);
  OK(cudaMemcpyToSymbol(offset, &more, sizeof more));
  both = 2;
  store<<<1, 2>>>(device);
  OK(cudaMemcpy(host, device, sizeof host, cudaMemcpyDeviceToHost));
  CHECK(host[0] == 56 && host[1] == 57);
  OK(cudaFree(device));
  return finish();
}
