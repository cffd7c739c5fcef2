/* Trained models, and the case of three bidirectional layers of 256, on the cpu: within the tolerance, and an error of two
 * tolerances is not. */
#include "exactness/cases.h"
#include "support/largest_errors.h"

#include <criterion/criterion.h>

enum { CALLS = 8 }; /* of 32 inputs */

static int measured;

static void expect_within(const struct exactness_case *one) {
  struct largest_errors errors = {0};
  struct random random = {41};
  struct results want, got;
  for (int n = 0; n < one->calls; n++) {
    struct exactness_input made;
    exactness_input_make(&made, one, &random);
    results_make(&want, one->model, one->batch, one->time, one->steps);
    results_run(&want, one->model, "reference", 1, &made.input);
    results_make(&got, one->model, one->batch, one->time, one->steps);
    results_run(&got, one->model, "cpu", 0, &made.input);
    largest_errors_add(&errors, &got, &want);
    for (int i = 0; n == one->calls - 1 && i < RESULTS_FLOATS; i++) {
      struct results_floats *floats = &want.floats[i];
      if (!floats->data || floats->columns == 0)
        continue;
      cr_expect(errors.of[i] <= floats->tolerance, "%s: %s errs %.3g, allowed %.3g", one->name, floats->name,
                errors.of[i], floats->tolerance);
      const float size = floats->data[0] < 0.0f ? -floats->data[0] : floats->data[0];
      floats->data[0] += 2.0f * (float)floats->tolerance * (size > 1.0f ? size : 1.0f);
      cr_expect(!results_close(&got, &want, 1.0), "%s: an error of two tolerances in %s is let through",
                one->name, floats->name);
      floats->data[0] -= 2.0f * (float)floats->tolerance * (size > 1.0f ? size : 1.0f);
    }
    results_free(&want);
    results_free(&got);
    exactness_input_free(&made);
  }
  measured++;
}

Test(exactness, trained_models_and_three_layers_of_256_are_within_the_tolerance) {
  static const char *const names[] = {"dates", "reverser", "sorter", "tagger", "three BiLSTM of 256"};
  for (size_t i = 0; i < sizeof names / sizeof *names; i++)
    exactness_cases(expect_within, names[i], CALLS);
  cr_expect_geq(measured, 5);
}
