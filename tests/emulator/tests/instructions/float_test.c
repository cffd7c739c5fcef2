/* f32 and f64 arithmetic in every rounding, with .ftz and .sat: add, sub, mul, fma, mad, div, rcp, sqrt, neg,
 * abs, min, max, copysign, testp. */
#include "families.h"
#include "probe.h"

#include <string.h>

enum operation { ADD, SUB, MUL, FMA, DIV, RCP, SQRT, NEG, ABS, MIN, MAX, COPYSIGN };

struct form {
  enum operation operation;
  enum oracle_format format;
  enum oracle_rounding rounding;
  bool ftz, sat, nan, xorsign;
};

static uint64_t extreme(const struct form *f, uint64_t a, uint64_t b) {
  const uint64_t sign = oracle_sign(f->format, a ^ b);
  if (f->xorsign) {
    a ^= oracle_sign(f->format, a);
    b ^= oracle_sign(f->format, b);
  }
  const bool a_nan = oracle_is_nan(f->format, a), b_nan = oracle_is_nan(f->format, b);
  if ((a_nan && b_nan) || (f->nan && (a_nan || b_nan)))
    return oracle_nan(f->format);
  uint64_t result = a_nan ? b : a;
  if (!a_nan && !b_nan) {
    const wide x = oracle_value(f->format, a), y = oracle_value(f->format, b);
    const bool less = x < y || (x == y && oracle_sign(f->format, a));
    result = less == (f->operation == MIN) ? a : b;
  }
  return f->xorsign ? result | sign : result;
}

static struct exact exact_result(const struct form *f, wide a, wide b, wide c) {
  switch (f->operation) {
  case ADD:
    return oracle_sum(a, b);
  case SUB:
    return oracle_sum(a, -b);
  case MUL:
    return oracle_product(a, b);
  case FMA:
    return oracle_fma(a, b, c);
  case DIV:
    return oracle_quotient(a, b);
  case RCP:
    return oracle_quotient(1, a);
  default:
    return oracle_root(a);
  }
}

/* The sign of a zero sum of two numbers that are not both of that sign follows the rounding. */
static uint64_t rounded(const struct form *f, struct exact x, wide first, wide second) {
  const uint64_t bits = oracle_round(f->format, x, f->rounding);
  const bool sums = f->operation == ADD || f->operation == SUB || f->operation == FMA;
  if (!sums || x.value != 0 || (first == 0 && second == 0))
    return bits;
  return f->rounding == RM ? 1ull << (f->format == F64 ? 63 : 31) : 0;
}

static uint64_t zero_sum_sign(const struct form *f, uint64_t bits, bool a_negative, bool b_negative) {
  if (a_negative == b_negative)
    return bits;
  return f->rounding == RM ? 1ull << (f->format == F64 ? 63 : 31) : 0;
}

static bool is_negative(const struct form *f, uint64_t bits) {
  return oracle_sign(f->format, bits) != 0;
}

static uint64_t arithmetic(const struct form *f, uint64_t a, uint64_t b, uint64_t c) {
  const wide x = oracle_value(f->format, a), y = oracle_value(f->format, b), z = oracle_value(f->format, c);
  const struct exact exact = exact_result(f, x, y, z);
  if ((f->operation == ADD || f->operation == SUB) && x == 0 && y == 0)
    return zero_sum_sign(f, oracle_round(f->format, exact, RN), is_negative(f, a),
                         is_negative(f, b) != (f->operation == SUB));
  if (f->operation == FMA && (x == 0 || y == 0) && z == 0 && x - x == 0 && y - y == 0)
    return zero_sum_sign(f, oracle_round(f->format, exact, RN), is_negative(f, a ^ b), is_negative(f, c));
  return rounded(f, exact, f->operation == FMA ? x * y : x, f->operation == FMA ? z : y);
}

static uint64_t expected(const uint64_t x[3], const void *detail) {
  const struct form *f = detail;
  const uint64_t mask = f->format == F64 ? ~0ull : 0xffffffff;
  uint64_t a = x[0] & mask, b = x[1] & mask, c = x[2] & mask;
  if (f->ftz) {
    a = oracle_flush(F32, a);
    b = oracle_flush(F32, b);
    c = oracle_flush(F32, c);
  }
  const uint64_t sign_bit = 1ull << (f->format == F64 ? 63 : 31);
  uint64_t result;
  switch (f->operation) {
  case NEG:
    return a ^ sign_bit;
  case ABS:
    return a & ~sign_bit;
  case COPYSIGN:
    return (a & sign_bit) | (b & ~sign_bit);
  case MIN:
  case MAX:
    return extreme(f, a, b);
  default:
    result = arithmetic(f, a, b, c);
  }
  if (f->ftz)
    result = oracle_flush(F32, result);
  if (!f->sat)
    return result;
  if (oracle_is_nan(F32, result) || oracle_sign(F32, result))
    return 0;
  return result > 0x3f800000 ? 0x3f800000 : result;
}

static void run(const char *opcode, const char *modifiers, unsigned arity, struct form f) {
  const char w = f.format == F64 ? 'q' : 'r', *type = f.format == F64 ? "f64" : "f32";
  const enum probe_operand operand = f.format == F64 ? PROBE_F64 : PROBE_F32;
  struct probe p = {
      .result = f.format == F64 ? PROBE_RESULT_F64 : PROBE_RESULT_F32, .expected = expected, .detail = &f};
  for (unsigned i = 0; i < arity; i++)
    p.operands[i] = operand;
  if (arity == 1)
    probe_format(p, "%s%s.%s %%%cd, %%%ca;", opcode, modifiers, type, w, w);
  else if (arity == 2)
    probe_format(p, "%s%s.%s %%%cd, %%%ca, %%%cb;", opcode, modifiers, type, w, w, w);
  else
    probe_format(p, "%s%s.%s %%%cd, %%%ca, %%%cb, %%%cc;", opcode, modifiers, type, w, w, w, w);
}

