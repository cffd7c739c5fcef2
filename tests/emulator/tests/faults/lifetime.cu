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
    {"freed_twice", freed_twice, SAID, cudaErrorInvalidValue,
     "free: %A is freed twice .*4096 bytes by cudaMalloc"},
    {"freed_once", freed_once, TWIN},
    {"freed_twice_in_device_code", freed_twice_in_device_code, FATAL, cudaErrorIllegalAddress,
     "double free: " WHERE("free_in_device_code", "0,0,0", "0,0,0") "free of 0x[0-9a-f]+ .*has been freed"},
    {"freed_once_in_device_code", freed_once_in_device_code, TWIN},
    {"freed_inside", freed_inside, SAID, cudaErrorInvalidValue, "cudaFree: .*%A, inside 400 bytes"},
};

PLANTED_MAIN(cases)
