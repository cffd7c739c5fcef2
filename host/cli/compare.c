/* cuseq compare: a device against the float64 reference, or against arrays that a framework saved. */
#include "cli/compare.h"

#include "cli/json.h"
#include "cli/message.h"

#include <inttypes.h>
#include <stdio.h>

struct reference_comparison {
  struct comparison common;
  struct side device, reference;
};

static int sides_open(struct reference_comparison *comparison, const struct arguments *arguments) {
  struct comparison *common = &comparison->common;
  int result = comparison_open(common, arguments);
  if (result != EXIT_DONE)
    return result;
  comparison_allow(common, 1.0);
  unsigned set = RESULT_SET_ALL | comparison_logs(common);
  result = side_open(&comparison->device, common, arguments->device, arguments->precision, set);
  return result == EXIT_DONE
             ? side_open(&comparison->reference, common, "reference", CUSEQ_PRECISION_FLOAT32, set)
             : result;
}

static int compare_part(void *owner, int32_t first, int32_t count) {
  struct reference_comparison *comparison = owner;
  struct comparison *common = &comparison->common;
  int result = side_run(&comparison->device, common, first, count);
  if (result == EXIT_DONE)
    result = side_run(&comparison->reference, common, first, count);
  if (result == EXIT_DONE)
    verdicts_add(&common->verdicts, common->config, &comparison->device.results,
                 &comparison->reference.results, first, count);
  return result;
}

static double bound_of(const struct verdicts *verdicts, int id) {
  return result_is_integer((enum result_id)id) ? 0 : verdicts->tolerance[id];
}

static void print_table(const struct reference_comparison *comparison) {
  const struct verdicts *verdicts = &comparison->common.verdicts;
  comparison_print_head(&comparison->common, &comparison->device, "reference");
  for (int id = 0; id < RESULT_COUNT; id++) {
    const struct result *result = &comparison->reference.results.arrays[id];
    if (result->rank > 0)
      comparison_print_row(result->name, &verdicts->arrays[id], bound_of(verdicts, id), result->rank,
                           result->shape);
  }
  comparison_print_ties(verdicts);
}

static void print_json(const struct reference_comparison *comparison) {
  const struct verdicts *verdicts = &comparison->common.verdicts;
  fputs("{\n  \"model\": ", stdout);
  json_put_string(stdout, comparison->common.arguments->operands[0]);
  fputs(",\n  \"device\": ", stdout);
  json_put_string(stdout, cuseq_session_device(comparison->device.session));
  printf(",\n  \"precision\": \"%s\",\n  \"passed\": %s,\n  \"ties\": %" PRId64 ",\n  \"parted\": %" PRId64
         ",\n  \"arrays\": {",
         cuseq_precision_name(comparison->common.arguments->precision),
         verdicts_missed(verdicts) ? "false" : "true", verdicts->ties, verdicts->parted);
  const char *separator = "";
  for (int id = 0; id < RESULT_COUNT; id++) {
    const struct result *result = &comparison->reference.results.arrays[id];
    if (result->rank == 0)
      continue;
    printf("%s\n    \"%s\": {", separator, result->name);
    comparison_json_row(&verdicts->arrays[id], bound_of(verdicts, id), result->rank, result->shape);
    putchar('}');
    separator = ",";
  }
  fputs("\n  }\n}\n", stdout);
}

static int run_compare(const struct arguments *arguments) {
  if (arguments->with)
    return compare_with(arguments);
  struct reference_comparison comparison = {0};
  struct comparison *common = &comparison.common;
  int status = sides_open(&comparison, arguments);
  if (status == EXIT_DONE)
    status = comparison_compute(common, compare_part, &comparison);
  if (status == EXIT_DONE) {
    (arguments->json ? print_json : print_table)(&comparison);
    status = verdicts_missed(&common->verdicts) ? EXIT_MISSED : EXIT_DONE;
  }
  side_close(&comparison.device);
  side_close(&comparison.reference);
  comparison_close(common);
  return status;
}

const struct command command_compare = {
    .name = "compare",
    .operands = "MODEL INPUT.npy",
    .fewest = 2,
    .most = 2,
    .summary = "compare a device with the float64 reference, or with what a framework saved",
    .description =
        "Runs a model on a device and on the float64 reference and prints, for every array, the largest\n"
        "error |got - want| / max(1, |want|) and where it is. Exit status 1 when one is beyond what\n"
        "arithmetic of the precision errs on trained models of this structure (docs/exactness.md); NaN "
        "always is. Tokens must be equal,\n"
        "but where the reference's two best outputs are within twice their tolerance of each other.\n"
        "With --with, compares with the arrays in FRAMEWORK.npz, as numpy.savez wrote them of what a "
        "framework\n"
        "computed: those that are called as OUT.npz of cuseq run calls them, or as one of the model's "
        "outputs;\n"
        "others by their shape, where the model has one array of it. Axes of 1 do not count. Each may differ "
        "by\n"
        "twice as much, since a framework errs too. Arrays initial_h and initial_c [B,S] are what its "
        "decoder\n"
        "began with, and so does the model's. Positions behind a row's length, and steps behind its "
        "end,\n"
        "are not compared.",
    .example = "  cuseq compare models/dates.safetensors dates_onehot.npy --device cpu\n"
               "  cuseq compare model.safetensors input.npy --with keras.npz --tolerance 1e-6",
    .options = {OPTION_WITH, OPTION_DEVICE, OPTION_PRECISION, OPTION_TOLERANCE, OPTION_LENGTHS, OPTION_STEPS,
                OPTION_TARGETS, OPTION_GIVEN, OPTION_FIRST_TOKEN, OPTION_THREADS, OPTION_JSON, OPTION_HELP},
    .run = run_compare,
};
