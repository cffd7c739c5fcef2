// Accesses that memory does not allow: out of bounds or misaligned. Each with a correct twin.
#include "planted.h"

__constant__ float coefficients[16];
__device__ int variable[10];

__global__ void store_at(int *to, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n)
    to[i] = i; // fault: write_behind_the_end
}

__global__ void load_before(const int *from, int back, int *to) {
  int i = (int)threadIdx.x - back;
  to[threadIdx.x] = from[i]; // fault: read_before_the_beginning
}

__global__ void load_wide(const float4 *from, float4 *to) {
  *to = from[threadIdx.x]; // fault: wide_read_across_the_end
}

__global__ void add_at(int *to, int i) {
  atomicAdd(to + i, 1); // fault: atomic_behind_the_end
}

__global__ void store_one(int *to) {
  *to = 1; // fault: write_through_a_pointer
}

__global__ void shared_at(int *to, int shift) {
  __shared__ int cells[32];
  cells[threadIdx.x + shift] = 1; // fault: shared_behind_the_end
  __syncthreads();
  to[threadIdx.x] = cells[threadIdx.x];
}

__global__ void dynamic_at(int *to) {
  extern __shared__ int cells2[];
  cells2[threadIdx.x] = 1; // fault: dynamic_shared_behind_the_end
  __syncthreads();
  to[threadIdx.x] = cells2[threadIdx.x];
}

__global__ void local_at(int *to, int i, int k) {
  int own[16];
  for (int j = 0; j < 16; j++)
    own[(j * k) & 15] = j;
  own[i] = k; // fault: local_behind_the_end
  to[threadIdx.x] = own[k];
}

__global__ void constant_at(float *to, int shift) {
  to[threadIdx.x] = coefficients[threadIdx.x + shift]; // fault: constant_behind_the_end
}

__global__ void variable_at(int shift) {
  variable[threadIdx.x + shift] = 1; // fault: variable_behind_the_end
}

__global__ void constant_store(float *to) {
  *to = 1; // fault: write_of_constant_memory
}

__global__ void load_misaligned(const char *from, int shift, double *to) {
  *to = *(const double *)(from + shift); // fault: misaligned_read
}

__global__ void store_misaligned(char *to, int shift) {
  *(float4 *)(to + shift) = make_float4(1, 2, 3, 4); // fault: misaligned_wide_write
}

