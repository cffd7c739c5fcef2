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
                   unsigned kind, const char *done, const struct emu_touch *t, uint32_t other) {
  const struct emu_dim3 d = w->launch->parameters.block;
  char what[300];
  emu_allocation_describe(p->a, what, sizeof what);
  const char *name = (kind & EMU_READ_WRITE) == EMU_READ_WRITE ? "atomic operation on"
                     : kind & EMU_WRITE                        ? "write of"
                                                               : "read of";
  return !emu_finding(
      w, in, lane,
      "race: global %s %u bytes at 0x%llx (%llu bytes into %s), not ordered after a %s by "
      "%sthread (%u,%u,%u) of "
      "the same block",
      name, p->bytes, (unsigned long long)(p->a->base + p->offset), (unsigned long long)p->offset, what, done,
      t->shift >= EMU_SEVERAL ? "the warp of " : "", other % d.x, other / d.x % d.y, other / d.x / d.y);
}

/* One word against what others of the block did to it; false after a report that ends the launch. */
static bool check_word(struct emu_warp *w, const struct emu_instruction *in, unsigned lane,
                       const struct place *p, unsigned kind, bool strong, const struct emu_touched_line *t,
                       unsigned word) {
  uint32_t other = 0;
  unsigned who = lane;
  if (!is_over_for(w, &who, kind, &t->wrote, word, &other) &&
      !emu_same_value(w, in, who, p->a->host + p->offset, p->bytes) &&
      !report(w, in, who, p, kind, "write", &t->wrote, other))
    return false;
  if (!strong && !is_over_for(w, &who, kind, &t->strong, word, &other) &&
      !emu_same_value(w, in, who, p->a->host + p->offset, p->bytes) &&
      !report(w, in, who, p, kind, "strong write", &t->strong, other))
    return false;
  return !(kind & EMU_WRITE) || is_over_for(w, &who, kind, &t->read, word, &other) ||
         report(w, in, who, p, kind, "read", &t->read, other);
}

bool emu_race_within_block(struct emu_warp *w, const struct emu_instruction *in, unsigned lane,
                           const struct emu_allocation *a, uint64_t offset, unsigned bytes, unsigned kind,
                           bool strong) {
  struct emu_shared_races *s = w->block->races;
  const struct place p = {a, offset, bytes};
  const bool write = kind & EMU_WRITE;
  if (!s || w->block->thread_count == 1 || a->device_heap)
    return true;
  for (uint64_t i = (a->base + offset) / 4; i <= (a->base + offset + bytes - 1) / 4; i++) {
    const unsigned word = i % EMU_LINE_OF_GLOBAL;
    struct emu_touched_line *t = emu_touched_line(s, i / EMU_LINE_OF_GLOBAL);
    if (!check_word(w, in, lane, &p, kind, strong, t, word))
      return false;
    const bool all = kind & EMU_ALL_OF_WARP;
    const struct emu_touch now = {.time = s->time,
                                  .words = 1u << word,
                                  .thread = (int16_t)(w->index * EMU_LANES + (all ? 0 : lane - word)),
                                  .shift = all ? EMU_SEVERAL : 0,
                                  .warp = (uint8_t)w->index};
    if (bytes >= 4 && (write || !strong))
      emu_touch_add(strong ? &t->strong : write ? &t->wrote : &t->read, &now);
  }
  return true;
}
