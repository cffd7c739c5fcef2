#include "fault.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { LINE = 1024 };

TRITONSERVER_Error *fault(TRITONSERVER_Error_Code code, const char *format, ...) {
  char line[LINE];
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(line, sizeof line, format, arguments);
  va_end(arguments);
  for (char *at = line; *at; at++) /* names are a stranger's; the line stays one line */
    if ((unsigned char)*at < 0x20 || *at == 0x7F)
      *at = '?';
  return TRITONSERVER_ErrorNew(code, line);
}

static TRITONSERVER_Error_Code code_of(cuseq_status status) {
  switch (status) {
  case CUSEQ_STATUS_INVALID_ARGUMENT:
  case CUSEQ_STATUS_INVALID_FILE:
  case CUSEQ_STATUS_INVALID_MODEL:
  case CUSEQ_STATUS_NON_FINITE:
    return TRITONSERVER_ERROR_INVALID_ARG;
  case CUSEQ_STATUS_IO:
  case CUSEQ_STATUS_NO_DEVICE:
    return TRITONSERVER_ERROR_NOT_FOUND;
  case CUSEQ_STATUS_OUT_OF_MEMORY:
    return TRITONSERVER_ERROR_UNAVAILABLE;
  case CUSEQ_STATUS_NOT_SUPPORTED:
    return TRITONSERVER_ERROR_UNSUPPORTED;
  case CUSEQ_STATUS_OK:
  case CUSEQ_STATUS_DEVICE_FAILED:
    break;
  }
  return TRITONSERVER_ERROR_INTERNAL;
}

TRITONSERVER_Error *fault_library(cuseq_status status, const char *subject) {
  if (status == CUSEQ_STATUS_OK)
    return NULL;
  const char *line = cuseq_last_error();
  if (!subject)
    return fault(code_of(status), "%s", line);
  if (strncmp(line, "text: ", 6) == 0) /* the subject says which */
    line += 6;
  return fault(code_of(status), "%s: %s", subject, line);
}

TRITONSERVER_Error *fault_memory(const char *subject) {
  return fault(TRITONSERVER_ERROR_UNAVAILABLE, "%s: out of memory", subject);
}

void fault_drop(TRITONSERVER_Error *error) {
  if (error)
    TRITONSERVER_ErrorDelete(error);
}
