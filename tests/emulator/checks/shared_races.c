/* Races on shared memory: one lane's access against who accessed the words before. */
#include "read_log.h"
#include "report.h"

#include <string.h>

/* What an access is compared with, and the pair of threads that is not ordered. */
struct comparison {
  const struct emu_shared_races *s;
  uint32_t me, other;
};

static bool report(struct emu_warp *w, const struct emu_instruction *in, unsigned lane, uint32_t offset,
                   unsigned bytes, unsigned kind, uint32_t thread, bool written) {
  struct emu_dim3 d = w->launch->parameters.block;
  const char *name = (kind & EMU_READ_WRITE) == EMU_READ_WRITE ? "atomic operation on"
                     : kind & EMU_WRITE                        ? "write of"
                                                               : "read of";
  return !emu_finding(
      w, in, lane, "race: shared %s %u bytes at 0x%x, not ordered after a %s by thread (%u,%u,%u)", name,
      bytes, offset, written ? "write" : "read", thread % d.x, thread / d.x % d.y, thread / d.x / d.y);
}

/* The lane, or with `all` an active one of the warp, that the writer's access is not ordered before;
 * EMU_LANES if there is none. */
static unsigned unordered_lane(const struct emu_shared_races *s, const struct emu_warp *w, unsigned lane,
                               uint32_t writer, bool all) {
  uint32_t thread = writer >> EMU_THREAD_SHIFT & EMU_THREAD_MASK, time = writer >> EMU_TIME_SHIFT;
  if (time <= s->known[w->index][thread / EMU_LANES])
    return EMU_LANES;
  EMU_FOR_LANES (k, all ? w->active : 1u << lane) {
    uint32_t one = w->index * EMU_LANES + k;
    if (thread != one && !emu_shared_knows(s, one, thread, time))
      return k;
  }
  return EMU_LANES;
}

static bool is_unordered(void *context, uint32_t thread, uint32_t time) {
  struct comparison *c = context;
  c->other = thread;
  return thread != c->me && time > c->s->floor && !emu_shared_knows(c->s, c->me, thread, time);
}

/* A weak write that is ordered after all reads of the word: who is ordered after it is ordered after them. */
static void forget_readers(struct emu_shared_races *s, uint32_t word, uint32_t bytes) {
  if (!(s->readers[word] & EMU_SHADOW_BYTES & ~bytes))
    s->readers[word] = 0;
}

/* One word; `mask` says which of its bytes. */
static bool check_word(struct emu_warp *w, const struct emu_instruction *in, unsigned lane, uint32_t offset,
                       unsigned bytes, unsigned kind, uint32_t word, uint32_t mask) {
  struct emu_shared_races *s = w->block->races;
  bool strong = emu_is_strong(in, kind), all = kind & EMU_ALL_OF_WARP;
  uint32_t writer = s->writers[word];
  bool both = strong && writer & EMU_SHADOW_STRONG;
  if (writer & mask && (!both || in->flags & EMU_FLAG_FIRST_LOOK)) {
    unsigned apart = unordered_lane(s, w, lane, writer, all);
    uint32_t thread = writer >> EMU_THREAD_SHIFT & EMU_THREAD_MASK;
    if (apart < EMU_LANES && both)
      emu_note_first_look(w, in, apart, kind);
    else if (apart < EMU_LANES && !emu_same_value(w, in, apart, w->block->shared + offset, bytes) &&
             !report(w, in, apart, offset, bytes, kind, thread, true))
      return false;
  }
  if (!(kind & EMU_WRITE)) {
    if (!strong) /* strong reads race with weak writes only, which these are reported at */
      emu_shared_add_reader(s, w->index, lane, word, mask, all ? w->active : 0);
    return true;
  }
  struct comparison c = {.s = s, .me = w->index * EMU_LANES + lane};
  emu_shared_settle_words(s, word, 1);
  if (s->readers[word] & mask && emu_shared_each_reader(s, word, is_unordered, &c)) {
    if (!report(w, in, lane, offset, bytes, kind, c.other, false))
      return false;
  } else if (!strong) {
    forget_readers(s, word, mask);
  }
  s->last_write = s->time;
  s->writers[word] =
      s->time << EMU_TIME_SHIFT | c.me << EMU_THREAD_SHIFT | mask | (strong ? EMU_SHADOW_STRONG : 0);
  return true;
}

bool emu_race_shared(struct emu_warp *w, const struct emu_instruction *in, unsigned lane, uint32_t offset,
                     unsigned bytes, unsigned kind) {
  uint32_t last = (offset + bytes - 1) / 4;
  for (uint32_t i = offset / 4; i <= last; i++) {
    uint32_t from = i * 4 > offset ? i * 4 : offset,
             to = i * 4 + 4 < offset + bytes ? i * 4 + 4 : offset + bytes;
    uint32_t mask = ((1u << (to - from)) - 1) << (from - i * 4);
    if (!check_word(w, in, lane, offset, bytes, kind, i, mask))
      return false;
  }
  return true;
}
