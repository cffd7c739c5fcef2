// Streams: copies and kernels in parts, events across streams, priorities, callbacks, stream-ordered memory;
// graphs: captured, built by hand, updated; occupancy and device queries.
#include "check.h"

#include <vector>

__global__ void increment(int *data, int value, int n) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n)
    data[i] += value;
}

__global__ void scale(int *data, int factor, int n) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n)
    data[i] *= factor;
}

__global__ void sum_all(const int *data, int *out, int n) {
  __shared__ int total;
  if (threadIdx.x == 0)
    total = 0;
  __syncthreads();
  for (int i = threadIdx.x; i < n; i += blockDim.x)
    atomicAdd(&total, data[i]);
  __syncthreads();
  if (threadIdx.x == 0)
    *out = total;
}

static void CUDART_CB count_up(void *counter) {
  ++*(int *)counter;
}

static void CUDART_CB stream_done(cudaStream_t, cudaError_t status, void *counter) {
  if (status == cudaSuccess)
    ++*(int *)counter;
}

static void check_streams() {
  enum { STREAMS = 4, PART = 3000, N = STREAMS * PART };
  int *host, *d, called = 0;
  CHECK(cudaMallocHost(&host, N * sizeof(int)));
  CHECK(cudaMalloc(&d, N * sizeof(int)));
  for (int i = 0; i < N; i++)
    host[i] = i;
  cudaStream_t streams[STREAMS];
  cudaEvent_t done[STREAMS];
  int least, greatest;
  CHECK(cudaDeviceGetStreamPriorityRange(&least, &greatest));
  for (int i = 0; i < STREAMS; i++) {
    CHECK(cudaStreamCreateWithPriority(&streams[i], cudaStreamNonBlocking, i % 2 ? least : greatest));
    CHECK(cudaEventCreateWithFlags(&done[i], cudaEventDisableTiming));
  }
  for (int i = 0; i < STREAMS; i++) {
    CHECK(cudaMemcpyAsync(d + i * PART, host + i * PART, PART * sizeof(int), cudaMemcpyHostToDevice,
                          streams[i]));
    increment<<<(PART + 255) / 256, 256, 0, streams[i]>>>(d + i * PART, i, PART);
    CHECK(cudaLaunchHostFunc(streams[i], count_up, &called));
    CHECK(cudaStreamAddCallback(streams[i], stream_done, &called, 0));
    CHECK(cudaEventRecord(done[i], streams[i]));
  }
  for (int i = 1; i < STREAMS; i++) // stream 0 goes on when all are done
    CHECK(cudaStreamWaitEvent(streams[0], done[i], 0));
  scale<<<(N + 255) / 256, 256, 0, streams[0]>>>(d, 3, N);
  CHECK(cudaMemcpyAsync(host, d, N * sizeof(int), cudaMemcpyDeviceToHost, streams[0]));
  while (cudaStreamQuery(streams[0]) == cudaErrorNotReady) {
  }
  CHECK(cudaStreamSynchronize(streams[0]));
  for (int i = 0; i < N; i++)
    EXPECT(host[i] == 3 * (i + i / PART));
  EXPECT(called == 2 * STREAMS);
  for (int i = 0; i < STREAMS; i++) {
    CHECK(cudaStreamDestroy(streams[i]));
    CHECK(cudaEventDestroy(done[i]));
  }
  CHECK(cudaFreeHost(host));
  CHECK(cudaFree(d));
}

static void check_capture() {
  const int n = 500;
  std::vector<int> host(n, 1), back(n);
  int *d = device_array<int>(n), *d_sum = device_array<int>(1), sum = 0;
  cudaStream_t stream, other;
  cudaEvent_t fork, join;
  CHECK(cudaStreamCreate(&stream));
  CHECK(cudaStreamCreate(&other));
  CHECK(cudaEventCreate(&fork));
  CHECK(cudaEventCreate(&join));
  CHECK(cudaStreamBeginCapture(stream, cudaStreamCaptureModeGlobal));
  CHECK(cudaMemcpyAsync(d, host.data(), n * sizeof(int), cudaMemcpyHostToDevice, stream));
  increment<<<2, 256, 0, stream>>>(d, 4, n);
  CHECK(cudaEventRecord(fork, stream));
  CHECK(cudaStreamWaitEvent(other, fork, 0));
  sum_all<<<1, 64, 0, other>>>(d, d_sum, n);
  CHECK(cudaMemcpyAsync(&sum, d_sum, sizeof sum, cudaMemcpyDeviceToHost, other));
  CHECK(cudaEventRecord(join, other));
  CHECK(cudaMemcpyAsync(back.data(), d, n * sizeof(int), cudaMemcpyDeviceToHost, stream));
  CHECK(cudaStreamWaitEvent(stream, join, 0));
  cudaGraph_t graph;
  CHECK(cudaStreamEndCapture(stream, &graph));
  size_t nodes = 0;
  CHECK(cudaGraphGetNodes(graph, nullptr, &nodes));
  EXPECT(nodes == 5);
  cudaGraphExec_t executable;
  CHECK(cudaGraphInstantiate(&executable, graph, 0));
  for (int round = 0; round < 3; round++) {
    sum = 0;
    CHECK(cudaGraphLaunch(executable, stream));
    CHECK(cudaStreamSynchronize(stream));
    EXPECT(sum == 5 * n && back[n - 1] == 5);
    host.assign(n, 1);
  }
  CHECK(cudaGraphExecDestroy(executable));
  CHECK(cudaGraphDestroy(graph));
  CHECK(cudaStreamDestroy(stream));
  CHECK(cudaStreamDestroy(other));
  CHECK(cudaEventDestroy(fork));
  CHECK(cudaEventDestroy(join));
  CHECK(cudaFree(d));
  CHECK(cudaFree(d_sum));
}

