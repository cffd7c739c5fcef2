/* cuseq run: an array through a model. */
#include "cli/run.h"

#include "cli/interrupt.h"
#include "cli/kinds.h"
#include "cli/message.h"
#include "cli/output_path.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MAPS_PRINTED = 8, MAPS_PLOTTED = 64 };

static int open_session(struct job *job) {
  cuseq_session_options options;
  cuseq_session_options_init(&options, sizeof options, job->model);
  options.device = job->arguments->device;
  options.precision = job->arguments->precision;
  options.threads = job->arguments->threads;
  options.max_batch = job->at_a_time;
  options.max_time = job->input.time;
  options.max_steps = job->steps;
  options.max_beams = job->beam.beams;
  options.allow_nonfinite = job->arguments->allow_nonfinite;
  cuseq_status status = cuseq_session_open(job->model, &options, &job->session);
  return status == CUSEQ_STATUS_OK ? EXIT_DONE : fail_library(status);
}

/* What is searched for or followed, and how many steps that is. The input is there. */
static int steps_prepare(struct job *job) {
  const struct arguments *arguments = job->arguments;
  if (arguments->targets && arguments->beam > 0)
    return fail("--targets: goes without --beam (found both)");
  int32_t asked = arguments->steps;
  int status = given_load(&job->given, arguments->given, job->config, job->input.batch,
                          arguments->allow_nonfinite, &asked);
  if (status == EXIT_DONE)
    status = beam_choose(arguments, job->config, asked, &job->beam);
  if (status != EXIT_DONE)
    return status;
  if (!arguments->targets)
    return steps_choose(job->config, asked, &job->steps);
  status = targets_load(&job->targets, arguments->targets, job->config, job->input.batch, asked);
  job->steps = job->targets.steps;
  return status;
}

/* Maps are of the attention, of one output a row. */
static void galleries_init(struct job *job, bool terminal) {
  bool attends = job->config->context_width > 0;
  bool prints = attends && terminal && !job->arguments->json && job->arguments->n_best <= 1;
  gallery_init(&job->shown, job->model, prints ? MAPS_PRINTED : 0);
  gallery_init(&job->plotted, job->model, attends && job->arguments->plot ? MAPS_PLOTTED : 0);
}

static int make_results(struct job *job) {
  bool all = job->arguments->output != NULL, maps = job->shown.most + job->plotted.most > 0;
  int64_t rows = all ? job->input.batch : job->at_a_time;
  unsigned set = RESULT_SET(RESULT_TOKENS) | RESULT_SET(RESULT_OUTPUT_LENGTHS);
  if (maps)
    set |= RESULT_SET(RESULT_ALPHAS);
  if (all)
    set = RESULT_SET_ALL;
  if (job->targets.tokens && targets_have_logs(job->config))
    set |= RESULT_SET(RESULT_LOG_PROBABILITIES);
  if (job->beam.beams > 0)
    set = all ? RESULT_SET_ENCODING : 0;
  int status = results_make(&job->results, job->config, rows, job->input.time, job->steps, set);
  if (status != EXIT_DONE || job->beam.beams == 0)
    return status;
  return beam_results_make(&job->found, &job->beam, rows, job->input.time,
                           maps || (all && job->config->context_width > 0));
}

