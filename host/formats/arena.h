/* Memory that is released all at once: the structures that a conversion builds. */
#ifndef CUSEQ_FORMATS_ARENA_H
#define CUSEQ_FORMATS_ARENA_H

#include <stddef.h>

struct arena {
  struct arena_block *blocks;
};

/* Zeroed memory, aligned for anything; NULL where there is none. It lives until arena_free. */
void *arena_allocate(struct arena *arena, size_t size);

/* A zero-terminated copy of bytes. */
char *arena_copy(struct arena *arena, const char *bytes, size_t size);

/* Releases everything; does nothing on a zeroed structure. */
void arena_free(struct arena *arena);

#endif
