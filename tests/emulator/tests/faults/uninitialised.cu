// Reads of what nobody has written: global and shared memory, copies, atomics. Each with a correct twin.
#include "planted.h"

__global__ void sum_of(const int *from, int n, int *to) {
  int sum = 0;
  for (int i = 0; i < n; i++)
    sum += from[i]; // fault: uninitialised_global_read
  *to = sum;
}

__global__ void add_to(int *to) {
  atomicAdd(to, 1); // fault: uninitialised_atomic
}

__global__ void shared_sum(int *to, int filled) {
  __shared__ int cells[64];
  if (threadIdx.x < filled)
    cells[threadIdx.x] = 1;
  __syncthreads();
  to[threadIdx.x] = cells[threadIdx.x] + cells[63 - threadIdx.x]; // fault: uninitialised_shared_read
}

static int *to, *buffer;

static void begin() {
  NEED(cudaMalloc(&to, 4096));
  NEED(cudaMalloc(&buffer, 400));
}

static void end() {
  planted_waits();
  cudaFree(to);
  cudaFree(buffer);
}

static void uninitialised_global_read() {
  begin();
  planted_address(buffer + 50);
  NEED(cudaMemset(buffer, 0, 200));
  sum_of<<<1, 1>>>(buffer, 51, to);
  end();
}

static void initialised_global_read() {
  begin();
  NEED(cudaMemset(buffer, 0, 200));
  sum_of<<<1, 1>>>(buffer, 50, to);
  end();
}

// A copy carries along that its source was never written.
static void uninitialised_copy() {
  begin();
  NEED(cudaMemset(to, 0, 200));
  NEED(cudaMemcpy(buffer, to, 400, cudaMemcpyDeviceToDevice));
  planted_address(buffer + 50);
  sum_of<<<1, 1>>>(buffer, 51, to);
  end();
}

static void initialised_copy() {
  begin();
  NEED(cudaMemset(to, 0, 400));
  NEED(cudaMemcpy(buffer, to, 400, cudaMemcpyDeviceToDevice));
  sum_of<<<1, 1>>>(buffer, 100, to);
  end();
}

static void uninitialised_after_reuse() {
  int *first, *second;
  begin();
  NEED(cudaMalloc(&first, 1 << 20));
  NEED(cudaMemset(first, 0, 1 << 20));
  NEED(cudaFree(first));
  NEED(cudaMalloc(&second, 1 << 20));
  planted_address(second);
  sum_of<<<1, 1>>>(second, 1, to);
  planted_waits();
  cudaFree(second);
  cudaFree(to);
  cudaFree(buffer);
}

static void uninitialised_atomic() {
  begin();
  planted_address(buffer);
  add_to<<<1, 1>>>(buffer);
  end();
}

static void initialised_atomic() {
  begin();
  NEED(cudaMemset(buffer, 0, 4));
  add_to<<<1, 1>>>(buffer);
  end();
}

static void uninitialised_shared_read() {
  begin();
  shared_sum<<<1, 64>>>(to, 60);
  end();
}

static void initialised_shared_read() {
  begin();
  shared_sum<<<1, 64>>>(to, 64);
  end();
}

#define WHERE(kernel, block, thread)                                                                         \
  "kernel " kernel ", [^ ]*%S:%L, block \\(" block "\\), thread \\(" thread "\\): "
#define BUFFER "400 bytes by cudaMalloc at 0x[0-9a-f]+"

static const struct planted_case cases[] = {
    {"uninitialised_global_read", uninitialised_global_read, FINDING, cudaErrorLaunchFailure,
     "uninitialised: " WHERE("sum_of", "0,0,0",
                             "0,0,0") "global read of 4 bytes at %A .200 bytes into " BUFFER},
    {"initialised_global_read", initialised_global_read, TWIN},
    {"uninitialised_copy", uninitialised_copy, FINDING, cudaErrorLaunchFailure,
     "uninitialised: kernel sum_of, [^ ]*%S:[0-9]+, .*global read of 4 bytes at %A .200 bytes into " BUFFER},
    {"initialised_copy", initialised_copy, TWIN},
    {"uninitialised_after_reuse", uninitialised_after_reuse, FINDING, cudaErrorLaunchFailure,
     "uninitialised: kernel sum_of, [^ ]*%S:[0-9]+, .*global read of 4 bytes at %A .0 bytes into 1048576 "
     "bytes"},
    {"uninitialised_atomic", uninitialised_atomic, FINDING, cudaErrorLaunchFailure,
     "uninitialised: " WHERE("add_to", "0,0,0",
                             "0,0,0") "global atomic operation on 4 bytes at %A .0 bytes into " BUFFER},
    {"initialised_atomic", initialised_atomic, TWIN},
    {"uninitialised_shared_read", uninitialised_shared_read, FINDING, cudaErrorLaunchFailure,
     "uninitialised: " WHERE("shared_sum", "0,0,0", "[0-9]+,0,0") "shared read of 4 bytes at 0x[0-9a-f]+"},
    {"initialised_shared_read", initialised_shared_read, TWIN},
};

PLANTED_MAIN(cases)
