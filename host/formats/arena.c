#include "formats/arena.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { BLOCK_SIZE = 1 << 16 };

struct arena_block {
  struct arena_block *next;
  size_t used;
  size_t capacity;
  max_align_t bytes[];
};

void *arena_allocate(struct arena *arena, size_t size) {
  if (size > SIZE_MAX / 2)
    return NULL;
  size = (size + sizeof(max_align_t) - 1) / sizeof(max_align_t) * sizeof(max_align_t);
  struct arena_block *block = arena->blocks;
  if (block == NULL || block->capacity - block->used < size) {
    size_t capacity = size > BLOCK_SIZE ? size : BLOCK_SIZE;
    block = malloc(sizeof *block + capacity);
    if (block == NULL)
      return NULL;
    *block = (struct arena_block){.next = arena->blocks, .capacity = capacity};
    arena->blocks = block;
  }
  void *bytes = (unsigned char *)block->bytes + block->used;
  block->used += size;
  memset(bytes, 0, size);
  return bytes;
}

char *arena_copy(struct arena *arena, const char *bytes, size_t size) {
  char *copy = arena_allocate(arena, size + 1);
  if (copy != NULL)
    memcpy(copy, bytes, size);
  return copy;
}

void arena_free(struct arena *arena) {
  while (arena->blocks != NULL) {
    struct arena_block *next = arena->blocks->next;
    free(arena->blocks);
    arena->blocks = next;
  }
}
