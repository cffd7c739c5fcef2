/* Loads and stores by lanes anywhere in the block's shared memory, all lanes at once. */
#ifndef EMU_MEMORY_SHARED_H
#define EMU_MEMORY_SHARED_H

#include "memory_words.h"

/* Whether lanes whose addresses are multiples of `bytes` (4, 8 or 16) need no pass more than they would
 * anyhow: a pass serves 128 bytes, of 32, 16 or 8 lanes, where those that share banks are at the same
 * place. */
static inline bool emu_free_of_conflicts(const uint32_t offset[EMU_LANES], unsigned bytes) {
  const uint32_t shift = (uint32_t)__builtin_ctz(bytes), slots = 128 >> shift;
  uint32_t seen[EMU_LANES], place[EMU_LANES], bad = 0;
  for (unsigned i = 0; i < EMU_LANES; i++)
    place[i] = (offset[i] >> shift & (slots - 1)) | (i & ~(slots - 1));
  for (unsigned i = 0; i < EMU_LANES; i++)
    seen[place[i]] = offset[i];
  for (unsigned i = 0; i < EMU_LANES; i++)
    bad |= (seen[place[i]] ^ offset[i]) >> shift;
  return !bad;
}

/* The same for a part of the lanes; false where it is not clear. */
static inline bool emu_is_free_of_conflicts(const uint64_t address[EMU_LANES], unsigned bytes,
                                            uint32_t mask) {
  uint32_t offset[EMU_LANES], other = (uint32_t)address[__builtin_ctz(mask)];
  for (unsigned i = 0; i < EMU_LANES; i++)
    offset[i] = mask >> i & 1 ? (uint32_t)address[i] : other;
  return emu_free_of_conflicts(offset, bytes < 4 ? 4 : bytes);
}

/* Offsets in the block's shared memory; of the lanes that are not in the mask one of the others'. False if
 * some are no such addresses, or not for a plain load of `bytes`. */
static inline bool emu_shared_offsets(struct emu_warp *w, const struct emu_instruction *in,
                                      const struct emu_operand *o, unsigned bytes, uint32_t mask,
                                      uint32_t offset[EMU_LANES]) {
  const uint32_t size = w->block->shared_bytes, some = (uint32_t)__builtin_ctz(mask);
  const uint32_t last = size - bytes;
  uint32_t bad = size < bytes, other;
  if (in->space != EMU_SPACE_SHARED && (in->space != EMU_SPACE_GENERIC || o->bytes == 4))
    return false;
  if (o->bytes == 4) {
    const uint32_t *a = emu_u32(w, o), displacement = (uint32_t)o->displacement;
    other = a[some] + displacement;
    for (unsigned i = 0; i < EMU_LANES; i++)
      offset[i] = mask >> i & 1 ? a[i] + displacement : other;
  } else {
    const uint64_t *a = emu_u64(w, o), displacement = (uint64_t)o->displacement;
    const uint64_t window = in->space == EMU_SPACE_GENERIC ? EMU_WINDOW_SHARED : 0,
                   first = a[some] + displacement;
    uint64_t outside = (first ^ window) >> 32;
    if (outside)
      return false;
    for (unsigned i = 0; i < EMU_LANES; i++) {
      const uint64_t address = mask >> i & 1 ? a[i] + displacement : first;
      outside |= address ^ window;
      offset[i] = (uint32_t)address;
    }
    if (outside >> 32)
      return false;
  }
  for (unsigned i = 0; i < EMU_LANES; i++)
    bad |= (offset[i] & (bytes - 1)) | (uint32_t)(offset[i] > last);
  return !bad;
}

static inline bool emu_shared_lanes_set(const struct emu_block *b, const uint32_t offset[EMU_LANES],
                                        unsigned bytes) {
  uint32_t set = UINT32_MAX;
  for (unsigned k = 0; k < bytes; k += 4)
    for (unsigned i = 0; i < EMU_LANES; i++)
      set &= *(const uint32_t *)(const void *)(b->shared_initialised + offset[i] + k);
  return set == 0x01010101;
}

