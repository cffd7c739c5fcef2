/* What the program says on stderr, and the status it ends with. */
#ifndef CUSEQ_CLI_MESSAGE_H
#define CUSEQ_CLI_MESSAGE_H

#include "cuseq/cuseq.h"

enum {
  EXIT_DONE = 0,
  EXIT_MISSED = 1,  /* a comparison missed its tolerance                                                  */
  EXIT_USER = 2,    /* the user can mend it                                                               */
  EXIT_MACHINE = 3, /* the device or the machine failed                                                   */
  EXIT_INTERRUPTED = 130,
};

/* Says a line of the library's or a file's, and the limit of memory where that did not suffice. Returns the
 * exit status. */
int fail_status(cuseq_status status, const char *text);

/* Each prints one line, "cuseq: ...", with control characters as '?', and returns the exit status that fits.
 * fail: what the format says, EXIT_USER. fail_library: the library's last error. fail_file: the last error of
 * the program's own formats. */
int fail(const char *format, ...) __attribute__((format(printf, 1, 2)));
int fail_library(cuseq_status status);
int fail_file(cuseq_status status);
int fail_memory(void);

/* The exit status for a library status. */
int exit_status(cuseq_status status);

/* A line for the user's information. */
void note(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Flushes stdout; EXIT_USER with a message when something could not be written (a full disk, a closed pipe),
 * once. */
int stdout_check(void);

#endif
