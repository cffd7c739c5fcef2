/* cuseq evaluate: how many texts a model gets exactly right. */
#include "cli/command.h"
#include "cli/interrupt.h"
#include "cli/json.h"
#include "cli/message.h"
#include "cli/texts.h"
#include "formats/file.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { BATCH = 64, BAR_WIDTH = 30 };

struct pair {
  const char *input, *wanted; /* in the file's bytes */
};

struct evaluation {
  const struct arguments *arguments;
  struct texts texts;
  char *bytes; /* the file, zero-terminated */
  struct pair *pairs;
  int32_t count;
  int32_t done, right, wrong_shown;
  bool bar;
};

/* Cuts the file into pairs. Empty lines are skipped; "\r\n" ends a line like "\n". */
static int split(struct evaluation *evaluation, const char *path) {
  char *rest = evaluation->bytes;
  if (strncmp(rest, "\xef\xbb\xbf", 3) == 0)
    rest += 3;
  for (int32_t number = 1; rest && *rest; number++) {
    char *line = strsep(&rest, "\n");
    size_t length = strlen(line);
    if (length > 0 && line[length - 1] == '\r')
      line[--length] = 0;
    if (length == 0)
      continue;
    char *wanted = strchr(line, '\t');
    if (!wanted || strchr(wanted + 1, '\t'))
      return fail("%s: line %d: not a pair (found %s, needed text, tab, text)", path, (int)number,
                  wanted ? "more than one tab" : "no tab");
    *wanted++ = 0;
    evaluation->pairs[evaluation->count++] = (struct pair){line, wanted};
    if (texts_add(&evaluation->texts, line) != CUSEQ_STATUS_OK)
      return fail("%s: line %d: %s%s", path, (int)number, texts_reason(),
                  strstr(texts_reason(), "too long") ? "; --truncate cuts it" : "");
    texts_clear(&evaluation->texts);
  }
  return evaluation->count > 0 ? EXIT_DONE : fail("%s: empty (needed lines of text, tab, text)", path);
}

static int load_pairs(struct evaluation *evaluation, const char *path) {
  void *bytes = NULL;
  size_t size = 0, lines = 1;
  cuseq_status status = file_read(path, &bytes, &size);
  if (status != CUSEQ_STATUS_OK)
    return fail_file(status);
  evaluation->bytes = realloc(bytes, size + 1);
  if (!evaluation->bytes) {
    free(bytes);
    return fail_memory();
  }
  evaluation->bytes[size] = 0;
  if (memchr(evaluation->bytes, 0, size))
    return fail("%s: not a text file (found a zero byte)", path);
  for (size_t i = 0; i < size; i++)
    lines += evaluation->bytes[i] == '\n';
  if (lines >= INT32_MAX)
    return fail("%s: too many lines (found %zu)", path, lines);
  evaluation->pairs = calloc(lines, sizeof *evaluation->pairs);
  return evaluation->pairs ? split(evaluation, path) : fail_memory();
}

static void draw_bar(const struct evaluation *evaluation) {
  int filled = (int)((int64_t)evaluation->done * BAR_WIDTH / evaluation->count);
  fprintf(stderr, "\r[%.*s%*s] %3d%% %d of %d, %.2f%% right", filled, "##############################",
          BAR_WIDTH - filled, "", (int)((int64_t)evaluation->done * 100 / evaluation->count),
          (int)evaluation->done, (int)evaluation->count, 100.0 * evaluation->right / evaluation->done);
}

static void clear_bar(const struct evaluation *evaluation) {
  if (evaluation->bar)
    fputs("\r\033[K", stderr);
}

static void show_wrong(struct evaluation *evaluation, const struct pair *pair, const char *output) {
  if (evaluation->arguments->json) {
    fputs(evaluation->wrong_shown ? ",\n    {\"input\": " : "\n    {\"input\": ", stdout);
    json_put_string(stdout, pair->input);
    fputs(", \"output\": ", stdout);
    json_put_string(stdout, output);
    fputs(", \"wanted\": ", stdout);
    json_put_string(stdout, pair->wanted);
    putchar('}');
  } else {
    clear_bar(evaluation);
    printf("%s\t%s\twanted %s\n", pair->input, output, pair->wanted);
    fflush(stdout);
  }
  evaluation->wrong_shown++;
}

