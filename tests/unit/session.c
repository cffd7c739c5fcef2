/* The public calls: what they check, and the states of a session. */
#include "cuseq/cuseq.h"
#include "support/random_model.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <math.h>
#include <string.h>

/* The smallest model there is: attention-only, F 2, H 1, dense(1, tanh). Weights 0.1, 0.2, ... in order. */
static const char smallest_json[] = "{\"version\":1,\"encoder\":{\"features\":2,\"units\":1},"
                                    "\"attention\":{\"score\":\"concat\",\"layers\":[{\"units\":1,"
                                    "\"activation\":\"tanh\"}]}}";

static float numbers[64];

static const cuseq_tensor smallest_tensors[] = {
    {"encoder.layers.0.forward.kernel", CUSEQ_DTYPE_F32, 2, {2, 4}, numbers},
    {"encoder.layers.0.forward.recurrent_kernel", CUSEQ_DTYPE_F32, 2, {1, 4}, numbers + 3},
    {"encoder.layers.0.forward.bias", CUSEQ_DTYPE_F32, 1, {4}, numbers + 5},
    {"encoder.layers.0.backward.kernel", CUSEQ_DTYPE_F32, 2, {2, 4}, numbers + 7},
    {"encoder.layers.0.backward.recurrent_kernel", CUSEQ_DTYPE_F32, 2, {1, 4}, numbers + 11},
    {"encoder.layers.0.backward.bias", CUSEQ_DTYPE_F32, 1, {4}, numbers + 13},
    {"attention.layers.0.kernel", CUSEQ_DTYPE_F32, 2, {4, 1}, numbers + 17},
    {"attention.layers.0.bias", CUSEQ_DTYPE_F32, 1, {1}, numbers + 19},
};

enum { SMALLEST_COUNT = sizeof smallest_tensors / sizeof *smallest_tensors };

static void numbers_fill(void) {
  for (int i = 0; i < 64; i++)
    numbers[i] = 0.1f * (float)(i % 7) - 0.25f;
}

static cuseq_model *smallest_model(void) {
  numbers_fill();
  cuseq_model *model;
  cr_assert_eq(cuseq_model_create(smallest_json, smallest_tensors, SMALLEST_COUNT, &model), CUSEQ_STATUS_OK,
               "%s", cuseq_last_error());
  return model;
}

static cuseq_session *smallest_session(const cuseq_model *model, int32_t batch, int32_t time) {
  cuseq_session_options options;
  cuseq_session_options_init(&options, sizeof options, model);
  options.device = "reference";
  options.max_batch = batch;
  options.max_time = time;
  cuseq_session *session;
  cr_assert_eq(cuseq_session_open(model, &options, &session), CUSEQ_STATUS_OK, "%s", cuseq_last_error());
  return session;
}

static void expect_error(cuseq_status got, cuseq_status want, const char *words) {
  cr_expect_eq(got, want, "status %s, wanted %s (%s)", cuseq_status_string(got), cuseq_status_string(want),
               words);
  cr_expect(strstr(cuseq_last_error(), words) != NULL, "\"%s\" does not say \"%s\"", cuseq_last_error(),
            words);
}

/* The formulas once more, in scalars: one unit, so that they can be read off the page. */
static double sigmoid(double x) {
  return 1.0 / (1.0 + exp(-x));
}

static void scalar_direction(const float *W, const float *U, const float *b, const float *x, const int *order,
                             double *h) {
  double state = 0.0, cell = 0.0;
  for (int n = 0; n < 3; n++) {
    int t = order[n];
    double z[4];
    for (int g = 0; g < 4; g++)
      z[g] = b[g] + (double)x[2 * t] * W[g] + (double)x[2 * t + 1] * W[4 + g] + state * U[g];
    cell = sigmoid(z[1]) * cell + sigmoid(z[0]) * tanh(z[2]);
    state = sigmoid(z[3]) * tanh(cell);
    h[t] = state;
  }
}

