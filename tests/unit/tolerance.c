/* The tolerance: wide enough for plain arithmetic of a precision, and narrow enough to find an error, in
 * every structure that the tests have. */
#include "model/model.h"
#include "support/largest_errors.h"
#include "support/random_case.h"
#include "support/random_structure.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What is usual is the largest error over at least FEWEST models like trained ones, each with ROWS inputs.
 * Errors have long tails: where the largest of these is not a fifth of what is allowed, it is looked for in
 * up to MOST. */
enum { FEWEST = 12, MOST = 100, ROWS = 32, KINDS = CUSEQ_RESULT_LOG_PROBABILITIES + 1 };

/* Less than nine roundings of a number near 1, or where factors are rounded half a one, is nothing that is
 * usual. */
static const double LEAST[] = {[CUSEQ_PRECISION_FLOAT32] = 9 * 0x1p-24,
                               [CUSEQ_PRECISION_TF32] = 0x1p-12,
                               [CUSEQ_PRECISION_BF16] = 0x1p-9};

/* Where float32 itself has lost the fourth digit there is no usual error: states ran away. Where rounded
 * factors have lost the first one, an error is no longer small beside what it is of. */
static const double LOST[] = {
    [CUSEQ_PRECISION_FLOAT32] = 1e-4, [CUSEQ_PRECISION_TF32] = 0.1, [CUSEQ_PRECISION_BF16] = 0.1};

/* A structure, the sizes of a call, and what its products are computed in. */
struct subject {
  const char *json;
  const struct random_widths *widths;
  int32_t T, Y;
  cuseq_precision precision;
};

/* A model of it, and what a call is given. */
struct draw {
  cuseq_model *model;
  float *x, *given;
  int32_t *ids, *previous, *targets;
  cuseq_input input;
};

static int32_t *symbols(size_t count, int32_t bound, struct random *random) {
  int32_t *made = malloc(count * sizeof *made);
  for (size_t i = 0; i < count; i++)
    made[i] = random_below(random, bound);
  return made;
}

typedef cuseq_model *model_maker(const char *json, const struct random_widths *widths, struct random *random);

static void draw_make(struct draw *draw, const struct subject *subject, model_maker *make,
                      struct random *random) {
  *draw = (struct draw){.model = make(subject->json, subject->widths, random)};
  const cuseq_config *config = cuseq_model_config(draw->model);
  const struct decoder_structure *decoder = &draw->model->structure.decoder;
  const size_t positions = (size_t)ROWS * (size_t)subject->T;
  if (config->ids_only) {
    draw->ids = symbols(positions, config->features, random);
  } else {
    draw->x = malloc(positions * (size_t)config->features * sizeof *draw->x);
    for (size_t i = 0; i < positions * (size_t)config->features; i++)
      draw->x[i] = random_between(random, -1.7f, 1.7f);
  }
  if (decoder->present && decoder->feedback != FEEDBACK_NONE)
    draw->previous = symbols(ROWS, decoder->tokens, random);
  /* rounded factors change a token in nearly every call: what comes after it would not be compared */
  const bool forced = subject->precision != CUSEQ_PRECISION_FLOAT32 && decoder->feedback == FEEDBACK_OUTPUT;
  if (decoder->present && (forced || decoder->feedback == FEEDBACK_GIVEN))
    draw->targets = symbols((size_t)ROWS * (size_t)subject->Y, decoder->tokens, random);
  const size_t steps = (size_t)ROWS * (size_t)subject->Y * (size_t)config->given_width;
  draw->given = steps > 0 ? malloc(steps * sizeof *draw->given) : NULL;
  for (size_t i = 0; i < steps; i++)
    draw->given[i] = random_between(random, -1.7f, 1.7f);
  draw->input = (cuseq_input){.size = sizeof(cuseq_input),
                              .data = draw->ids ? (const void *)draw->ids : draw->x,
                              .dtype = draw->ids ? CUSEQ_DTYPE_I32 : CUSEQ_DTYPE_F32,
                              .batch = ROWS,
                              .time = subject->T};
}

static void draw_free(struct draw *draw) {
  cuseq_model_destroy(draw->model);
  free(draw->x);
  free(draw->ids);
  free(draw->given);
  free(draw->previous);
  free(draw->targets);
}

static void draw_run(const struct draw *draw, const struct subject *subject, const char *device,
                     struct results *results) {
  results_make(results, draw->model, ROWS, subject->T, subject->Y);
  results_precise(results, subject->precision);
  results->decoding.previous = draw->previous;
  results->decoding.targets = draw->targets;
  results->decoding.given = draw->given;
  results_run(results, draw->model, device, 1, &draw->input);
}

/* Whether the cpu has a precision here. */
static bool cpu_has(cuseq_precision precision, const cuseq_model *model) {
  cuseq_session_options options;
  cuseq_session *session;
  cuseq_session_options_init(&options, sizeof options, model);
  options.device = "cpu";
  options.precision = precision;
  const bool has = cuseq_session_open(model, &options, &session) == CUSEQ_STATUS_OK;
  cuseq_session_close(session);
  return has;
}