static int run_batch(struct evaluation *evaluation) {
  int32_t left = evaluation->count - evaluation->done;
  int32_t count = left < evaluation->texts.most ? left : evaluation->texts.most;
  texts_clear(&evaluation->texts);
  for (int32_t i = 0; i < count; i++)
    if (texts_add(&evaluation->texts, evaluation->pairs[evaluation->done + i].input) != CUSEQ_STATUS_OK)
      return fail("%s", texts_reason());
  int status = texts_run(&evaluation->texts);
  for (int32_t i = 0; i < count && status == EXIT_DONE; i++) {
    const struct pair *pair = &evaluation->pairs[evaluation->done + i];
    const char *output = texts_output(&evaluation->texts, i);
    bool right = strcmp(output, pair->wanted) == 0;
    evaluation->right += right;
    if (!right && evaluation->wrong_shown < evaluation->arguments->show_wrong)
      show_wrong(evaluation, pair, output);
  }
  evaluation->done += count;
  return status;
}

static int evaluate_all(struct evaluation *evaluation) {
  interrupt_progress("interrupted: none of %d pairs done", (int)evaluation->count);
  while (evaluation->done < evaluation->count) {
    int status = run_batch(evaluation);
    if (status == EXIT_DONE)
      status = ferror(stdout) ? stdout_check() : EXIT_DONE;
    if (status != EXIT_DONE)
      return status;
    interrupt_progress("interrupted: %d of %d pairs done, %d exactly right", (int)evaluation->done,
                       (int)evaluation->count, (int)evaluation->right);
    if (evaluation->bar)
      draw_bar(evaluation);
    if (interrupt_requested()) {
      clear_bar(evaluation);
      return interrupt_leave();
    }
  }
  clear_bar(evaluation);
  return EXIT_DONE;
}

static int run_evaluate(const struct arguments *arguments) {
  struct evaluation evaluation = {.arguments = arguments, .bar = isatty(STDERR_FILENO)};
  int status = texts_open(&evaluation.texts, arguments->operands[0], arguments,
                          arguments->batch > 0 ? arguments->batch : BATCH, 0);
  if (status == EXIT_DONE)
    status = load_pairs(&evaluation, arguments->operands[1]);
  if (status == EXIT_DONE) {
    if (arguments->json)
      fputs("{\n  \"wrong\": [", stdout);
    status = evaluate_all(&evaluation);
  }
  if (status == EXIT_DONE) {
    double accuracy = (double)evaluation.right / evaluation.count;
    const char *device = cuseq_session_device(evaluation.texts.session);
    if (arguments->json)
      printf("%s],\n  \"pairs\": %d,\n  \"right\": %d,\n  \"accuracy\": %.9g,\n  \"device\": \"%s\"\n}\n",
             evaluation.wrong_shown ? "\n  " : "", (int)evaluation.count, (int)evaluation.right, accuracy,
             device);
    else
      printf("%.2f%% exactly right: %d of %d, on %s\n", 100 * accuracy, (int)evaluation.right,
             (int)evaluation.count, device);
  }
  free(evaluation.pairs);
  free(evaluation.bytes);
  texts_close(&evaluation.texts);
  return status;
}

const struct command command_evaluate = {
    .name = "evaluate",
    .operands = "MODEL PAIRS.tsv",
    .fewest = 2,
    .most = 2,
    .summary = "exact-match accuracy over text pairs",
    .description =
        "Translates the first text of every line of PAIRS.tsv and counts how often the second one, after\n"
        "a tab, comes out. Empty lines are skipped. Every text is checked before the first is translated.\n"
        "Shows a progress bar where stderr is a terminal; Ctrl-C stops and says how far it came.",
    .example = "  cuseq evaluate models/dates.safetensors dates.tsv --show-wrong 10",
    .options = {OPTION_DEVICE, OPTION_BATCH_LARGEST, OPTION_THREADS, OPTION_SHOW_WRONG, OPTION_TRUNCATE,
                OPTION_JSON, OPTION_HELP},
    .run = run_evaluate,
};
