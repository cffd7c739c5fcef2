/* Who has read a word of shared memory since it was last written: one thread, which the shadow word itself names, or a row
 * that holds the lanes of each warp and when they read. */
#include "races.h"

#include <stdlib.h>
#include <string.h>

static struct emu_lane_readers *row_of(const struct emu_shared_races *s, uint32_t word) {
  return s->many + (size_t)(s->rows[word] - 1) * s->warp_count;
}

/* An empty row for the word; NULL without host memory. A word keeps its row as long as the block runs. */
static struct emu_lane_readers *begin_row(struct emu_shared_races *s, uint32_t word) {
  if (!s->rows[word]) {
    if (s->many_count == s->many_capacity) {
      uint32_t wanted = s->many_capacity ? s->many_capacity * 2 : 64;
      struct emu_lane_readers *grown = realloc(s->many, (size_t)wanted * s->warp_count * sizeof *grown);
      if (!grown)
        return NULL;
      s->many = grown;
      s->many_capacity = wanted;
    }
    s->rows[word] = ++s->many_count;
  }
  return memset(row_of(s, word), 0, s->warp_count * sizeof *s->many);
}

/* Lanes of a warp read, and earlier ones of the same warp may have: what is known to be over is forgotten. Lanes that nothing
 * orders share the earlier time. */
static void add_lanes(const struct emu_shared_races *s, uint32_t warp, unsigned lane, uint32_t lanes,
                      struct emu_lane_readers *entry) {
  uint32_t others = entry->lanes & ~lanes;
  if (entry->time == s->time) {
    entry->lanes |= lanes;
    return;
  }
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

void emu_shared_add_reader(struct emu_shared_races *s, const struct emu_warp *w, unsigned lane, uint32_t word,
                           uint32_t bytes, bool all) {
  uint32_t old = s->readers[word], me = w->index * EMU_LANES + lane;
  uint32_t thread = old >> EMU_THREAD_SHIFT & EMU_THREAD_MASK,
           now = s->time << EMU_TIME_SHIFT | me << EMU_THREAD_SHIFT;
  bool alone = reads_alone(s, me, old, bytes);
  if (alone && !all) {
    bool mine = !(old & EMU_SHADOW_STRONG) && thread == me;
    s->readers[word] = now | bytes | (mine ? old & EMU_SHADOW_BYTES : 0);
    return;
  }
  bool has_row = !alone && old & EMU_SHADOW_STRONG;
  struct emu_lane_readers *row = has_row ? row_of(s, word) : begin_row(s, word);
  if (!row)
    return;
  if (!alone && !has_row)
    row[thread / EMU_LANES] = (struct emu_lane_readers){old >> EMU_TIME_SHIFT, 1u << thread % EMU_LANES};
  add_lanes(s, w->index, lane, all ? w->active : 1u << lane, &row[w->index]);
  s->readers[word] = now | EMU_SHADOW_STRONG | (alone ? bytes : old & bytes);
}

bool emu_shared_each_reader(const struct emu_shared_races *s, uint32_t word,
                            bool (*visit)(void *context, uint32_t thread, uint32_t time), void *context) {
  uint32_t reader = s->readers[word];
  if (!reader)
    return false;
  if (!(reader & EMU_SHADOW_STRONG))
    return visit(context, reader >> EMU_THREAD_SHIFT & EMU_THREAD_MASK, reader >> EMU_TIME_SHIFT);
  const struct emu_lane_readers *row = row_of(s, word);
  for (uint32_t v = 0; v < s->warp_count; v++)
    EMU_FOR_LANES (lane, row[v].lanes)
      if (visit(context, v * EMU_LANES + lane, row[v].time))
        return true;
  return false;
}
