/* add, sub, mul, fma, neg, abs, min, max of f16, f16x2, bf16 and bf16x2, and approximate ex2 and tanh. */
#include "families.h"
#include "probe.h"

#include <math.h>

enum operation { ADD, SUB, MUL, FMA, NEG, ABS, MIN, MAX };

struct form {
  const char *modifiers;
  enum operation operation;
  bool brain, pair, ftz, sat, relu, nan, xorsign;
};

static uint64_t extreme(const struct form *f, enum oracle_format format, uint64_t a, uint64_t b) {
  const uint64_t sign = oracle_sign(format, a ^ b);
  if (f->xorsign) {
    a &= 0x7fff;
    b &= 0x7fff;
  }
  const bool a_nan = oracle_is_nan(format, a), b_nan = oracle_is_nan(format, b);
  if ((a_nan && b_nan) || (f->nan && (a_nan || b_nan)))
    return oracle_nan(format);
  uint64_t result;
  if (a_nan || b_nan)
    result = a_nan ? b : a;
  else {
    const wide x = oracle_value(format, a), y = oracle_value(format, b);
    const bool less = x < y || (x == y && oracle_sign(format, a));
    result = less == (f->operation == MIN) ? a : b;
  }
  return f->xorsign ? (result & 0x7fff) | sign : result;
}

static uint64_t scalar(const struct form *f, uint64_t a, uint64_t b, uint64_t c) {
  const enum oracle_format format = f->brain ? BF16 : F16;
  const uint64_t unit = f->brain ? 0x3f80 : 0x3c00;
  if (f->ftz) {
    a = oracle_flush(format, a);
    b = oracle_flush(format, b);
    c = oracle_flush(format, c);
  }
  const wide x = oracle_value(format, a), y = oracle_value(format, b), z = oracle_value(format, c);
  uint64_t result;
  switch (f->operation) {
  case ADD:
    result = oracle_round(format, oracle_sum(x, y), RN);
    break;
  case SUB:
    result = oracle_round(format, oracle_sum(x, -y), RN);
    break;
  case MUL:
    result = oracle_round(format, oracle_product(x, y), RN);
    break;
  case FMA:
    result = oracle_round(format, oracle_fma(x, y, z), RN);
    break;
  case NEG:
    return a ^ 0x8000;
  case ABS:
    return a & 0x7fff;
  default:
    return extreme(f, format, a, b);
  }
  if (f->ftz)
    result = oracle_flush(format, result);
  if (f->sat && oracle_is_nan(format, result))
    return 0;
  if ((f->sat || f->relu) && !oracle_is_nan(format, result) && oracle_sign(format, result))
    return 0;
  return f->sat && result > unit ? unit : result;
}

static uint64_t expected(const uint64_t x[3], const void *detail) {
  const struct form *f = detail;
  const uint64_t low = scalar(f, x[0] & 0xffff, x[1] & 0xffff, x[2] & 0xffff);
  if (!f->pair)
    return low;
  return low | scalar(f, x[0] >> 16 & 0xffff, x[1] >> 16 & 0xffff, x[2] >> 16 & 0xffff) << 16;
}

static void run(const char *opcode, struct form f) {
  static const char *const types[] = {"f16", "f16x2", "bf16", "bf16x2"};
  const unsigned arity = f.operation == FMA ? 3 : f.operation == NEG || f.operation == ABS ? 1 : 2;
  for (unsigned type = 0; type < 4; type++) {
    f.brain = type >= 2;
    f.pair = type % 2;
    if (f.brain && (f.ftz || f.sat))
      continue;
    static const enum probe_operand operands[] = {PROBE_F16, PROBE_F16X2, PROBE_BF16, PROBE_BF16X2};
    static const enum probe_result results[] = {PROBE_RESULT_F16, PROBE_RESULT_F16X2, PROBE_RESULT_BF16,
                                                PROBE_RESULT_BF16X2};
    struct probe p = {.result = results[type], .expected = expected, .detail = &f};
    for (unsigned i = 0; i < arity; i++)
      p.operands[i] = operands[type];
    const char width = f.pair ? 'r' : 'h';
    if (arity == 1)
      probe_format(p, "%s%s.%s %%%cd, %%%ca;", opcode, f.modifiers, types[type], width, width);
    else if (arity == 2)
      probe_format(p, "%s%s.%s %%%cd, %%%ca, %%%cb;", opcode, f.modifiers, types[type], width, width, width);
    else
      probe_format(p, "%s%s.%s %%%cd, %%%ca, %%%cb, %%%cc;", opcode, f.modifiers, types[type], width, width,
                   width, width);
  }
}

/* ---- Approximate: judged by the manual's bound on the value before rounding to the format ---- */

struct approximate {
  bool tangent, brain, pair, ftz;
};

