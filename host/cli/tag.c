/* cuseq tag: texts in, a label for each of their tokens out. */
#include "cli/command.h"
#include "cli/feed.h"
#include "cli/json.h"
#include "cli/labelled.h"
#include "cli/message.h"

#include <stdlib.h>
#include <string.h>

struct tagging {
  const struct arguments *arguments;
  struct texts texts;
  struct feed feed;
  struct labelled labelled;
  int32_t *spans; /* [text_length,2] where the tokens of a text lie */
  char *token;    /* room for one of them */
  size_t capacity;
  long printed; /* texts so far */
};

/* The bytes of a token as a text; NULL without memory. */
static const char *token_text(struct tagging *work, const char *item, int32_t t) {
  size_t begin = (size_t)work->spans[2 * t], length = (size_t)work->spans[2 * t + 1] - begin;
  if (length + 1 > work->capacity) {
    char *larger = realloc(work->token, 2 * length + 64);
    if (!larger)
      return NULL;
    work->token = larger;
    work->capacity = 2 * length + 64;
  }
  memcpy(work->token, item + begin, length);
  work->token[length] = '\0';
  return work->token;
}

/* The most probable label of head `i`, whose probabilities stay. */
static int32_t best_label(struct tagging *work, int32_t i, const float *outputs) {
  labelled_judge(&work->labelled, i, outputs);
  return labelled_next(&work->labelled, i, -1);
}

/* The token, and the label of each head, between tabs. Control characters of the token would look like
 * others. */
static void print_token(struct tagging *work, const char *token, const float *outputs) {
  for (; *token; token++)
    putchar((unsigned char)*token < 0x20 || *token == 0x7F ? '?' : *token);
  for (int32_t i = 0; i < work->labelled.count; i++)
    printf("\t%s", labelled_name(&work->labelled, i, best_label(work, i, outputs)));
  putchar('\n');
}

static void json_label(struct tagging *work, int32_t i, const float *outputs) {
  int32_t label = best_label(work, i, outputs);
  fputs("\"label\": ", stdout);
  json_put_string(stdout, labelled_name(&work->labelled, i, label));
  fputs(", \"probability\": ", stdout);
  json_put_number(stdout, work->labelled.probabilities[label]);
}

static void json_token(struct tagging *work, const char *token, const float *outputs) {
  fputs("{\"token\": ", stdout);
  json_put_string(stdout, token);
  fputs(", ", stdout);
  if (work->labelled.count == 1) {
    json_label(work, 0, outputs);
  } else {
    fputs("\"heads\": {", stdout);
    for (int32_t i = 0; i < work->labelled.count; i++) {
      fputs(i ? ", " : "", stdout);
      json_put_string(stdout, work->labelled.heads[i].head.name);
      fputs(": {", stdout);
      json_label(work, i, outputs);
      putchar('}');
    }
    putchar('}');
  }
  putchar('}');
}

/* item NULL: an empty text. */
static int print_item(struct tagging *work, const char *item, int32_t slot) {
  bool json = work->arguments->json;
  int32_t count = 0;
  cuseq_status status =
      item ? cuseq_text_spans(work->texts.model, item, work->spans, &count) : CUSEQ_STATUS_OK;
  if (status != CUSEQ_STATUS_OK)
    return fail_library(status);
  if (json) {
    fputs(work->printed ? ",\n {\"input\": " : "[\n {\"input\": ", stdout);
    json_put_string(stdout, item ? item : "");
    fputs(", \"tokens\": [", stdout);
  }
  for (int32_t t = 0; t < count; t++) {
    const char *token = token_text(work, item, t);
    if (!token)
      return fail_memory();
    if (json)
      fputs(t ? ",\n   " : "\n   ", stdout);
    (json ? json_token : print_token)(work, token, texts_outputs(&work->texts, slot, t));
  }
  fputs(json ? "]}" : "\n", stdout);
  work->printed++;
  return EXIT_DONE;
}

/* Tags and prints the batch. */
static int flush_batch(void *owner) {
  struct tagging *work = owner;
  int status = work->texts.count > 0 ? texts_run(&work->texts) : EXIT_DONE;
  int32_t slot = 0;
  for (int32_t n = 0; n < work->feed.count && status == EXIT_DONE; n++) {
    const char *item = work->feed.items[n];
    status = print_item(work, item, slot);
    slot += item != NULL;
  }
  return status;
}

static int tag_all(struct tagging *work) {
  enum line_result result;
  int status = feed_all(&work->feed, flush_batch, work, &work->printed, "tagged", &result);
  if (work->arguments->json) /* whole also where the work stops early */
    fputs(work->printed ? "\n]\n" : "[]\n", stdout);
  return status == EXIT_DONE ? feed_end(&work->feed, result) : status;
}

static int tagging_open(struct tagging *work) {
  const struct arguments *arguments = work->arguments;
  struct texts *texts = &work->texts;
  int status = texts_load(texts, TEXTS_TAGGED, arguments);
  if (status == EXIT_DONE)
    status = labelled_make(&work->labelled, texts->model);
  if (status == EXIT_DONE)
    status = texts_open(texts, arguments, feed_most(arguments), 0, RESULT_SET(RESULT_OUTPUTS));
  if (status != EXIT_DONE)
    return status;
  work->spans = calloc(2 * (size_t)texts->config->text_length, sizeof *work->spans);
  return work->spans ? feed_open(&work->feed, arguments, texts) : fail_memory();
}

static int run_tag(const struct arguments *arguments) {
  struct tagging work = {.arguments = arguments};
  int status = tagging_open(&work);
  if (status == EXIT_DONE)
    status = tag_all(&work);
  feed_close(&work.feed);
  labelled_free(&work.labelled);
  texts_close(&work.texts);
  free(work.spans);
  free(work.token);
  return status;
}

const struct command command_tag = {
    .name = "tag",
    .operands = "MODEL TEXT...|-",
    .fewest = 2,
    .most = -1,
    .summary = "text in, a label for each of its tokens out",
    .description =
        "Labels each token of each TEXT - its characters or words, as the model's vocabulary cuts it - by a\n"
        "model whose vocabulary has \"labels\" for its outputs; - reads the texts from stdin, one a line.\n"
        "Prints a line for each token: the token, a tab, and its most probable label, of each head that has\n"
        "labels; behind each text an empty line. --json has the probabilities. A text that is refused ends\n"
        "the work, after the texts before it are printed.",
    .example = "  cuseq tag model.safetensors \"the cat sat\"",
    .options = {OPTION_DEVICE, OPTION_PRECISION, OPTION_THREADS, OPTION_TRUNCATE, OPTION_JSON, OPTION_HELP},
    .run = run_tag,
};
