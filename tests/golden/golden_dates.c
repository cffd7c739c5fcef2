/* The date model: what lies in models/ is what examples/dates/dates.keras converts to, it reads what people
 * write, and the public model of the same exercise, saved by Keras 2, gives its dates. Run from the
 * repository's root. */
#include "convert/convert.h"
#include "formats/hdf5/process.h"
#include "formats/npy.h"
#include "support/compare.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MODEL "models/dates.safetensors"
#define DATA "../shared/data/"

enum { LENGTH = 30, STEPS = 10 };

static const char *const devices[] = {"reference", "cpu"};

static char *text_of(const char *path) {
  FILE *file = fopen(path, "r");
  cr_assert(file != NULL, "%s", path);
  char *text = calloc(1, 1 << 16);
  size_t size = fread(text, 1, (1 << 16) - 1, file);
  cr_assert(size > 0 && feof(file), "%s", path);
  fclose(file);
  return text;
}

static cuseq_model *converted(const char *path, const char *own_activations) {
  cuseq_model *model;
  char *vocabulary = text_of("examples/dates/vocabulary.json");
  hdf5_process_set_program(HDF5_PROGRAM);
  cr_assert(keras_convert(path, &(struct convert_json){.text = vocabulary}, own_activations, NULL, &model,
                          NULL) == CUSEQ_STATUS_OK,
            "%s", cuseq_last_error());
  free(vocabulary);
  return model;
}

static cuseq_model *loaded(void) {
  cuseq_model *model;
  cr_assert(cuseq_model_load(MODEL, &model) == CUSEQ_STATUS_OK, "%s", cuseq_last_error());
  return model;
}

static cuseq_session *session_on(const cuseq_model *model, const char *device, int32_t batch) {
  cuseq_session_options options;
  cuseq_session *session;
  cuseq_session_options_init(&options, sizeof options, model);
  options.device = device;
  options.max_batch = batch;
  options.max_time = LENGTH;
  cr_assert(cuseq_session_open(model, &options, &session) == CUSEQ_STATUS_OK, "%s", cuseq_last_error());
  return session;
}

static void read_text(cuseq_session *session, const cuseq_model *model, const char *text, char date[64]) {
  int32_t ids[LENGTH], length, tokens[STEPS];
  cr_assert(cuseq_text_encode(model, text, 0, ids, &length, NULL) == CUSEQ_STATUS_OK, "%s",
            cuseq_last_error());
  cr_assert(length == LENGTH, "padded with <pad> to %d", LENGTH);
  cuseq_input input = {
      .size = sizeof(cuseq_input), .data = ids, .dtype = CUSEQ_DTYPE_I32, .batch = 1, .time = length};
  cuseq_decoding decoding = {.size = sizeof(cuseq_decoding), .tokens = tokens};
  cr_assert(cuseq_run(session, &input, NULL, &decoding) == CUSEQ_STATUS_OK, "%s", cuseq_last_error());
  cr_assert(cuseq_text_decode(model, tokens, STEPS, date, 64) == CUSEQ_STATUS_OK, "%s", cuseq_last_error());
}

Test(golden_dates, model_is_what_the_keras_file_converts_to) {
  cuseq_model *got = converted("examples/dates/dates.keras", NULL), *want = loaded();
  cr_assert(cuseq_model_tensor_count(got) == cuseq_model_tensor_count(want));
  for (size_t i = 0; i < cuseq_model_tensor_count(want); i++) {
    cuseq_tensor a, b;
    cuseq_model_tensor(got, i, &a);
    cuseq_model_tensor(want, i, &b);
    cr_assert_str_eq(a.name, b.name);
    cr_assert(a.rank == b.rank && memcmp(a.shape, b.shape, (size_t)b.rank * sizeof *b.shape) == 0, "%s",
              b.name);
    size_t bytes = sizeof(float);
    for (int32_t d = 0; d < b.rank; d++)
      bytes *= (size_t)b.shape[d];
    cr_expect(compare_bytes(a.data, b.data, bytes), "%s: %s", b.name, compare_report());
  }
  cr_expect(memcmp(cuseq_model_config(got), cuseq_model_config(want), sizeof(cuseq_config)) == 0);
  for (int32_t i = 0; i < cuseq_model_config(want)->input_symbols; i++)
    cr_expect_str_eq(cuseq_model_input_symbol(got, i), cuseq_model_input_symbol(want, i));
  cuseq_model_destroy(got);
  cuseq_model_destroy(want);
}

