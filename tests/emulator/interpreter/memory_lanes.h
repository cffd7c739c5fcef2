/* The way in between: lanes anywhere in one allocation, or in the block's shared memory, checked one by
 * one but without a call each. Whatever is not as
 * usual is left to emu_access, which does the same with every explanation. */
#ifndef EMU_MEMORY_LANES_H
#define EMU_MEMORY_LANES_H

#include "memory_shared.h"

static inline bool emu_word_set(const unsigned char *shadow, unsigned bytes) {
  uint32_t all = UINT32_MAX;
  for (unsigned i = 0; i < bytes; i += 4) {
    uint32_t four;
    memcpy(&four, shadow + i, 4);
    all &= four;
  }
  return all == 0x01010101;
}

/* One word of shared memory, wholly read or written; false: look closer. */
static inline bool emu_shared_word(struct emu_shared_races *s, uint32_t i, const struct emu_warp *warp,
                                   unsigned lane, bool write) {
  const uint32_t *row = s->known[warp->index];
  uint32_t me = warp->index * EMU_LANES + lane;
  uint32_t w = s->writers[i], r = s->readers[i];
  uint32_t rt = r >> EMU_THREAD_SHIFT & EMU_THREAD_MASK;
  bool many = r & EMU_SHADOW_STRONG;
  uint32_t mine = s->time << EMU_TIME_SHIFT | me << EMU_THREAD_SHIFT | EMU_SHADOW_BYTES;
  if (emu_write_in_the_way(w, row, me) || emu_watched(s, i, 1))
    return false;
  if (write) {
    emu_shared_settle_words(s, i, 1);
    r = s->readers[i];
    if (r >> EMU_TIME_SHIFT > s->floor && (many || (rt != me && r >> EMU_TIME_SHIFT > row[rt >> 5])))
      return false;
    s->writers[i] = mine;
    emu_recent_add(s, s->wrote, i, i + 1);
    return true;
  }
  if (r >> EMU_TIME_SHIFT <= s->floor || (!many && (rt == me || r >> EMU_TIME_SHIFT <= row[rt >> 5]))) {
    s->readers[i] = mine;
    emu_recent_add(s, s->read, i, i + 1);
    return true;
  }
  emu_shared_add_reader(s, warp->index, lane, i, EMU_SHADOW_BYTES, 0);
  return true;
}

/* Reads are looked at lane by lane; a write whose value matters is left to the slow way. */
static inline unsigned char *emu_look_closer(struct emu_warp *w, const struct emu_instruction *in,
                                             enum emu_space space, uint64_t address, unsigned bytes,
                                             unsigned kind, unsigned lane) {
  return kind & EMU_WRITE ? NULL : emu_access(w, in, space, address, bytes, kind, lane);
}

static inline unsigned char *emu_shared_lane(struct emu_warp *w, const struct emu_instruction *in,
                                             uint64_t address, unsigned bytes, unsigned kind, unsigned lane) {
  const bool write = kind & EMU_WRITE;
  struct emu_block *b = w->block;
  uint32_t offset = (uint32_t)address;
  if (address > b->shared_bytes || offset + bytes > b->shared_bytes || offset & (bytes - 1))
    return emu_look_closer(w, in, EMU_SPACE_SHARED, address, bytes, kind, lane);
  if (!w->launch->checks)
    return b->shared + offset;
  if (!write && !emu_word_set(b->shared_initialised + offset, bytes))
    return emu_look_closer(w, in, EMU_SPACE_SHARED, address, bytes, kind, lane);
  for (unsigned k = 0; k < bytes; k += 4)
    if (!emu_shared_word(b->races, (offset + k) / 4, w, lane, write))
      return emu_look_closer(w, in, EMU_SPACE_SHARED, address, bytes, kind, lane);
  if (write)
    memset(b->shared_initialised + offset, 1, bytes);
  return b->shared + offset;
}

