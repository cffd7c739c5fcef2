/* Races on global memory between threads of one block: one lane's access, word by word. */
#include "within_block.h"
#include "report.h"

#include <string.h>

void emu_touched_forget(struct emu_shared_races *s) {
  if (s->touched)
    memset(s->touched, 0, EMU_TOUCHED_LINES * sizeof *s->touched);
}

/* Whether nobody of the block has done that to the word, or only such as are ordered before a thread.
 * Otherwise *other is who has, or the first thread of his warp. */
static bool is_over(const struct emu_block *b, uint32_t me, const struct emu_touch *t, unsigned word,
                    uint32_t *other) {
  const struct emu_shared_races *s = b->races;
  if (t->time <= s->floor || !(t->words >> word & 1))
    return true;
  if (t->shift < EMU_SEVERAL) {
    *other = (uint32_t)(t->thread + (int)(word >> t->shift));
    return *other == me || emu_shared_knows(s, me, *other, t->time);
  }
  *other = t->warp * EMU_LANES;
  if (t->warp == me / EMU_LANES && t->shift == EMU_VAGUE)
    return true;
  for (uint32_t one = *other; one < *other + EMU_LANES && one < b->thread_count; one++)
    if (one != me && emu_shared_knows(s, me, one, t->time))
      return true;
  return false;
}

/* The same for the lane, or with EMU_ALL_OF_WARP all active ones; *lane becomes the one that it is not over
 * for. */
static bool is_over_for(const struct emu_warp *w, unsigned *lane, unsigned kind, const struct emu_touch *t,
                        unsigned word, uint32_t *other) {
  EMU_FOR_LANES (k, kind & EMU_ALL_OF_WARP ? w->active : 1u << *lane)
    if (!is_over(w->block, w->index * EMU_LANES + k, t, word, other)) {
      *lane = k;
      return false;
    }
  return true;
}

struct place {
  const struct emu_allocation *a;
  uint64_t offset;
  unsigned bytes;
};

static bool report(struct emu_warp *w, const struct emu_instruction *in, unsigned lane, const struct place *p,
                   bool write, bool written, const struct emu_touch *t, uint32_t other) {
  const struct emu_dim3 d = w->launch->parameters.block;
  char what[300];
  emu_allocation_describe(p->a, what, sizeof what);
  return !emu_finding(w, in, lane,
                      "race: global %s %u bytes at 0x%llx (%llu bytes into %s), not ordered after a %s by "
                      "%sthread (%u,%u,%u) of "
                      "the same block",
                      write ? "write of" : "read of", p->bytes, (unsigned long long)(p->a->base + p->offset),
                      (unsigned long long)p->offset, what, written ? "write" : "read",
                      t->shift >= EMU_SEVERAL ? "the warp of " : "", other % d.x, other / d.x % d.y,
                      other / d.x / d.y);
}

bool emu_race_within_block(struct emu_warp *w, const struct emu_instruction *in, unsigned lane,
                           const struct emu_allocation *a, uint64_t offset, unsigned bytes, unsigned kind) {
  struct emu_shared_races *s = w->block->races;
  const struct place p = {a, offset, bytes};
  const bool write = kind & EMU_WRITE;
  if (!s || w->block->thread_count == 1 || a->device_heap)
    return true;
  for (uint64_t i = (a->base + offset) / 4; i <= (a->base + offset + bytes - 1) / 4; i++) {
    const unsigned word = i % EMU_LINE_OF_GLOBAL;
    struct emu_touched_line *t = emu_touched_line(s, i / EMU_LINE_OF_GLOBAL);
    uint32_t other = 0;
    unsigned who = lane;
    if (!is_over_for(w, &who, kind, &t->wrote, word, &other) &&
        !emu_same_value(w, in, who, a->host + offset, bytes) &&
        !report(w, in, who, &p, write, true, &t->wrote, other))
      return false;
    if (write && !is_over_for(w, &who, kind, &t->read, word, &other) &&
        !report(w, in, who, &p, write, false, &t->read, other))
      return false;
    const bool all = kind & EMU_ALL_OF_WARP;
    const struct emu_touch now = {.time = s->time,
                                  .words = 1u << word,
                                  .thread = (int16_t)(w->index * EMU_LANES + (all ? 0 : lane - word)),
                                  .shift = all ? EMU_SEVERAL : 0,
                                  .warp = (uint8_t)w->index};
    if (bytes >= 4)
      emu_touch_add(write ? &t->wrote : &t->read, &now);
  }
  return true;
}
