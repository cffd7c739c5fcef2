/* Models as the toolkits and tutorials of PyTorch wire them, from their state_dicts - torch.save's and the
 * safetensors package's - and a configuration: each line of arrays/index.tsv, as make_arrays.py tells. Run
 * from the repository's root. */
#include "index.h"
#include "vector.h"

#include "convert/arrays/inspect.h"
#include "convert/convert.h"
#include "formats/file.h"
#include "formats/hdf5/process.h"
#include "formats/npz.h"
#include "support/compare.h"

#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FOLDER "tests/golden/arrays/"

enum { NAME, SEARCHED, CASES = 19, BEAMS = 3 };

ParameterizedTestParameters(golden_arrays, a_structure_gives_what_pytorch_gives) {
  static struct index_line lines[INDEX_MOST];
  return cr_make_param_array(struct index_line, lines, index_read(FOLDER "index.tsv", lines));
}

/* NAME.json with NAME.ENDING. */
static cuseq_model *convert(const char *name, const char *ending) {
  char path[200];
  void *text;
  size_t size;
  cuseq_model *model;
  hdf5_process_set_program(HDF5_PROGRAM);
  snprintf(path, sizeof path, FOLDER "%s.json", name);
  cr_assert_eq(file_read(path, &text, &size), CUSEQ_STATUS_OK, "%s", cuseq_last_error());
  char *description = strndup(text, size);
  free(text);
  snprintf(path, sizeof path, FOLDER "%s.%s", name, ending);
  cuseq_status status = arrays_convert(path, &(struct convert_json){.text = description}, &model);
  free(description);
  cr_assert_eq(status, CUSEQ_STATUS_OK, "%s: %s", path, cuseq_last_error());
  return model;
}

static const struct npy_array *array_of(const struct npz *file, const char *name) {
  const struct npy_array *array = npz_find(file, name);
  cr_assert(array != NULL, "%s", name);
  return array;
}

/* The hypotheses of every row, best first. */
static void expect_beams(const cuseq_model *model, const char *name, const char *device) {
  char path[200];
  struct npz input_file, found_file;
  snprintf(path, sizeof path, FOLDER "%s.npz", name);
  cr_assert_eq(npz_read(path, &input_file), CUSEQ_STATUS_OK);
  snprintf(path, sizeof path, FOLDER "%s_beam.npz", name);
  cr_assert_eq(npz_read(path, &found_file), CUSEQ_STATUS_OK);
  const struct npy_array *x = array_of(&input_file, "input"), *want = array_of(&found_file, "tokens");
  const int32_t B = (int32_t)x->shape[0], Y = (int32_t)want->shape[2];
  const cuseq_input input = {.size = sizeof(cuseq_input),
                             .data = x->data,
                             .dtype = x->dtype == NPY_F32 ? CUSEQ_DTYPE_F32 : CUSEQ_DTYPE_I32,
                             .batch = B,
                             .time = (int32_t)x->shape[1],
                             .lengths = array_of(&input_file, "lengths")->data};
  cuseq_session_options options;
  cuseq_session_options_init(&options, sizeof options, model);
  options.device = device;
  options.max_batch = B;
  options.max_time = input.time;
  options.max_beams = BEAMS;
  cuseq_session *session;
  cr_assert_eq(cuseq_session_open(model, &options, &session), CUSEQ_STATUS_OK, "%s", cuseq_last_error());
  cr_assert_eq(cuseq_encode(session, &input, NULL), CUSEQ_STATUS_OK, "%s", cuseq_last_error());
  int32_t *tokens = calloc(want->count, sizeof *tokens),
          *lengths = calloc((size_t)B * BEAMS, sizeof *lengths);
  float *sums = calloc((size_t)B * BEAMS, sizeof *sums);
  cuseq_beam beam;
  cuseq_beam_init(&beam, sizeof beam);
  beam.beams = beam.n_best = BEAMS;
  beam.max_length = Y;
  beam.tokens = tokens;
  beam.lengths = lengths;
  beam.log_probabilities = sums;
  cr_assert_eq(cuseq_beam_search(session, &beam), CUSEQ_STATUS_OK, "%s", cuseq_last_error());
  cr_expect(compare_bytes(tokens, want->data, want->count * sizeof *tokens), "%s on %s: tokens: %s", name,
            device, compare_report());
  cr_expect(
      compare_bytes(lengths, array_of(&found_file, "lengths")->data, (size_t)B * BEAMS * sizeof *lengths),
      "%s on %s: lengths: %s", name, device, compare_report());
  cr_expect(compare_f32_f64(sums, array_of(&found_file, "sums")->data, (size_t)B * BEAMS, 1e-5),
            "%s on %s: sums: %s", name, device, compare_report());
  free(tokens);
  free(lengths);
  free(sums);
  cuseq_session_close(session);
  npz_free(&input_file);
  npz_free(&found_file);
}

