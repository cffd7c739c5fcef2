/* Volatile and relaxed accesses to words anywhere in the block's shared memory, all lanes at once, where
 * nothing has been published that they could order: what programs from before __syncwarp() are full of. */
#ifndef EMU_MEMORY_STRONG_H
#define EMU_MEMORY_STRONG_H

#include "memory_shared.h"

#include "../checks/order.h"

/* Whether each lane may access its word strongly: the last weak accesses are ordered before, or strong. */
static inline bool emu_strong_lanes(const struct emu_shared_races *s, uint32_t warp,
                                    const uint32_t words[EMU_LANES], uint32_t mask, bool write) {
  const uint32_t *row = s->known[warp];
  uint32_t bad = 0, watched = 0;
  for (unsigned i = 0; i < EMU_LANES; i++) {
    const uint32_t me = warp * EMU_LANES + i;
    uint32_t w = s->writers[words[i]], thread = w >> EMU_THREAD_SHIFT & EMU_THREAD_MASK;
    uint32_t r = s->readers[words[i]], reader = r >> EMU_THREAD_SHIFT & EMU_THREAD_MASK;
    bad |= (uint32_t)(w >> EMU_TIME_SHIFT > row[thread >> 5]) & (uint32_t)(thread != me) &
           (uint32_t) !(w & EMU_SHADOW_STRONG) & mask >> i;
    bad |= (uint32_t)write & (uint32_t)(r >> EMU_TIME_SHIFT > s->floor) &
           (uint32_t)(r & EMU_SHADOW_STRONG || reader != me) & mask >> i;
    watched |= s->watched ? s->watched[words[i]] : 0;
  }
  return !(bad & 1) && !watched;
}

static inline void emu_note_strong_writes(struct emu_shared_races *s, uint32_t warp,
                                          const uint32_t words[EMU_LANES], uint32_t mask) {
  EMU_FOR_LANES (i, mask)
    s->writers[words[i]] = s->time << EMU_TIME_SHIFT | (warp * EMU_LANES + i) << EMU_THREAD_SHIFT |
                           EMU_SHADOW_STRONG | EMU_SHADOW_BYTES;
  s->last_write = s->time;
}

/* The lanes' places, with every check; false if something is not as usual, and nothing has been done then. */
static inline bool emu_strong_places(struct emu_warp *w, const struct emu_instruction *in,
                                     const struct emu_operand *o, uint32_t mask, uint32_t offset[EMU_LANES]) {
  const struct emu_transfer *t = in->extra;
  const bool write = t->kind & EMU_WRITE;
  struct emu_block *b = w->block;
  uint32_t words[EMU_LANES];
  if (t->bytes != 4 || t->acquires || t->releases || !emu_shared_offsets(w, in, o, 4, mask, offset))
    return false;
  if (!w->launch->checks)
    return true;
  if (!emu_orders_nothing(w) || (!write && !emu_shared_lanes_set(b, offset, 4)))
    return false;
  for (unsigned i = 0; i < EMU_LANES; i++)
    words[i] = offset[i] / 4;
  if (write)
    emu_shared_settle_words(b->races, 0, b->races->words);
  if (!emu_strong_lanes(b->races, w->index, words, mask, write))
    return false;
  if (!write)
    return true;
  emu_note_strong_writes(b->races, w->index, words, mask);
  EMU_FOR_LANES (i, mask)
    memset(b->shared_initialised + offset[i], 1, 4);
  return true;
}

/* True if it is done; otherwise nothing has been. */
static inline bool emu_load_strong(struct emu_warp *w, const struct emu_instruction *in, uint32_t mask) {
  const struct emu_operand *to = &in->elements[in->operand[0].first];
  uint32_t offset[EMU_LANES], changed = 0;
  if (to->bytes != 4 || !emu_strong_places(w, in, &in->operand[1], mask, offset))
    return false;
  const uint64_t look = emu_lane_address(w, &in->operand[1], (unsigned)__builtin_ctz(mask));
  uint32_t *r = emu_u32(w, to);
  EMU_FOR_LANES (i, mask) {
    uint32_t value;
    memcpy(&value, w->block->shared + offset[i], 4);
    changed |= value ^ r[i];
    r[i] = value;
  }
  emu_warp_polls(w);
  if (!emu_count_look(w, in, look, changed != 0, mask))
    emu_count_shared(w, in, offset, 4, false, mask);
  return true;
}

static inline bool emu_store_strong(struct emu_warp *w, const struct emu_instruction *in, uint32_t mask) {
  const struct emu_operand *from = &in->elements[in->operand[1].first];
  uint32_t offset[EMU_LANES];
  if (from->bytes != 4 || !emu_strong_places(w, in, &in->operand[0], mask, offset))
    return false;
  const uint32_t *r = emu_u32(w, from);
  EMU_FOR_LANES (i, mask)
    memcpy(w->block->shared + offset[i], &r[i], 4);
  emu_count_shared(w, in, offset, 4, true, mask);
  return true;
}

#endif
