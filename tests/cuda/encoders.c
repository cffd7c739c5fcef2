/* Encoders of every structure on the device, against the float64 reference: the backend's own calls, so that
 * models run whatever follows their encoder. */
#include "backends/backend.h"
#include "backends/cuda_loader.h"
#include "support/compare.h"
#include "support/random_structure.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Random weights, through cells of gain 1.7 that need not saturate, err more than trained ones, of which the
 * tolerance is. */
static const double room = 8.0;

/* Of sessions of cuda. */
static cuseq_precision precision = CUSEQ_PRECISION_FLOAT32;

static struct backend_input input_of(const struct random_structure *made) {
  return (struct backend_input){.ids = made->ids,
                                .f32 = made->x,
                                .batch = made->encoded,
                                .time = made->T,
                                .lengths = made->lengths,
                                .initial_h = made->start_h,
                                .initial_c = made->start_c};
}

static void *opened(const struct backend *backend, const struct random_structure *made, const char *plan) {
  const struct backend_limits limits = {.batch = made->encoded,
                                        .time = made->T,
                                        .steps = made->Y,
                                        .beams = 1,
                                        .threads = 1,
                                        .precision = backend == &backend_reference ? CUSEQ_PRECISION_FLOAT32
                                                                                   : precision,
                                        .cuda_plan = plan};
  void *state = NULL;
  cr_assert_eq(backend->open(made->model, &limits, "cuda:0", &state), CUSEQ_STATUS_OK, "%s: %s",
               cuseq_last_error(), made->json);
  return state;
}

static cuseq_status encode(const struct backend *backend, const struct random_structure *made,
                           const char *plan, int times, struct results *results) {
  const struct backend_input input = input_of(made);
  results_make_rows(results, made->model, made->encoded, made->B, made->T, made->Y);
  results_precise(results, precision);
  void *state = opened(backend, made, plan);
  cuseq_status status = CUSEQ_STATUS_OK;
  for (int i = 0; i < times && status == CUSEQ_STATUS_OK; i++)
    status = backend->encode(state, &input, &results->encoding);
  backend->close(state);
  return status;
}

static void judge(const struct random_structure *made, const char *plan) {
  struct results want, got;
  const char *name;
  cr_assert_eq(encode(&backend_reference, made, NULL, 1, &want), CUSEQ_STATUS_OK, "%s", cuseq_last_error());
  cr_assert_eq(encode(&backend_cuda, made, plan, 2, &got), CUSEQ_STATUS_OK, "%s: %s", cuseq_last_error(),
               made->json);
  cr_expect(results_guards_whole(&got, &name), "it writes outside %s: %s", name, made->json);
  for (int i = 0; i < RESULTS_FIRST_DECODED; i++) {
    const struct results_floats *a = &got.floats[i];
    if (a->data)
      cr_expect(compare_f32(a->data, want.floats[i].data, a->rows * a->columns, room * a->tolerance),
                "%s: %s: B %d T %d%s%s%s: %s", a->name, compare_report(), (int)made->encoded, (int)made->T,
                made->ids ? " ids" : "", made->lengths ? " lengths" : "", made->start_h ? " states" : "",
                made->json);
  }
  results_free(&got);
  results_free(&want);
}

static bool is_there(void) {
  char why[256];
  if (cuda_device_count(why, sizeof why) > 0)
    return true;
  fprintf(stderr, "skipped: %s\n", why);
  return false;
}

static void judge_many(uint64_t seed, int count, int32_t largest, const char *plan) {
  struct random random = {seed};
  for (int i = 0; i < count && is_there(); i++) {
    struct random_structure made;
    random_structure_make(&made, &random, largest);
    judge(&made, plan);
    random_structure_free(&made);
  }
}

Test(encoders, any_small_encoder_agrees_with_the_reference) {
  judge_many(201, 200, 9, NULL);
}

Test(encoders, any_encoder_of_middle_size_agrees_with_the_reference) {
  judge_many(202, 40, 40, NULL);
}

Test(encoders, every_size_of_one_agrees_with_the_reference) {
  judge_many(203, 60, 1, NULL);
}

Test(encoders, any_encoder_step_by_step_agrees_with_the_reference) {
  judge_many(204, 60, 20, "encoder=cell");
}

