/* f64 arithmetic: add, sub, mul, fma, mad, div, rcp, sqrt, neg, abs, min, max, copysign, testp. Roundings
 * other than to nearest are the host's too, set for one operation. */
#include "lanes.h"

#include <fenv.h>

enum operation { ADD, SUB, MUL, FMA, DIV, RCP, SQRT, OPERATIONS };

static inline double canonical(double value) {
  return value == value ? value : emu_float_double_of(UINT64_C(0x7fffffffffffffff));
}

EMU_LANEWISE_SAME(add, double, canonical(a + b))
EMU_LANEWISE_SAME(sub, double, canonical(a - b))
EMU_LANEWISE_SAME(mul, double, canonical(a *b))
EMU_LANEWISE_SAME(fma_f64, double, canonical(fma(a, b, c)))
EMU_LANEWISE_SAME(div_f64, double, canonical(a / b))
EMU_LANEWISE_SAME(rcp, double, canonical(1 / a))
EMU_LANEWISE_SAME(sqrt_f64, double, canonical(__builtin_sqrt(a)))

static emu_handler *const nearest[OPERATIONS] = {add, sub, mul, fma_f64, div_f64, rcp, sqrt_f64};

/* volatile keeps the operation between the two changes of the rounding */
static double with_rounding(enum operation operation, int mode, double x, double y, double z) {
  const volatile double a = x, b = y, c = z;
  volatile double result = 0;
  fesetround(mode);
  switch (operation) {
  case ADD:
    result = a + b;
    break;
  case SUB:
    result = a - b;
    break;
  case MUL:
    result = a * b;
    break;
  case FMA:
    result = fma(a, b, c);
    break;
  case DIV:
    result = a / b;
    break;
  case RCP:
    result = 1 / a;
    break;
  default:
    result = sqrt(a);
  }
  fesetround(FE_TONEAREST);
  return canonical(result);
}

/* option[0]: operation; option[1]: enum emu_rounding */
static void rounded(struct emu_warp *w, const struct emu_instruction *in, uint32_t mask) {
  static const int modes[] = {FE_TONEAREST, FE_TOWARDZERO, FE_DOWNWARD, FE_UPWARD};
  const double *a = emu_f64(w, &in->operand[1]), *b = emu_f64(w, &in->operand[2]),
               *c = emu_f64(w, &in->operand[3]);
  EMU_FOR_LANES (lane, mask)
    emu_f64(w, &in->operand[0])[lane] =
        with_rounding((enum operation)in->option[0], modes[in->option[1]], a[lane], b[lane], c[lane]);
}

/* -0 is below +0; of a number and a NaN the number. */
static inline double smaller(double a, double b) {
  double result = a < b ? a : b;
  result = a == b ? emu_float_double_of(emu_float_bits_of(a) | emu_float_bits_of(b)) : result;
  return b == b ? result : a;
}

static inline double larger(double a, double b) {
  double result = a > b ? a : b;
  result = a == b ? emu_float_double_of(emu_float_bits_of(a) & emu_float_bits_of(b)) : result;
  return b == b ? result : a;
}

EMU_LANEWISE_SAME(min, double, canonical(smaller(a, b)))
EMU_LANEWISE_SAME(max, double, canonical(larger(a, b)))

#define SIGN (UINT64_C(1) << 63)
EMU_LANEWISE_SAME(neg, uint64_t, a ^ SIGN)
EMU_LANEWISE_SAME(abs_f64, uint64_t, a & ~SIGN)
EMU_LANEWISE_SAME(copysign_f64, uint64_t, (a & SIGN) | (b & ~SIGN))

static const char *const test_names[] = {"finite", "infinite",  "number", "notanumber",
                                         "normal", "subnormal", NULL};
static const int test_classes[][3] = {{FP_NORMAL, FP_SUBNORMAL, FP_ZERO},
                                      {FP_INFINITE, FP_INFINITE, FP_INFINITE},
                                      {0, 0, 0},
                                      {FP_NAN, FP_NAN, FP_NAN},
                                      {FP_NORMAL, FP_NORMAL, FP_NORMAL},
                                      {FP_SUBNORMAL, FP_SUBNORMAL, FP_SUBNORMAL}};
enum { NUMBER = 2 };

