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

static float *numbers(struct random *random, size_t count, float reach) {
  float *made = checked(malloc((count > 0 ? count : 1) * sizeof *made));
  for (size_t i = 0; i < count; i++)
    made[i] = random_between(random, -reach, reach);
  return made;
}

/* low .. low + bound - 1 */
static int32_t *integers(struct random *random, size_t count, int32_t low, int32_t bound) {
  int32_t *made = checked(malloc((count > 0 ? count : 1) * sizeof *made));
  for (size_t i = 0; i < count; i++)
    made[i] = low + random_below(random, bound);
  return made;
}

static void make_input(struct random_structure *made, struct random *random) {
  const cuseq_config *config = cuseq_model_config(made->model);
  size_t rows = (size_t)made->encoded, positions = rows * (size_t)made->T;
  size_t states = rows * (size_t)config->encoder_state_width;
  if (random_below(random, 3) > 0)
    made->lengths = integers(random, rows, 1, made->T);
  if (config->ids_only || random_below(random, 4) == 0)
    made->ids = integers(random, positions, 0, config->features);
  else
    made->x = numbers(random, positions * (size_t)config->features, 1.5f);
  if (random_below(random, 4) == 0) {
    made->start_h = numbers(random, states, 1.0f);
    made->start_c = numbers(random, states, 1.0f);
  }
}

static void make_tokens(struct random_structure *made, struct random *random) {
  const struct decoder_structure *decoder = &made->model->structure.decoder;
  size_t rows = (size_t)made->B;
  if (decoder->feedback == FEEDBACK_NONE)
    return;
  if ((decoder->start_token < 0 && decoder->feedback != FEEDBACK_PROBABILITIES) ||
      random_below(random, 3) == 0)
    made->previous = integers(random, rows, 0, decoder->tokens);
  if (decoder->feedback == FEEDBACK_GIVEN || random_below(random, 3) == 0)
    made->targets = integers(random, rows * (size_t)made->Y, 0, decoder->tokens);
  if (made->targets && random_below(random, 2) == 0)
    made->target_lengths = integers(random, rows, 1, made->Y);
}

/* What a step before handed on. Probabilities draw by themselves: nothing that is drawn later depends on
 * them. */
static void make_fed(struct random_structure *made, struct random *random) {
  const struct decoder_structure *decoder = &made->model->structure.decoder;
  const size_t X = (size_t)decoder->fed_width, V = (size_t)decoder->fed_probabilities, B = (size_t)made->B;
  struct random own = {B + V};
  const bool is_given = X > 0 && random_below(X > V ? random : &own, 3) == 0;
  if (is_given && X > V)
    made->initial_fed = numbers(random, B * (X - V), 1.0f);
  if (is_given && V > 0) {
    free(made->initial_fed);
    made->initial_fed = numbers(&own, B * X, 1.0f);
  }
}

/* Where the decoding starts, and which rows attend to which. */
static void make_decoding(struct random_structure *made, struct random *random) {
  const struct structure *structure = &made->model->structure;
  const cuseq_config *config = cuseq_model_config(made->model);
  if (structure->decoder.present && random_below(random, 4) == 0)
    made->rows = integers(random, (size_t)made->B, 0, made->encoded);
  else
    made->B = made->encoded;
  size_t states = (size_t)made->B * call_row_elements(config, BACKEND_STATE_H, made->T, made->Y);
  bool has_c = false;
  for (int32_t l = 0; l < structure->decoder.count; l++)
    has_c = has_c || cell_has_c(structure->decoder.layers[l].cell.kind);
  if ((structure->decoder.present || structure->asking.present) && random_below(random, 4) == 0) {
    made->initial_h = numbers(random, states, 1.0f);
    made->initial_c = has_c ? numbers(random, states, 1.0f) : NULL;
  }
  make_fed(made, random);
  make_tokens(made, random);
  if (config->given_width > 0)
    made->given = numbers(random, (size_t)made->B * (size_t)made->Y * (size_t)config->given_width, 1.5f);
}

void random_structure_make(struct random_structure *made, struct random *random, int32_t largest) {
  char json[RANDOM_STRUCTURE_JSON];
  int32_t T = 1 + random_below(random, largest), Y = 1 + random_below(random, 6);
  random_structure_json(random, largest, T, Y, json);
  random_structure_of(made, json, random, largest, T, Y);
}

void random_structure_of(struct random_structure *made, const char *json, struct random *random,
                         int32_t largest, int32_t time, int32_t steps) {
  memset(made, 0, sizeof *made);
  snprintf(made->json, sizeof made->json, "%s", json);
  made->encoded = 1 + random_below(random, largest);
  made->B = 1 + random_below(random, largest);
  made->T = time;
  made->Y = steps;
  made->model = random_model(made->json, NULL, random);
  const cuseq_config *config = cuseq_model_config(made->model);
  if (!config->has_decoder)
    made->Y = config->is_tagger ? made->T : 1;
  make_input(made, random);
  make_decoding(made, random);
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
  results_run(results, made->model, device, threads, &input);
}
