/* ONNX models that PyTorch's exporters wrote, with what ONNX Runtime computes from them: each line of
 * onnx/index.tsv, as make_onnx.py tells. Run from the repository's root. */
#include "index.h"
#include "vector.h"

#include "convert/convert.h"

#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FOLDER "tests/golden/onnx/"

enum { FILE_NAME, DECODER, NPZ_NAME, START_AND_STEPS, EXPECTATION, FEWEST = 40 };

/* ONNX Runtime computes in float32. */
static const double rounding = 3e-6;

static void check_file(const struct index_line *line) {
  const char *expectation = line->columns[EXPECTATION];
  char first[200], second[200], vector[200];
  const char *const paths[2] = {first, second};
  size_t count = line->columns[DECODER][0] != '\0' ? 2 : 1;
  struct convert_decoder decoder = {.start_token = -1, .end_token = -1};
  cuseq_model *model = NULL;
  char *notes = NULL;
  snprintf(first, sizeof first, FOLDER "%s", line->columns[FILE_NAME]);
  snprintf(second, sizeof second, FOLDER "%s", line->columns[DECODER]);
  snprintf(vector, sizeof vector, FOLDER "%s", line->columns[NPZ_NAME]);
  if (count == 2)
    cr_assert(sscanf(line->columns[START_AND_STEPS], "%d %d", &decoder.start_token, &decoder.steps) == 2);
  cuseq_status status = onnx_convert(paths, count, NULL, &decoder, NULL, &model, &notes);
  if (status != CUSEQ_STATUS_OK) {
    cr_expect(index_may_refuse(expectation) && index_has_words(expectation, cuseq_last_error()),
              "%s: expected \"%s\", got: %s", first, expectation, cuseq_last_error());
    cr_expect(!model && !notes, "%s: a model or notes in spite of an error", first);
    return;
  }
  cr_assert(index_may_convert(expectation), "%s: converted, but expected \"%s\"", first, expectation);
  cr_expect(vector_holds(model, vector, "reference", rounding), "%s on reference: %s", vector,
            vector_report());
  cr_expect(vector_holds(model, vector, "cpu", 0.0), "%s on cpu: %s", vector, vector_report());
  free(notes);
  cuseq_model_destroy(model);
}

ParameterizedTestParameters(golden_onnx, files_convert_to_the_same_or_are_refused) {
  return cr_make_param_array(int, index_shares(), INDEX_SHARES);
}

ParameterizedTest(int *share, golden_onnx, files_convert_to_the_same_or_are_refused) {
  index_check_share(FOLDER "index.tsv", *share, check_file);
}

Test(golden_onnx, all_the_files_are_there) {
  static struct index_line lines[INDEX_MOST];
  size_t count = index_read(FOLDER "index.tsv", lines);
  cr_assert(count >= FEWEST && count < INDEX_MOST, "%zu lines in " FOLDER "index.tsv", count);
}
