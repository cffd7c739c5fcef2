/* What `cuseq run` prints, as text and as JSON. */
#include "cli/json.h"
#include "cli/message.h"
#include "cli/precision.h"
#include "cli/run.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ROWS_LISTED = 10, TOKENS_LISTED = 20 };

/* Where a row lies in the results. */
static int32_t slot_of(const struct job *job, int32_t b) {
  return job->arguments->output ? b : b % job->at_a_time;
}

/* The tokens of a row's output, or of result `n` of a search; NULL where the model has none. */
static const int32_t *row_tokens(const struct job *job, int32_t b, int32_t n, int32_t *count) {
  int32_t slot = slot_of(job, b);
  *count = 0;
  if (job->beam.beams > 0)
    return beam_results_tokens(&job->found, slot, n, count);
  const int32_t *tokens = results_integers(&job->results, RESULT_TOKENS, slot);
  int32_t heads = job->config->heads > 1 ? job->config->heads : 1;
  *count = tokens ? results_steps(&job->results, slot) * heads : 0;
  return tokens;
}

/* They as a text, NULL where the model writes none. */
static const char *row_text(const struct job *job, int32_t b, int32_t n) {
  int32_t count;
  const int32_t *tokens = row_tokens(job, b, n, &count);
  bool text = tokens && job->config->heads <= 1 &&
              cuseq_text_decode(job->model, tokens, count, job->text, job->text_capacity) == CUSEQ_STATUS_OK;
  return text ? job->text : NULL;
}

/* Whether rows were made to follow tokens whose log-probabilities there are. */
static bool has_logs(const struct job *job) {
  return job->results.arrays[RESULT_LOG_PROBABILITIES].data != NULL;
}

/* The log-probability of the tokens that a row was made to follow. */
static double row_log_probability(const struct job *job, int32_t b) {
  const float *logs = results_floats(&job->results, RESULT_LOG_PROBABILITIES, slot_of(job, b));
  double sum = 0;
  for (int32_t y = 0; y < job->targets.lengths[b]; y++)
    sum += (double)logs[y];
  return sum;
}

static int row_map(struct job *job, int32_t b, struct gallery *gallery) {
  int32_t slot = slot_of(job, b);
  const char *text = row_text(job, b, 0);
  size_t size = 64 + (text ? strlen(text) : 0);
  char *title = malloc(size);
  if (!title)
    return fail_memory();
  snprintf(title, size, text ? "row %d \u2192 %s" : "row %d", (int)b, text);
  bool ids = input_row_ids(&job->input, b, job->ids);
  size_t one = (size_t)job->steps * (size_t)job->input.time;
  struct gallery_entry entry = {
      .title = title,
      .alphas = job->beam.beams > 0 ? job->found.alphas + (size_t)slot * (size_t)job->found.best * one
                                    : results_floats(&job->results, RESULT_ALPHAS, slot),
      .time = job->input.time,
      .length = job->input.lengths ? job->input.lengths[b] : job->input.time,
      .ids = ids ? job->ids : NULL};
  entry.tokens = row_tokens(job, b, 0, &entry.steps);
  if (!job->config->has_decoder) { /* attention looks once, for whatever heads there are */
    entry.tokens = job->config->heads == 1 ? entry.tokens : NULL;
    entry.steps = 1;
  }
  int status = gallery_add(gallery, &entry);
  free(title);
  return status;
}

/* ---- as text ---- */

static void print_output(const struct job *job, int32_t b, int32_t n) {
  int32_t count;
  const int32_t *tokens = row_tokens(job, b, n, &count);
  const char *text = row_text(job, b, n);
  for (const char *c = text ? text : ""; *c; c++)
    putchar((unsigned char)*c < 0x20 || *c == 0x7F ? '?' : *c);
  for (int32_t i = 0; !text && i < count && i < TOKENS_LISTED; i++)
    printf("%s%d", i ? " " : "", (int)tokens[i]);
  if (!text && count > TOKENS_LISTED)
    fputs(" ...", stdout);
}

static void row_print(const struct job *job, int32_t b) {
  int32_t count;
  if (b == ROWS_LISTED)
    printf("  ... and %d more\n", (int)(job->input.batch - b));
  if (b >= ROWS_LISTED || !row_tokens(job, b, 0, &count))
    return;
  if (has_logs(job)) {
    double log_probability = row_log_probability(job, b);
    int32_t length = job->targets.lengths[b];
    printf("  row %d: log-probability %.6g of %d tokens, perplexity %.6g\n", (int)b, log_probability,
           (int)length, exp(-log_probability / length));
    return;
  }
  for (int32_t n = 0; n < job->beam.n_best && job->beam.beams > 0; n++) {
    printf("  row %d, %d: ", (int)b, (int)n + 1);
    print_output(job, b, n);
    printf(" (score %.6g)\n", (double)job->found.scores[slot_of(job, b) * job->found.best + n]);
  }
  if (job->beam.beams > 0)
    return;
  printf("  row %d: ", (int)b);
  print_output(job, b, 0);
  putchar('\n');
}

