/* Floating formats narrower than 32 bits, and TensorFloat-32: bits in, bits out.
 *
 * A value is widened to double without error, arithmetic happens there, and one rounding brings it back.
 *
 * Where a sum does not fit in a double's 53 bits, it is first rounded to odd (emu_float_add_odd): rounding
 * that once more to at most 24 bits gives the correctly rounded result of the exact value. All functions are
 * pure and thread safe. */
#ifndef EMU_SMALL_FLOAT_H
#define EMU_SMALL_FLOAT_H

#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

enum emu_rounding {
  EMU_ROUND_NEAREST_EVEN, /* .rn */
  EMU_ROUND_ZERO,         /* .rz */
  EMU_ROUND_DOWN,         /* .rm */
  EMU_ROUND_UP,           /* .rp */
  EMU_ROUND_NEAREST_AWAY, /* .rna */
};

enum emu_float_format {
  EMU_FORMAT_F16,
  EMU_FORMAT_BF16,
  EMU_FORMAT_TF32, /* kept in 32 bits like an f32 whose low 13 bits are zero */
  EMU_FORMAT_F32,
  EMU_FORMAT_E4M3, /* no infinity; NaN is 0x7f */
  EMU_FORMAT_E5M2,
};

/* What happens to a result besides its rounding. FTZ flushes a subnormal result to a zero of its sign. */
enum {
  EMU_FLOAT_FTZ = 1,
  EMU_FLOAT_SAT = 2,       /* clamp to [0,1], NaN becomes +0 */
  EMU_FLOAT_RELU = 4,      /* negative becomes +0, NaN stays NaN */
  EMU_FLOAT_SATFINITE = 8, /* beyond the largest finite number: that number */
};

struct emu_float_layout {
  int exponent_bits;
  int mantissa_bits;   /* stored ones */
  int dropped_bits;    /* low bits of the container that are always zero (tf32) */
  bool has_infinity;   /* else the all-ones pattern alone is NaN */
  uint32_t nan;        /* canonical NaN */
  uint32_t max_finite; /* magnitude */
};

static const struct emu_float_layout emu_float_layouts[] = {
    [EMU_FORMAT_F16] = {5, 10, 0, true, 0x7fff, 0x7bff},
    [EMU_FORMAT_BF16] = {8, 7, 0, true, 0x7fff, 0x7f7f},
    [EMU_FORMAT_TF32] = {8, 10, 13, true, 0x7fffffff, 0x7f7fe000},
    [EMU_FORMAT_F32] = {8, 23, 0, true, 0x7fffffff, 0x7f7fffff},
    [EMU_FORMAT_E4M3] = {4, 3, 0, false, 0x7f, 0x7e},
    [EMU_FORMAT_E5M2] = {5, 2, 0, true, 0x7f, 0x7b},
};

static inline uint64_t emu_float_bits_of(double value) {
  uint64_t bits;
  memcpy(&bits, &value, sizeof bits);
  return bits;
}

static inline uint32_t emu_float_float_bits(float value) {
  uint32_t bits;
  memcpy(&bits, &value, sizeof bits);
  return bits;
}

static inline double emu_float_double_of(uint64_t bits) {
  double value;
  memcpy(&value, &bits, sizeof value);
  return value;
}

static inline float emu_float_float_of(uint32_t bits) {
  float value;
  memcpy(&value, &bits, sizeof value);
  return value;
}

/* Exact widening of the 16-bit formats. */
static inline float emu_half_to_float(uint16_t bits) {
  const uint32_t magnitude = bits & 0x7fffu, sign = (uint32_t)(bits & 0x8000u) << 16;
  if (magnitude >= 0x7c00u)
    return emu_float_float_of(sign | 0x7f800000u | (magnitude & 0x3ffu) << 13 |
                              (magnitude > 0x7c00u ? 0x400000u : 0));
  const float scaled = emu_float_float_of(magnitude << 13) * 0x1p112f; /* exact for subnormals too */
  return sign ? -scaled : scaled;
}

static inline float emu_bfloat_to_float(uint16_t bits) {
  return emu_float_float_of((uint32_t)bits << 16);
}

static inline uint32_t emu_float_magnitude_mask(const struct emu_float_layout *l) {
  return (1u << (l->exponent_bits + l->mantissa_bits + l->dropped_bits)) - 1;
}

static inline uint32_t emu_float_infinity_of(const struct emu_float_layout *l) {
  return ((1u << l->exponent_bits) - 1) << (l->mantissa_bits + l->dropped_bits);
}

