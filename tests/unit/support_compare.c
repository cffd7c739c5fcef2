/* The comparators that other tests rely on. */
#include "support/compare.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MILLION = 1000000 };

Test(compare, equal_arrays_are_close_and_differences_up_to_the_bound_are) {
  float want[] = {0, 1, -2, 100};
  float near[] = {0.9e-6f, 1, -2, 100.00009f};
  cr_assert(compare_f32(want, want, 4, 0));
  cr_assert(compare_f32(near, want, 4, 1e-6), "%s", compare_report());
  cr_assert_not(compare_f32(near, want, 4, 1e-7));
}

Test(compare, nan_fails_on_either_side_and_on_both) {
  float number[] = {1, 2, 3};
  float nan[] = {1, NAN, 3};
  cr_assert_not(compare_f32(nan, number, 3, 1e30));
  cr_assert(strstr(compare_report(), "index 1"), "%s", compare_report());
  cr_assert_not(compare_f32(number, nan, 3, 1e30));
  cr_assert_not(compare_f32(nan, nan, 3, 1e30));
  double wide_number[] = {1}, wide_nan[] = {NAN};
  cr_assert_not(compare_f64(wide_nan, wide_number, 1, 1e30));
  cr_assert_not(compare_f64(wide_number, wide_nan, 1, 1e30));
  cr_assert_not(compare_f32_f64(nan, (double[]){1, 2, 3}, 3, 1e30));
}

Test(compare, infinity_fails_on_either_side) {
  float number[] = {1}, infinity[] = {INFINITY};
  cr_assert_not(compare_f32(infinity, number, 1, 1e30));
  cr_assert_not(compare_f32(number, infinity, 1, 1));
  cr_assert_not(compare_f32(infinity, infinity, 1, 1));
}

Test(compare, one_wrong_element_in_a_million_is_found_with_its_index_and_values) {
  float *got = calloc(MILLION, sizeof *got), *want = calloc(MILLION, sizeof *want);
  got[765432] = 0.5f;
  cr_assert_not(compare_f32(got, want, MILLION, 1e-6));
  cr_assert_str_eq(compare_report(),
                   "1 of 1000000 differ; the worst is index 765432: got 0.5, want 0, bound 1e-06");
  free(got);
  free(want);
}

Test(compare, swapped_arguments_fail_too_and_tell_got_from_want) {
  float a[] = {1, 2}, b[] = {1, 3};
  cr_assert_not(compare_f32(a, b, 2, 1e-6));
  cr_assert(strstr(compare_report(), "got 2, want 3"), "%s", compare_report());
  cr_assert_not(compare_f32(b, a, 2, 1e-6));
  cr_assert(strstr(compare_report(), "got 3, want 2"), "%s", compare_report());
}

Test(compare, the_worst_of_several_is_reported_and_nan_is_worse_than_any_number) {
  float want[] = {0, 0, 0, 0}, got[] = {1, 5, 2, 0}, with_nan[] = {1, 5, NAN, 1e30f};
  cr_assert_not(compare_f32(got, want, 4, 1e-6));
  cr_assert(strstr(compare_report(), "3 of 4 differ; the worst is index 1"), "%s", compare_report());
  cr_assert_not(compare_f32(with_nan, want, 4, 1e-6));
  cr_assert(strstr(compare_report(), "index 2"), "%s", compare_report());
}

Test(compare, bytes_differ_where_floats_are_equal) {
  float zero = 0.0f, negative_zero = -0.0f;
  cr_assert(compare_f32(&zero, &negative_zero, 1, 0));
  cr_assert_not(compare_bytes(&zero, &negative_zero, sizeof zero));
  cr_assert(compare_bytes(&zero, &zero, sizeof zero));
}
