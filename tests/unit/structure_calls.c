/* What the calls check of a version 2 model's arrays, and what the reference makes of the unusual ones. */
#include "support/random_model.h"
#include "support/results.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

enum { F = 3, V = 4, T = 5, Y = 3, B = 2 };

/* The embedded token asks; a bias for each of five positions; tokens are the caller's; V 4. */
static const char given[] =
    "{\"version\":2,\"input\":{\"features\":3},\"encoder\":{\"layers\":[{\"cell\":{\"kind\":\"gru\","
    "\"units\":2}}]},"
    "\"attention\":{\"score\":\"general\",\"asks\":\"token\",\"positions\":5},"
    "\"decoder\":{\"reads\":[\"token\",\"context\"],\"feedback\":\"given\",\"steps\":3,"
    "\"layers\":[{\"cell\":{\"kind\":\"gru\",\"units\":2}}]},"
    "\"output\":{\"layers\":[{\"units\":4,\"activation\":\"softmax\"}]}}";

/* Each step reads two numbers that are the caller's, beside its own last token. */
static const char numbers[] =
    "{\"version\":2,\"input\":{\"features\":3},\"encoder\":{\"layers\":[{\"cell\":{\"kind\":\"gru\","
    "\"units\":2}}]},"
    "\"decoder\":{\"reads\":[\"given\",\"token\"],\"given\":2,\"feedback\":\"output\",\"start_token\":0,"
    "\"steps\":3,\"layers\":[{\"cell\":{\"kind\":\"gru\",\"units\":2}}]},"
    "\"output\":{\"parts\":[\"state\",\"given\"],\"layers\":[{\"units\":4,\"activation\":\"softmax\"}]}}";

/* Heads over every position. */
static const char tagger[] =
    "{\"version\":2,\"input\":{\"features\":3},\"encoder\":{\"layers\":[{\"cell\":{\"kind\":\"gru\","
    "\"units\":2}}]},"
    "\"output\":{\"over\":\"every\",\"layers\":[{\"units\":4,\"activation\":\"softmax\"}]}}";

static cuseq_model *model;
static cuseq_session *session;
static float input[B * (T + 1) * F], outputs[B * (T + 1) * V], log_probabilities[B * Y];

static void open_session(const char *json) {
  struct random random = {11};
  cuseq_session_options options;
  model = random_model(json, NULL, &random);
  cuseq_session_options_init(&options, sizeof options, model);
  options.device = "reference";
  options.precision = results_precision("reference");
  options.max_batch = B;
  options.max_time = T + 1;
  cr_assert_eq(cuseq_session_open(model, &options, &session), CUSEQ_STATUS_OK, "%s", cuseq_last_error());
}

static void close_session(void) {
  cuseq_session_close(session);
  cuseq_model_destroy(model);
}

static cuseq_status run(int32_t time, const cuseq_decoding *decoding) {
  const cuseq_input in = {
      .size = sizeof(cuseq_input), .data = input, .dtype = CUSEQ_DTYPE_F32, .batch = B, .time = time};
  return cuseq_run(session, &in, NULL, decoding);
}

static void expect_refused(cuseq_status got, const char *words) {
  cr_expect_eq(got, CUSEQ_STATUS_INVALID_ARGUMENT, "%s: %s", cuseq_status_string(got), words);
  cr_expect(strstr(cuseq_last_error(), words) != NULL, "\"%s\" does not say \"%s\"", cuseq_last_error(),
            words);
}

Test(structure_calls, more_positions_than_have_a_bias_are_refused) {
  open_session(given);
  cr_expect_eq(run(T, NULL), CUSEQ_STATUS_OK, "%s", cuseq_last_error());
  expect_refused(run(T + 1, NULL), "time is out of range (found 6, needed 1 to attention.positions 5)");
  close_session();
}

