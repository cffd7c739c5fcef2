// Graphs: captured and built by hand, launched, updated, cloned, taken apart; and captures that go wrong.
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

static int *a, *b, *host;
static cudaStream_t one, two;
static cudaEvent_t fork_event, join_event;

static void count_up(void *data) {
  ++*(int *)data;
}

static void a_forked_capture_runs_as_often_as_it_is_launched() {
  cudaGraph_t graph;
  cudaGraphExec_t exec;
  int calls = 0;
  cudaStreamCaptureStatus status;
  OK(cudaStreamBeginCapture(one, cudaStreamCaptureModeGlobal));
  OK(cudaStreamIsCapturing(one, &status));
  CHECK_EQUAL(status, cudaStreamCaptureStatusActive);
  fill<<<GRID, 0, one>>>(a, N, 5);
  OK(cudaEventRecord(fork_event, one));
  OK(cudaStreamWaitEvent(two, fork_event, 0));
  fill<<<GRID, 0, two>>>(b, N, 7);
  OK(cudaLaunchHostFunc(one, count_up, &calls));
  OK(cudaEventRecord(join_event, two));
  OK(cudaStreamWaitEvent(one, join_event, 0));
  add<<<GRID, 0, one>>>(b, a, N);
  OK(cudaMemcpyAsync(host, b, BYTES, cudaMemcpyDeviceToHost, one));
  OK(cudaStreamEndCapture(one, &graph));
  OK(cudaStreamIsCapturing(two, &status));
  CHECK_EQUAL(status, cudaStreamCaptureStatusNone);
  size_t nodes, edges, roots;
  OK(cudaGraphGetNodes(graph, NULL, &nodes));
  OK(cudaGraphGetEdges(graph, NULL, NULL, NULL, &edges));
  OK(cudaGraphGetRootNodes(graph, NULL, &roots));
  CHECK(nodes == 5 && edges == 5 && roots == 1);
  OK(cudaGraphInstantiate(&exec, graph, 0));
  memset(host, 0, BYTES);
  for (int i = 0; i < 3; i++)
    OK(cudaGraphLaunch(exec, one));
  CHECK(host[0] != 12); // nothing has run, or nothing of it is to be seen
  OK(cudaStreamSynchronize(one));
  CHECK_EQUAL(host[N - 1], 12);
  CHECK_EQUAL(calls, 3);
  OK(cudaGraphExecDestroy(exec));
  OK(cudaGraphDestroy(graph));
}

static cudaKernelNodeParams fill_node(void **arguments) {
  cudaKernelNodeParams p = {};
  p.func = (void *)fill;
  p.gridDim = dim3(2);
  p.blockDim = dim3(128);
  p.kernelParams = arguments;
  return p;
}

