/* cvt between integers, f32 and f64, and cvt.pack. */
#include "lanes.h"

/* option[0]: enum emu_type of the result | of the source << 8; option[1]: enum emu_rounding; option[2]:
 * these */
enum { SATURATE = 1, FLUSH = 2, INTEGRAL = 4 };

static inline float flush(float value) {
  const uint32_t bits = emu_float_float_bits(value);
  return emu_float_float_of(bits & 0x7f800000u ? bits : bits & 0x80000000u);
}

/* ---- What kernels live on, as vector code ---- */

EMU_LANEWISE(s32_to_f32, float, int32_t, int32_t, int32_t, a)
EMU_LANEWISE(u32_to_f32, float, uint32_t, uint32_t, uint32_t, a)
EMU_LANEWISE(s32_to_f64, double, int32_t, int32_t, int32_t, a)
EMU_LANEWISE(u32_to_f64, double, uint32_t, uint32_t, uint32_t, a)
EMU_LANEWISE(s64_to_f32, float, int64_t, int64_t, int64_t, a)
EMU_LANEWISE(s64_to_f64, double, int64_t, int64_t, int64_t, a)
EMU_LANEWISE(u64_to_f32, float, uint64_t, uint64_t, uint64_t, a)
EMU_LANEWISE(u64_to_f64, double, uint64_t, uint64_t, uint64_t, a)
EMU_LANEWISE(f32_to_f64, double, float, float, float, a)
EMU_LANEWISE(f64_to_f32, float, double, double, double, a == a ? (float)a : emu_float_float_of(0x7fffffffu))
EMU_LANEWISE(u32_to_64, uint64_t, uint32_t, uint32_t, uint32_t, a)
EMU_LANEWISE(s32_to_64, int64_t, int32_t, int32_t, int32_t, a)
EMU_LANEWISE(low_32, uint32_t, uint64_t, uint64_t, uint64_t, a)
EMU_LANEWISE(low_16_of_32, uint16_t, uint32_t, uint32_t, uint32_t, a)
EMU_LANEWISE(low_16_of_64, uint16_t, uint64_t, uint64_t, uint64_t, a)
EMU_LANEWISE(u16_to_32, uint32_t, uint16_t, uint16_t, uint16_t, a)
EMU_LANEWISE(s16_to_32, int32_t, int16_t, int16_t, int16_t, a)
EMU_LANEWISE(u16_to_64, uint64_t, uint16_t, uint16_t, uint16_t, a)
EMU_LANEWISE(s16_to_64, int64_t, int16_t, int16_t, int16_t, a)

/* Towards zero, clamped; NaN gives 0. The largest float below 2^31 keeps the host's conversion in range. */
EMU_LANEWISE(f32_to_s32_rz, int32_t, float, float, float,
             a >= 0x1p31f   ? INT32_MAX
             : a < -0x1p31f ? INT32_MIN
             : a == a       ? (int32_t)a
                            : 0)
EMU_LANEWISE(f32_to_u32_rz, uint32_t, float, float, float,
             a >= 0x1p32f ? UINT32_MAX
             : a >= 0     ? (uint32_t)(int64_t)a
                          : 0)

static const struct {
  enum emu_type to, from;
  emu_handler *run;
} direct[] = {
    {EMU_F32, EMU_S32, s32_to_f32},   {EMU_F32, EMU_U32, u32_to_f32},   {EMU_F64, EMU_S32, s32_to_f64},
    {EMU_F64, EMU_U32, u32_to_f64},   {EMU_F32, EMU_S64, s64_to_f32},   {EMU_F64, EMU_S64, s64_to_f64},
    {EMU_F32, EMU_U64, u64_to_f32},   {EMU_F64, EMU_U64, u64_to_f64},   {EMU_F64, EMU_F32, f32_to_f64},
    {EMU_F32, EMU_F64, f64_to_f32},   {EMU_U64, EMU_U32, u32_to_64},    {EMU_S64, EMU_U32, u32_to_64},
    {EMU_S64, EMU_S32, s32_to_64},    {EMU_U64, EMU_S32, s32_to_64},    {EMU_U32, EMU_U64, low_32},
    {EMU_U32, EMU_S64, low_32},       {EMU_S32, EMU_U64, low_32},       {EMU_S32, EMU_S64, low_32},
    {EMU_U16, EMU_U32, low_16_of_32}, {EMU_U16, EMU_S32, low_16_of_32}, {EMU_S16, EMU_U32, low_16_of_32},
    {EMU_S16, EMU_S32, low_16_of_32}, {EMU_U16, EMU_U64, low_16_of_64}, {EMU_S16, EMU_S64, low_16_of_64},
    {EMU_U32, EMU_U16, u16_to_32},    {EMU_S32, EMU_U16, u16_to_32},    {EMU_S32, EMU_S16, s16_to_32},
    {EMU_U32, EMU_S16, s16_to_32},    {EMU_U64, EMU_U16, u16_to_64},    {EMU_S64, EMU_U16, u16_to_64},
    {EMU_S64, EMU_S16, s16_to_64},    {EMU_U64, EMU_S16, s16_to_64},
};

