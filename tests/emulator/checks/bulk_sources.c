/* Shared memory that a bulk copy to global memory reads: nobody may write it until the thread that asked
 * for the copy has waited for its group. Groups belong to a thread, group numbers count its commits. */
#include "order.h"
#include "races.h"
#include "report.h"

#include <stdlib.h>

struct emu_bulk_source {
  struct emu_bulk_source *next;
  uint32_t thread, group, offset, bytes;
};

struct emu_bulk_sources {
  struct emu_bulk_source *first;
  uint32_t commits[EMU_MAX_WARPS * EMU_LANES];
};

static void drop(struct emu_bulk_source **at) {
  struct emu_bulk_source *source = *at;
  *at = source->next;
  free(source);
}

void emu_bulk_sources_free(struct emu_shared_races *s) {
  while (s->sources && s->sources->first)
    drop(&s->sources->first);
  free(s->sources);
  s->sources = NULL;
}

static void mark(struct emu_shared_races *s, const struct emu_bulk_source *source, bool reads) {
  for (uint32_t i = source->offset / 4; i <= (source->offset + source->bytes - 1) / 4; i++)
    s->watched[i] = (uint8_t)(reads ? s->watched[i] | EMU_WATCH_SOURCE : s->watched[i] & ~EMU_WATCH_SOURCE);
}

void emu_order_bulk_reads(struct emu_warp *w, unsigned lane, uint32_t offset, uint32_t bytes) {
  struct emu_shared_races *s = w->block->races;
  if (!s || !w->launch->checks || !bytes || !emu_shared_watch(s))
    return;
  if (!s->sources && !(s->sources = calloc(1, sizeof *s->sources)))
    return;
  struct emu_bulk_source *source = malloc(sizeof *source);
  if (!source)
    return;
  uint32_t thread = w->index * EMU_LANES + lane;
  *source = (struct emu_bulk_source){s->sources->first, thread, s->sources->commits[thread], offset, bytes};
  s->sources->first = source;
  mark(s, source, true);
}

void emu_order_bulk_commit(struct emu_warp *w, uint32_t mask) {
  struct emu_bulk_sources *sources = w->block->races ? w->block->races->sources : NULL;
  EMU_FOR_LANES (lane, sources ? mask : 0)
    sources->commits[w->index * EMU_LANES + lane]++;
}

void emu_order_bulk_wait(struct emu_warp *w, uint32_t mask, uint32_t left) {
  struct emu_shared_races *s = w->block->races;
  struct emu_bulk_sources *sources = s ? s->sources : NULL;
  for (struct emu_bulk_source **at = sources ? &sources->first : NULL; at && *at;) {
    const struct emu_bulk_source *source = *at;
    uint32_t thread = source->thread;
    bool over = thread / EMU_LANES == w->index && mask >> thread % EMU_LANES & 1 &&
                (uint64_t)source->group + left < sources->commits[thread];
    if (!over) {
      at = &(*at)->next;
      continue;
    }
    mark(s, source, false);
    drop(at);
  }
  for (const struct emu_bulk_source *source = sources ? sources->first : NULL; source; source = source->next)
    mark(s, source, true);
}

bool emu_source_in_the_way(struct emu_warp *w, const struct emu_instruction *in, unsigned lane,
                           const struct emu_block *owner, uint32_t offset, unsigned bytes) {
  const struct emu_shared_races *s = owner->races;
  struct emu_dim3 d = w->launch->parameters.block;
  for (const struct emu_bulk_source *o = s->sources ? s->sources->first : NULL; o; o = o->next)
    if (offset < o->offset + o->bytes && o->offset < offset + bytes)
      return !emu_finding(w, in, lane,
                          "race: shared write of %u bytes at 0x%x, which a bulk copy by thread (%u,%u,%u) "
                          "still reads: it has not "
                          "been waited for",
                          bytes, offset, o->thread % d.x, o->thread / d.x % d.y, o->thread / d.x / d.y);
  return true;
}
