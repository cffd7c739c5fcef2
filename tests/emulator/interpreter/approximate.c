/* The approximate instructions of f32 (rcp, sqrt, rsqrt, sin, cos, lg2, ex2, tanh, div.approx, div.full) and
 * of f64 (rcp, rsqrt).
 *
 * They are computed in double by polynomials good to 2^-40, which the compiler turns into vector code, and
 * rounded once. With CUSEQ_EMULATOR_PERTURB results are then off by as much as the PTX manual allows once
 * rounding is paid for. */
#include "lanes.h"

enum function { RCP, SQRT, RSQRT, SIN, COS, LG2, EX2, TANH, DIV_APPROX, DIV_FULL };

/* option[0]: enum function; option[1]: with .ftz */

#define ROUND_MAGIC 0x1.8p52 /* added to a double, it leaves the nearest integer in the low bits */

static inline float flush(float value) {
  const uint32_t bits = emu_float_float_bits(value);
  return emu_float_float_of(bits & 0x7f800000u ? bits : bits & 0x80000000u);
}

/* 2^x; x is cut to where single precision has long reached 0 or infinity */
static inline double power_of_two(double x) {
  const double cut = x < -300 ? -300 : x > 300 ? 300 : x;
  const double shifted = cut + ROUND_MAGIC, f = (cut - (shifted - ROUND_MAGIC)) * 0x1.62e42fefa39efp-1;
  double p = 1.0 / 479001600;
  p = p * f + 1.0 / 39916800;
  p = p * f + 1.0 / 3628800;
  p = p * f + 1.0 / 362880;
  p = p * f + 1.0 / 40320;
  p = p * f + 1.0 / 5040;
  p = p * f + 1.0 / 720;
  p = p * f + 1.0 / 120;
  p = p * f + 1.0 / 24;
  p = p * f + 1.0 / 6;
  p = p * f + 0.5;
  p = p * f + 1;
  p = p * f + 1;
  const double scaled = emu_float_double_of(emu_float_bits_of(p) + (emu_float_bits_of(shifted) << 52));
  return x == x ? scaled : x;
}

/* log2 by log2((1 + s) / (1 - s)) of the mantissa between sqrt(1/2) and sqrt(2) */
static inline double logarithm(double x) {
  const uint64_t bits = emu_float_bits_of(x),
                 low = (bits & UINT64_C(0xfffffffffffff)) | UINT64_C(0x3ff0000000000000);
  const double m = emu_float_double_of(low), high = m > 0x1.6a09e667f3bcdp0 ? 1 : 0;
  const double mantissa = high > 0 ? m * 0.5 : m;
  const double exponent =
      emu_float_double_of((bits >> 52 & 0x7ff) | UINT64_C(0x4330000000000000)) - (0x1p52 + 1023) + high;
  const double s = (mantissa - 1) / (mantissa + 1), q = s * s;
  double p = 1.0 / 19;
  p = p * q + 1.0 / 17;
  p = p * q + 1.0 / 15;
  p = p * q + 1.0 / 13;
  p = p * q + 1.0 / 11;
  p = p * q + 1.0 / 9;
  p = p * q + 1.0 / 7;
  p = p * q + 1.0 / 5;
  p = p * q + 1.0 / 3;
  p = p * q + 1;
  double y = exponent + p * s * 0x1.71547652b82fep1;
  y = x == 0 ? -INFINITY : x < 0 ? NAN : y;
  return x < INFINITY ? y : x;
}

#define LARGEST_REDUCED 1e5 /* beyond it the reduction below loses bits, and the library's is taken */

static inline double sine_or_cosine(double x, uint64_t quarter) {
  const double shifted = x * 0x1.45f306dc9c883p-1 + ROUND_MAGIC, n = shifted - ROUND_MAGIC;
  /* pi/2 in pieces of 33 bits: the products with n, of at most 17, are exact */
  const double r = ((x - n * 0x1.921fb544p+0) - n * 0x1.0b4611a6p-34) - n * 0x1.3198a2e037073p-69, q = r * r;
  double s = 1.0 / 6227020800;
  s = s * q - 1.0 / 39916800;
  s = s * q + 1.0 / 362880;
  s = s * q - 1.0 / 5040;
  s = s * q + 1.0 / 120;
  s = s * q - 1.0 / 6;
  s = s * q * r + r;
  double c = -1.0 / 87178291200;
  c = c * q + 1.0 / 479001600;
  c = c * q - 1.0 / 3628800;
  c = c * q + 1.0 / 40320;
  c = c * q - 1.0 / 720;
  c = c * q + 1.0 / 24;
  c = c * q - 0.5;
  c = c * q + 1;
  const uint64_t turn = emu_float_bits_of(shifted) + quarter;
  const double value = turn & 1 ? c : s;
  return turn & 2 ? -value : value;
}