static inline bool emu_float_is_nan(enum emu_float_format format, uint32_t bits) {
  const struct emu_float_layout *l = &emu_float_layouts[format];
  const uint32_t magnitude = bits & emu_float_magnitude_mask(l);
  return l->has_infinity ? magnitude > emu_float_infinity_of(l) : magnitude == l->nan;
}

/* bits of `format` as a double, exactly. NaNs become a quiet NaN of the same sign. */
static inline double emu_float_decode(enum emu_float_format format, uint32_t bits) {
  const struct emu_float_layout *l = &emu_float_layouts[format];
  if (format == EMU_FORMAT_TF32) /* hardware reads the upper 19 bits alone */
    bits &= 0xffffe000u;
  const uint32_t mask = emu_float_magnitude_mask(l), magnitude = bits & mask;
  const bool negative = bits & (mask + 1);
  double value;
  if (emu_float_is_nan(format, bits))
    value = NAN;
  else if (l->has_infinity && magnitude == emu_float_infinity_of(l))
    value = INFINITY;
  else {
    const int mantissa_bits = l->mantissa_bits + l->dropped_bits;
    const int bias = (1 << (l->exponent_bits - 1)) - 1;
    const uint32_t fraction = magnitude & ((1u << mantissa_bits) - 1);
    const int exponent = (int)(magnitude >> mantissa_bits);
    if (exponent)
      value = emu_float_double_of((uint64_t)(exponent - bias + 1023) << 52 | (uint64_t)fraction
                                                                                 << (52 - mantissa_bits));
    else
      value = (double)fraction * emu_float_double_of((uint64_t)(1 - bias - mantissa_bits + 1023) << 52);
  }
  return negative ? -value : value;
}

/* bits of `format` with a subnormal replaced by a zero of its sign (.ftz on an input). */
static inline uint32_t emu_float_flush(enum emu_float_format format, uint32_t bits) {
  const struct emu_float_layout *l = &emu_float_layouts[format];
  const uint32_t mask = emu_float_magnitude_mask(l);
  return (bits & mask) >> (l->mantissa_bits + l->dropped_bits) ? bits : bits & (mask + 1);
}

/* quotient + 1 where the rounding asks for it, given what was cut off compared with half a unit. */
static inline uint64_t emu_float_round_up_or_not(uint64_t kept, uint64_t rest, uint64_t half,
                                                 enum emu_rounding rounding, bool negative) {
  bool up = false;
  switch (rounding) {
  case EMU_ROUND_NEAREST_EVEN:
    up = rest > half || (rest == half && (kept & 1));
    break;
  case EMU_ROUND_NEAREST_AWAY:
    up = rest >= half;
    break;
  case EMU_ROUND_DOWN:
    up = negative && rest;
    break;
  case EMU_ROUND_UP:
    up = !negative && rest;
    break;
  case EMU_ROUND_ZERO:
    break;
  }
  return kept + up;
}

static inline uint32_t emu_float_overflowed(const struct emu_float_layout *l, enum emu_rounding rounding,
                                            bool negative, unsigned flags) {
  const bool to_finite = (flags & EMU_FLOAT_SATFINITE) || rounding == EMU_ROUND_ZERO ||
                         rounding == (negative ? EMU_ROUND_UP : EMU_ROUND_DOWN);
  if (to_finite)
    return l->max_finite;
  return l->has_infinity ? emu_float_infinity_of(l) : l->nan;
}

/* value rounded to `format`; every NaN becomes the format's canonical NaN. */
static inline uint32_t emu_float_encode(enum emu_float_format format, double value,
                                        enum emu_rounding rounding, unsigned flags) {
  const struct emu_float_layout *l = &emu_float_layouts[format];
  if (value != value)
    return flags & EMU_FLOAT_SAT ? 0 : l->nan;
  const uint64_t bits = emu_float_bits_of(value);
  const bool negative = bits >> 63;
  if (negative && flags & (EMU_FLOAT_SAT | EMU_FLOAT_RELU))
    return 0;
  if (flags & EMU_FLOAT_SAT && value > 1)
    return emu_float_encode(format, 1, rounding, 0);
  const uint32_t sign = negative ? emu_float_magnitude_mask(l) + 1 : 0;
  if (isinf(value)) {
    if (flags & EMU_FLOAT_SATFINITE)
      return sign | l->max_finite;
    return sign | (l->has_infinity ? emu_float_infinity_of(l) : l->nan);
  }
  const int field = (int)(bits >> 52 & 0x7ff), bias = (1 << (l->exponent_bits - 1)) - 1;
  uint64_t mantissa = bits & 0xfffffffffffffull;
  if (field)
    mantissa |= 1ull << 52;
  int exponent = (field ? field : 1) - 1023 + bias; /* biased in the target; below 1 is subnormal there */
  int shift = 52 - l->mantissa_bits;
  if (exponent < 1) {
    shift += 1 - exponent;
    exponent = 1;
  }
  if (shift > 62)
    shift = 62; /* nothing but a sticky rest is left */
  const uint64_t rest = mantissa & ((1ull << shift) - 1), half = 1ull << (shift - 1);
  uint64_t kept = emu_float_round_up_or_not(mantissa >> shift, rest, half, rounding, negative);
  /* kept carries its hidden bit, so that adding it to exponent - 1 also carries into the exponent */
  const uint64_t magnitude = ((uint64_t)(exponent - 1) << l->mantissa_bits) + kept;
  const uint64_t largest = l->max_finite >> l->dropped_bits;
  if (magnitude > largest)
    return sign | emu_float_overflowed(l, rounding, negative, flags);
  const uint32_t result = sign | (uint32_t)magnitude << l->dropped_bits;
  return flags & EMU_FLOAT_FTZ ? emu_float_flush(format, result) : result;
}