static inline unsigned char *emu_global_lane(struct emu_warp *w, const struct emu_instruction *in,
                                             uint64_t address, unsigned bytes, unsigned kind, unsigned lane) {
  const bool write = kind & EMU_WRITE;
  struct emu_allocation *a = w->worker->cache[in->index];
  if (!a || address - a->base >= a->size || a->size - (address - a->base) < bytes || address & (bytes - 1) ||
      (write && a->constant))
    return emu_look_closer(w, in, EMU_SPACE_GLOBAL, address, bytes, kind, lane);
  uint64_t offset = address - a->base;
  if (!w->launch->checks || !a->initialised)
    return a->host + offset;
  if (!write && !emu_word_set(a->initialised + offset, bytes))
    return emu_look_closer(w, in, EMU_SPACE_GLOBAL, address, bytes, kind, lane);
  for (unsigned k = 0; k < bytes; k += 4)
    if (write ? !emu_race_write_words(w, a, offset + k, 1)
              : !emu_race_read_word(w, a->writers[(offset + k) / 4], &a->readers[(offset + k) / 4]))
      return emu_look_closer(w, in, EMU_SPACE_GLOBAL, address, bytes, kind, lane);
  if (!emu_touch_run(w, address, bytes, (unsigned)__builtin_ctz(bytes) - 2, lane, write))
    return emu_look_closer(w, in, EMU_SPACE_GLOBAL, address, bytes, kind, lane);
  if (write)
    memset(a->initialised + offset, 1, bytes);
  return a->host + offset;
}

/* How many lanes from the first of `left` on follow each other, `bytes` apart; 1 if only that one does. */
static inline unsigned emu_run_length(const uint64_t address[EMU_LANES], unsigned bytes, uint32_t left) {
  const unsigned first = (unsigned)__builtin_ctz(left);
  unsigned n = 1;
  while (first + n < EMU_LANES && left >> (first + n) & 1 && address[first + n] == address[first] + n * bytes)
    n++;
  return n;
}

enum { EMU_RUN_WORTH_IT = 4 };

/* The places of lanes in global memory: runs of lanes side by side together, lanes that read what the one
 * before reads with it. */
static inline bool emu_global_lanes(struct emu_warp *w, const struct emu_instruction *in,
                                    const uint64_t address[EMU_LANES], unsigned bytes, unsigned kind,
                                    uint32_t mask, unsigned char *at[EMU_LANES]) {
  const bool write = kind & EMU_WRITE;
  for (uint32_t left = mask; left;) {
    const unsigned lane = (unsigned)__builtin_ctz(left), n = emu_run_length(address, bytes, left);
    unsigned char *first =
        n >= EMU_RUN_WORTH_IT ? emu_global_run(w, in, address[lane], bytes, n * bytes, lane, write) : NULL;
    for (unsigned k = 0; k < n && first; k++)
      at[lane + k] = first + k * bytes;
    for (unsigned k = lane; k < lane + n && !first; k++) {
      const bool again = !write && k && mask >> (k - 1) & 1 && address[k] == address[k - 1];
      at[k] = again ? at[k - 1] : emu_global_lane(w, in, address[k], bytes, kind, k);
      if (!at[k])
        return false;
    }
    left &= lane + n < EMU_LANES ? UINT32_MAX << (lane + n) : 0;
  }
  return true;
}

static inline unsigned char *emu_local_lane(struct emu_warp *w, const struct emu_instruction *in,
                                            uint64_t address, unsigned bytes, unsigned kind, unsigned lane) {
  uint64_t end = w->frame->local_base + w->frame->function->local_bytes;
  if (address > end || address + bytes > end || address & (bytes - 1))
    return emu_look_closer(w, in, EMU_SPACE_LOCAL, address, bytes, kind, lane);
  return emu_state(w)->local + w->launch->local_bytes * lane + address;
}

/* Rising addresses: their sectors and distinct values are counted in passing. */
static inline bool emu_count_rising(struct emu_tally *t, const uint64_t address[EMU_LANES], unsigned bytes,
                                    unsigned kind, uint32_t mask) {
  uint64_t last = 0, sectors = 0, values = 0;
  bool first = true, rising = true;
  EMU_FOR_LANES (lane, mask) {
    rising &= first || address[lane] >= last;
    sectors += first || address[lane] >> 5 != last >> 5;
    values += first || address[lane] != last;
    last = address[lane];
    first = false;
  }
  if (!rising)
    return false;
  t->global_requests[kind]++;
  t->global_sectors[kind] += sectors;
  t->global_ideal += (values * bytes + 31) / 32;
  return true;
}

