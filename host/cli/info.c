/* cuseq info: what a model is. */
#include "cli/command.h"
#include "cli/info_structure.h"
#include "cli/json.h"
#include "cli/kinds.h"
#include "cli/message.h"
#include "cli/precision.h"
#include "cli/results.h"
#include "cuseq/cuseq.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static const char *activation_name(cuseq_activation activation) {
  static const char *const names[] = {
      "linear", "tanh", "relu", "sigmoid", "hard_sigmoid", "hard_sigmoid_keras2", "softmax"};
  return names[activation];
}

static void print_encoder(const cuseq_config *config) {
  static const char *const merges[] = {"concat", "sum", "mul", "ave"};
  printf("encoder    %d %s LSTM layer%s of %d units, %d features in, annotations %d wide\n",
         (int)config->layers,
         config->direction == CUSEQ_DIRECTION_BIDIRECTIONAL ? "bidirectional" : "forward",
         config->layers == 1 ? "" : "s", (int)config->units, (int)config->features,
         (int)config->annotation_width);
  printf("           %s, gates %s", activation_name(config->activation),
         activation_name(config->recurrent_activation));
  if (config->direction == CUSEQ_DIRECTION_BIDIRECTIONAL)
    printf(", merge %s", merges[config->merge]);
  putchar('\n');
}

static void print_attention(const cuseq_config *config) {
  static const char *const scores[] = {"concat", "dot", "general", "additive"};
  printf("attention  %s", scores[config->score]);
  for (int32_t i = 0; i < config->attention_layers; i++)
    printf("%s dense %d %s", i ? "," : ":", (int)config->attention_units[i],
           activation_name(config->attention_activation[i]));
  if (config->additive_units)
    printf(": %d units", (int)config->additive_units);
  if (config->scale != 1)
    printf(", scale %g", (double)config->scale);
  putchar('\n');
}

static void print_decoder(const cuseq_config *config) {
  static const char *const initial[] = {"zeros", "the encoder's final state",
                                        "the encoder's through dense layers"};
  if (!config->has_decoder) {
    printf("state      %d units, %s\n", (int)config->state_units, initial[config->initial_state]);
    return;
  }
  printf("decoder    LSTM of %d units, %d steps, begins with %s\n", (int)config->state_units,
         (int)config->steps, initial[config->initial_state]);
  printf("           %s, gates %s\n", activation_name(config->decoder_activation),
         activation_name(config->decoder_recurrent_activation));
  if (config->feedback == CUSEQ_FEEDBACK_OUTPUT)
    printf("           reads its last output, %s", config->embedding_units ? "embedded" : "one-hot");
  if (config->embedding_units)
    printf(" in %d units", (int)config->embedding_units);
  if (config->feedback == CUSEQ_FEEDBACK_OUTPUT)
    printf(", from token %d\n", (int)config->start_token);
  if (config->end_token >= 0)
    printf("           ends with token %d\n", (int)config->end_token);
  printf("output     %d %s\n", (int)config->outputs, activation_name(config->output_activation));
}

enum { SYMBOLS_LISTED = 200 };

/* A symbol or a label, as it can be told from others. */
static void print_symbol(const char *text) {
  putchar(' ');
  if (!*text || strcmp(text, " ") == 0)
    text = *text ? "' '" : "''";
  for (; *text; text++)
    putchar((unsigned char)*text < 0x20 || *text == 0x7F ? '?' : *text);
}

static void print_symbols(const char *title, int32_t count,
                          const char *(*symbol)(const cuseq_model *, int32_t), const cuseq_model *model) {
  printf("%-10s %d symbols:", title, (int)count);
  for (int32_t id = 0; id < count && id < SYMBOLS_LISTED; id++)
    print_symbol(symbol(model, id));
  fputs(count > SYMBOLS_LISTED ? " ...\n" : "\n", stdout);
}

static void print_labels(const cuseq_model *model) {
  int32_t heads = cuseq_model_config(model)->heads;
  for (int32_t i = 0; i < heads; i++) {
    cuseq_head head = CUSEQ_HEAD_INIT;
    if (cuseq_model_head(model, i, &head) != CUSEQ_STATUS_OK || head.labels == 0)
      continue;
    printf("labels    %s%s %d:", heads > 1 ? " of " : "", heads > 1 ? head.name : "", (int)head.labels);
    for (int32_t k = 0; k < head.labels && k < SYMBOLS_LISTED; k++)
      print_symbol(cuseq_model_label(model, i, k));
    fputs(head.labels > SYMBOLS_LISTED ? " ...\n" : "\n", stdout);
  }
}

/* How texts are read, and what comes out. */
static void print_vocabulary(const cuseq_model *model, const cuseq_config *config) {
  printf("texts      of up to %d %s\n", (int)config->text_length,
         config->input_words ? "words" : "characters");
  print_symbols("in", config->input_symbols, cuseq_model_input_symbol, model);
  if (config->output_symbols > 0)
    print_symbols("out", config->output_symbols, cuseq_model_output_symbol, model);
  print_labels(model);
}

static int64_t tensor_size(const cuseq_tensor *tensor) {
  int64_t size = 1;
  for (int32_t i = 0; i < tensor->rank; i++)
    size *= tensor->shape[i];
  return size;
}