/* Lanes read `bytes` each: what is there is initialised, and the reads are noted; false if it wants a
 * closer look. */
static inline bool emu_note_shared_reads(struct emu_warp *w, const uint32_t offset[EMU_LANES], unsigned bytes,
                                         uint32_t mask) {
  uint32_t words[EMU_LANES];
  if (!w->launch->checks)
    return true;
  for (unsigned i = 0; i < EMU_LANES; i++)
    words[i] = offset[i] / 4;
  return emu_shared_lanes_set(w->block, offset, bytes) &&
         emu_log_lanes(w->block->races, w->index, mask, words, bytes / 4);
}

/* `part`: which access of the instruction it is, if there are several that lie in different ways. */
static inline void emu_count_shared(struct emu_warp *w, const struct emu_instruction *in, unsigned part,
                                    const uint32_t offset[EMU_LANES], unsigned bytes, bool write,
                                    uint32_t mask) {
  struct emu_tally *t = &w->worker->tallies[in->index];
  struct emu_conflicts *last = &w->worker->conflicts[(in->index + part) % EMU_CONFLICTS];
  uint32_t other = (last->bytes ^ bytes) | (last->mask ^ mask);
  for (unsigned i = 0; i < EMU_LANES; i++)
    other |= (offset[i] - offset[0]) ^ last->delta[i];
  if (other) {
    uint64_t address[EMU_LANES];
    for (unsigned i = 0; i < EMU_LANES; i++) {
      address[i] = offset[i];
      last->delta[i] = offset[i] - offset[0];
    }
    last->bytes = bytes;
    last->mask = mask;
    last->replays = emu_free_of_conflicts(offset, bytes) ? 0 : emu_replays(address, bytes, mask);
  }
  t->shared_requests[write ? EMU_TALLY_STORE : EMU_TALLY_LOAD]++;
  t->shared_replays += last->replays;
}

#define EMU_GATHER_LANES(type)                                                                               \
  for (unsigned k = 0; k < t->count; k++) {                                                                  \
    type *r = EMU_OPERAND_AT(w, &in->elements[in->operand[0].first + k]);                                    \
    const unsigned char *from = b->shared + k * sizeof(type);                                                \
    EMU_EACH_LANE(r, mask, *(const type *)(const void *)(from + offset[i]));                                 \
  }

/* True if it is done; otherwise nothing has been. */
static inline bool emu_load_shared_lanes(struct emu_warp *w, const struct emu_instruction *in,
                                         uint32_t mask) {
  const struct emu_transfer *t = in->extra;
  struct emu_block *b = w->block;
  uint32_t offset[EMU_LANES];
  if (!emu_shared_offsets(w, in, &in->operand[1], t->bytes, mask, offset) ||
      !emu_note_shared_reads(w, offset, t->bytes, mask))
    return false;
  emu_count_shared(w, in, 0, offset, t->bytes, false, mask);
  if (t->element == 4) {
    EMU_GATHER_LANES(uint32_t)
  } else {
    EMU_GATHER_LANES(uint64_t)
  }
  return true;
}

/* ---- Stores ---- */

/* Whether no two of the lanes are at one place; it may be wrong the other way. */
static inline bool emu_are_apart(const uint32_t offset[EMU_LANES], unsigned bytes, uint32_t mask) {
  const uint32_t shift = (uint32_t)__builtin_ctz(bytes);
  uint8_t seen[256], same = 1;
  EMU_FOR_LANES (i, mask)
    seen[offset[i] >> shift & 255] = (uint8_t)i;
  EMU_FOR_LANES (i, mask)
    same &= seen[offset[i] >> shift & 255] == i;
  return same;
}

/* Whether each lane may write its words, which are among those from `first` to `end`: all that was done to
 * them is ordered before. */
