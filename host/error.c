#include "error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { ERROR_CAPACITY = 1024 };

static _Thread_local char error_line[ERROR_CAPACITY];

static void error_clean(void) {
  for (char *c = error_line; *c; c++)
    if ((unsigned char)*c < 0x20 || *c == 0x7f)
      *c = '?';
}

void error_store(const char *format, ...) {
  char line[ERROR_CAPACITY]; /* an argument may be the last error itself */
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(line, sizeof line, format, arguments);
  va_end(arguments);
  memcpy(error_line, line, sizeof line);
  error_clean();
}

cuseq_status error_prefix(cuseq_status status, const char *prefix) {
  return error_set(status, "%s: %s", prefix, error_line);
}

const char *error_text(void) {
  return error_line;
}
