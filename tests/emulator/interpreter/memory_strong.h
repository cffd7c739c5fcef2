/* Volatile and relaxed accesses to words anywhere in the block's shared memory, all lanes at once, where
 * nothing has been published that they could order: what programs from before __syncwarp() are full of. */
#ifndef EMU_MEMORY_STRONG_H
#define EMU_MEMORY_STRONG_H

#include "memory_shared.h"

#include "../checks/order.h"

/* Words of the block's shared memory that lanes access. */
struct emu_strong {
  uint32_t offset[EMU_LANES], words[EMU_LANES];
  uint32_t first, end; /* words between which they lie */
  bool row;            /* all lanes, side by side */
};

/* Whether each lane may access its word strongly: the last weak accesses are ordered before, or strong. */
static inline bool emu_strong_lanes(const struct emu_shared_races *s, uint32_t warp,
                                    const struct emu_strong *at, uint32_t mask, bool write) {
  const uint32_t *row = s->known[warp], *writers = s->writers + at->first;
  const unsigned wrote = emu_recently(s, s->wrote, at->first, at->end) ? EMU_LANES : 0,
                 read = write && emu_recently(s, s->read, at->first, at->end) ? EMU_LANES : 0;
  uint32_t bad = 0, watched = 0, others = 0;
  for (unsigned i = 0; i < (s->watched ? EMU_LANES : 0); i++)
    watched |= s->watched[at->words[i]];
  for (unsigned i = 0; i < (at->row ? wrote : 0); i++)
    others |= (uint32_t)(writers[i] >> EMU_TIME_SHIFT > s->floor) &
              (uint32_t)((writers[i] >> EMU_THREAD_SHIFT & EMU_THREAD_MASK) != warp * EMU_LANES + i);
  const uint32_t writes = write;
  for (unsigned i = 0; i < (at->row && !others && !write ? 0 : wrote); i++) {
    const uint32_t w = s->writers[at->words[i]], thread = w >> EMU_THREAD_SHIFT & EMU_THREAD_MASK;
    const uint32_t other = (uint32_t)(thread != warp * EMU_LANES + i),
                   known = (uint32_t)(w >> EMU_TIME_SHIFT <= row[thread >> 5]);
    bad |= (uint32_t)(w >> EMU_TIME_SHIFT > s->floor) & ((other & !known) | writes) &
           (uint32_t) !(w & EMU_SHADOW_STRONG) & mask >> i;
  }
  for (unsigned i = 0; i < (s->hidden ? EMU_LANES : 0); i++)
    bad |= (uint32_t)(s->hidden[at->words[i]] >> EMU_TIME_SHIFT > s->floor) & mask >> i;
  for (unsigned i = 0; i < read; i++) {
    const uint32_t r = s->readers[at->words[i]], reader = r >> EMU_THREAD_SHIFT & EMU_THREAD_MASK;
    bad |= (uint32_t)(r >> EMU_TIME_SHIFT > s->floor) &
           (uint32_t)(r & EMU_SHADOW_STRONG || reader != warp * EMU_LANES + i) & mask >> i;
  }
  return !(bad & 1) && !watched;
}

static inline void emu_note_strong_writes(const struct emu_block *b, uint32_t warp,
                                          const struct emu_strong *at, uint32_t mask) {
  struct emu_shared_races *s = b->races;
  const uint32_t set = 0x01010101, first = warp * EMU_LANES,
                 now = s->time << EMU_TIME_SHIFT | EMU_SHADOW_STRONG | EMU_SHADOW_BYTES;
  if (at->row) {
    uint32_t *writers = s->writers + at->first;
    for (unsigned i = 0; i < EMU_LANES; i++)
      writers[i] = now | (first + i) << EMU_THREAD_SHIFT;
    memset(b->shared_initialised + at->offset[0], 1, 4 * EMU_LANES);
  } else {
    EMU_FOR_LANES (i, mask) {
      s->writers[at->words[i]] = now | (first + i) << EMU_THREAD_SHIFT;
      memcpy(b->shared_initialised + at->offset[i], &set, 4);
    }
  }
  emu_recent_add(s, s->wrote, at->first, at->end);
}

