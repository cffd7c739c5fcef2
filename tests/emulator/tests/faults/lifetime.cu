// Memory used or freed after it has been freed. Each with a correct twin.
#include "planted.h"

__global__ void store_one(int *to) {
  *to = 1; // fault: write_after_free
}

static int *buffer;

static void write_after_free() {
  int *gone;
  NEED(cudaMalloc(&gone, 4096));
  planted_address(gone + 3);
  NEED(cudaFree(gone));
  store_one<<<1, 1>>>(gone + 3);
  planted_waits();
}

static void write_before_free() {
  int *gone;
  NEED(cudaMalloc(&gone, 4096));
  store_one<<<1, 1>>>(gone + 3);
  NEED(cudaFree(gone));
  planted_waits();
}

static void write_after_a_free_in_the_stream() {
  int *gone;
  cudaStream_t stream;
  NEED(cudaStreamCreate(&stream));
  NEED(cudaMallocAsync(&gone, 4096, stream));
  planted_address(gone);
  NEED(cudaFreeAsync(gone, stream));
  store_one<<<1, 1, 0, stream>>>(gone);
  planted_waits();
}

static void write_before_a_free_in_the_stream() {
  int *gone;
  cudaStream_t stream;
  NEED(cudaStreamCreate(&stream));
  NEED(cudaMallocAsync(&gone, 4096, stream));
  store_one<<<1, 1, 0, stream>>>(gone);
  NEED(cudaFreeAsync(gone, stream));
  planted_waits();
  NEED(cudaStreamDestroy(stream));
}

static void freed_twice() {
  int *gone;
  NEED(cudaMalloc(&gone, 4096));
  planted_address(gone);
  NEED(cudaFree(gone));
  planted_ends(cudaFree(gone));
}

static void freed_once() {
  int *gone;
  NEED(cudaMalloc(&gone, 4096));
  NEED(cudaFree(gone));
  planted_ends(cudaFree(NULL));
}

__global__ void add_up(const int *from, int *to) {
  atomicAdd(to, from[threadIdx.x]);
}

// Runs the case `name`, which is `body`, in programs of their own, under several seeds with the checks on;
// answers success if every one of them ended as it has to: with an error, or with none.
static void under_seeds(const char *name, void (*body)(), bool fails) {
  int wrong = 0;
  if (getenv("PLANTED_UNDER_A_SEED")) {
    body();
    cudaError_t code = cudaDeviceSynchronize();
    _exit(code == cudaErrorLaunchFailure || code == cudaErrorIllegalAddress ? 1
          : code == cudaSuccess                                             ? 0
                                                                            : 2);
  }
  for (int seed = 0; seed < 8; seed++) {
    pid_t child = fork();
    if (child == 0) {
      char text[20];
      snprintf(text, sizeof text, "%d", seed);
      setenv("PLANTED_UNDER_A_SEED", "1", 1);
      setenv("CUSEQ_EMULATOR_SEED", text, 1);
      setenv("CUSEQ_EMULATOR_CHECKS", "on", 1);
      execl("/proc/self/exe", "lifetime", "--run", name, (char *)NULL);
      _exit(127);
    }
    int status = 3;
    waitpid(child, &status, 0);
    wrong += !WIFEXITED(status) || WEXITSTATUS(status) != fails;
  }
  planted_ends(wrong ? cudaErrorUnknown : cudaSuccess);
}

