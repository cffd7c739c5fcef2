/* Trained models, and the case of three bidirectional layers of 256, on the cpu with each instruction set and
 * precision: within the tolerance over 1024 inputs of each trained model, and an error of two tolerances is
 * not. */
#include "exactness/cases.h"
#include "support/largest_errors.h"

#include <criterion/criterion.h>
#include <stdlib.h>

enum { CALLS = 32, SETS = 4 }; /* calls of 32 inputs */

static const struct {
  const char *instructions;
  cuseq_precision precision;
} sets[SETS] = {{"avx512", CUSEQ_PRECISION_FLOAT32},
                {"avx2", CUSEQ_PRECISION_FLOAT32},
                {"portable", CUSEQ_PRECISION_FLOAT32},
                {"avx512", CUSEQ_PRECISION_BF16}};
static int measured;

/* An error of two tolerances in the first number of an array. */
static void expect_caught(struct results *got, const struct results *want, int i, const char *name) {
  const struct results_floats *floats = &want->floats[i];
  const float kept = floats->data[0], size = kept < 0.0f ? -kept : kept;
  floats->data[0] += 2.0f * (float)floats->tolerance * (size > 1.0f ? size : 1.0f);
  cr_expect(!results_close(got, want, 1.0), "%s: an error of two tolerances in %s is let through", name,
            floats->name);
  floats->data[0] = kept;
}

static void expect_within(const struct exactness_case *one) {
  struct largest_errors errors[SETS] = {0};
  struct random random = {41};
  struct results want, got;
  for (int n = 0; n < one->calls; n++) {
    const bool last = n == one->calls - 1;
    struct exactness_input made;
    exactness_input_make(&made, one, &random);
    results_make(&want, one->model, one->batch, one->time, one->steps);
    results_run(&want, one->model, "reference", 1, &made.input);
    for (int set = 0; set < SETS; set++) {
      if (!exactness_runs_here(sets[set].instructions, sets[set].precision, one->model))
        continue;
      results_make(&got, one->model, one->batch, one->time, one->steps);
      results_precise(&got, sets[set].precision);
      results_precise(&want, sets[set].precision);
      results_run(&got, one->model, "cpu", 0, &made.input);
      largest_errors_add(&errors[set], &got, &want);
      for (int i = 0; last && i < RESULTS_FLOATS; i++) {
        const struct results_floats *floats = &want.floats[i];
        if (!floats->data || floats->columns == 0)
          continue;
        cr_expect(errors[set].of[i] <= floats->tolerance, "%s, %s%s: %s errs %.3g, allowed %.3g", one->name,
                  sets[set].instructions, sets[set].precision == CUSEQ_PRECISION_BF16 ? ", bf16" : "",
                  floats->name, errors[set].of[i], floats->tolerance);
        expect_caught(&got, &want, i, one->name);
      }
      measured += last;
      results_free(&got);
    }
    results_free(&want);
    exactness_input_free(&made);
  }
}

Test(exactness, trained_models_and_three_layers_of_256_are_within_the_tolerance) {
  static const char *const names[] = {"dates", "reverser", "sorter", "tagger", "three BiLSTM of 256"};
  for (size_t i = 0; i < sizeof names / sizeof *names; i++)
    exactness_cases(expect_within, names[i], CALLS);
  cr_expect_geq(measured, 5); /* with one instruction set at least */
}
