/* cuseq run: an array through a model. */
#include "cli/command.h"
#include "cli/gallery.h"
#include "cli/input_array.h"
#include "cli/interrupt.h"
#include "cli/json.h"
#include "cli/message.h"
#include "cli/output_path.h"
#include "cli/results.h"
#include "formats/npz.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { ROWS_LISTED = 10, MAPS_PRINTED = 8, MAPS_PLOTTED = 64 };

struct job {
  const struct arguments *arguments;
  cuseq_model *model;
  const cuseq_config *config;
  cuseq_session *session;
  struct input_array input;
  int32_t steps;
  int32_t at_a_time;
  struct results results; /* all rows with -o, otherwise those of one batch */
  int32_t *ids;           /* [time] of one row */
  char *text;             /* room for one row's output */
  struct gallery shown, plotted;
};

static int open_session(struct job *job) {
  cuseq_session_options options;
  cuseq_session_options_init(&options, job->model);
  options.device = job->arguments->device;
  options.threads = job->arguments->threads;
  options.max_batch = job->at_a_time;
  options.max_time = job->input.time;
  options.max_steps = job->steps;
  options.allow_nonfinite = job->arguments->allow_nonfinite;
  cuseq_status status = cuseq_session_open(job->model, &options, &job->session);
  return status == CUSEQ_STATUS_OK ? EXIT_DONE : fail_library(status);
}

static int job_open(struct job *job, bool terminal) {
  const struct arguments *arguments = job->arguments;
  cuseq_status status = cuseq_model_load(arguments->operands[0], &job->model);
  if (status != CUSEQ_STATUS_OK)
    return fail_library(status);
  job->config = cuseq_model_config(job->model);
  gallery_init(&job->shown, job->model, terminal && !arguments->json ? MAPS_PRINTED : 0);
  gallery_init(&job->plotted, job->model, arguments->plot ? MAPS_PLOTTED : 0);
  int result = steps_choose(job->config, arguments->steps, &job->steps);
  if (result == EXIT_DONE)
    result = input_load(&job->input, arguments->operands[1], arguments->lengths, job->config,
                        arguments->allow_nonfinite);
  if (result != EXIT_DONE)
    return result;
  job->at_a_time = rows_at_a_time(job->config, job->input.batch, job->input.time, job->steps);
  result = open_session(job);
  if (result != EXIT_DONE)
    return result;
  job->ids = malloc((size_t)job->input.time * sizeof *job->ids);
  job->text = malloc(4 * (size_t)job->steps + 1);
  if (!job->ids || !job->text)
    return fail_memory();
  unsigned set = RESULT_SET(RESULT_TOKENS) | RESULT_SET(RESULT_OUTPUT_LENGTHS);
  if (job->shown.most + job->plotted.most > 0)
    set |= RESULT_SET(RESULT_ALPHAS);
  if (arguments->output)
    set = RESULT_SET_ALL;
  return results_make(&job->results, job->config, arguments->output ? job->input.batch : job->at_a_time,
                      job->input.time, job->steps, set);
}

static void job_close(struct job *job) {
  gallery_clear(&job->shown);
  gallery_clear(&job->plotted);
  results_free(&job->results);
  free(job->ids);
  free(job->text);
  input_free(&job->input);
  cuseq_session_close(job->session);
  cuseq_model_destroy(job->model);
}

/* The row's output as a text, NULL where the model writes none. `slot` is its row in the results. */
static const char *row_text(const struct job *job, int32_t slot) {
  const int32_t *tokens = results_integers(&job->results, RESULT_TOKENS, slot);
  bool text = tokens && cuseq_text_decode(job->model, tokens, results_steps(&job->results, slot), job->text,
                                          4 * (size_t)job->steps + 1) == CUSEQ_STATUS_OK;
  return text ? job->text : NULL;
}

