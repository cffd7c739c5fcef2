#include "backends/cpu/arena.h"

enum { ARENA_LINE = 64 };

void *arena_take(struct cpu_arena *arena, size_t count1, size_t count2, size_t size) {
  size_t bytes, end;
  if (__builtin_mul_overflow(count1, count2, &bytes) || __builtin_mul_overflow(bytes, size, &bytes) ||
      __builtin_add_overflow(bytes, (size_t)ARENA_LINE - 1, &bytes) ||
      __builtin_add_overflow(arena->used, bytes & ~(size_t)(ARENA_LINE - 1), &end)) {
    arena->overflow = true;
    return NULL;
  }
  void *taken = arena->base ? arena->base + arena->used : NULL;
  arena->used = end;
  return taken;
}

float *arena_floats(struct cpu_arena *arena, size_t count1, size_t count2) {
  return arena_take(arena, count1, count2, sizeof(float));
}