static void rounded_operations(enum oracle_format format) {
  static const struct {
    const char *opcode;
    enum operation operation;
    unsigned arity;
    bool saturates;
  } operations[] = {{"add", ADD, 2, true},  {"sub", SUB, 2, true},   {"mul", MUL, 2, true},
                    {"fma", FMA, 3, true},  {"mad", FMA, 3, true},   {"div", DIV, 2, false},
                    {"rcp", RCP, 1, false}, {"sqrt", SQRT, 1, false}};
  static const char *const names[] = {".rn", ".rz", ".rm", ".rp"};
  static const char *const flushed[] = {".rn.ftz", ".rz.ftz", ".rm.ftz", ".rp.ftz"};
  static const char *const saturated[] = {".rn.sat", ".rz.sat", ".rm.sat", ".rp.sat"};
  static const char *const both[] = {".rn.ftz.sat", ".rz.ftz.sat", ".rm.ftz.sat", ".rp.ftz.sat"};
  for (unsigned i = 0; i < sizeof operations / sizeof operations[0]; i++)
    for (enum oracle_rounding r = RN; r <= RP; r++) {
      const struct form f = {.operation = operations[i].operation, .format = format, .rounding = r};
      struct form g = f;
      run(operations[i].opcode, names[r], operations[i].arity, f);
      if (format == F64)
        continue;
      g.ftz = true;
      run(operations[i].opcode, flushed[r], operations[i].arity, g);
      if (!operations[i].saturates)
        continue;
      g.sat = true;
      run(operations[i].opcode, both[r], operations[i].arity, g);
      g.ftz = false;
      run(operations[i].opcode, saturated[r], operations[i].arity, g);
    }
}

static void plain_operations(enum oracle_format format) {
  run("add", "", 2, (struct form){.operation = ADD, .format = format});
  run("sub", "", 2, (struct form){.operation = SUB, .format = format});
  run("mul", "", 2, (struct form){.operation = MUL, .format = format});
  run("neg", "", 1, (struct form){.operation = NEG, .format = format});
  run("abs", "", 1, (struct form){.operation = ABS, .format = format});
  run("min", "", 2, (struct form){.operation = MIN, .format = format});
  run("max", "", 2, (struct form){.operation = MAX, .format = format});
  run("copysign", "", 2, (struct form){.operation = COPYSIGN, .format = format});
  if (format == F64)
    return;
  run("add", ".ftz.sat", 2, (struct form){.operation = ADD, .format = F32, .ftz = true, .sat = true});
  run("neg", ".ftz", 1, (struct form){.operation = NEG, .format = F32, .ftz = true});
  run("abs", ".ftz", 1, (struct form){.operation = ABS, .format = F32, .ftz = true});
  for (int i = 0; i < 2; i++) {
    const enum operation operation = i ? MAX : MIN;
    const char *opcode = i ? "max" : "min";
    run(opcode, ".ftz", 2, (struct form){.operation = operation, .format = F32, .ftz = true});
    run(opcode, ".NaN", 2, (struct form){.operation = operation, .format = F32, .nan = true});
    run(opcode, ".ftz.NaN", 2,
        (struct form){.operation = operation, .format = F32, .ftz = true, .nan = true});
    run(opcode, ".xorsign.abs", 2, (struct form){.operation = operation, .format = F32, .xorsign = true});
    run(opcode, ".NaN.xorsign.abs", 2,
        (struct form){.operation = operation, .format = F32, .nan = true, .xorsign = true});
  }
}

/* ---- testp ---- */

struct test {
  const char *what;
  enum oracle_format format;
};

static uint64_t expected_test(const uint64_t x[3], const void *detail) {
  const struct test *t = detail;
  const uint64_t bits = t->format == F64 ? x[0] : x[0] & 0xffffffff;
  const wide value = oracle_value(t->format, bits);
  const bool nan = oracle_is_nan(t->format, bits), finite = !nan && value - value == 0;
  const bool subnormal = oracle_is_subnormal(t->format, bits);
  if (!strcmp(t->what, "finite"))
    return finite;
  if (!strcmp(t->what, "infinite"))
    return !nan && !finite;
  if (!strcmp(t->what, "number"))
    return !nan;
  if (!strcmp(t->what, "notanumber"))
    return nan;
  if (!strcmp(t->what, "normal"))
    return finite && !subnormal && value != 0;
  return subnormal;
}

static void tests(void) {
  static const char *const kinds[] = {"finite", "infinite", "number", "notanumber", "normal", "subnormal"};
  for (unsigned i = 0; i < 6; i++)
    for (unsigned wide_one = 0; wide_one < 2; wide_one++) {
      const struct test t = {kinds[i], wide_one ? F64 : F32};
      const struct probe p = {
          .operands = {wide_one ? PROBE_F64 : PROBE_F32}, .expected = expected_test, .detail = &t};
      probe_format(p, "testp.%s.%s %%pd, %%%ca;", kinds[i], wide_one ? "f64" : "f32", wide_one ? 'q' : 'r');
    }
}

void test_float(void) {
  plain_operations(F32);
  rounded_operations(F32);
  tests();
}

void test_double(void) {
  plain_operations(F64);
  rounded_operations(F64);
}
