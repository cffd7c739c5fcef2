/* Each of the cpu backend's instruction sets, forced, does the whole work. */
#include "backends/backend.h"
#include "support/compare.h"
#include "support/random_case.h"
#include "support/results.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static cuseq_precision precision; /* float32 where a test does not say so */

static cuseq_model *small_model(void) {
  const char *json =
      "{\"version\":1,\"encoder\":{\"features\":3,\"units\":2},\"attention\":{\"score\":\"dot\"}}";
  const struct random_widths widths = {0};
  struct random random = {3};
  return random_model(json, &widths, &random);
}

static cuseq_status open_small(cuseq_session **session) {
  cuseq_model *model = small_model();
  cuseq_session_options options;
  cuseq_session_options_init(&options, sizeof options, model);
  options.device = "cpu";
  options.precision = precision;
  cuseq_status status = cuseq_session_open(model, &options, session);
  cuseq_model_destroy(model);
  return status;
}

Test(cpu_isa, an_unknown_instruction_set_is_an_error) {
  cuseq_session *session;
  setenv("CUSEQ_CPU_ISA", "abacus", 1);
  cr_expect_eq(open_small(&session), CUSEQ_STATUS_NO_DEVICE);
  cr_expect_null(session);
  cr_expect(strstr(cuseq_last_error(), "found \"abacus\", needed avx512, avx2 or portable") != NULL, "%s",
            cuseq_last_error());
  setenv("CUSEQ_CPU_ISA", "", 1);
  cr_expect_eq(open_small(&session), CUSEQ_STATUS_OK, "%s", cuseq_last_error());
  cuseq_session_close(session);
}

/* What opening in bf16 says on an instruction set. */
static cuseq_status open_bf16(const char *isa) {
  cuseq_session *session;
  setenv("CUSEQ_CPU_ISA", isa, 1);
  precision = CUSEQ_PRECISION_BF16;
  const cuseq_status status = open_small(&session);
  cr_expect_eq(status == CUSEQ_STATUS_OK, session != NULL);
  if (session)
    cr_expect_eq(cuseq_session_precision(session), CUSEQ_PRECISION_BF16);
  cuseq_session_close(session);
  return status;
}

Test(cpu_isa, bf16_is_refused_with_what_the_processor_or_the_choice_lacks) {
  char text[128];
  backend_cpu_describe(text, sizeof text);
  const bool has = strstr(text, "with BF16") != NULL;
  cr_expect_eq(open_bf16(""), has ? CUSEQ_STATUS_OK : CUSEQ_STATUS_NOT_SUPPORTED, "%s", cuseq_last_error());
  cr_expect_eq(open_bf16("portable"), CUSEQ_STATUS_NOT_SUPPORTED);
  cr_expect(strstr(cuseq_last_error(),
                   has ? "device cpu has no precision bf16: CUSEQ_CPU_ISA chooses portable, which has none "
                         "(needed avx512)"
                       : "device cpu has no precision bf16: this processor lacks AVX-512 BF16 (found ") !=
                NULL,
            "%s", cuseq_last_error());
}

/* Sessions share a model's packed weights, but not across precisions. */
Test(cpu_isa, sessions_of_two_precisions_of_one_model_do_not_disturb_each_other) {
  enum { T = 4, A = 4 };
  static const float x[T * 3] = {0.3f, -0.2f, 0.9f, 0.1f, 0.7f, -0.6f, 0.5f, 0.4f, -0.8f, 0.2f, -0.1f, 0.6f};
  cuseq_session *sessions[3] = {NULL};
  float annotations[3][T * A];
  const cuseq_precision precisions[3] = {CUSEQ_PRECISION_FLOAT32, CUSEQ_PRECISION_BF16,
                                         CUSEQ_PRECISION_FLOAT32};
  cuseq_model *model = small_model();
  setenv("CUSEQ_CPU_ISA", "", 1);
  if (open_bf16("") != CUSEQ_STATUS_OK)
    cr_skip_test("%s", cuseq_last_error());
  for (int i = 0; i < 3; i++) {
    cuseq_session_options options;
    cuseq_session_options_init(&options, sizeof options, model);
    options.device = "cpu";
    options.max_time = T;
    options.precision = precisions[i];
    cr_assert_eq(cuseq_session_open(model, &options, &sessions[i]), CUSEQ_STATUS_OK, "%s",
                 cuseq_last_error());
    const cuseq_input input = {
        .size = sizeof(cuseq_input), .data = x, .dtype = CUSEQ_DTYPE_F32, .batch = 1, .time = T};
    const cuseq_encoding encoding = {.size = sizeof(cuseq_encoding), .annotations = annotations[i]};
    cr_assert_eq(cuseq_encode(sessions[i], &input, &encoding), CUSEQ_STATUS_OK, "%s", cuseq_last_error());
  }
  cr_expect_eq(memcmp(annotations[0], annotations[2], sizeof *annotations), 0);
  cr_expect_neq(memcmp(annotations[0], annotations[1], sizeof *annotations), 0);
  for (int i = 0; i < 3; i++)
    cuseq_session_close(sessions[i]);
  cuseq_model_destroy(model);
}

