/* cvt between integers, f32 and f64 in every rounding, with .sat and .ftz; cvt.pack. */
#include "families.h"
#include "probe.h"

enum kind { UNSIGNED, SIGNED, FLOATING };

struct type {
  const char *name;
  enum kind kind;
  enum oracle_format format;
  unsigned bits;
  enum probe_operand operand;
  char width;
};

static const struct type types[] = {
    {"u8", UNSIGNED, F32, 8, PROBE_I16, 'h'},   {"s8", SIGNED, F32, 8, PROBE_I16, 'h'},
    {"u16", UNSIGNED, F32, 16, PROBE_I16, 'h'}, {"s16", SIGNED, F32, 16, PROBE_I16, 'h'},
    {"u32", UNSIGNED, F32, 32, PROBE_I32, 'r'}, {"s32", SIGNED, F32, 32, PROBE_I32, 'r'},
    {"u64", UNSIGNED, F32, 64, PROBE_I64, 'q'}, {"s64", SIGNED, F32, 64, PROBE_I64, 'q'},
    {"f32", FLOATING, F32, 32, PROBE_F32, 'r'}, {"f64", FLOATING, F64, 64, PROBE_F64, 'q'},
};
enum { TYPES = sizeof types / sizeof types[0] };

struct form {
  const struct type *to, *from;
  enum oracle_rounding rounding;
  bool integral, sat, ftz;
};

static uint64_t mask_of(char width) {
  return width == 'h' ? 0xffff : width == 'r' ? 0xffffffff : ~0ull;
}

static __int128 integer_of(const struct type *t, uint64_t bits) {
  const unsigned unused = 64 - t->bits;
  return t->kind == SIGNED ? (__int128)((int64_t)(bits << unused) >> unused)
                           : (__int128)(bits << unused >> unused);
}

/* An integer in a register of the result's width: wrapped, or clamped with .sat, then extended. */
static uint64_t fit(const struct form *f, __int128 value) {
  const struct type *t = f->to;
  if (f->sat) {
    const __int128 one = 1, top = t->kind == SIGNED ? (one << (t->bits - 1)) - 1 : (one << t->bits) - 1;
    const __int128 bottom = t->kind == SIGNED ? -(one << (t->bits - 1)) : 0;
    value = value > top ? top : value < bottom ? bottom : value;
  }
  return (uint64_t)integer_of(t, (uint64_t)value) & mask_of(t->width);
}

static uint64_t expected(const uint64_t x[3], const void *detail) {
  const struct form *f = detail;
  uint64_t bits = x[0] & mask_of(f->from->width);
  if (f->from->kind != FLOATING && f->to->kind != FLOATING)
    return fit(f, integer_of(f->from, bits));
  if (f->from->kind != FLOATING)
    return oracle_round(f->to->format, (struct exact){(wide)integer_of(f->from, bits), 0}, f->rounding);
  if (f->ftz)
    bits = f->from->format == F32 ? oracle_flush(F32, bits) : bits;
  const wide value = oracle_value(f->from->format, bits);
  if (f->to->kind != FLOATING) {
    const struct type *t = f->to;
    if (oracle_is_nan(f->from->format, bits))
      return fit(f, t->bits == 64 || f->from->format == F64 ? (__int128)integer_of(t, 1ull << (t->bits - 1))
                                                            : 0);
    return fit(f, integer_of(t, oracle_to_integer((struct exact){value, 0}, f->rounding, t->bits,
                                                  t->kind == SIGNED)));
  }
  struct exact exact = {value, 0};
  if (f->integral && value < 0x1p62 && value > -0x1p62) {
    exact.value = (wide)(int64_t)oracle_to_integer(exact, f->rounding, 64, true);
    if (exact.value == 0 && oracle_sign(f->from->format, bits))
      exact.value = -(wide)0;
  }
  uint64_t result = oracle_round(f->to->format, exact, f->rounding);
  if (f->ftz && f->to->format == F32)
    result = oracle_flush(F32, result);
  if (!f->sat)
    return result;
  const uint64_t unit = f->to->format == F32 ? 0x3f800000 : 0x3ff0000000000000;
  if (oracle_is_nan(f->to->format, result) || oracle_sign(f->to->format, result))
    return 0;
  return result > unit ? unit : result;
}

