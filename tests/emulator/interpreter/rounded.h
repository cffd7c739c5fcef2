/* Single-precision arithmetic in every rounding: the exact result rounded to odd in double, then once to
 * f32. */
#ifndef EMU_ROUNDED_H
#define EMU_ROUNDED_H

#include "small_float.h"

enum emu_rounded_operation {
  EMU_ROUNDED_ADD,
  EMU_ROUNDED_SUB,
  EMU_ROUNDED_MUL,
  EMU_ROUNDED_FMA,
  EMU_ROUNDED_DIV,
  EMU_ROUNDED_RCP,
  EMU_ROUNDED_SQRT,
};

/* `near` moved to its odd neighbour where it is even and the exact value lies on the side of error's sign. */
static inline double emu_rounded_to_odd(double near, double error) {
  const uint64_t bits = emu_float_bits_of(near);
  if (error == 0 || error != error || bits & 1)
    return near;
  return emu_float_double_of((error > 0) == (near > 0) ? bits + 1 : bits - 1);
}

/* A sum whose exact zero from opposite numbers has the sign that the rounding wants. */
static inline double emu_rounded_sum(double a, double b, enum emu_rounding rounding) {
  const double sum = emu_float_add_odd(a, b);
  if (sum == 0 && signbit(a) != signbit(b))
    return rounding == EMU_ROUND_DOWN ? -0.0 : 0.0;
  return sum;
}

static inline double emu_rounded_quotient(double a, double b) {
  const double quotient = a / b;
  if (quotient == 0 || !isfinite(quotient) || !isfinite(b))
    return quotient;
  const double rest = fma(-quotient, b, a);
  return emu_rounded_to_odd(quotient, b < 0 ? -rest : rest);
}

static inline double emu_rounded_root(double a) {
  const double root = sqrt(a);
  return root > 0 && isfinite(root) ? emu_rounded_to_odd(root, fma(-root, root, a)) : root;
}

/* Bits of the result; flags are EMU_FLOAT_*, of which EMU_FLOAT_FTZ also flushes the operands. */
static inline uint32_t emu_rounded(enum emu_rounded_operation operation, uint32_t a_bits, uint32_t b_bits,
                                   uint32_t c_bits, enum emu_rounding rounding, unsigned flags) {
  if (flags & EMU_FLOAT_FTZ) {
    a_bits = emu_float_flush(EMU_FORMAT_F32, a_bits);
    b_bits = emu_float_flush(EMU_FORMAT_F32, b_bits);
    c_bits = emu_float_flush(EMU_FORMAT_F32, c_bits);
  }
  const double a = emu_float_float_of(a_bits), b = emu_float_float_of(b_bits), c = emu_float_float_of(c_bits);
  double value = 0;
  switch (operation) {
  case EMU_ROUNDED_ADD:
    value = emu_rounded_sum(a, b, rounding);
    break;
  case EMU_ROUNDED_SUB:
    value = emu_rounded_sum(a, -b, rounding);
    break;
  case EMU_ROUNDED_MUL:
    value = a * b;
    break;
  case EMU_ROUNDED_FMA:
    value = emu_rounded_sum(a * b, c, rounding);
    break;
  case EMU_ROUNDED_DIV:
    value = emu_rounded_quotient(a, b);
    break;
  case EMU_ROUNDED_RCP:
    value = emu_rounded_quotient(1, a);
    break;
  case EMU_ROUNDED_SQRT:
    value = emu_rounded_root(a);
    break;
  }
  return emu_float_encode(EMU_FORMAT_F32, value, rounding, flags);
}

#endif
