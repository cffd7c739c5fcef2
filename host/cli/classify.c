/* cuseq classify: texts in, labels out. */
#include "cli/command.h"
#include "cli/feed.h"
#include "cli/gallery.h"
#include "cli/json.h"
#include "cli/labelled.h"
#include "cli/message.h"

#include <stdlib.h>
#include <string.h>

enum { MAPS_PLOTTED = 64 };

struct classification {
  const struct arguments *arguments;
  struct texts texts;
  struct feed feed;
  struct labelled labelled;
  int32_t top;
  long printed; /* texts so far */
  struct gallery plotted;
};

/* How many labels of a head are printed. */
static int32_t wanted(const struct classification *work, int32_t i) {
  int32_t labels = work->labelled.heads[i].head.labels;
  return labels < work->top ? labels : work->top;
}

/* A head's most probable labels, a line each; of an empty text as many empty lines, so that lines stay in
 * step. */
static void print_head(struct classification *work, int32_t i, const float *outputs) {
  struct labelled *labelled = &work->labelled;
  if (outputs)
    labelled_judge(labelled, i, outputs);
  for (int32_t n = 0, label = -1; n < wanted(work, i); n++) {
    if (outputs) {
      label = labelled_next(labelled, i, label);
      if (labelled->count > 1)
        printf("%s\t", labelled->heads[i].head.name);
      printf("%s\t%.6g", labelled_name(labelled, i, label), labelled->probabilities[label]);
    }
    putchar('\n');
  }
}

static void json_label(const struct labelled *labelled, int32_t i, int32_t label) {
  fputs("\"label\": ", stdout);
  json_put_string(stdout, labelled_name(labelled, i, label));
  fputs(", \"probability\": ", stdout);
  json_put_number(stdout, labelled->probabilities[label]);
}

/* "label": the best one, "probability": its, "labels": the `top` best. */
static void json_head(struct classification *work, int32_t i, const float *outputs) {
  struct labelled *labelled = &work->labelled;
  if (!outputs) {
    fputs("\"label\": null, \"probability\": null, \"labels\": []", stdout);
    return;
  }
  labelled_judge(labelled, i, outputs);
  json_label(labelled, i, labelled_next(labelled, i, -1));
  fputs(", \"labels\": [", stdout);
  for (int32_t n = 0, label = -1; n < wanted(work, i); n++) {
    label = labelled_next(labelled, i, label);
    fputs(n ? ", {" : "{", stdout);
    json_label(labelled, i, label);
    putchar('}');
  }
  putchar(']');
}

static void print_json(struct classification *work, const char *item, const float *outputs) {
  fputs(work->printed ? ",\n {\"input\": " : "[\n {\"input\": ", stdout);
  json_put_string(stdout, item ? item : "");
  fputs(", ", stdout);
  if (work->labelled.count == 1) {
    json_head(work, 0, outputs);
  } else {
    fputs("\"heads\": {", stdout);
    for (int32_t i = 0; i < work->labelled.count; i++) {
      fputs(i ? ",\n   " : "\n   ", stdout);
      json_put_string(stdout, work->labelled.heads[i].head.name);
      fputs(": {", stdout);
      json_head(work, i, outputs);
      putchar('}');
    }
    putchar('}');
  }
  putchar('}');
}

/* What a text's label was read from, under the text and its best label of the first head. */
static int add_map(struct classification *work, const char *item, int32_t slot, const float *outputs) {
  struct texts *texts = &work->texts;
  labelled_judge(&work->labelled, 0, outputs);
  const char *label = labelled_name(&work->labelled, 0, labelled_next(&work->labelled, 0, -1));
  size_t size = strlen(item) + strlen(label) + 16;
  char *title = malloc(size);
  if (!title)
    return fail_memory();
  snprintf(title, size, "%s \u2192 %s", item, label);
  struct gallery_entry entry = {.title = title,
                                .alphas = texts_alphas(texts, slot, 0),
                                .steps = 1,
                                .time = texts->time,
                                .length = texts->lengths[slot],
                                .ids = texts->ids + (size_t)slot * (size_t)texts->time};
  int status = gallery_add(&work->plotted, &entry);
  free(title);
  return status;
}

