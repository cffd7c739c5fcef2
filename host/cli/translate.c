/* cuseq translate: texts in, texts out. */
#include "cli/command.h"
#include "cli/feed.h"
#include "cli/gallery.h"
#include "cli/json.h"
#include "cli/message.h"
#include "cli/texts.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MAPS_PRINTED = 20, MAPS_PLOTTED = 64 };

struct translation {
  const struct arguments *arguments;
  struct texts texts;
  struct feed feed;
  long printed; /* texts so far */
  bool terminal;
  struct gallery shown;   /* this batch, on the terminal */
  struct gallery plotted; /* for --plot */
};

/* For people: control characters of the output, which the model's file chose, do not reach the terminal. */
static void print_text(const struct translation *translation, const char *text) {
  for (; *text; text++) {
    bool control = (unsigned char)*text < 0x20 || *text == 0x7F;
    putchar(control && translation->terminal ? '?' : *text);
  }
}

static void print_tokens(const struct texts *texts, const char *item, int32_t slot, int32_t n) {
  int32_t count = 0;
  const int32_t *tokens = item ? texts_tokens(texts, slot, n, &count) : NULL;
  fputs(", \"tokens\": ", stdout);
  json_put_integers(stdout, tokens, (size_t)count);
}

/* What a search found: all results, best first. */
static void print_hypotheses(struct translation *translation, const char *item, int32_t slot) {
  struct texts *texts = &translation->texts;
  fputs(", \"hypotheses\": [", stdout);
  for (int32_t n = 0; item && n < texts_best(texts); n++) {
    fputs(n ? ",\n  {\"output\": " : "\n  {\"output\": ", stdout);
    json_put_string(stdout, texts_output(texts, slot, n));
    fputs(", \"score\": ", stdout);
    json_put_number(stdout, texts_score(texts, slot, n));
    fputs(", \"log_probability\": ", stdout);
    json_put_number(stdout, (double)texts->found.log_probabilities[slot * texts_best(texts) + n]);
    print_tokens(texts, item, slot, n);
    fputs("}", stdout);
  }
  fputs("]", stdout);
}

static void print_json(struct translation *translation, const char *item, int32_t slot) {
  struct texts *texts = &translation->texts;
  fputs(translation->printed ? ",\n {\"input\": " : "[\n {\"input\": ", stdout);
  json_put_string(stdout, item ? item : "");
  fputs(", \"output\": ", stdout);
  json_put_string(stdout, item ? texts_output(texts, slot, 0) : "");
  if (translation->arguments->scores) {
    fputs(", \"score\": ", stdout);
    json_put_number(stdout, item ? texts_score(texts, slot, 0) : 0);
  }
  print_tokens(texts, item, slot, 0);
  if (texts->beam.beams > 0)
    print_hypotheses(translation, item, slot);
  fputs("}", stdout);
}

/* A line for each output: as many for an empty text, so that lines stay in step. */
static void print_lines(struct translation *translation, const char *item, int32_t slot) {
  struct texts *texts = &translation->texts;
  for (int32_t n = 0; n < texts_best(texts); n++) {
    if (item)
      print_text(translation, texts_output(texts, slot, n));
    if (translation->arguments->scores)
      printf("\t%.6g", item ? texts_score(texts, slot, n) : 0.0);
    putchar('\n');
  }
}

static int add_map(struct translation *translation, struct gallery *gallery, const char *item, int32_t slot) {
  struct texts *texts = &translation->texts;
  const char *output = texts_output(texts, slot, 0);
  size_t size = strlen(item) + strlen(output) + 64;
  char *title = malloc(size);
  if (!title)
    return fail_memory();
  int used = snprintf(title, size, "%s \u2192 %s", item, output);
  if (translation->arguments->scores)
    snprintf(title + used, size - (size_t)used, "  (%.6g)", texts_score(texts, slot, 0));
  struct gallery_entry entry = {.title = title,
                                .alphas = texts_alphas(texts, slot, 0),
                                .time = texts->time,
                                .length = texts->lengths[slot],
                                .ids = texts->ids + (size_t)slot * (size_t)texts->time};
  entry.tokens = texts_tokens(texts, slot, 0, &entry.steps);
  int status = gallery_add(gallery, &entry);
  free(title);
  return status;
}

/* Whether the attention of texts is drawn on the terminal: where each has one output. */
static bool draws(const struct translation *translation) {
  return translation->terminal && translation->texts.config->context_width > 0 &&
         texts_best(&translation->texts) == 1;
}

