/* What attention's and the decoder's launchers share: one line of error text, and the look at a launch. */
#ifndef CUSEQ_KERNELS_LAUNCH_ERROR_CUH
#define CUSEQ_KERNELS_LAUNCH_ERROR_CUH

#include "kernels/launch.h"

#include <cuda_runtime_api.h>
#include <stdio.h>

/* Refuses a launch: writes the line and returns `status`. */
template <class... Values>
static inline cuseq_status launch_refuse(const struct launch_stream *stream, cuseq_status status,
                                         const char *format, Values... values) {
  snprintf(stream->error, stream->error_capacity, format, values...);
  return status;
}

#define LAUNCH_NEED(condition, ...)                                                                          \
  do {                                                                                                       \
    if (!(condition))                                                                                        \
      return launch_refuse(stream, CUSEQ_STATUS_INVALID_ARGUMENT, __VA_ARGS__);                              \
  } while (0)

/* The status of a runtime call, or of the launch just made. */
static inline cuseq_status launch_result(const struct launch_stream *stream, const char *kernel,
                                         cudaError_t error) {
  if (error == cudaSuccess)
    return CUSEQ_STATUS_OK;
  cudaGetLastError(); /* so that it is not taken for the next launch's */
  return launch_refuse(stream, CUSEQ_STATUS_DEVICE_FAILED, "%s: the launch failed (%s)", kernel,
                       cudaGetErrorString(error));
}

/* Lets `kernel` take `bytes` of dynamic shared memory. */
template <class Kernel>
static inline cuseq_status launch_allow_shared(const struct launch_stream *stream, const char *name,
                                               Kernel kernel, size_t bytes) {
  if (bytes <= 48 * 1024)
    return CUSEQ_STATUS_OK;
  return launch_result(
      stream, name,
      cudaFuncSetAttribute((const void *)kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, (int)bytes));
}

#endif
