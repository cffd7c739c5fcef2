/* The tables of what is watched in shared memory, and the entries that bytes of words have. */
#include "races.h"

#include <stdlib.h>
#include <string.h>

bool emu_shared_watch(struct emu_shared_races *s) {
  if (!s->watched)
    s->watched = calloc(s->words + (size_t)1, sizeof *s->watched);
  if (!s->copying)
    s->copying = calloc(s->words + (size_t)1, sizeof *s->copying);
  return s->watched && s->copying;
}

bool emu_shared_watch_bytes(struct emu_shared_races *s) {
  const uint32_t from = s->cells, to = EMU_CELLS_OF_WORD * s->words;
  if (from == to)
    return emu_shared_watch(s);
  uint32_t *entries = calloc(3 * (size_t)to, sizeof *entries);
  struct emu_lane_readers *many = s->many ? calloc((size_t)s->warp_count * to, sizeof *many) : NULL;
  if (!entries || (s->many && !many) || !emu_shared_watch(s)) {
    free(entries);
    free(many);
    return false;
  }
  memcpy(entries, s->writers, from * sizeof *entries);
  memcpy(entries + to, s->readers, from * sizeof *entries);
  memcpy(entries + 2 * (size_t)to, s->since, from * sizeof *entries);
  for (uint32_t w = 0; many && w < s->warp_count; w++)
    memcpy(many + (size_t)w * to, s->many + (size_t)w * from, from * sizeof *many);
  free(s->writers);
  free(s->many);
  s->many = many;
  s->writers = entries;
  s->readers = entries + to;
  s->since = entries + 2 * (size_t)to;
  s->cells = s->capacity = s->many_cells = to;
  return true;
}
