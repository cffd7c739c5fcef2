/* The public model of the "translate dates" exercise, saved whole by Keras 2.1.3. Its recurrent activation is
 * Keras 2's hard sigmoid; with another one the last date comes out wrong. Run from the repository's root. */
#include "convert/convert.h"
#include "cuseq/cuseq.h"
#include "formats/hdf5/process.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char path[] = "../shared/data/dates_keras2.h5";

enum { LENGTH = 30, STEPS = 10 };

/* The ids of a text, by the order of the model's symbols; padded. */
static void encode(const char *text, int32_t *ids) {
  static const char symbols[] = " ./0123456789abcdefghijlmnoprstuvwy";
  size_t length = strlen(text);
  for (size_t i = 0; i < LENGTH; i++) {
    const char *found = i < length ? strchr(symbols, text[i]) : NULL;
    ids[i] = i >= length ? 36 : found != NULL ? (int32_t)(found - symbols) : 35;
  }
}

static void decode(const int32_t *tokens, char *text) {
  for (int i = 0; i < STEPS; i++)
    text[i] = "-0123456789"[tokens[i]];
  text[STEPS] = '\0';
}

Test(keras_dates, model_of_the_exercise_gives_the_dates) {
  static const char *const pairs[][2] = {
      {"13 mar 1993", "1993-03-13"},
      {"26.07.70", "1970-07-26"},
      {"12/12/15", "2015-12-12"},
      {"monday august 18 1986", "1986-08-18"},
      {"saturday july 7 1990", "1990-07-07"},
      {"3 may 1979", "1979-05-03"},
  };
  enum { COUNT = sizeof pairs / sizeof *pairs };
  if (access(path, R_OK) != 0)
    cr_skip_test("%s is not there", path);
  cuseq_model *model = NULL;
  char *notes = NULL;
  hdf5_process_set_program(HDF5_PROGRAM);
  cr_assert(keras_convert(path, NULL, "softmax=softmax_axis1", NULL, &model, &notes) == CUSEQ_STATUS_OK, "%s",
            cuseq_last_error());
  cr_expect(notes != NULL && strstr(notes, "'s0'") != NULL && strstr(notes, "'c0'") != NULL,
            "the inputs that are taken as zeros are not named: %s", notes != NULL ? notes : "no notes");
  free(notes);
  const cuseq_config *config = cuseq_model_config(model);
  cr_expect(config->recurrent_activation == CUSEQ_ACTIVATION_HARD_SIGMOID_KERAS2);
  cr_expect(config->decoder_recurrent_activation == CUSEQ_ACTIVATION_HARD_SIGMOID_KERAS2);
  cr_expect(config->attention_layers == 2 && config->steps == STEPS);
  int32_t ids[COUNT * LENGTH], tokens[COUNT * STEPS];
  for (int i = 0; i < COUNT; i++)
    encode(pairs[i][0], ids + i * LENGTH);
  static const char *const devices[] = {"reference", "cpu"};
  for (int d = 0; d < 2; d++) {
    cuseq_session_options options;
    cuseq_session *session = NULL;
    cuseq_session_options_init(&options, sizeof options, model);
    options.device = devices[d];
    options.max_batch = COUNT;
    options.max_time = LENGTH;
    cr_assert(cuseq_session_open(model, &options, &session) == CUSEQ_STATUS_OK, "%s", cuseq_last_error());
    cuseq_input input = {
        .size = sizeof(cuseq_input), .data = ids, .dtype = CUSEQ_DTYPE_I32, .batch = COUNT, .time = LENGTH};
    memset(tokens, 0xff, sizeof tokens);
    cuseq_decoding decoding = {.size = sizeof(cuseq_decoding), .tokens = tokens};
    cr_assert(cuseq_run(session, &input, NULL, &decoding) == CUSEQ_STATUS_OK, "%s", cuseq_last_error());
    for (int i = 0; i < COUNT; i++) {
      char text[STEPS + 1];
      decode(tokens + i * STEPS, text);
      cr_expect_str_eq(text, pairs[i][1], "%s on %s: %s, needed %s", pairs[i][0], devices[d], text,
                       pairs[i][1]);
    }
    cuseq_session_close(session);
  }
  cuseq_model_destroy(model);
}
