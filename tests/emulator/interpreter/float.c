/* f32 and f32x2 arithmetic: add, sub, mul, fma, mad, div, rcp, sqrt, neg, abs, min, max, copysign, testp.
 *
 * Rounding to nearest is the host's, as vector code; other roundings go through emu_rounded. A NaN result is
 * the canonical one, 0x7fffffff, as on hardware. */
#include "lanes.h"
#include "rounded.h"

static inline float canonical(float value) {
  return value == value ? value : emu_float_float_of(0x7fffffffu);
}

static inline float flush(float value) {
  const uint32_t bits = emu_float_float_bits(value);
  return emu_float_float_of(bits & 0x7f800000u ? bits : bits & 0x80000000u);
}

/* NaN becomes 0, and so does -0 */
static inline float saturate(float value) {
  value = value > 0 ? value : 0;
  return value < 1 ? value : 1;
}

/* ---- Rounding to nearest: each operation plain, with .ftz, with .sat, with both ---- */

#define NEAREST(name, plain, flushed)                                                                        \
  EMU_LANEWISE_SAME(name##_nearest, float, canonical(plain))                                                 \
  EMU_LANEWISE_SAME(name##_ftz, float, flush(canonical(flushed)))                                            \
  EMU_LANEWISE_SAME(name##_sat, float, saturate(plain))                                                      \
  EMU_LANEWISE_SAME(name##_ftz_sat, float, saturate(flush(flushed)))
NEAREST(add, a + b, flush(a) + flush(b))
NEAREST(sub, a - b, flush(a) - flush(b))
NEAREST(mul, a *b, flush(a) * flush(b))
NEAREST(fma, fmaf(a, b, c), fmaf(flush(a), flush(b), flush(c)))
NEAREST(div, a / b, flush(a) / flush(b))
NEAREST(rcp, 1 / a, 1 / flush(a))
NEAREST(sqrt, __builtin_sqrtf(a), __builtin_sqrtf(flush(a)))

#define VARIANTS(name)                                                                                       \
  { name##_nearest, name##_ftz, name##_sat, name##_ftz_sat }
static emu_handler *const nearest[][4] = {
    [EMU_ROUNDED_ADD] = VARIANTS(add),   [EMU_ROUNDED_SUB] = VARIANTS(sub), [EMU_ROUNDED_MUL] = VARIANTS(mul),
    [EMU_ROUNDED_FMA] = VARIANTS(fma),   [EMU_ROUNDED_DIV] = VARIANTS(div), [EMU_ROUNDED_RCP] = VARIANTS(rcp),
    [EMU_ROUNDED_SQRT] = VARIANTS(sqrt),
};

/* option[0]: enum emu_rounded_operation; option[1]: enum emu_rounding; option[2]: EMU_FLOAT_* */
static void rounded(struct emu_warp *w, const struct emu_instruction *in, uint32_t mask) {
  const uint32_t *a = emu_u32(w, &in->operand[1]), *b = emu_u32(w, &in->operand[2]),
                 *c = emu_u32(w, &in->operand[3]);
  EMU_FOR_LANES (lane, mask)
    emu_u32(w, &in->operand[0])[lane] =
        emu_rounded((enum emu_rounded_operation)in->option[0], a[lane], b[lane], c[lane],
                    (enum emu_rounding)in->option[1], in->option[2]);
}

/* Pairs lie side by side in 64-bit registers. */
static void rounded_pairs(struct emu_warp *w, const struct emu_instruction *in, uint32_t mask) {
  const uint32_t *a = emu_u32(w, &in->operand[1]), *b = emu_u32(w, &in->operand[2]),
                 *c = emu_u32(w, &in->operand[3]);
  EMU_FOR_LANES (lane, mask)
    for (unsigned i = 2 * lane; i < 2 * lane + 2; i++)
      emu_u32(w, &in->operand[0])[i] = emu_rounded((enum emu_rounded_operation)in->option[0], a[i], b[i],
                                                   c[i], (enum emu_rounding)in->option[1], in->option[2]);
}

/* ---- min, max: -0 is below +0; of a number and a NaN the number, or with .NaN the NaN ---- */

static inline float smaller(float a, float b) {
  float result = a < b ? a : b;
  result = a == b ? emu_float_float_of(emu_float_float_bits(a) | emu_float_float_bits(b)) : result;
  return b == b ? result : a;
}

static inline float larger(float a, float b) {
  float result = a > b ? a : b;
  result = a == b ? emu_float_float_of(emu_float_float_bits(a) & emu_float_float_bits(b)) : result;
  return b == b ? result : a;
}

EMU_LANEWISE_SAME(min, float, canonical(smaller(a, b)))
EMU_LANEWISE_SAME(max, float, canonical(larger(a, b)))
EMU_LANEWISE_SAME(min_ftz, float, canonical(smaller(flush(a), flush(b))))
EMU_LANEWISE_SAME(max_ftz, float, canonical(larger(flush(a), flush(b))))

/* option[0]: largest; option[1]: these; option[2]: number of sources */
enum { FLUSH = 1, PROPAGATE_NAN = 2, XOR_SIGN = 4, ABSOLUTE = 8 };

static float extreme(float a, float b, bool largest, uint32_t kind) {
  if (kind & PROPAGATE_NAN && (a != a || b != b))
    return emu_float_float_of(0x7fffffffu);
  const uint32_t sign = (emu_float_float_bits(a) ^ emu_float_float_bits(b)) & 0x80000000u;
  if (kind & (XOR_SIGN | ABSOLUTE)) {
    a = fabsf(a);
    b = fabsf(b);
  }
  const float result = canonical(largest ? larger(a, b) : smaller(a, b));
  return kind & XOR_SIGN && result == result ? emu_float_float_of(emu_float_float_bits(result) | sign)
                                             : result;
}

static void extremes(struct emu_warp *w, const struct emu_instruction *in, uint32_t mask) {
  const uint32_t kind = in->option[1], sources = in->option[2];
  EMU_FOR_LANES (lane, mask) {
    float result = emu_f32(w, &in->operand[1])[lane];
    result = kind & FLUSH ? flush(result) : result;
    for (unsigned i = 2; i <= sources; i++) {
      const float next = emu_f32(w, &in->operand[i])[lane];
      result = extreme(result, kind & FLUSH ? flush(next) : next, in->option[0], kind);
    }
    emu_f32(w, &in->operand[0])[lane] = result;
  }
}

/* ---- Signs and tests ---- */

static inline uint32_t flush_bits(uint32_t bits) {
  return bits & 0x7f800000u ? bits : bits & 0x80000000u;
}
EMU_LANEWISE_SAME(neg, uint32_t, a ^ 0x80000000u)
EMU_LANEWISE_SAME(abs_f32, uint32_t, a & 0x7fffffffu)
EMU_LANEWISE_SAME(neg_ftz, uint32_t, flush_bits(a) ^ 0x80000000u)
EMU_LANEWISE_SAME(abs_ftz, uint32_t, flush_bits(a) & 0x7fffffffu)
EMU_LANEWISE_SAME(copysign_f32, uint32_t, (a & 0x80000000u) | (b & 0x7fffffffu))

static const char *const test_names[] = {"finite", "infinite",  "number", "notanumber",
                                         "normal", "subnormal", NULL};
enum { FINITE, INFINITE, NUMBER, NOT_A_NUMBER, NORMAL, SUBNORMAL };

static bool passes(uint32_t bits, uint32_t test) {
  const uint32_t magnitude = bits & 0x7fffffffu;
  switch (test) {
  case FINITE:
    return magnitude < 0x7f800000u;
  case INFINITE:
    return magnitude == 0x7f800000u;
  case NUMBER:
    return magnitude <= 0x7f800000u;
  case NOT_A_NUMBER:
    return magnitude > 0x7f800000u;
  case NORMAL:
    return magnitude >= 0x800000u && magnitude < 0x7f800000u;
  default:
    return magnitude && magnitude < 0x800000u;
  }
}

static void test(struct emu_warp *w, const struct emu_instruction *in, uint32_t mask) {
  uint32_t result = 0;
  EMU_FOR_LANES (lane, mask)
    result |= (uint32_t)passes(emu_u32(w, &in->operand[1])[lane], in->option[0]) << lane;
  emu_set_predicate(w, &in->operand[0], result, mask);
}

/* ---- Decoding ---- */

static enum emu_decode_result decode(struct emu_decoder *decoder, struct emu_instruction *out,
                                     enum emu_rounded_operation operation, unsigned sources,
                                     bool rounding_needed) {
  static const char *const roundings[] = {"rn", "rz", "rm", "rp", NULL};
  if (emu_last_type(decoder) != emu_peek_type(decoder) || emu_has(decoder, "approx") ||
      emu_has(decoder, "full"))
    return EMU_NOT_MINE;
  const enum emu_type type = emu_take_type(decoder);
  if (type != EMU_F32 && type != EMU_F32X2)
    return EMU_NOT_MINE;
  const int rounding = emu_take_one(decoder, roundings);
  if (rounding < 0 && rounding_needed)
    return emu_refuse(decoder, "a rounding is needed");
  unsigned flags = emu_take(decoder, "ftz") ? EMU_FLOAT_FTZ : 0;
  if (operation <= EMU_ROUNDED_FMA && type == EMU_F32 && emu_take(decoder, "sat"))
    flags |= EMU_FLOAT_SAT;
  out->option[0] = operation;
  out->option[1] = rounding < 0 ? EMU_ROUND_NEAREST_EVEN : (uint32_t)rounding;
  out->option[2] = flags;
  out->class = EMU_CLASS_FLOAT;
  if (type == EMU_F32X2) {
    if (operation > EMU_ROUNDED_FMA)
      return EMU_UNSUPPORTED;
    out->run = rounded_pairs;
  } else
    out->run = rounding > 0
                   ? rounded
                   : nearest[operation][(flags & EMU_FLOAT_FTZ ? 1 : 0) + (flags & EMU_FLOAT_SAT ? 2 : 0)];
  if (!emu_bind_values(decoder, out, 1 + sources, emu_type_bytes(type)))
    return EMU_UNSUPPORTED;
  for (unsigned i = 1 + sources; i < 4; i++)
    out->operand[i] = out->operand[1];
  return EMU_DECODED;
}

static enum emu_decode_result decode_extreme(struct emu_decoder *decoder, struct emu_instruction *out,
                                             bool largest) {
  uint32_t kind = 0;
  if (emu_take_type(decoder) != EMU_F32)
    return EMU_NOT_MINE;
  if (emu_take(decoder, "ftz"))
    kind |= FLUSH;
  if (emu_take(decoder, "NaN"))
    kind |= PROPAGATE_NAN;
  const bool xor_sign = emu_take(decoder, "xorsign");
  if (emu_take(decoder, "abs"))
    kind |= xor_sign ? XOR_SIGN : ABSOLUTE;
  else if (xor_sign)
    return EMU_UNSUPPORTED;
  const unsigned sources = emu_operand_count(decoder) - 1;
  if (sources != 2 && sources != 3)
    return EMU_UNSUPPORTED;
  out->option[0] = largest;
  out->option[1] = kind;
  out->option[2] = sources;
  out->class = EMU_CLASS_FLOAT;
  out->run = extremes;
  if (sources == 2 && !(kind & ~(uint32_t)FLUSH))
    out->run = largest ? (kind ? max_ftz : max) : (kind ? min_ftz : min);
  return emu_bind_values(decoder, out, 1 + sources, 4) ? EMU_DECODED : EMU_UNSUPPORTED;
}

static enum emu_decode_result decode_sign(struct emu_decoder *decoder, struct emu_instruction *out,
                                          emu_handler *plain, emu_handler *flushing) {
  if (emu_take_type(decoder) != EMU_F32)
    return EMU_NOT_MINE;
  out->run = emu_take(decoder, "ftz") ? flushing : plain;
  out->class = EMU_CLASS_FLOAT;
  return emu_bind_values(decoder, out, 2, 4) ? EMU_DECODED : EMU_UNSUPPORTED;
}

#define DECODE(name, call)                                                                                   \
  static enum emu_decode_result decode_##name(struct emu_decoder *decoder, struct emu_instruction *out) {    \
    return call;                                                                                             \
  }
DECODE(add, decode(decoder, out, EMU_ROUNDED_ADD, 2, false))
DECODE(sub, decode(decoder, out, EMU_ROUNDED_SUB, 2, false))
DECODE(mul, decode(decoder, out, EMU_ROUNDED_MUL, 2, false))
DECODE(fma, decode(decoder, out, EMU_ROUNDED_FMA, 3, true))
DECODE(div, decode(decoder, out, EMU_ROUNDED_DIV, 2, true))
DECODE(rcp, decode(decoder, out, EMU_ROUNDED_RCP, 1, true))
DECODE(sqrt, decode(decoder, out, EMU_ROUNDED_SQRT, 1, true))
DECODE(min, decode_extreme(decoder, out, false))
DECODE(max, decode_extreme(decoder, out, true))
DECODE(neg, decode_sign(decoder, out, neg, neg_ftz))
DECODE(abs, decode_sign(decoder, out, abs_f32, abs_ftz))

static enum emu_decode_result decode_copysign(struct emu_decoder *decoder, struct emu_instruction *out) {
  if (emu_take_type(decoder) != EMU_F32)
    return EMU_NOT_MINE;
  out->run = copysign_f32;
  out->class = EMU_CLASS_FLOAT;
  return emu_bind_values(decoder, out, 3, 4) ? EMU_DECODED : EMU_UNSUPPORTED;
}

static enum emu_decode_result decode_test(struct emu_decoder *decoder, struct emu_instruction *out) {
  if (emu_take_type(decoder) != EMU_F32)
    return EMU_NOT_MINE;
  const int which = emu_take_one(decoder, test_names);
  out->option[0] = (uint32_t)which;
  out->run = test;
  out->class = EMU_CLASS_FLOAT;
  return which >= 0 && emu_bind_predicate(decoder, out, 0, 0) && emu_bind_value(decoder, out, 1, 1, 4)
             ? EMU_DECODED
             : EMU_UNSUPPORTED;
}

static const struct emu_opcode_entry opcodes[] = {
    {"add", decode_add},           {"sub", decode_sub},    {"mul", decode_mul}, {"fma", decode_fma},
    {"mad", decode_fma},           {"div", decode_div},    {"rcp", decode_rcp}, {"sqrt", decode_sqrt},
    {"min", decode_min},           {"max", decode_max},    {"neg", decode_neg}, {"abs", decode_abs},
    {"copysign", decode_copysign}, {"testp", decode_test}, {NULL, NULL},
};

const struct emu_family EMU_VARIANT(emu_family_float) = {"float", opcodes};