static inline void emu_count_lanes(struct emu_warp *w, const struct emu_instruction *in, enum emu_space space,
                                   const uint64_t address[EMU_LANES], unsigned bytes, bool write,
                                   uint32_t mask) {
  struct emu_tally *t = &w->worker->tallies[in->index];
  unsigned kind = write ? EMU_TALLY_STORE : EMU_TALLY_LOAD;
  if (space == EMU_SPACE_SHARED && emu_is_free_of_conflicts(address, bytes, mask)) {
    t->shared_requests[kind]++;
    return;
  }
  if (space == EMU_SPACE_GLOBAL && emu_count_rising(t, address, bytes, kind, mask))
    return;
  emu_count_access(w, in, space, address, bytes, write ? EMU_WRITE : EMU_READ, mask);
}

/* All lanes' places in `at`; false: not for this way, or a fault was raised. */
static inline bool emu_find_lanes(struct emu_warp *w, const struct emu_instruction *in,
                                  const struct emu_operand *o, unsigned bytes, bool write, uint32_t mask,
                                  unsigned char *at[EMU_LANES]) {
  uint64_t address[EMU_LANES];
  enum emu_space space = (enum emu_space)in->space;
  bool generic = space == EMU_SPACE_GENERIC;
  const struct emu_transfer *t = in->extra;
  const unsigned kind = t->kind;
  if (generic)
    space = emu_space_of(emu_lane_address(w, o, (unsigned)__builtin_ctz(mask)));
  if (space != EMU_SPACE_SHARED && space != EMU_SPACE_GLOBAL && space != EMU_SPACE_LOCAL)
    return false;
  EMU_FOR_LANES (lane, mask) {
    address[lane] = emu_lane_address(w, o, lane);
    if (generic && emu_space_of(address[lane]) != space)
      return false;
    if (generic && space != EMU_SPACE_GLOBAL)
      address[lane] = (uint32_t)address[lane];
  }
  if (space == EMU_SPACE_GLOBAL && !emu_global_lanes(w, in, address, bytes, kind, mask, at))
    return false;
  EMU_FOR_LANES (lane, space == EMU_SPACE_GLOBAL ? 0 : mask) {
    at[lane] = space == EMU_SPACE_SHARED ? emu_shared_lane(w, in, address[lane], bytes, kind, lane)
                                         : emu_local_lane(w, in, address[lane], bytes, kind, lane);
    if (!at[lane])
      return false;
  }
  emu_count_lanes(w, in, space, address, bytes, write, mask);
  return true;
}

#define EMU_MOVE_LANES(type, to_registers)                                                                   \
  for (unsigned k = 0; k < t->count; k++) {                                                                  \
    type *r = EMU_OPERAND_AT(w, &in->elements[data->first + k]);                                             \
    EMU_FOR_LANES (lane, mask) {                                                                             \
      if (to_registers)                                                                                      \
        memcpy(&r[lane], at[lane] + k * sizeof(type), sizeof(type));                                         \
      else                                                                                                   \
        memcpy(at[lane] + k * sizeof(type), &r[lane], sizeof(type));                                         \
    }                                                                                                        \
  }

/* True if it is done, or a fault stops the warp. */
static inline bool emu_load_scattered(struct emu_warp *w, const struct emu_instruction *in, uint32_t mask) {
  const struct emu_transfer *t = in->extra;
  const struct emu_operand *data = &in->operand[0];
  unsigned char *at[EMU_LANES];
  if (!t->plain)
    return false;
  if (emu_load_shared_lanes(w, in, mask))
    return true;
  if (!emu_find_lanes(w, in, &in->operand[1], t->bytes, false, mask, at))
    return w->stop != 0;
  if (t->element == 4) {
    EMU_MOVE_LANES(uint32_t, true)
  } else {
    EMU_MOVE_LANES(uint64_t, true)
  }
  return true;
}

static inline bool emu_store_scattered(struct emu_warp *w, const struct emu_instruction *in, uint32_t mask) {
  const struct emu_transfer *t = in->extra;
  const struct emu_operand *data = &in->operand[1];
  unsigned char *at[EMU_LANES];
  if (!t->plain)
    return false;
  if (emu_store_shared_lanes(w, in, mask))
    return true;
  if (!emu_find_lanes(w, in, &in->operand[0], t->bytes, true, mask, at))
    return w->stop != 0;
  if (t->element == 4) {
    EMU_MOVE_LANES(uint32_t, false)
  } else {
    EMU_MOVE_LANES(uint64_t, false)
  }
  return true;
}

#endif