/* A structure with a head over the mean, so that every layer is needed. */
static void judge_text(const char *input, const char *layers, int32_t largest, int32_t time,
                       const char *plan) {
  if (!is_there())
    return;
  char json[RANDOM_STRUCTURE_JSON];
  struct random random = {7};
  struct random_structure made;
  snprintf(json, sizeof json,
           "{\"version\":2,\"input\":{%s},\"encoder\":{\"layers\":[%s]},\"output\":{\"over\":\"mean\","
           "\"layers\":[{"
           "\"units\":3,\"activation\":\"softmax\"}]}}",
           input, layers);
  random_structure_of(&made, json, &random, largest, time, 1);
  judge(&made, plan);
  random_structure_free(&made);
}

static const char *const mappings[] = {"encoder=warp16", "encoder=warp32", "encoder=block64",
                                       "encoder=cluster128", "encoder=grid"};

/* Layers that every mapping can run: small ones of the usual activations, either cell. */
Test(encoders, every_mapping_forced_agrees_with_the_reference) {
  static const char layers[] =
      "{\"cell\":{\"kind\":\"gru\",\"units\":13},\"direction\":\"bidirectional\"},"
      "{\"cell\":{\"kind\":\"lstm\",\"units\":9,\"recurrent_activation\":\"hard_sigmoid\"},\"direction\":"
      "\"backward\"},"
      "{\"cell\":{\"kind\":\"gru\",\"units\":16,\"activation\":\"relu\",\"recurrent_bias\":false},"
      "\"backward_cell\":{\"kind\":\"lstm\",\"units\":16},\"direction\":\"bidirectional\",\"merge\":\"sum\"},"
      "{\"cell\":{\"kind\":\"gru\",\"units\":16,\"bias\":false},\"direction\":\"backward\",\"residual\":"
      "true}";
  char text[256];
  const char *capability = NULL;
  if (is_there()) {
    cuda_device_describe(0, text, sizeof text);
    capability = strstr(text, "compute capability ");
  }
  for (int i = 0; capability && i < 5; i++) {
    bool has_clusters = strtol(capability + strlen("compute capability "), NULL, 10) >= 9;
    if (i != 3 || has_clusters)
      judge_text("\"features\":11", layers, 7, 9, mappings[i]);
  }
}

Test(encoders, an_embedding_too_large_to_fold_is_looked_up) {
  judge_text("\"features\":3000,\"embedding\":20",
             "{\"cell\":{\"kind\":\"lstm\",\"units\":32},\"direction\":\"bidirectional\"}", 5, 12, NULL);
  judge_text("\"features\":3000,\"embedding\":140", "{\"cell\":{\"kind\":\"gru\",\"units\":40}}", 5, 12,
             NULL);
}

Test(encoders, wide_layers_of_unlike_cells_agree_with_the_reference) {
  judge_text("\"features\":30",
             "{\"cell\":{\"kind\":\"lstm\",\"units\":150},\"backward_cell\":{\"kind\":\"gru\",\"units\":70},"
             "\"direction\":\"bidirectional\"},{\"cell\":{\"kind\":\"gru\",\"units\":220},\"residual\":true},"
             "{\"cell\":{\"kind\":\"gru\",\"units\":130,\"reset\":\"before\"},\"direction\":\"backward\"},"
             "{\"cell\":{\"kind\":\"lstm\",\"units\":200},\"direction\":\"backward\",\"dense\":{\"units\":33,"
             "\"activation\":\"tanh\"}}",
             9, 11, NULL);
}

/* Layers that attend to themselves with maps too wide for launch_attention_keys' own kernel, and contexts of
 * several blocks; and with layered energies. */
static const char attending[] =
    "{\"cell\":{\"kind\":\"lstm\",\"units\":150},\"direction\":\"bidirectional\",\"self_attention\":{"
    "\"score\":"
    "\"dot\",\"heads\":2,\"scale\":0.08,\"key\":{\"units\":288},\"query\":{\"units\":288},\"value\":{"
    "\"units\":"
    "600},\"beside\":true},\"dense\":{\"units\":90}},"
    "{\"cell\":{\"kind\":\"gru\",\"units\":80},\"self_attention\":{\"score\":\"additive\",\"units\":70}},"
    "{\"cell\":{\"kind\":\"gru\",\"units\":300},\"self_attention\":{\"score\":\"general\",\"scale\":0.05}}";

Test(encoders, wide_layers_that_attend_to_themselves_agree_with_the_reference) {
  judge_text("\"features\":30", attending, 3, 17, NULL);
}

