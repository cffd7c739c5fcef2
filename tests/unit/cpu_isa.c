/* Each of the cpu backend's instruction sets, forced, does the whole work. */
#include "backends/backend.h"
#include "support/random_case.h"
#include "support/results.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static cuseq_status open_small(cuseq_session **session) {
  const char *json =
      "{\"version\":1,\"encoder\":{\"features\":3,\"units\":2},\"attention\":{\"score\":\"dot\"}}";
  const struct random_widths widths = {0};
  struct random random = {3};
  cuseq_model *model = random_model(json, &widths, &random);
  cuseq_session_options options;
  cuseq_session_options_init(&options, sizeof options, model);
  options.device = "cpu";
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
    cr_log_warn("skipped: %s", cuseq_last_error());
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
