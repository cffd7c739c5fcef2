/* How launchers report: one line, SUBJECT: what is wrong (what was found, what is needed). */
#ifndef CUSEQ_KERNELS_LAUNCH_CHECK_CUH
#define CUSEQ_KERNELS_LAUNCH_CHECK_CUH

#include "launch.h"

#include <cuda_runtime.h>
#include <stdarg.h>
#include <stdio.h>

static inline cuseq_status launch_refuse(const struct launch_stream *stream, const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(stream->error, stream->error_capacity, format, arguments);
  va_end(arguments);
  return CUSEQ_STATUS_INVALID_ARGUMENT;
}

/* What a launch answered. */
static inline cuseq_status launch_result(const struct launch_stream *stream, const char *kernel,
                                         cudaError_t status) {
  if (status == cudaSuccess)
    return CUSEQ_STATUS_OK;
  snprintf(stream->error, stream->error_capacity, "%s: the launch failed (%s: %s)", kernel,
           cudaGetErrorName(status), cudaGetErrorString(status));
  return CUSEQ_STATUS_DEVICE_FAILED;
}

#endif
