/* cuseq compare --with: what a device gives against arrays that a framework saved. */
#include "cli/compare.h"
#include "cli/json.h"
#include "cli/message.h"
#include "cli/saved.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* A framework errs as float32 does, as a device does. */
static const double ROOM = 2.0;

/* An input that was saved may have been rounded to float32. */
static const double INPUT_ROUNDED = 1.0 / (1 << 24);

struct saved_comparison {
  struct comparison common;
  struct side device;
  struct saved saved;
};

/* A row: where it lies, and how much of it is compared. */
struct row {
  int64_t row;       /* of all */
  int32_t slot;      /* of the batch */
  int32_t positions; /* that count */
  int32_t steps;     /* up to which both sides follow the same tokens */
  bool parted;       /* behind them the sides follow others */
};

/* A number as a token; -1 where it is none. */
static int32_t token_of(double value) {
  return value >= 0 && value < (double)INT32_MAX ? (int32_t)value : -1;
}

/* The token of the framework at a step of a row: of its tokens, else of its outputs. -1: it saved neither, or
 * none. */
static int32_t saved_token(const struct saved_comparison *comparison, const struct row *row, int32_t y) {
  const struct saved_array *tokens = saved_find(&comparison->saved, RESULT_TOKENS);
  const struct saved_array *outputs = saved_find(&comparison->saved, RESULT_OUTPUTS);
  size_t at = (size_t)row->row * (size_t)comparison->common.steps + (size_t)y;
  size_t V = (size_t)comparison->common.config->outputs, best = 0;
  if (tokens)
    return token_of(saved_value(tokens->values, at));
  for (size_t v = 1; outputs && v < V; v++)
    if (saved_value(outputs->values, at * V + v) > saved_value(outputs->values, at * V + best))
      best = v;
  return outputs ? (int32_t)best : -1;
}

/* Whether the framework's token may be another than ours: element i of a row of the tokens, which has one for
 * each head and step or position. */
static bool may_differ(const struct saved_comparison *comparison, const struct row *row, size_t i,
                       int32_t theirs) {
  const struct results *results = &comparison->device.results;
  const cuseq_config *config = comparison->common.config;
  size_t heads = (size_t)config->heads;
  cuseq_head head = CUSEQ_HEAD_INIT;
  if (cuseq_model_head(comparison->common.model, (int32_t)(i % heads), &head) != CUSEQ_STATUS_OK)
    return false;
  const float *outputs = results_floats(results, RESULT_OUTPUTS, row->slot) +
                         i / heads * (size_t)config->outputs + (size_t)head.offset;
  int32_t ours = results_integers(results, RESULT_TOKENS, row->slot)[i];
  return verdict_is_tie(outputs, head.units, ours, theirs,
                        comparison->common.verdicts.tolerance[RESULT_OUTPUTS]);
}

/* Up to where a row of a decoder is compared: its end, or the first token that may be another, where what
 * follows depends on it. */
static void row_limit(struct saved_comparison *comparison, struct row *row) {
  struct verdicts *verdicts = &comparison->common.verdicts;
  const struct targets *targets = &comparison->common.targets;
  const cuseq_config *config = comparison->common.config;
  const struct results *results = &comparison->device.results;
  const int32_t *tokens = results_integers(results, RESULT_TOKENS, row->slot);
  bool depends = !verdicts->given && (config->feedback == CUSEQ_FEEDBACK_OUTPUT || config->end_token >= 0);
  row->steps = targets->tokens ? targets->lengths[row->row] : results_steps(results, row->slot);
  for (int32_t y = 0; y < row->steps && !row->parted; y++) {
    int32_t theirs = saved_token(comparison, row, y);
    if (theirs == tokens[y] || !may_differ(comparison, row, (size_t)y, theirs))
      continue;
    verdicts->ties++;
    if (!depends)
      continue;
    verdicts->parted++;
    row->parted = true;
    row->steps = y + 1;
  }
}

/* How much of the axes behind the rows' is compared. */
static void limits(const struct saved_comparison *comparison, const struct row *row,
                   const struct given_array *given, int64_t most[2]) {
  const cuseq_config *config = comparison->common.config;
  most[0] = given->rank > 1 ? given->shape[1] : 1;
  most[1] = given->rank > 2 ? given->shape[2] : 1;
  bool is_input = given->id == RESULT_COUNT, is_encoders = is_input || given->id < RESULT_CONTEXT;
  if (is_input || given->id == RESULT_ANNOTATIONS || (!is_encoders && config->is_tagger && given->rank > 1) ||
      (given->id == RESULT_ALPHAS && !config->has_decoder))
    most[0] = row->positions;
  else if (!is_encoders && config->has_decoder && given->rank > 1)
    most[0] = row->steps;
  if (given->id == RESULT_ALPHAS && config->has_decoder)
    most[1] = row->positions;
}