Test(session, smallest_model_gives_what_the_formulas_give) {
  cuseq_model *model = smallest_model();
  cuseq_session *session = smallest_session(model, 1, 3);
  const float x[6] = {0.5f, -1.0f, 2.0f, 0.25f, -0.75f, 1.5f};
  float annotations[6], context[2], alphas[3];
  cuseq_input input = {
      .size = sizeof(cuseq_input), .data = x, .dtype = CUSEQ_DTYPE_F32, .batch = 1, .time = 3};
  cuseq_encoding encoding = {.size = sizeof(cuseq_encoding), .annotations = annotations};
  cuseq_decoding decoding = {.size = sizeof(cuseq_decoding), .contexts = context, .alphas = alphas};
  cr_assert_eq(cuseq_run(session, &input, &encoding, &decoding), CUSEQ_STATUS_OK, "%s", cuseq_last_error());
  double fw[3], bw[3], e[3], sum = 0.0, want[2] = {0.0, 0.0};
  scalar_direction(numbers, numbers + 3, numbers + 5, x, (const int[]){0, 1, 2}, fw);
  scalar_direction(numbers + 7, numbers + 11, numbers + 13, x, (const int[]){2, 1, 0}, bw);
  const float *k = numbers + 17;
  for (int t = 0; t < 3; t++)
    sum += e[t] = exp(tanh(fw[t] * k[0] + bw[t] * k[1] + fw[2] * k[2] + bw[0] * k[3] + numbers[19]));
  for (int t = 0; t < 3; t++) {
    cr_expect(fabs(annotations[2 * t] - fw[t]) < 1e-7 && fabs(annotations[2 * t + 1] - bw[t]) < 1e-7);
    cr_expect(fabs(alphas[t] - e[t] / sum) < 1e-7);
    want[0] += e[t] / sum * fw[t];
    want[1] += e[t] / sum * bw[t];
  }
  cr_expect(fabs(context[0] - want[0]) < 1e-7 && fabs(context[1] - want[1]) < 1e-7);
  cuseq_session_close(session);
  cuseq_model_destroy(model);
}

Test(session, outlives_the_callers_hold_on_its_model) {
  cuseq_model *model = smallest_model();
  cuseq_session *session = smallest_session(model, 1, 3);
  cuseq_model_destroy(model);
  const int32_t ids[3] = {0, 1, 1};
  float alphas[3];
  cuseq_input input = {
      .size = sizeof(cuseq_input), .data = ids, .dtype = CUSEQ_DTYPE_I32, .batch = 1, .time = 3};
  cr_expect_eq(
      cuseq_run(session, &input, NULL, &(cuseq_decoding){.size = sizeof(cuseq_decoding), .alphas = alphas}),
      CUSEQ_STATUS_OK);
  cr_expect(fabs(alphas[0] + alphas[1] + alphas[2] - 1.0) < 1e-6);
  cuseq_session_close(session);
}

Test(session, options_out_of_range_are_refused) {
  cuseq_model *model = smallest_model();
  cuseq_session_options options;
  cuseq_session *session = (cuseq_session *)model;
  cuseq_session_options_init(&options, sizeof options, model);
  options.max_batch = 0;
  expect_error(cuseq_session_open(model, &options, &session), CUSEQ_STATUS_INVALID_ARGUMENT, "max_batch 0");
  cr_expect_null(session);
  cuseq_session_options_init(&options, sizeof options, model);
  options.precision = (cuseq_precision)3;
  expect_error(cuseq_session_open(model, &options, &session), CUSEQ_STATUS_INVALID_ARGUMENT,
               "there is no such precision (found 3, needed CUSEQ_PRECISION_FLOAT32, _TF32 or _BF16)");
  cuseq_session_options_init(&options, sizeof options, model);
  options.device = "abacus";
  expect_error(cuseq_session_open(model, &options, &session), CUSEQ_STATUS_NO_DEVICE,
               "there are reference, cpu");
  expect_error(cuseq_session_open(NULL, &options, &session), CUSEQ_STATUS_INVALID_ARGUMENT, "NULL");
  cuseq_model_destroy(model);
}

Test(session, a_precision_that_a_device_has_not_is_refused_in_a_line) {
  cuseq_model *model = smallest_model();
  cuseq_session_options options;
  cuseq_session *session;
  cuseq_session_options_init(&options, sizeof options, model);
  cr_expect_eq(options.precision, CUSEQ_PRECISION_FLOAT32);
  options.precision = CUSEQ_PRECISION_TF32;
  options.device = "reference";
  expect_error(cuseq_session_open(model, &options, &session), CUSEQ_STATUS_NOT_SUPPORTED,
               "device reference has no precision tf32: the reference computes in float64");
  cr_expect_null(session);
  options.device = "cpu";
  expect_error(cuseq_session_open(model, &options, &session), CUSEQ_STATUS_NOT_SUPPORTED,
               "device cpu has no precision tf32: ");
  options.device = "reference";
  options.precision = CUSEQ_PRECISION_BF16;
  expect_error(cuseq_session_open(model, &options, &session), CUSEQ_STATUS_NOT_SUPPORTED,
               "device reference has no precision bf16: the reference computes in float64");
  cuseq_model_destroy(model);
}

