/* Vectors by object: what was released there. */
#include "races.h"

#include <stdlib.h>
#include <string.h>

static size_t slot_of(const struct emu_publications *p, const void *object) {
  uint64_t h = (uint64_t)(uintptr_t)object * UINT64_C(0x9e3779b97f4a7c15);
  size_t i = (size_t)(h >> 20) & (p->capacity - 1);
  while (p->slots[i].object && p->slots[i].object != object)
    i = (i + 1) & (p->capacity - 1);
  return i;
}

static bool grow(struct emu_publications *p) {
  struct emu_publications bigger = {.count = p->count, .capacity = p->capacity ? p->capacity * 2 : 16};
  bigger.slots = calloc(bigger.capacity, sizeof *bigger.slots);
  if (!bigger.slots)
    return false;
  for (size_t i = 0; i < p->capacity; i++)
    if (p->slots[i].object)
      bigger.slots[slot_of(&bigger, p->slots[i].object)] = p->slots[i];
  free(p->slots);
  *p = bigger;
  return true;
}

uint32_t *emu_publication(struct emu_publications *p, const void *object, uint32_t length, bool make) {
  if (!make && !p->count)
    return NULL;
  if (make && 2 * (p->count + 1) > p->capacity && !grow(p))
    return NULL;
  struct emu_publication *slot = &p->slots[slot_of(p, object)];
  if (slot->object || !make)
    return slot->vector;
  slot->vector = calloc(length, sizeof *slot->vector);
  if (!slot->vector)
    return NULL;
  slot->object = object;
  p->count++;
  return slot->vector;
}

void emu_publications_move(struct emu_publications *p, const void *from, const void *to, uint32_t length) {
  uint32_t *old = emu_publication(p, from, length, false);
  uint32_t *new = old ? emu_publication(p, to, length, true) : NULL;
  if (!new)
    return;
  emu_vector_join(new, old, length);
  memset(old, 0, length * sizeof *old);
}

void emu_publications_free(struct emu_publications *p) {
  for (size_t i = 0; i < p->capacity; i++)
    free(p->slots[i].vector);
  free(p->slots);
  *p = (struct emu_publications){0};
}
