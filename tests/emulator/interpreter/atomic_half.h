/* Atomic operations on f16, bf16 and pairs of them. */
#ifndef EMU_ATOMIC_HALF_H
#define EMU_ATOMIC_HALF_H

#include "interpreter.h"
#include "small_float.h"

#include <string.h>

typedef uint64_t emu_atomic_operation(uint64_t old, uint64_t b, uint64_t c);

static uint16_t emu_atomic_extreme(uint16_t a, uint16_t b, bool brain, bool largest) {
  float x = brain ? emu_bfloat_to_float(a) : emu_half_to_float(a),
        y = brain ? emu_bfloat_to_float(b) : emu_half_to_float(b);
  if (x != x || y != y)
    return x != x ? (y != y ? 0x7fff : b) : a;
  if (x == y)
    return largest ? a & b : a | b; /* zeros of both signs */
  return (x < y) == largest ? b : a;
}

#define EMU_ATOMIC_PAIR(name, one)                                                                           \
  static uint64_t name(uint64_t old, uint64_t b, uint64_t c) {                                               \
    (void)c;                                                                                                 \
    uint32_t low = (one)((uint16_t)old, (uint16_t)b),                                                        \
             high = (one)((uint16_t)(old >> 16), (uint16_t)(b >> 16));                                       \
    return high << 16 | low;                                                                                 \
  }
static uint16_t emu_atomic_half_min(uint16_t a, uint16_t b) {
  return emu_atomic_extreme(a, b, false, false);
}
static uint16_t emu_atomic_half_max(uint16_t a, uint16_t b) {
  return emu_atomic_extreme(a, b, false, true);
}
static uint16_t emu_atomic_bfloat_min(uint16_t a, uint16_t b) {
  return emu_atomic_extreme(a, b, true, false);
}
static uint16_t emu_atomic_bfloat_max(uint16_t a, uint16_t b) {
  return emu_atomic_extreme(a, b, true, true);
}
EMU_ATOMIC_PAIR(emu_atomic_half_add_pair, emu_half_add)
EMU_ATOMIC_PAIR(emu_atomic_bfloat_add_pair, emu_bfloat_add)
EMU_ATOMIC_PAIR(emu_atomic_half_min_pair, emu_atomic_half_min)
EMU_ATOMIC_PAIR(emu_atomic_half_max_pair, emu_atomic_half_max)
EMU_ATOMIC_PAIR(emu_atomic_bfloat_min_pair, emu_atomic_bfloat_min)
EMU_ATOMIC_PAIR(emu_atomic_bfloat_max_pair, emu_atomic_bfloat_max)

/* A single value is a pair whose upper half is not stored. */
static emu_atomic_operation *emu_atomic_half(const char *name, enum emu_type type) {
  bool half = type == EMU_F16 || type == EMU_F16X2, brain = type == EMU_BF16 || type == EMU_BF16X2;
  if (!half && !brain)
    return NULL;
  if (!strcmp(name, "add"))
    return half ? emu_atomic_half_add_pair : emu_atomic_bfloat_add_pair;
  if (!strcmp(name, "min"))
    return half ? emu_atomic_half_min_pair : emu_atomic_bfloat_min_pair;
  if (!strcmp(name, "max"))
    return half ? emu_atomic_half_max_pair : emu_atomic_bfloat_max_pair;
  return NULL;
}

#endif
