#include "extension.h"

PyObject *raise_status(const struct extension *extension, cuseq_status status) {
  const int known =
      (int)status > 0 && (int)status < STATUS_COUNT ? (int)status : CUSEQ_STATUS_INVALID_ARGUMENT;
  PyErr_SetString(extension->errors[known], cuseq_last_error());
  return NULL;
}
