/* Races on shared memory: one lane's access against who accessed the words before. */
#include "races.h"
#include "report.h"

#include <string.h>

static bool report(struct emu_warp *w, const struct emu_instruction *in, unsigned lane, uint32_t offset,
                   unsigned bytes, unsigned kind, uint32_t word, bool written) {
  uint32_t thread = word >> EMU_THREAD_SHIFT & EMU_THREAD_MASK;
  struct emu_dim3 d = w->launch->parameters.block;
  const char *name = (kind & EMU_READ_WRITE) == EMU_READ_WRITE ? "atomic operation on"
                     : kind & EMU_WRITE                        ? "write of"
                                                               : "read of";
  return !emu_finding(
      w, in, lane, "race: shared %s %u bytes at 0x%x, not ordered after a %s by thread (%u,%u,%u)", name,
      bytes, offset, written ? "write" : "read", thread % d.x, thread / d.x % d.y, thread / d.x / d.y);
}

/* Whether what one thread did is ordered before the lane, or before all lanes of the warp. */
static bool single_ordered(const struct emu_shared_races *s, struct emu_warp *w, unsigned lane, uint32_t word,
                           bool all) {
  uint32_t thread = word >> EMU_THREAD_SHIFT & EMU_THREAD_MASK, time = word >> EMU_TIME_SHIFT,
           me = w->index * EMU_LANES + lane;
  if (!all)
    return thread == me || emu_shared_knows(s, me, thread, time);
  EMU_FOR_LANES (k, w->active) {
    uint32_t one = w->index * EMU_LANES + k;
    if (thread != one && !emu_shared_knows(s, one, thread, time))
      return false;
  }
  return true;
}

enum verdict { ORDERED, UNORDERED, UNKNOWN };

/* Several threads have read, the last at the word's time. Which of them is not known beyond their warps. */
static enum verdict many_ordered(const struct emu_shared_races *s, struct emu_warp *w, uint32_t word,
                                 uint32_t warps) {
  uint32_t time = word >> EMU_TIME_SHIFT;
  bool ordered = true, apart = s->threads || s->lanes[w->index];
  EMU_FOR_LANES (v, warps) {
    ordered = ordered && time <= s->known[w->index][v];
    apart = apart || (s->known[w->index][v] > s->floor && v != w->index);
  }
  if (ordered)
    return ORDERED;
  return apart && time > s->floor ? UNKNOWN : UNORDERED;
}

static enum verdict readers_ordered(const struct emu_shared_races *s, struct emu_warp *w, unsigned lane,
                                    uint32_t i) {
  uint32_t word = s->readers[i];
  if (!word)
    return ORDERED;
  if (word & EMU_SHADOW_STRONG)
    return many_ordered(s, w, word, s->reader_warps[i]);
  return single_ordered(s, w, lane, word, false) ? ORDERED : UNORDERED;
}

/* Of several readers only the bytes that all of them have read are kept: which of them read the others is
 * not known. */
static void add_reader(struct emu_shared_races *s, struct emu_warp *w, unsigned lane, uint32_t i,
                       uint32_t mask, bool all) {
  uint32_t old = s->readers[i], thread = w->index * EMU_LANES + lane, warps = 1u << w->index;
  uint32_t word = s->time << EMU_TIME_SHIFT | thread << EMU_THREAD_SHIFT;
  bool alone = readers_ordered(s, w, lane, i) == ORDERED || !(old & mask);
  if (alone && !all) {
    bool mine = !(old & EMU_SHADOW_STRONG) && (old >> EMU_THREAD_SHIFT & EMU_THREAD_MASK) == thread;
    s->readers[i] = word | mask | (mine ? old & EMU_SHADOW_BYTES : 0);
    return;
  }
  if (!alone)
    warps |= old & EMU_SHADOW_STRONG ? s->reader_warps[i] : 1u << (old >> (EMU_THREAD_SHIFT + 5) & 31);
  s->reader_warps[i] = warps;
  s->readers[i] = word | EMU_SHADOW_STRONG | (alone ? mask : old & mask);
}

bool emu_race_shared(struct emu_warp *w, const struct emu_instruction *in, unsigned lane, uint32_t offset,
                     unsigned bytes, unsigned kind) {
  struct emu_shared_races *s = w->block->races;
  bool strong = kind & EMU_STRONG, all = kind & EMU_ALL_OF_WARP;
  uint32_t last = (offset + bytes - 1) / 4;
  for (uint32_t i = offset / 4; i <= last; i++) {
    uint32_t from = i * 4 > offset ? i * 4 : offset,
             to = i * 4 + 4 < offset + bytes ? i * 4 + 4 : offset + bytes;
    uint32_t mask = ((1u << (to - from)) - 1) << (from - i * 4);
    uint32_t writer = s->writers[i], reader = s->readers[i];
    bool same = w->storing && !memcmp(w->block->shared + offset, w->storing, bytes);
    if (!same && writer & mask && !(strong && writer & EMU_SHADOW_STRONG) &&
        !single_ordered(s, w, lane, writer, all) && !report(w, in, lane, offset, bytes, kind, writer, true))
      return false;
    if (!(kind & EMU_WRITE)) {
      if (!strong) /* strong reads race with weak writes only, which these are reported at */
        add_reader(s, w, lane, i, mask, all);
      continue;
    }
    if (reader & mask && readers_ordered(s, w, lane, i) == UNORDERED &&
        !report(w, in, lane, offset, bytes, kind, reader, false))
      return false;
    uint32_t word = s->time << EMU_TIME_SHIFT | (w->index * EMU_LANES + lane) << EMU_THREAD_SHIFT | mask;
    s->writers[i] = word | (strong ? EMU_SHADOW_STRONG : 0);
  }
  return true;
}
