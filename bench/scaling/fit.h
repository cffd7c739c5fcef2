/* Exponents of measured curves, and the ranges that they hold in. */
#ifndef BENCH_SCALING_FIT_H
#define BENCH_SCALING_FIT_H

/* y = c x^exponent, least squares over logarithms. */
struct fit {
  int points;
  double exponent, error; /* and its standard error; NaN below two and three points */
};

/* x, y  [count], all positive; the x not all the same. */
struct fit fit_power(const double *x, const double *y, int count);

/* Points first .. end - 1. */
struct range {
  int first, end;
};

/* The longest run of points whose share is at least `least`, the first of several: where a curve keeps to
 * its floor. What lies before and after it does not. Empty (0, 0) where no point reaches it. */
struct range fit_on_floor(const double *shares, int count, double least);

#endif
