/* exactness [CALLS [NAME]]: what each precision errs - the reference's own source in float32, with products
 * as the precision rounds them, and the cpu backend on each instruction set that has it - against float64,
 * and what is allowed. Makes the tables of docs/exactness.md; CALLS of 32 inputs a trained model. */
#include "exactness/cases.h"
#include "support/largest_errors.h"

#include <stdio.h>
#include <stdlib.h>

enum { DEVICES = 4 };
static const char *const instruction_sets[DEVICES] = {NULL, "avx512", "avx2",
                                                      "portable"}; /* NULL: the yardstick */
static const char *const names[] = {
    [CUSEQ_PRECISION_FLOAT32] = "float32", [CUSEQ_PRECISION_TF32] = "tf32", [CUSEQ_PRECISION_BF16] = "bf16"};

static void print_errors(const struct exactness_case *one, cuseq_precision precision,
                         const struct results *want, const struct largest_errors errors[DEVICES],
                         const int runs[DEVICES]) {
  printf("\n%s, %s: T %d, %d inputs\n", one->name, names[precision], (int)one->time,
         (int)(one->calls * one->batch));
  for (int k = 0; k < RESULTS_FLOATS; k++) {
    if (!want->floats[k].data || want->floats[k].columns == 0)
      continue;
    printf("  %-18s", want->floats[k].name);
    for (int i = 0; i < DEVICES; i++)
      printf(runs[i] ? " %8.3g" : "        -", 1e6 * errors[i].of[k]);
    printf(" %8.3g %6.2f\n", 1e6 * want->floats[k].tolerance, want->floats[k].tolerance / errors[0].of[k]);
  }
  fflush(stdout);
}

static void measure_in(const struct exactness_case *one, cuseq_precision precision) {
  struct largest_errors errors[DEVICES] = {0};
  struct results want = {0};
  int runs[DEVICES] = {1};
  struct random random = {41};
  for (int i = 1; i < DEVICES; i++)
    runs[i] = exactness_runs_here(instruction_sets[i], precision, one->model);
  for (int n = 0; n < one->calls; n++) {
    struct exactness_input made;
    exactness_input_make(&made, one, &random);
    results_make(&want, one->model, one->batch, one->time, one->steps);
    results_precise(&want, precision);
    results_run(&want, one->model, "reference", 1, &made.input);
    for (int i = 0; i < DEVICES; i++) {
      struct results got;
      if (!runs[i])
        continue;
      if (instruction_sets[i])
        setenv("CUSEQ_CPU_ISA", instruction_sets[i], 1);
      results_make(&got, one->model, one->batch, one->time, one->steps);
      results_precise(&got, precision);
      results_run(&got, one->model, instruction_sets[i] ? "cpu" : RESULTS_FLOAT32, 1, &made.input);
      largest_errors_add(&errors[i], &got, &want);
      results_free(&got);
    }
    if (n < one->calls - 1)
      results_free(&want);
    exactness_input_free(&made);
  }
  print_errors(one, precision, &want, errors, runs);
  results_free(&want);
}

static void measure(const struct exactness_case *one) {
  for (int precision = CUSEQ_PRECISION_FLOAT32; precision <= CUSEQ_PRECISION_BF16; precision++)
    measure_in(one, (cuseq_precision)precision);
}

int main(int count, char **arguments) {
  const long calls = count > 1 ? strtol(arguments[1], NULL, 10) : 32;
  if (calls < 1 || calls > 100000 || count > 3) {
    fprintf(stderr, "usage: exactness [CALLS [NAME]]\n");
    return 2;
  }
  printf("errors in 1e-6       in order   avx512     avx2 portable  allowed  of those in order\n");
  exactness_cases(measure, count > 2 ? arguments[2] : NULL, (int32_t)calls);
  return 0;
}