/* Classifies and prints the batch. */
static int flush_batch(void *owner) {
  struct classification *work = owner;
  int status = work->texts.count > 0 ? texts_run(&work->texts) : EXIT_DONE;
  int32_t slot = 0;
  for (int32_t n = 0; n < work->feed.count && status == EXIT_DONE; n++) {
    const char *item = work->feed.items[n];
    const float *outputs = item ? texts_outputs(&work->texts, slot, 0) : NULL;
    if (work->arguments->json)
      print_json(work, item, outputs);
    for (int32_t i = 0; i < work->labelled.count && !work->arguments->json; i++)
      print_head(work, i, outputs);
    if (item && work->arguments->plot)
      status = add_map(work, item, slot, outputs);
    work->printed++;
    slot += item != NULL;
  }
  return status;
}

static int classify_all(struct classification *work) {
  enum line_result result;
  int status = feed_all(&work->feed, flush_batch, work, &work->printed, "classified", &result);
  if (work->arguments->json) /* whole also where the work stops early */
    fputs(work->printed ? "\n]\n" : "[]\n", stdout);
  if (status == EXIT_DONE)
    status = feed_end(&work->feed, result);
  if (work->arguments->plot && status == EXIT_DONE)
    status = gallery_write(&work->plotted, work->arguments->plot);
  return status;
}

static int classification_open(struct classification *work) {
  const struct arguments *arguments = work->arguments;
  struct texts *texts = &work->texts;
  int status = texts_load(texts, TEXTS_CLASSIFIED, arguments);
  if (status == EXIT_DONE && arguments->plot && texts->config->context_width == 0)
    status = fail("--plot: %s has no attention to draw", arguments->operands[0]);
  if (status == EXIT_DONE)
    status = labelled_make(&work->labelled, texts->model);
  if (status != EXIT_DONE)
    return status;
  work->top = arguments->top > 0 ? arguments->top : 1;
  if (work->top > work->labelled.most)
    return fail("--top: more than the model's labels (found %d, needed 1 to %d)", (int)work->top,
                (int)work->labelled.most);
  gallery_init(&work->plotted, texts->model, MAPS_PLOTTED);
  unsigned set = RESULT_SET(RESULT_OUTPUTS) | (arguments->plot ? RESULT_SET(RESULT_ALPHAS) : 0);
  status = texts_open(texts, arguments, feed_most(arguments), 0, set);
  return status == EXIT_DONE ? feed_open(&work->feed, arguments, texts) : status;
}

static int run_classify(const struct arguments *arguments) {
  if (gallery_check_path(arguments->plot) != EXIT_DONE)
    return EXIT_USER;
  struct classification work = {.arguments = arguments};
  int status = classification_open(&work);
  if (status == EXIT_DONE)
    status = classify_all(&work);
  gallery_clear(&work.plotted);
  feed_close(&work.feed);
  labelled_free(&work.labelled);
  texts_close(&work.texts);
  return status;
}

const struct command command_classify = {
    .name = "classify",
    .operands = "MODEL TEXT...|-",
    .fewest = 2,
    .most = -1,
    .summary = "text in, its label out, with the probability",
    .description =
        "Prints the most probable label of each TEXT, a tab and its probability, by a model whose "
        "vocabulary\n"
        "has \"labels\" for its outputs; - reads the texts from stdin, one a line. Where several heads have\n"
        "labels, each gives a line that begins with its name. With --top N each text gives the N most\n"
        "probable labels of each head, a line each. An empty text gives empty lines. A text that is refused\n"
        "ends the work, after the texts before it are printed.",
    .example = "  cuseq classify model.safetensors \"what a lovely film\" --top 3",
    .options = {OPTION_DEVICE, OPTION_PRECISION, OPTION_THREADS, OPTION_PLOT, OPTION_TRUNCATE, OPTION_TOP,
                OPTION_JSON, OPTION_HELP},
    .run = run_classify,
};