static int row_map(struct job *job, int32_t b, int32_t slot, struct gallery *gallery) {
  const char *text = row_text(job, slot);
  size_t size = 64 + (text ? strlen(text) : 0);
  char *title = malloc(size);
  if (!title)
    return fail_memory();
  snprintf(title, size, text ? "row %d \u2192 %s" : "row %d", (int)b, text);
  bool ids = input_row_ids(&job->input, b, job->ids);
  struct gallery_entry entry = {.title = title,
                                .alphas = results_floats(&job->results, RESULT_ALPHAS, slot),
                                .steps = results_steps(&job->results, slot),
                                .time = job->input.time,
                                .length = job->input.lengths ? job->input.lengths[b] : job->input.time,
                                .ids = ids ? job->ids : NULL,
                                .tokens = results_integers(&job->results, RESULT_TOKENS, slot)};
  int status = gallery_add(gallery, &entry);
  free(title);
  return status;
}

static void row_print(const struct job *job, int32_t b, int32_t slot) {
  const int32_t *tokens = results_integers(&job->results, RESULT_TOKENS, slot);
  const char *text = row_text(job, slot);
  if (b == ROWS_LISTED)
    printf("  ... and %d more\n", (int)(job->input.batch - b));
  if (b >= ROWS_LISTED || !tokens)
    return;
  printf("  row %d: ", (int)b);
  if (text) {
    for (const char *c = text; *c; c++)
      putchar((unsigned char)*c < 0x20 || *c == 0x7F ? '?' : *c);
    putchar('\n');
    return;
  }
  int32_t steps = results_steps(&job->results, slot);
  for (int32_t y = 0; y < steps && y < 20; y++)
    printf("%s%d", y ? " " : "", (int)tokens[y]);
  printf("%s\n", steps > 20 ? " ..." : "");
}

static void row_json(const struct job *job, int32_t b, int32_t slot) {
  const int32_t *tokens = results_integers(&job->results, RESULT_TOKENS, slot);
  if (!tokens)
    return;
  fputs(b ? ",\n    {\"tokens\": " : "\n    {\"tokens\": ", stdout);
  json_put_integers(stdout, tokens, (size_t)results_steps(&job->results, slot));
  fputs(", \"text\": ", stdout);
  json_put_string(stdout, row_text(job, slot));
  putchar('}');
}

static int rows_present(struct job *job, int32_t first, int32_t count) {
  int status = EXIT_DONE;
  for (int32_t i = 0; i < count && status == EXIT_DONE; i++) {
    int32_t slot = job->arguments->output ? first + i : i;
    if (job->arguments->json)
      row_json(job, first + i, slot);
    else
      row_print(job, first + i, slot);
    if (job->shown.most > 0)
      status = row_map(job, first + i, slot, &job->shown);
    if (status == EXIT_DONE && job->plotted.most > 0)
      status = row_map(job, first + i, slot, &job->plotted);
  }
  return status;
}

static int compute(struct job *job) {
  for (int32_t first = 0; first < job->input.batch; first += job->at_a_time) {
    int32_t left = job->input.batch - first, count = left < job->at_a_time ? left : job->at_a_time;
    cuseq_input input = input_rows(&job->input, first, count);
    cuseq_encoding encoding = {0};
    cuseq_decoding decoding = {.steps = job->steps};
    results_bind(&job->results, job->arguments->output ? first : 0, &encoding, &decoding);
    cuseq_status status = cuseq_run(job->session, &input, &encoding, &decoding);
    if (status != CUSEQ_STATUS_OK)
      return fail_library(status);
    int result = rows_present(job, first, count);
    interrupt_progress("interrupted: %d of %d rows done, nothing written", (int)(first + count),
                       (int)job->input.batch);
    if (result == EXIT_DONE && interrupt_requested())
      result = interrupt_leave();
    if (result != EXIT_DONE)
      return result;
  }
  return EXIT_DONE;
}

static int write_results(const struct job *job) {
  struct npz_entry entries[RESULT_COUNT];
  struct npz archive = {.entries = entries};
  for (int id = 0; id < RESULT_COUNT; id++) {
    const struct result *result = &job->results.arrays[id];
    if (!result->data)
      continue;
    struct npy_array array = {
        .dtype = result->integer ? NPY_I32 : NPY_F32, .rank = result->rank, .data = result->data};
    array.count = (size_t)result->shape[0] * result_row(result);
    memcpy(array.shape, result->shape, (size_t)result->rank * sizeof *array.shape);
    entries[archive.count++] = (struct npz_entry){result->name, array};
  }
  cuseq_status status = npz_write(job->arguments->output, &archive, NPZ_STORED);
  return status == CUSEQ_STATUS_OK ? EXIT_DONE : fail_file(status);
}

