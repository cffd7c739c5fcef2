/* Calls of the CUDA runtime and of cuBLAS in the benchmarks: a failure is one line on stderr, and false. */
#ifndef BENCH_GPU_DEVICE_CALL_H
#define BENCH_GPU_DEVICE_CALL_H

#include <cuda_runtime_api.h>
#include <stdio.h>

/* Leaves the function, which returns bool. */
#define DEVICE_CALL(call)                                                                                    \
  do {                                                                                                       \
    const cudaError_t device_call_error = (call);                                                            \
    if (device_call_error != cudaSuccess) {                                                                  \
      fprintf(stderr, "bench: %s:%d: %s\n", __FILE__, __LINE__, cudaGetErrorString(device_call_error));      \
      return false;                                                                                          \
    }                                                                                                        \
  } while (0)

#define BLAS_CALL(call)                                                                                      \
  do {                                                                                                       \
    const cublasStatus_t blas_call_status = (call);                                                          \
    if (blas_call_status != CUBLAS_STATUS_SUCCESS) {                                                         \
      fprintf(stderr, "bench: %s:%d: %s\n", __FILE__, __LINE__, cublasGetStatusString(blas_call_status));    \
      return false;                                                                                          \
    }                                                                                                        \
  } while (0)

#endif
