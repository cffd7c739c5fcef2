#include "backends/backend.h"
#include "error.h"

cuseq_status backend_fault_report(uint64_t fault, const char *earlier) {
  static const char *const names[] = {
      [BACKEND_STAGE_ENCODER] = "encoder states", [BACKEND_STAGE_MERGE] = "annotations",
      [BACKEND_STAGE_ENERGIES] = "energies",      [BACKEND_STAGE_CONTEXT] = "contexts",
      [BACKEND_STAGE_DECODER] = "decoder states", [BACKEND_STAGE_OUTPUTS] = "outputs"};
  if (fault == BACKEND_NO_FAULT)
    return CUSEQ_STATUS_OK;
  return error_set(
      CUSEQ_STATUS_NON_FINITE,
      "%s%s: row %lld leaves the range of float32 (found an infinity or nan, needed finite numbers)", earlier,
      names[fault & 0xff], (long long)(fault >> 32));
}
