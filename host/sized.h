/* Structures of the public header that begin with their size: whatever version of the header a caller was
 * compiled with, the library sees its own. */
#ifndef CUSEQ_SIZED_H
#define CUSEQ_SIZED_H

#include "cuseq/cuseq.h"

/* What there is of such a structure in the library. */
struct sized {
  const char *name; /* "cuseq_decoding" */
  const char *init; /* what sets its size, "CUSEQ_DECODING_INIT" */
  size_t size;      /* here */
};

#define SIZED(structure, init)                                                                               \
  { #structure, init, sizeof(structure) }

/* Makes a caller's structure the defaults, as much as he has of them, and sets its size; what he has more is
 * zeroed.
 *   given     may be NULL: nothing is done
 *   size      of his structure
 *   defaults  of this version */
void sized_init(void *given, size_t size, const void *defaults, const struct sized *sized);

/* Reads a caller's structure.
 *   given  his, not NULL
 *   call   what messages name
 *   read   this version's, of sized->size bytes, with the defaults of what an older one lacks */
cuseq_status sized_read(const void *given, const struct sized *sized, const char *call, void *read);

/* Writes as much of this version's structure as the caller's has, but for its size; the rest of his is
 * zeroed. The size is one that sized_read takes. */
void sized_write(const void *made, const struct sized *sized, void *given);

#endif