ParameterizedTest(struct index_line *line, golden_arrays, a_structure_gives_what_pytorch_gives) {
  static const char *const endings[] = {"pt", "safetensors"}, *const devices[] = {"reference", "cpu"};
  char path[200];
  snprintf(path, sizeof path, FOLDER "%s.npz", line->columns[NAME]);
  for (int e = 0; e < 2; e++) {
    cuseq_model *model = convert(line->columns[NAME], endings[e]);
    for (int d = 0; d < 2; d++) {
      cr_expect(vector_holds(model, path, devices[d], 6.1e-8), "%s.%s on %s: %s", line->columns[NAME],
                endings[e], devices[d], vector_report());
      if (strcmp(line->columns[SEARCHED], "beam") == 0)
        expect_beams(model, line->columns[NAME], devices[d]);
    }
    cuseq_model_destroy(model);
  }
}

Test(golden_arrays, all_nineteen_structures_are_there) {
  static struct index_line lines[INDEX_MOST];
  cr_assert_eq(index_read(FOLDER "index.tsv", lines), CASES);
}

/* What is proposed of a checkpoint says which key is open, which part has no name or which array is left
 * over; where it says nothing, the model is the author's. */
Test(golden_arrays, a_proposal_is_refused_by_what_is_open_or_makes_the_model) {
  static const char *const open[] = {"FILL IN",       "is not an object", "is not an integer",
                                     "is not a list", "\" is missing",    "nothing in names reaches it",
                                     "has no \"",     "there is no \""};
  static struct index_line lines[INDEX_MOST];
  size_t count = index_read(FOLDER "index.tsv", lines);
  for (size_t i = 0; i < count; i++) {
    char path[200], *proposal;
    struct inspection inspection;
    cuseq_model *model;
    snprintf(path, sizeof path, FOLDER "%.100s.pt", lines[i].columns[NAME]);
    cr_assert_eq(inspection_open(path, &inspection), CUSEQ_STATUS_OK, "%s", cuseq_last_error());
    cr_assert_eq(inspection_propose(&inspection, &proposal), CUSEQ_STATUS_OK, "%s", cuseq_last_error());
    bool said = arrays_convert(path, &(struct convert_json){.text = proposal}, &model) == CUSEQ_STATUS_OK;
    for (size_t k = 0; !said && k < sizeof open / sizeof *open; k++)
      said = strstr(cuseq_last_error(), open[k]) != NULL;
    cr_expect(said, "%s: %s", path, cuseq_last_error());
    if (model != NULL) {
      snprintf(path, sizeof path, FOLDER "%.100s.npz", lines[i].columns[NAME]);
      cr_expect(vector_holds(model, path, "reference", 6.1e-8), "%s: %s", path, vector_report());
    }
    free(proposal);
    cuseq_model_destroy(model);
    inspection_close(&inspection);
  }
}

Test(golden_arrays, the_example_of_the_page_gives_what_pytorch_gives) {
  cuseq_model *model = convert("page", "pt");
  cr_expect(vector_holds(model, FOLDER "page.npz", "reference", 6.1e-8), "%s", vector_report());
  cr_expect(vector_holds(model, FOLDER "page.npz", "cpu", 0.0), "%s", vector_report());
  cuseq_model_destroy(model);
}

/* Keras numbers weights in .weights.h5 and .keras, names them in whole .h5 models; an .npz has what its
 * author called them. */
Test(golden_arrays, weights_of_keras_give_what_keras_gives_from_every_kind_of_file) {
  static const struct {
    const char *name, *ending;
  } files[] = {{"keras_numbered", "weights.h5"},
               {"keras_numbered", "keras"},
               {"keras_whole", "h5"},
               {"keras_single", "npz"}};
  static const char *const devices[] = {"reference", "cpu"};
  for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
    cuseq_model *model = convert(files[i].name, files[i].ending);
    for (int d = 0; d < 2; d++)
      cr_expect(vector_holds(model, FOLDER "keras_tagger.npz", devices[d], 6.1e-8), "%s.%s on %s: %s",
                files[i].name, files[i].ending, devices[d], vector_report());
    cuseq_model_destroy(model);
  }
}
