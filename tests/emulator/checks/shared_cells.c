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

void emu_shared_hide(struct emu_shared_races *s, uint32_t cell, uint32_t thread) {
  const uint32_t old = s->writers[cell];
  const bool strong = old & EMU_SHADOW_STRONG;
  if (old >> EMU_TIME_SHIFT <= s->floor || (strong && (old >> EMU_THREAD_SHIFT & EMU_THREAD_MASK) == thread))
    return;
  if (!s->hidden)
    s->hidden = calloc(2 * (size_t)s->cells + 1, sizeof *s->hidden);
  if (s->hidden)
    s->hidden[strong ? s->cells + cell : cell] = old;
}

/* The same entries in a table of `to` cells; NULL without host memory, or where there are none. */
static uint32_t *grown_hidden(const struct emu_shared_races *s, uint32_t to) {
  uint32_t *hidden = s->hidden ? calloc(2 * (size_t)to + 1, sizeof *hidden) : NULL;
  if (hidden) {
    memcpy(hidden, s->hidden, s->cells * sizeof *hidden);
    memcpy(hidden + to, s->hidden + s->cells, s->cells * sizeof *hidden);
  }
  return hidden;
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
  uint32_t *hidden = grown_hidden(s, to);
  free(s->hidden);
  free(s->writers);
  free(s->many);
  s->hidden = hidden;
  s->many = many;
  s->writers = entries;
  s->readers = entries + to;
  s->since = entries + 2 * (size_t)to;
  s->cells = s->capacity = s->many_cells = to;
  return true;
}
