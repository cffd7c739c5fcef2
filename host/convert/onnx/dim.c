#include "convert/onnx/dim.h"

bool dim_constant(const struct dim *dim, int64_t *value) {
  *value = dim->factor;
  return dim->known && dim->batch == 0 && dim->time == 0;
}

bool dim_is(const struct dim *dim, int64_t value) {
  int64_t found;
  return dim_constant(dim, &found) && found == value;
}

bool dim_equal(const struct dim *a, const struct dim *b) {
  return a->known && b->known && a->factor == b->factor && a->batch == b->batch && a->time == b->time;
}

static const struct dim unknown = {false, 0, 0, 0};

struct dim dim_multiply(struct dim a, struct dim b) {
  struct dim result = {a.known && b.known, 0, a.batch + b.batch, a.time + b.time};
  if (!result.known || __builtin_mul_overflow(a.factor, b.factor, &result.factor))
    return unknown;
  return result.factor == 0 ? dim_of(0) : result;
}

struct dim dim_add(struct dim a, struct dim b, int sign) {
  struct dim result = a;
  if (!a.known || !b.known)
    return unknown;
  if (b.factor == 0)
    return a;
  if (a.factor == 0)
    return dim_multiply(b, dim_of(sign));
  if (a.batch != b.batch || a.time != b.time || __builtin_mul_overflow(b.factor, sign, &b.factor) ||
      __builtin_add_overflow(a.factor, b.factor, &result.factor))
    return unknown;
  return result.factor == 0 ? dim_of(0) : result;
}

struct dim dim_divide(struct dim a, struct dim b) {
  bool constant = a.batch == 0 && a.time == 0 && b.batch == 0 && b.time == 0;
  if (!a.known || !b.known || b.factor == 0 || (a.factor == INT64_MIN && b.factor == -1))
    return unknown;
  if (!constant && (a.factor % b.factor != 0 || a.batch < b.batch || a.time < b.time))
    return unknown;
  return (struct dim){true, a.factor / b.factor, a.batch - b.batch, a.time - b.time};
}