/* Of inner products one launch; of layered energies a launch for some positions where rows are long. */
Test(encoders, the_plan_tells_how_layers_attend_to_themselves) {
  static const struct {
    const char *layers, *words;
    int32_t time;
  } plans[] = {
      {"{\"cell\":{\"kind\":\"gru\",\"units\":4},\"self_attention\":{\"score\":\"general\"}}",
       "(not one launch: a layer of the encoder attends to itself)\nencoder layer 0: warp16, one launch\n"
       "encoder layer 0, self-attention: one launch\n",
       700},
      {"{\"cell\":{\"kind\":\"gru\",\"units\":4},\"self_attention\":{\"score\":\"additive\",\"units\":3}}",
       "self-attention: one launch\n", 500},
      {"{\"cell\":{\"kind\":\"gru\",\"units\":4},\"self_attention\":{\"score\":\"additive\",\"units\":3}}",
       "self-attention: a launch for every 1024 positions that ask\n", 700},
  };
  for (size_t i = 0; i < sizeof plans / sizeof *plans && is_there(); i++) {
    char json[RANDOM_STRUCTURE_JSON], text[1024];
    struct random random = {7};
    struct random_structure made;
    snprintf(json, sizeof json,
             "{\"version\":2,\"input\":{\"features\":3},\"encoder\":{\"layers\":[%s]},\"output\":{\"over\":"
             "\"mean\","
             "\"layers\":[{\"units\":3}]}}",
             plans[i].layers);
    random_structure_of(&made, json, &random, 2, 3, 1);
    made.T = plans[i].time;
    void *state = opened(&backend_cuda, &made, NULL);
    backend_cuda.plan(state, text, sizeof text);
    cr_expect(strstr(text, plans[i].words), "%s", text);
    backend_cuda.close(state);
    random_structure_free(&made);
  }
}

/* Whether the device has no tensor cores for the precision; then it has to say so. */
static bool is_refused(void) {
  struct random_structure made;
  struct random random = {3};
  random_structure_make(&made, &random, 8);
  const struct backend_limits limits = {
      .batch = 1, .time = 1, .steps = 1, .beams = 1, .threads = 1, .precision = precision};
  void *state = NULL;
  const cuseq_status status = backend_cuda.open(made.model, &limits, "cuda:0", &state);
  const bool refused = status == CUSEQ_STATUS_NOT_SUPPORTED &&
                       strstr(cuseq_last_error(), "the device has no tensor cores for it (needed compute "
                                                  "capability 8.0)") != NULL;
  cr_expect(refused || status == CUSEQ_STATUS_OK, "%s", cuseq_last_error());
  if (status == CUSEQ_STATUS_OK)
    backend_cuda.close(state);
  random_structure_free(&made);
  return refused;
}

Test(encoders, wide_layers_agree_with_the_reference_in_tf32_and_in_bf16_or_are_refused) {
  if (!is_there())
    return;
  for (precision = CUSEQ_PRECISION_TF32; precision <= CUSEQ_PRECISION_BF16; precision++) {
    if (is_refused())
      continue;
    judge_text("\"features\":30",
               "{\"cell\":{\"kind\":\"lstm\",\"units\":150},\"direction\":\"bidirectional\"},"
               "{\"cell\":{\"kind\":\"gru\",\"units\":220},\"dense\":{\"units\":33,\"activation\":\"tanh\"}},"
               "{\"cell\":{\"kind\":\"gru\",\"units\":130,\"reset\":\"before\"},\"direction\":\"backward\"}",
               9, 11, NULL);
    judge_text("\"features\":30", attending, 3, 17, NULL);
    judge_many(205, 10, 40, "encoder=cell");
  }
}

/* What leaves float32's range is told of the row and the stage that the reference tells of. */
static void judge_fault(const char *layers, float weight) {
  char json[RANDOM_STRUCTURE_JSON];
  struct random random = {11};
  struct random_structure made;
  snprintf(
      json, sizeof json,
      "{\"version\":2,\"input\":{\"features\":3},\"encoder\":{\"layers\":[%s]},\"output\":{\"over\":\"mean\","
      "\"layers\":[{\"units\":3}]}}",
      layers);
  random_structure_of(&made, json, &random, 6, 5, 1);
  while (!made.x) { /* ids are too small to overflow */
    random_structure_free(&made);
    random_structure_of(&made, json, &random, 6, 5, 1);
  }
  for (int32_t i = 0; i < made.encoded * made.T * 3; i++)
    made.x[i] = i / (made.T * 3) == made.encoded / 2 ? weight : 0.01f;
  struct results want, got;
  char text[512];
  cr_assert_eq(encode(&backend_reference, &made, NULL, 1, &want), CUSEQ_STATUS_NON_FINITE, "%s", json);
  snprintf(text, sizeof text, "%s", cuseq_last_error());
  cr_expect_eq(encode(&backend_cuda, &made, NULL, 1, &got), CUSEQ_STATUS_NON_FINITE, "%s", json);
  cr_expect_str_eq(cuseq_last_error(), text, "%s", json);
  results_free(&got);
  results_free(&want);
  random_structure_free(&made);
}

