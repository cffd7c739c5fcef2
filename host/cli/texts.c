#include "cli/texts.h"

#include "cli/kinds.h"
#include "cli/message.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Which command takes texts for this model. */
static const char *command_for(const cuseq_config *config) {
  return config->has_decoder  ? "translate"
         : config->heads == 0 ? "run"
         : config->is_tagger  ? "tag"
                              : "classify";
}

static bool has_labels(const struct texts *texts) {
  for (int32_t i = 0; i < texts->config->heads; i++)
    if (cuseq_model_label(texts->model, i, 0))
      return true;
  return false;
}

/* Whether the model is of the kind that the use needs. */
static int use_check(const struct texts *texts, enum texts_use use, const char *path) {
  static const char *const needed[] = {[TEXTS_TRANSLATED] = "a decoder, which writes texts",
                                       [TEXTS_SCORED] = "a decoder, which writes texts",
                                       [TEXTS_CLASSIFIED] = "a label for a text",
                                       [TEXTS_TAGGED] = "a label for each token"};
  static const char *const commands_of_uses[] = {[TEXTS_TRANSLATED] = "translate",
                                                 [TEXTS_SCORED] = "translate",
                                                 [TEXTS_CLASSIFIED] = "classify",
                                                 [TEXTS_TAGGED] = "tag"};
  const cuseq_config *config = texts->config;
  const char *fitting = command_for(config);
  const char *found = config->has_decoder  ? "a decoder"
                      : config->heads == 0 ? "no outputs"
                      : config->is_tagger  ? "outputs for each token"
                                           : "outputs for a text";
  if (strcmp(fitting, commands_of_uses[use]) != 0)
    return fail("%s: the model does not fit (found %s, needed %s; cuseq %s takes it)", path, found,
                needed[use], fitting);
  if (config->text_length == 0)
    return fail("%s: the model has no vocabulary (needed to read texts; cuseq run takes arrays)", path);
  if (!config->has_decoder && !has_labels(texts))
    return fail("%s: the model's vocabulary has no \"labels\" (needed for its outputs' names; cuseq run "
                "gives numbers)",
                path);
  return EXIT_DONE;
}

int texts_load(struct texts *texts, enum texts_use use, const struct arguments *arguments) {
  const char *path = arguments->operands[0];
  *texts = (struct texts){.truncate = arguments->truncate, .most = 1};
  int result = model_load(path, &texts->model);
  if (result != EXIT_DONE)
    return result;
  const cuseq_config *config = texts->config = cuseq_model_config(texts->model);
  result = use_check(texts, use, path);
  if (result != EXIT_DONE)
    return result;
  texts->ids = calloc((size_t)config->text_length, sizeof *texts->ids);
  texts->lengths = calloc(1, sizeof *texts->lengths);
  if (!texts->ids || !texts->lengths)
    return fail_memory();
  if (config->given_width > 0)
    return fail("%s: each step of the model is given numbers (needed run or compare, with --given)", path);
  if (config->needs_targets && use == TEXTS_TRANSLATED && arguments->beam == 0)
    return fail(
        "%s: the model follows given tokens (needed translate --beam K, which searches for them, or score)",
        path);
  return beam_choose(arguments, config, 0, &texts->beam);
}

static int open_session(struct texts *texts, const struct arguments *arguments) {
  cuseq_session_options options;
  cuseq_session_options_init(&options, sizeof options, texts->model);
  options.device = arguments->device;
  options.precision = arguments->precision;
  options.max_batch = texts->most;
  options.max_steps = texts->steps;
  options.max_beams = texts->beam.beams;
  options.threads = arguments->threads;
  cuseq_status status = cuseq_session_open(texts->model, &options, &texts->session);
  return status == CUSEQ_STATUS_OK ? EXIT_DONE : fail_library(status);
}

int texts_open(struct texts *texts, const struct arguments *arguments, int32_t most, int32_t steps,
               unsigned set) {
  const cuseq_config *config = texts->config;
  bool searches = texts->beam.beams > 0;
  texts->steps = !config->has_decoder ? 1
                 : searches           ? texts->beam.max_length
                 : steps > 0          ? steps
                                      : config->steps;
  int32_t rows = config->is_tagger ? config->text_length : texts->steps; /* of outputs, for a text */
  int32_t fitting = rows_at_a_time(config, INT32_MAX, config->text_length, rows, texts->beam.beams);
  texts->most = most > 0 && most < fitting ? most : fitting;
  int result = open_session(texts, arguments);
  if (result != EXIT_DONE)
    return result;
  free(texts->ids);
  free(texts->lengths);
  texts->ids = calloc((size_t)texts->most * (size_t)config->text_length, sizeof *texts->ids);
  texts->lengths = calloc((size_t)texts->most, sizeof *texts->lengths);
  texts->capacity = (size_t)config->output_bytes * (size_t)texts->steps + 1;
  texts->text = calloc(texts->capacity, 1);
  if (!texts->ids || !texts->lengths || !texts->text)
    return fail_memory();
  if (searches)
    return beam_results_make(&texts->found, &texts->beam, texts->most, config->text_length,
                             (set & RESULT_SET(RESULT_ALPHAS)) != 0);
  set |= RESULT_SET(RESULT_TOKENS) | RESULT_SET(RESULT_OUTPUT_LENGTHS);
  return results_make(&texts->results, config, texts->most, config->text_length, texts->steps, set);
}