Test(structure_calls, attending_by_a_token_that_nobody_gives_is_refused) {
  static const float token[B * V] = {1, [V + 1] = 1};
  float context[B * 2];
  open_session(given);
  cr_expect_eq(cuseq_model_config(model)->query_width, V);
  cr_assert_eq(run(T, NULL), CUSEQ_STATUS_OK, "%s", cuseq_last_error());
  expect_refused(cuseq_attend(session, NULL, context, NULL), "the model has no start token");
  cr_expect_eq(cuseq_attend(session, token, context, NULL), CUSEQ_STATUS_OK, "%s", cuseq_last_error());
  close_session();
}

Test(structure_calls, given_tokens_are_checked_as_far_as_they_count) {
  static const int32_t previous[B] = {0, 1}, good[B * Y] = {0, 1, 2, 3, -9, 99},
                       bad[B * Y] = {0, 1, 2, 3, 4, 0};
  static const int32_t lengths[B] = {3, 1}, beyond[B] = {1, 4}, none[B] = {1, 0};
  open_session(given);
  cuseq_decoding decoding = {.size = sizeof(cuseq_decoding),
                             .previous = previous,
                             .targets = good,
                             .target_lengths = lengths,
                             .outputs = outputs};
  cr_expect_eq(run(T, &decoding), CUSEQ_STATUS_OK, "%s", cuseq_last_error());
  decoding.target_lengths = NULL;
  expect_refused(run(T, &decoding), "targets: [1,1] is out of range (found -9, needed 0 to 3)");
  decoding.targets = bad;
  expect_refused(run(T, &decoding), "targets: [1,1] is out of range (found 4, needed 0 to 3)");
  decoding.target_lengths = beyond;
  expect_refused(run(T, &decoding), "target_lengths: row 1 is out of range (found 4, needed 1 to 3)");
  decoding.target_lengths = none;
  expect_refused(run(T, &decoding), "target_lengths: row 1 is out of range (found 0, needed 1 to 3)");
  decoding.targets = NULL;
  expect_refused(run(T, &decoding),
                 "targets are NULL (the model's feedback is \"given\": the caller's tokens)");
  decoding = (cuseq_decoding){.size = sizeof(cuseq_decoding), .targets = good, .target_lengths = lengths};
  expect_refused(run(T, &decoding), "previous is NULL (the model has no start token)");
  close_session();
}

/* Probabilities are fed back; without attention. */
static const char fed[] =
    "{\"version\":2,\"input\":{\"features\":3},\"encoder\":{\"layers\":[{\"cell\":{\"kind\":\"gru\","
    "\"units\":2}}]},"
    "\"decoder\":{\"reads\":[\"token\"],\"feedback\":\"probabilities\",\"steps\":3,"
    "\"layers\":[{\"cell\":{\"kind\":\"gru\",\"units\":2}}]},"
    "\"output\":{\"layers\":[{\"units\":4,\"activation\":\"softmax\"}]}}";

/* The outputs of a decoding of one step after another. */
static void outputs_of(int32_t steps, const int32_t *previous, const float *initial_fed, float *to) {
  const cuseq_decoding decoding = {.size = sizeof(cuseq_decoding),
                                   .steps = steps,
                                   .previous = previous,
                                   .initial_fed = initial_fed,
                                   .outputs = to};
  cr_assert_eq(run(T, &decoding), CUSEQ_STATUS_OK, "%s", cuseq_last_error());
}

Test(structure_calls, probabilities_begin_as_zeros_a_tokens_or_given_ones) {
  static const int32_t tokens[B] = {2, 3}, others[B] = {0, 1};
  static const float zeros[B * V], hot[B * V] = {[2] = 1, [V + 3] = 1};
  float want[B * V], got[B * V], none[B * V];
  open_session(fed);
  for (int i = 0; i < B * (T + 1) * F; i++)
    input[i] = (float)(i % 7) - 3;
  outputs_of(1, NULL, NULL, none);
  outputs_of(1, NULL, zeros, got);
  cr_expect(memcmp(got, none, sizeof got) == 0, "without a start token they are zeros");
  outputs_of(1, tokens, NULL, want);
  outputs_of(1, NULL, hot, got);
  cr_expect(memcmp(got, want, sizeof got) == 0, "a token's are all its own");
  cr_expect(memcmp(got, none, sizeof got) != 0);
  outputs_of(1, others, hot, got);
  cr_expect(memcmp(got, want, sizeof got) == 0, "beside given ones no token is looked at");
  close_session();
}