static bool near_enough(const struct approximate *f, uint64_t a, uint64_t got) {
  const enum oracle_format format = f->brain ? BF16 : F16;
  if (f->ftz)
    a = oracle_flush(format, a);
  if (oracle_is_nan(format, a))
    return oracle_is_nan(format, got);
  const double x = (double)oracle_value(format, a), y = (double)oracle_value(format, got);
  if (f->tangent)
    return fabs(y - tanh(x)) <= (f->brain ? 0x1p-8 : pow(2, -10.987)) && (x != 0 || got == a);
  const double exact = exp2(x), least = f->brain ? 0x1p-126 : 0x1p-24;
  if (exact >= (f->brain ? 0x1.ffp127 : 65520))
    return isinf(y) && y > 0;
  if (f->ftz && exact < 0x1p-126)
    return y == 0 || y == 0x1p-126;
  return fabs(y - exact) <= exact * (f->brain ? 0x1p-7 : pow(2, -9.9)) + (f->ftz ? 0 : least / 2);
}

static bool accepts(const uint64_t x[3], uint64_t got, const void *detail) {
  const struct approximate *f = detail;
  if (!near_enough(f, x[0] & 0xffff, got & 0xffff))
    return false;
  return !f->pair || near_enough(f, x[0] >> 16 & 0xffff, got >> 16);
}

static void run_approximate(const char *opcode, struct approximate f) {
  struct probe p = {.accepts = accepts, .detail = &f};
  p.operands[0] = f.brain ? (f.pair ? PROBE_BF16X2 : PROBE_BF16) : (f.pair ? PROBE_F16X2 : PROBE_F16);
  const char width = f.pair ? 'r' : 'h';
  probe_format(p, "%s.%s%s %%%cd, %%%ca;", opcode, f.brain ? "bf16" : "f16", f.pair ? "x2" : "", width,
               width);
}

void test_half(void) {
  run("add", (struct form){.modifiers = "", .operation = ADD});
  run("add", (struct form){.modifiers = ".rn", .operation = ADD});
  run("add", (struct form){.modifiers = ".ftz", .operation = ADD, .ftz = true});
  run("add", (struct form){.modifiers = ".sat", .operation = ADD, .sat = true});
  run("add", (struct form){.modifiers = ".rn.ftz.sat", .operation = ADD, .ftz = true, .sat = true});
  run("sub", (struct form){.modifiers = "", .operation = SUB});
  run("sub", (struct form){.modifiers = ".rn", .operation = SUB});
  run("sub", (struct form){.modifiers = ".ftz.sat", .operation = SUB, .ftz = true, .sat = true});
  run("mul", (struct form){.modifiers = "", .operation = MUL});
  run("mul", (struct form){.modifiers = ".rn", .operation = MUL});
  run("mul", (struct form){.modifiers = ".rn.ftz", .operation = MUL, .ftz = true});
  run("mul", (struct form){.modifiers = ".sat", .operation = MUL, .sat = true});
  run("fma", (struct form){.modifiers = ".rn", .operation = FMA});
  run("fma", (struct form){.modifiers = ".rn.ftz", .operation = FMA, .ftz = true});
  run("fma", (struct form){.modifiers = ".rn.sat", .operation = FMA, .sat = true});
  run("fma", (struct form){.modifiers = ".rn.ftz.sat", .operation = FMA, .ftz = true, .sat = true});
  run("fma", (struct form){.modifiers = ".rn.relu", .operation = FMA, .relu = true});
  run("fma", (struct form){.modifiers = ".rn.ftz.relu", .operation = FMA, .ftz = true, .relu = true});
  run("neg", (struct form){.modifiers = "", .operation = NEG});
  run("neg", (struct form){.modifiers = ".ftz", .operation = NEG, .ftz = true});
  run("abs", (struct form){.modifiers = "", .operation = ABS});
  run("abs", (struct form){.modifiers = ".ftz", .operation = ABS, .ftz = true});
  for (int i = 0; i < 2; i++) {
    const char *opcode = i ? "max" : "min";
    const enum operation operation = i ? MAX : MIN;
    run(opcode, (struct form){.modifiers = "", .operation = operation});
    run(opcode, (struct form){.modifiers = ".ftz", .operation = operation, .ftz = true});
    run(opcode, (struct form){.modifiers = ".NaN", .operation = operation, .nan = true});
    run(opcode, (struct form){.modifiers = ".ftz.NaN", .operation = operation, .ftz = true, .nan = true});
    run(opcode, (struct form){.modifiers = ".xorsign.abs", .operation = operation, .xorsign = true});
    run(opcode,
        (struct form){.modifiers = ".NaN.xorsign.abs", .operation = operation, .nan = true, .xorsign = true});
  }
  for (int pair = 0; pair < 2; pair++) {
    run_approximate("ex2.approx", (struct approximate){.pair = pair});
    run_approximate("ex2.approx.ftz", (struct approximate){.brain = true, .pair = pair, .ftz = true});
    run_approximate("tanh.approx", (struct approximate){.tangent = true, .pair = pair});
    run_approximate("tanh.approx", (struct approximate){.tangent = true, .brain = true, .pair = pair});
  }
  probe_check(probe_is_refused("add.rz.f16 %hd, %ha, %hb;"),
              "add.rz.f16 does not exist and must stop the launch");
  probe_check(probe_is_refused("fma.rn.sat.bf16 %hd, %ha, %hb, %hc;"), "fma.sat.bf16 does not exist");
}