static void a_graph_by_hand_can_be_changed() {
  cudaGraph_t graph, clone;
  cudaGraphExec_t exec;
  cudaGraphNode_t set, kernel, copy, call, empty, found;
  int n = N, value = 3, calls = 0;
  void *arguments[] = {&a, &n, &value};
  cudaMemsetParams zero = {};
  zero.dst = b;
  zero.value = 0x01010101;
  zero.elementSize = 4;
  zero.width = N;
  zero.height = 1;
  cudaKernelNodeParams p = fill_node(arguments);
  cudaHostNodeParams h = {count_up, &calls};
  OK(cudaGraphCreate(&graph, 0));
  OK(cudaGraphAddMemsetNode(&set, graph, NULL, 0, &zero));
  OK(cudaGraphAddKernelNode(&kernel, graph, &set, 1, &p));
  OK(cudaGraphAddMemcpyNode1D(&copy, graph, &kernel, 1, host, a, BYTES, cudaMemcpyDeviceToHost));
  OK(cudaGraphAddHostNode(&call, graph, &copy, 1, &h));
  OK(cudaGraphAddEmptyNode(&empty, graph, NULL, 0));
  OK(cudaGraphAddDependencies(graph, &empty, &call, NULL, 1));
  CODE(cudaGraphAddDependencies(graph, &empty, &call, NULL, 1), cudaErrorInvalidValue);
  value = 4; // the node has its own copy
  OK(cudaGraphInstantiate(&exec, graph, 0));
  OK(cudaGraphLaunch(exec, one));
  OK(cudaStreamSynchronize(one));
  CHECK(host[9] == 3 && calls == 1);

  cudaKernelNodeParams seen;
  OK(cudaGraphKernelNodeGetParams(kernel, &seen));
  CHECK(seen.func == (void *)fill && seen.gridDim.x == 2 && *(int *)seen.kernelParams[2] == 3);
  OK(cudaGraphExecKernelNodeSetParams(exec, kernel, &p));
  OK(cudaGraphLaunch(exec, one));
  OK(cudaStreamSynchronize(one));
  CHECK_EQUAL(host[9], 4);
  OK(cudaGraphExecMemcpyNodeSetParams1D(exec, copy, host, b, BYTES, cudaMemcpyDeviceToHost));
  CODE(cudaGraphExecMemcpyNodeSetParams1D(exec, copy, b, a, BYTES, cudaMemcpyDeviceToDevice),
       cudaErrorInvalidValue);
  OK(cudaGraphLaunch(exec, one));
  OK(cudaStreamSynchronize(one));
  CHECK_EQUAL(host[9], 0x01010101);

  value = 50;
  OK(cudaGraphKernelNodeSetParams(kernel, &p));
  cudaGraphExecUpdateResultInfo info;
  OK(cudaGraphExecUpdate(exec, graph, &info));
  CHECK_EQUAL(info.result, cudaGraphExecUpdateSuccess);
  OK(cudaGraphNodeSetEnabled(exec, set, 0));
  OK(cudaGraphLaunch(exec, one));
  OK(cudaStreamSynchronize(one));
  CHECK_EQUAL(host[9], 50);

  OK(cudaGraphClone(&clone, graph));
  OK(cudaGraphNodeFindInClone(&found, copy, clone));
  CHECK(found != copy);
  cudaGraphNodeType type;
  OK(cudaGraphNodeGetType(found, &type));
  CHECK_EQUAL(type, cudaGraphNodeTypeMemcpy);
  OK(cudaGraphDestroyNode(found));
  size_t count;
  OK(cudaGraphGetNodes(clone, NULL, &count));
  CHECK_EQUAL(count, 4);
  CODE(cudaGraphExecUpdate(exec, clone, &info), cudaErrorGraphExecUpdateFailure);
  CHECK_EQUAL(info.result, cudaGraphExecUpdateErrorTopologyChanged);
  cudaGraphNode_t before[2] = {};
  size_t room = 2;
  OK(cudaGraphNodeGetDependencies(call, before, NULL, &room));
  CHECK(room == 2 && before[0] == copy && before[1] == empty);
  OK(cudaGraphRemoveDependencies(graph, &empty, &call, NULL, 1));
  OK(cudaGraphDestroy(clone));
  OK(cudaGraphDestroy(graph));
  OK(cudaGraphLaunch(exec, one)); // it lives on without the graph that it was made from
  OK(cudaStreamSynchronize(one));
  CHECK_EQUAL(calls, 5);
  OK(cudaGraphExecDestroy(exec));
  CODE(cudaGraphLaunch(exec, one), cudaErrorInvalidValue);
  cudaGetLastError();
}