static void check_graph_by_hand() {
  const int n = 256;
  int *d = device_array<int>(n), value = 7, count = n, factor = 2, host[n], called = 0;
  cudaGraph_t graph;
  CHECK(cudaGraphCreate(&graph, 0));
  cudaGraphNode_t set, add, multiply, copy, call;
  cudaMemsetParams zero = {};
  zero.dst = d;
  zero.elementSize = 4;
  zero.width = n;
  zero.height = 1;
  CHECK(cudaGraphAddMemsetNode(&set, graph, nullptr, 0, &zero));
  void *add_arguments[] = {&d, &value, &count}, *multiply_arguments[] = {&d, &factor, &count};
  cudaKernelNodeParams kernel = {};
  kernel.func = (void *)increment;
  kernel.gridDim = dim3(1);
  kernel.blockDim = dim3(n);
  kernel.kernelParams = add_arguments;
  CHECK(cudaGraphAddKernelNode(&add, graph, &set, 1, &kernel));
  kernel.func = (void *)scale;
  kernel.kernelParams = multiply_arguments;
  CHECK(cudaGraphAddKernelNode(&multiply, graph, &add, 1, &kernel));
  CHECK(cudaGraphAddMemcpyNode1D(&copy, graph, &multiply, 1, host, d, sizeof host, cudaMemcpyDeviceToHost));
  cudaHostNodeParams function = {count_up, &called};
  CHECK(cudaGraphAddHostNode(&call, graph, &copy, 1, &function));
  cudaGraphExec_t executable;
  CHECK(cudaGraphInstantiate(&executable, graph, 0));
  CHECK(cudaGraphLaunch(executable, 0));
  CHECK(cudaDeviceSynchronize());
  EXPECT(host[0] == 14 && host[n - 1] == 14 && called == 1);
  factor = 5; // new arguments without instantiating again
  CHECK(cudaGraphExecKernelNodeSetParams(executable, multiply, &kernel));
  CHECK(cudaGraphLaunch(executable, 0));
  CHECK(cudaDeviceSynchronize());
  EXPECT(host[0] == 35 && called == 2);
  CHECK(cudaGraphExecDestroy(executable));
  CHECK(cudaGraphDestroy(graph));
  CHECK(cudaFree(d));
}

int main() {
  cudaDeviceProp properties;
  int device, blocks, grid, block;
  CHECK(cudaGetDevice(&device));
  CHECK(cudaGetDeviceProperties(&properties, device));
  EXPECT(properties.warpSize == 32 && properties.maxThreadsPerBlock == 1024 &&
         properties.multiProcessorCount > 0);
  CHECK(cudaOccupancyMaxActiveBlocksPerMultiprocessor(&blocks, increment, 256, 0));
  CHECK(cudaOccupancyMaxPotentialBlockSize(&grid, &block, increment, 0, 0));
  EXPECT(blocks > 0 && block > 0 && block % 32 == 0);
  check_streams();
  check_capture();
  check_graph_by_hand();
  cudaStream_t stream; // memory that belongs to a stream
  CHECK(cudaStreamCreate(&stream));
  int *d, result[64];
  CHECK(cudaMallocAsync(&d, sizeof result, stream));
  CHECK(cudaMemsetAsync(d, 0, sizeof result, stream));
  increment<<<1, 64, 0, stream>>>(d, 11, 64);
  CHECK(cudaMemcpyAsync(result, d, sizeof result, cudaMemcpyDeviceToHost, stream));
  CHECK(cudaFreeAsync(d, stream));
  CHECK(cudaStreamSynchronize(stream));
  EXPECT(result[63] == 11);
  CHECK(cudaStreamDestroy(stream));
  return passed("streams_graphs");
}
