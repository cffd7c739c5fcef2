/* Approximate instructions of f32 and f64: within the errors that the manual allows, exact where it names the
 * result. Run with CUSEQ_EMULATOR_PERTURB=1 too, they have to stay within them. */
#include "families.h"
#include "probe.h"

#include <math.h>

enum function { RCP, SQRT, RSQRT, SIN, COS, LG2, EX2, TANH, DIV_APPROX, DIV_FULL };

struct form {
  enum function function;
  bool ftz;
};

static double value_of(uint64_t bits) {
  return (double)oracle_value(F32, bits);
}

/* The distance between floats of this size. */
static double unit_of(double value) {
  int exponent;
  if (value == 0 || fabs(value) < 0x1p-126)
    return 0x1p-149;
  frexp(value, &exponent);
  return ldexp(1, exponent - 24);
}

static double exact_value(enum function function, double a, double b) {
  switch (function) {
  case RCP:
    return 1 / a;
  case SQRT:
    return sqrt(a);
  case RSQRT:
    return 1 / sqrt(a);
  case SIN:
    return sin(a);
  case COS:
    return cos(a);
  case LG2:
    return log2(a);
  case EX2:
    return exp2(a);
  case TANH:
    return tanh(a);
  default:
    return a / b;
  }
}

/* The largest error; infinite where the manual promises nothing. Half a unit is what rounding a result costs.
 */
static double allowed(enum function function, double a, double want) {
  const double units = unit_of(want);
  switch (function) {
  case RCP:
    return 1 * units;
  case SQRT:
    return 0x1p-23 * fabs(want) + units / 2;
  case RSQRT:
    return pow(2, -22.9) * fabs(want);
  case SIN:
  case COS:
    return fabs(a) <= 2 * M_PI ? pow(2, -20.5) : fabs(a) <= 100 * M_PI ? pow(2, -14.7) : 2;
  case LG2:
    return a > 0.5 && a < 2 ? 0x1p-22 : 0x1p-22 * fabs(want);
  case TANH:
    return 0x1p-11 * fabs(want) + (fabs(want) < 0x1p-126 ? 0x1p-149 : 0);
  default:
    return 2.5 * units;
  }
}

/* A float result `got` of the exact value `want`, which may pass the largest float or be flushed. */
static bool close_to(double got, double want, double error, bool flushes) {
  if (want != want)
    return got != got;
  if (isinf(want))
    return got == want;
  if (flushes && fabs(want) - error < 0x1p-126 && got == 0)
    return true;
  if (fabs(want) + error >= 0x1.ffffffp127 && isinf(got) && signbit(got) == signbit(want))
    return true;
  if (flushes && got != 0 && fabs(got) < 0x1p-126)
    return false;
  return fabs(got - want) <= error && (want != 0 || signbit(got) == signbit(want));
}

static bool accepts(const uint64_t x[3], uint64_t got_bits, const void *detail) {
  const struct form *f = detail;
  uint64_t a_bits = x[0] & 0xffffffff, b_bits = x[1] & 0xffffffff;
  if (f->ftz) {
    a_bits = oracle_flush(F32, a_bits);
    b_bits = oracle_flush(F32, b_bits);
  }
  const double a = value_of(a_bits), b = value_of(b_bits), got = value_of(got_bits);
  const double want = exact_value(f->function, a, b);
  if (f->function == DIV_APPROX && fabs(b) > 0x1p126 && isfinite(b))
    return a != a || isinf(a) ? got != got : got == 0 || close_to(got, want, 2.5 * unit_of(want), true);
  /* below 2^-126 the reciprocal of the divisor is too large for this division */
  if (f->function == DIV_APPROX && fabs(b) < 0x1p-126 && b != 0 && isfinite(a))
    return got == got;
  return close_to(got, want, allowed(f->function, a, want), f->ftz);
}

/* The operand's low 32 bits do not count, the result's are zero. */
static bool accepts_double(const uint64_t x[3], uint64_t got_bits, const void *detail) {
  const struct form *f = detail;
  const uint64_t a_bits = oracle_flush(F64, x[0] >> 32 << 32);
  const double a = (double)oracle_value(F64, a_bits), got = (double)oracle_value(F64, got_bits);
  const double want = f->function == RCP ? 1 / a : 1 / sqrt(a);
  if (want != want)
    return got != got && (got_bits & 0xffffffff) == 0;
  if (isinf(want) || want == 0)
    return got == want;
  if (fabs(want) < 0x1p-1022)
    return got == 0 || fabs(got) == 0x1p-1022;
  return (got_bits & 0xffffffff) == 0 && fabs(got - want) <= 0x1p-19 * fabs(want);
}

static bool accepts_root(const uint64_t x[3], uint64_t got_bits, const void *detail) {
  (void)detail;
  const double a = (double)oracle_value(F64, x[0]), got = (double)oracle_value(F64, got_bits),
               want = 1 / sqrt(a);
  if (want != want)
    return got != got;
  return isinf(want) || want == 0 ? got == want : fabs(got - want) <= 0x1p-51 * fabs(want);
}

void test_approximate(void) {
  static const struct {
    const char *name;
    enum function function;
    unsigned arity;
    bool flushable;
  } functions[] = {
      {"rcp.approx", RCP, 1, true},    {"sqrt.approx", SQRT, 1, true},  {"rsqrt.approx", RSQRT, 1, true},
      {"sin.approx", SIN, 1, true},    {"cos.approx", COS, 1, true},    {"lg2.approx", LG2, 1, true},
      {"ex2.approx", EX2, 1, true},    {"tanh.approx", TANH, 1, false}, {"div.approx", DIV_APPROX, 2, true},
      {"div.full", DIV_FULL, 2, true},
  };
  for (unsigned i = 0; i < sizeof functions / sizeof functions[0]; i++)
    for (unsigned ftz = 0; ftz <= functions[i].flushable; ftz++) {
      const struct form f = {functions[i].function, ftz};
      const struct probe p = {.operands = {PROBE_F32, functions[i].arity > 1 ? PROBE_F32 : PROBE_NONE},
                              .accepts = accepts,
                              .detail = &f};
      probe_format(p, "%s%s.f32 %%rd, %%ra%s;", functions[i].name, ftz ? ".ftz" : "",
                   functions[i].arity > 1 ? ", %rb" : "");
    }
  const struct form reciprocal = {RCP, true}, root = {RSQRT, true};
  probe_run(&(struct probe){.line = "rcp.approx.ftz.f64 %qd, %qa;",
                            .operands = {PROBE_F64},
                            .accepts = accepts_double,
                            .detail = &reciprocal});
  probe_run(&(struct probe){.line = "rsqrt.approx.ftz.f64 %qd, %qa;",
                            .operands = {PROBE_F64},
                            .accepts = accepts_double,
                            .detail = &root});
  probe_run(&(struct probe){
      .line = "rsqrt.approx.f64 %qd, %qa;", .operands = {PROBE_F64}, .accepts = accepts_root});
}