__global__ void shared_misaligned(int *to, int shift) {
  __shared__ char cells[64];
  *(int *)(cells + 8 + shift) = 5; // fault: misaligned_shared_write
  *to = *(int *)(cells + 8 + shift);
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

static void write_behind_the_end() {
  begin();
  planted_address(buffer + 100);
  store_at<<<2, 64>>>(buffer, 101);
  end();
}

static void write_up_to_the_end() {
  begin();
  store_at<<<2, 64>>>(buffer, 100);
  end();
}

static void read_before_the_beginning() {
  begin();
  planted_address(buffer - 2);
  NEED(cudaMemset(buffer, 0, 400));
  load_before<<<1, 32>>>(buffer, 2, to);
  end();
}

static void read_from_the_beginning() {
  begin();
  NEED(cudaMemset(buffer, 0, 400));
  load_before<<<1, 32>>>(buffer, 0, to);
  end();
}

static void wide_read(int which) {
  begin();
  float4 *odd;
  NEED(cudaMalloc(&odd, 40)); // two and a half
  NEED(cudaMemset(odd, 0, 40));
  planted_address(odd + which);
  load_wide<<<1, 1>>>(odd + which, (float4 *)to);
  planted_waits();
  cudaFree(odd);
  cudaFree(to);
  cudaFree(buffer);
}

static void wide_read_across_the_end() {
  wide_read(2);
}

static void wide_read_up_to_the_end() {
  wide_read(1);
}

static void atomic_behind_the_end() {
  begin();
  planted_address(buffer + 100);
  add_at<<<1, 1>>>(buffer, 100);
  end();
}

static void atomic_at_the_end() {
  begin();
  NEED(cudaMemset(buffer, 0, 400));
  add_at<<<1, 1>>>(buffer, 99);
  end();
}

static void write_through_a_null_pointer() {
  store_one<<<1, 1>>>(NULL);
  planted_waits();
}

static void write_through_a_host_pointer() {
  int here = 0;
  planted_address(&here);
  store_one<<<1, 1>>>(&here);
  planted_waits();
}

static void shared_behind_the_end() {
  begin();
  shared_at<<<1, 32>>>(to, 1);
  end();
}

static void shared_within() {
  begin();
  shared_at<<<1, 32>>>(to, 0);
  end();
}

static void dynamic_shared_behind_the_end() {
  begin();
  dynamic_at<<<1, 64, 63 * 4>>>(to);
  end();
}

static void dynamic_shared_within() {
  begin();
  dynamic_at<<<1, 64, 64 * 4>>>(to);
  end();
}

static void local_behind_the_end() {
  begin();
  local_at<<<1, 1>>>(to, 64, 3);
  end();
}

static void local_within() {
  begin();
  local_at<<<1, 1>>>(to, 15, 3);
  end();
}

static void constant_behind_the_end() {
  begin();
  constant_at<<<1, 16>>>((float *)to, 4);
  end();
}

static void constant_within() {
  begin();
  constant_at<<<1, 16>>>((float *)to, 0);
  end();
}

static void variable_behind_the_end() {
  variable_at<<<1, 10>>>(1);
  planted_waits();
}

static void variable_within() {
  variable_at<<<1, 10>>>(0);
  planted_waits();
}

static void write_of_constant_memory() {
  void *address;
  NEED(cudaGetSymbolAddress(&address, coefficients));
  planted_address(address);
  constant_store<<<1, 1>>>((float *)address);
  planted_waits();
}

static void misaligned_read() {
  begin();
  planted_address((char *)buffer + 4);
  NEED(cudaMemset(buffer, 0, 400));
  load_misaligned<<<1, 1>>>((char *)buffer, 4, (double *)to);
  end();
}

static void aligned_read() {
  begin();
  NEED(cudaMemset(buffer, 0, 400));
  load_misaligned<<<1, 1>>>((char *)buffer, 8, (double *)to);
  end();
}

static void misaligned_wide_write() {
  begin();
  planted_address((char *)buffer + 8);
  store_misaligned<<<1, 1>>>((char *)buffer, 8);
  end();
}

static void aligned_wide_write() {
  begin();
  store_misaligned<<<1, 1>>>((char *)buffer, 16);
  end();
}

static void misaligned_shared_write() {
  begin();
  shared_misaligned<<<1, 1>>>(to, 2);
  end();
}

static void aligned_shared_write() {
  begin();
  shared_misaligned<<<1, 1>>>(to, 4);
  end();
}

#define WHERE(kernel, block, thread)                                                                         \
  "kernel " kernel ", [^ ]*%S:%L, block \\(" block "\\), thread \\(" thread "\\): "
#define BUFFER "400 bytes by cudaMalloc at 0x[0-9a-f]+"

static const struct planted_case cases[] = {
    {"write_behind_the_end", write_behind_the_end, FATAL, cudaErrorIllegalAddress,
     "out of bounds: " WHERE("store_at", "1,0,0",
                             "36,0,0") "global write of 4 bytes at %A .*behind the end of " BUFFER},
    {"write_up_to_the_end", write_up_to_the_end, TWIN},
    {"read_before_the_beginning", read_before_the_beginning, FATAL, cudaErrorIllegalAddress,
     "out of bounds: " WHERE("load_before", "0,0,0",
                             "0,0,0") "global read of 4 bytes at %A .*before " BUFFER},
    {"read_from_the_beginning", read_from_the_beginning, TWIN},
    {"wide_read_across_the_end", wide_read_across_the_end, FATAL, cudaErrorIllegalAddress,
     "out of bounds: " WHERE("load_wide", "0,0,0",
                             "0,0,0") "global read of 16 bytes at %A .*40 bytes by cudaMalloc"},
    {"wide_read_up_to_the_end", wide_read_up_to_the_end, TWIN},
    {"atomic_behind_the_end", atomic_behind_the_end, FATAL, cudaErrorIllegalAddress,
     "out of bounds: " WHERE("add_at", "0,0,0",
                             "0,0,0") "global atomic operation on 4 bytes at %A .*" BUFFER},
    {"atomic_at_the_end", atomic_at_the_end, TWIN},
    {"write_through_a_null_pointer", write_through_a_null_pointer, FATAL, cudaErrorIllegalAddress,
     "out of bounds: kernel store_one, [^ ]*%S:[0-9]+, .*global write of 4 bytes at 0x0 .*null pointer"},
    {"write_through_a_host_pointer", write_through_a_host_pointer, FATAL, cudaErrorIllegalAddress,
     "out of bounds: kernel store_one, [^ ]*%S:[0-9]+, .*global write of 4 bytes at %A .*host pointer"},
    {"shared_behind_the_end", shared_behind_the_end, FATAL, cudaErrorIllegalAddress,
     "out of bounds: " WHERE("shared_at", "0,0,0", "31,0,0") "shared write of 4 bytes at 0x80 .*128 bytes"},
    {"shared_within", shared_within, TWIN},
    {"dynamic_shared_behind_the_end", dynamic_shared_behind_the_end, FATAL, cudaErrorIllegalAddress,
     "out of bounds: " WHERE("dynamic_at", "0,0,0", "63,0,0") "shared write of 4 bytes at 0xfc .*252 bytes"},
    {"dynamic_shared_within", dynamic_shared_within, TWIN},
    {"local_behind_the_end", local_behind_the_end, FATAL, cudaErrorIllegalAddress,
     "out of bounds: " WHERE("local_at", "0,0,0",
                             "0,0,0") "local write of 4 bytes at 0x[0-9a-f]+ .*64 bytes"},
    {"local_within", local_within, TWIN},
    {"constant_behind_the_end", constant_behind_the_end, FATAL, cudaErrorIllegalAddress,
     "out of bounds: " WHERE("constant_at", "0,0,0",
                             "12,0,0") ".*read of 4 bytes at 0x[0-9a-f]+ .*constant variable "
                                       "coefficients of 64 bytes"},
    {"constant_within", constant_within, TWIN},
    {"variable_behind_the_end", variable_behind_the_end, FATAL, cudaErrorIllegalAddress,
     "out of bounds: " WHERE("variable_at", "0,0,0",
                             "9,0,0") "global write of 4 bytes at .*variable variable of 40 bytes"},
    {"variable_within", variable_within, TWIN},
    {"write_of_constant_memory", write_of_constant_memory, FATAL, cudaErrorIllegalAddress,
     "out of bounds: " WHERE("constant_store", "0,0,0", "0,0,0") ".*write of 4 bytes at %A .*constant"},
    {"misaligned_read", misaligned_read, FATAL, cudaErrorMisalignedAddress,
     "misaligned: " WHERE("load_misaligned", "0,0,0", "0,0,0") ".*read of 8 bytes at %A .*multiple of 8"},
    {"aligned_read", aligned_read, TWIN},
    {"misaligned_wide_write", misaligned_wide_write, FATAL, cudaErrorMisalignedAddress,
     "misaligned: " WHERE("store_misaligned", "0,0,0", "0,0,0") ".*write of 16 bytes at %A .*multiple of 16"},
    {"aligned_wide_write", aligned_wide_write, TWIN},
    {"misaligned_shared_write", misaligned_shared_write, FATAL, cudaErrorMisalignedAddress,
     "misaligned: " WHERE("shared_misaligned", "0,0,0",
                          "0,0,0") ".*write of 4 bytes at 0x[0-9a-f]*a .*multiple of 4"},
    {"aligned_shared_write", aligned_shared_write, TWIN},
};

PLANTED_MAIN(cases)