static int job_open(struct job *job, bool terminal) {
  const struct arguments *arguments = job->arguments;
  int result = model_load(arguments->operands[0], &job->model);
  if (result != EXIT_DONE)
    return result;
  job->config = cuseq_model_config(job->model);
  galleries_init(job, terminal);
  if (arguments->plot && job->config->context_width == 0)
    return fail("--plot: %s has no attention to draw", arguments->operands[0]);
  /* an option is refused before a large input is read */
  result = steps_choose(job->config, arguments->steps, &job->steps);
  if (result == EXIT_DONE)
    result = targets_check(arguments->operands[0], job->config, arguments->targets, arguments->beam > 0,
                           arguments->first_token != NULL);
  if (result == EXIT_DONE)
    result = given_check(arguments->operands[0], job->config, arguments->given);
  if (result == EXIT_DONE)
    result = input_load(&job->input, arguments->operands[1], arguments->lengths, job->config,
                        arguments->allow_nonfinite);
  if (result == EXIT_DONE)
    result = begin_token(&job->begin, job->model, arguments->first_token, job->input.batch);
  if (result == EXIT_DONE)
    result = steps_prepare(job);
  if (result != EXIT_DONE)
    return result;
  job->at_a_time =
      rows_at_a_time(job->config, job->input.batch, job->input.time, job->steps, job->beam.beams);
  result = open_session(job);
  if (result != EXIT_DONE)
    return result;
  job->ids = malloc((size_t)job->input.time * sizeof *job->ids);
  job->text_capacity =
      (size_t)job->config->output_bytes * (size_t)(job->config->is_tagger ? job->input.time : job->steps) + 1;
  job->text = malloc(job->text_capacity);
  if (!job->ids || !job->text)
    return fail_memory();
  return make_results(job);
}

static void job_close(struct job *job) {
  gallery_clear(&job->shown);
  gallery_clear(&job->plotted);
  results_free(&job->results);
  beam_results_free(&job->found);
  targets_free(&job->targets);
  given_free(&job->given);
  begin_free(&job->begin);
  free(job->ids);
  free(job->text);
  input_free(&job->input);
  cuseq_session_close(job->session);
  cuseq_model_destroy(job->model);
}

/* Rows `first` .. first + count - 1. */
static cuseq_status compute_rows(struct job *job, int32_t first, int32_t count) {
  cuseq_input input = input_rows(&job->input, first, count);
  cuseq_encoding encoding = CUSEQ_ENCODING_INIT;
  cuseq_decoding decoding = {.size = sizeof(cuseq_decoding),
                             .steps = job->config->has_decoder ? job->steps : 0};
  int32_t slot = job->arguments->output ? first : 0;
  begin_bind(&job->begin, first, &decoding);
  results_bind(&job->results, slot, &encoding, &decoding);
  decoding.given = given_rows(&job->given, first);
  if (job->targets.tokens) {
    decoding.targets = job->targets.tokens + (size_t)first * (size_t)job->steps;
    decoding.target_lengths = job->targets.lengths + first;
  }
  if (job->beam.beams == 0)
    return cuseq_run(job->session, &input, &encoding, &decoding);
  beam_results_bind(&job->found, slot, &job->beam);
  job->beam.previous = decoding.previous;
  cuseq_status status = cuseq_encode(job->session, &input, &encoding);
  return status == CUSEQ_STATUS_OK ? cuseq_beam_search(job->session, &job->beam) : status;
}

static int compute(struct job *job) {
  for (int32_t first = 0; first < job->input.batch; first += job->at_a_time) {
    int32_t left = job->input.batch - first, count = left < job->at_a_time ? left : job->at_a_time;
    cuseq_status status = compute_rows(job, first, count);
    if (status != CUSEQ_STATUS_OK)
      return fail_library(status);
    int result = run_rows(job, first, count);
    interrupt_progress("interrupted: %d of %d rows done, nothing written", (int)(first + count),
                       (int)job->input.batch);
    if (result == EXIT_DONE && interrupt_requested())
      result = interrupt_leave();
    if (result != EXIT_DONE)
      return result;
  }
  return EXIT_DONE;
}

size_t run_entries(const struct job *job, struct npz_entry entries[RUN_ENTRIES]) {
  size_t count = 0;
  for (int id = 0; id < RESULT_COUNT; id++) {
    const struct result *result = &job->results.arrays[id];
    if (!result->data)
      continue;
    struct npy_array array = {
        .dtype = result->integer ? NPY_I32 : NPY_F32, .rank = result->rank, .data = result->data};
    array.count = (size_t)result->shape[0] * result_row(result);
    memcpy(array.shape, result->shape, (size_t)result->rank * sizeof *array.shape);
    entries[count++] = (struct npz_entry){result->name, array};
  }
  return count + (size_t)beam_results_entries(&job->found, job->input.batch, entries + count);
}

