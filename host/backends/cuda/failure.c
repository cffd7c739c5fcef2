#include "backends/cuda/cuda.h"

#include "error.h"

#include <string.h>

cuseq_status cuda_failure(cudaError_t error, const char *call) {
  int length = (int)strcspn(call, "(");
  if (error == cudaErrorMemoryAllocation)
    return error_set(CUSEQ_STATUS_OUT_OF_MEMORY, "cuda: out of memory (%.*s)", length, call);
  return error_set(CUSEQ_STATUS_DEVICE_FAILED, "cuda: %.*s failed (%s: %s)", length, call,
                   cudaGetErrorName(error), cudaGetErrorString(error));
}

cuseq_status cuda_launched(const struct cuda_session *session, cuseq_status status) {
  return status == CUSEQ_STATUS_OK ? status : error_set(status, "cuda: %s", session->error);
}
