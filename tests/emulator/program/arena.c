#include "arena.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { CHUNK_BYTES = 256 * 1024, ALIGNMENT = 64 };

struct chunk {
  struct chunk *next;
};

struct emu_arena {
  struct chunk *chunks;
  unsigned char *free;
  size_t left;
};

struct emu_arena *emu_arena_create(void) {
  return calloc(1, sizeof(struct emu_arena));
}

void emu_arena_destroy(struct emu_arena *arena) {
  if (!arena)
    return;
  for (struct chunk *c = arena->chunks; c;) {
    struct chunk *next = c->next;
    free(c);
    c = next;
  }
  free(arena);
}

static void *allocate_aligned(struct emu_arena *arena, size_t bytes, size_t alignment) {
  if (bytes > SIZE_MAX / 2)
    return NULL;
  size_t skip = (size_t)(-(uintptr_t)arena->free & (alignment - 1));
  if (!arena->free || bytes + skip > arena->left) {
    size_t need = bytes + 2 * ALIGNMENT;
    size_t size = need > CHUNK_BYTES ? need : CHUNK_BYTES;
    struct chunk *c = calloc(1, size);
    if (!c)
      return NULL;
    c->next = arena->chunks;
    arena->chunks = c;
    arena->free = (unsigned char *)c + sizeof *c;
    arena->left = size - sizeof *c;
    skip = (size_t)(-(uintptr_t)arena->free & (alignment - 1));
  }
  void *result = arena->free + skip;
  arena->free += skip + bytes;
  arena->left -= skip + bytes;
  return result;
}

void *emu_arena_allocate(struct emu_arena *arena, size_t bytes) {
  return allocate_aligned(arena, bytes, bytes < ALIGNMENT / 2 ? 16 : ALIGNMENT);
}

const char *emu_arena_text(struct emu_arena *arena, const char *text, size_t length) {
  char *copy = allocate_aligned(arena, length + 1, 1);
  if (copy)
    memcpy(copy, text, length);
  return copy;
}

void *emu_arena_grow(struct emu_arena *arena, void *array, size_t bytes, size_t count, size_t *capacity) {
  if (count < *capacity)
    return array;
  size_t wanted = *capacity ? *capacity * 2 : 16;
  void *grown = emu_arena_allocate(arena, wanted * bytes);
  if (!grown)
    return NULL;
  if (*capacity)
    memcpy(grown, array, *capacity * bytes);
  *capacity = wanted;
  return grown;
}
