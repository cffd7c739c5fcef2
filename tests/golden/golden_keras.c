/* Whole models that Keras 2 and Keras 3 saved: each line of keras/index.tsv names a file and what must become
 * of it, as make_keras_files.py tells. Run from the repository's root. */
#include "index.h"
#include "vector.h"

#include "convert/convert.h"
#include "formats/hdf5/process.h"

#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FOLDER "tests/golden/keras/"

enum { FILE_NAME, NPZ_NAME, EXPECTATION, COVERS, OWN_ACTIVATIONS, FEWEST = 300 };

/* Of an encoder's file the decoder's lies beside it. */
static cuseq_status convert(const char *path, const char *own, cuseq_model **model, char **notes) {
  char decoder[220];
  const char *end = strrchr(path, '.');
  if (strstr(path, "/written_pair_") == NULL)
    return keras_convert(path, NULL, own, NULL, model, notes);
  snprintf(decoder, sizeof decoder, "%.*s_decoder%s", (int)(end - path), path, end);
  return keras_convert_pair((const char *[2]){path, decoder}, NULL, own, NULL, NULL, model, notes);
}

static void check_file(const struct index_line *line) {
  const char *expectation = line->columns[EXPECTATION];
  char path[200];
  char *notes = NULL;
  cuseq_model *model = NULL;
  hdf5_process_set_program(HDF5_PROGRAM);
  snprintf(path, sizeof path, FOLDER "%s", line->columns[FILE_NAME]);
  const char *own = line->columns[OWN_ACTIVATIONS];
  if (*own) {
    cr_expect(keras_convert(path, NULL, NULL, NULL, &model, NULL) == CUSEQ_STATUS_INVALID_MODEL &&
                  strstr(cuseq_last_error(), "--own-activation"),
              "%s: without --own-activation %s: %s", path, own, model ? "converted" : cuseq_last_error());
    cuseq_model_destroy(model);
  }
  cuseq_status status = convert(path, *own ? own : NULL, &model, &notes);
  if (status != CUSEQ_STATUS_OK) {
    const char *message = cuseq_last_error();
    cr_expect(index_may_refuse(expectation) && index_has_words(expectation, message),
              "%s: expected \"%s\", got: %s", path, expectation, message);
    cr_expect(!model, "%s: a model in spite of an error", path);
    cr_expect(strstr(message, path) == message, "the message does not begin with the file: %s", message);
    cr_expect(notes == NULL, "%s: notes beside an error", path);
    return;
  }
  if (strncmp(expectation, "same+note", 9) == 0)
    cr_expect(index_has_words(expectation, notes != NULL ? notes : ""), "%s: expected \"%s\", noted: %s",
              path, expectation, notes != NULL ? notes : "nothing");
  free(notes);
  cr_assert(index_may_convert(expectation), "%s: converted, but expected \"%s\"", path, expectation);
  snprintf(path, sizeof path, FOLDER "%s", line->columns[NPZ_NAME]);
  cr_expect(vector_holds(model, path, "reference", 2e-7), "%s on reference: %s", line->columns[FILE_NAME],
            vector_report());
  cr_expect(vector_holds(model, path, "cpu", 0.0), "%s on cpu: %s", line->columns[FILE_NAME],
            vector_report());
  cuseq_model_destroy(model);
}

ParameterizedTestParameters(golden_keras, files_convert_to_the_same_or_are_refused) {
  return cr_make_param_array(int, index_shares(), INDEX_SHARES);
}

ParameterizedTest(int *share, golden_keras, files_convert_to_the_same_or_are_refused) {
  index_check_share(FOLDER "index.tsv", *share, check_file);
}

Test(golden_keras, all_the_files_are_there) {
  static struct index_line lines[INDEX_MOST];
  size_t count = index_read(FOLDER "index.tsv", lines);
  cr_assert(count >= FEWEST && count < INDEX_MOST, "%zu lines in " FOLDER "index.tsv", count);
}