Test(structure_calls, a_target_is_followed_by_what_is_all_its_own_and_an_output_by_itself) {
  static const int32_t targets[B * 2] = {3, 1, 0, 2};
  static const float zeros[B * V];
  float whole[B * 2 * V], step[B * V], handed[B * V];
  open_session(fed);
  cuseq_decoding decoding = {.size = sizeof(cuseq_decoding), .steps = 2, .targets = targets};
  decoding.outputs = whole, decoding.final_fed = handed;
  cr_assert_eq(run(T, &decoding), CUSEQ_STATUS_OK, "%s", cuseq_last_error());
  for (int i = 0; i < B * V; i++)
    cr_expect(handed[i] == (i == 1 || i == V + 2), "%d", i);
  decoding.targets = NULL;
  cr_assert_eq(run(T, &decoding), CUSEQ_STATUS_OK, "%s", cuseq_last_error());
  for (int i = 0; i < B * V; i++)
    cr_expect_eq(handed[i], whole[(i / V * 2 + 1) * V + i % V]);
  decoding = (cuseq_decoding){
      .size = sizeof(cuseq_decoding), .steps = 1, .initial_fed = zeros, .outputs = step, .final_fed = handed};
  cr_assert_eq(run(T, &decoding), CUSEQ_STATUS_OK, "%s", cuseq_last_error());
  for (int i = 0; i < B * V; i++)
    cr_expect(handed[i] == step[i] && step[i] == whole[i / V * 2 * V + i % V], "%d", i);
  close_session();
}

Test(structure_calls, rows_are_taken_by_decode_alone_and_name_encoded_rows) {
  static const int32_t previous[B] = {0, 1}, targets[B * Y], good[B] = {1, 1}, bad[B] = {0, 2};
  open_session(given);
  cuseq_decoding decoding = {.size = sizeof(cuseq_decoding),
                             .batch = B,
                             .rows = good,
                             .previous = previous,
                             .targets = targets,
                             .outputs = outputs};
  expect_refused(run(T, &decoding), "rows must be NULL (cuseq_decode takes them, after cuseq_encode)");
  cr_assert_eq(run(T, NULL), CUSEQ_STATUS_OK, "%s", cuseq_last_error());
  cr_expect_eq(cuseq_decode(session, &decoding), CUSEQ_STATUS_OK, "%s", cuseq_last_error());
  decoding.rows = bad;
  expect_refused(cuseq_decode(session, &decoding), "rows: row 1 is out of range (found 2, needed 0 to 1)");
  decoding.batch = B + 1;
  expect_refused(cuseq_decode(session, &decoding),
                 "the decoding's batch is out of range (found 3, needed 1 to max_batch x max_beams, 2)");
  decoding.rows = NULL;
  expect_refused(cuseq_decode(session, &decoding),
                 "the decoding's batch needs `rows` (found 3 rows, 2 are encoded)");
  close_session();
}

Test(structure_calls, arrays_that_a_model_does_not_have_are_refused) {
  static float floats[64];
  static int32_t tokens[64];
  const struct {
    const char *json;
    cuseq_decoding decoding;
    const char *words;
  } rows[] = {
      {given, {.final_c = floats}, "decoder final_c must be NULL (no layer of the decoder is an lstm)"},
      {given,
       {.final_fed = floats},
       "final_fed must be NULL (a step of the model hands nothing on but states"},
      {tagger, {.given = floats}, "given must be NULL (the model's steps are given no numbers)"},
      {given, {.given = floats}, "given must be NULL (the model's steps are given no numbers)"},
      {tagger, {.contexts = floats}, "contexts must be NULL (the model has no attention)"},
      {tagger, {.states = floats}, "states must be NULL (the model has no decoder)"},
      {tagger, {.targets = tokens}, "targets must be NULL (the model feeds no tokens back)"},
      {tagger,
       {.initial_h = floats},
       "decoder initial_h must be NULL (nothing in the model has such a state)"},
      {tagger, {.log_probabilities = floats}, "log_probabilities must be NULL (it needs a decoder"},
      {tagger, {.steps = 3}, "a model without a decoder makes a step for each position (found 3 steps)"},
  };
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    cuseq_decoding decoding = rows[i].decoding;
    decoding.size = sizeof decoding;
    open_session(rows[i].json);
    expect_refused(run(T, &decoding), rows[i].words);
    close_session();
  }
}

