/* cuseq compare: a device against the float64 reference. */
#include "cli/command.h"
#include "cli/input_array.h"
#include "cli/interrupt.h"
#include "cli/json.h"
#include "cli/kinds.h"
#include "cli/message.h"
#include "cli/verdict.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

struct side {
  cuseq_session *session;
  struct results results; /* of one batch */
};

struct comparison {
  const struct arguments *arguments;
  cuseq_model *model;
  const cuseq_config *config;
  struct input_array input;
  int32_t steps, at_a_time;
  struct side device, reference;
  struct verdicts verdicts;
};

static int side_open(struct comparison *comparison, struct side *side, const char *device) {
  cuseq_session_options options;
  cuseq_session_options_init(&options, sizeof options, comparison->model);
  options.device = device;
  options.threads = comparison->arguments->threads;
  options.max_batch = comparison->at_a_time;
  options.max_time = comparison->input.time;
  options.max_steps = comparison->steps;
  cuseq_status status = cuseq_session_open(comparison->model, &options, &side->session);
  if (status != CUSEQ_STATUS_OK)
    return fail_library(status);
  return results_make(&side->results, comparison->config, comparison->at_a_time, comparison->input.time,
                      comparison->steps, RESULT_SET_ALL);
}

static void side_close(struct side *side) {
  results_free(&side->results);
  cuseq_session_close(side->session);
}

static int side_run(struct comparison *comparison, struct side *side, int32_t first, int32_t count) {
  cuseq_input input = input_rows(&comparison->input, first, count);
  cuseq_encoding encoding = CUSEQ_ENCODING_INIT;
  cuseq_decoding decoding = {.size = sizeof(cuseq_decoding), .steps = comparison->steps};
  results_bind(&side->results, 0, &encoding, &decoding);
  cuseq_status status = cuseq_run(side->session, &input, &encoding, &decoding);
  return status == CUSEQ_STATUS_OK ? EXIT_DONE : fail_library(status);
}

static int comparison_open(struct comparison *comparison) {
  const struct arguments *arguments = comparison->arguments;
  int result = model_load(arguments->operands[0], &comparison->model);
  if (result != EXIT_DONE)
    return result;
  const cuseq_config *config = comparison->config = cuseq_model_config(comparison->model);
  result = steps_choose(config, arguments->steps, &comparison->steps);
  if (result == EXIT_DONE)
    result = input_load(&comparison->input, arguments->operands[1], arguments->lengths, config, false);
  if (result != EXIT_DONE)
    return result;
  comparison->at_a_time =
      rows_at_a_time(config, comparison->input.batch, comparison->input.time, comparison->steps, 0);
  verdicts_allow(&comparison->verdicts, comparison->model, comparison->input.time, comparison->steps, 1.0);
  for (int id = 0; id < RESULT_COUNT && arguments->tolerance > 0; id++)
    comparison->verdicts.tolerance[id] = arguments->tolerance;
  result = side_open(comparison, &comparison->device, arguments->device);
  return result == EXIT_DONE ? side_open(comparison, &comparison->reference, "reference") : result;
}

static int compute(struct comparison *comparison) {
  int32_t batch = comparison->input.batch;
  for (int32_t first = 0; first < batch; first += comparison->at_a_time) {
    int32_t count = batch - first < comparison->at_a_time ? batch - first : comparison->at_a_time;
    int result = side_run(comparison, &comparison->device, first, count);
    if (result == EXIT_DONE)
      result = side_run(comparison, &comparison->reference, first, count);
    if (result != EXIT_DONE)
      return result;
    verdicts_add(&comparison->verdicts, comparison->config, &comparison->device.results,
                 &comparison->reference.results, first, count);
    interrupt_progress("interrupted: %d of %d rows compared", (int)(first + count), (int)batch);
    if (interrupt_requested())
      return interrupt_leave();
  }
  return EXIT_DONE;
}

/* The index of the worst value, "[2,0,31]". */
static void index_text(const struct verdict *verdict, const struct result *result, char *text,
                       size_t capacity) {
  int64_t index[4] = {verdict->row};
  size_t rest = verdict->element;
  for (int32_t i = result->rank - 1; i > 0; i--) {
    index[i] = (int64_t)(rest % (size_t)result->shape[i]);
    rest /= (size_t)result->shape[i];
  }
  size_t used = 0;
  for (int32_t i = 0; i < result->rank; i++)
    used += (size_t)snprintf(text + used, capacity - used, "%s%" PRId64, i ? "," : "[", index[i]);
  snprintf(text + used, capacity - used, "]");
}

