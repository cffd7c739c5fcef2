/* cuseq evaluate: how many texts a model gets exactly right. */
#include "cli/command.h"
#include "cli/interrupt.h"
#include "cli/json.h"
#include "cli/kinds.h"
#include "cli/message.h"
#include "cli/pairs.h"
#include "cli/precision.h"
#include "cli/texts.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { BATCH = 64, BAR_WIDTH = 30 };

struct evaluation {
  const struct arguments *arguments;
  struct texts texts;
  struct pairs pairs;
  int32_t done, right, wrong_shown;
  bool bar;
};

static void draw_bar(const struct evaluation *evaluation) {
  int filled = (int)((int64_t)evaluation->done * BAR_WIDTH / evaluation->pairs.count);
  fprintf(stderr, "\r[%.*s%*s] %3d%% %d of %d, %.2f%% right", filled, "##############################",
          BAR_WIDTH - filled, "", (int)((int64_t)evaluation->done * 100 / evaluation->pairs.count),
          (int)evaluation->done, (int)evaluation->pairs.count, 100.0 * evaluation->right / evaluation->done);
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
  int32_t left = evaluation->pairs.count - evaluation->done;
  int32_t count = left < evaluation->texts.most ? left : evaluation->texts.most;
  texts_clear(&evaluation->texts);
  for (int32_t i = 0; i < count; i++)
    if (texts_add(&evaluation->texts, evaluation->pairs.list[evaluation->done + i].input) != CUSEQ_STATUS_OK)
      return fail("%s", texts_reason());
  int status = texts_run(&evaluation->texts);
  for (int32_t i = 0; i < count && status == EXIT_DONE; i++) {
    const struct pair *pair = &evaluation->pairs.list[evaluation->done + i];
    const char *output = texts_output(&evaluation->texts, i, 0);
    bool right = strcmp(output, pair->wanted) == 0;
    evaluation->right += right;
    if (!right && evaluation->wrong_shown < evaluation->arguments->show_wrong)
      show_wrong(evaluation, pair, output);
  }
  evaluation->done += count;
  return status;
}

static int evaluate_all(struct evaluation *evaluation) {
  interrupt_progress("interrupted: none of %d pairs done", (int)evaluation->pairs.count);
  while (evaluation->done < evaluation->pairs.count) {
    int status = run_batch(evaluation);
    if (status == EXIT_DONE)
      status = ferror(stdout) ? stdout_check() : EXIT_DONE;
    if (status != EXIT_DONE)
      return status;
    interrupt_progress("interrupted: %d of %d pairs done, %d exactly right", (int)evaluation->done,
                       (int)evaluation->pairs.count, (int)evaluation->right);
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
  int status = texts_load(&evaluation.texts, TEXTS_TRANSLATED, arguments);
  if (status == EXIT_DONE)
    status = texts_open(&evaluation.texts, arguments, arguments->batch > 0 ? arguments->batch : BATCH, 0, 0);
  if (status == EXIT_DONE)
    status = pairs_load(&evaluation.pairs, arguments->operands[1], &evaluation.texts);
  if (status == EXIT_DONE) {
    if (arguments->json)
      fputs("{\n  \"wrong\": [", stdout);
    status = evaluate_all(&evaluation);
    if (arguments->json && status != EXIT_DONE) /* one JSON value all the same, without a result */
      fputs("\n  ]\n}\n", stdout);
  }
  if (status == EXIT_DONE) {
    double accuracy = (double)evaluation.right / evaluation.pairs.count;
    const cuseq_session *session = evaluation.texts.session;
    if (arguments->json)
      printf("%s],\n  \"pairs\": %d,\n  \"right\": %d,\n  \"accuracy\": %.9g,\n  \"device\": \"%s\",\n"
             "  \"precision\": \"%s\"\n}\n",
             evaluation.wrong_shown ? "\n  " : "", (int)evaluation.pairs.count, (int)evaluation.right,
             accuracy, cuseq_session_device(session), cuseq_precision_name(arguments->precision));
    else
      printf("%.2f%% exactly right: %d of %d, on %s\n", 100 * accuracy, (int)evaluation.right,
             (int)evaluation.pairs.count, precision_device(session));
  }
  pairs_free(&evaluation.pairs);
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
    .options = {OPTION_DEVICE, OPTION_PRECISION, OPTION_BATCH_LARGEST, OPTION_THREADS, OPTION_SHOW_WRONG,
                OPTION_TRUNCATE, OPTION_JSON, OPTION_HELP},
    .run = run_evaluate,
};