/* softmax is 0 here even in float64; the logarithm of it is a number that a float32 holds. */
Test(structure_calls, the_logarithm_of_a_tiny_probability_is_a_number) {
  static const int32_t previous[B], targets[B * Y];
  open_session(given);
  size_t count = cuseq_model_tensor_count(model);
  cuseq_tensor tensors[32];
  for (size_t i = 0; i < count; i++)
    cr_assert_eq(cuseq_model_tensor(model, i, &tensors[i]), CUSEQ_STATUS_OK);
  cr_assert_str_eq(tensors[count - 1].name, "output.layers.0.bias");
  float bias[V] = {-2000.0f};
  tensors[count - 1].data = bias;
  cuseq_model *steep;
  cr_assert_eq(cuseq_model_create(given, tensors, count, &steep), CUSEQ_STATUS_OK, "%s", cuseq_last_error());
  close_session();
  model = steep;
  cuseq_session_options options;
  cuseq_session_options_init(&options, sizeof options, model);
  options.device = "reference";
  options.precision = results_precision("reference");
  options.max_batch = B;
  options.max_time = T;
  cr_assert_eq(cuseq_session_open(model, &options, &session), CUSEQ_STATUS_OK, "%s", cuseq_last_error());
  const cuseq_decoding decoding = {.size = sizeof(cuseq_decoding),
                                   .previous = previous,
                                   .targets = targets,
                                   .outputs = outputs,
                                   .log_probabilities = log_probabilities};
  cr_assert_eq(run(T, &decoding), CUSEQ_STATUS_OK, "%s", cuseq_last_error());
  for (int i = 0; i < B * Y; i++) {
    cr_expect_eq(outputs[(size_t)i * V], 0.0f);
    cr_expect(log_probabilities[i] < -1990.0f && log_probabilities[i] > -2010.0f, "%.9g",
              (double)log_probabilities[i]);
  }
  close_session();
}

/* Columns 0 and 1 hold ids of one table, column 2 a number. */
static const char columns[] =
    "{\"version\":2,\"input\":{\"features\":3,\"lookups\":[{\"column\":0,\"columns\":2,\"ids\":6,\"units\":2}"
    "]},"
    "\"encoder\":{\"layers\":[{\"cell\":{\"kind\":\"gru\",\"units\":2}}]},"
    "\"output\":{\"over\":\"every\",\"layers\":[{\"units\":4,\"activation\":\"softmax\"}]}}";

Test(structure_calls, a_column_of_ids_takes_whole_numbers_of_its_table_alone) {
  const cuseq_decoding decoding = {.size = sizeof(cuseq_decoding), .outputs = outputs};
  open_session(columns);
  memset(input, 0, sizeof input);
  cr_expect_eq(run(T, &decoding), CUSEQ_STATUS_OK, "%s", cuseq_last_error());
  input[F * T + 4] = 2.5F;
  expect_refused(run(T, &decoding), "input: [1,1,1] is no id (found 2.5, needed a whole number from 0 to 5)");
  input[F * T + 4] = 6;
  expect_refused(run(T, &decoding), "[1,1,1] is no id (found 6");
  input[F * T + 4] = -1;
  expect_refused(run(T, &decoding), "[1,1,1] is no id (found -1");
  input[F * T + 4] = NAN;
  expect_refused(run(T, &decoding), "[1,1,1] is no id");
  close_session();
}

