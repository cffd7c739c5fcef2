/* A kernel that does nothing: what a launch costs. And one that counts cycles. */
#ifndef BENCH_GPU_EMPTY_KERNEL_H
#define BENCH_GPU_EMPTY_KERNEL_H

#include <cuda_runtime_api.h>

#ifdef __cplusplus
extern "C" {
#endif

void empty_kernel_launch(cudaStream_t stream);

/* Waits for so many cycles, and leaves how many passed in how much time. */
struct clock_count {
  long long cycles, nanoseconds;
};
void clock_kernel_launch(long long cycles, struct clock_count *d_count, cudaStream_t stream);

#ifdef __cplusplus
}
#endif

#endif