/* Whether all lanes are side by side in the block's shared memory; *first becomes the first one's offset. */
static inline bool emu_strong_row(struct emu_warp *w, const struct emu_instruction *in,
                                  const struct emu_operand *o, uint32_t *first) {
  const uint64_t window = in->space == EMU_SPACE_GENERIC ? EMU_WINDOW_SHARED : 0;
  const uint32_t size = w->block->shared_bytes;
  uint64_t at;
  if (emu_pattern(w, o, 4, &at) != EMU_PATTERN_ROW ||
      (in->space != EMU_SPACE_SHARED && (in->space != EMU_SPACE_GENERIC || o->bytes == 4)))
    return false;
  at -= window;
  *first = (uint32_t)at;
  return at <= size && at + 4 * EMU_LANES <= size && !(at & 3);
}

static inline void emu_strong_extent(struct emu_strong *at) {
  uint32_t first = UINT32_MAX, last = 0;
  for (unsigned i = 0; i < EMU_LANES; i++) {
    const uint32_t word = at->row ? at->offset[0] / 4 + i : at->offset[i] / 4;
    at->words[i] = word;
    first = word < first ? word : first;
    last = word > last ? word : last;
  }
  at->first = first;
  at->end = last + 1;
}

/* The lanes' places, with every check; false if something is not as usual, and nothing has been done then. */
static inline bool emu_strong_places(struct emu_warp *w, const struct emu_instruction *in,
                                     const struct emu_operand *o, uint32_t mask, struct emu_strong *at) {
  const struct emu_transfer *t = in->extra;
  const bool write = t->kind & EMU_WRITE;
  const struct emu_block *b = w->block;
  if (t->bytes != 4 || t->acquires || t->releases)
    return false;
  at->row = mask == EMU_ALL_LANES && emu_strong_row(w, in, o, &at->offset[0]);
  if (!at->row && !emu_shared_offsets(w, in, o, 4, mask, at->offset))
    return false;
  if (!w->launch->checks)
    return true;
  if (!emu_orders_nothing(w))
    return false;
  if (!write && !(at->row ? emu_all_set(b->shared_initialised + at->offset[0], 4 * EMU_LANES)
                          : emu_shared_lanes_set(b, at->offset, 4)))
    return false;
  emu_strong_extent(at);
  if (write)
    emu_shared_settle_words(b->races, 0, b->races->words);
  if (!emu_strong_lanes(b->races, w->index, at, mask, write))
    return false;
  if (write)
    emu_note_strong_writes(b, w->index, at, mask);
  return true;
}

static inline void emu_count_strong(struct emu_warp *w, const struct emu_instruction *in,
                                    const struct emu_strong *at, bool write, uint32_t mask) {
  if (at->row)
    w->worker->tallies[in->index].shared_requests[write ? EMU_TALLY_STORE : EMU_TALLY_LOAD]++;
  else
    emu_count_shared(w, in, 0, at->offset, 4, write, mask);
}

/* True if it is done; otherwise nothing has been. */
static inline bool emu_load_strong(struct emu_warp *w, const struct emu_instruction *in, uint32_t mask) {
  const struct emu_operand *to = &in->elements[in->operand[0].first];
  struct emu_strong at;
  uint32_t values[EMU_LANES], changed = 0;
  if (to->bytes != 4 || !emu_strong_places(w, in, &in->operand[1], mask, &at))
    return false;
  const uint64_t look = emu_lane_address(w, &in->operand[1], (unsigned)__builtin_ctz(mask));
  const unsigned char *shared = w->block->shared;
  uint32_t *r = emu_u32(w, to);
  if (at.row)
    memcpy(values, shared + at.offset[0], sizeof values);
  else
    for (unsigned i = 0; i < EMU_LANES; i++)
      values[i] = *(const uint32_t *)(const void *)(shared + at.offset[i]);
  for (unsigned i = 0; i < EMU_LANES; i++)
    changed |= mask >> i & 1 ? values[i] ^ r[i] : 0;
  EMU_EACH_LANE(r, mask, values[i]);
  emu_warp_polls(w);
  if (!emu_count_look(w, in, look, changed != 0, mask))
    emu_count_strong(w, in, &at, false, mask);
  return true;
}

static inline bool emu_store_strong(struct emu_warp *w, const struct emu_instruction *in, uint32_t mask) {
  const struct emu_operand *from = &in->elements[in->operand[1].first];
  struct emu_strong at;
  if (from->bytes != 4 || !emu_strong_places(w, in, &in->operand[0], mask, &at))
    return false;
  const uint32_t *r = emu_u32(w, from);
  unsigned char *shared = w->block->shared;
  if (at.row)
    memcpy(shared + at.offset[0], r, 4 * EMU_LANES);
  EMU_FOR_LANES (i, at.row ? 0 : mask)
    memcpy(shared + at.offset[i], &r[i], 4);
  emu_count_strong(w, in, &at, true, mask);
  return true;
}

#endif
