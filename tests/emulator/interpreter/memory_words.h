/* Moving what ld and st move between memory and registers, and the fast way: all 32 lanes at addresses
 * side by side, or at the same one. */
#ifndef EMU_MEMORY_WORDS_H
#define EMU_MEMORY_WORDS_H

#include "each_lane.h"

#include "../checks/order.h"
#include "../checks/read_log.h"
#include "../checks/within_block.h"

#include <string.h>

struct emu_transfer {
  uint8_t element, count, bytes,
      piece; /* bytes = element * count per lane, accessed in pieces of at most 16 */
  uint8_t kind, scope;
  bool is_signed, acquires, releases;
  bool plain; /* registers are as wide as elements, which are of 4 or 8 bytes */
};

static inline bool emu_transfer_is_plain(const struct emu_instruction *in, const struct emu_transfer *t,
                                         unsigned slot) {
  const struct emu_operand *data = &in->operand[slot];
  if ((t->element != 4 && t->element != 8) || t->bytes > 16 || t->kind & EMU_STRONG)
    return false;
  for (unsigned i = 0; i < data->count; i++)
    if (in->elements[data->first + i].bytes != t->element)
      return false;
  return true;
}

static inline void emu_transfer_to_registers(struct emu_warp *w, const struct emu_instruction *in,
                                             const struct emu_transfer *t, unsigned lane, unsigned part,
                                             const unsigned char *from) {
  for (unsigned at = 0; at < t->piece; at += t->element) {
    const struct emu_operand *o = &in->elements[in->operand[0].first + (part + at) / t->element];
    uint64_t value = 0, high = 0;
    memcpy(&value, from + at, t->element < 8 ? t->element : 8);
    if (t->element == 16)
      memcpy(&high, from + 8, 8);
    if (t->is_signed)
      value = (uint64_t)((int64_t)(value << (64 - 8 * t->element)) >> (64 - 8 * t->element));
    switch (o->bytes) {
    case 2:
      emu_u16(w, o)[lane] = (uint16_t)value;
      break;
    case 4:
      emu_u32(w, o)[lane] = (uint32_t)value;
      break;
    case 16:
      emu_u64(w, o)[EMU_LANES + lane] = high;
      emu_u64(w, o)[lane] = value;
      break;
    default:
      emu_u64(w, o)[lane] = value;
    }
  }
}

static inline void emu_transfer_from_registers(struct emu_warp *w, const struct emu_instruction *in,
                                               const struct emu_transfer *t, unsigned lane, unsigned part,
                                               unsigned char *to) {
  for (unsigned at = 0; at < t->piece; at += t->element) {
    const struct emu_operand *o = &in->elements[in->operand[1].first + (part + at) / t->element];
    uint64_t value = o->bytes == 16 ? emu_u64(w, o)[lane] : emu_lane_value(w, o, lane);
    memcpy(to + at, &value, t->element < 8 ? t->element : 8);
    if (t->element == 16)
      memcpy(to + 8, &emu_u64(w, o)[EMU_LANES + lane], 8);
  }
}

static inline void emu_transfer_order(struct emu_warp *w, const struct emu_transfer *t, unsigned lane,
                                      const void *object) {
  if (t->acquires)
    emu_order_acquire(w, lane, object, (enum emu_scope)t->scope);
  else if (t->releases)
    emu_order_release(w, lane, object, (enum emu_scope)t->scope);
  else
    emu_order_strong(w, lane, object, t->kind & EMU_READ_WRITE, (enum emu_scope)t->scope);
}

/* The lanes of `left` whose access hit the same space as the first one's, which goes to *space. */
static inline uint32_t emu_same_space(const struct emu_instruction *in, const uint64_t address[EMU_LANES],
                                      uint32_t left, enum emu_space *space) {
  if (!left || in->space != EMU_SPACE_GENERIC) {
    *space = (enum emu_space)in->space;
    return left;
  }
  uint32_t same = 0;
  *space = emu_space_of(address[__builtin_ctz(left)]);
  EMU_FOR_LANES (lane, left)
    same |= (uint32_t)(emu_space_of(address[lane]) == *space) << lane;
  return same;
}

enum emu_pattern { EMU_PATTERN_ANY, EMU_PATTERN_ROW, EMU_PATTERN_SAME };

