#include "cli/texts.h"

#include "cli/message.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static int open_session(struct texts *texts, const struct arguments *arguments) {
  cuseq_session_options options;
  cuseq_session_options_init(&options, texts->model);
  options.device = arguments->device;
  options.max_batch = texts->most;
  options.threads = arguments->threads;
  cuseq_status status = cuseq_session_open(texts->model, &options, &texts->session);
  return status == CUSEQ_STATUS_OK ? EXIT_DONE : fail_library(status);
}

int texts_open(struct texts *texts, const char *model, const struct arguments *arguments, int32_t most,
               unsigned set) {
  *texts = (struct texts){.truncate = arguments->truncate};
  cuseq_status status = cuseq_model_load(model, &texts->model);
  if (status != CUSEQ_STATUS_OK)
    return fail_library(status);
  const cuseq_config *config = texts->config = cuseq_model_config(texts->model);
  if (config->text_length == 0)
    return fail("%s: the model has no vocabulary (needed to read texts; cuseq run takes arrays)", model);
  if (!config->has_decoder)
    return fail("%s: the model has no decoder (needed to write texts; cuseq run takes arrays)", model);
  int32_t fitting = rows_at_a_time(config, INT32_MAX, config->text_length, config->steps);
  texts->most = most > 0 && most < fitting ? most : fitting;
  int result = open_session(texts, arguments);
  if (result != EXIT_DONE)
    return result;
  texts->ids = calloc((size_t)texts->most * (size_t)config->text_length, sizeof *texts->ids);
  texts->lengths = calloc((size_t)texts->most, sizeof *texts->lengths);
  texts->capacity = 4 * (size_t)config->steps + 1;
  texts->text = calloc(texts->capacity, 1);
  if (!texts->ids || !texts->lengths || !texts->text)
    return fail_memory();
  set |= RESULT_SET(RESULT_TOKENS) | RESULT_SET(RESULT_OUTPUT_LENGTHS);
  return results_make(&texts->results, config, texts->most, config->text_length, config->steps, set);
}

void texts_close(struct texts *texts) {
  results_free(&texts->results);
  free(texts->ids);
  free(texts->lengths);
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

int texts_run(struct texts *texts) {
  shorten(texts);
  cuseq_encoding encoding = {0};
  cuseq_decoding decoding = {0};
  results_bind(&texts->results, 0, &encoding, &decoding);
  cuseq_input input = {.data = texts->ids,
                       .dtype = CUSEQ_DTYPE_I32,
                       .batch = texts->count,
                       .time = texts->time,
                       .lengths = texts->lengths};
  cuseq_status status = cuseq_run(texts->session, &input, &encoding, &decoding);
  return status == CUSEQ_STATUS_OK ? EXIT_DONE : fail_library(status);
}

void texts_clear(struct texts *texts) {
  texts->count = 0;
}

const char *texts_output(struct texts *texts, int32_t i) {
  const int32_t *tokens = results_integers(&texts->results, RESULT_TOKENS, i);
  if (cuseq_text_decode(texts->model, tokens, results_steps(&texts->results, i), texts->text,
                        texts->capacity) != CUSEQ_STATUS_OK)
    texts->text[0] = 0;
  return texts->text;
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

double texts_score(const struct texts *texts, int32_t i) {
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
