/* setp, set, selp and slct of integers, bits, f32 and f64. */
#include "families.h"
#include "probe.h"

#include <string.h>

enum kind { UNSIGNED, SIGNED, FLOATING };

struct type {
  const char *name;
  enum kind kind;
  unsigned bits;
  enum probe_operand operand;
  char width;
};

static const struct type types[] = {
    {"b16", UNSIGNED, 16, PROBE_I16, 'h'}, {"u16", UNSIGNED, 16, PROBE_I16, 'h'},
    {"s16", SIGNED, 16, PROBE_I16, 'h'},   {"b32", UNSIGNED, 32, PROBE_I32, 'r'},
    {"u32", UNSIGNED, 32, PROBE_I32, 'r'}, {"s32", SIGNED, 32, PROBE_I32, 'r'},
    {"b64", UNSIGNED, 64, PROBE_I64, 'q'}, {"u64", UNSIGNED, 64, PROBE_I64, 'q'},
    {"s64", SIGNED, 64, PROBE_I64, 'q'},   {"f32", FLOATING, 32, PROBE_F32, 'r'},
    {"f64", FLOATING, 64, PROBE_F64, 'q'},
};

struct form {
  const struct type *type;
  const char *comparison, *boolean;
  bool ftz, negated;
  uint64_t truth;
};

static bool ordered_holds(const char *c, int order) {
  if (!strncmp(c, "eq", 2))
    return order == 0;
  if (!strncmp(c, "ne", 2))
    return order != 0;
  if (!strncmp(c, "lt", 2) || !strcmp(c, "lo"))
    return order < 0;
  if (!strncmp(c, "le", 2) || !strcmp(c, "ls"))
    return order <= 0;
  if (!strncmp(c, "gt", 2) || !strcmp(c, "hi"))
    return order > 0;
  return order >= 0; /* ge, hs */
}

static bool holds(const struct form *f, uint64_t a, uint64_t b) {
  const char *c = f->comparison;
  if (f->type->kind != FLOATING) {
    const unsigned unused = 64 - f->type->bits;
    a <<= unused;
    b <<= unused;
    if (f->type->kind == SIGNED) {
      a ^= 1ull << 63;
      b ^= 1ull << 63;
    }
    return ordered_holds(c, (a > b) - (a < b));
  }
  const enum oracle_format format = f->type->bits == 32 ? F32 : F64;
  a &= format == F32 ? 0xffffffff : ~0ull;
  b &= format == F32 ? 0xffffffff : ~0ull;
  if (f->ftz) {
    a = oracle_flush(format, a);
    b = oracle_flush(format, b);
  }
  const bool unordered = oracle_is_nan(format, a) || oracle_is_nan(format, b);
  if (!strcmp(c, "num") || !strcmp(c, "nan"))
    return unordered == !strcmp(c, "nan");
  if (unordered)
    return strlen(c) == 3;
  const wide x = oracle_value(format, a), y = oracle_value(format, b);
  return ordered_holds(c, (x > y) - (x < y));
}

static bool combined(const struct form *f, bool value, bool third) {
  third ^= f->negated;
  if (!f->boolean)
    return value;
  return !strcmp(f->boolean, "and")  ? value && third
         : !strcmp(f->boolean, "or") ? value || third
                                     : value != third;
}

static uint64_t expected_predicates(const uint64_t x[3], const void *detail) {
  const struct form *f = detail;
  const bool value = holds(f, x[0], x[1]);
  return (uint64_t)combined(f, value, x[2] & 1) | (uint64_t)combined(f, !value, x[2] & 1) << 1;
}

static uint64_t expected_value(const uint64_t x[3], const void *detail) {
  const struct form *f = detail;
  return combined(f, holds(f, x[0], x[1]), x[2] & 1) ? f->truth : 0;
}

