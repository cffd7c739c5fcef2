#include "oracle.h"

#include <math.h>
#include <string.h>

typedef unsigned __int128 wide_bits;

struct shape {
  int precision, min_exponent, max_exponent, width, dropped;
};

static const struct shape shapes[ORACLE_FORMATS] = {
    [F16] = {11, -14, 15, 16, 0},   [BF16] = {8, -126, 127, 16, 0},   [TF32] = {11, -126, 127, 32, 13},
    [F32] = {24, -126, 127, 32, 0}, [F64] = {53, -1022, 1023, 64, 0},
};

static wide power_of_two(int exponent) {
  const wide_bits bits = (wide_bits)(exponent + 16383) << 112;
  wide value;
  memcpy(&value, &bits, sizeof value);
  return value;
}

static int stored_bits(const struct shape *s) {
  return s->precision - 1 + s->dropped;
}

static uint64_t infinity_bits(const struct shape *s) {
  return (uint64_t)(s->max_exponent * 2 + 1) << stored_bits(s);
}

uint64_t oracle_sign(enum oracle_format format, uint64_t bits) {
  return bits & 1ull << (shapes[format].width - 1);
}

static uint64_t magnitude_of(enum oracle_format format, uint64_t bits) {
  return bits & ((1ull << (shapes[format].width - 1)) - 1);
}

bool oracle_is_nan(enum oracle_format format, uint64_t bits) {
  return magnitude_of(format, bits) > infinity_bits(&shapes[format]);
}

bool oracle_is_subnormal(enum oracle_format format, uint64_t bits) {
  const uint64_t magnitude = magnitude_of(format, bits);
  return magnitude && magnitude < 1ull << stored_bits(&shapes[format]);
}

uint64_t oracle_flush(enum oracle_format format, uint64_t bits) {
  return oracle_is_subnormal(format, bits) ? oracle_sign(format, bits) : bits;
}

uint64_t oracle_nan(enum oracle_format format) {
  return (1ull << (shapes[format].width - 1)) - 1;
}

wide oracle_value(enum oracle_format format, uint64_t bits) {
  const struct shape *s = &shapes[format];
  const uint64_t magnitude = magnitude_of(format, bits);
  wide value;
  if (magnitude > infinity_bits(s))
    value = (wide)NAN;
  else if (magnitude == infinity_bits(s))
    value = (wide)INFINITY;
  else {
    const int exponent = (int)(magnitude >> stored_bits(s));
    uint64_t fraction = magnitude & ((1ull << stored_bits(s)) - 1);
    if (exponent)
      fraction |= 1ull << stored_bits(s);
    value = (wide)fraction * power_of_two((exponent ? exponent : 1) - s->max_exponent - stored_bits(s));
  }
  return oracle_sign(format, bits) ? -value : value;
}

/* |x| = quotient * 2^quantum plus a rest, which is 0 none, 1 below half, 2 half, 3 above half of 2^quantum.
 */
struct quantised {
  wide_bits quotient;
  int quantum, rest;
};

static int exponent_of(wide magnitude) {
  wide_bits bits;
  memcpy(&bits, &magnitude, sizeof bits);
  return (int)(bits >> 112) - 16383;
}

static struct quantised quantise(wide magnitude, int residual, int quantum) {
  wide_bits bits;
  memcpy(&bits, &magnitude, sizeof bits);
  const wide_bits mantissa = (bits & (((wide_bits)1 << 112) - 1)) | (wide_bits)1 << 112;
  const int shift = quantum - (exponent_of(magnitude) - 112);
  struct quantised q = {0, quantum, 0};
  if (magnitude == 0)
    return q;
  if (shift <= 0)
    q.quotient = mantissa << -shift;
  else if (shift > 114)
    q.rest = 1;
  else {
    const wide_bits half = (wide_bits)1 << (shift - 1), rest = mantissa & (2 * half - 1);
    q.quotient = shift > 113 ? 0 : mantissa >> shift;
    q.rest = rest == 0 ? 0 : rest < half ? 1 : rest == half ? 2 : 3;
  }
  if (residual > 0)
    q.rest += q.rest == 0 || q.rest == 2;
  else if (residual < 0 && q.rest == 2)
    q.rest = 1;
  else if (residual < 0 && q.rest == 0) {
    q.quotient--;
    q.rest = 3;
  }
  return q;
}

