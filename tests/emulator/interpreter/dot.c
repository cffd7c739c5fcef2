/* Products of 24 bits (mul24, mad24) and dot products of bytes (dp4a, dp2a). */
#include "lanes.h"

static int32_t low24(uint32_t value) {
  return (int32_t)(value << 8) >> 8;
}

#define UNSIGNED24(a) ((uint64_t)((a)&0xffffff))
#define SIGNED24(a) ((int64_t)low24(a))
EMU_LANEWISE_SAME(mul24_lo_u, uint32_t, UNSIGNED24(a) * UNSIGNED24(b))
EMU_LANEWISE_SAME(mul24_hi_u, uint32_t, UNSIGNED24(a) * UNSIGNED24(b) >> 16)
EMU_LANEWISE_SAME(mul24_lo_s, uint32_t, SIGNED24(a) * SIGNED24(b))
EMU_LANEWISE_SAME(mul24_hi_s, uint32_t, SIGNED24(a) * SIGNED24(b) >> 16)
EMU_LANEWISE_SAME(mad24_lo_u, uint32_t, UNSIGNED24(a) * UNSIGNED24(b) + c)
EMU_LANEWISE_SAME(mad24_hi_u, uint32_t, (UNSIGNED24(a) * UNSIGNED24(b) >> 16) + c)
EMU_LANEWISE_SAME(mad24_lo_s, uint32_t, SIGNED24(a) * SIGNED24(b) + (int64_t)c)
EMU_LANEWISE_SAME(mad24_hi_s, uint32_t, (SIGNED24(a) * SIGNED24(b) >> 16) + (int64_t)c)

/* ---- Dot products: four bytes with four, or two 16-bit halves with two bytes ---- */

static inline int32_t byte_of(uint32_t value, unsigned index, bool is_signed) {
  return is_signed ? (int8_t)(value >> 8 * index) : (uint8_t)(value >> 8 * index);
}

static inline int32_t half_of(uint32_t value, unsigned index, bool is_signed) {
  return is_signed ? (int16_t)(value >> 16 * index) : (uint16_t)(value >> 16 * index);
}

static inline uint32_t dot4(uint32_t a, uint32_t b, uint32_t c, bool a_signed, bool b_signed) {
  for (unsigned i = 0; i < 4; i++)
    c += (uint32_t)(byte_of(a, i, a_signed) * byte_of(b, i, b_signed));
  return c;
}

static inline uint32_t dot2(uint32_t a, uint32_t b, uint32_t c, bool a_signed, bool b_signed,
                            unsigned first) {
  for (unsigned i = 0; i < 2; i++)
    c += (uint32_t)(half_of(a, i, a_signed) * byte_of(b, first + i, b_signed));
  return c;
}

#define DOT(name, a_signed, b_signed)                                                                        \
  EMU_LANEWISE_SAME(dp4a_##name, uint32_t, dot4(a, b, c, a_signed, b_signed))                                \
  EMU_LANEWISE_SAME(dp2a_lo_##name, uint32_t, dot2(a, b, c, a_signed, b_signed, 0))                          \
  EMU_LANEWISE_SAME(dp2a_hi_##name, uint32_t, dot2(a, b, c, a_signed, b_signed, 2))
DOT(uu, false, false)
DOT(us, false, true)
DOT(su, true, false)
DOT(ss, true, true)

static emu_handler *const dots[3][4] = {{dp4a_uu, dp4a_us, dp4a_su, dp4a_ss},
                                        {dp2a_lo_uu, dp2a_lo_us, dp2a_lo_su, dp2a_lo_ss},
                                        {dp2a_hi_uu, dp2a_hi_us, dp2a_hi_su, dp2a_hi_ss}};
static emu_handler *const products24[2][2][2] = {{{mul24_lo_u, mul24_hi_u}, {mul24_lo_s, mul24_hi_s}},
                                                 {{mad24_lo_u, mad24_hi_u}, {mad24_lo_s, mad24_hi_s}}};

/* ---- Decoding ---- */

static enum emu_decode_result decode_24(struct emu_decoder *decoder, struct emu_instruction *out, bool adds) {
  static const char *const parts[] = {"lo", "hi", NULL};
  const int part = emu_take_one(decoder, parts);
  const enum emu_type type = emu_take_type(decoder);
  if (part < 0 || (type != EMU_U32 && type != EMU_S32) || !emu_bind_values(decoder, out, 3 + adds, 4))
    return EMU_UNSUPPORTED;
  out->run = products24[adds][type == EMU_S32][part];
  out->class = EMU_CLASS_INTEGER;
  return EMU_DECODED;
}

static enum emu_decode_result decode_mul24(struct emu_decoder *decoder, struct emu_instruction *out) {
  return decode_24(decoder, out, false);
}

static enum emu_decode_result decode_mad24(struct emu_decoder *decoder, struct emu_instruction *out) {
  return decode_24(decoder, out, true);
}

static enum emu_decode_result decode_dot(struct emu_decoder *decoder, struct emu_instruction *out,
                                         unsigned which) {
  const enum emu_type a = emu_take_type(decoder), b = emu_take_type(decoder);
  if ((a != EMU_U32 && a != EMU_S32) || (b != EMU_U32 && b != EMU_S32) ||
      !emu_bind_values(decoder, out, 4, 4))
    return EMU_UNSUPPORTED;
  out->run = dots[which][2 * (a == EMU_S32) + (b == EMU_S32)];
  out->class = EMU_CLASS_INTEGER;
  return EMU_DECODED;
}

static enum emu_decode_result decode_dp4a(struct emu_decoder *decoder, struct emu_instruction *out) {
  return decode_dot(decoder, out, 0);
}

static enum emu_decode_result decode_dp2a(struct emu_decoder *decoder, struct emu_instruction *out) {
  static const char *const parts[] = {"lo", "hi", NULL};
  const int part = emu_take_one(decoder, parts);
  return part < 0 ? EMU_UNSUPPORTED : decode_dot(decoder, out, 1 + (unsigned)part);
}

static const struct emu_opcode_entry opcodes[] = {
    {"dp4a", decode_dp4a},   {"dp2a", decode_dp2a}, {"mul24", decode_mul24},
    {"mad24", decode_mad24}, {NULL, NULL},
};

const struct emu_family EMU_VARIANT(emu_family_dot) = {"dot", opcodes};
