// Leaves behind one of everything; what it says at its end is the test.
#include "check.h"

#include <cublas_v2.h>

__global__ void nothing() {
}

int main() {
  void *memory, *pinned;
  cudaStream_t stream;
  cudaEvent_t event;
  cudaGraph_t graph;
  cudaGraphExec_t exec;
  cublasHandle_t handle;
  OK(cudaMalloc(&memory, 12345));
  OK(cudaMallocHost(&pinned, 777));
  OK(cudaStreamCreate(&stream));
  OK(cudaEventCreate(&event));
  OK(cudaGraphCreate(&graph, 0));
  OK(cudaGraphInstantiate(&exec, graph, 0));
  CHECK_EQUAL(cublasCreate(&handle), CUBLAS_STATUS_SUCCESS);
  nothing<<<1, 1, 0, stream>>>();
  return finish();
}