static inline double tangent(double x) {
  const double size = fabs(x), cut = size < 20 ? size : 20, e = power_of_two(cut * 0x1.71547652b82fep1),
               q = x * x;
  const double small = x * (1 + q * (-1.0 / 3 + q * (2.0 / 15 + q * (-17.0 / 315))));
  const double large = 1 - 2 / (e + 1);
  const double y = size < 0.01 ? small : copysign(large, x);
  return x == x ? y : x;
}

/* ---- One pass over all lanes for each function ---- */

#define PASS(name, value)                                                                                    \
  static void pass_##name(const float *a_, const float *b_, double *restrict y) {                            \
    for (unsigned lane = 0; lane < EMU_LANES; lane++) {                                                      \
      const double a = a_[lane], b = b_[lane];                                                               \
      (void)b;                                                                                               \
      y[lane] = (value);                                                                                     \
    }                                                                                                        \
  }
PASS(rcp, 1 / a)
PASS(sqrt, __builtin_sqrt(a))
PASS(rsqrt, 1 / __builtin_sqrt(a))
PASS(sin, a == 0 ? a : sine_or_cosine(a, 0))
PASS(cos, sine_or_cosine(a, 1))
PASS(lg2, logarithm(a))
PASS(ex2, power_of_two(a))
PASS(tanh, tangent(a))
PASS(div, a / b)

static void (*const passes[])(const float *, const float *, double *restrict) = {
    pass_rcp, pass_sqrt, pass_rsqrt, pass_sin, pass_cos, pass_lg2, pass_ex2, pass_tanh, pass_div, pass_div};

/* What the polynomials and plain division do not give. */
static void mend(enum function function, const float *a, const float *b, double *y) {
  for (unsigned lane = 0; lane < EMU_LANES; lane++) {
    if ((function == SIN || function == COS) && !(fabsf(a[lane]) <= LARGEST_REDUCED))
      y[lane] = function == SIN ? sin(a[lane]) : cos(a[lane]);
    if (function == DIV_APPROX && fabsf(b[lane]) > 0x1p126f && !isinf(b[lane]))
      y[lane] = isinf(a[lane]) ? NAN : y[lane] * 0; /* its reciprocal is flushed */
  }
}

/* Moves a result within the manual's bound. Half a unit in the last place is at most 2^-24 of the value, and
 * what is left over of one unit for the largest mantissas 2^-25. */
static double perturbed(enum function function, double a, double y, uint64_t bits) {
  const double noise = emu_perturbation(bits * 16 + function);
  if (!isfinite(y) || y == 0)
    return y;
  switch (function) {
  case RCP:
    return y * (1 + noise * 0x1p-25);
  case SQRT:
    return y * (1 + noise * 0x1p-24);
  case RSQRT:
    return y * (1 + noise * 0x1p-24);
  case SIN:
  case COS:
    y += noise * (fabs(a) <= 6.28 ? 6e-7 : 3.7e-5);
    return y > 1 ? 1 : y < -1 ? -1 : y;
  case LG2:
    return a > 0.5 && a < 2 ? y + noise * 2e-7 : y * (1 + noise * 1.7e-7);
  case TANH:
    y *= 1 + noise * 4.8e-4;
    return y > 1 ? 1 : y < -1 ? -1 : y;
  default:
    return y * (1 + noise * 8e-8);
  }
}

