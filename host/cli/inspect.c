/* cuseq inspect: what a file of named arrays has, and a configuration to begin with. */
#include "convert/arrays/inspect.h"
#include "cli/command.h"
#include "cli/json.h"
#include "cli/kinds.h"
#include "cli/message.h"
#include "cli/output_path.h"
#include "error.h"
#include "formats/file.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void put_shape(const struct named_array *array) {
  putchar('[');
  for (int32_t axis = 0; axis < array->rank; axis++)
    printf("%s%" PRId64, axis > 0 ? "," : "", array->shape[axis]);
  putchar(']');
}

/* Names may hold control characters. */
static void put_name(const char *name) {
  for (; *name; name++)
    putchar((unsigned char)*name < 0x20 || *name == 0x7f ? '?' : *name);
}

static void put_module(const struct inspected_module *module) {
  printf("%s", module->what);
  switch (module->kind) {
  case INSPECTED_LSTM:
  case INSPECTED_GRU:
  case INSPECTED_RNN:
    if (module->layers > 1)
      printf(" of %d layers", module->layers);
    printf("%s, %" PRId64 " units%s, reads %" PRId64, module->directions == 2 ? ", bidirectional" : "",
           module->units, module->directions == 2 ? " a direction" : "", module->inputs);
    if (module->projected > 0)
      printf(", with a projection to %" PRId64, module->projected);
    break;
  case INSPECTED_EMBEDDING:
    printf(", %" PRId64 " rows of %" PRId64, module->inputs, module->units);
    break;
  case INSPECTED_LINEAR_OR_EMBEDDING:
    printf(", reads %" PRId64 " and gives %" PRId64 ", or %" PRId64 " rows of %" PRId64, module->inputs,
           module->units, module->units, module->inputs);
    break;
  case INSPECTED_LINEAR:
    printf(", reads %" PRId64 " and gives %" PRId64, module->inputs, module->units);
    break;
  case INSPECTED_OTHER:
    break;
  }
}

static void print_text(const struct inspection *inspection, const char *path) {
  const struct array_file *file = &inspection->checkpoint.file;
  printf("file       %s: %s\narrays     %zu:\n", path, file->format, file->count);
  for (size_t i = 0; i < file->count; i++) {
    fputs("  ", stdout);
    put_name(file->arrays[i].name);
    printf("  %s ", file->arrays[i].dtype_name);
    put_shape(&file->arrays[i]);
    putchar('\n');
  }
  printf("modules    %zu:\n", inspection->count);
  for (size_t i = 0; i < inspection->count; i++) {
    fputs("  ", stdout);
    put_name(*inspection->modules[i].name ? inspection->modules[i].name : "(the file itself)");
    fputs("  ", stdout);
    put_module(&inspection->modules[i]);
    putchar('\n');
  }
}

static void print_arrays_json(const struct array_file *file) {
  for (size_t i = 0; i < file->count; i++) {
    fputs(i > 0 ? ",\n    {\"name\": " : "\n    {\"name\": ", stdout);
    json_put_string(stdout, file->arrays[i].name);
    fputs(", \"dtype\": ", stdout);
    json_put_string(stdout, file->arrays[i].dtype_name);
    fputs(", \"shape\": ", stdout);
    put_shape(&file->arrays[i]);
    putchar('}');
  }
}

static void print_json(const struct inspection *inspection, const char *path) {
  static const char *const kinds[] = {[INSPECTED_LSTM] = "lstm",
                                      [INSPECTED_GRU] = "gru",
                                      [INSPECTED_RNN] = "rnn",
                                      [INSPECTED_LINEAR] = "linear",
                                      [INSPECTED_LINEAR_OR_EMBEDDING] = "linear or embedding",
                                      [INSPECTED_EMBEDDING] = "embedding",
                                      [INSPECTED_OTHER] = "other"};
  fputs("{\n  \"file\": ", stdout);
  json_put_string(stdout, path);
  fputs(",\n  \"format\": ", stdout);
  json_put_string(stdout, inspection->checkpoint.file.format);
  fputs(",\n  \"arrays\": [", stdout);
  print_arrays_json(&inspection->checkpoint.file);
  fputs("\n  ],\n  \"modules\": [", stdout);
  for (size_t i = 0; i < inspection->count; i++) {
    const struct inspected_module *module = &inspection->modules[i];
    fputs(i > 0 ? ",\n    {\"name\": " : "\n    {\"name\": ", stdout);
    json_put_string(stdout, module->name);
    printf(", \"kind\": \"%s\", \"what\": ", kinds[module->kind]);
    json_put_string(stdout, module->what);
    if (module->kind != INSPECTED_OTHER)
      printf(", \"units\": %" PRId64 ", \"inputs\": %" PRId64, module->units, module->inputs);
    if (module->kind <= INSPECTED_RNN)
      printf(", \"layers\": %d, \"directions\": %d", module->layers, module->directions);
    putchar('}');
  }
  fputs("\n  ]\n}\n", stdout);
}

static int write_proposal(const struct inspection *inspection, const struct arguments *arguments) {
  char *json = NULL;
  struct output_file file;
  cuseq_status status = inspection_propose(inspection, &json);
  if (status != CUSEQ_STATUS_OK)
    return fail_file(error_prefix(status, arguments->operands[0]));
  status = output_file_open(&file, arguments->output);
  if (status == CUSEQ_STATUS_OK) {
    output_file_write(&file, json, strlen(json));
    output_file_write(&file, "\n", 1);
    status = output_file_commit(&file);
  }
  bool complete = strstr(json, "FILL IN") == NULL;
  free(json);
  if (status != CUSEQ_STATUS_OK)
    return fail_file(status);
  note("%s: written; %s", arguments->output,
       complete ? "look whether it is the model" : "what says FILL IN the arrays do not tell");
  return EXIT_DONE;
}

static int run_inspect(const struct arguments *arguments) {
  const char *path = arguments->operands[0];
  struct inspection inspection;
  if (arguments->output && output_path_check(arguments->output, path) != EXIT_DONE)
    return EXIT_USER;
  cuseq_status status = inspection_open(path, &inspection);
  int result = EXIT_DONE;
  if (status != CUSEQ_STATUS_OK)
    result = fail_kind(path, WANTED_ARRAYS, status, error_text());
  else if (arguments->json)
    print_json(&inspection, path);
  else
    print_text(&inspection, path);
  if (result == EXIT_DONE && arguments->output)
    result = write_proposal(&inspection, arguments);
  inspection_close(&inspection);
  return result;
}

const struct command command_inspect = {
    .name = "inspect",
    .operands = "WEIGHTS",
    .fewest = 1,
    .most = 1,
    .summary = "list named arrays, and what modules they look like",
    .description =
        "Lists the arrays of a PyTorch checkpoint (.pt, .pth, .bin, .safetensors), of an .npz or of HDF5\n"
        "(.h5, .keras), and the recurrent layers, dense layers and embeddings that they look like. With\n"
        "-o, writes a configuration for cuseq convert --config to begin with: what the arrays do not tell\n"
        "says FILL IN, and convert names the next such key.",
    .example = "  cuseq inspect checkpoint.pt -o config.json",
    .options = {OPTION_CONFIG_OUT, OPTION_JSON, OPTION_HELP},
    .run = run_inspect,
};