/* Weights that do not amplify: arithmetic in the reference's order, and the cpu, are within the tolerance. */
static void check_met(const struct subject *subject, struct random *random) {
  static const char *const devices[] = {RESULTS_FLOAT32, "cpu"};
  struct draw draw;
  struct results want;
  draw_make(&draw, subject, random_model, random);
  draw_run(&draw, subject, "reference", &want);
  for (int d = 0; d < 2 && (d == 0 || cpu_has(subject->precision, draw.model)); d++) {
    struct results got;
    draw_run(&draw, subject, devices[d], &got);
    cr_expect(results_close(&got, &want, 1.0), "%s: %s: T %d Y %d: %s", devices[d], results_report(),
              (int)subject->T, (int)subject->Y, subject->json);
    results_free(&got);
  }
  results_free(&want);
  draw_free(&draw);
}

/* Whether five times what is usual is more than what is allowed, for every kind of array, or there is nothing
 * that is usual. */
static bool all_would_be_found(const struct results *want, const double usual[KINDS]) {
  const double least = LEAST[want->precision];
  for (int i = 0; i < RESULTS_FLOATS; i++)
    if (want->floats[i].data && usual[want->floats[i].kind] <= LOST[want->precision] &&
        !(5.0 * fmax(usual[want->floats[i].kind], least) > want->floats[i].tolerance))
      return false;
  return true;
}

/* Arrays: those in which five times the usual error was planted, those that let it through, and those that
 * have no usual error. */
static struct counts { int planted, let_through, lost; } counts;

/* Whether an error of some times what is usual, in the last value of an array of `got`, is found. */
static bool is_found(struct results *got, const struct results *want, int i, double error) {
  struct results_floats *floats = &got->floats[i];
  float *value = &floats->data[floats->rows * floats->columns - 1];
  const float kept = *value;
  *value += (float)(error * fmax(1.0, fabs((double)kept)));
  const bool found = !results_close(got, want, 1.0);
  *value = kept;
  return found;
}

/* An error of five times what is usual is found in nearly every array, one of twenty-five times in each. */
static void check_planted(const struct draw *draw, const struct subject *subject, const struct results *want,
                          const double usual[KINDS]) {
  struct results got;
  draw_run(draw, subject, "reference", &got);
  cr_expect(results_close(&got, want, 1.0), "%s: %s", results_report(), subject->json);
  for (int i = 0; i < RESULTS_FLOATS; i++) {
    const struct results_floats *floats = &got.floats[i];
    if (!floats->data || floats->columns == 0)
      continue;
    const double least = LEAST[subject->precision], error = fmax(usual[floats->kind], least);
    /* amplified beyond all bounds, or none at all, as of outputs that an activation cuts off */
    if (usual[floats->kind] > LOST[subject->precision] ||
        (usual[floats->kind] == 0.0 && floats->tolerance > 5.0 * least)) {
      counts.lost++;
      continue;
    }
    counts.planted++;
    counts.let_through += !is_found(&got, want, i, 5.0 * error);
    cr_expect(is_found(&got, want, i, 25.0 * error),
              "%s: 25 times the usual error of %.2g is let through (allowed %.2g): T %d Y %d: %s",
              floats->name, usual[floats->kind], floats->tolerance, (int)subject->T, (int)subject->Y,
              subject->json);
  }
  results_free(&got);
}

static void check_found(const struct subject *subject, struct random *random) {
  double usual[KINDS] = {0};
  bool found = false;
  for (int n = 0; n < MOST && !(found && n >= FEWEST); n++) {
    struct draw draw;
    struct results got, want;
    struct largest_errors largest = {0};
    draw_make(&draw, subject, trained_like_model, random);
    draw_run(&draw, subject, "reference", &want);
    draw_run(&draw, subject, RESULTS_FLOAT32, &got);
    largest_errors_add(&largest, &got, &want);
    for (int i = 0; i < RESULTS_FLOATS; i++)
      usual[want.floats[i].kind] = fmax(usual[want.floats[i].kind], largest.of[i]);
    found = all_would_be_found(&want, usual);
    if (n == MOST - 1 || (found && n >= FEWEST - 1))
      check_planted(&draw, subject, &want, usual);
    results_free(&got);
    results_free(&want);
    draw_free(&draw);
  }
}

typedef void check(const struct subject *subject, struct random *random);

/* Structures of version 1, and of version 2, every fourth of which is given numbers at its steps. What one is
 * depends on its number alone. */