static void run(struct emu_warp *w, const struct emu_instruction *in, uint32_t mask) {
  const enum function function = (enum function)in->option[0];
  const float *a = emu_f32(w, &in->operand[1]), *b = emu_f32(w, &in->operand[2]);
  const bool flushes = in->option[1];
  float flushed[2][EMU_LANES], result[EMU_LANES];
  double y[EMU_LANES];
  if (flushes) {
    for (unsigned lane = 0; lane < EMU_LANES; lane++) {
      flushed[0][lane] = flush(a[lane]);
      flushed[1][lane] = flush(b[lane]);
    }
    a = flushed[0];
    b = flushed[1];
  }
  passes[function](a, b, y);
  if (function == SIN || function == COS || function == DIV_APPROX)
    mend(function, a, b, y);
  if (emu_perturbs(w))
    EMU_FOR_LANES (lane, mask)
      y[lane] = perturbed(function, a[lane], y[lane],
                          emu_float_float_bits(a[lane]) ^ (uint64_t)emu_float_float_bits(b[lane]) << 32);
  for (unsigned lane = 0; lane < EMU_LANES; lane++)
    result[lane] = y[lane] == y[lane] ? (float)y[lane] : emu_float_float_of(0x7fffffffu);
  if (flushes)
    for (unsigned lane = 0; lane < EMU_LANES; lane++)
      result[lane] = flush(result[lane]);
  float *d = emu_f32(w, &in->operand[0]);
  if (mask == EMU_ALL_LANES)
    memcpy(d, result, sizeof result);
  else
    EMU_FOR_LANES (lane, mask)
      d[lane] = result[lane];
}

/* ---- f64: the upper words alone for the flushing ones ---- */

static uint64_t upper_half(double value) {
  return value == value ? emu_float_bits_of(value) >> 32 << 32 : UINT64_C(0x7fffffff00000000);
}

static double flushed_f64(double value) {
  return fabs(value) < 0x1p-1022 ? copysign(0, value) : value;
}

static double upper_operand(uint64_t bits) {
  return flushed_f64(emu_float_double_of(bits >> 32 << 32));
}

EMU_LANEWISE_SAME(rcp_ftz_f64, uint64_t, upper_half(flushed_f64(1 / upper_operand(a))))
EMU_LANEWISE_SAME(rsqrt_ftz_f64, uint64_t, upper_half(1 / sqrt(upper_operand(a))))
EMU_LANEWISE_SAME(rsqrt_f64, double, 1 / sqrt(a))

/* ---- Decoding ---- */

static enum emu_decode_result decode_double(struct emu_decoder *decoder, struct emu_instruction *out,
                                            enum function function) {
  const bool flushes = emu_take(decoder, "ftz");
  out->run = function == RCP     ? (flushes ? rcp_ftz_f64 : NULL)
             : function == RSQRT ? (flushes ? rsqrt_ftz_f64 : rsqrt_f64)
                                 : NULL;
  out->class = EMU_CLASS_SPECIAL;
  return out->run && emu_bind_values(decoder, out, 2, 8) ? EMU_DECODED : EMU_UNSUPPORTED;
}

static enum emu_decode_result decode(struct emu_decoder *decoder, struct emu_instruction *out,
                                     enum function function, unsigned sources) {
  if (function == DIV_APPROX && emu_take(decoder, "full"))
    function = DIV_FULL;
  else if (!emu_take(decoder, "approx"))
    return EMU_NOT_MINE;
  const enum emu_type type = emu_take_type(decoder);
  if (type == EMU_F64)
    return decode_double(decoder, out, function);
  if (type != EMU_F32)
    return EMU_NOT_MINE;
  out->option[0] = function;
  out->option[1] = function != TANH && emu_take(decoder, "ftz");
  out->run = run;
  out->class = EMU_CLASS_SPECIAL;
  if (!emu_bind_values(decoder, out, 1 + sources, 4))
    return EMU_UNSUPPORTED;
  if (sources == 1)
    out->operand[2] = out->operand[1];
  return EMU_DECODED;
}

#define DECODE(name, FUNCTION, sources)                                                                      \
  static enum emu_decode_result decode_##name(struct emu_decoder *decoder, struct emu_instruction *out) {    \
    return decode(decoder, out, FUNCTION, sources);                                                          \
  }
DECODE(rcp, RCP, 1)
DECODE(sqrt, SQRT, 1)
DECODE(rsqrt, RSQRT, 1)
DECODE(sin, SIN, 1)
DECODE(cos, COS, 1)
DECODE(lg2, LG2, 1)
DECODE(ex2, EX2, 1)
DECODE(tanh, TANH, 1)
DECODE(div, DIV_APPROX, 2)

static const struct emu_opcode_entry opcodes[] = {
    {"rcp", decode_rcp}, {"sqrt", decode_sqrt}, {"rsqrt", decode_rsqrt}, {"sin", decode_sin},
    {"cos", decode_cos}, {"lg2", decode_lg2},   {"ex2", decode_ex2},     {"tanh", decode_tanh},
    {"div", decode_div}, {NULL, NULL},
};

const struct emu_family EMU_VARIANT(emu_family_approximate) = {"approximate", opcodes};
