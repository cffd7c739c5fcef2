/* cuseq score: how probable given outputs are. */
#include "cli/command.h"
#include "cli/interrupt.h"
#include "cli/json.h"
#include "cli/message.h"
#include "cli/pairs.h"
#include "cli/precision.h"
#include "cli/texts.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { BATCH = 64, LONGEST_OUTPUT = 1 << 20 };

struct scoring {
  const struct arguments *arguments;
  struct texts texts;
  struct pairs pairs;
  int32_t done;
  double log_probability; /* of all pairs so far, */
  int64_t tokens;         /* and their tokens */
};

/* The longest output among the pairs, in tokens; each must be one that the model can write. */
static int longest_output(const struct scoring *scoring, int32_t *longest) {
  const char *path = scoring->arguments->operands[1];
  size_t room = 1;
  for (int32_t i = 0; i < scoring->pairs.count; i++)
    room = strlen(scoring->pairs.list[i].wanted) >= room ? strlen(scoring->pairs.list[i].wanted) + 1 : room;
  room = room < LONGEST_OUTPUT ? room : LONGEST_OUTPUT;
  int32_t *tokens = malloc(room * sizeof *tokens);
  if (!tokens)
    return fail_memory();
  *longest = 1;
  int status = EXIT_DONE;
  for (int32_t i = 0, count; i < scoring->pairs.count && status == EXIT_DONE; i++) {
    const struct pair *pair = &scoring->pairs.list[i];
    if (cuseq_text_tokens(scoring->texts.model, pair->wanted, tokens, (int32_t)room, &count) !=
        CUSEQ_STATUS_OK)
      status = fail("%s: line %d: the second %s", path, (int)pair->line, cuseq_last_error());
    else
      *longest = count > *longest ? count : *longest;
  }
  free(tokens);
  return status;
}

static int scoring_open(struct scoring *scoring) {
  const struct arguments *arguments = scoring->arguments;
  struct texts *texts = &scoring->texts;
  int32_t longest = 0;
  int status = texts_load(texts, TEXTS_SCORED, arguments);
  if (status == EXIT_DONE)
    status = pairs_load(&scoring->pairs, arguments->operands[1], texts);
  if (status == EXIT_DONE)
    status = longest_output(scoring, &longest);
  if (status == EXIT_DONE)
    status = texts_open(texts, arguments, arguments->batch > 0 ? arguments->batch : BATCH, longest,
                        RESULT_SET(RESULT_LOG_PROBABILITIES));
  if (status != EXIT_DONE)
    return status;
  texts->targets = calloc((size_t)texts->most * (size_t)texts->steps, sizeof *texts->targets);
  texts->target_lengths = calloc((size_t)texts->most, sizeof *texts->target_lengths);
  return texts->targets && texts->target_lengths ? EXIT_DONE : fail_memory();
}

static double perplexity(double log_probability, int64_t tokens) {
  return exp(-log_probability / (double)tokens);
}

static void print_pair(const struct scoring *scoring, int32_t index, double score, int32_t slot) {
  const struct pair *pair = &scoring->pairs.list[index];
  int32_t length = scoring->texts.target_lengths[slot];
  if (!scoring->arguments->json) {
    printf("%s\t%s\t%.6g\t%.6g\n", pair->input, pair->wanted, score, perplexity(score, length));
    return;
  }
  fputs(index ? ",\n    {\"input\": " : "\n    {\"input\": ", stdout);
  json_put_string(stdout, pair->input);
  fputs(", \"output\": ", stdout);
  json_put_string(stdout, pair->wanted);
  fputs(", \"log_probability\": ", stdout);
  json_put_number(stdout, score);
  fputs(", \"perplexity\": ", stdout);
  json_put_number(stdout, perplexity(score, length));
  fputs(", \"log_probabilities\": ", stdout);
  json_put_floats(stdout, results_floats(&scoring->texts.results, RESULT_LOG_PROBABILITIES, slot),
                  (size_t)length);
  putchar('}');
}