void texts_close(struct texts *texts) {
  results_free(&texts->results);
  beam_results_free(&texts->found);
  free(texts->ids);
  free(texts->lengths);
  free(texts->targets);
  free(texts->target_lengths);
  free(texts->text);
  cuseq_session_close(texts->session);
  cuseq_model_destroy(texts->model);
}

cuseq_status texts_add(struct texts *texts, const char *text) {
  int32_t *ids = texts->ids + (size_t)texts->count * (size_t)texts->config->text_length;
  cuseq_status status =
      cuseq_text_encode(texts->model, text, texts->truncate, ids, &texts->lengths[texts->count], NULL);
  if (status == CUSEQ_STATUS_OK)
    texts->count++;
  return status;
}

const char *texts_reason(void) {
  const char *error = cuseq_last_error();
  return strncmp(error, "text: ", 6) == 0 ? error + 6 : error;
}

/* The batch needs no more positions than its longest text has. */
static void shorten(struct texts *texts) {
  int32_t length = texts->config->text_length;
  texts->time = 1;
  for (int32_t i = 0; i < texts->count; i++)
    if (texts->lengths[i] > texts->time)
      texts->time = texts->lengths[i];
  for (int32_t i = 1; i < texts->count && texts->time < length; i++)
    memmove(texts->ids + (size_t)i * (size_t)texts->time, texts->ids + (size_t)i * (size_t)length,
            (size_t)texts->time * sizeof *texts->ids);
}

static cuseq_status run_search(struct texts *texts, const cuseq_input *input) {
  texts->found.time = texts->time;
  beam_results_bind(&texts->found, 0, &texts->beam);
  cuseq_status status = cuseq_encode(texts->session, input, NULL);
  return status == CUSEQ_STATUS_OK ? cuseq_beam_search(texts->session, &texts->beam) : status;
}

int texts_run(struct texts *texts) {
  shorten(texts);
  cuseq_encoding encoding = CUSEQ_ENCODING_INIT;
  cuseq_decoding decoding = {.size = sizeof(cuseq_decoding),
                             .steps = texts->config->has_decoder ? texts->steps : 0,
                             .targets = texts->targets,
                             .target_lengths = texts->target_lengths};
  results_bind(&texts->results, 0, &encoding, &decoding);
  cuseq_input input = {.size = sizeof(cuseq_input),
                       .data = texts->ids,
                       .dtype = CUSEQ_DTYPE_I32,
                       .batch = texts->count,
                       .time = texts->time,
                       .lengths = texts->lengths};
  cuseq_status status = texts->beam.beams > 0 ? run_search(texts, &input)
                                              : cuseq_run(texts->session, &input, &encoding, &decoding);
  return status == CUSEQ_STATUS_OK ? EXIT_DONE : fail_library(status);
}

void texts_clear(struct texts *texts) {
  texts->count = 0;
}

int32_t texts_best(const struct texts *texts) {
  return texts->beam.beams > 0 ? texts->beam.n_best : 1;
}

const int32_t *texts_tokens(const struct texts *texts, int32_t i, int32_t n, int32_t *count) {
  if (texts->beam.beams > 0)
    return beam_results_tokens(&texts->found, i, n, count);
  *count = results_steps(&texts->results, i);
  return results_integers(&texts->results, RESULT_TOKENS, i);
}

const char *texts_output(struct texts *texts, int32_t i, int32_t n) {
  int32_t count;
  const int32_t *tokens = texts_tokens(texts, i, n, &count);
  if (cuseq_text_decode(texts->model, tokens, count, texts->text, texts->capacity) != CUSEQ_STATUS_OK)
    texts->text[0] = 0;
  return texts->text;
}

const float *texts_alphas(const struct texts *texts, int32_t i, int32_t n) {
  size_t one = (size_t)texts->steps * (size_t)texts->time;
  const float *alphas =
      texts->beam.beams > 0 ? texts->found.alphas : texts->results.arrays[RESULT_ALPHAS].data;
  return alphas ? alphas + one * ((size_t)i * (size_t)texts_best(texts) + (size_t)n) : NULL;
}

const float *texts_outputs(const struct texts *texts, int32_t i, int32_t t) {
  size_t rows = texts->config->is_tagger ? (size_t)texts->time : 1;
  return (const float *)texts->results.arrays[RESULT_OUTPUTS].data +
         ((size_t)i * rows + (size_t)t) * (size_t)texts->config->outputs;
}

/* The logarithm of the sum of exponentials of logits. */
static double log_sum(const float *outputs, int32_t count) {
  double largest = -INFINITY, sum = 0;
  for (int32_t v = 0; v < count; v++)
    largest = fmax(largest, (double)outputs[v]);
  for (int32_t v = 0; v < count; v++)
    sum += exp((double)outputs[v] - largest);
  return largest + log(sum);
}

double texts_score(const struct texts *texts, int32_t i, int32_t n) {
  if (texts->beam.beams > 0)
    return (double)texts->found.scores[i * texts->beam.n_best + n];
  const float *outputs = results_floats(&texts->results, RESULT_OUTPUTS, i);
  const int32_t *tokens = results_integers(&texts->results, RESULT_TOKENS, i);
  int32_t V = texts->config->outputs;
  double score = 0;
  for (int32_t y = 0; y < results_steps(&texts->results, i); y++) {
    const float *step = outputs + (size_t)y * (size_t)V;
    double chosen = (double)step[tokens[y]];
    score += texts->config->output_activation == CUSEQ_ACTIVATION_SOFTMAX ? log(chosen)
                                                                          : chosen - log_sum(step, V);
  }
  return score;
}