static double bound_of(const struct comparison *comparison, int id) {
  return comparison->reference.results.arrays[id].integer ? 0 : comparison->verdicts.tolerance[id];
}

static void print_table(const struct comparison *comparison) {
  printf("%s on %s against reference: %d rows of %d positions\n", comparison->arguments->operands[0],
         cuseq_session_device(comparison->device.session), (int)comparison->input.batch,
         (int)comparison->input.time);
  printf("%-15s %10s %10s  %-14s %14s %14s  %s\n", "array", "max error", "allowed", "at", "got", "want",
         "verdict");
  for (int id = 0; id < RESULT_COUNT; id++) {
    const struct result *result = &comparison->reference.results.arrays[id];
    const struct verdict *verdict = &comparison->verdicts.arrays[id];
    if (result->rank == 0)
      continue;
    char at[100];
    index_text(verdict, result, at, sizeof at);
    printf("%-15s %10.3g %10.3g  %-14s %14.8g %14.8g  %s", result->name, verdict->worst,
           bound_of(comparison, id), at, verdict->got, verdict->want, verdict->missed ? "MISSED" : "ok");
    if (verdict->missed)
      printf(" (%" PRId64 " of %" PRId64 ")", verdict->missed, verdict->compared);
    putchar('\n');
  }
  if (comparison->verdicts.ties > 0)
    printf("%" PRId64 " tokens differ where the two best outputs are within twice the tolerance\n",
           comparison->verdicts.ties);
  if (comparison->verdicts.parted > 0)
    printf("%" PRId64 " rows are compared only up to such a token\n", comparison->verdicts.parted);
}

static void print_json(const struct comparison *comparison) {
  fputs("{\n  \"model\": ", stdout);
  json_put_string(stdout, comparison->arguments->operands[0]);
  fputs(",\n  \"device\": ", stdout);
  json_put_string(stdout, cuseq_session_device(comparison->device.session));
  printf(",\n  \"passed\": %s,\n  \"ties\": %" PRId64 ",\n  \"parted\": %" PRId64 ",\n  \"arrays\": {",
         verdicts_missed(&comparison->verdicts) ? "false" : "true", comparison->verdicts.ties,
         comparison->verdicts.parted);
  const char *separator = "";
  for (int id = 0; id < RESULT_COUNT; id++) {
    const struct result *result = &comparison->reference.results.arrays[id];
    const struct verdict *verdict = &comparison->verdicts.arrays[id];
    if (result->rank == 0)
      continue;
    char at[100];
    index_text(verdict, result, at, sizeof at);
    printf("%s\n    \"%s\": {\"max_error\": ", separator, result->name);
    json_put_number(stdout, verdict->worst);
    printf(", \"allowed\": %.9g, \"at\": %s, \"got\": ", bound_of(comparison, id), at);
    json_put_number(stdout, verdict->got);
    fputs(", \"want\": ", stdout);
    json_put_number(stdout, verdict->want);
    printf(", \"compared\": %" PRId64 ", \"missed\": %" PRId64 "}", verdict->compared, verdict->missed);
    separator = ",";
  }
  fputs("\n  }\n}\n", stdout);
}

static int run_compare(const struct arguments *arguments) {
  struct comparison comparison = {.arguments = arguments};
  int status = comparison_open(&comparison);
  if (status == EXIT_DONE)
    status = compute(&comparison);
  if (status == EXIT_DONE) {
    if (arguments->json)
      print_json(&comparison);
    else
      print_table(&comparison);
    status = verdicts_missed(&comparison.verdicts) ? EXIT_MISSED : EXIT_DONE;
  }
  side_close(&comparison.device);
  side_close(&comparison.reference);
  input_free(&comparison.input);
  cuseq_model_destroy(comparison.model);
  return status;
}

const struct command command_compare = {
    .name = "compare",
    .operands = "MODEL INPUT.npy",
    .fewest = 2,
    .most = 2,
    .summary = "compare a device with the float64 reference",
    .description =
        "Runs a model on a device and on the float64 reference and prints, for every array, the largest\n"
        "error |got - want| / max(1, |want|) and where it is. Exit status 1 when one is beyond what float32\n"
        "errs on trained models of this structure (docs/exactness.md); NaN always is. Tokens must be equal,\n"
        "but where the reference's two best outputs are within twice their tolerance of each other.",
    .example = "  cuseq compare models/dates.safetensors dates_onehot.npy --device cpu",
    .options = {OPTION_DEVICE, OPTION_TOLERANCE, OPTION_LENGTHS, OPTION_STEPS, OPTION_THREADS, OPTION_JSON,
                OPTION_HELP},
    .run = run_compare,
};
