/* cvt with a value of 16 bits or less, or TensorFloat-32, on either side.
 *
 * Scalar forms go through double, in which every source is exact (64-bit integers rounded to odd), and are
 * rounded once. */
#include "each_lane.h"
#include "small_float.h"

/* option[0]: enum emu_type of the result | of the source << 8; option[1]: rounding; option[2]: EMU_FLOAT_*
 * flags; option[3]: INTEGRAL rounds to an integer in the result's format, FLUSH_INPUT applies .ftz to an f32
 * source */
enum { INTEGRAL = 1, FLUSH_INPUT = 2 };

static enum emu_float_format format_of(enum emu_type type) {
  switch (type) {
  case EMU_F16:
  case EMU_F16X2:
    return EMU_FORMAT_F16;
  case EMU_BF16:
  case EMU_BF16X2:
    return EMU_FORMAT_BF16;
  case EMU_TF32:
    return EMU_FORMAT_TF32;
  case EMU_E4M3:
  case EMU_E4M3X2:
    return EMU_FORMAT_E4M3;
  case EMU_E5M2:
  case EMU_E5M2X2:
    return EMU_FORMAT_E5M2;
  default:
    return EMU_FORMAT_F32;
  }
}

static bool is_integer(enum emu_type type) {
  return type >= EMU_U8 && type <= EMU_S64;
}

static double source_value(enum emu_type type, uint64_t bits, bool flushes) {
  if (type == EMU_F64)
    return emu_float_double_of(bits);
  if (!is_integer(type)) {
    const enum emu_float_format format = format_of(type);
    return emu_float_decode(format, flushes ? emu_float_flush(format, (uint32_t)bits) : (uint32_t)bits);
  }
  const unsigned unused = 64 - 8 * emu_type_bytes(type);
  if (emu_type_signed(type))
    return emu_float_from_integer_odd((uint64_t)((int64_t)(bits << unused) >> unused), true);
  return emu_float_from_integer_odd(bits << unused >> unused, false);
}

static double to_integral(double value, enum emu_rounding rounding) {
  switch (rounding) {
  case EMU_ROUND_ZERO:
    return trunc(value);
  case EMU_ROUND_DOWN:
    return floor(value);
  case EMU_ROUND_UP:
    return ceil(value);
  default:
    return nearbyint(value);
  }
}

/* An integral value clamped to an integer type, extended to 64 bits. A NaN becomes 0, or the most significant
 * bit alone for 64-bit results. */
static uint64_t clamp_to_integer(enum emu_type type, double value) {
  const unsigned bits = 8 * emu_type_bytes(type);
  const bool is_signed = emu_type_signed(type);
  if (value != value)
    return bits == 64 ? UINT64_C(1) << 63 : 0;
  const double limit = ldexp(1, (int)(is_signed ? bits - 1 : bits)), least = is_signed ? -limit : 0;
  if (value < least)
    value = least;
  if (value >= limit) {
    const uint64_t largest = ~UINT64_C(0) >> (64 - bits);
    return is_signed ? largest >> 1 : largest;
  }
  return is_signed ? (uint64_t)(int64_t)value : (uint64_t)value;
}

static uint64_t result_bits(const struct emu_instruction *in, enum emu_type type, double value) {
  const enum emu_rounding rounding = (enum emu_rounding)in->option[1];
  if (is_integer(type))
    return clamp_to_integer(type, to_integral(value, rounding));
  if (in->option[3] & INTEGRAL)
    value = to_integral(value, rounding);
  if (type == EMU_F64 && in->option[2] & EMU_FLOAT_SAT)
    return emu_float_bits_of(value > 0 ? (value < 1 ? value : 1) : 0);
  if (type == EMU_F64)
    return value != value ? UINT64_C(0x7fffffffffffffff) : emu_float_bits_of(value);
  return emu_float_encode(format_of(type), value, rounding, in->option[2]);
}

static void store(struct emu_warp *w, const struct emu_operand *d, unsigned lane, uint64_t value) {
  if (d->bytes == 8)
    emu_u64(w, d)[lane] = value;
  else if (d->bytes == 4)
    emu_u32(w, d)[lane] = (uint32_t)value;
  else
    emu_u16(w, d)[lane] = (uint16_t)value;
}

static void convert(struct emu_warp *w, const struct emu_instruction *in, uint32_t mask) {
  const enum emu_type to = (enum emu_type)(in->option[0] & 255), from = (enum emu_type)(in->option[0] >> 8);
  const bool flushes = in->option[3] & FLUSH_INPUT;
  EMU_FOR_LANES (lane, mask) {
    const double value = source_value(from, emu_lane_value(w, &in->operand[1], lane), flushes);
    store(w, &in->operand[0], lane, result_bits(in, to, value));
  }
}