static int score_batch(struct scoring *scoring) {
  struct texts *texts = &scoring->texts;
  int32_t left = scoring->pairs.count - scoring->done, count = left < texts->most ? left : texts->most;
  texts_clear(texts);
  for (int32_t i = 0; i < count; i++) {
    const struct pair *pair = &scoring->pairs.list[scoring->done + i];
    if (texts_add(texts, pair->input) != CUSEQ_STATUS_OK ||
        cuseq_text_tokens(texts->model, pair->wanted, texts->targets + (size_t)i * (size_t)texts->steps,
                          texts->steps, &texts->target_lengths[i]) != CUSEQ_STATUS_OK)
      return fail("%s", texts_reason());
  }
  int status = texts_run(texts);
  for (int32_t i = 0; i < count && status == EXIT_DONE; i++) {
    const float *logs = results_floats(&texts->results, RESULT_LOG_PROBABILITIES, i);
    double score = 0;
    for (int32_t y = 0; y < texts->target_lengths[i]; y++)
      score += (double)logs[y];
    print_pair(scoring, scoring->done + i, score, i);
    scoring->log_probability += score;
    scoring->tokens += texts->target_lengths[i];
  }
  scoring->done += count;
  return status;
}

static int score_all(struct scoring *scoring) {
  interrupt_progress("interrupted: none of %d pairs done", (int)scoring->pairs.count);
  int status = EXIT_DONE;
  while (scoring->done < scoring->pairs.count && status == EXIT_DONE) {
    status = score_batch(scoring);
    if (status == EXIT_DONE)
      status = stdout_check();
    interrupt_progress("interrupted: %d of %d pairs done", (int)scoring->done, (int)scoring->pairs.count);
    if (status == EXIT_DONE && interrupt_requested())
      status = interrupt_leave();
  }
  return status;
}

static void print_end(const struct scoring *scoring) {
  double all = scoring->log_probability, each = perplexity(all, scoring->tokens);
  const cuseq_session *session = scoring->texts.session;
  if (!scoring->arguments->json) {
    printf("perplexity %.6g: %d pairs, %lld tokens, log-probability %.6g, on %s\n", each,
           (int)scoring->pairs.count, (long long)scoring->tokens, all, precision_device(session));
    return;
  }
  printf("\n  ],\n  \"count\": %d,\n  \"tokens\": %lld,\n  \"log_probability\": ", (int)scoring->pairs.count,
         (long long)scoring->tokens);
  json_put_number(stdout, all);
  fputs(",\n  \"perplexity\": ", stdout);
  json_put_number(stdout, each);
  printf(",\n  \"device\": \"%s\",\n  \"precision\": \"%s\"\n}\n", cuseq_session_device(session),
         cuseq_precision_name(scoring->arguments->precision));
}

static int run_score(const struct arguments *arguments) {
  struct scoring scoring = {.arguments = arguments};
  int status = scoring_open(&scoring);
  if (status == EXIT_DONE) {
    if (arguments->json)
      fputs("{\n  \"pairs\": [", stdout);
    status = score_all(&scoring);
  }
  if (status == EXIT_DONE)
    print_end(&scoring);
  pairs_free(&scoring.pairs);
  texts_close(&scoring.texts);
  return status;
}

const struct command command_score = {
    .name = "score",
    .operands = "MODEL PAIRS.tsv",
    .fewest = 2,
    .most = 2,
    .summary = "how probable given outputs are: log-probability and perplexity",
    .description =
        "Takes the pairs of PAIRS.tsv, of which each line is a text, a tab and an output, and makes the "
        "model\n"
        "follow each output. Prints both texts, the logarithm of the output's probability - the sum over "
        "its\n"
        "tokens, the end token counted - and its perplexity exp(-sum/tokens), separated by tabs; then the\n"
        "perplexity of all. For models whose output is softmax or log_softmax. Empty lines are skipped; "
        "every\n"
        "line is checked before the first is scored.",
    .example = "  cuseq score models/dates.safetensors dates.tsv",
    .options = {OPTION_DEVICE, OPTION_PRECISION, OPTION_BATCH_LARGEST, OPTION_THREADS, OPTION_TRUNCATE,
                OPTION_JSON, OPTION_HELP},
    .run = run_score,
};