// A block is allocated and filled in one stream and read in another; the first one frees it.
static void two_streams(bool waits_before_use, bool waits_before_free) {
  int *block, *sum;
  cudaStream_t one, two;
  cudaEvent_t filled, read;
  NEED(cudaStreamCreateWithFlags(&one, cudaStreamNonBlocking));
  NEED(cudaStreamCreateWithFlags(&two, cudaStreamNonBlocking));
  NEED(cudaEventCreateWithFlags(&filled, cudaEventDisableTiming));
  NEED(cudaEventCreateWithFlags(&read, cudaEventDisableTiming));
  NEED(cudaMalloc(&sum, 4));
  NEED(cudaMemset(sum, 0, 4));
  NEED(cudaDeviceSynchronize());
  NEED(cudaMallocAsync(&block, 4096, one));
  if (waits_before_use)
    NEED(cudaMemsetAsync(block, 0, 4096, one));
  NEED(cudaEventRecord(filled, one));
  if (waits_before_use)
    NEED(cudaStreamWaitEvent(two, filled, 0));
  else
    store_one<<<1, 1, 0, two>>>(block);
  if (waits_before_use)
    add_up<<<1, 32, 0, two>>>(block, sum);
  NEED(cudaEventRecord(read, two));
  if (waits_before_free)
    NEED(cudaStreamWaitEvent(one, read, 0));
  NEED(cudaFreeAsync(block, one));
}

static void freed_under_a_reader() {
  under_seeds(
      __func__, [] { two_streams(true, false); }, true);
}

static void freed_after_a_reader() {
  under_seeds(
      __func__, [] { two_streams(true, true); }, false);
}

static void used_before_it_is_allocated() {
  under_seeds(
      __func__, [] { two_streams(false, true); }, true);
}

// A graph allocates; the program frees what each launch gave, or not.
static void launches_of_an_allocation(int times, int how, bool frees, unsigned flags) {
  cudaStream_t stream;
  cudaGraph_t graph;
  cudaGraphExec_t exec;
  int *block;
  cudaError_t code = cudaSuccess;
  NEED(cudaStreamCreate(&stream));
  NEED(cudaStreamBeginCapture(stream, cudaStreamCaptureModeGlobal));
  NEED(cudaMallocAsync(&block, 4096, stream));
  store_one<<<1, 1, 0, stream>>>(block);
  NEED(cudaStreamEndCapture(stream, &graph));
  NEED(cudaGraphInstantiate(&exec, graph, flags));
  for (int i = 0; i < times && code == cudaSuccess; i++) {
    code = cudaGraphLaunch(exec, stream);
    if (code == cudaSuccess && frees && how)
      NEED(cudaFreeAsync(block, stream));
    NEED(cudaStreamSynchronize(stream));
    if (code == cudaSuccess && frees && !how)
      NEED(cudaFree(block));
  }
  NEED(cudaGraphExecDestroy(exec));
  NEED(cudaGraphDestroy(graph));
  NEED(cudaStreamDestroy(stream));
  if (code == cudaSuccess && !frees) { // what the last launch gave outlives the graph
    store_one<<<1, 1>>>(block);
    NEED(cudaDeviceSynchronize());
    NEED(cudaFree(block));
  }
  (void)cudaGetLastError();
  planted_ends(code);
}

static void graph_launched_again_after_free() {
  launches_of_an_allocation(3, 0, true, 0);
}

static void graph_launched_again_after_a_free_in_the_stream() {
  launches_of_an_allocation(3, 1, true, 0);
}

static void graph_launched_again_without_free() {
  launches_of_an_allocation(2, 0, false, 0);
}

static void graph_that_frees_what_it_gave_before() {
  launches_of_an_allocation(3, 0, false, cudaGraphInstantiateFlagAutoFreeOnLaunch);
}

static void memory_of_a_graph_that_is_gone() {
  launches_of_an_allocation(1, 0, false, 0);
}

// What a graph has allocated and freed may not be used between its launches.
static void write_after_a_graph_has_freed() {
  cudaStream_t stream;
  cudaGraph_t graph;
  cudaGraphExec_t exec;
  int *block;
  NEED(cudaStreamCreate(&stream));
  NEED(cudaStreamBeginCapture(stream, cudaStreamCaptureModeGlobal));
  NEED(cudaMallocAsync(&block, 4096, stream));
  store_one<<<1, 1, 0, stream>>>(block);
  NEED(cudaFreeAsync(block, stream));
  NEED(cudaStreamEndCapture(stream, &graph));
  NEED(cudaGraphInstantiate(&exec, graph, 0));
  NEED(cudaGraphLaunch(exec, stream));
  NEED(cudaGraphLaunch(exec, stream));
  store_one<<<1, 1, 0, stream>>>(block);
  planted_waits();
}

