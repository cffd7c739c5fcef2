/* Version 2 configurations with something changed in them: each is refused with a line, or it is a model
 * that runs. */
#include "model/config.h"
#include "model/model.h"
#include "support/random_structure.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MUTATIONS = 6000, LARGEST = 5 };

/* Whether the configuration is one; what it is refused with is a line. */
static bool accepted(const char *json) {
  cuseq_model *plan = calloc(1, sizeof *plan);
  cuseq_status status = config_parse(json, strlen(json), plan);
  if (status != CUSEQ_STATUS_OK) {
    cr_expect_eq(status, CUSEQ_STATUS_INVALID_MODEL, "%s: %s", cuseq_last_error(), json);
    cr_expect(strncmp(cuseq_last_error(), "configuration: ", 15) == 0, "%s: %s", cuseq_last_error(), json);
  }
  atomic_init(&plan->references, 1);
  cuseq_model_destroy(plan);
  return status == CUSEQ_STATUS_OK;
}

Test(structure_mutations, each_is_refused_with_a_line_or_runs) {
  struct random random = {72};
  int ran = 0;
  for (int i = 0; i < MUTATIONS; i++) {
    char json[RANDOM_STRUCTURE_JSON];
    int32_t T = 1 + random_below(&random, LARGEST);
    random_structure_json(&random, LARGEST, T, 2, json);
    if (i % 4 == 0)
      random_structure_json_give(json, &random, LARGEST);
    for (int32_t m = random_below(&random, 3); m >= 0; m -= 2)
      random_structure_mutate(json, &random, LARGEST);
    if (!accepted(json))
      continue;
    struct random_structure made;
    struct results got;
    const char *outside;
    random_structure_of(&made, json, &random, LARGEST, T, 2);
    int32_t positions = made.model->structure.attention.positions,
            only = structure_time(&made.model->structure);
    if ((positions == 0 || positions >= T) && (only == 0 || only == T)) {
      random_structure_run(&made, "reference", 1, &got);
      cr_expect(results_guards_whole(&got, &outside), "writes outside %s: %s", outside, json);
      results_free(&got);
      ran++;
    }
    random_structure_free(&made);
  }
  cr_expect(ran > MUTATIONS / 5 && ran < MUTATIONS / 5 * 4, "%d of %d ran", ran, MUTATIONS);
}
