#include "cli/results.h"

#include "cli/message.h"

#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

enum { LARGEST_BATCH = 256, FLOATS_AT_A_TIME = 16 << 20, LARGEST_STEPS = 1 << 20, USUAL_TIME = 30 };

static void shape_set(struct results *results, enum result_id id, const char *name, int64_t a, int64_t b,
                      int64_t c) {
  results->arrays[id] = (struct result){.name = name, .rank = c ? 3 : b ? 2 : 1, .shape = {a, b, c}};
}

static void integers_set(struct results *results, enum result_id id, const char *name, int64_t a, int64_t b,
                         int64_t c) {
  shape_set(results, id, name, a, b, c);
  results->arrays[id].integer = true;
}

/* Of a model without a decoder: attention looks once, heads are over a row or over each of its positions. */
static void shapes_make_once(struct results *results, const cuseq_config *config, int64_t B, int32_t T) {
  int64_t Y = config->is_tagger ? T : 0, heads = config->heads > 1 ? config->heads : 0;
  if (config->context_width > 0) {
    shape_set(results, RESULT_CONTEXT, "context", B, config->context_width, 0);
    shape_set(results, RESULT_ALPHAS, "alphas", B, T, 0);
  }
  if (config->heads == 0)
    return;
  shape_set(results, RESULT_OUTPUTS, "outputs", B, Y ? Y : config->outputs, Y ? config->outputs : 0);
  integers_set(results, RESULT_TOKENS, "tokens", B, Y ? Y : heads, Y ? heads : 0);
  if (config->is_tagger)
    integers_set(results, RESULT_OUTPUT_LENGTHS, "output_lengths", B, 0, 0);
}

static void shapes_make(struct results *results, const cuseq_config *config, int64_t B, int32_t T,
                        int32_t Y) {
  int32_t A = config->annotation_width, H = config->units;
  shape_set(results, RESULT_ANNOTATIONS, "annotations", B, T, A);
  if (config->direction == CUSEQ_DIRECTION_BIDIRECTIONAL || config->backward_units == 0) {
    shape_set(results, RESULT_H_FW, "h_fw", B, H, 0);
    shape_set(results, RESULT_C_FW, "c_fw", B, H, 0);
  }
  if (config->backward_units > 0) {
    shape_set(results, RESULT_H_BW, "h_bw", B, config->backward_units, 0);
    shape_set(results, RESULT_C_BW, "c_bw", B, config->backward_units, 0);
  }
  if (!config->has_decoder) {
    shapes_make_once(results, config, B, T);
    return;
  }
  if (config->context_width > 0) {
    shape_set(results, RESULT_CONTEXT, "context", B, Y, config->context_width);
    shape_set(results, RESULT_ALPHAS, "alphas", B, Y, T);
  }
  shape_set(results, RESULT_STATES, "states", B, Y, config->state_units);
  shape_set(results, RESULT_OUTPUTS, "outputs", B, Y, config->outputs);
  integers_set(results, RESULT_TOKENS, "tokens", B, Y, 0);
  if (config->end_token >= 0)
    integers_set(results, RESULT_OUTPUT_LENGTHS, "output_lengths", B, 0, 0);
  shape_set(results, RESULT_LOG_PROBABILITIES, "log_probabilities", B, Y, 0);
}

size_t result_row(const struct result *result) {
  size_t elements = 1;
  for (int32_t i = 1; i < result->rank; i++)
    elements *= (size_t)result->shape[i];
  return elements;
}

/* Memory that is only promised must not be asked for: the system would end the program in the middle. */
int results_memory_check(double needed) {
  double there = (double)sysconf(_SC_PHYS_PAGES) * (double)sysconf(_SC_PAGESIZE);
  if (needed > there)
    return fail("memory: the results are too large for this machine (found %.1f GB, needed at most %.1f GB)",
                needed / 1e9, there / 1e9);
  return EXIT_DONE;
}