/* ---- as JSON ---- */

static void json_output(const struct job *job, int32_t b, int32_t n) {
  int32_t count;
  const int32_t *tokens = row_tokens(job, b, n, &count);
  fputs("{\"tokens\": ", stdout);
  json_put_integers(stdout, tokens, (size_t)count);
  fputs(", \"text\": ", stdout);
  json_put_string(stdout, row_text(job, b, n));
}

static void json_hypotheses(const struct job *job, int32_t b) {
  fputs("{\"hypotheses\": [", stdout);
  for (int32_t n = 0; n < job->found.best; n++) {
    size_t at = (size_t)slot_of(job, b) * (size_t)job->found.best + (size_t)n;
    fputs(n ? ",\n      " : "\n      ", stdout);
    json_output(job, b, n);
    fputs(", \"score\": ", stdout);
    json_put_number(stdout, (double)job->found.scores[at]);
    fputs(", \"log_probability\": ", stdout);
    json_put_number(stdout, (double)job->found.log_probabilities[at]);
    putchar('}');
  }
  fputs("]}", stdout);
}

static void row_json(const struct job *job, int32_t b) {
  int32_t count;
  if (!row_tokens(job, b, 0, &count))
    return;
  fputs(b ? ",\n    " : "\n    ", stdout);
  if (job->beam.beams > 0) {
    json_hypotheses(job, b);
    return;
  }
  json_output(job, b, 0);
  if (has_logs(job)) {
    const float *logs = results_floats(&job->results, RESULT_LOG_PROBABILITIES, slot_of(job, b));
    fputs(", \"log_probability\": ", stdout);
    json_put_number(stdout, row_log_probability(job, b));
    fputs(", \"log_probabilities\": ", stdout);
    json_put_floats(stdout, logs, (size_t)job->targets.lengths[b]);
  }
  putchar('}');
}

int run_rows(struct job *job, int32_t first, int32_t count) {
  int status = EXIT_DONE;
  for (int32_t b = first; b < first + count && status == EXIT_DONE; b++) {
    if (job->arguments->json)
      row_json(job, b);
    else
      row_print(job, b);
    if (job->shown.most > 0)
      status = row_map(job, b, &job->shown);
    if (status == EXIT_DONE && job->plotted.most > 0)
      status = row_map(job, b, &job->plotted);
  }
  return status;
}

/* ---- before and behind ---- */

void run_print_begin(const struct job *job) {
  const struct arguments *arguments = job->arguments;
  if (!arguments->json) {
    printf("%s on %s: %d rows of %d positions", arguments->operands[0], precision_device(job->session),
           (int)job->input.batch, (int)job->input.time);
    if (job->config->has_decoder)
      printf(", %d steps", (int)job->steps);
    putchar('\n');
    return;
  }
  fputs("{\n  \"model\": ", stdout);
  json_put_string(stdout, arguments->operands[0]);
  fputs(",\n  \"input\": ", stdout);
  json_put_string(stdout, arguments->operands[1]);
  fputs(",\n  \"device\": ", stdout);
  json_put_string(stdout, cuseq_session_device(job->session));
  printf(
      ",\n  \"precision\": \"%s\",\n  \"threads\": %d,\n  \"batch\": %d,\n  \"time\": %d,\n  \"steps\": %d,\n"
      "  \"rows\": [",
      cuseq_precision_name(job->arguments->precision), (int)cuseq_session_threads(job->session),
      (int)job->input.batch, (int)job->input.time, (int)job->steps);
}

void run_print_end(const struct job *job) {
  const char *output = job->arguments->output;
  struct npz_entry entries[RUN_ENTRIES];
  size_t count = output ? run_entries(job, entries) : 0;
  if (job->arguments->json)
    fputs("\n  ],\n  \"arrays\": {", stdout);
  for (size_t k = 0; k < count; k++) {
    const struct npy_array *array = &entries[k].array;
    if (job->arguments->json)
      printf("%s\n    \"%s\": [", k ? "," : "", entries[k].name);
    else
      printf("  %-17s %s [", entries[k].name, array->dtype == NPY_I32 ? "int32  " : "float32");
    for (int32_t i = 0; i < array->rank; i++)
      printf("%s%lld", i ? "," : "", (long long)array->shape[i]);
    fputs(job->arguments->json ? "]" : "]\n", stdout);
  }
  if (job->arguments->json) {
    fputs(output ? "\n  },\n  \"output\": " : "},\n  \"output\": ", stdout);
    json_put_string(stdout, output);
    fputs("\n}\n", stdout);
  } else if (output) {
    printf("written to %s\n", output);
  }
}
