/* Comparison of float arrays. A difference is judged by !(fabs(got - want) <= bound), so that NaN on either
 * side fails, with bound = tolerance x max(1, |want|). Infinities differ from everything, themselves too. */
#ifndef TESTS_SUPPORT_COMPARE_H
#define TESTS_SUPPORT_COMPARE_H

#include <stddef.h>

/* 1 if every element is within its bound; otherwise 0, and compare_report() tells the worst. */
int compare_f32(const float *got, const float *want, size_t count, double tolerance);
int compare_f64(const double *got, const double *want, size_t count, double tolerance);
int compare_f32_f64(const float *got, const double *want, size_t count, double tolerance);

/* 1 if the bytes are the same; otherwise 0, and compare_report() tells the first that differs. */
int compare_bytes(const void *got, const void *want, size_t size);

/* What the last comparison that failed found: how many elements of how many, the worst index, got, want,
 * bound. */
const char *compare_report(void);

/* The same as assertions of Criterion. */
#define assert_close_f32(got, want, count, tolerance)                                                        \
  cr_assert(compare_f32(got, want, count, tolerance), "%s: %s", #got, compare_report())
#define assert_close_f64(got, want, count, tolerance)                                                        \
  cr_assert(compare_f64(got, want, count, tolerance), "%s: %s", #got, compare_report())
#define assert_same_bytes(got, want, size)                                                                   \
  cr_assert(compare_bytes(got, want, size), "%s: %s", #got, compare_report())

#endif
