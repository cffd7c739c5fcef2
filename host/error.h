/* The text of the last error, one per thread. */
#ifndef CUSEQ_HOST_ERROR_H
#define CUSEQ_HOST_ERROR_H

#include "cuseq/cuseq.h"

/* Stores one line (cut at 1023 bytes; control characters, which names from files may hold, become '?') as
 * this thread's last error. The line has the form "SUBJECT: what is wrong (found, needed)". */
void error_store(const char *format, ...) __attribute__((format(printf, 1, 2)));

static inline cuseq_status error_status(cuseq_status status) {
  return status;
}

/* error_set(status, format, ...) stores the line and is `status`. A macro, so that an analyser sees which. */
#define error_set(status, ...) (error_store(__VA_ARGS__), error_status(status))

/* The same where memory is not there and there is nothing more to say of it. */
static inline cuseq_status error_out_of_memory(void) {
  return error_set(CUSEQ_STATUS_OUT_OF_MEMORY, "out of memory");
}

/* Puts "prefix: " in front of this thread's last error and returns `status`: how a caller adds the file's
 * name. */
cuseq_status error_prefix(cuseq_status status, const char *prefix);

/* This thread's last error, "" before the first. */
const char *error_text(void);

/* Returns from the calling function with the status of `call` unless it is CUSEQ_STATUS_OK. */
#define TRY(call)                                                                                            \
  do {                                                                                                       \
    cuseq_status try_status_ = (call);                                                                       \
    if (try_status_ != CUSEQ_STATUS_OK)                                                                      \
      return try_status_;                                                                                    \
  } while (0)

/* The same for a function that owns things: stores the status in `status` and goes to the label `cleanup`. */
#define TRY_CLEANUP(call)                                                                                    \
  do {                                                                                                       \
    status = (call);                                                                                         \
    if (status != CUSEQ_STATUS_OK)                                                                           \
      goto cleanup;                                                                                          \
  } while (0)

#endif
