/* Loads by lanes anywhere in the block's shared memory, all lanes at once. */
#ifndef EMU_MEMORY_SHARED_H
#define EMU_MEMORY_SHARED_H

#include "memory_words.h"

/* Whether lanes whose addresses are multiples of `bytes` (4, 8 or 16) need no pass more than they would anyhow:
 * a pass serves 128 bytes, of 32, 16 or 8 lanes, where those that share banks are at the same place. */
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

/* Offsets in the block's shared memory; of the lanes that are not in the mask one of the others'. False if some
 * are no such addresses, or not for a plain load of `bytes`. */
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
  uint32_t offset[EMU_LANES], words[EMU_LANES];
  if (!emu_shared_offsets(w, in, &in->operand[1], t->bytes, mask, offset))
    return false;
  if (w->launch->checks) {
    for (unsigned i = 0; i < EMU_LANES; i++)
      words[i] = offset[i] / 4;
    if (!emu_shared_lanes_set(b, offset, t->bytes) ||
        !emu_log_lanes(b->races, w->index, mask, words, t->bytes / 4))
      return false;
  }
  if (emu_free_of_conflicts(offset, t->bytes)) {
    w->worker->tallies[in->index].shared_requests[EMU_TALLY_LOAD]++;
  } else {
    uint64_t address[EMU_LANES];
    for (unsigned i = 0; i < EMU_LANES; i++)
      address[i] = offset[i];
    emu_count_access(w, in, EMU_SPACE_SHARED, address, t->bytes, EMU_READ, mask);
  }
  if (t->element == 4) {
    EMU_GATHER_LANES(uint32_t)
  } else {
    EMU_GATHER_LANES(uint64_t)
  }
  return true;
}

#endif
