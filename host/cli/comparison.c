#include "cli/compare.h"

#include "cli/interrupt.h"
#include "cli/json.h"
#include "cli/kinds.h"
#include "cli/message.h"
#include "cli/precision.h"

#include <inttypes.h>
#include <stdio.h>

int comparison_open(struct comparison *comparison, const struct arguments *arguments) {
  *comparison = (struct comparison){.arguments = arguments};
  int result = model_load(arguments->operands[0], &comparison->model);
  if (result != EXIT_DONE)
    return result;
  const cuseq_config *config = comparison->config = cuseq_model_config(comparison->model);
  result = steps_choose(config, arguments->steps, &comparison->steps);
  if (result == EXIT_DONE)
    result = targets_check(arguments->operands[0], config, arguments->targets, false,
                           arguments->first_token != NULL);
  if (result == EXIT_DONE)
    result = given_check(arguments->operands[0], config, arguments->given);
  if (result == EXIT_DONE)
    result = input_load(&comparison->input, arguments->operands[1], arguments->lengths, config, false);
  if (result == EXIT_DONE)
    result =
        begin_token(&comparison->begin, comparison->model, arguments->first_token, comparison->input.batch);
  int32_t asked = arguments->steps;
  if (result == EXIT_DONE)
    result = given_load(&comparison->given, arguments->given, config, comparison->input.batch, false, &asked);
  if (result == EXIT_DONE)
    result = steps_choose(config, asked, &comparison->steps);
  if (result == EXIT_DONE && arguments->targets) {
    result = targets_load(&comparison->targets, arguments->targets, config, comparison->input.batch, asked);
    comparison->steps = comparison->targets.steps;
    comparison->verdicts.given = true;
  }
  if (result == EXIT_DONE)
    comparison->at_a_time =
        rows_at_a_time(config, comparison->input.batch, comparison->input.time, comparison->steps, 0);
  return result;
}

void comparison_close(struct comparison *comparison) {
  targets_free(&comparison->targets);
  given_free(&comparison->given);
  begin_free(&comparison->begin);
  input_free(&comparison->input);
  cuseq_model_destroy(comparison->model);
}

unsigned comparison_logs(const struct comparison *comparison) {
  return comparison->targets.tokens && targets_have_logs(comparison->config)
             ? RESULT_SET(RESULT_LOG_PROBABILITIES)
             : 0;
}

void comparison_allow(struct comparison *comparison, double room) {
  double tolerance = comparison->arguments->tolerance;
  verdicts_allow(&comparison->verdicts, comparison->model, comparison->arguments->precision,
                 comparison->input.time, comparison->steps, room);
  for (int id = 0; id < RESULT_COUNT && tolerance > 0; id++)
    comparison->verdicts.tolerance[id] = tolerance;
}

int side_open(struct side *side, const struct comparison *comparison, const char *device,
              cuseq_precision precision, unsigned set) {
  cuseq_session_options options;
  cuseq_session_options_init(&options, sizeof options, comparison->model);
  options.device = device;
  options.precision = precision;
  options.threads = comparison->arguments->threads;
  options.max_batch = comparison->at_a_time;
  options.max_time = comparison->input.time;
  options.max_steps = comparison->steps;
  cuseq_status status = cuseq_session_open(comparison->model, &options, &side->session);
  if (status != CUSEQ_STATUS_OK)
    return fail_library(status);
  return results_make(&side->results, comparison->config, comparison->at_a_time, comparison->input.time,
                      comparison->steps, set);
}

void side_close(struct side *side) {
  results_free(&side->results);
  cuseq_session_close(side->session);
}

