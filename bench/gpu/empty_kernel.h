/* A kernel that does nothing: what a launch costs. */
#ifndef BENCH_GPU_EMPTY_KERNEL_H
#define BENCH_GPU_EMPTY_KERNEL_H

#include <cuda_runtime_api.h>

#ifdef __cplusplus
extern "C" {
#endif

void empty_kernel_launch(cudaStream_t stream);

#ifdef __cplusplus
}
#endif

#endif