__global__ void free_in_device_code(int times) {
  void *p = malloc(100);
  for (int i = 0; i < times; i++)
    free(p); // fault: freed_twice_in_device_code
}

static void freed_twice_in_device_code() {
  free_in_device_code<<<1, 1>>>(2);
  planted_waits();
}

static void freed_once_in_device_code() {
  free_in_device_code<<<1, 1>>>(1);
  planted_waits();
}

static void freed_inside() {
  NEED(cudaMalloc(&buffer, 400));
  planted_address(buffer + 4);
  planted_ends(cudaFree(buffer + 4));
}

#define WHERE(kernel, block, thread)                                                                         \
  "kernel " kernel ", [^ ]*%S:%L, block \\(" block "\\), thread \\(" thread "\\): "
#define BUFFER "400 bytes by cudaMalloc at 0x[0-9a-f]+"

static const struct planted_case cases[] = {
    {"write_after_free", write_after_free, FATAL, cudaErrorIllegalAddress,
     "after free: kernel store_one, [^ ]*%S:[0-9]+, block .*global write of 4 bytes at %A .12 bytes into "
     "4096 bytes "
     "by cudaMalloc.* freed"},
    {"write_before_free", write_before_free, TWIN},
    {"write_after_a_free_in_the_stream", write_after_a_free_in_the_stream, FATAL, cudaErrorIllegalAddress,
     "after free: kernel store_one, [^ ]*%S:[0-9]+, block .*global write of 4 bytes at %A .0 bytes into 4096 "
     "bytes "
     "by cudaMallocAsync"},
    {"write_before_a_free_in_the_stream", write_before_a_free_in_the_stream, TWIN},
    {"freed_under_a_reader", freed_under_a_reader, SAID, cudaSuccess,
     "race: cudaFreeAsync frees 0x[0-9a-f]+ .0 bytes into 4096 bytes by cudaMallocAsync at .*not ordered "
     "after a read by block "
     ".0,0,0. of kernel add_up"},
    {"freed_after_a_reader", freed_after_a_reader, TWIN},
    {"used_before_it_is_allocated", used_before_it_is_allocated, SAID, cudaSuccess,
     "race: kernel store_one, .*the launch uses 4096 bytes by cudaMallocAsync at 0x[0-9a-f]+, not ordered "
     "after its allocation"},
    {"graph_launched_again_after_free", graph_launched_again_after_free, TWIN},
    {"graph_launched_again_after_a_free_in_the_stream", graph_launched_again_after_a_free_in_the_stream,
     TWIN},
    {"graph_launched_again_without_free", graph_launched_again_without_free, SAID, cudaErrorInvalidValue,
     "cudaGraphLaunch: what the allocation node at 0x[0-9a-f]+ gave in the launch before has not been freed"},
    {"graph_that_frees_what_it_gave_before", graph_that_frees_what_it_gave_before, TWIN},
    {"memory_of_a_graph_that_is_gone", memory_of_a_graph_that_is_gone, TWIN},
    {"write_after_a_graph_has_freed", write_after_a_graph_has_freed, FATAL, cudaErrorIllegalAddress,
     "after free: kernel store_one, .*4096 bytes by memory allocation node"},
    {"freed_twice", freed_twice, SAID, cudaErrorInvalidValue,
     "free: %A is freed twice .*4096 bytes by cudaMalloc"},
    {"freed_once", freed_once, TWIN},
    {"freed_twice_in_device_code", freed_twice_in_device_code, FATAL, cudaErrorIllegalAddress,
     "double free: " WHERE("free_in_device_code", "0,0,0", "0,0,0") "free of 0x[0-9a-f]+ .*has been freed"},
    {"freed_once_in_device_code", freed_once_in_device_code, TWIN},
    {"freed_inside", freed_inside, SAID, cudaErrorInvalidValue, "cudaFree: .*%A, inside 400 bytes"},
};

PLANTED_MAIN(cases)