static void compare(const struct type *t, const char *comparison) {
  struct form f = {.type = t, .comparison = comparison};
  struct probe p = {
      .operands = {t->operand, t->operand, PROBE_BIT}, .expected = expected_predicates, .detail = &f};
  probe_format(p, "setp.%s.%s %%pd|%%pe, %%%ca, %%%cb;", comparison, t->name, t->width, t->width);
  f.boolean = "and";
  probe_format(p, "setp.%s.and.%s %%pd|%%pe, %%%ca, %%%cb, %%pc;", comparison, t->name, t->width, t->width);
  f.boolean = "or";
  probe_format(p, "setp.%s.or.%s %%pd|%%pe, %%%ca, %%%cb, %%pc;", comparison, t->name, t->width, t->width);
  f.boolean = "xor";
  f.negated = true;
  probe_format(p, "setp.%s.xor.%s %%pd|%%pe, %%%ca, %%%cb, !%%pc;", comparison, t->name, t->width, t->width);
  f = (struct form){.type = t, .comparison = comparison, .truth = 0xffffffff};
  p.expected = expected_value;
  probe_format(p, "set.%s.u32.%s %%rd, %%%ca, %%%cb;", comparison, t->name, t->width, t->width);
  f.boolean = "and";
  probe_format(p, "set.%s.and.s32.%s %%rd, %%%ca, %%%cb, %%pc;", comparison, t->name, t->width, t->width);
  f.boolean = NULL;
  f.truth = 0x3f800000;
  probe_format(p, "set.%s.f32.%s %%rd, %%%ca, %%%cb;", comparison, t->name, t->width, t->width);
  if (t->kind == FLOATING && t->bits == 32) {
    f = (struct form){.type = t, .comparison = comparison, .ftz = true, .truth = 0xffffffff};
    p.expected = expected_predicates;
    probe_format(p, "setp.%s.ftz.f32 %%pd|%%pe, %%ra, %%rb;", comparison);
    p.expected = expected_value;
    probe_format(p, "set.%s.ftz.u32.f32 %%rd, %%ra, %%rb;", comparison);
  }
}

/* ---- selp, slct ---- */

static uint64_t mask_of(unsigned bits) {
  return bits == 64 ? ~0ull : (1ull << bits) - 1;
}

static uint64_t expected_choice(const uint64_t x[3], const void *detail) {
  const struct type *t = detail;
  return (x[2] & 1 ? x[0] : x[1]) & mask_of(t->bits);
}

static uint64_t expected_by_sign(const uint64_t x[3], const void *detail) {
  const struct type *t = detail;
  return ((int32_t)x[2] >= 0 ? x[0] : x[1]) & mask_of(t->bits);
}

static uint64_t expected_by_float(const uint64_t x[3], const void *detail) {
  const struct type *t = detail;
  const uint64_t c = x[2] & 0xffffffff;
  /* -0 counts as not negative, NaN as negative */
  return (!oracle_is_nan(F32, c) && oracle_value(F32, c) >= 0 ? x[0] : x[1]) & mask_of(t->bits);
}

static void choices(const struct type *t) {
  struct probe p = {
      .operands = {t->operand, t->operand, PROBE_BIT}, .expected = expected_choice, .detail = t};
  probe_format(p, "selp.%s %%%cd, %%%ca, %%%cb, %%pc;", t->name, t->width, t->width, t->width);
  p.operands[2] = PROBE_I32;
  p.expected = expected_by_sign;
  probe_format(p, "slct.%s.s32 %%%cd, %%%ca, %%%cb, %%rc;", t->name, t->width, t->width, t->width);
  p.operands[2] = PROBE_F32;
  p.expected = expected_by_float;
  probe_format(p, "slct.%s.f32 %%%cd, %%%ca, %%%cb, %%rc;", t->name, t->width, t->width, t->width);
}

void test_compare(void) {
  static const char *const signed_ones[] = {"eq", "ne", "lt", "le", "gt", "ge", NULL};
  static const char *const unsigned_ones[] = {"eq", "ne", "lt", "le", "gt", "ge",
                                              "lo", "ls", "hi", "hs", NULL};
  static const char *const bit_ones[] = {"eq", "ne", NULL};
  static const char *const floating_ones[] = {"eq",  "ne",  "lt",  "le",  "gt",  "ge",  "equ", "neu",
                                              "ltu", "leu", "gtu", "geu", "num", "nan", NULL};
  for (unsigned i = 0; i < sizeof types / sizeof types[0]; i++) {
    const char *const *names = types[i].kind == FLOATING ? floating_ones
                               : types[i].kind == SIGNED ? signed_ones
                               : types[i].name[0] == 'b' ? bit_ones
                                                         : unsigned_ones;
    for (; *names; names++)
      compare(&types[i], *names);
    choices(&types[i]);
  }
}
