/* Errors: Triton's, made of lines of this backend or of the library. A function that can fail returns NULL or
 * an error, which its caller owns. */
#ifndef CUSEQ_SERVING_FAULT_H
#define CUSEQ_SERVING_FAULT_H

#include "api.h"

#include "cuseq/cuseq.h"

/* Returns what went wrong to the caller. */
#define TRY(call)                                                                                            \
  do {                                                                                                       \
    TRITONSERVER_Error *try_error = (call);                                                                  \
    if (try_error)                                                                                           \
      return try_error;                                                                                      \
  } while (0)

/* One line, "SUBJECT: what is wrong (found, needed)". */
TRITONSERVER_Error *fault(TRITONSERVER_Error_Code code, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* What the library said last, which returned `status`; NULL for CUSEQ_STATUS_OK.
 *   subject  stands in front, "SUBJECT: "; NULL: nothing does */
TRITONSERVER_Error *fault_library(cuseq_status status, const char *subject);

TRITONSERVER_Error *fault_memory(const char *subject);

/* Frees an error that nobody can be told. */
void fault_drop(TRITONSERVER_Error *error);

#endif
