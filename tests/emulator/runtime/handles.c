#include "runtime.h"

#include <stdlib.h>

/* An open-addressed table of live handles; erased entries keep kind 0 and a key, so that chains stay whole.
 */
struct entry {
  const void *handle;
  enum emu_handle_kind kind;
};
static struct entry *table;
static size_t capacity, used, count[EMU_HANDLE_KINDS];

static size_t place(const struct entry *in, size_t size, const void *handle) {
  size_t at = ((uintptr_t)handle >> 4) * 0x9e3779b97f4a7c15u % size;
  while (in[at].handle && in[at].handle != handle)
    at = (at + 1) % size;
  return at;
}

static void grow(void) {
  size_t live = 1, size;
  for (size_t i = 0; i < capacity; i++)
    live += table[i].kind != 0;
  size = live * 4 + 61;
  struct entry *next = emu_need(size * sizeof *next);
  for (size_t i = 0; i < capacity; i++)
    if (table[i].kind)
      next[place(next, size, table[i].handle)] = table[i];
  free(table);
  table = next;
  capacity = size;
  used = live - 1;
}

void emu_handle_add(const void *handle, enum emu_handle_kind kind) {
  if ((used + 1) * 2 > capacity)
    grow();
  size_t at = place(table, capacity, handle);
  if (!table[at].handle)
    used++;
  table[at] = (struct entry){handle, kind};
  count[kind]++;
}

void emu_handle_remove(const void *handle) {
  size_t at = capacity ? place(table, capacity, handle) : 0;
  if (capacity && table[at].kind) {
    count[table[at].kind]--;
    table[at].kind = 0;
  }
}

bool emu_handle_is(const void *handle, enum emu_handle_kind kind) {
  return handle && capacity && table[place(table, capacity, handle)].kind == kind;
}

void *emu_handle_at(enum emu_handle_kind kind, size_t index) {
  for (size_t i = 0; i < capacity; i++)
    if (table[i].kind == kind && index-- == 0)
      return (void *)(uintptr_t)table[i].handle;
  return NULL;
}

size_t emu_handle_count(enum emu_handle_kind kind) {
  return count[kind];
}
