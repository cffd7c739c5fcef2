/* Whole models that Keras 2 and Keras 3 saved: each line of keras/index.tsv names a file and what must become of
 * it, as make_keras_files.py tells. Run from the repository's root. */
#include "vector.h"

#include "formats/convert.h"

#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FOLDER "tests/golden/keras/"

enum { FEWEST = 120, MOST = 300 };

struct keras_case {
  char file[80];
  char npz[80];
  char expectation[80]; /* "same", "refuse WORD...", "same-or-refuse WORD..." */
};

/* Reads the index; returns how many lines it has, 0 where it cannot be read. */
static size_t read_index(struct keras_case *cases) {
  FILE *file = fopen(FOLDER "index.tsv", "r");
  size_t count = 0;
  while (file && count < MOST &&
         fscanf(file, "%79[^\t]\t%79[^\t]\t%79[^\t]\t%*[^\n]\n", cases[count].file, cases[count].npz,
                cases[count].expectation) == 3)
    count++;
  if (file)
    fclose(file);
  return count;
}

/* 1 if the text has every word behind the expectation's first. */
static int has_words(const char *text, const char *expectation) {
  char words[sizeof((struct keras_case *)0)->expectation], *rest = NULL;
  snprintf(words, sizeof words, "%s", expectation);
  strtok_r(words, " ", &rest);
  for (char *word; (word = strtok_r(NULL, " ", &rest)) != NULL;)
    if (!strstr(text, word))
      return 0;
  return 1;
}

ParameterizedTestParameters(golden_keras, file_converts_to_the_same_or_is_refused) {
  static struct keras_case cases[MOST];
  return cr_make_param_array(struct keras_case, cases, read_index(cases));
}

ParameterizedTest(struct keras_case *one, golden_keras, file_converts_to_the_same_or_is_refused) {
  static const struct {
    const char *name;
    double tolerance;
  } devices[] = {{"reference", 2e-7}, {"cpu", 3e-6}};
  char path[200];
  char *notes = NULL;
  cuseq_model *model = NULL;
  convert_set_hdf5_program(HDF5_PROGRAM);
  snprintf(path, sizeof path, FOLDER "%s", one->file);
  cuseq_status status = keras_convert(path, NULL, &model, &notes);
  free(notes);
  int may_refuse = strstr(one->expectation, "refuse") != NULL;
  if (status != CUSEQ_STATUS_OK) {
    cr_expect(may_refuse && has_words(cuseq_last_error(), one->expectation), "%s: expected \"%s\", got: %s",
              path, one->expectation, cuseq_last_error());
    cr_expect(!model, "%s: a model in spite of an error", path);
    cr_expect(strstr(cuseq_last_error(), path) == cuseq_last_error(),
              "the message does not begin with the file: %s", cuseq_last_error());
    return;
  }
  cr_assert(strncmp(one->expectation, "same", 4) == 0, "%s: converted, but should be refused: \"%s\"", path,
            one->expectation);
  snprintf(path, sizeof path, FOLDER "%s", one->npz);
  for (size_t d = 0; d < sizeof devices / sizeof *devices; d++)
    cr_expect(vector_holds(model, path, devices[d].name, devices[d].tolerance), "%s on %s: %s", one->file,
              devices[d].name, vector_report());
  cuseq_model_destroy(model);
}

Test(golden_keras, all_the_files_are_there) {
  static struct keras_case cases[MOST];
  size_t count = read_index(cases);
  cr_assert(count >= FEWEST && count < MOST, "%zu lines in " FOLDER "index.tsv", count);
}
