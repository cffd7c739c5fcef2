/* Integer arithmetic of 16, 32 and 64 bits: add, sub, mul, mad, div, rem, neg, abs, min, max, sad. */
#include "lanes.h"

typedef __int128 int128_t;
typedef unsigned __int128 uint128_t;

/* Wrapping sums and products of signed numbers are those of unsigned ones. */
#define BY_WIDTH(bits)                                                                                       \
  EMU_LANEWISE_SAME(add_##bits, uint##bits##_t, a + b)                                                       \
  EMU_LANEWISE_SAME(sub_##bits, uint##bits##_t, a - b)                                                       \
  EMU_LANEWISE_SAME(mul_lo_##bits, uint##bits##_t, (uint64_t)a *b)                                           \
  EMU_LANEWISE_SAME(mad_lo_##bits, uint##bits##_t, (uint64_t)a *b + c)                                       \
  EMU_LANEWISE_SAME(neg_##bits, uint##bits##_t, 0 - (uint64_t)a)                                             \
  EMU_LANEWISE_SAME(abs_##bits, uint##bits##_t, a >> (bits - 1) ? 0 - (uint64_t)a : (uint64_t)a)

/* x: int or uint; wide: a type that holds a product */
#define BY_TYPE(x, bits, wide)                                                                               \
  EMU_LANEWISE_SAME(mul_hi_##x##bits, x##bits##_t, ((wide)a * b) >> bits)                                    \
  EMU_LANEWISE_SAME(mad_hi_##x##bits, x##bits##_t, (uint64_t)(((wide)a * b) >> bits) + (uint64_t)c)          \
  EMU_LANEWISE_SAME(min_##x##bits, x##bits##_t, a < b ? a : b)                                               \
  EMU_LANEWISE_SAME(max_##x##bits, x##bits##_t, a > b ? a : b)                                               \
  EMU_LANEWISE_SAME(sad_##x##bits, x##bits##_t,                                                              \
                    (uint64_t)c + (a > b ? (uint64_t)a - (uint64_t)b : (uint64_t)b - (uint64_t)a))

/* Division by zero: all ones, and the dividend as the rest, as hardware has it. The least number by -1
 * wraps. */
#define DIVISION(x, bits, quotient, rest)                                                                    \
  EMU_LANEWISE_SAME(div_##x##bits, x##bits##_t, b == 0 ? (x##bits##_t) - 1 : (quotient))                     \
  EMU_LANEWISE_SAME(rem_##x##bits, x##bits##_t, b == 0 ? a : (rest))
#define SIGNED_DIVISION(bits)                                                                                \
  DIVISION(int, bits, b == -1 ? (int##bits##_t)(0 - (uint64_t)a) : a / b, b == -1 ? 0 : a % b)

BY_WIDTH(16)
BY_WIDTH(32)
BY_WIDTH(64)
BY_TYPE(int, 16, int32_t)
BY_TYPE(int, 32, int64_t)
BY_TYPE(int, 64, int128_t)
BY_TYPE(uint, 16, uint32_t)
BY_TYPE(uint, 32, uint64_t)
BY_TYPE(uint, 64, uint128_t)
SIGNED_DIVISION(16)
SIGNED_DIVISION(32)
SIGNED_DIVISION(64)
DIVISION(uint, 16, a / b, a % b)
DIVISION(uint, 32, a / b, a % b)
DIVISION(uint, 64, a / b, a % b)

EMU_LANEWISE(mul_wide_int16, uint32_t, int16_t, int16_t, uint32_t, (int32_t)a *b)
EMU_LANEWISE(mul_wide_uint16, uint32_t, uint16_t, uint16_t, uint32_t, (uint32_t)a *b)
EMU_LANEWISE(mul_wide_int32, uint64_t, int32_t, int32_t, uint64_t, (int64_t)a *b)
EMU_LANEWISE(mul_wide_uint32, uint64_t, uint32_t, uint32_t, uint64_t, (uint64_t)a *b)
EMU_LANEWISE(mad_wide_int16, uint32_t, int16_t, int16_t, uint32_t, (uint32_t)((int32_t)a *b) + c)
EMU_LANEWISE(mad_wide_uint16, uint32_t, uint16_t, uint16_t, uint32_t, (uint32_t)a *b + c)
EMU_LANEWISE(mad_wide_int32, uint64_t, int32_t, int32_t, uint64_t, (uint64_t)((int64_t)a *b) + c)
EMU_LANEWISE(mad_wide_uint32, uint64_t, uint32_t, uint32_t, uint64_t, (uint64_t)a *b + c)

static inline int32_t clamp(int64_t value) {
  return value > INT32_MAX ? INT32_MAX : value < INT32_MIN ? INT32_MIN : (int32_t)value;
}
EMU_LANEWISE_SAME(add_sat, int32_t, clamp((int64_t)a + b))
EMU_LANEWISE_SAME(sub_sat, int32_t, clamp((int64_t)a - b))
EMU_LANEWISE_SAME(mad_hi_sat, int32_t, clamp((((int64_t)a * b) >> 32) + c))

/* The halves of a 32-bit register on their own: add, min and max of u16x2 and s16x2. */
#define PAIRS(x, type, wide)                                                                                 \
  static inline uint32_t pair_##x(uint32_t a, uint32_t b, int operation) {                                   \
    uint32_t result = 0;                                                                                     \
    for (unsigned i = 0; i < 32; i += 16) {                                                                  \
      const wide p = (type)(a >> i), q = (type)(b >> i);                                                     \
      const wide r = operation == 0 ? p + q : (operation == 1) == (p < q) ? p : q;                           \
      result |= (uint32_t)(uint16_t)r << i;                                                                  \
    }                                                                                                        \
    return result;                                                                                           \
  }
PAIRS(int, int16_t, int32_t)
PAIRS(uint, uint16_t, int32_t)
EMU_LANEWISE_SAME(add_pair, uint32_t, pair_uint(a, b, 0))
EMU_LANEWISE_SAME(min_pair_int, uint32_t, pair_int(a, b, 1))
EMU_LANEWISE_SAME(max_pair_int, uint32_t, pair_int(a, b, 2))
EMU_LANEWISE_SAME(min_pair_uint, uint32_t, pair_uint(a, b, 1))
EMU_LANEWISE_SAME(max_pair_uint, uint32_t, pair_uint(a, b, 2))

/* ---- Decoding ---- */

enum operation {
  ADD,
  SUB,
  MUL_LO,
  MAD_LO,
  NEG,
  ABS,
  MUL_HI,
  MAD_HI,
  MIN,
  MAX,
  SAD,
  DIV,
  REM,
  MUL_WIDE,
  MAD_WIDE,
  OPERATIONS
};

#define ROW(x, bits)                                                                                         \
  {                                                                                                          \
    add_##bits, sub_##bits, mul_lo_##bits, mad_lo_##bits, neg_##bits, abs_##bits, mul_hi_##x##bits,          \
        mad_hi_##x##bits, min_##x##bits, max_##x##bits, sad_##x##bits, div_##x##bits, rem_##x##bits, NULL,   \
        NULL                                                                                                 \
  }

/* by signedness and log2(bits / 16) */
static emu_handler *const handlers[2][3][OPERATIONS] = {
    {ROW(uint, 16), ROW(uint, 32), ROW(uint, 64)},
    {ROW(int, 16), ROW(int, 32), ROW(int, 64)},
};
static emu_handler *const wide_handlers[2][2][2] = {
    {{mul_wide_uint16, mad_wide_uint16}, {mul_wide_uint32, mad_wide_uint32}},
    {{mul_wide_int16, mad_wide_int16}, {mul_wide_int32, mad_wide_int32}},
};

static bool is_integer(enum emu_type type) {
  return type == EMU_U16 || type == EMU_U32 || type == EMU_U64 || type == EMU_S16 || type == EMU_S32 ||
         type == EMU_S64;
}

static enum emu_decode_result decode_pair(struct emu_decoder *decoder, struct emu_instruction *out,
                                          enum emu_type type, enum operation operation) {
  const bool is_signed = type == EMU_S16X2;
  out->run = operation == ADD   ? add_pair
             : operation == MIN ? (is_signed ? min_pair_int : min_pair_uint)
             : operation == MAX ? (is_signed ? max_pair_int : max_pair_uint)
                                : NULL;
  out->class = EMU_CLASS_INTEGER;
  return out->run && emu_bind_values(decoder, out, 3, 4) ? EMU_DECODED : EMU_UNSUPPORTED;
}

static enum emu_decode_result decode_wide(struct emu_decoder *decoder, struct emu_instruction *out,
                                          enum emu_type type, bool adds) {
  const unsigned bytes = emu_type_bytes(type);
  if (bytes > 4)
    return EMU_UNSUPPORTED;
  out->run = wide_handlers[emu_type_signed(type)][bytes == 4][adds];
  return emu_bind_value(decoder, out, 0, 0, 2 * bytes) && emu_bind_value(decoder, out, 1, 1, bytes) &&
                 emu_bind_value(decoder, out, 2, 2, bytes) &&
                 (!adds || emu_bind_value(decoder, out, 3, 3, 2 * bytes))
             ? EMU_DECODED
             : EMU_UNSUPPORTED;
}

static enum emu_decode_result decode(struct emu_decoder *decoder, struct emu_instruction *out,
                                     enum operation operation, unsigned sources) {
  static const char *const parts[] = {"lo", "hi", "wide", NULL};
  const enum emu_type type = emu_take_type(decoder);
  if (type == EMU_U16X2 || type == EMU_S16X2)
    return decode_pair(decoder, out, type, operation);
  if (!is_integer(type) || emu_has(decoder, "cc"))
    return EMU_NOT_MINE;
  const unsigned bytes = emu_type_bytes(type), width = bytes == 2 ? 0 : bytes == 4 ? 1 : 2;
  out->class = EMU_CLASS_INTEGER;
  if (operation == MUL_LO || operation == MAD_LO) {
    const int part = emu_take_one(decoder, parts);
    if (part < 0)
      return EMU_UNSUPPORTED;
    if (part == 2)
      return decode_wide(decoder, out, type, operation == MAD_LO);
    if (part == 1)
      operation = operation == MUL_LO ? MUL_HI : MAD_HI;
  }
  out->run = handlers[emu_type_signed(type)][width][operation];
  if (type == EMU_S32 && emu_take(decoder, "sat"))
    out->run = operation == ADD      ? add_sat
               : operation == SUB    ? sub_sat
               : operation == MAD_HI ? mad_hi_sat
                                     : NULL;
  return out->run && emu_bind_values(decoder, out, 1 + sources, bytes) ? EMU_DECODED : EMU_UNSUPPORTED;
}

#define DECODE(name, OPERATION, sources)                                                                     \
  static enum emu_decode_result decode_##name(struct emu_decoder *decoder, struct emu_instruction *out) {    \
    return decode(decoder, out, OPERATION, sources);                                                         \
  }
DECODE(add, ADD, 2)
DECODE(sub, SUB, 2)
DECODE(mul, MUL_LO, 2)
DECODE(mad, MAD_LO, 3)
DECODE(div, DIV, 2)
DECODE(rem, REM, 2)
DECODE(neg, NEG, 1)
DECODE(abs, ABS, 1)
DECODE(min, MIN, 2)
DECODE(max, MAX, 2)
DECODE(sad, SAD, 3)

static const struct emu_opcode_entry opcodes[] = {
    {"add", decode_add}, {"sub", decode_sub}, {"mul", decode_mul}, {"mad", decode_mad},
    {"div", decode_div}, {"rem", decode_rem}, {"neg", decode_neg}, {"abs", decode_abs},
    {"min", decode_min}, {"max", decode_max}, {"sad", decode_sad}, {NULL, NULL},
};

const struct emu_family EMU_VARIANT(emu_family_integer) = {"integer", opcodes};