/* dates.tsv: a text, a tab, its date. */
Test(golden_dates, model_reads_what_people_write) {
  cuseq_model *model = loaded();
  for (size_t d = 0; d < sizeof devices / sizeof *devices; d++) {
    cuseq_session *session = session_on(model, devices[d], 1);
    char *pairs = text_of("tests/golden/dates.tsv"), *rest = pairs, date[64];
    int count = 0;
    for (char *line; (line = strsep(&rest, "\n")) != NULL && *line; count++) {
      const char *text = strsep(&line, "\t");
      read_text(session, model, text, date);
      cr_expect_str_eq(date, line, "'%s' on %s: got %s, want %s", text, devices[d], date, line);
    }
    cr_expect(count >= 100, "%d texts", count);
    free(pairs);
    cuseq_session_close(session);
  }
  cuseq_model_destroy(model);
}

/* The rows of the user's own array through a model. */
static void expect_the_rows(const cuseq_model *model, const struct npy_array *rows) {
  static const char *const want[] = {"1993-03-13", "1970-07-26", "2015-12-12", "1986-08-18", "1990-07-07"};
  cr_assert(rows->rank == 3 && rows->shape[0] == 5 && rows->shape[1] == LENGTH && rows->dtype == NPY_F64);
  for (size_t d = 0; d < sizeof devices / sizeof *devices; d++) {
    cuseq_session *session = session_on(model, devices[d], 5);
    cuseq_input input = {.size = sizeof(cuseq_input),
                         .data = rows->data,
                         .dtype = CUSEQ_DTYPE_F64,
                         .batch = 5,
                         .time = LENGTH};
    int32_t tokens[5][STEPS];
    char date[64];
    cuseq_decoding decoding = {.size = sizeof(cuseq_decoding), .tokens = tokens[0]};
    cr_assert(cuseq_run(session, &input, NULL, &decoding) == CUSEQ_STATUS_OK, "%s", cuseq_last_error());
    for (int row = 0; row < 5; row++) {
      cr_assert(cuseq_text_decode(model, tokens[row], STEPS, date, sizeof date) == CUSEQ_STATUS_OK);
      cr_expect_str_eq(date, want[row], "row %d on %s: got %s, want %s", row, devices[d], date, want[row]);
    }
    cuseq_session_close(session);
  }
}

/* With a plain sigmoid in place of Keras 2's hard one, 3 May 1979 comes out as 1979-05-33. */
Test(golden_dates, array_of_one_hot_rows_gives_its_dates_with_both_models) {
  struct npy_array rows;
  if (npy_read(DATA "dates_onehot.npy", &rows) != CUSEQ_STATUS_OK)
    cr_skip_test("%s", cuseq_last_error());
  cuseq_model *model = loaded(), *keras2 = converted(DATA "dates_keras2.h5", "softmax=softmax_axis1");
  expect_the_rows(model, &rows);
  expect_the_rows(keras2, &rows);
  for (size_t d = 0; d < sizeof devices / sizeof *devices; d++) {
    char date[64];
    cuseq_session *session = session_on(keras2, devices[d], 1);
    read_text(session, keras2, "3 May 1979", date);
    cr_expect_str_eq(date, "1979-05-03", "on %s: got %s", devices[d], date);
    cuseq_session_close(session);
  }
  cuseq_model_destroy(keras2);
  cuseq_model_destroy(model);
  npy_free(&rows);
}