/* Value `index` of a row; `elements` are in one of the input's. */
static double our_value(const struct saved_comparison *comparison, const struct row *row, enum result_id id,
                        size_t index, size_t elements) {
  if (id == RESULT_COUNT)
    return input_value(&comparison->common.input, (size_t)row->row * elements + index);
  const struct result *result = &comparison->device.results.arrays[id];
  size_t at = (size_t)row->slot * result_row(result) + index;
  return result->integer ? (double)((const int32_t *)result->data)[at]
                         : (double)((const float *)result->data)[at];
}

/* What an array may differ by. */
static double bound_of(const struct saved_comparison *comparison, const struct given_array *given) {
  if (given->id == RESULT_COUNT)
    return given->rank == 3 ? INPUT_ROUNDED : 0;
  return result_is_integer(given->id) ? 0 : comparison->common.verdicts.tolerance[given->id];
}

static void judge_array(const struct saved_comparison *comparison, const struct row *row,
                        struct saved_array *array) {
  const struct given_array *given = array->given;
  double bound = bound_of(comparison, given);
  size_t second = given->rank > 2 ? (size_t)given->shape[2] : 1;
  size_t elements = (given->rank > 1 ? (size_t)given->shape[1] : 1) * second;
  int64_t most[2];
  limits(comparison, row, given, most);
  for (size_t i = 0; i < elements; i++) {
    if ((int64_t)(i / second) >= most[0] || (int64_t)(i % second) >= most[1])
      continue;
    size_t vector = i / (size_t)given->width, k = i % (size_t)given->width;
    size_t ours = vector * (size_t)given->inner + (size_t)given->offset + k;
    double got = our_value(comparison, row, given->id, ours, elements);
    double want = saved_value(array->values, (size_t)row->row * elements + i);
    bool tied = given->id == RESULT_TOKENS && got != want && may_differ(comparison, row, i, token_of(want));
    if (!tied)
      verdict_judge(&array->verdict, bound, got, want, row->row, i);
  }
}

static int compare_part(void *owner, int32_t first, int32_t count) {
  struct saved_comparison *comparison = owner;
  const struct input_array *input = &comparison->common.input;
  int result = side_run(&comparison->device, &comparison->common, first, count);
  for (int32_t slot = 0; slot < count && result == EXIT_DONE; slot++) {
    struct row row = {.row = first + slot, .slot = slot, .positions = input->time, .steps = 1};
    if (input->lengths)
      row.positions = input->lengths[row.row];
    if (comparison->common.config->has_decoder)
      row_limit(comparison, &row);
    for (int32_t i = 0; i < comparison->saved.count; i++)
      if (!row.parted || comparison->saved.arrays[i].given->id != RESULT_OUTPUT_LENGTHS)
        judge_array(comparison, &row, &comparison->saved.arrays[i]);
  }
  return result;
}

/* Whether the file has the array, or part of it. */
static bool has_array(const struct saved_comparison *comparison, int id) {
  for (int32_t i = 0; i < comparison->saved.count; i++)
    if ((int)comparison->saved.arrays[i].given->id == id)
      return true;
  return false;
}

static int saved_open(struct saved_comparison *comparison, const struct arguments *arguments) {
  struct comparison *common = &comparison->common;
  struct results shapes;
  int result = comparison_open(common, arguments);
  if (result != EXIT_DONE)
    return result;
  comparison_allow(common, ROOM);
  unsigned log_probabilities = comparison_logs(common);
  result = results_make(&shapes, common->config, common->input.batch, common->input.time, common->steps,
                        log_probabilities); /* their shapes alone: what is in no set takes no memory */
  if (result == EXIT_DONE)
    result = saved_load(&comparison->saved, arguments->with, common->model, &common->input, &shapes);
  results_free(&shapes);
  if (result == EXIT_DONE)
    result = begin_states(&common->begin, common->model, arguments->with, &comparison->saved.archive,
                          common->input.batch);
  if (result != EXIT_DONE)
    return result;
  unsigned set = RESULT_SET(RESULT_TOKENS) | RESULT_SET(RESULT_OUTPUT_LENGTHS) | RESULT_SET(RESULT_OUTPUTS) |
                 log_probabilities;
  for (int id = 0; id < RESULT_COUNT; id++)
    if (has_array(comparison, id))
      set |= RESULT_SET(id);
  return side_open(&comparison->device, common, arguments->device, arguments->precision, set);
}