/* a + b rounded to odd in double precision. */
static inline double emu_float_add_odd(double a, double b) {
  const double sum = a + b;
  if (!isfinite(sum))
    return sum;
  const double b_part = sum - a, a_part = sum - b_part;
  const double error = (a - a_part) + (b - b_part);
  const uint64_t bits = emu_float_bits_of(sum);
  if (error == 0 || bits & 1)
    return sum;
  /* inexact and even: step to the odd neighbour on the error's side */
  return emu_float_double_of((error > 0) == (sum > 0) ? bits + 1 : bits - 1);
}

/* An integer of 64 bits rounded to odd in double precision. */
static inline double emu_float_from_integer_odd(uint64_t bits, bool is_signed) {
  const bool negative = is_signed && bits >> 63;
  uint64_t magnitude = negative ? 0 - bits : bits;
  if (magnitude >> 53) {
    const uint64_t sticky = (magnitude & 0x7ff) != 0;
    magnitude = ((magnitude >> 11) | sticky) << 11;
  }
  const double value = (double)magnitude;
  return negative ? -value : value;
}

/* float rounded to nearest even in 16 bits. */
static inline uint16_t emu_half_from_float(float value) {
  const uint32_t bits = emu_float_float_bits(value), sign = bits >> 16 & 0x8000u,
                 magnitude = bits & 0x7fffffffu;
  /* below 2^-14 the addition of 0.5 rounds at bit 2^-24; NaN and overflow are overwritten below */
  const uint32_t tiny = emu_float_float_bits(emu_float_float_of(magnitude) + 0.5f) - 0x3f000000u;
  const uint32_t normal = (magnitude + 0xfffu + (magnitude >> 13 & 1) - 0x38000000u) >> 13;
  uint32_t result = magnitude < 0x38800000u ? tiny : normal;
  result = magnitude >= 0x47800000u ? 0x7c00u : result;
  return (uint16_t)(magnitude > 0x7f800000u ? 0x7fffu : (sign | result));
}

static inline uint16_t emu_bfloat_from_float(float value) {
  const uint32_t bits = emu_float_float_bits(value);
  const uint32_t rounded = (bits + 0x7fffu + (bits >> 16 & 1)) >> 16;
  return (uint16_t)((bits & 0x7fffffffu) > 0x7f800000u ? 0x7fffu : rounded);
}

/* A double rounded to odd in single precision: rounding that to 16 bits is as good as rounding the double. */
static inline float emu_float_narrow_odd(double value) {
  const float nearest = (float)value;
  uint32_t bits = emu_float_float_bits(nearest);
  bits -= fabs((double)nearest) > fabs(value);
  return (double)nearest == value || value != value ? nearest : emu_float_float_of(bits | 1);
}

/* a * b + c of 16-bit floats, ready to be rounded to 16 bits. */
static inline float emu_float_fma_16(float a, float b, float c) {
  return emu_float_narrow_odd(emu_float_add_odd((double)a * b, c));
}

/* atom.add.noftz and red.add.noftz: the sum, rounded to nearest even. Single precision is wide enough for the
 * second rounding to be harmless (24 bits against twice 11, plus 2). */
static inline uint16_t emu_half_add(uint16_t a, uint16_t b) {
  return emu_half_from_float(emu_half_to_float(a) + emu_half_to_float(b));
}

static inline uint16_t emu_bfloat_add(uint16_t a, uint16_t b) {
  return emu_bfloat_from_float(emu_bfloat_to_float(a) + emu_bfloat_to_float(b));
}

#endif
