/* Ctrl-C: the work stops at the next batch, and if that takes too long, at once;
 * output files that are not whole are removed. */
#ifndef CUSEQ_CLI_INTERRUPT_H
#define CUSEQ_CLI_INTERRUPT_H

#include <stdbool.h>

/* Catches SIGINT, SIGTERM and SIGHUP, where they are not ignored, and ignores SIGPIPE. */
void interrupt_install(void);

/* Whether one came. Commands ask after each batch and then leave through interrupt_status. */
bool interrupt_requested(void);

/* 128 + the signal: 130 for Ctrl-C. */
int interrupt_status(void);

/* What is said when the program is interrupted, "interrupted: 320 of 1000 pairs"; until it is set,
 * "interrupted". */
void interrupt_progress(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Prints that text and returns interrupt_status(). */
int interrupt_leave(void);

#endif