static int print_item(struct translation *translation, const char *item, int32_t slot) {
  bool map = draws(translation) && item && translation->printed < MAPS_PRINTED;
  int status = EXIT_DONE;
  if (translation->arguments->json)
    print_json(translation, item, slot);
  else if (map)
    status = add_map(translation, &translation->shown, item, slot);
  else
    print_lines(translation, item, slot);
  translation->printed++;
  if (status == EXIT_DONE && translation->arguments->plot && item)
    status = add_map(translation, &translation->plotted, item, slot);
  return status;
}

/* Translates and prints the batch. */
static int flush_batch(void *owner) {
  struct translation *translation = owner;
  int status = translation->texts.count > 0 ? texts_run(&translation->texts) : EXIT_DONE;
  int32_t slot = 0, count = translation->feed.count;
  for (int32_t i = 0; i < count && status == EXIT_DONE; i++) {
    const char *item = translation->feed.items[i];
    status = print_item(translation, item, slot);
    slot += item != NULL;
    /* Heat maps print together, at the end of the batch or before the first text that gets none. */
    bool last = i + 1 == count || translation->printed == MAPS_PRINTED;
    if (last && status == EXIT_DONE) {
      gallery_print(&translation->shown);
      gallery_clear(&translation->shown);
    }
  }
  return status;
}

static int translate_all(struct translation *translation) {
  enum line_result result;
  int status =
      feed_all(&translation->feed, flush_batch, translation, &translation->printed, "translated", &result);
  if (translation->arguments->json) /* whole also where the work stops early */
    fputs(translation->printed ? "\n]\n" : "[]\n", stdout);
  if (status == EXIT_DONE)
    status = feed_end(&translation->feed, result);
  if (translation->arguments->plot && status == EXIT_DONE)
    status = gallery_write(&translation->plotted, translation->arguments->plot);
  return status;
}

static int run_translate(const struct arguments *arguments) {
  if (gallery_check_path(arguments->plot) != EXIT_DONE)
    return EXIT_USER;
  struct translation translation = {.arguments = arguments, .terminal = isatty(STDOUT_FILENO)};
  struct texts *texts = &translation.texts;
  int status = texts_load(texts, TEXTS_TRANSLATED, arguments);
  if (status == EXIT_DONE && arguments->plot && texts->config->context_width == 0)
    status = fail("--plot: %s has no attention to draw", arguments->operands[0]);
  unsigned set = 0;
  if (status == EXIT_DONE && (arguments->plot || (draws(&translation) && !arguments->json)))
    set |= RESULT_SET(RESULT_ALPHAS);
  if (arguments->scores)
    set |= RESULT_SET(RESULT_OUTPUTS);
  if (status == EXIT_DONE)
    status = texts_open(texts, arguments, feed_most(arguments), 0, set);
  gallery_init(&translation.shown, translation.texts.model, MAPS_PRINTED);
  gallery_init(&translation.plotted, translation.texts.model, MAPS_PLOTTED);
  if (status == EXIT_DONE)
    status = feed_open(&translation.feed, arguments, texts);
  if (status == EXIT_DONE)
    status = translate_all(&translation);
  gallery_clear(&translation.shown);
  gallery_clear(&translation.plotted);
  feed_close(&translation.feed);
  texts_close(&translation.texts);
  return status;
}

const struct command command_translate = {
    .name = "translate",
    .operands = "MODEL TEXT...|-",
    .fewest = 2,
    .most = -1,
    .summary = "text in, text out, with the attention drawn on a terminal",
    .description =
        "Translates each TEXT by a model that has a vocabulary; - reads them from stdin, one a line.\n"
        "Where stdout is no terminal, prints one line per text. On a terminal draws the attention of\n"
        "the first 20. An empty text gives an empty line. A text that is refused ends the work, after\n"
        "the texts before it are printed. With --n-best N each text gives N lines, the best first.",
    .example = "  cuseq translate models/dates.safetensors \"3 May 1979\" \"sat 21 Jan, 2012\" --plot a.svg",
    .options = {OPTION_DEVICE, OPTION_PRECISION, OPTION_THREADS, OPTION_PLOT, OPTION_TRUNCATE, OPTION_SCORES,
                OPTION_BEAM, OPTION_N_BEST, OPTION_LENGTH_PENALTY, OPTION_ALPHA, OPTION_MIN_LENGTH,
                OPTION_MAX_LENGTH, OPTION_RETIRE, OPTION_PRUNE_BY_SCORE, OPTION_JSON, OPTION_HELP},
    .run = run_translate,
};