static wide_bits settle(struct quantised q, enum oracle_rounding rounding, bool negative) {
  switch (rounding) {
  case RN:
    return q.quotient + (q.rest == 3 || (q.rest == 2 && q.quotient % 2));
  case RNA:
    return q.quotient + (q.rest >= 2);
  case RZ:
    return q.quotient;
  case RM:
    return q.quotient + (negative && q.rest);
  case RP:
    return q.quotient + (!negative && q.rest);
  }
  return 0;
}

uint64_t oracle_round(enum oracle_format format, struct exact x, enum oracle_rounding rounding) {
  const struct shape *s = &shapes[format];
  if (x.value != x.value)
    return oracle_nan(format);
  wide_bits whole;
  memcpy(&whole, &x.value, sizeof whole);
  const bool negative = whole >> 127;
  const uint64_t sign = negative ? 1ull << (s->width - 1) : 0;
  const wide magnitude = negative ? -x.value : x.value;
  const int residual = negative ? -x.residual : x.residual;
  if (magnitude == 0)
    return sign;
  if (magnitude == (wide)INFINITY)
    return sign | infinity_bits(s);
  int exponent = exponent_of(magnitude);
  if (residual < 0 && magnitude == power_of_two(exponent))
    exponent--;
  if (exponent < s->min_exponent)
    exponent = s->min_exponent;
  const struct quantised q = quantise(magnitude, residual, exponent - (s->precision - 1));
  const wide rounded = (wide)settle(q, rounding, negative) * power_of_two(q.quantum);
  if (rounded == 0)
    return sign;
  const int top = exponent_of(rounded);
  if (top > s->max_exponent) {
    const bool stays = rounding == RZ || rounding == (negative ? RP : RM);
    return sign | (stays ? infinity_bits(s) - (1ull << s->dropped) : infinity_bits(s));
  }
  const int low = (top < s->min_exponent ? s->min_exponent : top) - (s->precision - 1);
  const uint64_t units = (uint64_t)(rounded * power_of_two(-low));
  const uint64_t field = top < s->min_exponent ? 0 : (uint64_t)(top + s->max_exponent - 1);
  return sign | ((field << (s->precision - 1)) + units) << s->dropped;
}

uint64_t oracle_to_integer(struct exact x, enum oracle_rounding rounding, unsigned bits, bool is_signed) {
  if (x.value != x.value)
    return 0;
  const uint64_t mask = bits == 64 ? ~0ull : (1ull << bits) - 1;
  const uint64_t top = is_signed ? mask >> 1 : mask;
  const bool negative = x.value < 0;
  const wide magnitude = negative ? -x.value : x.value;
  if (magnitude >= power_of_two(66))
    return negative ? (is_signed ? top + 1 : 0) : top;
  const wide_bits n = settle(quantise(magnitude, negative ? -x.residual : x.residual, 0), rounding, negative);
  if (!negative)
    return n > top ? top : (uint64_t)n;
  if (!is_signed)
    return 0;
  return n > (wide_bits)top + 1 ? top + 1 : (0 - (uint64_t)n) & mask;
}

static int sign_of(wide x) {
  return (x > 0) - (x < 0);
}

struct exact oracle_sum(wide a, wide b) {
  const wide sum = a + b;
  const wide b_part = sum - a, error = (a - (sum - b_part)) + (b - b_part);
  return (struct exact){sum, error == error ? sign_of(error) : 0};
}

struct exact oracle_product(wide a, wide b) {
  return (struct exact){a * b, 0};
}

struct exact oracle_fma(wide a, wide b, wide c) {
  return oracle_sum(a * b, c);
}

struct exact oracle_quotient(wide a, wide b) {
  return (struct exact){a / b, 0}; /* 113 bits tell quotients of 53-bit numbers from every 54-bit number */
}

struct exact oracle_root(wide a) {
  if (!(a > 0) || a == (wide)INFINITY)
    return (struct exact){a == 0 || a > 0 ? a : (wide)NAN, 0};
  const int half = exponent_of(a) / 2;
  const wide scaled = a * power_of_two(-2 * half);
  wide root = (wide)sqrt((double)scaled);
  for (int i = 0; i < 3; i++)
    root = (root + scaled / root) / 2;
  /* an exact root has at most 27 bits more than half of 53: try it */
  const wide near = oracle_value(F64, oracle_round(F64, (struct exact){root, 0}, RN));
  if (near * near == scaled)
    root = near;
  return (struct exact){root * power_of_two(half), 0};
}

uint64_t oracle_noise(uint64_t *state) {
  uint64_t z = *state += 0x9e3779b97f4a7c15ull;
  z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
  z = (z ^ z >> 27) * 0x94d049bb133111ebull;
  return z ^ z >> 31;
}