static void for_structures(check *check, cuseq_precision precision, uint64_t seed, int count,
                           int32_t largest) {
  struct random random = {seed};
  for (int i = 0; i < count; i++) {
    struct random own = random_next(&random);
    struct random_case one;
    struct random_structure two;
    random_case_make(&one, &own, largest);
    check(&(struct subject){one.json, &one.widths, one.T, one.Y, precision}, &own);
    random_case_free(&one);
    random_structure_make(&two, &own, largest);
    if (i % 4 == 3)
      random_structure_give(&two, largest);
    check(&(struct subject){two.json, NULL, two.T, two.Y, precision}, &own);
    random_structure_free(&two);
  }
}

Test(tolerance, is_met_by_plain_float32_and_by_the_cpu_in_small_structures) {
  for_structures(check_met, CUSEQ_PRECISION_FLOAT32, 51, 400, 9);
  for_structures(check_met, CUSEQ_PRECISION_FLOAT32, 52, 200, 2);
}

Test(tolerance, is_met_by_plain_float32_and_by_the_cpu_in_structures_of_middle_size) {
  for_structures(check_met, CUSEQ_PRECISION_FLOAT32, 53, 60, 40);
}

Test(tolerance, of_rounded_factors_is_met_by_plain_arithmetic_and_by_the_cpu) {
  for_structures(check_met, CUSEQ_PRECISION_BF16, 61, 250, 9);
  for_structures(check_met, CUSEQ_PRECISION_BF16, 62, 200, 2);
  for_structures(check_met, CUSEQ_PRECISION_BF16, 63, 30, 40);
  for_structures(check_met, CUSEQ_PRECISION_TF32, 64, 200, 9);
}

/* Most arrays have an error that is usual, and hardly one lets five times that through. */
static void expect_found(cuseq_precision precision, uint64_t seed, int count, int32_t largest) {
  memset(&counts, 0, sizeof counts);
  for_structures(check_found, precision, seed, count, largest);
  cr_expect(20 * counts.let_through <= counts.planted,
            "%d of %d arrays let five times the usual error through", counts.let_through, counts.planted);
  cr_expect(5 * counts.lost <= counts.planted, "%d arrays beside %d had no usual error", counts.lost,
            counts.planted);
}

Test(tolerance, errors_that_are_not_usual_are_found_in_small_structures) {
  expect_found(CUSEQ_PRECISION_FLOAT32, 71, 80, 9);
}

Test(tolerance, errors_that_are_not_usual_are_found_in_structures_of_middle_size) {
  expect_found(CUSEQ_PRECISION_FLOAT32, 72, 8, 25);
}

Test(tolerance, errors_that_are_not_usual_where_factors_are_rounded_are_found_in_small_structures) {
  expect_found(CUSEQ_PRECISION_BF16, 73, 40, 9);
  expect_found(CUSEQ_PRECISION_TF32, 74, 20, 9);
}

Test(tolerance, errors_that_are_not_usual_of_tf32_are_found_in_structures_of_middle_size) {
  expect_found(CUSEQ_PRECISION_TF32, 75, 5, 25);
}

/* ---- where nothing is left to err ---- */

/* Errors of such gates grow from step to step until two devices have nothing in common: they are then as far
 * apart as two numbers of the array can be. */
Test(tolerance, is_no_larger_than_numbers_can_be_apart) {
  static const char json[] =
      "{\"version\":2,\"input\":{\"features\":9},\"encoder\":{\"layers\":[{\"cell\":{\"kind\":\"gru\","
      "\"units\":9,\"activation\":\"linear\",\"recurrent_activation\":\"tanh\"},\"residual\":true,"
      "\"self_attention\":{\"score\":\"general\"}}]},\"attention\":{\"score\":\"general\"},\"decoder\":{"
      "\"steps\":5,\"reads\":[\"context\"],\"layers\":[{\"cell\":{\"kind\":\"gru\",\"units\":4},\"initial_"
      "h\":{\"from\":\"zeros\"}}]},"
      "\"output\":{\"layers\":[{\"units\":5,\"activation\":\"softmax\"}]}}";
  static const struct {
    cuseq_result result;
    double range;
  } ranges[] = {{CUSEQ_RESULT_ALPHAS, 1.0}, {CUSEQ_RESULT_STATES, 2.0}, {CUSEQ_RESULT_OUTPUTS, 1.0}};
  struct random random = {81};
  cuseq_model *model = random_model(json, NULL, &random);
  for (size_t i = 0; i < sizeof ranges / sizeof *ranges; i++) {
    const cuseq_result result = ranges[i].result;
    cr_expect_eq(cuseq_model_tolerance(model, CUSEQ_PRECISION_BF16, 30, 0, result), ranges[i].range);
    cr_expect_lt(cuseq_model_tolerance(model, CUSEQ_PRECISION_FLOAT32, 2, 0, result), 1e-3);
  }
  cr_expect_lt(cuseq_model_tolerance(model, CUSEQ_PRECISION_BF16, 30, 0, CUSEQ_RESULT_CONTEXTS), 100.0);
  cuseq_model_destroy(model);
}
