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
enum { FEWEST = 12, MOST = 800, ROWS = 32, KINDS = CUSEQ_RESULT_LOG_PROBABILITIES + 1 };

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

/* Whether five times what is usual is more than what is allowed, for every kind of array. */
static bool all_would_be_found(const struct results *want, const double usual[KINDS]) {
  const double least = LEAST[want->precision];
  for (int i = 0; i < RESULTS_FLOATS; i++)
    if (want->floats[i].data && !(5.0 * fmax(usual[want->floats[i].kind], least) > want->floats[i].tolerance))
      return false;
  return true;
}

static int planted, lost; /* arrays */

/* An error of five times what is usual, in the last value of each array, is found. */
static void check_planted(const struct draw *draw, const struct subject *subject, const struct results *want,
                          const double usual[KINDS]) {
  struct results got;
  draw_run(draw, subject, "reference", &got);
  cr_expect(results_close(&got, want, 1.0), "%s: %s", results_report(), subject->json);
  for (int i = 0; i < RESULTS_FLOATS; i++) {
    struct results_floats *floats = &got.floats[i];
    if (!floats->data || floats->columns == 0)
      continue;
    const double error = usual[floats->kind], least = 5.0 * LEAST[subject->precision];
    /* amplified beyond all bounds, or none at all, as of outputs that an activation cuts off */
    const bool is_lost = error > LOST[subject->precision] || (error == 0.0 && floats->tolerance > least);
    lost += is_lost;
    planted++;
    if (is_lost)
      continue;
    float *value = &floats->data[floats->rows * floats->columns - 1];
    const float kept = *value;
    *value +=
        (float)(5.0 * fmax(usual[floats->kind], LEAST[subject->precision]) * fmax(1.0, fabs((double)kept)));
    cr_expect(!results_close(&got, want, 1.0),
              "%s: five times the usual error of %.2g is let through (allowed %.2g): T %d Y %d: %s",
              floats->name, usual[floats->kind], floats->tolerance, (int)subject->T, (int)subject->Y,
              subject->json);
    *value = kept;
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

/* Takes the weights of positions out of a structure; whether it had any. Nothing else of a structure by
 * chance depends on them. */
static bool unweight(char *json) {
  static const char begin[] = ",\"weighting\":{";
  bool had = false;
  for (char *at = strstr(json, begin); at; at = strstr(json, begin), had = true) {
    const char *behind = strchr(at, '}') + 1;
    memmove(at, behind, strlen(behind) + 1);
  }
  return had;
}

/* Structures of version 1, then of version 2, but for those that for_weighted() is for. */
static void for_structures(check *check, cuseq_precision precision, uint64_t seed, int count,
                           int32_t largest) {
  struct random random = {seed};
  for (int i = 0; i < count; i++) {
    struct random_case made;
    random_case_make(&made, &random, largest);
    check(&(struct subject){made.json, &made.widths, made.T, made.Y, precision}, &random);
    random_case_free(&made);
  }
  for (int i = 0; i < count; i++) {
    struct random_structure made;
    random_structure_make(&made, &random, largest);
    unweight(made.json);
    check(&(struct subject){made.json, NULL, made.T, made.Y, precision}, &random);
    random_structure_free(&made);
  }
}

/* The same, and structures whose decoders are given numbers: what is usual of them is usual of any others. */
static void for_all_structures(cuseq_precision precision, uint64_t seed, int count, int32_t largest) {
  struct random random = {seed + 1000};
  for_structures(check_met, precision, seed, count, largest);
  for (int i = 0; i < count / 4; i++) {
    struct random_structure made;
    random_structure_make(&made, &random, largest);
    unweight(made.json);
    if (random_structure_give(&made, largest))
      check_met(&(struct subject){made.json, NULL, made.T, made.Y, precision}, &random);
    random_structure_free(&made);
  }
}

/* Structures a layer of which weights its positions. */
static void for_weighted(check *check, cuseq_precision precision, uint64_t seed, int count, int32_t largest) {
  struct random random = {seed};
  for (int i = 0; i < count;) {
    struct random_structure made;
    char json[RANDOM_STRUCTURE_JSON];
    random_structure_make(&made, &random, largest);
    memcpy(json, made.json, sizeof json);
    if (unweight(made.json)) {
      check(&(struct subject){json, NULL, made.T, made.Y, precision}, &random);
      i++;
    }
    random_structure_free(&made);
  }
}

Test(tolerance, is_met_by_plain_float32_and_by_the_cpu_in_small_structures) {
  for_all_structures(CUSEQ_PRECISION_FLOAT32, 51, 300, 9);
}

Test(tolerance, is_met_by_plain_float32_and_by_the_cpu_in_structures_of_middle_size) {
  for_all_structures(CUSEQ_PRECISION_FLOAT32, 52, 60, 40);
}

Test(tolerance, five_times_the_usual_error_is_found_in_every_array_of_small_structures) {
  planted = lost = 0;
  for_structures(check_found, CUSEQ_PRECISION_FLOAT32, 53, 80, 9);
  cr_expect(lost <= planted / 10, "%d of %d arrays had no usual error", lost, planted);
}

Test(tolerance, five_times_the_usual_error_is_found_in_every_array_of_structures_of_middle_size) {
  planted = lost = 0;
  for_structures(check_found, CUSEQ_PRECISION_FLOAT32, 54, 8, 40);
  cr_expect(lost <= planted / 5, "%d of %d arrays had no usual error", lost, planted);
}

Test(tolerance, of_rounded_factors_is_met_by_plain_arithmetic_and_by_the_cpu) {
  for_all_structures(CUSEQ_PRECISION_BF16, 61, 150, 9);
  for_all_structures(CUSEQ_PRECISION_BF16, 62, 30, 40);
  for_all_structures(CUSEQ_PRECISION_TF32, 65, 100, 9);
}

Test(tolerance, five_times_the_usual_error_of_rounded_factors_is_found_in_every_array_of_small_structures) {
  planted = lost = 0;
  for_structures(check_found, CUSEQ_PRECISION_BF16, 63, 40, 9);
  for_structures(check_found, CUSEQ_PRECISION_TF32, 66, 20, 9);
  cr_expect(lost <= planted / 10, "%d of %d arrays had no usual error", lost, planted);
}

Test(tolerance, five_times_the_usual_error_of_tf32_is_found_in_every_array_of_structures_of_middle_size) {
  planted = lost = 0;
  for_structures(check_found, CUSEQ_PRECISION_TF32, 64, 4, 40);
  cr_expect(lost <= planted / 5, "%d of %d arrays had no usual error", lost, planted);
}

Test(tolerance, is_met_where_positions_have_weights) {
  for_weighted(check_met, CUSEQ_PRECISION_FLOAT32, 71, 150, 9);
  for_weighted(check_met, CUSEQ_PRECISION_FLOAT32, 72, 30, 40);
  for_weighted(check_met, CUSEQ_PRECISION_BF16, 73, 60, 9);
  for_weighted(check_met, CUSEQ_PRECISION_TF32, 74, 60, 9);
}

Test(tolerance, five_times_the_usual_error_is_found_where_positions_have_weights) {
  planted = lost = 0;
  for_weighted(check_found, CUSEQ_PRECISION_FLOAT32, 75, 30, 9);
  for_weighted(check_found, CUSEQ_PRECISION_FLOAT32, 76, 3, 40);
  cr_expect(lost <= planted / 10, "%d of %d arrays had no usual error", lost, planted);
}
