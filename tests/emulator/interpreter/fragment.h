/* Matrices spread over the registers of a warp: the layouts of the PTX manual (section "Matrix Fragments for
 * mma").
 *
 * All shapes but mma.m8n8k4 of f16 share one scheme. Lane = 4 * group + thread. A 32-bit register (64-bit for
 * f64) of A or B holds `per` neighbours along k; a block is 8 rows (columns of B) by 4 * per elements of k.
 * A's registers step through blocks two row blocks first, then along k, then to the next 16 rows; B's step
 * along k, then over columns. C and D consist of 8x8 blocks, rows first, of which a lane holds two neighbours
 * of a row. wmma fragments, whose layout the manual leaves open, use the same scheme (as hardware since
 * compute capability 8.0 does); f16 ones hold A and B more than once. */
#ifndef EMU_FRAGMENT_H
#define EMU_FRAGMENT_H

#include "interpreter.h"
#include "small_float.h"

enum { EMU_MATRIX_MOST = 32 }; /* rows or columns of the largest shape */

struct emu_matrix_shape {
  unsigned m, n, k;
};

struct emu_place_in_matrix {
  unsigned row, column;
};

/* Elements of a type in one register of a fragment. */
static inline unsigned emu_fragment_per(enum emu_type type) {
  const unsigned bytes = emu_type_bytes(type);
  return bytes >= 4 ? 1 : 4 / bytes;
}

/* Registers that hold A (or B, with n for m) once. */
static inline unsigned emu_fragment_registers(unsigned rows, unsigned k, enum emu_type type) {
  return rows * k / (EMU_LANES * emu_fragment_per(type));
}

static inline struct emu_place_in_matrix emu_fragment_a(const struct emu_matrix_shape *s, unsigned per,
                                                        unsigned lane, unsigned index, unsigned element) {
  const unsigned blocks = s->k / (4 * per), rows = s->m > 8 ? 2 : 1;
  const unsigned tile = index / (rows * blocks), rest = index % (rows * blocks);
  return (struct emu_place_in_matrix){(tile * 2 + rest % rows) * 8 + lane / 4,
                                      rest / rows * 4 * per + lane % 4 * per + element};
}

static inline struct emu_place_in_matrix emu_fragment_b(const struct emu_matrix_shape *s, unsigned per,
                                                        unsigned lane, unsigned index, unsigned element) {
  const unsigned blocks = s->k / (4 * per);
  return (struct emu_place_in_matrix){index % blocks * 4 * per + lane % 4 * per + element,
                                      index / blocks * 8 + lane / 4};
}

/* element counts through the whole of a lane's share of C or D */
static inline struct emu_place_in_matrix emu_fragment_c(const struct emu_matrix_shape *s, unsigned lane,
                                                        unsigned element) {
  const unsigned block = element / 2, rows = s->m / 8;
  return (struct emu_place_in_matrix){block % rows * 8 + lane / 4,
                                      block / rows * 8 + lane % 4 * 2 + element % 2};
}

/* ---- Registers to numbers and back ---- */

/* Element `element` of lane's register; every type of 32 bits or less is exact in double. */
static inline double emu_fragment_value(struct emu_warp *w, const struct emu_operand *o, enum emu_type type,
                                        unsigned lane, unsigned element) {
  if (type == EMU_F64)
    return emu_f64(w, o)[lane];
  const uint32_t word = emu_u32(w, o)[lane];
  switch (type) {
  case EMU_F16:
    return emu_half_to_float((uint16_t)(word >> 16 * element));
  case EMU_BF16:
    return emu_bfloat_to_float((uint16_t)(word >> 16 * element));
  case EMU_TF32:
    return emu_float_float_of(word & 0xffffe000u);
  case EMU_F32:
    return emu_float_float_of(word);
  case EMU_E4M3:
    return emu_float_decode(EMU_FORMAT_E4M3, word >> 8 * element & 0xff);
  case EMU_E5M2:
    return emu_float_decode(EMU_FORMAT_E5M2, word >> 8 * element & 0xff);
  case EMU_S8:
    return (int8_t)(word >> 8 * element);
  case EMU_U8:
    return (uint8_t)(word >> 8 * element);
  default: /* s32 */
    return (int32_t)word;
  }
}

/* Rounds to nearest and writes; integers wrap, or saturate where asked. */
static inline void emu_fragment_set(struct emu_warp *w, const struct emu_operand *o, enum emu_type type,
                                    unsigned lane, unsigned element, double value, bool saturates) {
  if (type == EMU_F64)
    emu_f64(w, o)[lane] = value;
  else if (type == EMU_F32)
    emu_u32(w, o)[lane] = value != value ? 0x7fffffffu : emu_float_float_bits((float)value);
  else if (type == EMU_F16) {
    const uint32_t bits = emu_half_from_float(emu_float_narrow_odd(value));
    uint32_t *word = &emu_u32(w, o)[lane];
    *word = element ? (*word & 0xffffu) | bits << 16 : (*word & 0xffff0000u) | bits;
  } else {
    int64_t whole = (int64_t)value;
    if (saturates)
      whole = whole > INT32_MAX ? INT32_MAX : whole < INT32_MIN ? INT32_MIN : whole;
    emu_u32(w, o)[lane] = (uint32_t)whole;
  }
}

/* ---- What every instruction of a whole warp asks for first ---- */

/* True when all 32 lanes are here; otherwise the path waits for the others, or the launch has been stopped.
 */
static inline bool emu_whole_warp(struct emu_warp *w, const struct emu_instruction *in, uint32_t mask) {
  uint32_t members[EMU_LANES];
  if (w->existing != EMU_ALL_LANES) {
    emu_fault(w, in, (unsigned)__builtin_ctz(mask), EMU_FAULT_CHECK,
              "an instruction of the whole warp in a warp of fewer than 32 threads");
    return false;
  }
  for (unsigned lane = 0; lane < EMU_LANES; lane++)
    members[lane] = EMU_ALL_LANES;
  return emu_warp_converge(w, in, members, mask);
}

#endif
