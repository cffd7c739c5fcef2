#include "exactness/cases.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *checked(void *memory) {
  if (!memory)
    abort();
  return memory;
}

/* ---- inputs ---- */

/* A date as people write it. */
static void write_date(char text[40], struct random *random) {
  static const char *const months[] = {"january", "february", "march",     "april",   "may",      "june",
                                       "july",    "august",   "september", "october", "november", "december"};
  static const char *const days[] = {"monday", "tuesday",  "wednesday", "thursday",
                                     "friday", "saturday", "sunday"};
  const int day = 1 + (int)random_below(random, 28), month = 1 + (int)random_below(random, 12),
            year = 1970 + (int)random_below(random, 50);
  switch (random_below(random, 6)) {
  case 0:
    snprintf(text, 40, "%02d/%02d/%04d", month, day, year);
    break;
  case 1:
    snprintf(text, 40, "%02d.%02d.%02d", day, month, year % 100);
    break;
  case 2:
    snprintf(text, 40, "%d %.3s %d", day, months[month - 1], year);
    break;
  case 3:
    snprintf(text, 40, "%d %s %d", day, months[month - 1], year);
    break;
  case 4:
    snprintf(text, 40, "%s %d %d", months[month - 1], day, year);
    break;
  default:
    snprintf(text, 40, "%s %s %d %d", days[random_below(random, 7)], months[month - 1], day, year);
  }
}

static bool named(const struct exactness_case *one, const char *name) {
  return strncmp(one->name, name, strlen(name)) == 0;
}

/* Texts for the dates; the reverser was trained on symbols from 2 on. */
static int32_t *ids_of(const struct exactness_case *one, struct random *random) {
  const int32_t symbols = cuseq_model_config(one->model)->features, least = named(one, "reverser") ? 2 : 0;
  int32_t *ids = checked(calloc((size_t)one->batch * (size_t)one->time, sizeof *ids));
  for (int32_t b = 0; b < one->batch; b++) {
    int32_t *row = ids + (size_t)b * (size_t)one->time, length;
    char text[40];
    write_date(text, random);
    if (named(one, "dates") && cuseq_text_encode(one->model, text, 0, row, &length, NULL) != CUSEQ_STATUS_OK)
      abort();
    for (int32_t t = 0; t < one->time && !named(one, "dates"); t++)
      row[t] = least + random_below(random, symbols - least);
  }
  return ids;
}

/* What the sorter was trained on: one of eight digits a position, a little noise, and four positions
 * marked. */
static void sorter_row(float *x, int32_t time, int32_t features, struct random *random) {
  for (int32_t t = 0; t < time; t++) {
    float *position = x + (size_t)t * (size_t)features;
    const int32_t digit = random_below(random, features - 1);
    for (int32_t k = 0; k < features - 1; k++)
      position[k] = random_between(random, -0.17f, 0.17f) + (k == digit ? 1.0f : 0.0f);
    position[features - 1] = 0.0f;
  }
  for (int marked = 0; marked < 4;) {
    float *mark = x + (size_t)random_below(random, time) * (size_t)features + features - 1;
    marked += *mark <= 0.0f;
    *mark = 1.0f;
  }
}

static float *numbers_of(const struct exactness_case *one, struct random *random) {
  const int32_t features = cuseq_model_config(one->model)->features;
  const size_t row = (size_t)one->time * (size_t)features, count = (size_t)one->batch * row;
  float *x = checked(malloc(count * sizeof *x));
  for (size_t i = 0; i < count; i++)
    x[i] = random_between(random, -1.7f, 1.7f);
  for (int32_t b = 0; b < one->batch && named(one, "sorter"); b++)
    sorter_row(x + (size_t)b * row, one->time, features, random);
  return x;
}

void exactness_input_make(struct exactness_input *made, const struct exactness_case *one,
                          struct random *random) {
  const bool symbols = named(one, "dates") || cuseq_model_config(one->model)->ids_only;
  *made = (struct exactness_input){
      .input = {.size = sizeof(cuseq_input), .batch = one->batch, .time = one->time}};
  made->data = symbols ? (void *)ids_of(one, random) : (void *)numbers_of(one, random);
  made->input.dtype = symbols ? CUSEQ_DTYPE_I32 : CUSEQ_DTYPE_F32;
  made->input.data = made->data;
}

