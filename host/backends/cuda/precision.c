/* Which precisions a device's kernels have: tf32 and bf16 where tensor cores have them. The products of the
 * encoder's mapping across SMs, and all that are launches of their own - x W, cells step by step, keys beyond
 * 16 units, values, queries, decoders' layers and outputs beyond one kernel -, are made so. Kernels that hold
 * a chain's weights in registers or a row's in a block have no such product, and stay float32. */
#include "backends/cuda/cuda.h"

cuseq_status cuda_precision_check(const struct cuda_session *session, const char *device) {
  cuseq_precision precision = session->limits.precision;
  if (precision == CUSEQ_PRECISION_FLOAT32 || session->device.tensor_cores)
    return CUSEQ_STATUS_OK;
  return backend_precision_refused(
      device, precision,
      session->device.architecture < 80
          ? "the device has no tensor cores for it (needed compute capability 8.0)"
          : "the build has no code for compute capability 8.0 or above, and so none for tensor cores");
}
