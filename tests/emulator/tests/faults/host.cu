// What host code must not do: touch device memory, look at a copy too early, leave things behind.
#include "planted.h"

__global__ void fill(int *to) {
  to[threadIdx.x] = 42;
}

static int *device;

// Runs `body` in a child, as it ends by a signal; answers cudaErrorIllegalAddress if it was SIGSEGV.
static void crashes(void (*body)()) {
  fflush(stdout);
  pid_t child = fork();
  if (child == 0) {
    body();
    _exit(0);
  }
  int status = 0;
  waitpid(child, &status, 0);
  planted_ends(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV ? cudaErrorIllegalAddress : cudaSuccess);
}

static void allocate() {
  NEED(cudaMalloc(&device, 4096));
  NEED(cudaMemset(device, 0, 4096));
  planted_address(device);
}

static void read_device() {
  allocate();
  fill<<<1, 32>>>(device);
  NEED(cudaDeviceSynchronize());
  printf("%d\n", *(volatile int *)device);
}

static void write_device() {
  allocate();
  *(volatile int *)device = 1;
}

static void host_reads_device_memory() {
  crashes(read_device);
}

static void host_writes_device_memory() {
  crashes(write_device);
}

static void read_managed() {
  NEED(cudaMallocManaged(&device, 4096));
  fill<<<1, 32>>>(device);
  NEED(cudaDeviceSynchronize());
  if (*(volatile int *)device != 42)
    abort();
  *(volatile int *)device = 1;
  NEED(cudaFree(device));
}

static void host_reads_managed_memory() {
  read_managed();
  planted_waits();
}

static void read_null() {
  printf("%d\n", *(volatile int *)(size_t)8);
}

// A fault that is none of the device's stays what it was, without a word.
static void host_reads_through_null() {
  crashes(read_null);
}

// What is seen in the destination of a copy before and after waiting for it.
static void copy(bool pinned, bool waits) {
  int pageable[32], *host = pageable;
  cudaStream_t stream;
  NEED(cudaStreamCreate(&stream));
  NEED(cudaMalloc(&device, sizeof pageable));
  if (pinned)
    NEED(cudaMallocHost(&host, sizeof pageable));
  memset(host, 0, sizeof pageable);
  fill<<<1, 32, 0, stream>>>(device);
  NEED(cudaMemcpyAsync(host, device, sizeof pageable, cudaMemcpyDeviceToHost, stream));
  if (waits)
    NEED(cudaStreamSynchronize(stream));
  bool poison = host[0] == -1 && host[31] == -1, value = host[0] == 42 && host[31] == 42;
  NEED(cudaStreamSynchronize(stream));
  bool after = host[0] == 42 && host[31] == 42;
  planted_ends((waits ? value : poison) && after ? cudaSuccess : cudaErrorUnknown);
  if (pinned)
    NEED(cudaFreeHost(host));
  NEED(cudaFree(device));
  NEED(cudaStreamDestroy(stream));
}

static void pinned_destination_too_early() {
  copy(true, false);
}

static void pinned_destination_in_time() {
  copy(true, true);
}

static void pageable_destination_too_early() {
  copy(false, false);
}

static void pageable_destination_in_time() {
  copy(false, true);
}

static void leak() {
  int *kept;
  cudaStream_t stream;
  NEED(cudaMalloc(&kept, 12345));
  NEED(cudaStreamCreate(&stream));
  planted_address(kept);
  planted_waits();
}

static void leaked_stream() {
  leak();
}

static void nothing_leaks() {
  cudaStream_t stream;
  NEED(cudaMalloc(&device, 12345));
  NEED(cudaStreamCreate(&stream));
  planted_waits();
  NEED(cudaFree(device));
  NEED(cudaStreamDestroy(stream));
}

static void raise(void *flag) {
  *(volatile int *)flag = 1;
}

// The host looks at what a host function writes, and asks CUDA nothing meanwhile.
static void host_waits_for_a_host_function() {
  static volatile int flag;
  int seen[32] = {};
  cudaStream_t stream;
  NEED(cudaStreamCreate(&stream));
  NEED(cudaMalloc(&device, sizeof seen));
  fill<<<1, 32, 0, stream>>>(device);
  NEED(cudaMemcpyAsync(seen, device, sizeof seen, cudaMemcpyDeviceToHost, stream));
  NEED(cudaLaunchHostFunc(stream, raise, (void *)&flag));
  while (!flag) {
  }
  planted_ends(seen[0] == 42 && seen[31] == 42 ? cudaSuccess : cudaErrorUnknown);
  NEED(cudaFree(device));
  NEED(cudaStreamDestroy(stream));
}