/* ---- what bf16 rounds ---- */

static float of_word(uint32_t word) {
  float x;
  memcpy(&x, &word, sizeof x);
  return x;
}

static uint32_t word_of(float x) {
  uint32_t word;
  memcpy(&word, &x, sizeof word);
  return word;
}

/* To the nearest bf16, ties to even. */
static float to_bf16(float x) {
  const uint32_t word = word_of(x);
  return of_word((word + 0x7fffu + (word >> 16 & 1u)) & 0xffff0000u);
}

/* Numbers by chance; every third lies in the middle of two of bf16's. */
static void fill(float *x, size_t count, struct random *random) {
  for (size_t i = 0; i < count; i++) {
    x[i] = random_between(random, -1.0f, 1.0f);
    if (i % 3 == 0)
      x[i] = of_word((word_of(x[i]) & 0xffff0000u) | 0x8000u);
  }
}

static float *rounded(const float *x, size_t count) {
  float *made = malloc(count * sizeof *made);
  for (size_t i = 0; i < count; i++)
    made[i] = to_bf16(x[i]);
  return made;
}

/* A model of such weights, and one of the kernels rounded. */
static void models_make(const char *json, struct random *random, cuseq_model *models[2]) {
  cuseq_model *drawn = random_model(json, NULL, random);
  const size_t count = cuseq_model_tensor_count(drawn);
  cuseq_tensor *tensors[2] = {calloc(count, sizeof **tensors), calloc(count, sizeof **tensors)};
  for (size_t i = 0; i < count; i++) {
    size_t size = 1;
    cr_assert_eq(cuseq_model_tensor(drawn, i, &tensors[0][i]), CUSEQ_STATUS_OK);
    for (int32_t k = 0; k < tensors[0][i].rank; k++)
      size *= (size_t)tensors[0][i].shape[k];
    float *data = malloc(size * sizeof *data);
    fill(data, size, random);
    tensors[0][i].data = data;
    tensors[1][i] = tensors[0][i];
    if (strstr(tensors[0][i].name, "kernel"))
      tensors[1][i].data = rounded(data, size);
  }
  for (int m = 0; m < 2; m++)
    cr_assert_eq(cuseq_model_create(json, tensors[m], count, &models[m]), CUSEQ_STATUS_OK, "%s",
                 cuseq_last_error());
  for (size_t i = 0; i < count; i++) {
    if (tensors[1][i].data != tensors[0][i].data)
      free((void *)tensors[1][i].data);
    free((void *)tensors[0][i].data);
  }
  free(tensors[0]);
  free(tensors[1]);
  cuseq_model_destroy(drawn);
}

/* One position of a layer in bf16 against the reference of factors that were rounded before: as near as
 * float32 is. */
