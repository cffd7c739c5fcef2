/* cvt with f16, bf16, tf32 or 8-bit floats on one side or both. */
#include "families.h"
#include "probe.h"

enum kind { FLOATING, SIGNED, UNSIGNED };

struct type {
  const char *name;
  enum kind kind;
  enum oracle_format format;
  unsigned bits;
  enum probe_operand operand;
  char width;
};

static const struct type types[] = {
    {"f16", FLOATING, F16, 16, PROBE_F16, 'h'}, {"bf16", FLOATING, BF16, 16, PROBE_BF16, 'h'},
    {"f32", FLOATING, F32, 32, PROBE_F32, 'r'}, {"f64", FLOATING, F64, 64, PROBE_F64, 'q'},
    {"s8", SIGNED, F16, 8, PROBE_I8, 'h'},      {"u8", UNSIGNED, F16, 8, PROBE_I8, 'h'},
    {"s16", SIGNED, F16, 16, PROBE_I16, 'h'},   {"u16", UNSIGNED, F16, 16, PROBE_I16, 'h'},
    {"s32", SIGNED, F16, 32, PROBE_I32, 'r'},   {"u32", UNSIGNED, F16, 32, PROBE_I32, 'r'},
    {"s64", SIGNED, F16, 64, PROBE_I64, 'q'},   {"u64", UNSIGNED, F16, 64, PROBE_I64, 'q'},
};
enum { TYPES = sizeof types / sizeof types[0] };

struct form {
  const struct type *to, *from;
  enum oracle_rounding rounding;
  bool integral, sat, relu, satfinite, ftz;
};

static wide value_of(const struct type *type, uint64_t bits) {
  if (type->kind == FLOATING)
    return oracle_value(type->format, bits);
  const unsigned unused = 64 - type->bits;
  return type->kind == SIGNED ? (wide)((int64_t)(bits << unused) >> unused)
                              : (wide)(bits << unused >> unused);
}

static uint64_t width_mask(char width) {
  return width == 'h' ? 0xffff : width == 'r' ? 0xffffffff : ~0ull;
}

static uint64_t to_integer(const struct form *f, uint64_t bits, wide value) {
  const struct type *to = f->to;
  uint64_t result;
  if (oracle_is_nan(f->from->format, bits))
    result = to->bits == 64 || f->from->format == F64 ? 1ull << (to->bits - 1) : 0;
  else
    result = oracle_to_integer((struct exact){value, 0}, f->rounding, to->bits, to->kind == SIGNED);
  if (to->kind == SIGNED && to->bits < 64 && result >> (to->bits - 1) & 1)
    result |= ~0ull << to->bits; /* sign-extended in a wider register */
  return result & width_mask(to->width);
}

static uint64_t finish(const struct form *f, enum oracle_format format, struct exact x) {
  if (f->integral && x.value == x.value && x.value - x.value == 0 && x.value < 1e30 && x.value > -1e30) {
    const uint64_t whole = oracle_to_integer(x, f->rounding, 64, true);
    const wide rounded = (wide)(int64_t)whole;
    if (whole == 0 || (x.value < 0x1p62 && x.value > -0x1p62))
      x.value = rounded == 0 && (x.value < 0 || 1 / x.value < 0) ? -(wide)0 : rounded;
  }
  uint64_t bits = oracle_round(format, x, f->rounding);
  const uint64_t sign = oracle_sign(format, bits), infinity = format == F16    ? 0x7c00
                                                              : format == BF16 ? 0x7f80
                                                                               : 0x7f800000;
  if (f->satfinite && (bits ^ sign) == infinity)
    bits = sign | (format == TF32 ? 0x7f7fe000 : infinity - 1);
  if (oracle_is_nan(format, bits))
    return f->sat ? 0 : bits;
  if ((f->sat || f->relu) && sign)
    return 0;
  const uint64_t unit = format == F16    ? 0x3c00
                        : format == BF16 ? 0x3f80
                        : format == F64  ? 0x3ff0000000000000
                                         : 0x3f800000;
  return f->sat && bits > unit ? unit : bits;
}