static int64_t parameter_count(const cuseq_model *model) {
  int64_t count = 0;
  cuseq_tensor tensor;
  for (size_t i = 0; i < cuseq_model_tensor_count(model); i++)
    if (cuseq_model_tensor(model, i, &tensor) == CUSEQ_STATUS_OK)
      count += tensor_size(&tensor);
  return count;
}

static void print_tensors(const cuseq_model *model, bool json) {
  cuseq_tensor tensor;
  for (size_t i = 0; i < cuseq_model_tensor_count(model); i++) {
    if (cuseq_model_tensor(model, i, &tensor) != CUSEQ_STATUS_OK)
      continue;
    if (json) {
      fputs(i ? ",\n    " : "\n    ", stdout);
      json_put_string(stdout, tensor.name);
      fputs(": [", stdout);
    } else {
      printf("  %-46s [", tensor.name);
    }
    for (int32_t k = 0; k < tensor.rank; k++)
      printf("%s%" PRId64, k ? "," : "", tensor.shape[k]);
    fputs(json ? "]" : "]\n", stdout);
  }
}

enum { PLAN_ROOM = 16384 };

/* What a device would run the model by: `plan` [PLAN_ROOM], empty where neither a device is named nor a
 * precision. */
static int plan_find(const cuseq_model *model, const struct arguments *arguments, char *plan) {
  cuseq_session_options options;
  cuseq_session *session;
  plan[0] = '\0';
  if (!arguments->device && arguments->precision == CUSEQ_PRECISION_FLOAT32)
    return EXIT_DONE;
  cuseq_session_options_init(&options, sizeof options, model);
  options.device = arguments->device;
  options.precision = arguments->precision;
  options.max_time = time_without_input(cuseq_model_config(model), arguments->time);
  cuseq_status status = cuseq_session_open(model, &options, &session);
  if (status != CUSEQ_STATUS_OK)
    return fail_library(status);
  int length = snprintf(plan, PLAN_ROOM, "device: %s, up to %d positions\n", precision_device(session),
                        (int)options.max_time);
  cuseq_session_plan(session, plan + length, PLAN_ROOM - (size_t)length);
  cuseq_session_close(session);
  return EXIT_DONE;
}

/* "name: what", a line each, under each other as the rest of the text is. */
static void plan_print(const char *plan) {
  while (*plan) {
    size_t length = strcspn(plan, "\n"), name = strcspn(plan, ":");
    const char *what = plan + name + 2;
    int rest = (int)(length - name - 2);
    if (name <= 10)
      printf("%-10.*s %.*s\n", (int)name, plan, rest, what);
    else
      printf("           %.*s: %.*s\n", (int)name, plan, rest, what);
    plan += length + (plan[length] == '\n');
  }
}

static void plan_print_json(const char *plan) {
  fputs(",\n  \"plan\": [", stdout);
  for (bool first = true; *plan; first = false) {
    char line[512];
    size_t length = strcspn(plan, "\n");
    snprintf(line, sizeof line, "%.*s", (int)length, plan);
    fputs(first ? "\n    " : ",\n    ", stdout);
    json_put_string(stdout, line);
    plan += length + (plan[length] == '\n');
  }
  fputs("\n  ]", stdout);
}

static void info_text(const cuseq_model *model, const char *path, const char *plan) {
  const cuseq_config *config = cuseq_model_config(model);
  printf("model      %s\n", path);
  if (!info_structure(model)) {
    print_encoder(config);
    print_attention(config);
    print_decoder(config);
  }
  if (config->text_length)
    print_vocabulary(model, config);
  plan_print(plan);
  int64_t parameters = parameter_count(model);
  printf("weights    %" PRId64 " parameters, %.1f KB, in %zu tensors:\n", parameters,
         (double)parameters * 4 / 1024, cuseq_model_tensor_count(model));
  print_tensors(model, false);
}

static void info_json(const cuseq_model *model, const char *path, const char *plan) {
  fputs("{\n  \"model\": ", stdout);
  json_put_string(stdout, path);
  printf(",\n  \"parameters\": %" PRId64 ",\n  \"config\": %s,\n  \"tensors\": {", parameter_count(model),
         cuseq_model_config_json(model));
  print_tensors(model, true);
  fputs("\n  }", stdout);
  if (*plan)
    plan_print_json(plan);
  fputs("\n}\n", stdout);
}

static int run_info(const struct arguments *arguments) {
  static char plan[PLAN_ROOM];
  cuseq_model *model;
  int result = model_load(arguments->operands[0], &model);
  if (result != EXIT_DONE)
    return result;
  result = plan_find(model, arguments, plan);
  if (result == EXIT_DONE && arguments->json)
    info_json(model, arguments->operands[0], plan);
  else if (result == EXIT_DONE)
    info_text(model, arguments->operands[0], plan);
  cuseq_model_destroy(model);
  return result;
}

const struct command command_info = {
    .name = "info",
    .operands = "MODEL",
    .fewest = 1,
    .most = 1,
    .summary = "describe a model",
    .description =
        "Prints a model's configuration, vocabulary, tensors and parameter count; with --device or\n"
        "--precision also which kernels that device runs it by in that precision.",
    .example = "  cuseq info models/dates.safetensors",
    .options = {OPTION_DEVICE, OPTION_PRECISION, OPTION_TIME, OPTION_JSON, OPTION_HELP},
    .run = run_info,
};