static void child_graphs_and_memory_nodes_run() {
  cudaGraph_t graph, inner;
  cudaGraphExec_t exec;
  cudaGraphNode_t allocate, child, kernel, copy, release;
  int n = N, value = 8;
  cudaMemAllocNodeParams memory = {};
  memory.poolProps.allocType = cudaMemAllocationTypePinned;
  memory.poolProps.location.type = cudaMemLocationTypeDevice;
  memory.bytesize = BYTES;
  OK(cudaGraphCreate(&graph, 0));
  OK(cudaGraphAddMemAllocNode(&allocate, graph, NULL, 0, &memory));
  CHECK(memory.dptr != NULL);
  void *arguments[] = {&memory.dptr, &n, &value};
  cudaKernelNodeParams p = fill_node(arguments);
  OK(cudaGraphCreate(&inner, 0));
  OK(cudaGraphAddKernelNode(&kernel, inner, NULL, 0, &p));
  OK(cudaGraphAddChildGraphNode(&child, graph, &allocate, 1, inner));
  OK(cudaGraphDestroy(inner));
  OK(cudaGraphAddMemcpyNode1D(&copy, graph, &child, 1, host, memory.dptr, BYTES, cudaMemcpyDeviceToHost));
  OK(cudaGraphAddMemFreeNode(&release, graph, &copy, 1, memory.dptr));
  OK(cudaGraphInstantiate(&exec, graph, 0));
  for (int i = 0; i < 2; i++) {
    host[3] = 0;
    OK(cudaGraphLaunch(exec, one));
    OK(cudaStreamSynchronize(one));
    CHECK_EQUAL(host[3], 8);
  }
  unsigned long long used;
  OK(cudaDeviceGetGraphMemAttribute(0, cudaGraphMemAttrUsedMemCurrent, &used));
  CHECK_EQUAL(used, BYTES);
  OK(cudaDeviceGraphMemTrim(0));
  cudaGraph_t whole = NULL; // an instantiated graph is no part of a captured one
  OK(cudaStreamBeginCapture(two, cudaStreamCaptureModeRelaxed));
  CODE(cudaGraphLaunch(exec, two), cudaErrorStreamCaptureUnsupported);
  CODE(cudaStreamEndCapture(two, &whole), cudaErrorStreamCaptureInvalidated);
  CHECK(whole == NULL);
  cudaGetLastError();
  OK(cudaGraphExecDestroy(exec));
  OK(cudaGraphDestroy(graph));
}

// A stream that was forked from the captured one may be destroyed while the capture goes on; only the join
// counts.
static void a_branch_may_go_before_the_capture_ends() {
  for (bool joins : {true, false}) {
    cudaGraph_t graph = NULL;
    cudaStream_t branch;
    OK(cudaStreamCreate(&branch));
    OK(cudaStreamBeginCapture(one, cudaStreamCaptureModeGlobal));
    OK(cudaEventRecord(fork_event, one));
    OK(cudaStreamWaitEvent(branch, fork_event, 0));
    fill<<<GRID, 0, branch>>>(b, N, 9);
    OK(cudaEventRecord(join_event, branch));
    if (joins)
      OK(cudaStreamWaitEvent(one, join_event, 0));
    OK(cudaStreamDestroy(branch));
    CODE(cudaStreamEndCapture(one, &graph), joins ? cudaSuccess : cudaErrorStreamCaptureUnjoined);
    if (graph)
      OK(cudaGraphDestroy(graph));
  }
  cudaGetLastError();
}