Test(encoders, what_leaves_the_range_is_told_of_its_row_and_stage) {
  if (!is_there())
    return;
  judge_fault("{\"cell\":{\"kind\":\"gru\",\"units\":4,\"activation\":\"exponential\"}}", 200.0f);
  judge_fault(
      "{\"cell\":{\"kind\":\"lstm\",\"units\":3,\"activation\":\"linear\"},\"residual\":true,\"dense\":{"
      "\"units\":5,\"activation\":\"exponential\"}}",
      300.0f);
  judge_fault(
      "{\"cell\":{\"kind\":\"gru\",\"units\":3},\"residual\":true,\"dense\":{\"units\":16,\"activation\":"
      "\"exponential\"}}",
      1000.0f);
  judge_fault(
      "{\"cell\":{\"kind\":\"gru\",\"units\":3},\"residual\":true,\"self_attention\":{\"score\":\"dot\"}}",
      1e20f);
  /* and what an activation behind it would hide */
  judge_fault(
      "{\"cell\":{\"kind\":\"gru\",\"units\":3},\"residual\":true,\"self_attention\":{\"score\":\"dot\"},"
      "\"dense\":{\"units\":4,\"activation\":\"relu\"}}",
      1e20f);
  judge_fault(
      "{\"cell\":{\"kind\":\"gru\",\"units\":3},\"residual\":true,\"self_attention\":{\"score\":\"concat\","
      "\"layers\":[{\"units\":9,\"activation\":\"exponential\"},{\"units\":1}]}}",
      1000.0f);
}

Test(encoders, an_encoder_that_no_mapping_runs_refuses_a_forced_one) {
  if (!is_there())
    return;
  struct random random = {3};
  struct random_structure made;
  random_structure_of(
      &made,
      "{\"version\":2,\"input\":{\"features\":3},\"encoder\":{\"layers\":[{\"cell\":{\"kind\":\"gru\","
      "\"units\":4,\"reset\":\"before\"}}]},\"output\":{\"over\":\"final\",\"layers\":[{\"units\":3}]}}",
      &random, 3, 4, 1);
  const struct backend_limits limits = {
      .batch = 3, .time = 4, .steps = 1, .beams = 1, .cuda_plan = "encoder=grid"};
  void *state = NULL;
  cr_expect_eq(backend_cuda.open(made.model, &limits, "cuda:0", &state), CUSEQ_STATUS_NOT_SUPPORTED);
  cr_expect(strstr(cuseq_last_error(), "found encoder.layers.0: gru with reset before, H 4"), "%s",
            cuseq_last_error());
  random_structure_free(&made);
}

/* Where rows or lengths are on the device, nobody has looked for one-hot rows. */
Test(encoders, dense_rows_that_nobody_looked_at_are_refused_where_there_is_an_embedding) {
  if (!is_there())
    return;
  struct random random = {5};
  struct random_structure made;
  static const float x[2 * 3 * 4];
  random_structure_of(
      &made,
      "{\"version\":2,\"input\":{\"features\":4,\"embedding\":3},\"encoder\":{\"layers\":[{\"cell\":{"
      "\"kind\":\"gru\",\"units\":4}}]},\"output\":{\"over\":\"final\",\"layers\":[{\"units\":3}]}}",
      &random, 3, 3, 1);
  void *state = opened(&backend_cuda, &made, NULL);
  const struct backend_input input = {.f32 = x, .batch = 1, .time = 3};
  const cuseq_encoding encoding = {.size = sizeof encoding};
  cr_expect_eq(backend_cuda.encode(state, &input, &encoding), CUSEQ_STATUS_INVALID_ARGUMENT);
  cr_expect(strstr(cuseq_last_error(), "the model has an embedding: needed token ids"), "%s",
            cuseq_last_error());
  backend_cuda.close(state);
  random_structure_free(&made);
}