static uint64_t expected(const uint64_t x[3], const void *detail) {
  const struct form *f = detail;
  uint64_t bits = x[0] & width_mask(f->from->width);
  if (f->ftz && f->from->format == F32 && f->from->kind == FLOATING)
    bits = oracle_flush(F32, bits);
  const wide value = value_of(f->from, bits);
  if (f->to->kind != FLOATING)
    return to_integer(f, bits, value);
  const uint64_t result = finish(f, f->to->format, (struct exact){value, 0});
  return f->ftz && f->to->format == F32 ? oracle_flush(F32, result) : result;
}

static enum probe_result result_of(const struct type *to) {
  if (to->kind != FLOATING)
    return PROBE_BITS;
  return to->format == F16    ? PROBE_RESULT_F16
         : to->format == BF16 ? PROBE_RESULT_BF16
         : to->format == F32  ? PROBE_RESULT_F32
                              : PROBE_RESULT_F64;
}

static void convert(const struct type *to, const struct type *from, const char *modifiers, struct form f) {
  f.to = to;
  f.from = from;
  const struct probe p = {
      .operands = {from->operand}, .result = result_of(to), .expected = expected, .detail = &f};
  probe_format(p, "cvt%s.%s.%s %%%cd, %%%ca;", modifiers, to->name, from->name, to->width, from->width);
}

static void convert_scalars(const struct type *to, const struct type *from) {
  static const char *const integral[] = {".rni", ".rzi", ".rmi", ".rpi"}, *const plain[] = {".rn", ".rz",
                                                                                            ".rm", ".rp"};
  const bool narrow_to = to == &types[0] || to == &types[1],
             narrow_from = from == &types[0] || from == &types[1];
  if (!narrow_to && !narrow_from)
    return;
  for (enum oracle_rounding r = RN; r <= RP; r++) {
    if (to->kind != FLOATING)
      convert(to, from, integral[r], (struct form){.rounding = r});
    else if (to == from)
      convert(to, from, integral[r], (struct form){.rounding = r, .integral = true});
    else if (narrow_to)
      convert(to, from, plain[r], (struct form){.rounding = r});
  }
  if (!narrow_to && to->kind == FLOATING) {
    convert(to, from, "", (struct form){.rounding = RN});
    convert(to, from, ".sat", (struct form){.rounding = RN, .sat = true});
  }
  if (to == &types[0] && from->kind == FLOATING && to != from)
    convert(to, from, ".rn.sat", (struct form){.rounding = RN, .sat = true});
}

/* ---- f32 with .relu, .satfinite, .ftz; tf32 ---- */

static void convert_from_float(void) {
  static const struct type tensor = {"tf32", FLOATING, TF32, 32, PROBE_F32, 'r'};
  const struct type *f32 = &types[2];
  for (unsigned i = 0; i < 2; i++) {
    convert(&types[i], f32, ".rn.relu", (struct form){.relu = true});
    convert(&types[i], f32, ".rz.relu", (struct form){.rounding = RZ, .relu = true});
    convert(&types[i], f32, ".rn.satfinite", (struct form){.satfinite = true});
    convert(&types[i], f32, ".rn.relu.satfinite", (struct form){.relu = true, .satfinite = true});
  }
  convert(&types[0], f32, ".rn.ftz", (struct form){.ftz = true});
  convert(&types[0], f32, ".rp.ftz", (struct form){.rounding = RP, .ftz = true});
  convert(f32, &types[1], ".ftz", (struct form){.ftz = true});
  convert(&tensor, f32, ".rna", (struct form){.rounding = RNA});
  convert(&tensor, f32, ".rna.satfinite", (struct form){.rounding = RNA, .satfinite = true});
  convert(&tensor, f32, ".rn", (struct form){.rounding = RN});
  convert(&tensor, f32, ".rz", (struct form){.rounding = RZ});
  convert(&tensor, f32, ".rn.relu", (struct form){.rounding = RN, .relu = true});
}

/* ---- Pairs ---- */

static uint64_t expected_pack(const uint64_t x[3], const void *detail) {
  const struct form *f = detail;
  const uint64_t high = finish(f, f->to->format, (struct exact){oracle_value(F32, x[0] & 0xffffffff), 0});
  const uint64_t low = finish(f, f->to->format, (struct exact){oracle_value(F32, x[1] & 0xffffffff), 0});
  return high << 16 | low;
}

static void pack(const char *modifiers, struct form f) {
  for (unsigned i = 0; i < 2; i++) {
    f.to = &types[i];
    const struct probe p = {.operands = {PROBE_F32, PROBE_F32},
                            .result = i ? PROBE_RESULT_BF16X2 : PROBE_RESULT_F16X2,
                            .expected = expected_pack,
                            .detail = &f};
    probe_format(p, "cvt%s.%sx2.f32 %%rd, %%ra, %%rb;", modifiers, types[i].name);
  }
}