Test(session, precisions_have_names) {
  cr_expect_str_eq(cuseq_precision_name(CUSEQ_PRECISION_FLOAT32), "float32");
  cr_expect_str_eq(cuseq_precision_name(CUSEQ_PRECISION_TF32), "tf32");
  cr_expect_str_eq(cuseq_precision_name(CUSEQ_PRECISION_BF16), "bf16");
  cr_expect_str_eq(cuseq_precision_name((cuseq_precision)3), "?");
}

Test(session, input_beyond_the_limits_is_refused) {
  cuseq_model *model = smallest_model();
  cuseq_session *session = smallest_session(model, 2, 3);
  const float x[24] = {0};
  cuseq_input input = {
      .size = sizeof(cuseq_input), .data = x, .dtype = CUSEQ_DTYPE_F32, .batch = 3, .time = 3};
  expect_error(cuseq_encode(session, &input, NULL), CUSEQ_STATUS_INVALID_ARGUMENT,
               "batch is out of range (found 3");
  input.batch = 0;
  expect_error(cuseq_encode(session, &input, NULL), CUSEQ_STATUS_INVALID_ARGUMENT,
               "batch is out of range (found 0");
  input.batch = 2;
  input.time = 4;
  expect_error(cuseq_encode(session, &input, NULL), CUSEQ_STATUS_INVALID_ARGUMENT,
               "time is out of range (found 4");
  input.time = 3;
  input.dtype = CUSEQ_DTYPE_F16;
  expect_error(cuseq_encode(session, &input, NULL), CUSEQ_STATUS_INVALID_ARGUMENT, "wrong type");
  input.dtype = CUSEQ_DTYPE_F32;
  input.lengths = (const int32_t[]){3, 0};
  expect_error(cuseq_encode(session, &input, NULL), CUSEQ_STATUS_INVALID_ARGUMENT, "lengths: row 1");
  input.lengths = (const int32_t[]){4, 1};
  expect_error(cuseq_encode(session, &input, NULL), CUSEQ_STATUS_INVALID_ARGUMENT, "lengths: row 0");
  input.data = NULL;
  expect_error(cuseq_encode(session, &input, NULL), CUSEQ_STATUS_INVALID_ARGUMENT, "input is NULL");
  cuseq_session_close(session);
  cuseq_model_destroy(model);
}

Test(session, input_that_is_not_finite_is_refused_by_its_first_index) {
  cuseq_model *model = smallest_model();
  cuseq_session *session = smallest_session(model, 2, 3);
  float x[12] = {1, 2, 3, 4, 5, 6, 7, 8, 9, NAN, INFINITY, 12};
  cuseq_input input = {
      .size = sizeof(cuseq_input), .data = x, .dtype = CUSEQ_DTYPE_F32, .batch = 2, .time = 3};
  expect_error(cuseq_encode(session, &input, NULL), CUSEQ_STATUS_NON_FINITE, "[1,1,1]");
  input.lengths = (const int32_t[]){3, 1};
  cr_expect_eq(cuseq_encode(session, &input, NULL), CUSEQ_STATUS_OK,
               "values behind a row's length do not count");
  double wide[12] = {1, 2, 3, 4, 1e39, 6};
  input = (cuseq_input){
      .size = sizeof(cuseq_input), .data = wide, .dtype = CUSEQ_DTYPE_F64, .batch = 1, .time = 3};
  expect_error(cuseq_encode(session, &input, NULL), CUSEQ_STATUS_NON_FINITE, "too large for float32");
  const int64_t ids[3] = {0, 1, 2};
  input = (cuseq_input){
      .size = sizeof(cuseq_input), .data = ids, .dtype = CUSEQ_DTYPE_I64, .batch = 1, .time = 3};
  expect_error(cuseq_encode(session, &input, NULL), CUSEQ_STATUS_INVALID_ARGUMENT,
               "id [0,2] is out of range (found 2");
  cuseq_session_close(session);
  cuseq_model_destroy(model);
}