static bool has_missed(const struct saved_comparison *comparison) {
  for (int32_t i = 0; i < comparison->saved.count; i++)
    if (comparison->saved.arrays[i].verdict.missed > 0)
      return true;
  return false;
}

/* The arrays of the model that the file has not. */
static void print_absent(const struct saved_comparison *comparison, bool json) {
  int printed = 0;
  for (int id = 0; id < RESULT_COUNT; id++) {
    const struct result *result = &comparison->device.results.arrays[id];
    if (result->rank == 0 || has_array(comparison, id))
      continue;
    if (!json && printed == 0)
      printf("not in %s: ", comparison->common.arguments->with);
    printf(json ? "%s\"%s\"" : "%s%s", printed++ ? ", " : "", result->name);
  }
  if (!json && printed > 0)
    putchar('\n');
}

/* The name in the file, where it is found by its shape with what it is; control characters do not reach the
 * terminal. */
static void array_name(const struct saved_array *array, char *text, size_t capacity) {
  if (array->by_shape)
    snprintf(text, capacity, "%s (%s)", array->name, array->given->name);
  else
    snprintf(text, capacity, "%s", array->name);
  for (char *c = text; *c; c++)
    if ((unsigned char)*c < 0x20 || *c == 0x7F)
      *c = '?';
}

static void print_table(const struct saved_comparison *comparison) {
  comparison_print_head(&comparison->common, &comparison->device, comparison->common.arguments->with);
  for (int32_t i = 0; i < comparison->saved.count; i++) {
    const struct saved_array *array = &comparison->saved.arrays[i];
    char name[160];
    array_name(array, name, sizeof name);
    comparison_print_row(name, &array->verdict, bound_of(comparison, array->given), array->given->rank,
                         array->given->shape);
  }
  comparison_print_ties(&comparison->common.verdicts);
  print_absent(comparison, false);
}

static void print_json(const struct saved_comparison *comparison) {
  const struct arguments *arguments = comparison->common.arguments;
  const struct verdicts *verdicts = &comparison->common.verdicts;
  fputs("{\n  \"model\": ", stdout);
  json_put_string(stdout, arguments->operands[0]);
  fputs(",\n  \"with\": ", stdout);
  json_put_string(stdout, arguments->with);
  fputs(",\n  \"device\": ", stdout);
  json_put_string(stdout, cuseq_session_device(comparison->device.session));
  printf(",\n  \"precision\": \"%s\",\n  \"passed\": %s,\n  \"ties\": %" PRId64 ",\n  \"parted\": %" PRId64
         ",\n  \"arrays\": {",
         cuseq_precision_name(arguments->precision), has_missed(comparison) ? "false" : "true",
         verdicts->ties, verdicts->parted);
  for (int32_t i = 0; i < comparison->saved.count; i++) {
    const struct saved_array *array = &comparison->saved.arrays[i];
    fputs(i ? ",\n    " : "\n    ", stdout);
    json_put_string(stdout, array->name);
    fputs(": {\"is\": ", stdout);
    json_put_string(stdout, array->given->name);
    printf(", \"by\": \"%s\", ", array->by_shape ? "shape" : "name");
    comparison_json_row(&array->verdict, bound_of(comparison, array->given), array->given->rank,
                        array->given->shape);
    putchar('}');
  }
  fputs("\n  },\n  \"absent\": [", stdout);
  print_absent(comparison, true);
  fputs("]\n}\n", stdout);
}

int compare_with(const struct arguments *arguments) {
  struct saved_comparison comparison = {0};
  int status = saved_open(&comparison, arguments);
  if (status == EXIT_DONE)
    status = comparison_compute(&comparison.common, compare_part, &comparison);
  if (status == EXIT_DONE) {
    (arguments->json ? print_json : print_table)(&comparison);
    status = has_missed(&comparison) ? EXIT_MISSED : EXIT_DONE;
  }
  side_close(&comparison.device);
  saved_free(&comparison.saved);
  comparison_close(&comparison.common);
  return status;
}
