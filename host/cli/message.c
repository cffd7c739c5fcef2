#include "cli/message.h"

#include "error.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static void say(const char *format, va_list arguments) {
  char line[2048];
  vsnprintf(line, sizeof line, format, arguments);
  for (char *c = line; *c; c++)
    if ((unsigned char)*c < 0x20 || *c == 0x7f)
      *c = '?';
  fflush(stdout); /* what was printed before stands before the message */
  fprintf(stderr, "cuseq: %s\n", line);
}

int fail(const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  say(format, arguments);
  va_end(arguments);
  return EXIT_USER;
}

void note(const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  say(format, arguments);
  va_end(arguments);
}

int exit_status(cuseq_status status) {
  switch (status) {
  case CUSEQ_STATUS_OK:
    return EXIT_DONE;
  case CUSEQ_STATUS_OUT_OF_MEMORY:
  case CUSEQ_STATUS_DEVICE_FAILED:
    return EXIT_MACHINE;
  case CUSEQ_STATUS_INVALID_ARGUMENT:
  case CUSEQ_STATUS_INVALID_FILE:
  case CUSEQ_STATUS_INVALID_MODEL:
  case CUSEQ_STATUS_IO:
  case CUSEQ_STATUS_NO_DEVICE:
  case CUSEQ_STATUS_NOT_SUPPORTED:
  case CUSEQ_STATUS_NON_FINITE:
    return EXIT_USER;
  }
  return EXIT_MACHINE;
}

int fail_library(cuseq_status status) {
  fail("%s", cuseq_last_error());
  return exit_status(status);
}

int fail_file(cuseq_status status) {
  fail("%s", error_text());
  return exit_status(status);
}

int fail_memory(void) {
  fail("memory: there is not enough for this input (smaller arrays needed)");
  return EXIT_MACHINE;
}

int stdout_check(void) {
  static int said;
  errno = 0;
  if (fflush(stdout) == 0 && !ferror(stdout))
    return EXIT_DONE;
  if (!said++)
    fail("stdout: cannot be written (%s)", errno ? strerror(errno) : "an earlier write failed");
  return EXIT_USER;
}