static int write_results(const struct job *job) {
  struct npz_entry entries[RUN_ENTRIES];
  struct npz archive = {.entries = entries, .count = run_entries(job, entries)};
  cuseq_status status = npz_write(job->arguments->output, &archive, NPZ_STORED);
  return status == CUSEQ_STATUS_OK ? EXIT_DONE : fail_file(status);
}

/* The work stopped early: what is printed stays one JSON value, without the keys that only a whole run
 * has. */
static void print_broken(const struct job *job) {
  if (job->arguments->json)
    fputs("\n  ]\n}\n", stdout);
}

static int check_paths(const struct arguments *arguments) {
  const char *outputs[] = {arguments->output, arguments->plot};
  const char *inputs[] = {arguments->operands[0], arguments->operands[1], arguments->lengths,
                          arguments->targets, arguments->given};
  enum { INPUTS = sizeof inputs / sizeof *inputs };
  int status = gallery_check_path(arguments->plot);
  for (size_t i = 0; i < 2 * (size_t)INPUTS && status == EXIT_DONE; i++)
    status = output_path_check(outputs[i / INPUTS], inputs[i % INPUTS]);
  return status == EXIT_DONE ? output_path_check(arguments->plot, arguments->output) : status;
}

static int run_run(const struct arguments *arguments) {
  if (check_paths(arguments) != EXIT_DONE)
    return EXIT_USER;
  struct job job = {.arguments = arguments};
  int status = job_open(&job, isatty(STDOUT_FILENO));
  bool begun = status == EXIT_DONE;
  if (begun) {
    run_print_begin(&job);
    status = compute(&job);
  }
  if (status == EXIT_DONE && arguments->output)
    status = write_results(&job);
  if (status == EXIT_DONE && arguments->plot)
    status = gallery_write(&job.plotted, arguments->plot);
  if (status == EXIT_DONE) {
    run_print_end(&job);
    gallery_print(&job.shown);
  } else if (begun) {
    print_broken(&job);
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
        "h_fw c_fw h_bw c_bw [B,H], context [B,Y,C], alphas [B,Y,T], states [B,Y,S], outputs [B,Y,V],\n"
        "tokens [B,Y] and, with an end token, output_lengths [B]; of a model without a decoder context\n"
        "[B,C] and alphas [B,T], and of its heads outputs and tokens. With --beam it holds what was found,\n"
        "N hypotheses a row: tokens [B,N,Y], output_lengths, scores, log_probabilities [B,N], alphas\n"
        "[B,N,Y,T]. With --targets the model follows the given tokens, up to the end token or the first\n"
        "negative one, and the logarithms of their probabilities are log_probabilities [B,Y]. With --given\n"
        "each step reads its G numbers of GIVEN.npy, and there are as many steps as that has.",
    .example = "  cuseq run models/dates.safetensors dates_onehot.npy -o out.npz --plot attention.svg",
    .options = {OPTION_OUTPUT,  OPTION_DEVICE,         OPTION_PRECISION,   OPTION_LENGTHS,
                OPTION_STEPS,   OPTION_THREADS,        OPTION_PLOT,        OPTION_ALLOW_NONFINITE,
                OPTION_TARGETS, OPTION_GIVEN,          OPTION_FIRST_TOKEN, OPTION_BEAM,
                OPTION_N_BEST,  OPTION_LENGTH_PENALTY, OPTION_ALPHA,       OPTION_MIN_LENGTH,
                OPTION_RETIRE,  OPTION_PRUNE_BY_SCORE, OPTION_JSON,        OPTION_HELP},
    .run = run_run,
};
