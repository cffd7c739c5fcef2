/* Memory that is given back all at once. */
#ifndef EMU_ARENA_H
#define EMU_ARENA_H

#include <stddef.h>

struct emu_arena;

/* NULL if the host has no memory. */
struct emu_arena *emu_arena_create(void);
void emu_arena_destroy(struct emu_arena *arena);
/* Zeroed, 64-byte aligned; NULL if the host has none. */
void *emu_arena_allocate(struct emu_arena *arena, size_t bytes);
/* A copy of `length` bytes with a NUL behind. */
const char *emu_arena_text(struct emu_arena *arena, const char *text, size_t length);
/* Grows an array whose elements are `bytes` wide so that index `count` exists: the new array, NULL if out
 * of memory. */
void *emu_arena_grow(struct emu_arena *arena, void *array, size_t bytes, size_t count, size_t *capacity);

#endif