/* How the addresses of all lanes lie, for `bytes` per lane; the first one goes to *first. */
static inline enum emu_pattern emu_pattern(struct emu_warp *w, const struct emu_operand *o, unsigned bytes,
                                           uint64_t *first) {
  uint64_t apart = 0, differ = 0;
  *first = emu_lane_address(w, o, 0);
  if (o->bytes == 8) {
    const uint64_t *a = emu_u64(w, o);
    for (unsigned i = 0; i < EMU_LANES; i++) {
      uint64_t d = a[i] - a[0];
      differ |= d;
      apart |= d ^ i * bytes;
    }
  } else {
    const uint32_t *a = emu_u32(w, o);
    uint32_t apart32 = 0, differ32 = 0;
    for (uint32_t i = 0; i < EMU_LANES; i++) {
      uint32_t d = a[i] - a[0];
      differ32 |= d;
      apart32 |= d ^ i * bytes;
    }
    apart = apart32;
    differ = differ32;
  }
  return !apart ? EMU_PATTERN_ROW : !differ ? EMU_PATTERN_SAME : EMU_PATTERN_ANY;
}

/* `bytes` is a multiple of 4. */
static inline bool emu_all_set(const unsigned char *shadow, unsigned bytes) {
  uint64_t all = UINT64_MAX;
  unsigned i = 0;
  for (; i + 128 <= bytes; i += 128)
    for (unsigned k = 0; k < 128; k += 8) {
      uint64_t eight;
      memcpy(&eight, shadow + i + k, 8);
      all &= eight;
    }
  for (; i < bytes; i += 4) {
    uint32_t four;
    memcpy(&four, shadow + i, 4);
    all &= four | (uint64_t)four << 32;
  }
  return all == UINT64_C(0x0101010101010101);
}

/* Asks the host for what a run is going to touch, all at once. */
static inline void emu_global_prefetch(const struct emu_allocation *a, uint64_t offset, unsigned all,
                                       bool write) {
  enum { LINE = 64 };
  for (unsigned i = 0; i < all; i += LINE) {
    __builtin_prefetch(a->host + offset + i, 0);
    __builtin_prefetch((const unsigned char *)(a->readers + offset / 4) + i, 0);
    if (write)
      __builtin_prefetch((const unsigned char *)(a->writers + offset / 4) + i, 1);
  }
}

/* `all` bytes side by side in global memory that lanes from `lane` on access, `bytes` each: host memory,
 * checked and recorded; NULL if something is not as usual. */
static inline unsigned char *emu_global_run(struct emu_warp *w, const struct emu_instruction *in,
                                            uint64_t first, unsigned bytes, unsigned all, unsigned lane,
                                            bool write) {
  struct emu_allocation *a = w->worker->cache[in->index];
  if (!a || first - a->base >= a->size || a->size - (first - a->base) < all || first & (bytes - 1) ||
      (write && a->constant))
    return NULL;
  uint64_t offset = first - a->base;
  if (w->launch->checks && a->initialised) {
    emu_global_prefetch(a, offset, all, write);
    if (!write && !a->whole && !emu_all_set(a->initialised + offset, all))
      return NULL;
    if (write ? !emu_race_write_words(w, a, offset, all / 4) : !emu_race_read_words(w, a, offset, all / 4))
      return NULL;
    if (!emu_touch_run(w, first, all, (unsigned)__builtin_ctz(bytes) - 2, lane, write))
      return NULL;
    if (write && !a->whole)
      memset(a->initialised + offset, 1, all);
  }
  return a->host + offset;
}

/* A row of all lanes. */
static inline unsigned char *emu_words_of_global(struct emu_warp *w, const struct emu_instruction *in,
                                                 uint64_t first, unsigned bytes, bool write) {
  const unsigned all = bytes * EMU_LANES, kind = write ? EMU_TALLY_STORE : EMU_TALLY_LOAD;
  unsigned char *memory = emu_global_run(w, in, first, bytes, all, 0, write);
  struct emu_tally *t = &w->worker->tallies[in->index];
  if (!memory)
    return NULL;
  t->global_requests[kind]++;
  t->global_sectors[kind] += ((first + all - 1) >> 5) - (first >> 5) + 1;
  t->global_ideal += bytes;
  return memory;
}

