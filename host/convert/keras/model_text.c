#include "convert/keras/model_text.h"
#include "convert/keras/layers.h"
#include "convert/keras/pair.h"
#include "convert/keras/python_json.h"
#include "convert/recognise/recognise.h"
#include "error.h"
#include "formats/json_bound.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What jansson may allocate beyond the size of the text. */
static const size_t json_allowance = (size_t)40 << 20;

static cuseq_status parse(const char *text, size_t size, const char *name, json_t **json) {
  if (json_bound(text, size).memory > json_allowance + size)
    return error_set(CUSEQ_STATUS_INVALID_FILE, "%s: JSON that takes too much memory for its %zu bytes", name,
                     size);
  json_error_t error;
  *json = json_loadb(text, size, JSON_REJECT_DUPLICATES, &error);
  if (*json == NULL && json_lacked_memory(&error))
    return error_set(CUSEQ_STATUS_OUT_OF_MEMORY, "%s: out of memory", name);
  if (*json == NULL)
    return error_set(CUSEQ_STATUS_INVALID_FILE, "%s: not JSON (line %d: %.200s)", name, error.line,
                     error.text);
  if (!json_is_object(*json)) {
    json_decref(*json);
    *json = NULL;
    return error_set(CUSEQ_STATUS_INVALID_FILE, "%s: not a JSON object", name);
  }
  return CUSEQ_STATUS_OK;
}

cuseq_status model_text_parse(const char *text, size_t size, const char *name, json_t **json) {
  char *rewritten;
  size_t length;
  *json = NULL;
  TRY(python_json_rewrite(text, size, name, &rewritten, &length));
  cuseq_status status =
      parse(rewritten != NULL ? rewritten : text, rewritten != NULL ? length : size, name, json);
  free(rewritten);
  return status;
}

/* A number of one to four digits at `text`; *end is moved behind it. */
static bool version_number(const char *text, const char **end, int *number) {
  *number = 0;
  for (*end = text; **end >= '0' && **end <= '9' && *end - text < 4; ++*end)
    *number = *number * 10 + (**end - '0');
  return *end > text;
}

cuseq_status model_text_version(const char *text, size_t size, struct keras_version *version) {
  char copy[64];
  const char *end;
  *version = (struct keras_version){0};
  snprintf(copy, sizeof copy, "%.*s", size > 60 ? 60 : (int)size, text);
  if (!version_number(copy, &end, &version->major) || *end != '.' ||
      !version_number(end + 1, &end, &version->minor))
    return error_set(CUSEQ_STATUS_INVALID_FILE, "keras_version: not a version (found \"%s\")", copy);
  if (version->major < 2)
    return error_set(CUSEQ_STATUS_INVALID_MODEL,
                     "it was written by Keras %s (needed Keras 2 or later; load it there and save it again)",
                     copy);
  version->tensorflow = strstr(copy, "-tf") != NULL;
  return CUSEQ_STATUS_OK;
}

/* An output that a Reshape took apart is handed over whole: the numbers lie in the same order. */
static cuseq_status put_together(struct evaluator *evaluator, struct graph_output *output) {
  const struct expressions *expressions = &evaluator->expressions;
  const struct expression *steps = expression_at(expressions, output->value.expression);
  int32_t whole = -1, at = 0;
  for (int32_t i = 0; steps->op == EXPRESSION_STEPS && i < steps->child_count; i++) {
    const struct expression *part = expression_at(expressions, steps->children[i]);
    if (part->op != EXPRESSION_SLICE || part->index != at || (whole >= 0 && part->children[0] != whole))
      return CUSEQ_STATUS_OK;
    whole = part->children[0];
    at += part->width;
  }
  if (whole < 0 || at != expression_at(expressions, whole)->width || output->value.axis_count != 3 ||
      output->value.axes[1].kind != AXIS_STEP)
    return CUSEQ_STATUS_OK;
  TRY(notes_add(&evaluator->notes,
                "output '%.100s' is [batch, %d, %d] in Keras and a row of %d numbers here, in the same order",
                output->name, steps->child_count, at / steps->child_count, at));
  output->value.expression = whole;
  output->value.axes[1] = (struct axis){AXIS_FEATURE, at, 0};
  output->value.axis_count = 2;
  return CUSEQ_STATUS_OK;
}

