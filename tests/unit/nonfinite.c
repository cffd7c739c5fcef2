/* NaN and infinity that the caller lets through: a backend gives NaN where the reference does. */
#include "support/random_case.h"
#include "support/results.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* The device tests build this file again, for their device and with fewer cases. */
#ifndef NONFINITE_DEVICE
#define NONFINITE_DEVICE "cpu"
#define NONFINITE_CASES 120
#define NONFINITE_ISAS "avx512", "avx2", "portable"
#endif

static const char *const isas[] = {NONFINITE_ISAS};
enum { ISAS = sizeof isas / sizeof *isas };

static void run(struct results *results, const struct random_case *made, const char *device) {
  cuseq_session_options options;
  cuseq_session_options_init(&options, sizeof options, made->model);
  options.device = device;
  options.precision = results_precision(device);
  options.max_batch = made->B;
  options.max_time = made->T;
  options.max_steps = made->Y;
  options.allow_nonfinite = 1;
  cuseq_session *session;
  cuseq_input input = random_case_input(made);
  cr_assert_eq(cuseq_session_open(made->model, &options, &session), CUSEQ_STATUS_OK, "%s",
               cuseq_last_error());
  cr_assert_eq(cuseq_run(session, &input, &results->encoding, &results->decoding), CUSEQ_STATUS_OK, "%s",
               cuseq_last_error());
  cuseq_session_close(session);
}

/* NaN in the same places; or, where a value beyond float32 becomes infinite earlier than in float64, at
 * least there. */
static void check_alike(const struct results *got, const struct results *want, bool exactly,
                        const char *json) {
  for (int i = 0; i < RESULTS_FLOATS; i++) {
    const struct results_floats *g = &got->floats[i], *w = &want->floats[i];
    for (size_t k = 0; g->data && k < g->rows * g->columns; k++) {
      cr_assert(!isnan(w->data[k]) || isnan(g->data[k]), "%s[%zu]: got %.9g, want NaN: %s", w->name, k,
                (double)g->data[k], json);
      cr_assert(!exactly || !isnan(g->data[k]) || isnan(w->data[k]), "%s[%zu]: got NaN, want %.9g: %s",
                w->name, k, (double)w->data[k], json);
    }
  }
}

/* An end token may end a row at another step once a NaN decides: such models are left out. */
static bool told_apart(const struct random_case *made) {
  return made->x && cuseq_model_config(made->model)->end_token < 0;
}

static void check_value(uint64_t seed, float value, bool exactly) {
  const int count = results_precision(NONFINITE_DEVICE) == CUSEQ_PRECISION_FLOAT32 ? ISAS : 1;
  for (int isa = 0; isa < count; isa++) { /* the first one has the other precisions */
    struct random random = {seed};
    int checked = 0;
    setenv("CUSEQ_CPU_ISA", isas[isa], 1);
    for (int i = 0; i < NONFINITE_CASES; i++) {
      struct random_case made;
      random_case_make(&made, &random, 12);
      if (told_apart(&made)) {
        const size_t F = (size_t)cuseq_model_config(made.model)->features;
        const int32_t b = random_below(&random, made.B);
        const int32_t t = random_below(&random, made.lengths ? made.lengths[b] : made.T);
        made.x[((size_t)b * (size_t)made.T + (size_t)t) * F + (size_t)random_below(&random, (int32_t)F)] =
            value;
        struct results got, want;
        results_make(&got, made.model, made.B, made.T, made.Y);
        results_make(&want, made.model, made.B, made.T, made.Y);
        run(&want, &made, "reference");
        run(&got, &made, NONFINITE_DEVICE);
        check_alike(&got, &want, exactly, made.json);
        results_free(&got);
        results_free(&want);
        checked++;
      }
      random_case_free(&made);
    }
    cr_expect_gt(checked, 10);
  }
}

Test(nonfinite, nan_comes_out_exactly_where_the_formulas_give_it) {
  check_value(31, NAN, true);
}

Test(nonfinite, infinity_makes_nan_at_least_where_the_formulas_do) {
  check_value(32, INFINITY, false);
  check_value(33, -INFINITY, false);
}
