/* Instructions that pass a carry on (add.cc, addc, sub.cc, subc, mad.cc, madc), products of 24 bits, dot products of bytes. */
#include "lanes.h"

/* The carry of a lane lives in a predicate of the frame that all instructions of a function share; see emu_bind_carry. */

/* option[0]: these; option[1]: enum part */
enum { TAKES = 1, GIVES = 2, SUBTRACTS = 4 };
enum part { SUM, LOW, HIGH };

static uint64_t value_at(struct emu_warp *w, const struct emu_instruction *in, unsigned slot, unsigned lane) {
  return emu_lane_value(w, &in->operand[slot], lane);
}

static void run(struct emu_warp *w, const struct emu_instruction *in, uint32_t mask) {
  const uint32_t kind = in->option[0];
  const unsigned bits = 8 * in->operand[0].bytes;
  const uint32_t before = kind & TAKES ? emu_predicate(w, &in->operand[4]) : 0;
  uint32_t after = 0;
  EMU_FOR_LANES(lane, mask) {
    uint64_t a = value_at(w, in, 1, lane), b = value_at(w, in, 2, lane);
    const uint64_t c = before >> lane & 1;
    if (in->option[1] != SUM) {
      unsigned __int128 product = (unsigned __int128)a * b;
      if (in->option[2]) { /* signed */
        const unsigned unused = 64 - bits;
        product = (unsigned __int128)((__int128)((int64_t)(a << unused) >> unused) *
                                      ((int64_t)(b << unused) >> unused));
      }
      a = (uint64_t)(in->option[1] == HIGH ? product >> bits : product) & (~UINT64_C(0) >> (64 - bits));
      b = value_at(w, in, 3, lane);
    }
    const unsigned __int128 sum =
        kind & SUBTRACTS ? (unsigned __int128)a - b - c : (unsigned __int128)a + b + c;
    after |= (uint32_t)(sum >> bits & 1) << lane;
    if (bits == 64)
      emu_u64(w, &in->operand[0])[lane] = (uint64_t)sum;
    else
      emu_u32(w, &in->operand[0])[lane] = (uint32_t)sum;
  }
  if (kind & GIVES)
    emu_set_predicate(w, &in->operand[4], after, mask);
}

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

static enum emu_decode_result decode_carry(struct emu_decoder *decoder, struct emu_instruction *out,
                                           uint32_t kind, bool multiplies) {
  static const char *const parts[] = {"lo", "hi", NULL};
  if (emu_take(decoder, "cc"))
    kind |= GIVES;
  if (!(kind & (GIVES | TAKES)))
    return EMU_NOT_MINE;
  const enum emu_type type = emu_take_type(decoder);
  const unsigned bytes = emu_type_bytes(type);
  if (type != EMU_U32 && type != EMU_S32 && type != EMU_U64 && type != EMU_S64)
    return EMU_UNSUPPORTED;
  if (multiplies) {
    const int part = emu_take_one(decoder, parts);
    if (part < 0)
      return EMU_UNSUPPORTED;
    out->option[1] = part ? HIGH : LOW;
    out->option[2] = emu_type_signed(type);
  }
  out->option[0] = kind;
  out->class = EMU_CLASS_INTEGER;
  out->run = run;
  return emu_bind_values(decoder, out, multiplies ? 4 : 3, bytes) && emu_bind_carry(decoder, out, 4)
             ? EMU_DECODED
             : EMU_UNSUPPORTED;
}

#define DECODE(name, kind, multiplies)                                                                       \
  static enum emu_decode_result decode_##name(struct emu_decoder *decoder, struct emu_instruction *out) {    \
    return decode_carry(decoder, out, kind, multiplies);                                                     \
  }
DECODE(add, 0, false)
DECODE(addc, TAKES, false)
DECODE(sub, SUBTRACTS, false)
DECODE(subc, SUBTRACTS | TAKES, false)
DECODE(mad, 0, true)
DECODE(madc, TAKES, true)

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
    {"add", decode_add},     {"addc", decode_addc},   {"sub", decode_sub},   {"subc", decode_subc},
    {"mad", decode_mad},     {"madc", decode_madc},   {"dp4a", decode_dp4a}, {"dp2a", decode_dp2a},
    {"mul24", decode_mul24}, {"mad24", decode_mad24}, {NULL, NULL},
};

const struct emu_family EMU_VARIANT(emu_family_carry) = {"carry", opcodes};
