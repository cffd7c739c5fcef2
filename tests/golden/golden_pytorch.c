/* PyTorch checkpoints with the configurations that name their modules: each line of pytorch/index.tsv, as
 * make_pytorch.py tells; and random ones, random_*, that tests/random/descriptions/golden.py wrote. Run from
 * the repository's root. */
#include "index.h"
#include "vector.h"

#include "convert/convert.h"
#include "support/compare.h"

#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FOLDER "tests/golden/pytorch/"
#define MODELS "tests/golden/models/"

enum { CHECKPOINT, CONFIGURATION, NPZ_NAME, EXPECTATION, FEWEST = 100 };

/* The text of a file, for free(). */
static char *text_of(const char *path) {
  FILE *file = fopen(path, "r");
  cr_assert(file != NULL, "%s", path);
  size_t capacity = 1 << 16;
  char *text = malloc(capacity);
  size_t size = fread(text, 1, capacity - 1, file);
  cr_assert(feof(file), "%s: longer than expected", path);
  fclose(file);
  text[size] = 0;
  return text;
}

/* The converter's tensors are, bit by bit, those that make_pytorch.py made without it. */
static void expect_same_tensors(const cuseq_model *model, const char *npz_name) {
  char path[200];
  cuseq_model *by_hand;
  snprintf(path, sizeof path, MODELS "%s", npz_name);
  snprintf(strrchr(path, '.'), 16, ".safetensors");
  cr_assert(cuseq_model_load(path, &by_hand) == CUSEQ_STATUS_OK, "%s", cuseq_last_error());
  cr_assert(cuseq_model_tensor_count(model) == cuseq_model_tensor_count(by_hand), "%s", path);
  for (size_t i = 0; i < cuseq_model_tensor_count(model); i++) {
    cuseq_tensor got, want;
    cuseq_model_tensor(model, i, &got);
    cuseq_model_tensor(by_hand, i, &want);
    size_t bytes = sizeof(float);
    cr_assert(strcmp(got.name, want.name) == 0 && got.rank == want.rank, "%s: %s for %s", path, got.name,
              want.name);
    for (int32_t d = 0; d < want.rank; d++) {
      cr_assert(got.shape[d] == want.shape[d], "%s: the shape of %s", path, want.name);
      bytes *= (size_t)want.shape[d];
    }
    cr_expect(compare_bytes(got.data, want.data, bytes), "%s: %s: %s", path, want.name, compare_report());
  }
  cuseq_model_destroy(by_hand);
}

static void check_file(const struct index_line *line) {
  const char *expectation = line->columns[EXPECTATION];
  char path[200];
  cuseq_model *model = NULL;
  snprintf(path, sizeof path, FOLDER "%s", line->columns[CONFIGURATION]);
  char *config = text_of(path);
  snprintf(path, sizeof path, FOLDER "%s", line->columns[CHECKPOINT]);
  cuseq_status status = arrays_convert(path, &(struct convert_json){.text = config}, &model);
  free(config);
  if (status != CUSEQ_STATUS_OK) {
    cr_expect(index_may_refuse(expectation) && index_has_words(expectation, cuseq_last_error()),
              "%s: expected \"%s\", got: %s", path, expectation, cuseq_last_error());
    cr_expect(!model, "%s: a model in spite of an error", path);
    return;
  }
  cr_assert(index_may_convert(expectation), "%s: converted, but expected \"%s\"", path, expectation);
  bool random = strncmp(line->columns[NPZ_NAME], "random_", 7) == 0; /* there is no model made by hand */
  if (!random)
    expect_same_tensors(model, line->columns[NPZ_NAME]);
  snprintf(path, sizeof path, "%s%s", random ? FOLDER : MODELS, line->columns[NPZ_NAME]);
  cr_expect(vector_holds(model, path, "reference", 6.1e-8), "%s on reference: %s", path, vector_report());
  cr_expect(vector_holds(model, path, "cpu", 0.0), "%s on cpu: %s", path, vector_report());
  cuseq_model_destroy(model);
}

ParameterizedTestParameters(golden_pytorch, checkpoints_convert_to_the_same_or_are_refused) {
  return cr_make_param_array(int, index_shares(), INDEX_SHARES);
}

ParameterizedTest(int *share, golden_pytorch, checkpoints_convert_to_the_same_or_are_refused) {
  index_check_share(FOLDER "index.tsv", *share, check_file);
}

Test(golden_pytorch, all_the_checkpoints_are_there) {
  static struct index_line lines[INDEX_MOST];
  size_t count = index_read(FOLDER "index.tsv", lines);
  cr_assert(count >= FEWEST && count < INDEX_MOST, "%zu lines in " FOLDER "index.tsv", count);
}