Test(structure_calls, a_column_of_ids_is_not_looked_at_behind_a_rows_end_and_its_row_is_read_before) {
  static const int32_t lengths[B] = {T, 1};
  const cuseq_decoding decoding = {.size = sizeof(cuseq_decoding), .outputs = outputs};
  float other[B * T * V];
  open_session(columns);
  memset(input, 0, sizeof input);
  input[F * T + 4] = NAN; /* row 1, position 1 */
  cuseq_input in = {.size = sizeof(cuseq_input),
                    .data = input,
                    .dtype = CUSEQ_DTYPE_F32,
                    .batch = B,
                    .time = T,
                    .lengths = lengths};
  cr_assert_eq(cuseq_run(session, &in, NULL, &decoding), CUSEQ_STATUS_OK, "%s", cuseq_last_error());
  memcpy(other, outputs, sizeof other);
  input[0] = 5; /* another id at the first position: other outputs there */
  cr_assert_eq(cuseq_run(session, &in, NULL, &decoding), CUSEQ_STATUS_OK, "%s", cuseq_last_error());
  cr_expect_neq(other[0], outputs[0], "%g", (double)outputs[0]);
  cr_expect_eq(other[T * V], outputs[T * V], "the other row's: %g, %g", (double)other[T * V],
               (double)outputs[T * V]);
  close_session();
}

Test(structure_calls, numbers_of_each_step_are_needed_and_checked_as_far_as_they_count) {
  enum { G = 2 };
  static const int32_t targets[B * Y], lengths[B] = {3, 1};
  float steps[B * Y * G] = {0.5f, -1, 2}, other[B * Y * V];
  open_session(numbers);
  cr_expect_eq(cuseq_model_config(model)->given_width, G);
  cuseq_decoding decoding = {.size = sizeof(cuseq_decoding), .outputs = outputs};
  expect_refused(run(T, &decoding), "given is NULL (the model's steps read numbers: needed [2,3,2])");
  decoding.steps = 1;
  expect_refused(run(T, &decoding), "given is NULL (the model's steps read numbers: needed [2,1,2])");
  decoding.steps = 0;
  decoding.given = steps;
  cr_assert_eq(run(T, &decoding), CUSEQ_STATUS_OK, "%s", cuseq_last_error());
  memcpy(other, outputs, sizeof other);
  steps[(1 * Y + 2) * G + 1] = 7; /* row 1, the last step */
  cr_assert_eq(run(T, &decoding), CUSEQ_STATUS_OK, "%s", cuseq_last_error());
  cr_expect(memcmp(other, outputs, (B * Y - 1) * V * sizeof *other) == 0);
  cr_expect(memcmp(other, outputs, sizeof other) != 0);
  steps[(1 * Y + 2) * G + 1] = NAN;
  cr_expect_eq(run(T, &decoding), CUSEQ_STATUS_NON_FINITE);
  cr_expect_str_eq(cuseq_last_error(), "given: [1,2,1] is not finite (found nan, needed finite numbers)");
  decoding.targets = targets;
  cr_expect_eq(run(T, &decoding), CUSEQ_STATUS_NON_FINITE);
  decoding.target_lengths = lengths;
  cr_expect_eq(run(T, &decoding), CUSEQ_STATUS_OK, "%s", cuseq_last_error());
  steps[0] = -INFINITY;
  cr_expect_eq(run(T, &decoding), CUSEQ_STATUS_NON_FINITE);
  cr_expect_str_eq(cuseq_last_error(), "given: [0,0,0] is not finite (found -inf, needed finite numbers)");
  close_session();
}

Test(structure_calls, numbers_of_each_step_are_not_searched_over) {
  const cuseq_beam beam = {.size = sizeof(cuseq_beam), .beams = 1, .n_best = 1, .alpha = 1};
  open_session(numbers);
  cr_assert_eq(run(T, NULL), CUSEQ_STATUS_OK, "%s", cuseq_last_error());
  expect_refused(cuseq_beam_search(session, &beam), "each step of the decoder is given numbers");
  close_session();
}
