/* Logic, shifts and bit fields. */
#include "each_lane.h"

#include <string.h>

EMU_BINARY(and_16, uint16_t, x &y)
EMU_BINARY(and_32, uint32_t, x &y)
EMU_BINARY(and_64, uint64_t, x &y)
EMU_BINARY(or_16, uint16_t, x | y)
EMU_BINARY(or_32, uint32_t, x | y)
EMU_BINARY(or_64, uint64_t, x | y)
EMU_BINARY(xor_16, uint16_t, x ^ y)
EMU_BINARY(xor_32, uint32_t, x ^ y)
EMU_BINARY(xor_64, uint64_t, x ^ y)
EMU_UNARY(not_16, uint16_t, ~x)
EMU_UNARY(not_32, uint32_t, ~x)
EMU_UNARY(not_64, uint64_t, ~x)
EMU_UNARY(cnot_16, uint16_t, x == 0)
EMU_UNARY(cnot_32, uint32_t, x == 0)
EMU_UNARY(cnot_64, uint64_t, x == 0)

/* Predicates: whole masks at a time. */
#define PREDICATE(name, expression)                                                                          \
  EMU_HANDLER(name) {                                                                                        \
    uint32_t x = emu_predicate(w, &in->operand[1]);                                                          \
    uint32_t y = in->operand_count > 2 ? emu_predicate(w, &in->operand[2]) : 0;                              \
    (void)y;                                                                                                 \
    emu_set_predicate(w, &in->operand[0], expression, mask);                                                 \
  }
PREDICATE(and_pred, x &y)
PREDICATE(or_pred, x | y)
PREDICATE(xor_pred, x ^ y)
PREDICATE(not_pred, ~x)

/* Shift counts are 32 bits whatever the type; from the width on, everything is shifted out. */
#define SHIFT(name, type, expression)                                                                        \
  EMU_HANDLER(name) {                                                                                        \
    EMU_VALUES(type, d, 0);                                                                                  \
    EMU_VALUES(const type, a, 1);                                                                            \
    EMU_VALUES(const uint32_t, b, 2);                                                                        \
    enum { WIDTH = sizeof(type) * 8 };                                                                       \
    EMU_EACH_LANE(d, mask, ({                                                                                \
                    const type x = a[i];                                                                     \
                    const uint32_t y = b[i];                                                                 \
                    (type)(expression);                                                                      \
                  }));                                                                                       \
  }
#define BELOW(y) ((y) & (WIDTH - 1))
SHIFT(shl_16, uint16_t, y < WIDTH ? (uint32_t)x << BELOW(y) : 0)
SHIFT(shl_32, uint32_t, y < WIDTH ? x << BELOW(y) : 0)
SHIFT(shl_64, uint64_t, y < WIDTH ? x << BELOW(y) : 0)
SHIFT(shr_u16, uint16_t, y < WIDTH ? x >> BELOW(y) : 0)
SHIFT(shr_u32, uint32_t, y < WIDTH ? x >> BELOW(y) : 0)
SHIFT(shr_u64, uint64_t, y < WIDTH ? x >> BELOW(y) : 0)
SHIFT(shr_s16, int16_t, x >> (y < WIDTH ? y : WIDTH - 1))
SHIFT(shr_s32, int32_t, x >> (y < WIDTH ? y : WIDTH - 1))
SHIFT(shr_s64, int64_t, x >> (y < WIDTH ? y : WIDTH - 1))

#define BOTH(x, y) ((uint64_t)(y) << 32 | (x))
#define CLAMP(z) ((z) < 32 ? (z) : 32)
EMU_TERNARY(shf_l_wrap, uint32_t, BOTH(x, y) << (z & 31) >> 32)
EMU_TERNARY(shf_l_clamp, uint32_t, BOTH(x, y) << CLAMP(z) >> 32)
EMU_TERNARY(shf_r_wrap, uint32_t, BOTH(x, y) >> (z & 31))
EMU_TERNARY(shf_r_clamp, uint32_t, BOTH(x, y) >> CLAMP(z))