/* Refuses what the user says of a decoder that the model has not. */
static cuseq_status check_decoder(const struct convert_decoder *said, const cuseq_model *model) {
  const cuseq_config *config = cuseq_model_config(model);
  const char *option = said->start_token >= 0 && config->start_token != said->start_token ? "--start-token"
                       : said->end_token >= 0 && config->end_token != said->end_token     ? "--end-token"
                       : said->steps > 0 && config->steps != said->steps                  ? "--steps"
                                                                                          : NULL;
  if (option == NULL)
    return CUSEQ_STATUS_OK;
  return error_set(CUSEQ_STATUS_INVALID_MODEL, "%s: the model has no decoder that %s", option,
                   strcmp(option, "--steps") == 0 ? "makes another number of steps than its file says"
                                                  : "reads its tokens");
}

/* Has what was evaluated recognised, and what the user says of a decoder held against it. */
static cuseq_status hand_over(struct evaluator *evaluator, struct recognise_request *request,
                              const struct model_hints *hints, cuseq_model **model) {
  static const struct convert_decoder nothing = {-1, -1, 0};
  const struct convert_decoder *decoder = hints->decoder != NULL ? hints->decoder : &nothing;
  request->expressions = &evaluator->expressions;
  request->notes = &evaluator->notes;
  request->start_token = decoder->start_token;
  request->end_token = decoder->end_token;
  request->steps = decoder->steps;
  request->vocabulary = hints->vocabulary;
  weights_close(&evaluator->weights);
  if (hints->file_is_read != NULL)
    hints->file_is_read(hints->file);
  TRY(recognise_model(request, model));
  cuseq_status status = check_decoder(decoder, *model);
  if (status != CUSEQ_STATUS_OK) {
    cuseq_model_destroy(*model);
    *model = NULL;
  }
  return status;
}

/* The model of a text becomes the evaluator's, with its weights at hand. */
static cuseq_status open_text(struct evaluator *evaluator, const struct model_text *text,
                              struct keras_model **graph) {
  evaluator->version = text->version;
  evaluator->weights = (struct weights_source){
      .root = text->root, .legacy = text->legacy, .version = text->version, .arena = evaluator->arena};
  TRY(graph_parse(text->config, &evaluator->version, evaluator->arena, graph));
  evaluator->model = *graph;
  return weights_open(&evaluator->weights, *graph);
}

static cuseq_status run(struct evaluator *evaluator, const struct model_text *text,
                        const struct model_hints *hints, cuseq_model **model) {
  struct recognise_request request = {.token = -1};
  struct keras_model *graph;
  struct value *values;
  TRY(open_text(evaluator, text, &graph));
  TRY(evaluate_model(evaluator, &values));
  TRY(weights_all_found(&evaluator->weights));
  TRY(settings_note_half(evaluator));
  struct graph_input *inputs = arena_allocate(evaluator->arena, (graph->input_count + 1) * sizeof *inputs);
  struct graph_output *outputs = arena_allocate(evaluator->arena, graph->output_count * sizeof *outputs);
  if (inputs == NULL || outputs == NULL)
    return error_out_of_memory();
  for (size_t i = 0; i < graph->input_count; i++)
    inputs[i].node = &graph->inputs[i].layer->node;
  for (size_t i = 0; i < graph->output_count; i++) {
    outputs[i] = (struct graph_output){graph->outputs[i].layer->node.name, values[i]};
    TRY(put_together(evaluator, &outputs[i]));
  }
  request.inputs = inputs;
  request.input_count = graph->input_count;
  request.outputs = outputs;
  request.output_count = graph->output_count;
  return hand_over(evaluator, &request, hints, model);
}