static void test(struct emu_warp *w, const struct emu_instruction *in, uint32_t mask) {
  const int *classes = test_classes[in->option[0]];
  uint32_t result = 0;
  EMU_FOR_LANES (lane, mask) {
    const int class = fpclassify(emu_f64(w, &in->operand[1])[lane]);
    const bool passes = in->option[0] == NUMBER
                            ? class != FP_NAN
                            : class == classes[0] || class == classes[1] || class == classes[2];
    result |= (uint32_t)passes << lane;
  }
  emu_set_predicate(w, &in->operand[0], result, mask);
}

/* ---- Decoding ---- */

static enum emu_decode_result decode(struct emu_decoder *decoder, struct emu_instruction *out,
                                     enum operation operation, unsigned sources) {
  static const char *const roundings[] = {"rn", "rz", "rm", "rp", NULL};
  if (emu_take_type(decoder) != EMU_F64 || emu_has(decoder, "approx"))
    return EMU_NOT_MINE;
  const int rounding = emu_take_one(decoder, roundings);
  if (rounding < 0 && operation >= FMA)
    return emu_refuse(decoder, "a rounding is needed");
  out->option[0] = operation;
  out->option[1] = rounding < 0 ? EMU_ROUND_NEAREST_EVEN : (uint32_t)rounding;
  out->run = rounding > 0 ? rounded : nearest[operation];
  out->class = EMU_CLASS_DOUBLE;
  if (!emu_bind_values(decoder, out, 1 + sources, 8))
    return EMU_UNSUPPORTED;
  for (unsigned i = 1 + sources; i < 4; i++)
    out->operand[i] = out->operand[1];
  return EMU_DECODED;
}

static enum emu_decode_result decode_plain(struct emu_decoder *decoder, struct emu_instruction *out,
                                           emu_handler *run, unsigned sources) {
  if (emu_take_type(decoder) != EMU_F64)
    return EMU_NOT_MINE;
  out->run = run;
  out->class = EMU_CLASS_DOUBLE;
  return emu_bind_values(decoder, out, 1 + sources, 8) ? EMU_DECODED : EMU_UNSUPPORTED;
}

#define DECODE(name, call)                                                                                   \
  static enum emu_decode_result decode_##name(struct emu_decoder *decoder, struct emu_instruction *out) {    \
    return call;                                                                                             \
  }
DECODE(add, decode(decoder, out, ADD, 2))
DECODE(sub, decode(decoder, out, SUB, 2))
DECODE(mul, decode(decoder, out, MUL, 2))
DECODE(fma, decode(decoder, out, FMA, 3))
DECODE(div, decode(decoder, out, DIV, 2))
DECODE(rcp, decode(decoder, out, RCP, 1))
DECODE(sqrt, decode(decoder, out, SQRT, 1))
DECODE(min, decode_plain(decoder, out, min, 2))
DECODE(max, decode_plain(decoder, out, max, 2))
DECODE(neg, decode_plain(decoder, out, neg, 1))
DECODE(abs, decode_plain(decoder, out, abs_f64, 1))
DECODE(copysign, decode_plain(decoder, out, copysign_f64, 2))

static enum emu_decode_result decode_test(struct emu_decoder *decoder, struct emu_instruction *out) {
  if (emu_take_type(decoder) != EMU_F64)
    return EMU_NOT_MINE;
  const int which = emu_take_one(decoder, test_names);
  out->option[0] = (uint32_t)which;
  out->run = test;
  out->class = EMU_CLASS_DOUBLE;
  return which >= 0 && emu_bind_predicate(decoder, out, 0, 0) && emu_bind_value(decoder, out, 1, 1, 8)
             ? EMU_DECODED
             : EMU_UNSUPPORTED;
}

static const struct emu_opcode_entry opcodes[] = {
    {"add", decode_add},           {"sub", decode_sub},    {"mul", decode_mul}, {"fma", decode_fma},
    {"mad", decode_fma},           {"div", decode_div},    {"rcp", decode_rcp}, {"sqrt", decode_sqrt},
    {"min", decode_min},           {"max", decode_max},    {"neg", decode_neg}, {"abs", decode_abs},
    {"copysign", decode_copysign}, {"testp", decode_test}, {NULL, NULL},
};

const struct emu_family EMU_VARIANT(emu_family_double) = {"double", opcodes};