/* lop3: one bit of the table for each combination of the three source bits. */
EMU_HANDLER(lop3_32) {
  EMU_VALUES(uint32_t, d, 0);
  EMU_VALUES(const uint32_t, a, 1);
  EMU_VALUES(const uint32_t, b, 2);
  EMU_VALUES(const uint32_t, c, 3);
  uint32_t t[8];
  for (int k = 0; k < 8; k++)
    t[k] = in->option[0] >> k & 1 ? UINT32_MAX : 0;
  EMU_EACH_LANE(d, mask, ({
                  uint32_t x = a[i], y = b[i], z = c[i];
                  (~x & ~y & ~z & t[0]) | (~x & ~y & z & t[1]) | (~x & y & ~z & t[2]) | (~x & y & z & t[3]) |
                      (x & ~y & ~z & t[4]) | (x & ~y & z & t[5]) | (x & y & ~z & t[6]) | (x & y & z & t[7]);
                }));
}

#define BIT_COUNT(name, type, expression) EMU_CONVERSION(name, uint32_t, type, expression)
BIT_COUNT(popc_32, uint32_t, __builtin_popcount(x))
BIT_COUNT(popc_64, uint64_t, __builtin_popcountll(x))
BIT_COUNT(clz_32, uint32_t, x ? __builtin_clz(x) : 32)
BIT_COUNT(clz_64, uint64_t, x ? __builtin_clzll(x) : 64)
#define HIGHEST_32(x) ((x) ? 31 - __builtin_clz(x) : -1)
#define HIGHEST_64(x) ((x) ? 63 - __builtin_clzll(x) : -1)
BIT_COUNT(bfind_u32, uint32_t, HIGHEST_32(x))
BIT_COUNT(bfind_u64, uint64_t, HIGHEST_64(x))
BIT_COUNT(bfind_s32, uint32_t, HIGHEST_32((int32_t)x < 0 ? ~x : x))
BIT_COUNT(bfind_s64, uint64_t, HIGHEST_64((int64_t)x < 0 ? ~x : x))
BIT_COUNT(bfind_shift_u32, uint32_t, x ? __builtin_clz(x) : -1)
BIT_COUNT(bfind_shift_u64, uint64_t, x ? __builtin_clzll(x) : -1)
BIT_COUNT(bfind_shift_s32, uint32_t, ((int32_t)x < 0 ? ~x : x) ? __builtin_clz((int32_t)x < 0 ? ~x : x) : -1)
BIT_COUNT(bfind_shift_s64, uint64_t,
          ((int64_t)x < 0 ? ~x : x) ? __builtin_clzll((int64_t)x < 0 ? ~x : x) : -1)

static inline uint32_t reverse_32(uint32_t x) {
  x = (x >> 1 & 0x55555555) | (x & 0x55555555) << 1;
  x = (x >> 2 & 0x33333333) | (x & 0x33333333) << 2;
  x = (x >> 4 & 0x0f0f0f0f) | (x & 0x0f0f0f0f) << 4;
  return __builtin_bswap32(x);
}
EMU_UNARY(brev_32, uint32_t, reverse_32(x))
EMU_UNARY(brev_64, uint64_t, (uint64_t)reverse_32((uint32_t)x) << 32 | reverse_32((uint32_t)(x >> 32)))

/* bfe: the field's bits, extended by its highest one for signed types; what lies outside of the register
 * repeats the sign. */
#define FIELD(name, type, signed_type, is_signed)                                                            \
  EMU_HANDLER(name) {                                                                                        \
    EMU_VALUES(type, d, 0);                                                                                  \
    EMU_VALUES(const type, a, 1);                                                                            \
    EMU_VALUES(const uint32_t, b, 2);                                                                        \
    EMU_VALUES(const uint32_t, c, 3);                                                                        \
    enum { WIDTH = sizeof(type) * 8 };                                                                       \
    EMU_FOR_LANES (lane, mask) {                                                                             \
      uint32_t position = b[lane] & 0xff, length = c[lane] & 0xff;                                           \
      type x = a[lane];                                                                                      \
      type sign = 0;                                                                                         \
      if (is_signed && length) {                                                                             \
        uint32_t top = position + length - 1;                                                                \
        sign = x >> (top < WIDTH ? top : WIDTH - 1) & 1 ? (type)-1 : 0;                                      \
      }                                                                                                      \
      uint32_t inside = position >= WIDTH ? 0 : length < WIDTH - position ? length : WIDTH - position;       \
      type bits = inside ? (type)(x >> position) : 0;                                                        \
      type ones = inside >= WIDTH ? (type)-1 : (type)(((type)1 << inside) - 1);                              \
      d[lane] = (type)((bits & ones) | (sign & (type)~ones));                                                \
    }                                                                                                        \
  }
