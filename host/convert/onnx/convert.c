/* onnx_convert: files in, models out. */
#include "convert/convert.h"
#include "convert/onnx/convert.h"
#include "convert/onnx/pair.h"
#include "convert/vocabulary_json.h"
#include "error.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static cuseq_status list_outputs(struct evaluator *evaluator, const struct tensor *tensors,
                                 const bool *left_out, struct graph_output **outputs, size_t *count) {
  const OnnxFile__Graph *graph = evaluator->file->model->graph;
  *count = 0;
  *outputs = arena_allocate(evaluator->arena, (graph->n_output + 1) * sizeof **outputs);
  if (*outputs == NULL)
    return error_out_of_memory();
  for (size_t i = 0; i < graph->n_output; i++) {
    struct tensor tensor;
    struct graph_output *output = &(*outputs)[*count];
    if (left_out != NULL && left_out[i])
      continue;
    output->name = graph->output[i]->name != NULL ? graph->output[i]->name : "";
    if (tensors == NULL)
      TRY(graph_output(evaluator, i, &tensor));
    TRY(graph_output_value(evaluator, output->name, tensors != NULL ? &tensors[i] : &tensor, &output->value));
    ++*count;
  }
  return CUSEQ_STATUS_OK;
}

/* What both ways have in common. */
struct conversion {
  struct arena arena;
  struct expressions expressions;
  struct notes notes;
  struct shared shared;
  struct names names[2];
  struct evaluator evaluators[2];
  struct onnx_file *files;
  size_t file_count;
  const struct convert_decoder *decoder; /* or NULL */
  const char *links;
  const json_t *vocabulary;
};

static void begin_evaluator(struct conversion *conversion, int at, const struct onnx_file *file) {
  conversion->evaluators[at] = (struct evaluator){.expressions = &conversion->expressions,
                                                  .arena = &conversion->arena,
                                                  .notes = &conversion->notes,
                                                  .shared = &conversion->shared,
                                                  .file = file};
}

static cuseq_status hand_over(struct conversion *conversion, struct recognise_request *request,
                              cuseq_model **model) {
  for (size_t i = 0; i < conversion->file_count; i++)
    onnx_release_bytes(&conversion->files[i]);
  request->expressions = &conversion->expressions;
  request->notes = &conversion->notes;
  request->inputs = conversion->shared.inputs;
  request->input_count = (size_t)conversion->shared.input_count;
  const struct convert_decoder *decoder = conversion->decoder;
  request->start_token = decoder != NULL ? decoder->start_token : -1;
  request->end_token = decoder != NULL ? decoder->end_token : -1;
  request->steps = decoder != NULL ? decoder->steps : 0;
  request->vocabulary = conversion->vocabulary;
  return recognise_model(request, model);
}

/* A file that cannot be converted alone, with an input of integers and others of floats, may be a decoder's
 * step. */
static cuseq_status hint_at_encoder(cuseq_status status, struct evaluator *evaluator) {
  struct declared *inputs;
  size_t count, integers = 0, floats = 0;
  char reason[900];
  snprintf(reason, sizeof reason, "%s", error_text());
  if (status != CUSEQ_STATUS_INVALID_MODEL || evaluator->names == NULL || evaluator->names->table == NULL ||
      declared_inputs(evaluator, &inputs, &count) != CUSEQ_STATUS_OK)
    return error_set(status, "%s", reason);
  for (size_t i = 0; i < count; i++) {
    integers += onnx_type_is_integer(inputs[i].type) != 0;
    floats += onnx_type_is_float(inputs[i].type) != 0;
  }
  bool step = integers > 0 && floats > 0;
  return error_set(status, "%s%s", reason,
                   step ? " - one step of a decoder is converted with its encoder's file in front" : "");
}

static cuseq_status convert_one(struct conversion *conversion, cuseq_model **model) {
  struct recognise_request request = {.token = -1};
  struct graph_output *outputs;
  struct evaluator *evaluator = &conversion->evaluators[0];
  TRY(graph_begin(evaluator, &conversion->names[0]));
  cuseq_status status = graph_evaluate(evaluator);
  if (status != CUSEQ_STATUS_OK)
    return hint_at_encoder(status, evaluator);
  TRY(list_outputs(evaluator, NULL, NULL, &outputs, &request.output_count));
  request.outputs = outputs;
  return hand_over(conversion, &request, model);
}