Test(session, attending_before_encoding_is_refused) {
  cuseq_model *model = smallest_model();
  cuseq_session *session = smallest_session(model, 1, 3);
  float context[2];
  expect_error(cuseq_attend(session, NULL, context, NULL), CUSEQ_STATUS_INVALID_ARGUMENT,
               "nothing is encoded");
  const float x[6] = {NAN};
  cuseq_input bad = {.size = sizeof(cuseq_input), .data = x, .dtype = CUSEQ_DTYPE_F32, .batch = 1, .time = 3};
  cuseq_input good = {
      .size = sizeof(cuseq_input), .data = x + 1, .dtype = CUSEQ_DTYPE_F32, .batch = 1, .time = 2};
  cr_expect_eq(cuseq_encode(session, &good, NULL), CUSEQ_STATUS_OK);
  cr_expect_eq(cuseq_attend(session, NULL, context, NULL), CUSEQ_STATUS_OK);
  cr_expect_eq(cuseq_encode(session, &bad, NULL), CUSEQ_STATUS_NON_FINITE);
  expect_error(cuseq_attend(session, NULL, context, NULL), CUSEQ_STATUS_INVALID_ARGUMENT,
               "nothing is encoded");
  cuseq_session_close(session);
  cuseq_model_destroy(model);
}

Test(session, arrays_that_a_model_does_not_have_are_refused) {
  cuseq_model *model = smallest_model();
  cuseq_session *session = smallest_session(model, 1, 3);
  const float x[6] = {0};
  float any[16];
  cuseq_input input = {
      .size = sizeof(cuseq_input), .data = x, .dtype = CUSEQ_DTYPE_F32, .batch = 1, .time = 3};
  expect_error(
      cuseq_run(session, &input, NULL, &(cuseq_decoding){.size = sizeof(cuseq_decoding), .outputs = any}),
      CUSEQ_STATUS_INVALID_ARGUMENT, "attention-only");
  expect_error(
      cuseq_run(session, &input, NULL, &(cuseq_decoding){.size = sizeof(cuseq_decoding), .steps = 2}),
      CUSEQ_STATUS_INVALID_ARGUMENT, "one step");
  cuseq_session_close(session);
  cuseq_model_destroy(model);
}

Test(session, a_refusal_names_the_call_that_was_made) {
  cuseq_model *model = smallest_model();
  cuseq_session *session = smallest_session(model, 1, 3);
  expect_error(cuseq_run(session, NULL, NULL, NULL), CUSEQ_STATUS_INVALID_ARGUMENT,
               "cuseq_run: the input is NULL");
  expect_error(cuseq_run(NULL, NULL, NULL, NULL), CUSEQ_STATUS_INVALID_ARGUMENT, "cuseq_run: the session");
  expect_error(cuseq_encode(session, NULL, NULL), CUSEQ_STATUS_INVALID_ARGUMENT,
               "cuseq_encode: the input is NULL");
  cuseq_session_close(session);
  cuseq_model_destroy(model);
}

/* F 2, H 1, S 3, V 4, fed back, for at most three rows and steps; what it starts from is given by the
 * tests. */
static cuseq_model *fed_back_model(void) {
  static const char json[] =
      "{\"version\":1,\"encoder\":{\"features\":2,\"units\":1},\"attention\":{\"score\":\"general\"},"
      "\"decoder\":{\"units\":3,\"steps\":3,\"initial_state\":\"zeros\",\"feedback\":\"output\",\"start_"
      "token\":0},"
      "\"output\":{\"units\":4}}";
  struct random random = {7};
  return random_model(json, &(struct random_widths){0}, &random);
}

static void expect_decode(cuseq_session *session, const cuseq_decoding *decoding, cuseq_status status,
                          const char *words) {
  expect_error(cuseq_decode(session, decoding), status, words);
}

