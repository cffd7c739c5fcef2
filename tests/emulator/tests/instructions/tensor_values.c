#include "tensor_values.h"

#include <math.h>

const char *element_name(enum element element) {
  static const char *const names[] = {"f16", "bf16", "tf32", "f32", "f64", "s8", "u8", "s32", "e4m3", "e5m2"};
  return names[element];
}

unsigned element_bytes(enum element element) {
  static const unsigned bytes[] = {2, 2, 4, 4, 8, 1, 1, 4, 1, 1};
  return bytes[element];
}

static enum oracle_format format_of(enum element element) {
  static const enum oracle_format formats[] = {F16, BF16, TF32, F32, F64};
  return formats[element];
}

/* Sign, exponent with its bias, and the bits after the leading one of a small whole number. */
static uint64_t eight_bits(double value, unsigned mantissa_bits, unsigned bias) {
  if (value == 0)
    return 0;
  int exponent;
  const double fraction = frexp(fabs(value), &exponent) * 2 - 1;
  return (value < 0 ? 0x80u : 0) | (uint64_t)(exponent - 1 + (int)bias) << mantissa_bits |
         (uint64_t)(fraction * (1 << mantissa_bits));
}

uint64_t element_bits(enum element element, double value) {
  switch (element) {
  case E_S8:
  case E_U8:
    return (uint64_t)(int64_t)value & 0xff;
  case E_S32:
    return (uint64_t)(int64_t)value & 0xffffffff;
  case E_E4M3:
    return eight_bits(value, 3, 7);
  case E_E5M2:
    return eight_bits(value, 2, 15);
  default:
    return oracle_round(format_of(element), (struct exact){value, 0}, RN);
  }
}

double element_value(enum element element, uint64_t bits) {
  switch (element) {
  case E_S8:
    return (int8_t)bits;
  case E_U8:
    return (uint8_t)bits;
  case E_S32:
    return (int32_t)bits;
  case E_E4M3:
  case E_E5M2:
    return 0; /* never results */
  default:
    return (double)oracle_value(format_of(element), bits);
  }
}