/* `lanes` lanes from `lane` on write `bytes` each of the block's shared memory, side by side. */
static inline unsigned char *emu_shared_run(struct emu_warp *w, uint64_t first, unsigned bytes, unsigned lane,
                                            unsigned lanes) {
  struct emu_block *b = w->block;
  const unsigned all = bytes * lanes;
  if (first > b->shared_bytes || first + all > b->shared_bytes || first & (bytes - 1))
    return NULL;
  if (w->launch->checks) {
    emu_shared_settle_words(b->races, (uint32_t)first / 4, all / 4);
    if (!emu_race_shared_write(b->races, (uint32_t)first / 4, all / 4, bytes / 4, w->index * EMU_LANES + lane,
                               b->races->known[w->index]))
      return NULL;
    memset(b->shared_initialised + first, 1, all);
  }
  return b->shared + first;
}

static inline unsigned char *emu_words_of_shared(struct emu_warp *w, const struct emu_instruction *in,
                                                 uint64_t first, unsigned bytes, bool write) {
  struct emu_block *b = w->block;
  const unsigned all = bytes * EMU_LANES;
  unsigned char *memory = NULL;
  if (write)
    memory = emu_shared_run(w, first, bytes, 0, EMU_LANES);
  else if (first <= b->shared_bytes && first + all <= b->shared_bytes && !(first & (bytes - 1)) &&
           (!w->launch->checks || (emu_all_set(b->shared_initialised + first, all) &&
                                   emu_log_row(b->races, w->index, (uint32_t)first / 4, bytes / 4))))
    memory = b->shared + first;
  if (memory)
    w->worker->tallies[in->index].shared_requests[write ? EMU_TALLY_STORE : EMU_TALLY_LOAD]++;
  return memory;
}

static inline unsigned char *emu_row(struct emu_warp *w, const struct emu_instruction *in, uint64_t first,
                                     unsigned bytes, bool write) {
  enum emu_space space = (enum emu_space)in->space;
  if (space == EMU_SPACE_GENERIC) {
    space = emu_space_of(first);
    first = space == EMU_SPACE_SHARED ? (uint32_t)first : first;
  }
  if (space == EMU_SPACE_SHARED)
    return emu_words_of_shared(w, in, first, bytes, write);
  return space == EMU_SPACE_GLOBAL ? emu_words_of_global(w, in, first, bytes, write) : NULL;
}

/* Lane i's k-th element is element i * count + k of the row. */
#define EMU_MOVE_ROW(type, to_registers)                                                                     \
  do {                                                                                                       \
    type *row = (type *)(void *)memory;                                                                      \
    for (unsigned k = 0; k < t->count; k++) {                                                                \
      type *r = EMU_OPERAND_AT(w, &in->elements[data->first + k]);                                           \
      if (t->count == 1) {                                                                                   \
        memcpy(to_registers ? r : row, to_registers ? row : r, sizeof(type) * EMU_LANES);                    \
        continue;                                                                                            \
      }                                                                                                      \
      EMU_LOOP                                                                                               \
      for (unsigned i = 0; i < EMU_LANES; i++)                                                               \
        *(to_registers ? &r[i] : &row[i * t->count + k]) = to_registers ? row[i * t->count + k] : r[i];      \
    }                                                                                                        \
  } while (0)

static inline bool emu_store_words(struct emu_warp *w, const struct emu_instruction *in) {
  const struct emu_transfer *t = in->extra;
  const struct emu_operand *data = &in->operand[1];
  uint64_t first;
  if (!t->plain || emu_pattern(w, &in->operand[0], t->bytes, &first) != EMU_PATTERN_ROW)
    return false;
  unsigned char *memory = emu_row(w, in, first, t->bytes, true);
  if (!memory)
    return false;
  if (t->element == 4)
    EMU_MOVE_ROW(uint32_t, false);
  else
    EMU_MOVE_ROW(uint64_t, false);
  return true;
}