/* ---- The conversions that kernels live on, as vector code: exact widening, and f32 rounded without any
 * modifier ---- */

/* f32 rounded to TensorFloat-32, given what to add to a magnitude before its low 13 bits are cut off: a carry
 * out of the largest number gives infinity. */
static inline uint32_t tensor_float(uint32_t bits, uint32_t add) {
  const uint32_t magnitude = bits & 0x7fffffffu, rounded = (magnitude + add) & 0xffffe000u;
  return magnitude > 0x7f800000u ? 0x7fffffffu : (bits & 0x80000000u) | rounded;
}

EMU_CONVERSION(half_to_float, float, uint16_t, emu_half_to_float(x))
EMU_CONVERSION(bfloat_to_float, float, uint16_t, emu_bfloat_to_float(x))
EMU_CONVERSION(float_to_half, uint16_t, float, emu_half_from_float(x))
EMU_CONVERSION(float_to_bfloat, uint16_t, float, emu_bfloat_from_float(x))
EMU_CONVERSION(float_to_tensor_float, uint32_t, uint32_t, tensor_float(x, 0xfffu + (x >> 13 & 1)))
EMU_CONVERSION(float_to_tensor_float_away, uint32_t, uint32_t, tensor_float(x, 0x1000u))

#define EMU_PACKING(name, half)                                                                              \
  EMU_HANDLER(name) {                                                                                        \
    EMU_VALUES(uint32_t, d, 0);                                                                              \
    EMU_VALUES(const float, a, 1);                                                                           \
    EMU_VALUES(const float, b, 2);                                                                           \
    EMU_EACH_LANE(d, mask, (uint32_t)half(a[i]) << 16 | half(b[i]));                                         \
  }

EMU_PACKING(pack_halves, emu_half_from_float)
EMU_PACKING(pack_bfloats, emu_bfloat_from_float)

/* d = {a, b}: a in the upper half of the result */
static void pack(struct emu_warp *w, const struct emu_instruction *in, uint32_t mask) {
  const enum emu_float_format format = format_of((enum emu_type)(in->option[0] & 255));
  const enum emu_rounding rounding = (enum emu_rounding)in->option[1];
  const unsigned width = 4 * in->operand[0].bytes;
  const float *a = emu_f32(w, &in->operand[1]), *b = emu_f32(w, &in->operand[2]);
  EMU_FOR_LANES (lane, mask) {
    const uint32_t high = emu_float_encode(format, a[lane], rounding, in->option[2]);
    const uint32_t low = emu_float_encode(format, b[lane], rounding, in->option[2]);
    store(w, &in->operand[0], lane, high << width | low);
  }
}

/* One pair to another: f16x2 and the 8-bit pairs. */
static void convert_pair(struct emu_warp *w, const struct emu_instruction *in, uint32_t mask) {
  const enum emu_float_format to = format_of((enum emu_type)(in->option[0] & 255));
  const enum emu_float_format from = format_of((enum emu_type)(in->option[0] >> 8));
  const unsigned to_width = 4 * in->operand[0].bytes, from_width = 4 * in->operand[1].bytes;
  EMU_FOR_LANES (lane, mask) {
    const uint32_t pair = (uint32_t)emu_lane_value(w, &in->operand[1], lane);
    uint32_t result = 0;
    for (unsigned i = 0; i < 2; i++) {
      const double value = emu_float_decode(from, pair >> (i * from_width) & ((1u << from_width) - 1));
      result |= emu_float_encode(to, value, (enum emu_rounding)in->option[1], in->option[2])
                << (i * to_width);
    }
    store(w, &in->operand[0], lane, result);
  }
}

/* ---- Decoding ---- */

static bool is_pair(enum emu_type type) {
  return type == EMU_F16X2 || type == EMU_BF16X2 || type == EMU_E4M3X2 || type == EMU_E5M2X2;
}

static bool is_narrow(enum emu_type type) {
  return type == EMU_F16 || type == EMU_BF16 || type == EMU_TF32 || is_pair(type);
}

/* Takes .rn .rz .rm .rp .rna or .rni .rzi .rmi .rpi; -1 if there is none. */
static int take_rounding(struct emu_decoder *decoder, bool *integral) {
  static const char *const names[] = {"rn", "rz", "rm", "rp", "rna", NULL};
  static const char *const integral_names[] = {"rni", "rzi", "rmi", "rpi", NULL};
  const int rounding = emu_take_one(decoder, integral_names);
  *integral = rounding >= 0;
  return rounding >= 0 ? rounding : emu_take_one(decoder, names);
}

