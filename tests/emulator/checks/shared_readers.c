/* Who has read a word of shared memory since it was last written: one thread, which the shadow word itself
 * names, or lanes of several warps, which stand with their times in a table by warp and word. */
#include "races.h"

#include <stdlib.h>

static struct emu_lane_readers *entry_of(const struct emu_shared_races *s, uint32_t warp, uint32_t word) {
  return s->many + (size_t)warp * s->cells + word;
}

/* Lanes of a warp read, and earlier ones of the same warp may have: what is known to be over is forgotten.
 * Lanes that nothing orders share the earlier time. */
static inline void add_lanes(const struct emu_shared_races *s, uint32_t warp, unsigned lane, uint32_t lanes,
                             struct emu_lane_readers *entry, uint32_t since) {
  uint32_t others = entry->lanes & ~lanes;
  if (entry->time == s->time) {
    entry->lanes |= lanes;
    return;
  }
  if (entry->time >= since && entry->time > s->known[warp][warp])
    EMU_FOR_LANES (other, others)
      if (!emu_shared_knows(s, warp * EMU_LANES + lane, warp * EMU_LANES + other, entry->time)) {
        entry->lanes |= lanes;
        return;
      }
  *entry = (struct emu_lane_readers){s->time, lanes};
}

/* Whether nothing that was read before has to be kept. */
static bool reads_alone(const struct emu_shared_races *s, uint32_t me, uint32_t old, uint32_t bytes) {
  uint32_t time = old >> EMU_TIME_SHIFT, thread = old >> EMU_THREAD_SHIFT & EMU_THREAD_MASK;
  if (time <= s->floor || !(old & bytes))
    return true;
  return !(old & EMU_SHADOW_STRONG) && (thread == me || emu_shared_knows(s, me, thread, time));
}

static inline void add_reader(struct emu_shared_races *s, uint32_t warp, unsigned lane, uint32_t word,
                              uint32_t bytes, uint32_t all) {
  uint32_t old = s->readers[word], me = warp * EMU_LANES + lane;
  uint32_t thread = old >> EMU_THREAD_SHIFT & EMU_THREAD_MASK,
           now = s->time << EMU_TIME_SHIFT | me << EMU_THREAD_SHIFT;
  bool alone = reads_alone(s, me, old, bytes);
  if (alone && !all) {
    bool mine = !(old & EMU_SHADOW_STRONG) && thread == me;
    s->readers[word] = now | bytes | (mine ? old & EMU_SHADOW_BYTES : 0);
    return;
  }
  if (alone) {
    s->since[word] = s->time;
  } else if (!(old & EMU_SHADOW_STRONG)) {
    s->since[word] = old >> EMU_TIME_SHIFT;
    *entry_of(s, thread / EMU_LANES, word) =
        (struct emu_lane_readers){old >> EMU_TIME_SHIFT, 1u << thread % EMU_LANES};
  }
  add_lanes(s, warp, lane, all ? all : 1u << lane, entry_of(s, warp, word), s->since[word]);
  s->readers[word] = now | EMU_SHADOW_STRONG | (alone ? bytes : old & bytes);
}

static bool has_table(struct emu_shared_races *s) {
  if (!s->many)
    s->many = calloc((size_t)s->warp_count * s->cells, sizeof *s->many);
  return s->many != NULL;
}

void emu_shared_add_reader(struct emu_shared_races *s, uint32_t warp, unsigned lane, uint32_t word,
                           uint32_t bytes, uint32_t all) {
  emu_recent_add(s, s->read, emu_word_of_cell(s, word), emu_word_of_cell(s, word) + 1);
  if (has_table(s))
    add_reader(s, warp, lane, word, bytes, all);
}

void emu_shared_add_row(struct emu_shared_races *s, uint32_t warp, uint32_t word, unsigned count,
                        unsigned per) {
  struct emu_lane_readers *entries = has_table(s) ? entry_of(s, warp, word) : NULL;
  uint32_t known = s->known[warp][warp], now = s->time;
  emu_recent_add(s, s->read, word, word + count);
  for (unsigned i = 0; entries && i < count; i++) {
    unsigned lane = per == 1 ? i : i / per;
    uint32_t old = s->readers[word + i], bit = 1u << lane;
    struct emu_lane_readers *e = &entries[i];
    bool over = e->time <= known || e->time < s->since[word + i] || !(e->lanes & ~bit);
    if (!(old & EMU_SHADOW_STRONG) || old >> EMU_TIME_SHIFT <= s->floor || (e->time != now && !over)) {
      add_reader(s, warp, lane, word + i, EMU_SHADOW_BYTES, 0);
      continue;
    }
    *e = (struct emu_lane_readers){now, e->time == now ? e->lanes | bit : bit};
    s->readers[word + i] = now << EMU_TIME_SHIFT | (warp * EMU_LANES + lane) << EMU_THREAD_SHIFT | (old & 31);
  }
}

bool emu_shared_each_reader(const struct emu_shared_races *s, uint32_t word,
                            bool (*visit)(void *context, uint32_t thread, uint32_t time), void *context) {
  uint32_t reader = s->readers[word];
  if (!reader)
    return false;
  if (!(reader & EMU_SHADOW_STRONG))
    return visit(context, reader >> EMU_THREAD_SHIFT & EMU_THREAD_MASK, reader >> EMU_TIME_SHIFT);
  for (uint32_t v = 0; v < s->warp_count; v++) {
    const struct emu_lane_readers *entry = entry_of(s, v, word);
    EMU_FOR_LANES (lane, entry->time >= s->since[word] ? entry->lanes : 0)
      if (visit(context, v * EMU_LANES + lane, entry->time))
        return true;
  }
  return false;
}
