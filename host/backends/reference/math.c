#include "backends/reference/reference.h"

#include <math.h>

void reference_multiply(const double *x, const float *kernel, int32_t inputs, int32_t units, double *y) {
  for (int32_t k = 0; k < inputs; k++)
    for (int32_t j = 0; j < units; j++)
      y[j] += reference_product(x[k], kernel[(size_t)k * units + j]);
}

/* A number that lies far beyond float32's range is made smaller, beyond it still: several layers of such
 * numbers would leave float64's. */
static double within_float64(double u) {
  const double most = 1e150;
  return isfinite(u) && fabs(u) > most ? copysign(most, u) : u;
}

/* Of a number that float32 cannot hold nothing is known but that it is large: no mean is. */
static void normalise(const struct dense_norm *norm, double *sums) {
  double *z = sums + norm->first;
  const bool known = reference_in_range(z, (size_t)norm->units);
  for (int32_t j = 0; j < norm->units && !known; j++)
    z[j] = NAN;
  activation_normalise(z, norm->units, (double)norm->epsilon, norm->scale, norm->offset);
}

void reference_dense(const struct dense *dense, double *x, double *scratch) {
  if (!dense->kernel)
    return;
  for (int32_t j = 0; j < dense->units; j++) {
    scratch[j] = dense->bias ? (double)dense->bias[j] : 0.0;
    for (int32_t k = 0; dense->transposed && k < dense->inputs; k++)
      scratch[j] += reference_product(x[k], dense_weight(dense, k, j));
  }
  if (!dense->transposed)
    reference_multiply(x, dense->kernel, dense->inputs, dense->units, scratch);
  normalise(&dense->norm, scratch);
  for (int32_t j = 0; j < dense->units; j++)
    x[j] = within_float64(activation_value(dense->activation, scratch[j]));
}

bool reference_in_range(const double *values, size_t count) {
  for (size_t i = 0; i < count; i++)
    if (!(fabs(values[i]) < BEYOND_F32))
      return false;
  return true;
}

bool reference_bounded(const double *values, int32_t count) {
  double most = values[0];
  for (int32_t i = 1; i < count && !isnan(most); i++)
    most = values[i] > most || isnan(values[i]) ? values[i] : most;
  return fabs(most) < BEYOND_F32;
}

/* To the nearest float32; what is beyond is infinite, without the overflow that a conversion would raise. */
static float rounded(double value) {
  if (fabs(value) < BEYOND_F32 || isnan(value))
    return (float)value;
  return value > 0.0 ? INFINITY : -INFINITY;
}

void reference_store(float *target, size_t offset, const double *values, size_t count) {
  for (size_t i = 0; target && i < count; i++)
    target[offset + i] = rounded(values[i]);
}
