/* Structures by chance under every way of running them: on the CPU, as the device would by itself, and with
 * each mapping forced that can run them; all against the float64 reference.
 *   structure_plans SEED COUNT [LARGEST]
 * Every structure is run as it comes and under two of the plans in turn; one that is refused is passed over,
 * but each has to have run some. */
#include "support/random_structure.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FORCED_EACH = 2 };

static const char *const plans[] = {"stages",
                                    "whole",
                                    "encoder=warp16",
                                    "encoder=warp32",
                                    "encoder=block64",
                                    "encoder=cluster128",
                                    "encoder=grid",
                                    "encoder=cell",
                                    "decoder=loop",
                                    "decoder=steps",
                                    "encoder=cell,decoder=steps"};
enum { PLANS = sizeof plans / sizeof *plans };

struct counts {
  int ran[PLANS], declined[PLANS], failures;
};

/* Whether a session of the structure opens under the plan that the environment names; any other refusal ends
 * the program. */
static bool opens(const struct random_structure *made) {
  cuseq_session_options options;
  cuseq_session *session;
  cuseq_session_options_init(&options, sizeof options, made->model);
  options.device = "cuda";
  options.max_batch = made->B > made->encoded ? made->B : made->encoded;
  options.max_time = made->T;
  options.max_steps = made->Y;
  cuseq_status status = cuseq_session_open(made->model, &options, &session);
  if (status == CUSEQ_STATUS_OK) {
    cuseq_session_close(session);
  } else if (status != CUSEQ_STATUS_NOT_SUPPORTED || strncmp(cuseq_last_error(), "cuda plan: ", 11) != 0) {
    fprintf(stderr, "structure_plans: %s\n", cuseq_last_error());
    exit(1);
  }
  return status == CUSEQ_STATUS_OK;
}

static bool agrees(const struct random_structure *made, const char *device, const char *plan,
                   const struct results *want) {
  struct results got;
  const char *name = "";
  random_structure_run(made, device, 0, &got);
  bool whole = results_guards_whole(&got, &name), close = results_close(&got, want, 1.0);
  if (!whole)
    printf("%s, %s writes outside %s: %s\n", device, plan, name, made->json);
  if (!close)
    printf("%s, %s: %s: B %d (%d encoded) T %d Y %d%s%s: %s\n", device, plan, results_report(), (int)made->B,
           (int)made->encoded, (int)made->T, (int)made->Y, made->ids ? " ids" : "",
           made->lengths ? " lengths" : "", made->json);
  results_free(&got);
  return whole && close;
}

static void check(const struct random_structure *made, int number, struct counts *counts) {
  struct results want;
  random_structure_run(made, "reference", 1, &want);
  unsetenv("CUSEQ_CUDA_PLAN");
  counts->failures += !agrees(made, "cpu", "", &want);
  counts->failures += !agrees(made, "cuda", "no plan", &want);
  for (int i = 0; i < FORCED_EACH; i++) {
    int plan = (number * FORCED_EACH + i) % PLANS;
    setenv("CUSEQ_CUDA_PLAN", plans[plan], 1);
    if (opens(made)) {
      counts->ran[plan]++;
      counts->failures += !agrees(made, "cuda", plans[plan], &want);
    } else {
      counts->declined[plan]++;
    }
  }
  results_free(&want);
}

int main(int count, char **arguments) {
  static struct counts counts;
  if (count < 3 || count > 4)
    return 2;
  struct random random = {strtoull(arguments[1], NULL, 10)};
  int structures = (int)strtol(arguments[2], NULL, 10);
  int32_t largest = count > 3 ? (int32_t)strtol(arguments[3], NULL, 10) : 9;
  for (int i = 0; i < structures; i++) {
    struct random_structure made;
    random_structure_make(&made, &random, largest);
    check(&made, i, &counts);
    random_structure_free(&made);
  }
  for (int p = 0; p < PLANS; p++) {
    /* without clusters nothing runs on pairs of blocks */
    bool may_decline = strcmp(plans[p], "encoder=cluster128") == 0;
    printf("%-28s ran %d, declined %d\n", plans[p], counts.ran[p], counts.declined[p]);
    if (counts.ran[p] == 0 && !may_decline) {
      printf("%s ran nothing\n", plans[p]);
      counts.failures++;
    }
  }
  printf("%d structures, %d failures\n", structures, counts.failures);
  return counts.failures > 0;
}
