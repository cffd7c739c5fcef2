#include "support/random_structure.h"

#include "backends/call.h"
#include "model/model.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *checked(void *memory) {
  if (!memory)
    abort();
  return memory;
}

/* Each array, and whether it is given, is drawn by its name: one more changes no other. */

static bool one_in(const struct random *random, const char *name, int32_t n) {
  struct random own = random_named(random, name);
  return random_below(&own, n) == 0;
}

static float *numbers(const struct random *random, const char *name, size_t count, float reach) {
  struct random own = random_named(random, name);
  float *made = checked(malloc((count > 0 ? count : 1) * sizeof *made));
  for (size_t i = 0; i < count; i++)
    made[i] = random_between(&own, -reach, reach);
  return made;
}

/* low .. low + bound - 1 */
static int32_t *integers(const struct random *random, const char *name, size_t count, int32_t low,
                         int32_t bound) {
  struct random own = random_named(random, name);
  int32_t *made = checked(malloc((count > 0 ? count : 1) * sizeof *made));
  for (size_t i = 0; i < count; i++)
    made[i] = low + random_below(&own, bound);
  return made;
}

static void make_input(struct random_structure *made, const struct random *random) {
  const cuseq_config *config = cuseq_model_config(made->model);
  size_t rows = (size_t)made->encoded, positions = rows * (size_t)made->T;
  size_t states = rows * (size_t)config->encoder_state_width;
  if (!one_in(random, "no lengths", 3))
    made->lengths = integers(random, "lengths", rows, 1, made->T);
  if (config->ids_only || one_in(random, "by ids", 4))
    made->ids = integers(random, "ids", positions, 0, config->features);
  else
    made->x = numbers(random, "x", positions * (size_t)config->features, 1.5f);
  if (one_in(random, "from states", 4)) {
    made->start_h = numbers(random, "start h", states, 1.0f);
    made->start_c = numbers(random, "start c", states, 1.0f);
  }
}

static void make_tokens(struct random_structure *made, const struct random *random) {
  const struct decoder_structure *decoder = &made->model->structure.decoder;
  size_t rows = (size_t)made->B;
  if (decoder->feedback == FEEDBACK_NONE)
    return;
  if ((decoder->start_token < 0 && decoder->feedback != FEEDBACK_PROBABILITIES) ||
      one_in(random, "from tokens", 3))
    made->previous = integers(random, "previous", rows, 0, decoder->tokens);
  if (decoder->feedback == FEEDBACK_GIVEN || one_in(random, "forced", 3))
    made->targets = integers(random, "targets", rows * (size_t)made->Y, 0, decoder->tokens);
  if (made->targets && one_in(random, "of lengths", 2))
    made->target_lengths = integers(random, "target lengths", rows, 1, made->Y);
}

/* Where the decoding starts, and which rows attend to which. */
static void make_decoding(struct random_structure *made, const struct random *random) {
  const struct structure *structure = &made->model->structure;
  const cuseq_config *config = cuseq_model_config(made->model);
  if (structure->decoder.present && one_in(random, "by rows", 4))
    made->rows = integers(random, "rows", (size_t)made->B, 0, made->encoded);
  else
    made->B = made->encoded;
  const size_t B = (size_t)made->B, states = B * call_row_elements(config, BACKEND_STATE_H, made->T, made->Y),
               fed = (size_t)structure->decoder.fed_width;
  bool has_c = false;
  for (int32_t l = 0; l < structure->decoder.count; l++)
    has_c = has_c || cell_has_c(structure->decoder.layers[l].cell.kind);
  if ((structure->decoder.present || structure->asking.present) && one_in(random, "from a state", 4)) {
    made->initial_h = numbers(random, "initial h", states, 1.0f);
    made->initial_c = has_c ? numbers(random, "initial c", states, 1.0f) : NULL;
  }
  if (fed > 0 && one_in(random, "from what was fed", 3))
    made->initial_fed = numbers(random, "fed", B * fed, 1.0f);
  make_tokens(made, random);
  if (config->given_width > 0)
    made->given = numbers(random, "given", B * (size_t)made->Y * (size_t)config->given_width, 1.5f);
}

void random_structure_make(struct random_structure *made, struct random *random, int32_t largest) {
  char json[RANDOM_STRUCTURE_JSON];
  struct random own = random_next(random), sizes = random_named(&own, "sizes");
  int32_t T = 1 + random_below(&sizes, largest), Y = 1 + random_below(&sizes, 6);
  random_structure_json(&own, largest, T, Y, json);
  random_structure_of(made, json, &own, largest, T, Y);
}

void random_structure_of(struct random_structure *made, const char *json, struct random *random,
                         int32_t largest, int32_t time, int32_t steps) {
  struct random own = random_next(random), rows = random_named(&own, "rows"),
                model = random_named(&own, "model");
  memset(made, 0, sizeof *made);
  snprintf(made->json, sizeof made->json, "%s", json);
  made->drawn = own;
  made->encoded = 1 + random_below(&rows, largest);
  made->B = 1 + random_below(&rows, largest);
  made->T = time;
  made->Y = steps;
  made->model = random_model(made->json, NULL, &model);
  const cuseq_config *config = cuseq_model_config(made->model);
  if (!config->has_decoder)
    made->Y = config->is_tagger ? made->T : 1;
  make_input(made, &own);
  make_decoding(made, &own);
}

bool random_structure_give(struct random_structure *made, int32_t largest) {
  struct random model = random_named(&made->drawn, "model");
  if (!random_structure_json_give(made->json, &made->drawn, largest))
    return false;
  cuseq_model_destroy(made->model);
  made->model = random_model(made->json, NULL, &model);
  const size_t width = (size_t)cuseq_model_config(made->model)->given_width;
  made->given = numbers(&made->drawn, "given", (size_t)made->B * (size_t)made->Y * width, 1.5f);
  return true;
}

void random_structure_free(struct random_structure *made) {
  cuseq_model_destroy(made->model);
  void *const owned[] = {made->lengths,     made->x,        made->ids,       made->start_h,
                         made->start_c,     made->rows,     made->initial_h, made->initial_c,
                         made->initial_fed, made->previous, made->targets,   made->target_lengths,
                         made->given};
  for (size_t i = 0; i < sizeof owned / sizeof *owned; i++)
    free(owned[i]);
}

void random_structure_run(const struct random_structure *made, const char *device, int32_t threads,
                          struct results *results) {
  const cuseq_input input = {.size = sizeof(cuseq_input),
                             .data = made->ids ? (const void *)made->ids : made->x,
                             .dtype = made->ids ? CUSEQ_DTYPE_I32 : CUSEQ_DTYPE_F32,
                             .batch = made->encoded,
                             .time = made->T,
                             .lengths = made->lengths,
                             .initial_h = made->start_h,
                             .initial_c = made->start_c};
  results_make_rows(results, made->model, made->encoded, made->B, made->T, made->Y);
  results->decoding.rows = made->rows;
  results->decoding.initial_h = made->initial_h;
  results->decoding.initial_c = made->initial_c;
  results->decoding.initial_fed = made->initial_fed;
  results->decoding.previous = made->previous;
  results->decoding.targets = made->targets;
  results->decoding.target_lengths = made->target_lengths;
  results->decoding.given = made->given;
  if (made->no_contexts)
    results->decoding.contexts = NULL;
  results_run(results, made->model, device, threads, &input);
}