int side_run(struct side *side, const struct comparison *comparison, int32_t first, int32_t count) {
  const struct targets *targets = &comparison->targets;
  cuseq_input input = input_rows(&comparison->input, first, count);
  cuseq_encoding encoding = CUSEQ_ENCODING_INIT;
  cuseq_decoding decoding = {.size = sizeof(cuseq_decoding),
                             .steps = comparison->config->has_decoder ? comparison->steps : 0};
  if (targets->tokens) {
    decoding.targets = targets->tokens + (size_t)first * (size_t)comparison->steps;
    decoding.target_lengths = targets->lengths + first;
  }
  decoding.given = given_rows(&comparison->given, first);
  begin_bind(&comparison->begin, first, &decoding);
  results_bind(&side->results, 0, &encoding, &decoding);
  cuseq_status status = cuseq_run(side->session, &input, &encoding, &decoding);
  return status == CUSEQ_STATUS_OK ? EXIT_DONE : fail_library(status);
}

int comparison_compute(const struct comparison *comparison,
                       int (*part)(void *owner, int32_t first, int32_t count), void *owner) {
  int32_t batch = comparison->input.batch;
  for (int32_t first = 0; first < batch; first += comparison->at_a_time) {
    int32_t count = batch - first < comparison->at_a_time ? batch - first : comparison->at_a_time;
    int result = part(owner, first, count);
    if (result != EXIT_DONE)
      return result;
    interrupt_progress("interrupted: %d of %d rows compared", (int)(first + count), (int)batch);
    if (interrupt_requested())
      return interrupt_leave();
  }
  return EXIT_DONE;
}

/* The index of the worst value, "[2,0,31]". */
static void index_text(const struct verdict *verdict, int32_t rank, const int64_t *shape, char *text,
                       size_t capacity) {
  int64_t index[4] = {verdict->row};
  size_t rest = verdict->element;
  for (int32_t i = rank - 1; i > 0; i--) {
    index[i] = (int64_t)(rest % (size_t)shape[i]);
    rest /= (size_t)shape[i];
  }
  size_t used = 0;
  for (int32_t i = 0; i < rank; i++)
    used += (size_t)snprintf(text + used, capacity - used, "%s%" PRId64, i ? "," : "[", index[i]);
  snprintf(text + used, capacity - used, "]");
}

void comparison_print_head(const struct comparison *comparison, const struct side *device,
                           const char *against) {
  printf("%s on %s against %s: %d rows of %d positions\n", comparison->arguments->operands[0],
         precision_device(device->session), against, (int)comparison->input.batch,
         (int)comparison->input.time);
  printf("%-15s %10s %10s  %-14s %14s %14s  %s\n", "array", "max error", "allowed", "at", "got", "want",
         "verdict");
}

void comparison_print_row(const char *name, const struct verdict *verdict, double bound, int32_t rank,
                          const int64_t *shape) {
  char at[100];
  index_text(verdict, rank, shape, at, sizeof at);
  printf("%-15s %10.3g %10.3g  %-14s %14.8g %14.8g  %s", name, verdict->worst, bound, at, verdict->got,
         verdict->want, verdict->missed ? "MISSED" : "ok");
  if (verdict->missed)
    printf(" (%" PRId64 " of %" PRId64 ")", verdict->missed, verdict->compared);
  putchar('\n');
}

void comparison_print_ties(const struct verdicts *verdicts) {
  if (verdicts->ties > 0)
    printf("%" PRId64 " tokens differ where the two best outputs are within twice the tolerance\n",
           verdicts->ties);
  if (verdicts->parted > 0)
    printf("%" PRId64 " rows are compared only up to such a token\n", verdicts->parted);
}

void comparison_json_row(const struct verdict *verdict, double bound, int32_t rank, const int64_t *shape) {
  char at[100];
  index_text(verdict, rank, shape, at, sizeof at);
  fputs("\"max_error\": ", stdout);
  json_put_number(stdout, verdict->worst);
  printf(", \"allowed\": %.9g, \"at\": %s, \"got\": ", bound, at);
  json_put_number(stdout, verdict->got);
  fputs(", \"want\": ", stdout);
  json_put_number(stdout, verdict->want);
  printf(", \"compared\": %" PRId64 ", \"missed\": %" PRId64, verdict->compared, verdict->missed);
}