Test(session, what_a_decoder_starts_from_is_checked) {
  cuseq_model *model = fed_back_model();
  cuseq_session *session = smallest_session(model, 3, 2);
  const float x[8] = {0.5f, 1.0f}, zeros[6] = {0};
  const float bad[6] = {0, 0, 0, 0, 0, NAN};
  const int32_t beyond[] = {0, 4}, below[] = {-1, 0}, good[] = {3, 0, 99}; /* the call has two rows */
  cuseq_input input = {
      .size = sizeof(cuseq_input), .data = x, .dtype = CUSEQ_DTYPE_F32, .batch = 2, .time = 2};
  cr_assert_eq(cuseq_encode(session, &input, NULL), CUSEQ_STATUS_OK, "%s", cuseq_last_error());
  expect_decode(session, &(cuseq_decoding){.size = sizeof(cuseq_decoding), .previous = beyond},
                CUSEQ_STATUS_INVALID_ARGUMENT, "previous: row 1 is out of range (found 4, needed 0 to 3)");
  expect_decode(session, &(cuseq_decoding){.size = sizeof(cuseq_decoding), .previous = below},
                CUSEQ_STATUS_INVALID_ARGUMENT, "previous: row 0 is out of range (found -1, needed 0 to 3)");
  expect_decode(session, &(cuseq_decoding){.size = sizeof(cuseq_decoding), .steps = 4},
                CUSEQ_STATUS_INVALID_ARGUMENT, "steps are out of range (found 4, needed 1 to max_steps 3)");
  expect_decode(session, &(cuseq_decoding){.size = sizeof(cuseq_decoding), .steps = -1},
                CUSEQ_STATUS_INVALID_ARGUMENT, "steps");
  expect_decode(session, &(cuseq_decoding){.size = sizeof(cuseq_decoding), .initial_h = zeros},
                CUSEQ_STATUS_INVALID_ARGUMENT, "initial_c is NULL");
  expect_decode(session, &(cuseq_decoding){.size = sizeof(cuseq_decoding), .initial_c = zeros},
                CUSEQ_STATUS_INVALID_ARGUMENT, "initial_h is NULL");
  expect_decode(session,
                &(cuseq_decoding){.size = sizeof(cuseq_decoding), .initial_h = bad, .initial_c = zeros},
                CUSEQ_STATUS_NON_FINITE, "decoder initial_h: [1,2] is not finite (found nan");
  expect_decode(session,
                &(cuseq_decoding){.size = sizeof(cuseq_decoding), .initial_h = zeros, .initial_c = bad},
                CUSEQ_STATUS_NON_FINITE, "decoder initial_c: [1,2] is not finite (found nan");
  expect_error(cuseq_attend(session, bad, NULL, NULL), CUSEQ_STATUS_NON_FINITE, "state: [1,2] is not finite");
  cuseq_decoding right = {
      .size = sizeof(cuseq_decoding), .steps = 3, .initial_h = zeros, .initial_c = zeros, .previous = good};
  cr_expect_eq(cuseq_decode(session, &right), CUSEQ_STATUS_OK, "%s", cuseq_last_error());
  cr_expect_eq(cuseq_run(session, &input, NULL, &right), CUSEQ_STATUS_OK, "%s", cuseq_last_error());
  cuseq_session_close(session);
  cuseq_model_destroy(model);
}

Test(session, what_an_encoder_starts_from_is_checked) {
  cuseq_model *model = fed_back_model();
  cuseq_session *session = smallest_session(model, 3, 3);
  const int32_t ids[] = {0, 1, 99, 1, 0, -1}, lengths[] = {2, 2};
  const float zeros[4] = {0}, bad[4] = {0, 0, 0, -INFINITY};
  cuseq_input input = {.size = sizeof(cuseq_input),
                       .data = ids,
                       .dtype = CUSEQ_DTYPE_I32,
                       .batch = 2,
                       .time = 3,
                       .lengths = lengths};
  cr_expect_eq(cuseq_encode(session, &input, NULL), CUSEQ_STATUS_OK,
               "ids behind a row's length do not count: %s", cuseq_last_error());
  input.initial_h = bad;
  expect_error(cuseq_encode(session, &input, NULL), CUSEQ_STATUS_NON_FINITE,
               "initial_h: [3,0] is not finite (found -inf");
  input.initial_h = zeros;
  input.initial_c = bad;
  expect_error(cuseq_encode(session, &input, NULL), CUSEQ_STATUS_NON_FINITE,
               "initial_c: [3,0] is not finite (found -inf");
  cuseq_session_close(session);
  cuseq_model_destroy(model);
}
