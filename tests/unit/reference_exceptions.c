/* The reference raises no overflow, invalid operation or division by zero for finite input, so that callers
 * may trap them: a trap would end the test. */
#include "support/random_case.h"
#include "support/results.h"

#include <criterion/criterion.h>
#include <fenv.h>

enum { TRAPS = FE_OVERFLOW | FE_INVALID | FE_DIVBYZERO };

static void run_trapped(const struct random_case *made, const cuseq_input *input, int32_t allow_nonfinite) {
  cuseq_session_options options;
  cuseq_session *session;
  struct results results;
  results_make(&results, made->model, made->B, made->T, made->Y);
  cuseq_session_options_init(&options, sizeof options, made->model);
  options.device = "reference";
  options.max_batch = made->B;
  options.max_time = made->T;
  options.max_steps = made->Y;
  options.allow_nonfinite = allow_nonfinite;
  cr_assert_eq(cuseq_session_open(made->model, &options, &session), CUSEQ_STATUS_OK, "%s",
               cuseq_last_error());
  feenableexcept(TRAPS);
  const cuseq_status status = cuseq_run(session, input, &results.encoding, &results.decoding);
  fedisableexcept(TRAPS);
  cr_expect(status == CUSEQ_STATUS_OK || status == CUSEQ_STATUS_NON_FINITE, "%s", cuseq_last_error());
  cuseq_session_close(session);
  results_free(&results);
}

static void check_size(uint64_t seed, float size) {
  struct random random = {seed};
  for (int i = 0; i < 150; i++) {
    struct random_case made;
    random_case_make(&made, &random, 9);
    const size_t count = (size_t)made.B * (size_t)made.T * (size_t)cuseq_model_config(made.model)->features;
    for (size_t k = 0; made.x && k < count; k++)
      made.x[k] *= size / 1.5f; /* they reach to 1.5 */
    const cuseq_input input = random_case_input(&made);
    run_trapped(&made, &input, 0);
    random_case_free(&made);
  }
}

Test(reference_exceptions, inputs_around_ten_thousand_raise_none) {
  check_size(41, 1e4f);
}

Test(reference_exceptions, inputs_at_the_end_of_the_range_raise_none) {
  check_size(42, 1e20f);
  check_size(43, 3.4e38f);
}

/* What leaves float32's range becomes infinite without a conversion that overflows. */
Test(reference_exceptions, results_beyond_the_range_raise_none_where_they_are_let_through) {
  static const char json[] = "{\"version\":1,\"encoder\":{\"features\":2,\"units\":3,\"direction\":"
                             "\"forward\",\"activation\":\"linear\"},"
                             "\"attention\":{\"score\":\"dot\"}}";
  struct random random = {44};
  struct random_case made = {.B = 1, .T = 4, .Y = 1};
  made.model = random_model(json, &made.widths, &random);
  float x[] = {3e38f, 3e38f, 3e38f, 3e38f, 3e38f, 3e38f, 3e38f, 3e38f};
  const cuseq_input input = {
      .size = sizeof(cuseq_input), .data = x, .dtype = CUSEQ_DTYPE_F32, .batch = 1, .time = 4};
  run_trapped(&made, &input, 1);
  cuseq_model_destroy(made.model);
}

/* A float64 number that float32 does not hold is refused without converting it. */
Test(reference_exceptions, a_float64_input_beyond_float32_is_refused_without_any) {
  static const char json[] =
      "{\"version\":1,\"encoder\":{\"features\":1,\"units\":1},\"attention\":{\"score\":\"dot\"}}";
  struct random random = {45};
  struct random_case made = {.B = 1, .T = 2, .Y = 1};
  made.model = random_model(json, &made.widths, &random);
  const double x[] = {1.5, 1e39};
  const cuseq_input input = {
      .size = sizeof(cuseq_input), .data = x, .dtype = CUSEQ_DTYPE_F64, .batch = 1, .time = 2};
  run_trapped(&made, &input, 0);
  cr_expect_str_eq(
      cuseq_last_error(),
      "input: [0,1,0] is not finite (found a number too large for float32, needed finite numbers)");
  cuseq_model_destroy(made.model);
}