static void wrong_captures_are_refused() {
  cudaGraph_t graph = NULL;
  void *p;
  CODE(cudaStreamBeginCapture(0, cudaStreamCaptureModeGlobal), cudaErrorStreamCaptureUnsupported);
  CODE(cudaStreamEndCapture(one, &graph), cudaErrorIllegalState);
  OK(cudaStreamBeginCapture(one, cudaStreamCaptureModeGlobal));
  CODE(cudaStreamBeginCapture(one, cudaStreamCaptureModeGlobal), cudaErrorIllegalState);
  CODE(cudaMalloc(&p, 4), cudaErrorStreamCaptureUnsupported);
  CODE(cudaMemcpyAsync(a, host, 4, cudaMemcpyHostToDevice, one), cudaErrorStreamCaptureInvalidated);
  CODE(cudaStreamEndCapture(one, &graph), cudaErrorStreamCaptureInvalidated);
  CHECK(graph == NULL);
  OK(cudaStreamBeginCapture(one, cudaStreamCaptureModeRelaxed));
  OK(cudaMalloc(&p, 4));
  OK(cudaFree(p));
  CODE(cudaStreamSynchronize(one), cudaErrorStreamCaptureUnsupported);
  CODE(cudaStreamEndCapture(one, &graph), cudaErrorStreamCaptureInvalidated);
  OK(cudaStreamBeginCapture(one, cudaStreamCaptureModeRelaxed));
  CODE(cudaMemcpy(host, a, 4, cudaMemcpyDeviceToHost), cudaErrorStreamCaptureImplicit);
  CODE(cudaStreamEndCapture(one, &graph), cudaErrorStreamCaptureInvalidated);
  OK(cudaStreamBeginCapture(one, cudaStreamCaptureModeGlobal)); // a branch that never comes back
  OK(cudaEventRecord(fork_event, one));
  OK(cudaStreamWaitEvent(two, fork_event, 0));
  fill<<<GRID, 0, two>>>(b, N, 7);
  CODE(cudaStreamEndCapture(two, &graph), cudaErrorStreamCaptureUnmatched);
  CODE(cudaStreamEndCapture(one, &graph), cudaErrorStreamCaptureInvalidated);
  OK(cudaStreamBeginCapture(one, cudaStreamCaptureModeGlobal));
  OK(cudaEventRecord(fork_event, one));
  OK(cudaStreamWaitEvent(two, fork_event, 0));
  fill<<<GRID, 0, two>>>(b, N, 7);
  CODE(cudaStreamEndCapture(one, &graph), cudaErrorStreamCaptureUnjoined);
  OK(cudaEventRecord(join_event, two));
  OK(cudaStreamBeginCapture(one, cudaStreamCaptureModeGlobal)); // an event from outside
  CODE(cudaStreamWaitEvent(one, join_event, 0), cudaErrorStreamCaptureIsolation);
  CODE(cudaStreamEndCapture(one, &graph), cudaErrorStreamCaptureInvalidated);
  OK(cudaDeviceSynchronize());
  cudaGetLastError();
}

static void wrong_graphs_are_refused() {
  cudaGraph_t graph;
  cudaGraphExec_t exec;
  cudaGraphNode_t first, second, bad;
  OK(cudaGraphCreate(&graph, 0));
  CODE(cudaGraphCreate(&graph, 1), cudaErrorInvalidValue);
  OK(cudaGraphAddEmptyNode(&first, graph, NULL, 0));
  OK(cudaGraphAddEmptyNode(&second, graph, &first, 1));
  OK(cudaGraphAddDependencies(graph, &second, &first, NULL, 1));
  CODE(cudaGraphInstantiate(&exec, graph, 0), cudaErrorInvalidValue); // a circle
  CODE(cudaGraphAddMemcpyNode1D(&bad, graph, NULL, 0, a, b, BYTES + 1, cudaMemcpyDeviceToDevice),
       cudaErrorInvalidValue);
  CODE(cudaGraphAddEmptyNode(&bad, graph, NULL, 1), cudaErrorInvalidValue);
  cudaGraphNode_t strange = (cudaGraphNode_t)0x1230;
  CODE(cudaGraphAddEmptyNode(&bad, graph, &strange, 1), cudaErrorInvalidValue);
  CODE(cudaGraphDestroy((cudaGraph_t)first), cudaErrorInvalidValue);
  OK(cudaGraphDestroy(graph));
  CODE(cudaGraphDestroy(graph), cudaErrorInvalidValue);
  cudaGetLastError();
}

int main() {
  OK(cudaMalloc(&a, BYTES));
  OK(cudaMalloc(&b, BYTES));
  OK(cudaMallocHost(&host, BYTES));
  OK(cudaStreamCreate(&one));
  OK(cudaStreamCreate(&two));
  OK(cudaEventCreate(&fork_event));
  OK(cudaEventCreate(&join_event));
  a_forked_capture_runs_as_often_as_it_is_launched();
  a_graph_by_hand_can_be_changed();
  child_graphs_and_memory_nodes_run();
  a_branch_may_go_before_the_capture_ends();
  wrong_captures_are_refused();
  wrong_graphs_are_refused();
  OK(cudaEventDestroy(fork_event));
  OK(cudaEventDestroy(join_event));
  OK(cudaStreamDestroy(one));
  OK(cudaStreamDestroy(two));
  OK(cudaFree(a));
  OK(cudaFree(b));
  OK(cudaFreeHost(host));
  return finish();
}