static enum emu_decode_result decode_pair(struct emu_decoder *decoder, struct emu_instruction *out,
                                          enum emu_type to, enum emu_type from) {
  const bool eight = to == EMU_E4M3X2 || to == EMU_E5M2X2;
  if (eight && !emu_has(decoder, "satfinite"))
    return emu_refuse(decoder, "a conversion to 8-bit floats needs .satfinite");
  if (emu_take(decoder, "satfinite"))
    out->option[2] |= EMU_FLOAT_SATFINITE;
  if (from == EMU_F32 && is_pair(to)) {
    const bool plain = !out->option[2] && out->option[1] == EMU_ROUND_NEAREST_EVEN;
    out->run = plain && to == EMU_F16X2 ? pack_halves : plain && to == EMU_BF16X2 ? pack_bfloats : pack;
    return emu_bind_value(decoder, out, 0, 0, emu_type_bytes(to)) && emu_bind_value(decoder, out, 1, 1, 4) &&
                   emu_bind_value(decoder, out, 2, 2, 4)
               ? EMU_DECODED
               : EMU_UNSUPPORTED;
  }
  if (!(eight && from == EMU_F16X2) && !(to == EMU_F16X2 && (from == EMU_E4M3X2 || from == EMU_E5M2X2)))
    return EMU_UNSUPPORTED;
  out->run = convert_pair;
  return emu_bind_value(decoder, out, 0, 0, emu_type_bytes(to)) &&
                 emu_bind_value(decoder, out, 1, 1, emu_type_bytes(from))
             ? EMU_DECODED
             : EMU_UNSUPPORTED;
}

static emu_handler *fast_handler(const struct emu_instruction *out, enum emu_type to, enum emu_type from) {
  if (out->option[2] || out->option[3])
    return convert;
  if (to == EMU_TF32 && from == EMU_F32 && out->option[1] == EMU_ROUND_NEAREST_AWAY)
    return float_to_tensor_float_away;
  if (out->option[1] != EMU_ROUND_NEAREST_EVEN)
    return convert;
  if (to == EMU_TF32 && from == EMU_F32)
    return float_to_tensor_float;
  if (to == EMU_F32)
    return from == EMU_F16 ? half_to_float : from == EMU_BF16 ? bfloat_to_float : convert;
  if (from == EMU_F32)
    return to == EMU_F16 ? float_to_half : to == EMU_BF16 ? float_to_bfloat : convert;
  return convert;
}

/* Integer operands may sit in wider registers; floating ones fit exactly. */
static bool bind_scalar(struct emu_decoder *decoder, struct emu_instruction *out, unsigned slot,
                        enum emu_type type) {
  if (!is_integer(type))
    return emu_bind_value(decoder, out, slot, slot, emu_type_bytes(type));
  return emu_bind_value(decoder, out, slot, slot, 0) && out->operand[slot].bytes >= emu_type_bytes(type);
}

static enum emu_decode_result decode(struct emu_decoder *decoder, struct emu_instruction *out) {
  const enum emu_type to = emu_take_type(decoder), from = emu_take_type(decoder);
  if (!is_narrow(to) && !is_narrow(from))
    return EMU_NOT_MINE;
  bool integral;
  const int rounding = take_rounding(decoder, &integral);
  out->option[0] = (uint32_t)to | (uint32_t)from << 8;
  out->option[1] = rounding < 0 ? EMU_ROUND_NEAREST_EVEN : (uint32_t)rounding;
  out->option[3] = integral ? INTEGRAL : 0;
  out->class = EMU_CLASS_CONVERSION;
  if (emu_take(decoder, "relu"))
    out->option[2] |= EMU_FLOAT_RELU;
  if (is_pair(to) || is_pair(from))
    return decode_pair(decoder, out, to, from);
  if (emu_take(decoder, "satfinite")) {
    if (is_integer(to) || from != EMU_F32)
      return EMU_UNSUPPORTED;
    out->option[2] |= EMU_FLOAT_SATFINITE;
  }
  if (emu_take(decoder, "ftz")) {
    if (to == EMU_F32)
      out->option[2] |= EMU_FLOAT_FTZ;
    else if (from == EMU_F32)
      out->option[3] |= FLUSH_INPUT;
  }
  if (emu_take(decoder, "sat") && !is_integer(to))
    out->option[2] |= EMU_FLOAT_SAT;
  if (is_integer(to) && !integral)
    return emu_refuse(decoder, "a conversion to an integer needs .rni, .rzi, .rmi or .rpi");
  if (out->option[1] == EMU_ROUND_NEAREST_AWAY && to != EMU_TF32 && to != EMU_BF16)
    return EMU_UNSUPPORTED;
  if (!bind_scalar(decoder, out, 0, to) || !bind_scalar(decoder, out, 1, from))
    return EMU_UNSUPPORTED;
  out->run = fast_handler(out, to, from);
  return EMU_DECODED;
}

static const struct emu_opcode_entry opcodes[] = {{"cvt", decode}, {NULL, NULL}};

const struct emu_family EMU_VARIANT(emu_family_half_convert) = {"half_convert", opcodes};