/* A place in shared memory that all lanes read, checked and noted; NULL if something is not as usual. */
static inline const unsigned char *emu_same_of_shared(struct emu_warp *w, uint64_t first, unsigned bytes) {
  struct emu_block *b = w->block;
  uint32_t set = UINT32_MAX;
  if (first > b->shared_bytes || first + bytes > b->shared_bytes || first & (bytes - 1))
    return NULL;
  if (w->launch->checks) {
    for (unsigned i = 0; i < bytes; i += 4) {
      uint32_t four;
      memcpy(&four, b->shared_initialised + first + i, 4);
      set &= four;
    }
    if (set != 0x01010101 || !emu_log_same(b->races, w->index, w->active, (uint32_t)first / 4, bytes / 4))
      return NULL;
  }
  return b->shared + first;
}

/* The same in global memory. */
static inline const unsigned char *emu_same_of_global(struct emu_warp *w, const struct emu_instruction *in,
                                                      uint64_t first, unsigned bytes) {
  const struct emu_allocation *a = w->worker->cache[in->index];
  uint32_t set = UINT32_MAX;
  if (!a || first - a->base >= a->size || a->size - (first - a->base) < bytes || first & (bytes - 1))
    return NULL;
  const uint64_t offset = first - a->base;
  for (unsigned i = 0; i < bytes && w->launch->checks && a->initialised; i += 4) {
    uint32_t four, writer = a->writers[(offset + i) / 4];
    memcpy(&four, a->initialised + offset + i, 4);
    set &= four;
    if (set != 0x01010101 || !emu_race_read_word(w, writer, &a->readers[(offset + i) / 4]))
      return NULL;
  }
  if (w->launch->checks && a->initialised && !emu_touch_run(w, first, bytes, EMU_SEVERAL, 0, false))
    return NULL;
  return a->host + offset;
}

/* All lanes read the same place. */
static inline bool emu_load_same(struct emu_warp *w, const struct emu_instruction *in,
                                 const struct emu_transfer *t, uint64_t first) {
  enum emu_space space = in->space == EMU_SPACE_GENERIC ? emu_space_of(first) : (enum emu_space)in->space;
  const unsigned char *from =
      space == EMU_SPACE_SHARED
          ? emu_same_of_shared(w, in->space == EMU_SPACE_GENERIC ? (uint32_t)first : first, t->bytes)
      : space == EMU_SPACE_GLOBAL ? emu_same_of_global(w, in, first, t->bytes)
                                  : NULL;
  if (!from)
    from = emu_access(w, in, (enum emu_space)in->space, first, t->piece, t->kind | EMU_ALL_OF_WARP, 0);
  if (!from)
    return true;
  emu_transfer_to_registers(w, in, t, 0, 0, from);
  for (unsigned k = 0; k < t->count; k++) {
    const struct emu_operand *o = &in->elements[in->operand[0].first + k];
    if (o->bytes == 4) {
      uint32_t *r = emu_u32(w, o), value = r[0];
      for (int i = 0; i < EMU_LANES; i++)
        r[i] = value;
    } else {
      uint64_t *r = emu_u64(w, o), value = r[0];
      for (int i = 0; i < EMU_LANES; i++)
        r[i] = value;
    }
  }
  struct emu_tally *tally = &w->worker->tallies[in->index];
  if (space == EMU_SPACE_GLOBAL) {
    tally->global_requests[EMU_TALLY_LOAD]++;
    tally->global_sectors[EMU_TALLY_LOAD]++;
    tally->global_ideal++;
  } else if (space == EMU_SPACE_SHARED) {
    tally->shared_requests[EMU_TALLY_LOAD]++;
  }
  return true;
}

static inline bool emu_load_words(struct emu_warp *w, const struct emu_instruction *in) {
  const struct emu_transfer *t = in->extra;
  const struct emu_operand *data = &in->operand[0];
  uint64_t first;
  if (!t->plain || in->space == EMU_SPACE_LOCAL)
    return false;
  enum emu_pattern pattern = emu_pattern(w, &in->operand[1], t->bytes, &first);
  if (pattern == EMU_PATTERN_SAME &&
      (in->space != EMU_SPACE_GENERIC || emu_space_of(first) != EMU_SPACE_LOCAL))
    return emu_load_same(w, in, t, first);
  unsigned char *memory = pattern == EMU_PATTERN_ROW ? emu_row(w, in, first, t->bytes, false) : NULL;
  if (!memory)
    return false;
  if (t->element == 4)
    EMU_MOVE_ROW(uint32_t, true);
  else
    EMU_MOVE_ROW(uint64_t, true);
  return true;
}

#endif
