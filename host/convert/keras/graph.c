#include "convert/keras/graph.h"
#include "convert/keras/graph_parse.h"
#include "convert/keras/identity.h"
#include "error.h"

#include <string.h>

cuseq_status layer_bool(const struct keras_layer *layer, const json_t *config, const char *key, bool fallback,
                        bool *value) {
  const json_t *found = json_object_get(config, key);
  *value = fallback;
  if (found == NULL || json_is_null(found))
    return CUSEQ_STATUS_OK;
  if (!json_is_boolean(found) && !(json_is_integer(found) && json_integer_value(found) / 2 == 0))
    return layer_refuse(layer, "its setting %s is not true or false", key);
  *value = json_is_true(found) || (json_is_integer(found) && json_integer_value(found) != 0);
  return CUSEQ_STATUS_OK;
}

cuseq_status layer_integer(const struct keras_layer *layer, const json_t *config, const char *key,
                           int64_t fallback, int64_t *value) {
  const json_t *found = json_object_get(config, key);
  *value = fallback;
  if (found == NULL || json_is_null(found))
    return CUSEQ_STATUS_OK;
  if (!json_is_integer(found))
    return layer_refuse(layer, "its setting %s is not an integer", key);
  *value = json_integer_value(found);
  return CUSEQ_STATUS_OK;
}

static cuseq_status bad_config(const char *reason) {
  return error_set(CUSEQ_STATUS_INVALID_FILE, "the model's configuration is damaged (%s)", reason);
}

/* ---- layers --------------------------------------------------------------------------------------- */

static cuseq_status read_layer(struct graph_reader *reader, const json_t *json, struct keras_layer *layer) {
  const json_t *config = json_object_get(json, "config");
  const char *class_name = json_string_value(json_object_get(json, "class_name"));
  const char *name = json_string_value(json_object_get(json, "name"));
  if (name == NULL)
    name = json_string_value(json_object_get(config, "name"));
  if (class_name == NULL)
    return bad_config("a layer without a class");
  if (name == NULL)
    return bad_config("a layer without a name");
  *layer = (struct keras_layer){.node.name = name, .node.class_name = class_name, .outer = reader->outer};
  layer->marks = arena_allocate(reader->arena, sizeof *layer->marks);
  if (layer->marks == NULL)
    return error_out_of_memory();
  if (!json_is_object(config) && !json_is_array(config)) /* Keras 2's oldest Sequential has a list */
    return layer_refuse(layer, "its configuration is missing");
  layer->config = config;
  layer->shared = json_integer_value(json_object_get(json, "shared_object_id"));
  TRY(identity_check(reader->version, json, layer));
  TRY(layer_bool(layer, json_is_object(config) ? config : NULL, "trainable", true, &layer->trainable));
  if (++*reader->layer_total > GRAPH_MAX_LAYERS)
    return bad_config("too many layers");
  if (identity_is_model_class(class_name) && !layer->is_operation) {
    struct graph_reader inner = *reader;
    inner.outer = layer;
    inner.depth++;
    TRY(graph_read_model(&inner, json, &layer->inner));
  }
  return CUSEQ_STATUS_OK;
}

/* Reads all layers of a list and enters them under their names. */
static cuseq_status read_layers(struct graph_reader *reader, const json_t *list, size_t first) {
  struct keras_model *model = reader->model;
  for (size_t i = 0; i < json_array_size(list); i++) {
    struct keras_layer *layer = &model->layers[first + i];
    TRY(read_layer(reader, json_array_get(list, i), layer));
    layer->position = first + i;
    if (json_object_get(reader->names, layer->node.name) != NULL)
      return bad_config("two layers of one name");
    if (json_object_set_new(reader->names, layer->node.name, json_integer((json_int_t)layer->position)) != 0)
      return error_out_of_memory();
  }
  return CUSEQ_STATUS_OK;
}

/* ---- Functional and Sequential -------------------------------------------------------------------- */

static cuseq_status read_functional(struct graph_reader *reader, const json_t *config) {
  struct keras_model *model = reader->model;
  const json_t *list = json_object_get(config, "layers");
  TRY(read_layers(reader, list, 0));
  for (size_t i = 0; i < model->layer_count; i++)
    TRY(graph_read_calls(reader, json_object_get(json_array_get(list, i), "inbound_nodes"),
                         &model->layers[i]));
  TRY(graph_read_references(reader, json_object_get(config, "input_layers"), &model->inputs,
                            &model->input_count));
  TRY(graph_read_references(reader, json_object_get(config, "output_layers"), &model->outputs,
                            &model->output_count));
  if (model->output_count == 0)
    return bad_config("no outputs");
  return graph_number_calls(reader);
}

