/* One block of zeroed memory, cut up twice: a first pass over a NULL block adds up what is needed, a second
 * hands it out. Code that fills what it gets asks arena_real(). */
#ifndef CUSEQ_CPU_ARENA_H
#define CUSEQ_CPU_ARENA_H

#include "backends/cpu/kernels.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct cpu_arena {
  char *base;  /* NULL in the first pass                                                                   */
  size_t used; /* bytes, a multiple of 64                                                                  */
  bool overflow; /* more than can be counted was asked for */
};

/* count1 * count2 * size bytes on a 64-byte line; NULL in the first pass. */
void *arena_take(struct cpu_arena *arena, size_t count1, size_t count2, size_t size);

/* The same for floats. */
float *arena_floats(struct cpu_arena *arena, size_t count1, size_t count2);

static inline bool arena_real(const struct cpu_arena *arena) {
  return arena->base != NULL;
}

/* n rounded up to whole vectors of the widest instruction set. */
static inline size_t arena_padded(int32_t n) {
  return ((size_t)n + CPU_LANES - 1) / CPU_LANES * CPU_LANES;
}

#endif
