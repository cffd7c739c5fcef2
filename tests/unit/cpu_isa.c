/* Each of the cpu backend's instruction sets, forced, does the whole work. */
#include "backends/backend.h"
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