/* ---- The general way, lane by lane ---- */

static bool is_floating(enum emu_type type) {
  return type == EMU_F32 || type == EMU_F64;
}

static __int128 integer_of(enum emu_type type, uint64_t bits) {
  const unsigned unused = 64 - 8 * emu_type_bytes(type);
  return emu_type_signed(type) ? (__int128)((int64_t)(bits << unused) >> unused)
                               : (__int128)(bits << unused >> unused);
}

/* value wrapped to the type, or clamped, and extended to 64 bits */
static uint64_t fit(enum emu_type type, __int128 value, bool saturates) {
  const unsigned bits = 8 * emu_type_bytes(type);
  if (saturates) {
    const bool is_signed = emu_type_signed(type);
    const __int128 top = ((__int128)1 << (bits - is_signed)) - 1, bottom = is_signed ? -top - 1 : 0;
    value = value > top ? top : value < bottom ? bottom : value;
  }
  return (uint64_t)integer_of(type, (uint64_t)value);
}

static double to_integral(double value, uint32_t rounding) {
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

static uint64_t float_to_integer(enum emu_type to, enum emu_type from, double value, uint32_t rounding) {
  if (value != value)
    return to == EMU_S64 || to == EMU_U64 || from == EMU_F64
               ? (uint64_t)integer_of(to, UINT64_C(1) << (8 * emu_type_bytes(to) - 1))
               : 0;
  value = to_integral(value, rounding);
  value = value > 0x1p65 ? 0x1p65 : value < -0x1p65 ? -0x1p65 : value;
  return fit(to, (__int128)value, true);
}

/* A 64-bit integer in double, rounded as asked: the odd neighbour first cannot serve, since a double is the
 * result. */
static double integer_to_double(enum emu_type from, uint64_t bits, uint32_t rounding) {
  const __int128 value = integer_of(from, bits);
  const bool negative = value < 0;
  uint64_t magnitude = (uint64_t)(negative ? -value : value);
  if (magnitude >> 53) {
    const unsigned shift = 11 - (unsigned)__builtin_clzll(magnitude);
    const uint64_t rest = magnitude & ((UINT64_C(1) << shift) - 1), half = UINT64_C(1) << (shift - 1);
    const uint64_t kept =
        emu_float_round_up_or_not(magnitude >> shift, rest, half, (enum emu_rounding)rounding, negative);
    const double result = ldexp((double)kept, (int)shift);
    return negative ? -result : result;
  }
  return negative ? -(double)magnitude : (double)magnitude;
}

static uint64_t to_double(double value, uint32_t flags) {
  if (value != value)
    return flags & SATURATE ? 0 : UINT64_C(0x7fffffffffffffff);
  if (flags & SATURATE)
    value = value > 0 ? (value < 1 ? value : 1) : 0;
  return emu_float_bits_of(value);
}

static uint64_t converted(enum emu_type to, enum emu_type from, uint64_t bits, uint32_t rounding,
                          uint32_t flags) {
  if (!is_floating(from) && !is_floating(to))
    return fit(to, integer_of(from, bits), flags & SATURATE);
  double value;
  if (from == EMU_F64)
    value = emu_float_double_of(bits);
  else if (from == EMU_F32) {
    const float narrow = emu_float_float_of((uint32_t)bits);
    value = flags & FLUSH ? flush(narrow) : narrow;
  } else
    value = to == EMU_F64
                ? integer_to_double(from, bits, rounding)
                : emu_float_from_integer_odd((uint64_t)integer_of(from, bits), emu_type_signed(from));
  if (!is_floating(to))
    return float_to_integer(to, from, value, rounding);
  if (flags & INTEGRAL)
    value = to_integral(value, rounding);
  if (to == EMU_F64)
    return to_double(value, flags);
  return emu_float_encode(EMU_FORMAT_F32, value, (enum emu_rounding)rounding,
                          (flags & SATURATE ? EMU_FLOAT_SAT : 0) | (flags & FLUSH ? EMU_FLOAT_FTZ : 0));
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
  EMU_FOR_LANES (lane, mask)
    store(w, &in->operand[0], lane,
          converted(to, from, emu_lane_value(w, &in->operand[1], lane), in->option[1], in->option[2]));
}

/* cvt.pack.sat: a above b, and the low half of c above both when they are bytes. option[0]: type */
static void pack(struct emu_warp *w, const struct emu_instruction *in, uint32_t mask) {
  const enum emu_type type = (enum emu_type)in->option[0];
  const unsigned bits = 8 * emu_type_bytes(type);
  const uint32_t low = (1u << bits) - 1;
  EMU_FOR_LANES (lane, mask) {
    const int32_t a = (int32_t)emu_u32(w, &in->operand[1])[lane],
                  b = (int32_t)emu_u32(w, &in->operand[2])[lane];
    uint32_t value = ((uint32_t)fit(type, a, true) & low) << bits | ((uint32_t)fit(type, b, true) & low);
    if (in->operand[3].kind != EMU_OPERAND_NONE)
      value |= emu_u32(w, &in->operand[3])[lane] << 2 * bits;
    emu_u32(w, &in->operand[0])[lane] = value;
  }
}

/* ---- Decoding ---- */

static bool is_mine(enum emu_type type) {
  return is_floating(type) || (type >= EMU_U8 && type <= EMU_S64);
}

static enum emu_decode_result decode_pack(struct emu_decoder *decoder, struct emu_instruction *out) {
  const enum emu_type to = emu_take_type(decoder), from = emu_take_type(decoder);
  const bool bytes = to == EMU_U8 || to == EMU_S8;
  if (!emu_take(decoder, "sat") || from != EMU_S32 || (!bytes && to != EMU_U16 && to != EMU_S16))
    return EMU_UNSUPPORTED;
  if (bytes && emu_take_type(decoder) != EMU_B32)
    return EMU_UNSUPPORTED;
  out->option[0] = to;
  out->run = pack;
  out->class = EMU_CLASS_CONVERSION;
  return emu_bind_values(decoder, out, bytes ? 4 : 3, 4) ? EMU_DECODED : EMU_UNSUPPORTED;
}

/* The direct handler, where registers are as wide as their types and no modifier changes anything. */
static emu_handler *handler_for(const struct emu_instruction *out, enum emu_type to, enum emu_type from) {
  if (out->operand[0].bytes != emu_type_bytes(to) || out->operand[1].bytes != emu_type_bytes(from) ||
      out->option[2])
    return convert;
  if (from == EMU_F32 && out->option[1] == EMU_ROUND_ZERO && to == EMU_S32)
    return f32_to_s32_rz;
  if (from == EMU_F32 && out->option[1] == EMU_ROUND_ZERO && to == EMU_U32)
    return f32_to_u32_rz;
  for (unsigned i = 0; i < sizeof direct / sizeof direct[0]; i++)
    if (direct[i].to == to && direct[i].from == from && out->option[1] == EMU_ROUND_NEAREST_EVEN)
      return direct[i].run;
  return convert;
}

static bool bind_side(struct emu_decoder *decoder, struct emu_instruction *out, unsigned slot,
                      enum emu_type type) {
  if (is_floating(type))
    return emu_bind_value(decoder, out, slot, slot, emu_type_bytes(type));
  return emu_bind_value(decoder, out, slot, slot, 0) && out->operand[slot].bytes >= emu_type_bytes(type);
}

static enum emu_decode_result decode(struct emu_decoder *decoder, struct emu_instruction *out) {
  static const char *const plain[] = {"rn", "rz", "rm", "rp", NULL}, *const integral[] = {"rni", "rzi", "rmi",
                                                                                          "rpi", NULL};
  if (emu_take(decoder, "pack"))
    return decode_pack(decoder, out);
  const enum emu_type to = emu_take_type(decoder), from = emu_take_type(decoder);
  if (!is_mine(to) || !is_mine(from))
    return EMU_NOT_MINE;
  const int to_integer = emu_take_one(decoder, integral),
            rounding = to_integer < 0 ? emu_take_one(decoder, plain) : to_integer;
  if (is_floating(from) && !is_floating(to) && to_integer < 0)
    return emu_refuse(decoder, "a conversion to an integer needs .rni, .rzi, .rmi or .rpi");
  out->option[0] = (uint32_t)to | (uint32_t)from << 8;
  out->option[1] = rounding < 0 ? EMU_ROUND_NEAREST_EVEN : (uint32_t)rounding;
  /* conversions from floats to integers clamp anyway, and .ftz touches f32 alone */
  if (emu_take(decoder, "sat") && !(is_floating(from) && !is_floating(to)))
    out->option[2] |= SATURATE;
  if (emu_take(decoder, "ftz") && (from == EMU_F32 || to == EMU_F32))
    out->option[2] |= FLUSH;
  if (is_floating(to) && to_integer >= 0)
    out->option[2] |= INTEGRAL;
  out->class = EMU_CLASS_CONVERSION;
  if (!bind_side(decoder, out, 0, to) || !bind_side(decoder, out, 1, from))
    return EMU_UNSUPPORTED;
  out->run = handler_for(out, to, from);
  return EMU_DECODED;
}

static const struct emu_opcode_entry opcodes[] = {{"cvt", decode}, {NULL, NULL}};

const struct emu_family EMU_VARIANT(emu_family_convert) = {"convert", opcodes};