static void check_rounded(const char *cell, int32_t F, int32_t H, int32_t B, bool ids,
                          struct random *random) {
  char json[400];
  snprintf(json, sizeof json,
           "{\"version\":2,\"input\":{\"features\":%d},\"encoder\":{\"layers\":[{\"cell\":{%s,\"units\":%d},"
           "\"direction\":\"bidirectional\"}]},\"output\":{\"over\":\"final\",\"layers\":[{\"units\":1}]}}",
           (int)F, cell, (int)H);
  cuseq_model *models[2];
  models_make(json, random, models);
  const size_t states = 2 * (size_t)B * (size_t)H, inputs = (size_t)B * (size_t)F;
  float *x[2] = {malloc(inputs * sizeof(float))}, *h[2] = {malloc(states * sizeof(float))},
        *c = malloc(states * sizeof *c);
  int32_t *symbols = malloc((size_t)B * sizeof *symbols);
  fill(x[0], inputs, random);
  fill(h[0], states, random);
  fill(c, states, random);
  if (strstr(cell, "gru")) { /* whose h goes on as it is, too */
    float *kept = rounded(h[0], states);
    free(h[0]);
    h[0] = kept;
  }
  x[1] = rounded(x[0], inputs);
  h[1] = rounded(h[0], states);
  for (int32_t b = 0; b < B; b++)
    symbols[b] = random_below(random, F);
  struct results results[2];
  for (int m = 0; m < 2; m++) {
    const cuseq_input input = {.size = sizeof(cuseq_input),
                               .data = ids ? (const void *)symbols : x[m],
                               .dtype = ids ? CUSEQ_DTYPE_I32 : CUSEQ_DTYPE_F32,
                               .batch = B,
                               .time = 1,
                               .initial_h = h[m],
                               .initial_c = c};
    results_make(&results[m], models[m], B, 1, 1);
    results_precise(&results[m], CUSEQ_PRECISION_BF16);
    results_run(&results[m], models[m], m == 0 ? "cpu" : "reference", 1, &input);
  }
  const double allowed =
      cuseq_model_tolerance(models[1], CUSEQ_PRECISION_FLOAT32, 1, 0, CUSEQ_RESULT_ANNOTATIONS);
  cr_expect(compare_f32(results[0].encoding.annotations, results[1].encoding.annotations, states, allowed),
            "%s, F %d, H %d, B %d%s: %s", cell, (int)F, (int)H, (int)B, ids ? ", ids" : "", compare_report());
  for (int m = 0; m < 2; m++) {
    results_free(&results[m]);
    free(x[m]);
    free(h[m]);
    cuseq_model_destroy(models[m]);
  }
  free(c);
  free(symbols);
}

Test(cpu_isa, bf16_is_float32_of_factors_rounded_to_the_nearest_even) {
  static const int32_t sizes[][2] = {{1, 1}, {2, 3}, {3, 16}, {7, 17}, {33, 40}, {96, 63}, {129, 130}};
  struct random random = {71};
  if (open_bf16("") != CUSEQ_STATUS_OK)
    cr_skip_test("%s", cuseq_last_error());
  for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
    for (int32_t B = 1; B <= 14; B += i < 5 ? 1 : 6)
      for (int ids = 0; ids < 2; ids++) {
        check_rounded("\"kind\":\"lstm\"", sizes[i][0], sizes[i][1], B, ids, &random);
        check_rounded("\"kind\":\"gru\",\"reset\":\"after\"", sizes[i][0], sizes[i][1], B, ids, &random);
      }
}

Test(cpu_isa, the_description_names_instruction_set_and_cores) {
  char text[64], cut[5];
  backend_cpu_describe(text, sizeof text);
  cr_expect(strstr(text, ", ") && strstr(text, " core"), "\"%s\"", text);
  backend_cpu_describe(cut, sizeof cut);
  cr_expect_eq(strlen(cut), 4);
  backend_cpu_describe(NULL, 0);
}

/* Any configuration of the design against the float64 reference. */
static void check_isa(const char *isa) {
  cuseq_session *session;
  setenv("CUSEQ_CPU_ISA", isa, 1);
  if (open_small(&session) != CUSEQ_STATUS_OK) {
    cr_log_info("skipped: %s", cuseq_last_error());
    return;
  }
  cuseq_session_close(session);
  struct random random = {21};
  for (int i = 0; i < 150; i++) {
    struct random_case made;
    struct results got, want;
    const char *name;
    random_case_make(&made, &random, i % 3 == 0 ? 35 : 12);
    cuseq_input input = random_case_input(&made);
    results_make(&got, made.model, made.B, made.T, made.Y);
    results_make(&want, made.model, made.B, made.T, made.Y);
    results_run(&want, made.model, "reference", 1, &input);
    results_run(&got, made.model, "cpu", 1 + i % 3, &input);
    cr_expect(results_guards_whole(&got, &name), "%s writes outside %s: %s", isa, name, made.json);
    cr_expect(results_close(&got, &want, 1.0), "%s: %s: %s", isa, results_report(), made.json);
    results_free(&got);
    results_free(&want);
    random_case_free(&made);
  }
}

Test(cpu_isa, avx512_agrees_with_the_reference) {
  check_isa("avx512");
}

Test(cpu_isa, avx2_agrees_with_the_reference) {
  check_isa("avx2");
}

Test(cpu_isa, portable_agrees_with_the_reference) {
  check_isa("portable");
}
