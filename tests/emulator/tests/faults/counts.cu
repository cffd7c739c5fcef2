// Kernels whose counts are known by hand; counts_test.py compares.
#include "planted.h"

// Each warp loads 32 words `stride` apart and stores 32 words side by side.
__global__ void strided(const float *from, float *to, int stride) {
  to[threadIdx.x] = from[threadIdx.x * stride];
}

__global__ void wide(const float4 *from, float4 *to) {
  to[blockIdx.x * 64 + threadIdx.x] = from[blockIdx.x * 64 + threadIdx.x];
}

__global__ void atomics(int *to) {
  atomicAdd(to + threadIdx.x / 16, 1);
}

// Word i * stride of each lane: stride 2 has 2 words per bank, 32 has 32, 33 has 1.
template <int STRIDE> __global__ void banks(int *to) {
  __shared__ volatile int cells[32 * 33];
  cells[threadIdx.x * STRIDE] = threadIdx.x;
  __syncthreads();
  to[threadIdx.x] = cells[threadIdx.x * STRIDE];
}

__global__ void same_word(int *to) {
  __shared__ volatile int cells[2];
  if (threadIdx.x == 0)
    cells[0] = 1;
  __syncthreads();
  to[threadIdx.x] = cells[0];
}

// 8 bytes side by side go by half-warps, 16 bytes by quarter-warps: no conflict; every other 16 bytes: twice.
template <class T, int STRIDE> __global__ void wide_banks(T *to) {
  extern __shared__ float4 space[];
  T *cells = (T *)space;
  cells[threadIdx.x * STRIDE] = T();
  __syncthreads();
  to[threadIdx.x] = cells[threadIdx.x * STRIDE];
}

__global__ void branches(int *to) {
  to += blockIdx.x * blockDim.x;
  if (threadIdx.x & 1)
    to[threadIdx.x] = clock();
  else
    to[threadIdx.x] = __ffs(to[threadIdx.x]);
  __syncthreads();
  if (threadIdx.x < 32) // a whole warp: not divergent
    to[threadIdx.x] = 3;
}

__global__ void sums(float *f, double *d) {
  asm volatile("{.reg .f32 x; .reg .f64 y; .reg .f16 h; .reg .b32 i;\n"
               "mov.b32 i, 3; cvt.rn.f32.u32 x, i; cvt.f64.f32 y, x; cvt.rn.f16.f32 h, x;\n"
               "fma.rn.f32 x, x, x, x; add.f32 x, x, x; mul.f64 y, y, y; add.f16 h, h, h; add.f16 h, h, h;\n"
               "add.f16 h, h, h; ex2.approx.f32 x, x; sqrt.approx.f32 x, x; add.u32 i, i, i;}");
}

// Block 0 raises a flag, late; block 1 looks until it is raised. How often is chance, and counted apart.
__global__ void polls(volatile int *flag, int work) {
  if (blockIdx.x == 1) {
    for (int i = 0; i < work; i++)
      flag[32 + i % 32] = i;
    *flag = 1;
  } else {
    while (!*flag) {
    }
  }
}

int main() {
  void *from, *to;
  NEED(cudaMalloc(&from, 1 << 16));
  NEED(cudaMalloc(&to, 1 << 16));
  NEED(cudaMemset(from, 0, 1 << 16));
  NEED(cudaMemset(to, 0, 1 << 16));
  for (int stride : {1, 2, 8, 64})
    strided<<<1, 32>>>((float *)from, (float *)to, stride);
  wide<<<2, 64>>>((float4 *)from, (float4 *)to);
  atomics<<<1, 64>>>((int *)to);
  banks<1><<<1, 32>>>((int *)to);
  banks<2><<<1, 32>>>((int *)to);
  banks<32><<<1, 32>>>((int *)to);
  banks<33><<<1, 32>>>((int *)to);
  same_word<<<1, 32>>>((int *)to);
  wide_banks<double, 1><<<1, 32, 16384>>>((double *)to);
  wide_banks<float4, 1><<<1, 32, 16384>>>((float4 *)to);
  wide_banks<float4, 2><<<1, 32, 16384>>>((float4 *)to);
  wide_banks<double, 2><<<1, 32, 16384>>>((double *)to);
  branches<<<3, 64>>>((int *)to);
  sums<<<2, 48>>>((float *)to, (double *)to);
  NEED(cudaMemset(to, 0, 1 << 16));
  for (int work : {1, 1000}) {
    polls<<<2, 1>>>((int *)to, work);
    NEED(cudaMemset(to, 0, 4));
  }
  NEED(cudaDeviceSynchronize());
  NEED(cudaFree(from));
  NEED(cudaFree(to));
  return 0;
}