int results_make(struct results *results, const cuseq_config *config, int64_t batch, int32_t time,
                 int32_t steps, unsigned set) {
  *results = (struct results){.steps = config->has_decoder ? steps : config->is_tagger ? time : 1};
  shapes_make(results, config, batch, time, steps);
  if (!(set & RESULT_SET(RESULT_LOG_PROBABILITIES))) /* nobody lists it who has not asked for it */
    results->arrays[RESULT_LOG_PROBABILITIES].rank = 0;
  double needed = 0;
  for (int id = 0; id < RESULT_COUNT; id++)
    if (results->arrays[id].rank > 0 && (set & RESULT_SET(id)))
      needed += (double)batch * (double)result_row(&results->arrays[id]) * (double)sizeof(float);
  int status = results_memory_check(needed);
  if (status != EXIT_DONE)
    return status;
  for (int id = 0; id < RESULT_COUNT; id++) {
    struct result *result = &results->arrays[id];
    if (result->rank == 0 || !(set & RESULT_SET(id)))
      continue;
    size_t row = result_row(result);
    if ((size_t)batch <= SIZE_MAX / 8 / row)
      result->data = calloc((size_t)batch * row, sizeof(float));
    if (!result->data) {
      results_free(results);
      return fail_memory();
    }
  }
  return EXIT_DONE;
}

void results_free(struct results *results) {
  for (int id = 0; id < RESULT_COUNT; id++)
    free(results->arrays[id].data);
  *results = (struct results){0};
}

float *results_floats(const struct results *results, enum result_id id, int64_t first) {
  const struct result *result = &results->arrays[id];
  return result->data ? (float *)result->data + (size_t)first * result_row(result) : NULL;
}

int32_t *results_integers(const struct results *results, enum result_id id, int64_t first) {
  const struct result *result = &results->arrays[id];
  return result->data ? (int32_t *)result->data + (size_t)first * result_row(result) : NULL;
}

void results_bind(const struct results *results, int64_t first, cuseq_encoding *encoding,
                  cuseq_decoding *decoding) {
  encoding->annotations = results_floats(results, RESULT_ANNOTATIONS, first);
  encoding->h_fw = results_floats(results, RESULT_H_FW, first);
  encoding->c_fw = results_floats(results, RESULT_C_FW, first);
  encoding->h_bw = results_floats(results, RESULT_H_BW, first);
  encoding->c_bw = results_floats(results, RESULT_C_BW, first);
  decoding->contexts = results_floats(results, RESULT_CONTEXT, first);
  decoding->alphas = results_floats(results, RESULT_ALPHAS, first);
  decoding->states = results_floats(results, RESULT_STATES, first);
  decoding->outputs = results_floats(results, RESULT_OUTPUTS, first);
  decoding->tokens = results_integers(results, RESULT_TOKENS, first);
  decoding->output_lengths = results_integers(results, RESULT_OUTPUT_LENGTHS, first);
  decoding->log_probabilities = results_floats(results, RESULT_LOG_PROBABILITIES, first);
}

int32_t results_steps(const struct results *results, int64_t b) {
  const int32_t *length = results_integers(results, RESULT_OUTPUT_LENGTHS, b);
  return length ? *length : results->steps;
}

int steps_choose(const cuseq_config *config, int32_t asked, int32_t *steps) {
  if (!config->has_decoder && asked > 1)
    return fail("--steps: the model has no decoder (found %d, needed 1)", (int)asked);
  if (asked > LARGEST_STEPS)
    return fail("--steps: too many (found %d, needed at most %d)", (int)asked, LARGEST_STEPS);
  *steps = !config->has_decoder ? 1 : asked ? asked : config->steps;
  return EXIT_DONE;
}

int32_t time_without_input(const cuseq_config *config, int32_t asked) {
  if (asked > 0)
    return asked;
  if (config->only_time > 0)
    return config->only_time;
  return config->text_length > 0 ? config->text_length : USUAL_TIME;
}

int32_t rows_at_a_time(const cuseq_config *config, int64_t batch, int32_t time, int32_t steps,
                       int32_t beams) {
  double position = config->features + 10.0 * config->units + 2.0 * config->annotation_width;
  double step = config->annotation_width + 8.0 * config->state_units + 2.0 * config->outputs + time;
  /* a search keeps every hypothesis' alphas of all steps, but logits and states of one */
  double hypothesis = 4.0 * config->decoder_state_width + 2.0 * config->outputs + steps * (time + 4.0);
  double row = beams > 0 ? beams * hypothesis : steps * step;
  double rows = FLOATS_AT_A_TIME / (time * position + row);
  int32_t most = rows < 1 ? 1 : rows > LARGEST_BATCH ? LARGEST_BATCH : (int32_t)rows;
  return batch < most ? (int32_t)batch : most;
}
