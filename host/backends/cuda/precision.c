/* Which precisions a device's kernels have. */
#include "backends/cuda/cuda.h"

cuseq_status cuda_precision_check(const struct cuda_session *session, const char *device) {
  if (session->limits.precision == CUSEQ_PRECISION_FLOAT32)
    return CUSEQ_STATUS_OK;
  return backend_precision_refused(device, session->limits.precision,
                                   "the kernels of cuda compute in float32 (needed float32)");
}