FIELD(bfe_u32, uint32_t, int32_t, false)
FIELD(bfe_s32, uint32_t, int32_t, true)
FIELD(bfe_u64, uint64_t, int64_t, false)
FIELD(bfe_s64, uint64_t, int64_t, true)

#define INSERT(name, type)                                                                                   \
  EMU_HANDLER(name) {                                                                                        \
    EMU_VALUES(type, d, 0);                                                                                  \
    EMU_VALUES(const type, a, 1);                                                                            \
    EMU_VALUES(const type, b, 2);                                                                            \
    EMU_VALUES(const uint32_t, c, 3);                                                                        \
    EMU_VALUES(const uint32_t, e, 4);                                                                        \
    enum { WIDTH = sizeof(type) * 8 };                                                                       \
    EMU_FOR_LANES (lane, mask) {                                                                             \
      uint32_t position = c[lane] & 0xff, length = e[lane] & 0xff;                                           \
      type ones = length >= WIDTH ? (type)-1 : (type)(((type)1 << length) - 1);                              \
      type field = position >= WIDTH ? 0 : (type)(ones << position);                                         \
      type value = position >= WIDTH ? 0 : (type)(a[lane] << position);                                      \
      d[lane] = (type)((value & field) | (b[lane] & (type)~field));                                          \
    }                                                                                                        \
  }
INSERT(bfi_32, uint32_t)
INSERT(bfi_64, uint64_t)

static enum emu_decode_result decode_logic(struct emu_decoder *d, struct emu_instruction *out) {
  static const struct {
    const char *name;
    unsigned operands;
    emu_handler *by_width[3], *predicate;
  } operations[] = {{"and", 3, {and_16, and_32, and_64}, and_pred},
                    {"or", 3, {or_16, or_32, or_64}, or_pred},
                    {"xor", 3, {xor_16, xor_32, xor_64}, xor_pred},
                    {"not", 2, {not_16, not_32, not_64}, not_pred},
                    {"cnot", 2, {cnot_16, cnot_32, cnot_64}, NULL}};
  enum emu_type type = emu_take_type(d);
  unsigned bytes = emu_type_bytes(type);
  for (size_t i = 0; i < sizeof operations / sizeof operations[0]; i++) {
    if (strcmp(operations[i].name, emu_opcode(d)))
      continue;
    if (type != EMU_PRED) {
      emu_handler *run = bytes == 2   ? operations[i].by_width[0]
                         : bytes == 4 ? operations[i].by_width[1]
                                      : operations[i].by_width[2];
      return emu_decode_values(d, out, bytes == 2 || bytes == 4 || bytes == 8 ? run : NULL,
                               operations[i].operands, bytes, EMU_CLASS_INTEGER);
    }
    out->run = operations[i].predicate;
    out->class = EMU_CLASS_INTEGER;
    out->operand_count = (uint8_t)operations[i].operands;
    if (!out->run || emu_operand_count(d) != operations[i].operands)
      return emu_refuse(d, "not for predicates");
    for (unsigned k = 0; k < operations[i].operands; k++)
      if (!emu_bind_predicate(d, out, k, k))
        return EMU_UNSUPPORTED;
    return EMU_DECODED;
  }
  return EMU_NOT_MINE;
}

static enum emu_decode_result decode_shift(struct emu_decoder *d, struct emu_instruction *out) {
  static const struct emu_integer_handlers left = {shl_16, shl_16, shl_32, shl_32, shl_64, shl_64},
                                           right = {shr_u16, shr_s16, shr_u32, shr_s32, shr_u64, shr_s64};
  enum emu_type type = emu_take_type(d);
  unsigned bytes = emu_type_bytes(type);
  out->run = emu_integer_handler(emu_opcode(d)[2] == 'l' ? &left : &right, type);
  out->class = EMU_CLASS_INTEGER;
  if (!out->run)
    return emu_refuse(d, "not for this type");
  bool bound = emu_bind_value(d, out, 0, 0, bytes) && emu_bind_value(d, out, 1, 1, bytes) &&
               emu_bind_value(d, out, 2, 2, 4);
  return bound ? EMU_DECODED : EMU_UNSUPPORTED;
}

