#include "cli/message.h"

#include "error.h"
#include "rlimits.h"

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

/* Where memory did not suffice and a limit of it is set, the line ends with that limit. */
int fail_status(cuseq_status status, const char *text) {
  struct rlimits_text limit;
  if (status == CUSEQ_STATUS_OUT_OF_MEMORY && !strstr(text, "(ulimit ") &&
      rlimits_name_memory(UINT64_MAX, &limit))
    fail("%s; %s", text, limit.text);
  else
    fail("%s", text);
  return exit_status(status);
}

int fail_library(cuseq_status status) {
  return fail_status(status, cuseq_last_error());
}

int fail_file(cuseq_status status) {
  return fail_status(status, error_text());
}

int fail_memory(void) {
  return fail_status(CUSEQ_STATUS_OUT_OF_MEMORY,
                     "memory: there is not enough for this input (smaller arrays needed)");
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
