/* exactness [CALLS [NAME]]: what float32 errs - the reference's own source in float32, and the cpu backend on each instruction
 * set - against float64, and what is allowed. Makes the table of docs/exactness.md; CALLS of 32 inputs a trained model. */
#include "exactness/cases.h"
#include "support/largest_errors.h"

#include <stdio.h>
#include <stdlib.h>

enum { DEVICES = 4 };
static const char *const instruction_sets[DEVICES] = {NULL, "avx512", "avx2",
                                                      "portable"}; /* NULL: the yardstick */

static void measure(const struct exactness_case *one) {
  struct largest_errors errors[DEVICES] = {0};
  struct results want = {0};
  int runs[DEVICES] = {1};
  struct random random = {41};
  for (int i = 1; i < DEVICES; i++)
    runs[i] = exactness_runs_here(instruction_sets[i], one->model);
  for (int n = 0; n < one->calls; n++) {
    struct exactness_input made;
    exactness_input_make(&made, one, &random);
    results_make(&want, one->model, one->batch, one->time, one->steps);
    results_run(&want, one->model, "reference", 1, &made.input);
    for (int i = 0; i < DEVICES; i++) {
      struct results got;
      if (!runs[i])
        continue;
      if (instruction_sets[i])
        setenv("CUSEQ_CPU_ISA", instruction_sets[i], 1);
      results_make(&got, one->model, one->batch, one->time, one->steps);
      results_run(&got, one->model, instruction_sets[i] ? "cpu" : RESULTS_FLOAT32, 1, &made.input);
      largest_errors_add(&errors[i], &got, &want);
      results_free(&got);
    }
    if (n < one->calls - 1)
      results_free(&want);
    exactness_input_free(&made);
  }
  printf("\n%s: T %d, %d inputs\n", one->name, (int)one->time, (int)(one->calls * one->batch));
  for (int k = 0; k < RESULTS_FLOATS; k++) {
    if (!want.floats[k].data || want.floats[k].columns == 0)
      continue;
    printf("  %-18s", want.floats[k].name);
    for (int i = 0; i < DEVICES; i++)
      printf(runs[i] ? " %8.3g" : "        -", 1e6 * errors[i].of[k]);
    printf(" %8.3g %6.2f\n", 1e6 * want.floats[k].tolerance, want.floats[k].tolerance / errors[0].of[k]);
  }
  fflush(stdout);
  results_free(&want);
}

int main(int count, char **arguments) {
  const long calls = count > 1 ? strtol(arguments[1], NULL, 10) : 32;
  if (calls < 1 || calls > 100000 || count > 3) {
    fprintf(stderr, "usage: exactness [CALLS [NAME]]\n");
    return 2;
  }
  printf("errors in 1e-6        float32   avx512     avx2 portable  allowed  of float32's\n");
  exactness_cases(measure, count > 2 ? arguments[2] : NULL, (int32_t)calls);
  return 0;
}
