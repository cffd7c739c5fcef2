/* Races on global memory between threads of one block.
 *
 * A table remembers, of the lines of global memory that a block has accessed since the last barrier of all
 * its threads, the last write and the last read: which words, by which threads, when. Lines push each other
 * out of it, and of a line that warps access by turns the latest remains; so some races go unseen, but what
 * is reported is one. Accesses to whole words are remembered, strong reads (atomic and volatile ones) not. */
#ifndef EMU_WITHIN_BLOCK_H
#define EMU_WITHIN_BLOCK_H

#include "races.h"

enum { EMU_TOUCHED_LINES = 512, EMU_LINE_OF_GLOBAL = 32, EMU_ONE_THREAD = 29, EMU_SEVERAL, EMU_VAGUE };

/* Of word k it was thread `thread` + (k >> shift); where shift is EMU_SEVERAL, at least two threads of the
 * warp that begins with `thread`; where it is EMU_VAGUE, one or more of them. Of a line that is new in the
 * table there are no words. */
struct emu_touch {
  uint32_t time, words; /* a bit per word */
  int16_t thread;
  uint8_t shift, warp;
};

struct emu_touched_line {
  uint64_t line;
  struct emu_touch wrote, read, strong; /* strong: writes by atomic and volatile accesses */
};

static inline struct emu_touched_line *emu_touched_line(struct emu_shared_races *s, uint64_t line) {
  struct emu_touched_line *t = &s->touched[(line ^ line >> 9) % EMU_TOUCHED_LINES];
  if (t->line != line)
    *t = (struct emu_touched_line){.line = line};
  return t;
}

/* Whether an access of a warp to words of a line needs no closer look at an earlier one. */
static inline bool emu_touch_is_over(const struct emu_shared_races *s, const struct emu_touch *t,
                                     const struct emu_touch *now) {
  return t->time <= s->floor || !(t->words & now->words) ||
         (t->thread == now->thread && t->shift == now->shift) || t->time <= s->known[now->warp][t->warp];
}

/* An access beside others of the same warp at the same time: it fits their shape, or all are one thread's, or
 * several threads' to the same words; otherwise it is forgotten which threads it was. */
static inline void emu_touch_reconcile(struct emu_touch *t, const struct emu_touch *now) {
  const unsigned word = (unsigned)__builtin_ctz(now->words), before = (unsigned)__builtin_ctz(t->words);
  const int owner = now->thread + (int)(word >> now->shift);
  const bool one = !(now->words & (now->words - 1)) && now->shift < EMU_SEVERAL && t->shift < EMU_SEVERAL;
  if ((one && t->thread + (int)(word >> t->shift) == owner) ||
      (t->shift == EMU_SEVERAL && !(now->words & ~t->words)))
    return;
  const bool same = one && !(t->words & (t->words - 1)) && t->thread + (int)(before >> t->shift) == owner;
  const bool several = one && t->words == now->words;
  t->thread = (int16_t)(same ? owner : now->warp * EMU_LANES);
  t->shift = same ? EMU_ONE_THREAD : several ? EMU_SEVERAL : EMU_VAGUE;
}

static inline void emu_touch_add(struct emu_touch *t, const struct emu_touch *now) {
  if (t->warp != now->warp || t->time != now->time || !t->words) {
    *t = *now;
    return;
  }
  if (t->thread != now->thread || t->shift != now->shift)
    emu_touch_reconcile(t, now);
  t->words |= now->words;
}

/* Lanes from `lane` on access 4 << shift bytes each, side by side: noted; false if it wants a closer look.
 * With EMU_SEVERAL all lanes of the warp read the same. */
static inline bool emu_touch_run(struct emu_warp *w, uint64_t first, unsigned all, unsigned shift,
                                 unsigned lane, bool write) {
  struct emu_shared_races *s = w->block->races;
  const uint64_t word = first / 4, end = word + all / 4;
  const int64_t me = (int64_t)w->index * EMU_LANES + lane;
  if (w->block->thread_count == 1)
    return true;
  for (uint64_t line = word / EMU_LINE_OF_GLOBAL; line <= (end - 1) / EMU_LINE_OF_GLOBAL; line++) {
    const uint64_t begin = line * EMU_LINE_OF_GLOBAL;
    const unsigned from = word > begin ? (unsigned)(word - begin) : 0,
                   to = end - begin < EMU_LINE_OF_GLOBAL ? (unsigned)(end - begin) : EMU_LINE_OF_GLOBAL;
    const int64_t thread = shift == EMU_SEVERAL ? me : me + ((int64_t)(begin - word) >> shift);
    const struct emu_touch now = {.time = s->time,
                                  .words = UINT32_MAX << from & UINT32_MAX >> (EMU_LINE_OF_GLOBAL - to),
                                  .thread = (int16_t)thread,
                                  .shift = (uint8_t)shift,
                                  .warp = (uint8_t)w->index};
    struct emu_touched_line *t = emu_touched_line(s, line);
    if (!emu_touch_is_over(s, &t->wrote, &now) || !emu_touch_is_over(s, &t->strong, &now) ||
        (write && !emu_touch_is_over(s, &t->read, &now)))
      return false;
    emu_touch_add(write ? &t->wrote : &t->read, &now);
  }
  return true;
}

/* One lane's access, with a report. False after one that ends the launch. */
bool emu_race_within_block(struct emu_warp *w, const struct emu_instruction *in, unsigned lane,
                           const struct emu_allocation *a, uint64_t offset, unsigned bytes, unsigned kind,
                           bool strong);
/* Times start again. */
void emu_touched_forget(struct emu_shared_races *s);

#endif