static enum emu_decode_result decode_funnel(struct emu_decoder *d, struct emu_instruction *out) {
  bool left = emu_take(d, "l"), wrap = emu_take(d, "wrap");
  if ((!left && !emu_take(d, "r")) || (!wrap && !emu_take(d, "clamp")) || emu_take_type(d) != EMU_B32)
    return emu_refuse(d, ".l or .r and .wrap or .clamp of .b32 are needed");
  return emu_decode_values(d, out,
                           left ? (wrap ? shf_l_wrap : shf_l_clamp) : (wrap ? shf_r_wrap : shf_r_clamp), 4, 4,
                           EMU_CLASS_INTEGER);
}

static enum emu_decode_result decode_lop3(struct emu_decoder *d, struct emu_instruction *out) {
  if (emu_take_type(d) != EMU_B32 || emu_operand_count(d) != 5)
    return emu_refuse(d, ".b32 with five operands is needed");
  out->run = lop3_32;
  out->class = EMU_CLASS_INTEGER;
  for (unsigned i = 0; i < 5; i++)
    if (!emu_bind_value(d, out, i, i, 4))
      return EMU_UNSUPPORTED;
  if (!out->operand[4].immediate)
    return emu_refuse(d, "a constant table is needed");
  out->option[0] = (uint32_t)out->operand[4].value;
  return EMU_DECODED;
}

static enum emu_decode_result decode_count(struct emu_decoder *d, struct emu_instruction *out) {
  const char *op = emu_opcode(d);
  enum emu_type type = emu_take_type(d);
  bool wide = emu_type_bytes(type) == 8, is_signed = emu_type_signed(type), shift = emu_take(d, "shiftamt");
  if (emu_type_bytes(type) != 4 && !wide)
    return emu_refuse(d, "not for this type");
  if (!strcmp(op, "popc"))
    out->run = wide ? popc_64 : popc_32;
  else if (!strcmp(op, "clz"))
    out->run = wide ? clz_64 : clz_32;
  else if (shift)
    out->run = wide ? (is_signed ? bfind_shift_s64 : bfind_shift_u64)
                    : (is_signed ? bfind_shift_s32 : bfind_shift_u32);
  else
    out->run = wide ? (is_signed ? bfind_s64 : bfind_u64) : (is_signed ? bfind_s32 : bfind_u32);
  out->class = EMU_CLASS_INTEGER;
  return emu_bind_value(d, out, 0, 0, 4) && emu_bind_value(d, out, 1, 1, emu_type_bytes(type))
             ? EMU_DECODED
             : EMU_UNSUPPORTED;
}

static enum emu_decode_result decode_field(struct emu_decoder *d, struct emu_instruction *out) {
  enum emu_type type = emu_take_type(d);
  unsigned bytes = emu_type_bytes(type);
  bool insert = !strcmp(emu_opcode(d), "bfi"), is_signed = emu_type_signed(type);
  if (!emu_is_integer(type) || (bytes != 4 && bytes != 8))
    return emu_refuse(d, "not for this type");
  out->run = insert ? (bytes == 8 ? bfi_64 : bfi_32)
                    : (bytes == 8 ? (is_signed ? bfe_s64 : bfe_u64) : (is_signed ? bfe_s32 : bfe_u32));
  out->class = EMU_CLASS_INTEGER;
  unsigned values = insert ? 3 : 2;
  for (unsigned i = 0; i < values + 2; i++)
    if (!emu_bind_value(d, out, i, i, i < values ? bytes : 4))
      return EMU_UNSUPPORTED;
  return EMU_DECODED;
}

static enum emu_decode_result decode_reverse(struct emu_decoder *d, struct emu_instruction *out) {
  unsigned bytes = emu_type_bytes(emu_take_type(d));
  return emu_decode_values(d, out,
                           bytes == 4   ? brev_32
                           : bytes == 8 ? brev_64
                                        : NULL,
                           2, bytes, EMU_CLASS_INTEGER);
}

static const struct emu_opcode_entry opcodes[] = {
    {"and", decode_logic},  {"or", decode_logic},   {"xor", decode_logic},    {"not", decode_logic},
    {"cnot", decode_logic}, {"shl", decode_shift},  {"shr", decode_shift},    {"shf", decode_funnel},
    {"lop3", decode_lop3},  {"popc", decode_count}, {"clz", decode_count},    {"bfind", decode_count},
    {"bfe", decode_field},  {"bfi", decode_field},  {"brev", decode_reverse}, {NULL, NULL},
};

const struct emu_family EMU_VARIANT(emu_family_bits) = {"bits", opcodes};
