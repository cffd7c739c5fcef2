#include "empty_kernel.h"

/* computes  nothing
 * launch    one block of one warp */
__global__ void empty_kernel() {
}

/* computes  cycles and nanoseconds that pass while it waits for so many cycles
 * launch    one block of one thread */
__global__ void clock_kernel(long long cycles, struct clock_count *d_count) {
  unsigned long long before, after;
  const long long start = clock64();
  asm volatile("mov.u64 %0, %globaltimer;" : "=l"(before));
  while (clock64() - start < cycles) {
  }
  asm volatile("mov.u64 %0, %globaltimer;" : "=l"(after));
  d_count->cycles = clock64() - start;
  d_count->nanoseconds = (long long)(after - before);
}

void clock_kernel_launch(long long cycles, struct clock_count *d_count, cudaStream_t stream) {
  clock_kernel<<<1, 1, 0, stream>>>(cycles, d_count);
}

void empty_kernel_launch(cudaStream_t stream) {
  empty_kernel<<<1, 32, 0, stream>>>();
}
