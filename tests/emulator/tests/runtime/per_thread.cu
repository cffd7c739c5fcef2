// Built with --default-stream per-thread: each thread's default stream is its own.
#include "check.h"

#include <thread>

__global__ void fill(int *to, int n, int value) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n)
    to[i] = value;
}

enum { N = 300 };

static void work(int value) {
  int *device, *host;
  OK(cudaMalloc(&device, N * 4));
  OK(cudaMallocHost(&host, N * 4));
  for (int round = 0; round < 10; round++) {
    fill<<<3, 128>>>(device, N, value + round);
    OK(cudaMemcpyAsync(host, device, N * 4, cudaMemcpyDeviceToHost));
    CHECK(host[0] == -1);
    OK(cudaStreamSynchronize(0));
    CHECK_EQUAL(host[N - 1], value + round);
    OK(cudaMemset(device, 0, N * 4));
    OK(cudaMemcpy(host, device, 8, cudaMemcpyDeviceToHost));
    CHECK_EQUAL(host[1], 0);
  }
  OK(cudaFree(device));
  OK(cudaFreeHost(host));
}

int main() {
  unsigned long long mine, legacy;
  OK(cudaStreamGetId(0, &mine));
  OK(cudaStreamGetId(cudaStreamLegacy, &legacy));
  CHECK(mine != legacy);
  std::thread one(work, 1000), two(work, 2000);
  work(3000);
  one.join();
  two.join();
  return finish();
}