static inline bool emu_may_write_lanes(const struct emu_shared_races *s, uint32_t warp,
                                       const uint32_t offset[EMU_LANES], unsigned count, uint32_t mask,
                                       uint32_t first, uint32_t end) {
  const uint32_t *row = s->known[warp];
  uint32_t bad = 0, watched = 0;
  if (!s->watched && !emu_recently(s, s->wrote, first, end) && !emu_recently(s, s->read, first, end))
    return true;
  for (unsigned k = 0; k < count; k++)
    for (unsigned i = 0; i < EMU_LANES; i++) {
      const uint32_t word = offset[i] / 4 + k, me = warp * EMU_LANES + i, w = s->writers[word],
                     r = s->readers[word];
      const uint32_t reader = r >> EMU_THREAD_SHIFT & EMU_THREAD_MASK;
      bad |= emu_write_in_the_way(w, row, me) & mask >> i;
      bad |= (uint32_t)(r >> EMU_TIME_SHIFT > s->floor) & r >> 4 & mask >> i;
      bad |= (uint32_t)(r >> EMU_TIME_SHIFT > row[reader >> 5]) & (uint32_t)(reader != me) & mask >> i;
      watched |= s->watched ? s->watched[word] : 0;
    }
  return !(bad & 1) && !watched;
}

static inline bool emu_note_shared_writes(struct emu_warp *w, const uint32_t offset[EMU_LANES],
                                          unsigned bytes, uint32_t mask) {
  struct emu_shared_races *s = w->block->races;
  uint32_t first = UINT32_MAX, last = 0;
  if (!w->launch->checks)
    return true;
  for (unsigned i = 0; i < EMU_LANES; i++) {
    first = offset[i] < first ? offset[i] : first;
    last = offset[i] > last ? offset[i] : last;
  }
  emu_shared_settle_words(s, first / 4, (last + bytes - first) / 4);
  if (!emu_are_apart(offset, bytes, mask) ||
      !emu_may_write_lanes(s, w->index, offset, bytes / 4, mask, first / 4, (last + bytes) / 4))
    return false;
  const uint32_t set = 0x01010101, now = s->time << EMU_TIME_SHIFT | EMU_SHADOW_BYTES;
  EMU_FOR_LANES (i, mask)
    for (unsigned k = 0; k < bytes; k += 4) {
      s->writers[(offset[i] + k) / 4] = now | (w->index * EMU_LANES + i) << EMU_THREAD_SHIFT;
      memcpy(w->block->shared_initialised + offset[i] + k, &set, 4);
    }
  emu_recent_add(s, s->wrote, first / 4, (last + bytes) / 4);
  return true;
}

#define EMU_SCATTER_LANES(type)                                                                              \
  for (unsigned k = 0; k < t->count; k++) {                                                                  \
    const type *r = EMU_OPERAND_AT(w, &in->elements[in->operand[1].first + k]);                              \
    EMU_FOR_LANES (i, mask)                                                                                  \
      memcpy(b->shared + offset[i] + k * sizeof(type), &r[i], sizeof(type));                                 \
  }

/* True if it is done; otherwise nothing has been. */
static inline bool emu_store_shared_lanes(struct emu_warp *w, const struct emu_instruction *in,
                                          uint32_t mask) {
  const struct emu_transfer *t = in->extra;
  struct emu_block *b = w->block;
  uint32_t offset[EMU_LANES];
  if (!emu_shared_offsets(w, in, &in->operand[0], t->bytes, mask, offset) ||
      !emu_note_shared_writes(w, offset, t->bytes, mask))
    return false;
  emu_count_shared(w, in, 0, offset, t->bytes, true, mask);
  if (t->element == 4) {
    EMU_SCATTER_LANES(uint32_t)
  } else {
    EMU_SCATTER_LANES(uint64_t)
  }
  return true;
}

#endif
