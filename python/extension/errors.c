#include "extension.h"

PyObject *raise_text(const struct extension *extension, cuseq_status status, const char *text) {
  const int known =
      (int)status > 0 && (int)status < STATUS_COUNT ? (int)status : CUSEQ_STATUS_INVALID_ARGUMENT;
  PyErr_SetString(extension->errors[known], text);
  return NULL;
}

PyObject *raise_status(const struct extension *extension, cuseq_status status) {
  return raise_text(extension, status, cuseq_last_error());
}
