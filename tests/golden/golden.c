/* Models in cuseq's format against what Keras and PyTorch compute from them: models/NAME.safetensors beside
 * models/NAME.npz, each on each device. Run from the repository's root. */
#include "vector.h"

#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <glob.h>
#include <stdio.h>
#include <string.h>

/* The reference computes in float64 and rounds to float32 once: by half a unit in the last place.
 */
static const struct {
  const char *name;
  double tolerance;
} devices[] = {{"reference", 6.1e-8}, {"cpu", 3e-6}};

enum { DEVICES = sizeof devices / sizeof *devices, FEWEST = 52, MOST = 200 };

struct golden_case {
  char path[200]; /* without its ending */
  int32_t device;
};

ParameterizedTestParameters(golden, model_gives_what_its_framework_computed) {
  static struct golden_case cases[DEVICES * MOST];
  size_t count = 0;
  glob_t found;
  if (glob("tests/golden/models/*.safetensors", 0, NULL, &found) == 0) {
    for (size_t i = 0; i < found.gl_pathc && i < MOST; i++)
      for (int32_t d = 0; d < DEVICES; d++, count++) {
        snprintf(cases[count].path, sizeof cases[count].path, "%s", found.gl_pathv[i]);
        *strrchr(cases[count].path, '.') = 0;
        cases[count].device = d;
      }
    globfree(&found);
  }
  return cr_make_param_array(struct golden_case, cases, count);
}

ParameterizedTest(struct golden_case *one, golden, model_gives_what_its_framework_computed) {
  char path[220];
  cuseq_model *model;
  snprintf(path, sizeof path, "%s.safetensors", one->path);
  cr_assert(cuseq_model_load(path, &model) == CUSEQ_STATUS_OK, "%s", cuseq_last_error());
  snprintf(path, sizeof path, "%s.npz", one->path);
  cr_expect(vector_holds(model, path, devices[one->device].name, devices[one->device].tolerance),
            "%s on %s: %s", path, devices[one->device].name, vector_report());
  cuseq_model_destroy(model);
}

Test(golden, all_the_models_are_there) {
  glob_t found;
  cr_assert(glob("tests/golden/models/*.safetensors", 0, NULL, &found) == 0,
            "run from the repository's root");
  cr_assert(found.gl_pathc >= FEWEST && found.gl_pathc <= MOST, "%zu models", found.gl_pathc);
  globfree(&found);
}
