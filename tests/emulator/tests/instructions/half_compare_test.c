/* setp and set of f16, f16x2, bf16 and bf16x2. */
#include "families.h"
#include "probe.h"

#include <string.h>

struct form {
  const char *comparison, *boolean;
  bool brain, pair, ftz, negated;
  uint32_t truth; /* what set writes */
};

static bool holds(const struct form *f, uint64_t a, uint64_t b) {
  const enum oracle_format format = f->brain ? BF16 : F16;
  if (f->ftz) {
    a = oracle_flush(format, a);
    b = oracle_flush(format, b);
  }
  const bool unordered = oracle_is_nan(format, a) || oracle_is_nan(format, b);
  const wide x = oracle_value(format, a), y = oracle_value(format, b);
  const char *c = f->comparison;
  if (!strcmp(c, "num"))
    return !unordered;
  if (!strcmp(c, "nan"))
    return unordered;
  if (unordered)
    return strlen(c) == 3;
  if (!strncmp(c, "eq", 2))
    return x == y;
  if (!strncmp(c, "ne", 2))
    return x != y;
  if (!strncmp(c, "lt", 2))
    return x < y;
  if (!strncmp(c, "le", 2))
    return x <= y;
  return !strncmp(c, "gt", 2) ? x > y : x >= y;
}

static bool combined(const struct form *f, bool value, bool third) {
  if (f->negated)
    third = !third;
  if (!f->boolean)
    return value;
  return !strcmp(f->boolean, "and")  ? value && third
         : !strcmp(f->boolean, "or") ? value || third
                                     : value != third;
}

static uint64_t expected_predicates(const uint64_t x[3], const void *detail) {
  const struct form *f = detail;
  const bool low = holds(f, x[0] & 0xffff, x[1] & 0xffff);
  const bool other = f->pair ? holds(f, x[0] >> 16, x[1] >> 16) : !low;
  return (uint64_t)combined(f, low, x[2] & 1) | (uint64_t)combined(f, other, x[2] & 1) << 1;
}

static uint64_t expected_value(const uint64_t x[3], const void *detail) {
  const struct form *f = detail;
  uint64_t result = combined(f, holds(f, x[0] & 0xffff, x[1] & 0xffff), x[2] & 1) ? f->truth : 0;
  if (f->pair && combined(f, holds(f, x[0] >> 16, x[1] >> 16), x[2] & 1))
    result |= (uint64_t)f->truth << 16;
  return result;
}

static const char *const names[] = {"f16", "f16x2", "bf16", "bf16x2"};
static const enum probe_operand operands[] = {PROBE_F16, PROBE_F16X2, PROBE_BF16, PROBE_BF16X2};

static void compare(const char *comparison, unsigned type) {
  const char w = type % 2 ? 'r' : 'h';
  struct form f = {.comparison = comparison, .brain = type >= 2, .pair = type % 2};
  struct probe p = {
      .operands = {operands[type], operands[type], PROBE_BIT}, .expected = expected_predicates, .detail = &f};
  probe_format(p, "setp.%s.%s %%pd|%%pe, %%%ca, %%%cb;", comparison, names[type], w, w);
  f.boolean = "and";
  probe_format(p, "setp.%s.and.%s %%pd|%%pe, %%%ca, %%%cb, %%pc;", comparison, names[type], w, w);
  f.boolean = "xor";
  f.negated = true;
  probe_format(p, "setp.%s.xor.%s %%pd|%%pe, %%%ca, %%%cb, !%%pc;", comparison, names[type], w, w);
  if (!f.brain) {
    f.boolean = "or";
    f.negated = false;
    f.ftz = true;
    probe_format(p, "setp.%s.or.ftz.%s %%pd|%%pe, %%%ca, %%%cb, %%pc;", comparison, names[type], w, w);
  }
}

static void set(const char *comparison, unsigned type) {
  const char w = type % 2 ? 'r' : 'h';
  struct form f = {.comparison = comparison, .brain = type >= 2, .pair = type % 2};
  struct probe p = {
      .operands = {operands[type], operands[type], PROBE_BIT}, .expected = expected_value, .detail = &f};
  f.truth = f.brain ? 0x3f80 : 0x3c00;
  probe_format(p, "set.%s.%s.%s %%%cd, %%%ca, %%%cb;", comparison, names[type], names[type], w, w, w);
  f.truth = f.pair ? 0xffff : 0xffffffff;
  probe_format(p, "set.%s.u32.%s %%rd, %%%ca, %%%cb;", comparison, names[type], w, w);
  f.boolean = "and";
  probe_format(p, "set.%s.and.s32.%s %%rd, %%%ca, %%%cb, %%pc;", comparison, names[type], w, w);
  if (!f.pair) {
    f.boolean = NULL;
    f.truth = 0xffff;
    probe_format(p, "set.%s.u16.%s %%hd, %%%ca, %%%cb;", comparison, names[type], w, w);
  }
}

void test_half_compare(void) {
  static const char *const comparisons[] = {"eq",  "ne",  "lt",  "le",  "gt",  "ge",  "equ",
                                            "neu", "ltu", "leu", "gtu", "geu", "num", "nan"};
  for (unsigned i = 0; i < sizeof comparisons / sizeof comparisons[0]; i++)
    for (unsigned type = 0; type < 4; type++) {
      compare(comparisons[i], type);
      set(comparisons[i], type);
    }
}
