/* The tolerance: wide enough for plain float32, and narrow enough to find an error. */
#include "support/random_case.h"
#include "support/reference_f32.h"
#include "support/results.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DRAWS = 24, ROWS = 8 };

/* Less than four roundings of a number near 1 is nothing that is usual. */
static const double LEAST = 4 * 0x1p-24;

static double largest_error(const struct results_floats *got, const struct results_floats *want) {
  double largest = 0.0;
  for (size_t k = 0; k < want->rows * want->columns; k++) {
    const double value = (double)want->data[k],
                 error = fabs((double)got->data[k] - value) / fmax(1.0, fabs(value));
    largest = error <= largest ? largest : error;
  }
  return largest;
}

static bool same_tokens(const struct results *a, const struct results *b) {
  const size_t count = (size_t)a->B * (size_t)a->Y * sizeof(int32_t);
  return !a->tokens || memcmp(a->tokens, b->tokens, count) == 0;
}

/* The reference's arithmetic in float32 on the case's own model, whose weights are small. */
static void check_float32(const struct random_case *made) {
  struct results got, want;
  const cuseq_input input = random_case_input(made);
  results_make(&got, made->model, made->B, made->T, made->Y);
  results_make(&want, made->model, made->B, made->T, made->Y);
  results_run(&want, made->model, "reference", 1, &input);
  reference_f32_run(&got, made->model, &input);
  cr_expect(results_close(&got, &want, 1.0), "%s: %s", results_report(), made->json);
  results_free(&got);
  results_free(&want);
}

/* An error of five times what is usual, in the last value of each array, is found. */
static void check_planted(const struct random_case *made, struct results *want,
                          const double usual[CUSEQ_RESULT_OUTPUTS + 1]) {
  struct results got;
  const cuseq_input input = random_case_input(made);
  results_make(&got, made->model, made->B, made->T, made->Y);
  results_run(&got, made->model, "reference", 1, &input);
  cr_expect(results_close(&got, want, 1.0), "%s: %s", results_report(), made->json);
  for (int i = 0; i < RESULTS_FLOATS; i++) {
    struct results_floats *floats = &got.floats[i];
    if (!floats->data)
      continue;
    float *value = &floats->data[floats->rows * floats->columns - 1];
    const float kept = *value;
    *value += (float)(5.0 * fmax(usual[floats->kind], LEAST) * fmax(1.0, fabs((double)kept)));
    cr_expect(!results_close(&got, want, 1.0),
              "%s: five times the usual error of %.2g is let through (allowed %.2g): B %d T %d Y %d: %s",
              floats->name, usual[floats->kind], floats->tolerance, (int)made->B, (int)made->T, (int)made->Y,
              made->json);
    *value = kept;
  }
  results_free(&got);
}

/* Dense input of so many rows, all positions of it. */
static void make_dense(struct random_case *made, struct random *random) {
  const size_t count = (size_t)ROWS * (size_t)made->T * (size_t)cuseq_model_config(made->model)->features;
  free(made->ids);
  free(made->x);
  free(made->lengths);
  made->ids = NULL;
  made->lengths = NULL;
  made->B = ROWS;
  made->x = malloc(count * sizeof *made->x);
  for (size_t i = 0; i < count; i++)
    made->x[i] = random_between(random, -1.7f, 1.7f);
}

/* What is usual for the case's structure: the largest error of float32 in the reference's order over some models like
 * trained ones. */
static void check_structure(struct random_case *made, struct random *random) {
  double usual[CUSEQ_RESULT_OUTPUTS + 1] = {0};
  struct results want;
  make_dense(made, random);
  for (int n = 0; n < DRAWS; n++) {
    struct results got;
    const cuseq_input input = random_case_input(made);
    cuseq_model_destroy(made->model);
    made->model = trained_like_model(made->json, &made->widths, random);
    results_make(&got, made->model, made->B, made->T, made->Y);
    results_make(&want, made->model, made->B, made->T, made->Y);
    results_run(&want, made->model, "reference", 1, &input);
    reference_f32_run(&got, made->model, &input);
    for (int i = 0; i < RESULTS_FLOATS && same_tokens(&got, &want); i++)
      if (want.floats[i].data)
        usual[want.floats[i].kind] =
            fmax(usual[want.floats[i].kind], largest_error(&got.floats[i], &want.floats[i]));
    results_free(&got);
    if (n < DRAWS - 1)
      results_free(&want);
  }
  check_planted(made, &want, usual);
  results_free(&want);
}

static void for_structures(uint64_t seed, int count, int32_t largest) {
  struct random random = {seed};
  for (int i = 0; i < count; i++) {
    struct random_case made;
    random_case_make(&made, &random, largest);
    check_float32(&made);
    check_structure(&made, &random);
    random_case_free(&made);
  }
}

Test(tolerance, is_met_by_plain_float32_and_finds_five_times_its_error_in_small_structures) {
  for_structures(51, 300, 9);
}

Test(tolerance, is_met_by_plain_float32_and_finds_five_times_its_error_in_structures_of_middle_size) {
  for_structures(52, 25, 40);
}
