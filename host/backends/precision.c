#include "backends/backend.h"
#include "error.h"

cuseq_status backend_precision_refused(const char *device, cuseq_precision precision, const char *reason) {
  static const char *const names[] = {[CUSEQ_PRECISION_FLOAT32] = "float32",
                                      [CUSEQ_PRECISION_TF32] = "tf32",
                                      [CUSEQ_PRECISION_BF16] = "bf16"};
  return error_set(CUSEQ_STATUS_NOT_SUPPORTED, "cuseq_session_open: device %s has no precision %s: %s",
                   device, names[precision], reason);
}
