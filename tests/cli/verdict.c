/* What `compare` decides, on results made up for it. */
#include "cli/verdict.h"

#include <criterion/criterion.h>
#include <math.h>

enum { B = 2, T = 3, Y = 4, V = 3 };

static cuseq_config config;
static struct results got, want;
static struct verdicts verdicts;

static void setup(void) {
  config = (cuseq_config){.features = 1,
                          .units = 2,
                          .layers = 1,
                          .direction = CUSEQ_DIRECTION_BIDIRECTIONAL,
                          .annotation_width = 4,
                          .backward_units = 2,
                          .context_width = 4,
                          .state_units = 2,
                          .has_decoder = 1,
                          .steps = Y,
                          .start_token = -1,
                          .end_token = -1,
                          .outputs = V};
  cr_assert_eq(results_make(&got, &config, B, T, Y, RESULT_SET_ALL), 0);
  cr_assert_eq(results_make(&want, &config, B, T, Y, RESULT_SET_ALL), 0);
  for (int64_t b = 0; b < B; b++)
    for (int i = 0; i < Y * V; i++)
      results_floats(&want, RESULT_OUTPUTS, b)[i] = results_floats(&got, RESULT_OUTPUTS, b)[i] =
          i % V == 1 ? 0.9f : 0.05f;
  verdicts = (struct verdicts){0};
  for (int id = 0; id < RESULT_TOKENS; id++)
    verdicts.tolerance[id] = 1e-5;
}

static void teardown(void) {
  results_free(&got);
  results_free(&want);
}

static void judge(void) {
  verdicts_add(&verdicts, &config, &got, &want, 10, B);
}

TestSuite(verdict, .init = setup, .fini = teardown);

Test(verdict, equal_results_pass) {
  judge();
  cr_assert(!verdicts_missed(&verdicts));
  cr_assert_eq(verdicts.arrays[RESULT_ANNOTATIONS].compared, B * T * 4);
  cr_assert_eq(verdicts.arrays[RESULT_TOKENS].compared, B * Y);
}

Test(verdict, an_error_is_found_with_its_place) {
  results_floats(&got, RESULT_ALPHAS, 1)[7] = 2e-5f;
  judge();
  const struct verdict *verdict = &verdicts.arrays[RESULT_ALPHAS];
  cr_assert(verdicts_missed(&verdicts));
  cr_assert_eq(verdict->missed, 1);
  cr_assert_eq(verdict->row, 11);
  cr_assert_eq(verdict->element, 7);
  cr_assert_float_eq(verdict->worst, 2e-5, 1e-9);
}

Test(verdict, large_values_are_judged_by_their_size) {
  results_floats(&want, RESULT_STATES, 0)[0] = 1000;
  results_floats(&got, RESULT_STATES, 0)[0] = 1000.005f;
  judge();
  cr_assert(!verdicts_missed(&verdicts));
  results_floats(&want, RESULT_STATES, 0)[0] = 1000.02f;
  judge();
  cr_assert(verdicts_missed(&verdicts));
}

Test(verdict, nan_and_infinity_miss_on_either_side) {
  static const float bad[] = {NAN, INFINITY, -INFINITY};
  for (int i = 0; i < 3; i++)
    for (int side = 0; side < 3; side++) {
      teardown();
      setup();
      if (side != 0)
        results_floats(&got, RESULT_CONTEXT, 0)[3] = bad[i];
      if (side != 1)
        results_floats(&want, RESULT_CONTEXT, 0)[3] = bad[i];
      judge();
      cr_assert(verdicts_missed(&verdicts), "value %f, side %d", (double)bad[i], side);
      cr_assert_eq(verdicts.arrays[RESULT_CONTEXT].element, 3);
      cr_assert(isinf(verdicts_worst(&verdicts)));
    }
}

Test(verdict, tokens_must_be_equal_where_the_outputs_are_clear) {
  results_integers(&got, RESULT_TOKENS, 1)[2] = 2;
  judge();
  cr_assert(verdicts_missed(&verdicts));
  cr_assert_eq(verdicts.ties, 0);
}

Test(verdict, tokens_may_differ_at_a_tie) {
  results_floats(&want, RESULT_OUTPUTS, 1)[2 * V] = 0.9f;
  results_floats(&got, RESULT_OUTPUTS, 1)[2 * V] = 0.9f;
  results_integers(&got, RESULT_TOKENS, 1)[2] = 1;
  results_integers(&got, RESULT_TOKENS, 1)[3] = 1;
  judge();
  cr_assert_eq(verdicts.ties, 1);
  cr_assert_eq(verdicts.parted, 0);
  cr_assert_eq(verdicts.arrays[RESULT_TOKENS].missed, 1, "without feedback the step after it counts");
}

