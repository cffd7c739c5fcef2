// Errors that stick: each in a process of its own, as a program would meet it.
#include "check.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

__global__ void store(int *to) {
  *to = 1;
}

__global__ void forever(volatile int *flag) {
  while (*flag == 0) {
  }
}

__global__ void trapped() {
  __trap();
}

__global__ void asserted(int n) {
  assert(n == 0);
}

__global__ void misaligned(char *to) {
  *(int *)(to + 1) = 1;
}

static int *device;

// What every later call answers, and the last error too.
static void sticks(cudaError_t wanted) {
  void *p;
  cudaStream_t stream;
  CODE(cudaDeviceSynchronize(), wanted);
  CODE(cudaDeviceSynchronize(), wanted);
  CODE(cudaMalloc(&p, 4), wanted);
  CODE(cudaStreamCreate(&stream), wanted);
  CODE(cudaMemcpy(device, &p, 4, cudaMemcpyHostToDevice), wanted);
  CODE(cudaFree(device), wanted);
  CODE(cudaGetLastError(), wanted);
  CODE(cudaGetLastError(), wanted);
  CODE(cudaPeekAtLastError(), wanted);
  store<<<1, 1>>>(device);
  CODE(cudaGetLastError(), wanted);
  int count;
  OK(cudaGetDeviceCount(&count)); // asks nothing of the device
  CODE(cudaDeviceReset(), wanted);
  CODE(cudaMalloc(&p, 4), wanted);
}

static void out_of_bounds() {
  store<<<1, 1>>>(device + 100000);
  OK(cudaGetLastError()); // the launch itself was in order
  sticks(cudaErrorIllegalAddress);
}

static void null_pointer() {
  store<<<1, 1>>>(NULL);
  sticks(cudaErrorIllegalAddress);
}

static void host_pointer() {
  int here;
  store<<<1, 1>>>(&here);
  sticks(cudaErrorIllegalAddress);
}

static void after_free() {
  int *gone;
  OK(cudaMalloc(&gone, 4));
  OK(cudaFree(gone));
  store<<<1, 1>>>(gone);
  sticks(cudaErrorIllegalAddress);
}

static void after_stream_ordered_free() {
  int *gone;
  cudaStream_t stream;
  OK(cudaStreamCreate(&stream));
  OK(cudaMallocAsync(&gone, 4, stream));
  OK(cudaFreeAsync(gone, stream));
  store<<<1, 1, 0, stream>>>(gone);
  CODE(cudaStreamSynchronize(stream), cudaErrorIllegalAddress);
  sticks(cudaErrorIllegalAddress);
}

static void endless_kernel() {
  OK(cudaMemset(device, 0, 4));
  forever<<<1, 32>>>(device);
  sticks(cudaErrorLaunchTimeout);
}

static void a_trap() {
  trapped<<<1, 1>>>();
  sticks(cudaErrorLaunchFailure);
}

static void an_assertion() {
  asserted<<<1, 1>>>(1);
  sticks(cudaErrorAssert);
}

static void misaligned_access() {
  misaligned<<<1, 1>>>((char *)device);
  sticks(cudaErrorMisalignedAddress);
}

// What fails on one device leaves another as it was.
static void another_device_goes_on() {
  int count, *other, value = 0;
  OK(cudaGetDeviceCount(&count));
  if (count < 2)
    return;
  store<<<1, 1>>>(NULL);
  CODE(cudaDeviceSynchronize(), cudaErrorIllegalAddress);
  OK(cudaSetDevice(1));
  cudaGetLastError();
  OK(cudaMalloc(&other, 4));
  store<<<1, 1>>>(other);
  OK(cudaMemcpy(&value, other, 4, cudaMemcpyDeviceToHost));
  CHECK_EQUAL(value, 1);
  OK(cudaFree(other));
}

static const struct {
  const char *name;
  void (*run)();
} cases[] = {{"out_of_bounds", out_of_bounds},
             {"null_pointer", null_pointer},
             {"host_pointer", host_pointer},
             {"after_free", after_free},
             {"after_stream_ordered_free", after_stream_ordered_free},
             {"endless_kernel", endless_kernel},
             {"a_trap", a_trap},
             {"an_assertion", an_assertion},
             {"misaligned_access", misaligned_access},
             {"another_device_goes_on", another_device_goes_on}};

int main(int argc, char **argv) {
  if (argc > 1) {
    for (const auto &c : cases)
      if (!strcmp(c.name, argv[1])) {
        OK(cudaMalloc(&device, 64));
        c.run();
        return failures != 0;
      }
    return 2;
  }
  for (const auto &c : cases) {
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
      execl(argv[0], argv[0], c.name, (char *)NULL);
      _exit(2);
    }
    int status = 0;
    waitpid(child, &status, 0);
    if (status) {
      failures++;
      printf("%s: wait status %d\n", c.name, status);
    }
  }
  return finish();
}