// ... or at page-locked memory that a kernel writes, in one stream after another.
static void host_polls_mapped_memory() {
  volatile int *mapped;
  cudaStream_t one, two;
  cudaEvent_t event;
  NEED(cudaStreamCreateWithFlags(&one, cudaStreamNonBlocking));
  NEED(cudaStreamCreateWithFlags(&two, cudaStreamNonBlocking));
  NEED(cudaEventCreateWithFlags(&event, cudaEventDisableTiming));
  NEED(cudaHostAlloc((void **)&mapped, 256, cudaHostAllocMapped));
  memset((void *)mapped, 0, 256);
  NEED(cudaMalloc(&device, 256));
  fill<<<1, 32, 0, one>>>(device);
  NEED(cudaEventRecord(event, one));
  NEED(cudaStreamWaitEvent(two, event, 0));
  fill<<<1, 32, 0, two>>>((int *)mapped);
  while (mapped[31] != 42) {
  }
  planted_ends(cudaSuccess);
  NEED(cudaFree(device));
  NEED(cudaFreeHost((void *)mapped));
  NEED(cudaStreamDestroy(one));
  NEED(cudaStreamDestroy(two));
  NEED(cudaEventDestroy(event));
}

// ... or at page-locked memory that a copy fills, in a child that a fork has made.
static void child_polls_the_destination_of_a_copy() {
  pid_t child = fork();
  if (child == 0) {
    volatile int *pinned;
    NEED(cudaMallocHost((void **)&pinned, 128));
    NEED(cudaMalloc(&device, 128));
    fill<<<1, 32>>>(device);
    NEED(cudaMemcpyAsync((void *)pinned, device, 128, cudaMemcpyDeviceToHost, 0));
    while (pinned[31] != 42) {
    }
    NEED(cudaFree(device));
    NEED(cudaFreeHost((void *)pinned));
    _exit(0);
  }
  int status = 1;
  waitpid(child, &status, 0);
  planted_ends(status ? cudaErrorUnknown : cudaSuccess);
}

static void never_waited_for() {
  NEED(cudaMalloc(&device, 4096));
  fill<<<1, 32>>>(device);
  planted_ends(cudaGetLastError());
}

#define TOUCHES "host code: it dereferences device memory .address 0x0*%H; copy it"

static const struct planted_case cases[] = {
    {"host_reads_device_memory", host_reads_device_memory, FATAL, cudaErrorIllegalAddress, TOUCHES},
    {"host_writes_device_memory", host_writes_device_memory, FATAL, cudaErrorIllegalAddress, TOUCHES},
    {"host_reads_managed_memory", host_reads_managed_memory, TWIN},
    {"host_reads_through_null", host_reads_through_null, FATAL, cudaErrorIllegalAddress, NULL},
    {"pinned_destination_too_early", pinned_destination_too_early, TWIN},
    {"pinned_destination_in_time", pinned_destination_in_time, TWIN},
    {"pageable_destination_too_early", pageable_destination_too_early, TWIN},
    {"pageable_destination_in_time", pageable_destination_in_time, TWIN},
    {"leak", leak, SAID, cudaSuccess, "leak: 12345 bytes by cudaMalloc at %A was not freed .device 0"},
    {"leaked_stream", leaked_stream, SAID, cudaSuccess, "leak: 1 stream without cudaStreamDestroy"},
    {"nothing_leaks", nothing_leaks, TWIN},
    {"host_waits_for_a_host_function", host_waits_for_a_host_function, TWIN},
    {"host_polls_mapped_memory", host_polls_mapped_memory, TWIN},
    {"child_polls_the_destination_of_a_copy", child_polls_the_destination_of_a_copy, TWIN},
    {"never_waited_for", never_waited_for, SAID, cudaSuccess, "1 queued operation was never waited for"},
};

PLANTED_MAIN(cases)
