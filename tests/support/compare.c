#include "support/compare.h"

#include <math.h>
#include <stdio.h>

static char report[256];

struct worst {
  size_t index, wrong;
  double excess, got, want, bound;
};

static void judge(struct worst *worst, size_t index, double got, double want, double tolerance) {
  double bound = tolerance * fmax(1, fabs(want));
  double difference = fabs(got - want);
  if (difference <= bound && isfinite(bound)) /* of an infinite want every number would be within the bound */
    return;
  double excess = isnan(difference) ? INFINITY : difference - bound;
  if (worst->wrong++ == 0 || excess > worst->excess)
    *worst = (struct worst){index, worst->wrong, excess, got, want, bound};
}

static int conclude(const struct worst *worst, size_t count) {
  if (worst->wrong == 0)
    return 1;
  snprintf(report, sizeof report,
           "%zu of %zu differ; the worst is index %zu: got %.9g, want %.9g, bound %.3g", worst->wrong, count,
           worst->index, worst->got, worst->want, worst->bound);
  return 0;
}

int compare_f32(const float *got, const float *want, size_t count, double tolerance) {
  struct worst worst = {0};
  for (size_t i = 0; i < count; i++)
    judge(&worst, i, got[i], want[i], tolerance);
  return conclude(&worst, count);
}

int compare_f64(const double *got, const double *want, size_t count, double tolerance) {
  struct worst worst = {0};
  for (size_t i = 0; i < count; i++)
    judge(&worst, i, got[i], want[i], tolerance);
  return conclude(&worst, count);
}

int compare_f32_f64(const float *got, const double *want, size_t count, double tolerance) {
  struct worst worst = {0};
  for (size_t i = 0; i < count; i++)
    judge(&worst, i, got[i], want[i], tolerance);
  return conclude(&worst, count);
}

int compare_bytes(const void *got, const void *want, size_t size) {
  const unsigned char *a = got, *b = want;
  for (size_t i = 0; i < size; i++)
    if (a[i] != b[i]) {
      snprintf(report, sizeof report, "byte %zu of %zu differs: got %02x, want %02x", i, size, a[i], b[i]);
      return 0;
    }
  return 1;
}

const char *compare_report(void) {
  return report;
}