/* second  receives, with an error, whether the first model is evaluated */
static cuseq_status run_pair(struct evaluator *evaluator, const struct model_text *texts,
                             const struct model_hints *hints, bool *second, cuseq_model **model) {
  struct recognise_request request = {.token = -1};
  struct keras_pair *pair = arena_allocate(evaluator->arena, sizeof *pair);
  struct keras_model *encoder, *step;
  struct value *given;
  if (pair == NULL)
    return error_out_of_memory();
  TRY(open_text(evaluator, &texts[0], &encoder));
  TRY(evaluate_model(evaluator, &given));
  TRY(weights_all_found(&evaluator->weights));
  TRY(settings_note_half(evaluator));
  weights_close(&evaluator->weights);
  *second = true;
  TRY(open_text(evaluator, &texts[1], &step));
  *pair = (struct keras_pair){
      .evaluator = evaluator, .encoder = encoder, .step = step, .given = given, .links = hints->links};
  TRY(keras_pair_evaluate(pair, &request));
  TRY(weights_all_found(&evaluator->weights));
  TRY(settings_note_half(evaluator));
  return hand_over(evaluator, &request, hints, model);
}

static cuseq_status convert(const struct model_text *texts, bool two, const struct model_hints *hints,
                            bool *second, cuseq_model **model, char **notes) {
  static const struct model_hints none = {.vocabulary = NULL};
  hints = hints != NULL ? hints : &none;
  struct arena arena = {0};
  struct evaluator evaluator = {
      .arena = &arena, .expressions = {.arena = &arena}, .own = hints->own, .token = -1};
  *model = NULL;
  cuseq_status status =
      two ? run_pair(&evaluator, texts, hints, second, model) : run(&evaluator, texts, hints, model);
  weights_close(&evaluator.weights);
  expressions_free(&evaluator.expressions);
  arena_free(&arena);
  if (notes != NULL && status == CUSEQ_STATUS_OK)
    *notes = evaluator.notes.text;
  else
    free(evaluator.notes.text);
  return status;
}

cuseq_status model_text_convert(const json_t *config, const struct keras_version *version,
                                const struct hdf5_node *root, bool legacy, const struct model_hints *hints,
                                cuseq_model **model, char **notes) {
  const struct model_text text = {config, *version, root, legacy};
  return convert(&text, false, hints, NULL, model, notes);
}

cuseq_status model_text_convert_pair(const struct model_text *texts, const struct model_hints *hints,
                                     bool *second, cuseq_model **model, char **notes) {
  *second = false;
  return convert(texts, true, hints, second, model, notes);
}

static const struct hdf5_string *root_text(const struct hdf5_node *root, const char *name) {
  const struct hdf5_attribute *attribute = hdf5_attribute_find(root, name);
  return attribute != NULL && attribute->count == 1 ? &attribute->strings[0] : NULL;
}

cuseq_status model_text_legacy(const struct hdf5_node *root, json_t **config, struct model_text *text_of) {
  *config = NULL;
  const struct hdf5_string *text = root_text(root, "model_config");
  const struct hdf5_string *written_by = root_text(root, "keras_version");
  bool weights = hdf5_attribute_find(root, "layer_names") != NULL || hdf5_find(root, "layers", 6) != NULL ||
                 hdf5_find(root, "_layer_checkpoint_dependencies", 30) != NULL;
  if (text == NULL && weights)
    return error_set(CUSEQ_STATUS_INVALID_FILE, "it has weights only: the architecture is missing (save the "
                                                "whole model, with model.save, or say what it "
                                                "is with --config CONFIG.json)");
  if (text == NULL)
    return error_set(CUSEQ_STATUS_INVALID_FILE, "not a Keras model (an HDF5 file without model_config)");
  if (written_by == NULL)
    return error_set(CUSEQ_STATUS_INVALID_FILE,
                     "not a whole Keras model (an HDF5 file without keras_version)");
  *text_of = (struct model_text){.root = root, .legacy = true};
  TRY(model_text_version(written_by->text, written_by->size, &text_of->version));
  TRY(model_text_parse(text->text, text->size, "model_config", config));
  text_of->config = *config;
  return CUSEQ_STATUS_OK;
}

cuseq_status model_text_convert_legacy(const struct hdf5_node *root, const struct model_hints *hints,
                                       cuseq_model **model, char **notes) {
  struct model_text text;
  json_t *config;
  *model = NULL;
  TRY(model_text_legacy(root, &config, &text));
  cuseq_status status = convert(&text, false, hints, NULL, model, notes);
  json_decref(config);
  return status;
}
