/* What the scaling benchmark makes of its figures: exponents, ranges and causes. */
#include "scaling/cause.h"
#include "scaling/fit.h"

#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

static void power(double factor, double exponent, const double *x, double *y, int count) {
  for (int i = 0; i < count; i++)
    y[i] = factor * pow(x[i], exponent);
}

Test(bench_scaling, exponents_of_power_laws_are_found) {
  const double x[] = {1, 2, 3, 5, 8, 64, 4096};
  const double exponents[] = {-1.0, 0.0, 0.5, 1.0, 2.0, 2.807};
  for (size_t i = 0; i < sizeof exponents / sizeof *exponents; i++) {
    double y[7];
    power(3e-6, exponents[i], x, y, 7);
    struct fit fit = fit_power(x, y, 7);
    cr_assert_float_eq(fit.exponent, exponents[i], 1e-9);
    cr_assert(fit.error >= 0.0 && fit.error < 1e-7, "an exact law has error %g", fit.error);
    cr_assert_eq(fit.points, 7);
  }
}

/* By hand: logarithms 0, 1, 2 (base e) and 0, 1, 3: slope 1.5, residuals 1/6, -1/3, 1/6, square sum 1/6 over
 * one degree of freedom and Sxx 2. */
Test(bench_scaling, standard_error_is_that_of_least_squares) {
  const double x[] = {1.0, exp(1.0), exp(2.0)}, y[] = {1.0, exp(1.0), exp(3.0)};
  struct fit fit = fit_power(x, y, 3);
  cr_assert_float_eq(fit.exponent, 1.5, 1e-12);
  cr_assert_float_eq(fit.error, sqrt(1.0 / 12.0), 1e-12);
}

Test(bench_scaling, noise_moves_an_exponent_by_about_its_error) {
  double x[40], y[40];
  for (int i = 0; i < 40; i++) {
    x[i] = 1.0 + i;
    y[i] = 2.0 * x[i] * (1.0 + 0.05 * sin(12.9898 * i)); /* some deterministic scatter of 5% */
  }
  struct fit fit = fit_power(x, y, 40);
  cr_assert(fit.error > 0.001 && fit.error < 0.02, "error %g", fit.error);
  cr_assert(fabs(fit.exponent - 1.0) < 4.0 * fit.error, "exponent %g, error %g", fit.exponent, fit.error);
}

Test(bench_scaling, too_few_points_have_no_exponent_or_no_error) {
  const double x[] = {2.0, 4.0}, y[] = {1.0, 4.0};
  cr_assert(isnan(fit_power(x, y, 1).exponent));
  struct fit fit = fit_power(x, y, 2);
  cr_assert_float_eq(fit.exponent, 2.0, 1e-12);
  cr_assert(isnan(fit.error));
}

Test(bench_scaling, the_longest_run_above_the_bound_is_on_the_floor) {
  const double shares[] = {0.2, 0.6, 0.4, 0.7, 0.5, 0.9, 0.1, 0.8};
  struct range range = fit_on_floor(shares, 8, 0.5);
  cr_assert_eq(range.first, 3);
  cr_assert_eq(range.end, 6);
  range = fit_on_floor(shares, 8, 0.95);
  cr_assert_eq(range.first, 0);
  cr_assert_eq(range.end, 0);
  range = fit_on_floor(shares, 8, 0.0);
  cr_assert_eq(range.first, 0);
  cr_assert_eq(range.end, 8);
  range = fit_on_floor(shares + 1, 3, 0.6);
  cr_assert_eq(range.first, 0, "the first of runs as long");
  cr_assert_eq(range.end, 1);
}

/* A point for which no figure explains anything. */
static struct evidence unexplained(void) {
  return (struct evidence){.unit = "B",
                           .order = 1.0,
                           .value = 8,
                           .time = 100e-6,
                           .floor = 20e-6,
                           .smallest = 1e-6,
                           .weights = 5e-6,
                           .annotations = 1e-6,
                           .weights_level = "third-level cache",
                           .annotations_level = "second-level cache",
                           .share = 0.2,
                           .more_rows_share = 0.2,
                           .more_rows = 64,
                           .next_value = 16,
                           .next_time = 200e-6};
}

static void expect(const struct evidence *evidence, const char *cause, const char *told) {
  char text[200];
  const char *found = cause_of(evidence, text, sizeof text);
  cr_assert_eq(strncmp(found, cause, strlen(cause)), 0, "found \"%s\", wanted \"%s\"", found, cause);
  cr_assert_neq(strstr(text, told), NULL, "\"%s\" does not tell \"%s\"", text, told);
}

Test(bench_scaling, causes_are_what_the_figures_support) {
  struct evidence e = unexplained();
  expect(&e, "not explained", "floor 20.0 us");
  e.on_one = 105e-6;
  expect(&e, "no faster than on one thread", "105 us on one thread");
  e = unexplained();
  e.smallest = 45e-6;
  expect(&e, "the cost of a call", "smallest call takes 45.0 us");
  e = unexplained();
  e.weights = 60e-6;
  expect(&e, "cache bandwidth", "weights once a step from the third-level cache takes 60.0 us");
  e.weights_level = "memory";
  expect(&e, "memory bandwidth", "from the memory");
  e = unexplained();
  e.annotations = 70e-6;
  expect(&e, "cache bandwidth", "annotations once a decoder step from the second-level cache");
  e = unexplained();
  e.more_rows_share = 0.6;
  expect(&e, "too few rows", "60% with 64 rows");
  e = unexplained();
  e.unit = "H";
  e.next_time = 110e-6;
  expect(&e, "too few units", "110 us at H 16");
}

/* Bandwidth that lies below the arithmetic does not bind, and the last point has no next one. */
Test(bench_scaling, what_does_not_bind_is_no_cause) {
  struct evidence e = unexplained();
  e.floor = 70e-6;
  e.weights = 60e-6;
  e.next_value = e.next_time = 0.0;
  expect(&e, "not explained", "floor 70.0 us");
}
