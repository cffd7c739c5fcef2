#include "backends/backend.h"
#include "error.h"
#include "model/words.h"

cuseq_status backend_precision_refused(const char *device, cuseq_precision precision, const char *reason) {
  return error_set(CUSEQ_STATUS_NOT_SUPPORTED, "cuseq_session_open: device %s has no precision %s: %s",
                   device, word_of(words_precision, (int)precision), reason);
}
