/* The 64-bit mbarrier object in shared memory, and what an arrival does to it. The manual leaves the bits
 * open; here they are 0..19 arrivals that a phase expects, 20..39 those still pending, 40..61 bytes still to
 * come (signed), 62..63 the phase. */
#ifndef EMU_BARRIER_OBJECT_H
#define EMU_BARRIER_OBJECT_H

#include "interpreter.h"

#include "../checks/order.h"

#define EMU_BARRIER_INVALID UINT64_MAX /* what mbarrier.inval leaves */
enum { EMU_BARRIER_MOST = (1 << 20) - 1 };

struct emu_mbarrier {
  uint32_t expected, pending, phase;
  int32_t bytes;
};

static inline struct emu_mbarrier emu_barrier_unpack(uint64_t bits) {
  const int64_t bytes = (int64_t)(bits << 2) >> 42;
  return (struct emu_mbarrier){(uint32_t)bits & EMU_BARRIER_MOST, (uint32_t)(bits >> 20) & EMU_BARRIER_MOST,
                               (uint32_t)(bits >> 62), (int32_t)bytes};
}

static inline uint64_t emu_barrier_pack(const struct emu_mbarrier *b) {
  return (uint64_t)b->expected | (uint64_t)b->pending << 20 |
         ((uint64_t)(uint32_t)b->bytes & 0x3fffff) << 40 | (uint64_t)b->phase << 62;
}

/* The next phase begins when nobody and no byte is waited for any more. */
static inline void emu_barrier_settle(struct emu_warp *w, const uint64_t *object, struct emu_mbarrier *b) {
  if (b->pending == 0 && b->bytes == 0) {
    b->phase = (b->phase + 1) & 3;
    b->pending = b->expected;
    emu_order_phase_over(w, object);
  }
}

/* The object at an address, checked and valid; NULL after a fault. */
static inline uint64_t *emu_barrier_at(struct emu_warp *w, const struct emu_instruction *in,
                                       enum emu_space space, uint64_t address, unsigned lane) {
  uint64_t *object =
      emu_access(w, in, space, address, 8, EMU_READ_WRITE | EMU_STRONG | EMU_SCOPE_CLUSTER, lane);
  if (object && *object == EMU_BARRIER_INVALID) {
    emu_fault(w, in, lane, EMU_FAULT_CHECK, "the mbarrier has been invalidated");
    return NULL;
  }
  return object;
}

/* Changes the bytes that the current phase still waits for: expect_tx adds, complete_tx subtracts. */
static inline bool emu_barrier_add_bytes(struct emu_warp *w, const struct emu_instruction *in,
                                         uint64_t *object, int64_t change, unsigned lane) {
  struct emu_mbarrier b = emu_barrier_unpack(*object);
  const int64_t bytes = b.bytes + change;
  if (bytes > EMU_BARRIER_MOST || bytes < -EMU_BARRIER_MOST) {
    emu_fault(w, in, lane, EMU_FAULT_CHECK, "the mbarrier's byte count leaves its range (%lld, at most %d)",
              (long long)bytes, EMU_BARRIER_MOST);
    return false;
  }
  b.bytes = (int32_t)bytes;
  emu_barrier_settle(w, object, &b);
  *object = emu_barrier_pack(&b);
  return true;
}

/* `count` arrivals, which leave for good if `drops`. */
static inline bool emu_barrier_arrive(struct emu_warp *w, const struct emu_instruction *in, uint64_t *object,
                                      uint32_t count, bool drops, unsigned lane) {
  struct emu_mbarrier b = emu_barrier_unpack(*object);
  if (count == 0 || count > b.pending) {
    emu_fault(w, in, lane, EMU_FAULT_CHECK, "%u arrivals at an mbarrier whose phase waits for %u more", count,
              b.pending);
    return false;
  }
  b.pending -= count;
  if (drops)
    b.expected -= count;
  emu_barrier_settle(w, object, &b);
  *object = emu_barrier_pack(&b);
  return true;
}

#endif
