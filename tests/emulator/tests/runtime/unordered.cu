// Work on two streams that share memory, in order and with one order left out; the argument says which.
// What is left out must be found whatever the seed; what is there must pass.
#include "check.h"

#include <string.h>

__global__ void fill(int *to, int n, int value) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n)
    to[i] = value;
}

__global__ void add(int *to, const int *from, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n)
    to[i] += from[i];
}

enum { N = 256, BYTES = N * 4 };
#define GRID 2, 128

int main(int argc, char **argv) {
  const char *what = argc > 1 ? argv[1] : "";
  int *a, *b, *host;
  cudaStream_t one, two;
  cudaEvent_t event;
  OK(cudaMalloc(&a, BYTES));
  OK(cudaMalloc(&b, BYTES));
  OK(cudaMallocHost(&host, BYTES));
  OK(cudaStreamCreateWithFlags(&one, cudaStreamNonBlocking));
  OK(cudaStreamCreateWithFlags(&two, cudaStreamNonBlocking));
  OK(cudaEventCreate(&event));
  memset(host, 0, BYTES);
  fill<<<GRID, 0, two>>>(b, N, 1);
  if (!strcmp(what, "launches")) { // a launch reads what another, unordered, writes
    fill<<<GRID, 0, one>>>(a, N, 2);
    add<<<GRID, 0, two>>>(b, a, N);
  } else if (!strcmp(what, "copy")) { // a copy reads what a launch writes
    fill<<<GRID, 0, one>>>(a, N, 2);
    OK(cudaMemcpyAsync(host, a, BYTES, cudaMemcpyDeviceToHost, two));
  } else if (!strcmp(what, "set")) { // a set and a launch write the same
    fill<<<GRID, 0, one>>>(a, N, 2);
    OK(cudaMemsetAsync(a, 0, BYTES, two));
  } else if (!strcmp(what, "old_event")) { // the event was recorded too early
    OK(cudaEventRecord(event, one));
    fill<<<GRID, 0, one>>>(a, N, 2);
    OK(cudaStreamWaitEvent(two, event, 0));
    add<<<GRID, 0, two>>>(b, a, N);
  } else if (!strcmp(what, "non_blocking")) { // the legacy stream does not wait for non-blocking streams
    fill<<<GRID, 0, one>>>(a, N, 2);
    OK(cudaMemcpy(host, a, BYTES, cudaMemcpyDeviceToHost));
  } else if (!strcmp(what, "graph")) { // two branches of a graph
    cudaGraph_t graph;
    cudaGraphExec_t exec;
    OK(cudaStreamBeginCapture(one, cudaStreamCaptureModeGlobal));
    OK(cudaEventRecord(event, one));
    OK(cudaStreamWaitEvent(two, event, 0));
    fill<<<GRID, 0, one>>>(a, N, 1);
    fill<<<GRID, 0, two>>>(a, N, 2);
    OK(cudaEventRecord(event, two));
    OK(cudaStreamWaitEvent(one, event, 0));
    OK(cudaStreamEndCapture(one, &graph));
    OK(cudaGraphInstantiate(&exec, graph, 0));
    OK(cudaGraphLaunch(exec, one));
    OK(cudaStreamSynchronize(one));
  } else { // all in order: by event, by waiting on the host, and reads beside reads
    fill<<<GRID, 0, one>>>(a, N, 2);
    OK(cudaEventRecord(event, one));
    OK(cudaStreamWaitEvent(two, event, 0));
    add<<<GRID, 0, two>>>(b, a, N);
    OK(cudaMemcpyAsync(host, a, BYTES, cudaMemcpyDeviceToHost, one));
    OK(cudaStreamSynchronize(two));
    OK(cudaStreamSynchronize(one));
    fill<<<GRID, 0, one>>>(a, N, 5);
  }
  cudaError_t status = cudaDeviceSynchronize();
  if (*what) {
    printf("%s\n", cudaGetErrorName(status));
    return status != cudaErrorLaunchFailure;
  }
  OK(status);
  OK(cudaMemcpy(host, b, BYTES, cudaMemcpyDeviceToHost));
  CHECK_EQUAL(host[N - 1], 3);
  OK(cudaEventDestroy(event));
  OK(cudaStreamDestroy(one));
  OK(cudaStreamDestroy(two));
  OK(cudaFree(a));
  OK(cudaFree(b));
  OK(cudaFreeHost(host));
  return finish();
}