static void print_begin(const struct job *job) {
  const struct arguments *arguments = job->arguments;
  if (!arguments->json) {
    printf("%s on %s: %d rows of %d positions", arguments->operands[0], cuseq_session_device(job->session),
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
  printf(",\n  \"threads\": %d,\n  \"batch\": %d,\n  \"time\": %d,\n  \"steps\": %d,\n  \"rows\": [",
         (int)cuseq_session_threads(job->session), (int)job->input.batch, (int)job->input.time,
         (int)job->steps);
}

static void print_end(const struct job *job) {
  const char *output = job->arguments->output;
  if (job->arguments->json)
    fputs("\n  ],\n  \"arrays\": {", stdout);
  const char *separator = "";
  for (int id = 0; id < RESULT_COUNT && output; id++) {
    const struct result *result = &job->results.arrays[id];
    if (result->rank == 0)
      continue;
    if (job->arguments->json)
      printf("%s\n    \"%s\": [", separator, result->name);
    else
      printf("  %-14s %s [", result->name, result->integer ? "int32  " : "float32");
    for (int32_t i = 0; i < result->rank; i++)
      printf("%s%lld", i ? "," : "", (long long)result->shape[i]);
    fputs(job->arguments->json ? "]" : "]\n", stdout);
    separator = ",";
  }
  if (job->arguments->json) {
    fputs(output ? "\n  },\n  \"output\": " : "},\n  \"output\": ", stdout);
    json_put_string(stdout, output);
    fputs("\n}\n", stdout);
  } else if (output) {
    printf("written to %s\n", output);
  }
}

static int check_paths(const struct arguments *arguments) {
  const char *outputs[] = {arguments->output, arguments->plot};
  const char *inputs[] = {arguments->operands[0], arguments->operands[1], arguments->lengths};
  int status = gallery_check_path(arguments->plot);
  for (size_t i = 0; i < 6 && status == EXIT_DONE; i++)
    status = output_path_check(outputs[i / 3], inputs[i % 3]);
  return status == EXIT_DONE ? output_path_check(arguments->plot, arguments->output) : status;
}

static int run_run(const struct arguments *arguments) {
  if (check_paths(arguments) != EXIT_DONE)
    return EXIT_USER;
  struct job job = {.arguments = arguments};
  int status = job_open(&job, isatty(STDOUT_FILENO));
  if (status == EXIT_DONE) {
    print_begin(&job);
    status = compute(&job);
  }
  if (status == EXIT_DONE && arguments->output)
    status = write_results(&job);
  if (status == EXIT_DONE && arguments->plot)
    status = gallery_write(&job.plotted, arguments->plot);
  if (status == EXIT_DONE) {
    print_end(&job);
    gallery_print(&job.shown);
  }
  job_close(&job);
  return status;
}

const struct command command_run = {
    .name = "run",
    .operands = "MODEL INPUT.npy",
    .fewest = 2,
    .most = 2,
    .summary = "run a model on an array",
    .description =
        "Runs a model on numbers [B,T,F], or on whole-number ids [B,T], and prints what came out; on a\n"
        "terminal also draws the attention of the first rows. OUT.npz holds annotations [B,T,A],\n"
        "h_fw c_fw h_bw c_bw [B,H], context [B,Y,A], alphas [B,Y,T], states [B,Y,S], outputs [B,Y,V],\n"
        "tokens [B,Y] and, with an end token, output_lengths [B]; of a model without a decoder context\n"
        "[B,A] and alphas [B,T].",
    .example = "  cuseq run models/dates.safetensors dates_onehot.npy -o out.npz --plot attention.svg",
    .options = {OPTION_OUTPUT, OPTION_DEVICE, OPTION_LENGTHS, OPTION_STEPS, OPTION_THREADS, OPTION_PLOT,
                OPTION_ALLOW_NONFINITE, OPTION_JSON, OPTION_HELP},
    .run = run_run,
};