static cuseq_status convert_two(struct conversion *conversion, const char *const *paths,
                                cuseq_model **model) {
  struct recognise_request request = {.token = -1};
  struct graph_output *outputs;
  struct graph_state *states;
  struct pair *pair = arena_allocate(&conversion->arena, sizeof *pair);
  if (pair == NULL)
    return error_out_of_memory();
  *pair = (struct pair){
      .encoder = &conversion->evaluators[0], .step = &conversion->evaluators[1], .links = conversion->links};
  cuseq_status status = graph_begin(pair->encoder, &conversion->names[0]);
  if (status == CUSEQ_STATUS_OK)
    status = graph_evaluate(pair->encoder);
  if (status != CUSEQ_STATUS_OK)
    return error_prefix(status, paths[0]);
  status = graph_begin(pair->step, &conversion->names[1]);
  if (status == CUSEQ_STATUS_OK)
    status = pair_evaluate(pair);
  if (status == CUSEQ_STATUS_OK)
    status = list_outputs(pair->step, pair->step_outputs, pair->is_state, &outputs, &request.output_count);
  if (status == CUSEQ_STATUS_OK)
    status = pair_states(pair, &states, &request.state_count);
  if (status == CUSEQ_STATUS_OK) {
    request.outputs = outputs;
    request.states = states;
    request.token = pair->token;
    status = hand_over(conversion, &request, model);
  }
  return status != CUSEQ_STATUS_OK ? error_prefix(status, paths[1]) : status;
}

static cuseq_status convert(struct conversion *conversion, size_t count, const char *const *paths,
                            cuseq_model **model) {
  static const char *const nameless[] = {"the encoder", "the decoder"};
  if (count == 2)
    return convert_two(conversion, paths != NULL ? paths : nameless, model);
  cuseq_status status = convert_one(conversion, model);
  return status != CUSEQ_STATUS_OK && paths != NULL ? error_prefix(status, paths[0]) : status;
}

cuseq_status onnx_convert_files(struct onnx_file *files, size_t count, const char *const *paths,
                                const json_t *vocabulary, const struct convert_decoder *decoder,
                                const char *links, cuseq_model **model, char **notes) {
  struct conversion *conversion = calloc(1, sizeof *conversion);
  *model = NULL;
  if (conversion == NULL)
    return error_out_of_memory();
  conversion->expressions.arena = &conversion->arena;
  conversion->files = files;
  conversion->file_count = count;
  conversion->decoder = decoder;
  conversion->links = links;
  conversion->vocabulary = vocabulary;
  for (size_t i = 0; i < count && i < 2; i++)
    begin_evaluator(conversion, (int)i, &files[i]);
  cuseq_status status = convert(conversion, count, paths, model);
  for (int i = 0; i < 2; i++)
    name_table_free(&conversion->names[i]);
  expressions_free(&conversion->expressions);
  free(conversion->shared.hashes);
  free(conversion->shared.states);
  free(conversion->shared.inputs);
  arena_free(&conversion->arena);
  if (notes != NULL && status == CUSEQ_STATUS_OK)
    *notes = conversion->notes.text;
  else
    free(conversion->notes.text);
  free(conversion);
  return status;
}

/* ---- files ---------------------------------------------------------------------------------------- */

cuseq_status onnx_convert(const char *const *paths, size_t count, struct convert_json *vocabulary,
                          const struct convert_decoder *decoder, const char *links, cuseq_model **model,
                          char **notes) {
  struct onnx_file files[2] = {{0}, {0}};
  struct vocabulary tried = {0};
  json_t *json = NULL;
  cuseq_status status = CUSEQ_STATUS_OK;
  *model = NULL;
  if (notes != NULL)
    *notes = NULL;
  if (vocabulary != NULL)
    status = vocabulary_json_read(vocabulary, &json, &tried);
  vocabulary_free(&tried);
  for (size_t i = 0; status == CUSEQ_STATUS_OK && i < count && i < 2; i++)
    status = onnx_read(paths[i], &files[i]);
  if (status == CUSEQ_STATUS_OK)
    status = onnx_convert_files(files, count, paths, json, decoder, links, model, notes);
  for (size_t i = 0; i < 2; i++)
    onnx_free(&files[i]);
  json_decref(json);
  return status;
}