Test(verdict, with_feedback_a_row_is_compared_up_to_a_tie) {
  config.feedback = CUSEQ_FEEDBACK_OUTPUT;
  results_floats(&want, RESULT_OUTPUTS, 1)[2 * V] = 0.9f;
  results_floats(&got, RESULT_OUTPUTS, 1)[2 * V] = 0.9f;
  results_integers(&got, RESULT_TOKENS, 1)[2] = 1;
  results_integers(&got, RESULT_TOKENS, 1)[3] = 1;
  results_floats(&got, RESULT_STATES, 1)[3 * 2] = 5;
  judge();
  cr_assert_eq(verdicts.parted, 1);
  cr_assert(!verdicts_missed(&verdicts));
  results_floats(&got, RESULT_STATES, 1)[2 * 2] = 5;
  judge();
  cr_assert(verdicts_missed(&verdicts));
}

Test(verdict, output_lengths_must_be_equal) {
  teardown();
  config.end_token = 2;
  cr_assert_eq(results_make(&got, &config, B, T, Y, RESULT_SET_ALL), 0);
  cr_assert_eq(results_make(&want, &config, B, T, Y, RESULT_SET_ALL), 0);
  for (int64_t b = 0; b < B; b++)
    *results_integers(&got, RESULT_OUTPUT_LENGTHS, b) = *results_integers(&want, RESULT_OUTPUT_LENGTHS, b) =
        Y;
  judge();
  cr_assert(!verdicts_missed(&verdicts));
  *results_integers(&got, RESULT_OUTPUT_LENGTHS, 1) = Y - 1;
  judge();
  cr_assert_eq(verdicts.arrays[RESULT_OUTPUT_LENGTHS].missed, 1);
}

Test(verdict, an_attention_only_model_has_no_tokens) {
  teardown();
  config.has_decoder = 0;
  cr_assert_eq(results_make(&got, &config, B, T, 1, RESULT_SET_ALL), 0);
  cr_assert_eq(results_make(&want, &config, B, T, 1, RESULT_SET_ALL), 0);
  results_floats(&got, RESULT_CONTEXT, 1)[3] = 1;
  judge();
  cr_assert_eq(verdicts.arrays[RESULT_CONTEXT].missed, 1);
  cr_assert_eq(verdicts.arrays[RESULT_ALPHAS].compared, B * T);
}

/* Of the public call, each array by what it is. */
Test(verdict, what_is_allowed_is_the_tolerance_of_the_model) {
  static const float kernel[4] = {1, 1, 1, 1}, zeros[4] = {0};
  static const cuseq_tensor tensors[] = {
      {"encoder.layers.0.forward.kernel", CUSEQ_DTYPE_F32, 2, {1, 4}, kernel},
      {"encoder.layers.0.forward.recurrent_kernel", CUSEQ_DTYPE_F32, 2, {1, 4}, kernel},
      {"encoder.layers.0.forward.bias", CUSEQ_DTYPE_F32, 1, {4}, zeros}};
  cuseq_model *model;
  cr_assert_eq(
      cuseq_model_create("{\"version\":1,\"encoder\":{\"features\":1,\"units\":1,\"direction\":\"forward\"},"
                         "\"attention\":{\"score\":\"dot\"}}",
                         tensors, 3, &model),
      CUSEQ_STATUS_OK);
  verdicts_allow(&verdicts, model, CUSEQ_PRECISION_FLOAT32, 7, 1, 2.0);
  cr_expect_eq(verdicts.tolerance[RESULT_ANNOTATIONS],
               2.0 * cuseq_model_tolerance(model, CUSEQ_PRECISION_FLOAT32, 7, 1, CUSEQ_RESULT_ANNOTATIONS));
  cr_expect_eq(verdicts.tolerance[RESULT_C_FW],
               2.0 * cuseq_model_tolerance(model, CUSEQ_PRECISION_FLOAT32, 7, 1, CUSEQ_RESULT_ENCODER_C));
  cr_expect_eq(verdicts.tolerance[RESULT_ALPHAS],
               2.0 * cuseq_model_tolerance(model, CUSEQ_PRECISION_FLOAT32, 7, 1, CUSEQ_RESULT_ALPHAS));
  cr_expect_gt(verdicts.tolerance[RESULT_ANNOTATIONS], 0.0);
  cuseq_model_destroy(model);
}