void exactness_input_free(struct exactness_input *made) {
  free(made->data);
}

/* ---- cases ---- */

static int32_t steps_of(const cuseq_model *model, int32_t time) {
  const cuseq_config *config = cuseq_model_config(model);
  return config->has_decoder ? config->steps : config->is_tagger ? time : 1;
}

struct file_case {
  const char *name, *path;
  int32_t time;
};

static const struct file_case file_cases[] = {
    {"dates", "models/dates.safetensors", 30},
    {"dates, the public model", "build/public_dates.safetensors", 30},
    {"reverser", "tests/exactness/trained/reverser.safetensors", 12},
    {"sorter", "tests/exactness/trained/sorter.safetensors", 20},
    {"tagger", "tests/exactness/trained/tagger.safetensors", 40},
};

#define LSTM(units) "{\"cell\":{\"kind\":\"lstm\",\"units\":" #units "},\"direction\":\"bidirectional\"}"
#define GRU(units) "{\"cell\":{\"kind\":\"gru\",\"units\":" #units "},\"direction\":\"bidirectional\"}"
#define MODEL(features, layers)                                                                              \
  "{\"version\":2,\"input\":{\"features\":" #features "},\"encoder\":{\"layers\":[" layers                   \
  "]},\"output\":{\"over\":\"final\",\"layers\":[{\"units\":5}]}}"

/* With cells of a gain of 2.5 three layers of 256 err as PyTorch does in a published model of this shape. */
struct made_case {
  const char *name, *json;
  int32_t calls, batch, time;
  float cells; /* of the gain of weights like trained ones */
};

static const struct made_case made_cases[] = {
    {"one BiLSTM of 32", MODEL(37, LSTM(32)), 16, 32, 30, 2.5f / 3.0f},
    {"one BiLSTM of 256", MODEL(128, LSTM(256)), 4, 32, 40, 2.5f / 3.0f},
    {"three BiLSTM of 256", MODEL(128, LSTM(256) "," LSTM(256) "," LSTM(256)), 2, 16, 40, 2.5f / 3.0f},
    {"two BiGRU of 64", MODEL(32, GRU(64) "," GRU(64)), 8, 32, 40, 2.5f / 3.0f},
    {"one BiLSTM of 16, long", MODEL(8, LSTM(16)), 1, 8, 10000, 2.5f / 3.0f},
    {"one BiLSTM of 700, wide", MODEL(700, LSTM(700)), 1, 8, 20, 2.5f / 3.0f},
};

static void measure_model(exactness_measure *measure, struct exactness_case *one, cuseq_model *model) {
  one->model = model;
  one->steps = steps_of(model, one->time);
  measure(one);
  cuseq_model_destroy(model);
}

void exactness_cases(exactness_measure *measure, const char *name, int32_t calls) {
  for (size_t i = 0; i < sizeof file_cases / sizeof *file_cases; i++) {
    const struct file_case *file = &file_cases[i];
    struct exactness_case one = {.name = file->name, .calls = calls, .batch = 32, .time = file->time};
    cuseq_model *model;
    if (name && !named(&one, name))
      continue;
    if (cuseq_model_load(file->path, &model) == CUSEQ_STATUS_OK)
      measure_model(measure, &one, model);
    else
      fprintf(stderr, "skipped: %s: %s\n", file->name, cuseq_last_error());
  }
  for (size_t i = 0; i < sizeof made_cases / sizeof *made_cases; i++) {
    const struct made_case *made = &made_cases[i];
    struct exactness_case one = {
        .name = made->name, .calls = made->calls, .batch = made->batch, .time = made->time};
    struct random random = {7};
    if (!name || named(&one, name))
      measure_model(measure, &one, calmer_model(made->json, NULL, &random, made->cells));
  }
}

bool exactness_runs_here(const char *instruction_set, cuseq_precision precision, const cuseq_model *model) {
  cuseq_session *session;
  cuseq_session_options options;
  cuseq_session_options_init(&options, sizeof options, model);
  options.device = "cpu";
  options.precision = precision;
  setenv("CUSEQ_CPU_ISA", instruction_set, 1);
  const bool runs = cuseq_session_open(model, &options, &session) == CUSEQ_STATUS_OK;
  cuseq_session_close(runs ? session : NULL);
  return runs;
}