static void convert(const char *modifiers, struct form f) {
  const struct probe p = {.operands = {f.from->operand},
                          .result = f.to->kind != FLOATING ? PROBE_BITS
                                    : f.to->format == F32  ? PROBE_RESULT_F32
                                                           : PROBE_RESULT_F64,
                          .expected = expected,
                          .detail = &f};
  probe_format(p, "cvt%s.%s.%s %%%cd, %%%ca;", modifiers, f.to->name, f.from->name, f.to->width,
               f.from->width);
}

static void all_forms(const struct type *to, const struct type *from) {
  static const char *const plain[] = {".rn", ".rz", ".rm", ".rp"}, *const integral[] = {".rni", ".rzi",
                                                                                        ".rmi", ".rpi"};
  static const char *const flushed[] = {".rn.ftz", ".rz.ftz", ".rm.ftz", ".rp.ftz"};
  static const char *const integral_flushed[] = {".rni.ftz", ".rzi.ftz", ".rmi.ftz", ".rpi.ftz"};
  static const char *const integral_sat[] = {".rni.sat", ".rzi.sat", ".rmi.sat", ".rpi.sat"};
  const struct form f = {.to = to, .from = from};
  if (to->kind != FLOATING && from->kind != FLOATING) {
    struct form sat = f;
    sat.sat = true;
    convert("", f);
    convert(".sat", sat);
    return;
  }
  if (to->format == F64 && from->kind == FLOATING && to != from) { /* widening is exact */
    struct form sat = f, ftz = f;
    sat.sat = true;
    ftz.ftz = true;
    convert("", f);
    convert(".sat", sat);
    convert(".ftz", ftz);
    return;
  }
  for (enum oracle_rounding r = RN; r <= RP; r++) {
    struct form g = f;
    g.rounding = r;
    if (to->kind == FLOATING && to != from) {
      convert(plain[r], g);
      g.ftz = true;
      if (from->kind == FLOATING)
        convert(flushed[r], g);
      continue;
    }
    g.integral = to == from;
    convert(integral[r], g);
    g.ftz = true;
    if (from->format == F32)
      convert(integral_flushed[r], g);
    g.ftz = false;
    g.sat = true;
    convert(integral_sat[r], g);
  }
}

/* cvt.pack.sat: a and b clamped to 16 bits, or to 8 above the upper half of c */
struct pack {
  bool is_signed, is_byte;
};

static uint64_t clamped(const struct pack *p, int64_t value) {
  const unsigned bits = p->is_byte ? 8 : 16;
  const int64_t top = p->is_signed ? (1 << (bits - 1)) - 1 : (1 << bits) - 1,
                bottom = p->is_signed ? -(1 << (bits - 1)) : 0;
  value = value > top ? top : value < bottom ? bottom : value;
  return (uint64_t)value & ((1u << bits) - 1);
}

static uint64_t expected_pack(const uint64_t x[3], const void *detail) {
  const struct pack *p = detail;
  const uint64_t a = clamped(p, (int32_t)x[0]), b = clamped(p, (int32_t)x[1]);
  return p->is_byte ? (x[2] & 0xffff) << 16 | a << 8 | b : a << 16 | b;
}

static void packs(void) {
  for (unsigned is_signed = 0; is_signed < 2; is_signed++) {
    struct pack f = {is_signed, false};
    struct probe p = {.operands = {PROBE_I32, PROBE_I32}, .expected = expected_pack, .detail = &f};
    probe_format(p, "cvt.pack.sat.%s.s32 %%rd, %%ra, %%rb;", is_signed ? "s16" : "u16");
    f.is_byte = true;
    p.operands[2] = PROBE_I32;
    probe_format(p, "cvt.pack.sat.%s.s32.b32 %%rd, %%ra, %%rb, %%rc;", is_signed ? "s8" : "u8");
  }
}

void test_convert(void) {
  for (unsigned to = 0; to < TYPES; to++)
    for (unsigned from = 0; from < TYPES; from++)
      all_forms(&types[to], &types[from]);
  packs();
}