/* 8-bit floats by their table: the nearest of the finite values, the even one of two. */
static double eight_bits(bool e5m2, unsigned bits) {
  const unsigned mantissa_bits = e5m2 ? 2 : 3, exponent = (bits & 0x7f) >> mantissa_bits;
  const unsigned fraction = bits & ((1u << mantissa_bits) - 1);
  const int bias = e5m2 ? 15 : 7;
  double value = (exponent ? 1 : 0) + (double)fraction / (1 << mantissa_bits);
  for (int e = (exponent ? (int)exponent : 1) - bias; e; e += e > 0 ? -1 : 1)
    value = e > 0 ? value * 2 : value / 2;
  return value;
}

static unsigned to_eight_bits(bool e5m2, uint64_t float_bits, bool relu) {
  const unsigned largest = e5m2 ? 0x7b : 0x7e;
  if (oracle_is_nan(F32, float_bits))
    return 0x7f;
  const bool negative = float_bits >> 31 & 1;
  const double x = (double)oracle_value(F32, float_bits & 0x7fffffff);
  if (negative && relu)
    return 0;
  unsigned best = 0;
  for (unsigned bits = 1; bits <= largest; bits++) {
    const double here = eight_bits(e5m2, bits) - x, there = eight_bits(e5m2, best) - x;
    const double a = here < 0 ? -here : here, b = there < 0 ? -there : there;
    if (a < b || (a == b && bits % 2 == 0))
      best = bits;
  }
  if (x > eight_bits(e5m2, largest))
    best = largest;
  return best | (negative ? 0x80u : 0);
}

struct eight {
  bool e5m2, relu;
};

static uint64_t expected_eight(const uint64_t x[3], const void *detail) {
  const struct eight *f = detail;
  return to_eight_bits(f->e5m2, x[0] & 0xffffffff, f->relu) << 8 |
         to_eight_bits(f->e5m2, x[1] & 0xffffffff, f->relu);
}

static uint64_t half_of_eight(bool e5m2, unsigned bits) {
  if ((bits & 0x7f) > (e5m2 ? 0x7cu : 0x7eu))
    return 0x7fff;
  if (e5m2)
    return bits << 8; /* the upper byte of an f16 */
  const uint64_t magnitude = oracle_round(F16, (struct exact){(wide)eight_bits(false, bits & 0x7f), 0}, RN);
  return magnitude | (bits & 0x80u) << 8;
}

static uint64_t expected_widened(const uint64_t x[3], const void *detail) {
  const struct eight *f = detail;
  return half_of_eight(f->e5m2, x[0] & 0xff) | half_of_eight(f->e5m2, x[0] >> 8 & 0xff) << 16;
}

static void convert_eight_bits(void) {
  for (int e5m2 = 0; e5m2 < 2; e5m2++) {
    const char *name = e5m2 ? "e5m2x2" : "e4m3x2";
    struct eight f = {.e5m2 = e5m2};
    struct probe p = {.operands = {PROBE_F32, PROBE_F32}, .expected = expected_eight, .detail = &f};
    probe_format(p, "cvt.rn.satfinite.%s.f32 %%hd, %%ra, %%rb;", name);
    f.relu = true;
    probe_format(p, "cvt.rn.satfinite.relu.%s.f32 %%hd, %%ra, %%rb;", name);
    p = (struct probe){
        .operands = {PROBE_I16}, .expected = expected_widened, .result = PROBE_RESULT_F16X2, .detail = &f};
    probe_format(p, "cvt.rn.f16x2.%s %%rd, %%ha;", name);
  }
}

void test_half_convert(void) {
  for (unsigned to = 0; to < TYPES; to++)
    for (unsigned from = 0; from < TYPES; from++)
      convert_scalars(&types[to], &types[from]);
  convert_from_float();
  pack(".rn", (struct form){.rounding = RN});
  pack(".rz", (struct form){.rounding = RZ});
  pack(".rn.relu", (struct form){.relu = true});
  pack(".rz.relu", (struct form){.rounding = RZ, .relu = true});
  pack(".rn.satfinite", (struct form){.satfinite = true});
  convert_eight_bits();
}
