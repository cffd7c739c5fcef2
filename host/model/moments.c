#include "model/moments.h"

#include "model/activation.h"

#include <math.h>

struct moments moments_settled(struct moments x) {
  x.error = fmin(x.error, 2.0 * 0x1p48 * x.size);
  return x;
}

struct moments moments_rounded(struct moments x) {
  x.error += MOMENTS_ROUNDING * x.size;
  return moments_settled(x);
}

struct moments moments_sum(struct moments a, struct moments b) {
  return moments_rounded((struct moments){a.size + b.size, a.error + b.error});
}

struct moments moments_product(struct moments a, struct moments b) {
  return moments_rounded((struct moments){a.size * b.size, a.size * b.error + b.size * a.error});
}

struct moments moments_times(struct moments x, double factor) {
  return (struct moments){x.size * factor * factor, x.error * factor * factor};
}

struct moments moments_beside(struct moments x, double a, struct moments y, double b) {
  const double n = a + b > 0.0 ? a + b : 1.0;
  return (struct moments){(a * x.size + b * y.size) / n, (a * x.error + b * y.error) / n};
}

/* The mean square of biases of trained models. */
static const double BIAS = 0.16;

/* Weights of narrow layers are few: what they usually multiply by is less than the mean square says. What
 * rounding them makes does not average out either. */
static const double NARROW = 2.0;

/* A partial sum of k products has k/n of the sum's mean square when it is rounded, so that n of them make n/2
 * roundings of the sum; the products' own make one, and the bias's one. */
struct moments moments_sums(struct moments x, double n, double gain, double factors) {
  const double share = n / (n + NARROW), square = gain * gain * share, size = square * x.size + BIAS;
  return moments_settled((struct moments){size, square * x.error + gain * gain * factors * x.size +
                                                    MOMENTS_ROUNDING * size * (n / 2.0 + 2.0)});
}

/* Tolerances were fitted to errors with these two in this form. */
static double activated(cuseq_activation activation, double x) {
  switch (activation) {
  case CUSEQ_ACTIVATION_SELU:
    return 1.05 * (x > 0.0 ? x : 1.67 * expm1(x));
  case CUSEQ_ACTIVATION_GELU_TANH:
    return activation_value(CUSEQ_ACTIVATION_GELU, x);
  default:
    return activation_value(activation, x);
  }
}

/* Sums over a bell from -3 to 3 root mean squares in steps of 3/8. */
enum { POINTS = 8 };

static struct moments spread(cuseq_activation activation, struct moments x, double counted_from) {
  const double root = sqrt(x.size), step = 1e-4;
  double weights = 0.0, size = 0.0, slope = 0.0, rounding = 0.0;
  for (int i = -POINTS; i <= POINTS; i++) {
    const double at = 3.0 * i / POINTS, z = at * root, weight = exp(-0.5 * at * at),
                 value = activated(activation, z),
                 steep = (activated(activation, z + step) - activated(activation, z - step)) / (2.0 * step),
                 unit = fmax(counted_from, fabs(value)) / counted_from;
    weights += weight;
    size += weight * value * value;
    slope += weight * steep * steep / (unit * unit);
    rounding += weight * value * value / (unit * unit);
  }
  return (struct moments){size / weights, (slope * x.error + MOMENTS_ROUNDING * rounding) / weights};
}

struct moments moments_activated(cuseq_activation activation, struct moments x) {
  return activation == CUSEQ_ACTIVATION_LINEAR ? x : moments_settled(spread(activation, x, 1e300));
}

/* The variance of n numbers that are spread like a bell lies about that of all; of few, it is now and then
 * much less, and what they err is then divided by little: the mean of its inverse is n / (n - 3) times the
 * inverse of theirs, and of three or fewer numbers unbounded but for epsilon. Of n errors the mean and the
 * variance take two out. The difference, the factor and the product are rounded. */
struct moments moments_normed(struct moments x, double normed, double units, double epsilon) {
  const double n = fmax(normed, 1.0), some = fmax(n - 3.0, 0.3) / n, left = fmax(n - 2.0, 0.5) / n,
               size = x.size / (x.size + epsilon);
  const struct moments made = {size,
                               left * x.error / (x.size * some + epsilon) + 3.0 * MOMENTS_ROUNDING * size};
  return normed > 0.0 ? moments_beside(made, normed, x, units - normed) : x;
}

double moments_activated_counted(cuseq_activation activation, struct moments x) {
  return sqrt(spread(activation, x, 1.0).error);
}

double moments_counted(struct moments x) {
  return sqrt(x.error / (1.0 + x.size * 0.5));
}