static cuseq_status call_with(struct graph_reader *reader, struct keras_layer *layer,
                              struct keras_layer *before) {
  layer->calls = arena_allocate(reader->arena, sizeof *layer->calls);
  struct graph_argument *argument = arena_allocate(reader->arena, sizeof *argument);
  if (layer->calls == NULL || argument == NULL)
    return error_out_of_memory();
  *argument = (struct graph_argument){.kind = ARGUMENT_TENSOR, .reference = {.layer = before}};
  *layer->calls = (struct graph_call){argument, 1};
  layer->call_count = 1;
  return CUSEQ_STATUS_OK;
}

/* A list of layers, each fed by the one before. Where the list has no InputLayer one is put in front, with
 * the shape that the first layer's configuration has. */
static cuseq_status read_sequential(struct graph_reader *reader, const json_t *list, bool has_input) {
  struct keras_model *model = reader->model;
  if (!has_input) {
    const json_t *first = json_object_get(json_array_get(list, 0), "config");
    model->layers[0] = (struct keras_layer){.node.name = "input",
                                            .node.class_name = "InputLayer",
                                            .config = first,
                                            .outer = reader->outer,
                                            .trainable = true};
    model->layers[0].marks = arena_allocate(reader->arena, sizeof *model->layers[0].marks);
    if (model->layers[0].marks == NULL)
      return error_out_of_memory();
  }
  TRY(read_layers(reader, list, has_input ? 0 : 1));
  model->layers[0].calls = arena_allocate(reader->arena, sizeof(struct graph_call));
  model->inputs = arena_allocate(reader->arena, sizeof *model->inputs);
  model->outputs = arena_allocate(reader->arena, sizeof *model->outputs);
  if (model->layers[0].calls == NULL || model->inputs == NULL || model->outputs == NULL)
    return error_out_of_memory();
  model->layers[0].call_count = 1;
  for (size_t i = 1; i < model->layer_count; i++)
    TRY(call_with(reader, &model->layers[i], &model->layers[i - 1]));
  for (size_t i = 0; i < model->layer_count; i++)
    model->layers[i].in_row = true;
  model->inputs->layer = &model->layers[0];
  model->outputs->layer = &model->layers[model->layer_count - 1];
  model->input_count = model->output_count = 1;
  return CUSEQ_STATUS_OK;
}

static cuseq_status read_into(struct graph_reader *reader, const json_t *json, const char *class_name) {
  const json_t *config = json_object_get(json, "config");
  const json_t *list = json_is_array(config) ? config : json_object_get(config, "layers");
  if (!json_is_array(list) || json_array_size(list) == 0)
    return bad_config("no layers");
  bool sequential = strcmp(class_name, "Sequential") == 0;
  const char *first = json_string_value(json_object_get(json_array_get(list, 0), "class_name"));
  bool has_input = !sequential || (first != NULL && strcmp(first, "InputLayer") == 0);
  struct keras_model *model = reader->model;
  model->layer_count = json_array_size(list) + (has_input ? 0 : 1);
  if (model->layer_count > GRAPH_MAX_LAYERS)
    return bad_config("too many layers");
  model->layers = arena_allocate(reader->arena, model->layer_count * sizeof *model->layers);
  if (model->layers == NULL)
    return error_out_of_memory();
  return sequential ? read_sequential(reader, list, has_input) : read_functional(reader, config);
}

cuseq_status graph_read_model(struct graph_reader *reader, const json_t *json, struct keras_model **model) {
  const char *class_name = json_string_value(json_object_get(json, "class_name"));
  if (class_name == NULL)
    return bad_config("the model has no class");
  if (!identity_is_model_class(class_name))
    return error_set(CUSEQ_STATUS_INVALID_MODEL,
                     "a model of the class %.80s, which only its author's code knows (needed a Functional or "
                     "Sequential model)",
                     class_name);
  bool own = json_object_get(json, "module") == NULL || identity_is_own_class(json);
  if (!own || !identity_is_model_class_of(reader->version, class_name))
    return error_set(
        CUSEQ_STATUS_INVALID_MODEL,
        "a model of a class of the author's own, %.80s, whose code the file lacks (needed keras.Model "
        "itself, made of the same inputs and outputs)",
        class_name);
  if (reader->depth > GRAPH_MAX_NESTING)
    return bad_config("models are nested too deep");
  *model = arena_allocate(reader->arena, sizeof **model);
  reader->names = json_object();
  reader->model = *model;
  if (*model == NULL || reader->names == NULL) {
    json_decref(reader->names);
    return error_out_of_memory();
  }
  cuseq_status status = read_into(reader, json, class_name);
  json_decref(reader->names);
  return status;
}

cuseq_status graph_parse(const json_t *config, const struct keras_version *version, struct arena *arena,
                         struct keras_model **model) {
  size_t layers = 0, calls = 0;
  struct graph_reader reader = {
      .arena = arena, .version = version, .layer_total = &layers, .call_total = &calls};
  return graph_read_model(&reader, config, model);
}
