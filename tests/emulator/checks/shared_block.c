/* What is known of the order between the threads of a block, from its start to its end. */
#include "order.h"
#include "read_log.h"
#include "within_block.h"

#include <stdlib.h>
#include <string.h>

static bool reserve_lines(struct emu_shared_races *s) {
  const uint32_t lines = s->words / EMU_LINE + 1;
  if (lines != s->lines) {
    free(s->wrote);
    s->wrote = malloc(2 * (size_t)lines * sizeof *s->wrote);
    s->lines = s->wrote ? lines : 0;
  }
  if (!s->wrote)
    return false;
  s->read = s->wrote + lines;
  memset(s->wrote, 0, 2 * (size_t)lines * sizeof *s->wrote);
  return true;
}

/* Frees what is made when a block first needs it. */
static void forget_block(struct emu_shared_races *s) {
  emu_shared_forget_lanes(s);
  for (uint32_t i = 0; s->pending && i < s->thread_count; i++)
    free(s->pending[i]);
  free(s->pending);
  free(s->threads);
  free(s->hidden);
  free(s->watched);
  free(s->copying);
  s->hidden = NULL;
  s->pending = NULL;
  s->threads = NULL;
  s->watched = NULL;
  s->copying = NULL;
  emu_publications_free(&s->published);
  emu_foreign_free(s);
  emu_inits_free(s);
  emu_bulk_sources_free(s);
  emu_awaited_copies_free(s);
}

bool emu_shared_block_start(struct emu_block *b) {
  struct emu_shared_races *s = b->races;
  if (!b->launch->checks)
    return true;
  if (!s) {
    s = b->races = calloc(1, sizeof *s);
    if (!s)
      return false;
  }
  bool bytes = s->cells > s->words && s->words == (b->shared_bytes + 3) / 4;
  s->words = (b->shared_bytes + 3) / 4;
  s->cells = bytes ? EMU_CELLS_OF_WORD * s->words : s->words;
  if (s->cells > s->capacity) {
    free(s->writers);
    s->writers = malloc(3 * (size_t)s->cells * sizeof *s->writers);
    s->capacity = s->writers ? s->cells : 0;
    if (!s->writers)
      return false;
  }
  s->readers = s->writers + s->cells;
  s->since = s->readers + s->cells;
  if (s->words)
    memset(s->writers, 0, 3 * (size_t)s->cells * sizeof *s->writers);
  if (!reserve_lines(s))
    return false;
  forget_block(s);
  /* Times go on from the block before, so that what its readers' table holds is too old to count. */
  if (s->warp_count != b->warp_count || s->many_cells != s->cells || s->time > EMU_TIMES / 2) {
    free(s->many);
    s->many = NULL;
    s->time = 0;
    emu_touched_forget(s);
  }
  if (!s->touched && !(s->touched = calloc(EMU_TOUCHED_LINES, sizeof *s->touched)))
    return false;
  if (s->log)
    s->log->used = 0;
  s->warp_count = b->warp_count;
  s->many_cells = s->cells;
  s->thread_count = b->thread_count;
  s->floor = s->time;
  s->time++;
  s->epoch = 0;
  memset(s->known, 0, s->warp_count * sizeof s->known[0]);
  memset(s->fenced, 0, s->warp_count * EMU_LANES * sizeof s->fenced[0]);
  s->fenced_warps = 0;
  memset(s->exchanged, 0, s->warp_count * EMU_LANES * sizeof s->exchanged[0]);
  return true;
}

void emu_shared_block_free(struct emu_block *b) {
  struct emu_shared_races *s = b->races;
  if (!s)
    return;
  forget_block(s);
  free(s->writers);
  free(s->wrote);
  free(s->touched);
  free(s->log);
  free(s->many);
  free(s);
  b->races = NULL;
}
