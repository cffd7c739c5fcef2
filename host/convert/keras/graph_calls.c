/* A layer's calls. Keras 2 writes a call as a list of [layer, call, tensor, keywords], one for each input;
 * Keras 3 as {"args": [...], "kwargs": {...}} with tensors as {"class_name": "__keras_tensor__", "config":
 * {"keras_history": [layer, call, tensor]}}. */
#include "convert/keras/graph_parse.h"
#include "error.h"

#include <stdlib.h>
#include <string.h>

enum { MAX_LIST_NESTING = 4, MAX_REFERENCES = 100000 };

static cuseq_status bad_call(const struct keras_layer *layer) {
  return error_set(CUSEQ_STATUS_INVALID_FILE,
                   "the model's configuration is damaged (how layer '%.120s' is called)", layer->node.name);
}

static bool looks_like_reference(const json_t *json) {
  return json_array_size(json) >= 3 && json_is_string(json_array_get(json, 0)) &&
         json_is_integer(json_array_get(json, 1)) && json_is_integer(json_array_get(json, 2));
}

static bool is_constant_value(const json_t *json) {
  const char *name = json_string_value(json_array_get(json, 0));
  return name != NULL && strcmp(name, "_CONSTANT_VALUE") == 0;
}

/* Finds the layer; whether the call and the tensor exist is seen when they are asked for. */
static cuseq_status read_reference(struct graph_reader *reader, const json_t *json,
                                   struct graph_reference *reference) {
  if (!looks_like_reference(json))
    return error_set(CUSEQ_STATUS_INVALID_FILE,
                     "the model's configuration is damaged (a tensor without a layer)");
  const char *name = json_string_value(json_array_get(json, 0));
  const json_t *index = json_object_get(reader->names, name);
  if (index == NULL)
    return error_set(CUSEQ_STATUS_INVALID_FILE, "the model's configuration is damaged (no layer '%.120s')",
                     name);
  json_int_t call = json_integer_value(json_array_get(json, 1));
  json_int_t tensor = json_integer_value(json_array_get(json, 2));
  if (call < 0 || call > GRAPH_MAX_CALLS || tensor < 0 || tensor > 1000)
    return error_set(CUSEQ_STATUS_INVALID_FILE,
                     "the model's configuration is damaged (a tensor of layer '%.120s')", name);
  struct keras_layer *layer = &reader->model->layers[json_integer_value(index)];
  *reference = (struct graph_reference){layer, (int32_t)call, (int32_t)tensor};
  return CUSEQ_STATUS_OK;
}

static cuseq_status read_argument(struct graph_reader *reader, const struct keras_layer *layer,
                                  const json_t *json, bool keras3, int depth,
                                  struct graph_argument *argument);

static cuseq_status read_list(struct graph_reader *reader, const struct keras_layer *layer,
                              const json_t *json, bool keras3, int depth, struct graph_argument *argument) {
  size_t count = json_array_size(json);
  argument->items = arena_allocate(reader->arena, (count + 1) * sizeof *argument->items);
  if (argument->items == NULL)
    return error_out_of_memory();
  bool tensors = false;
  for (size_t i = 0; i < count; i++) {
    TRY(read_argument(reader, layer, json_array_get(json, i), keras3, depth + 1, &argument->items[i]));
    tensors = tensors || argument->items[i].kind != ARGUMENT_CONSTANT;
  }
  argument->count = count;
  argument->kind = tensors ? ARGUMENT_LIST : ARGUMENT_CONSTANT;
  return CUSEQ_STATUS_OK;
}

static cuseq_status read_argument(struct graph_reader *reader, const struct keras_layer *layer,
                                  const json_t *json, bool keras3, int depth,
                                  struct graph_argument *argument) {
  argument->constant = json;
  if (depth > MAX_LIST_NESTING)
    return bad_call(layer);
  const char *class_name = keras3 ? json_string_value(json_object_get(json, "class_name")) : NULL;
  if (class_name != NULL && strcmp(class_name, "__keras_tensor__") == 0) {
    argument->kind = ARGUMENT_TENSOR;
    const json_t *history = json_object_get(json_object_get(json, "config"), "keras_history");
    return read_reference(reader, history, &argument->reference);
  }
  if (!keras3 && looks_like_reference(json) && !is_constant_value(json)) {
    argument->kind = ARGUMENT_TENSOR;
    return read_reference(reader, json, &argument->reference);
  }
  if (json_is_array(json) && !(!keras3 && is_constant_value(json)))
    return read_list(reader, layer, json, keras3, depth, argument);
  if (!keras3 && is_constant_value(json))
    argument->constant = json_array_get(json, 2);
  argument->kind = ARGUMENT_CONSTANT;
  return CUSEQ_STATUS_OK;
}

static cuseq_status read_keywords(struct graph_reader *reader, const struct keras_layer *layer,
                                  const json_t *json, bool keras3, struct graph_argument *arguments,
                                  size_t *count) {
  const char *key;
  json_t *value;
  json_object_foreach((json_t *)json, key, value) {
    struct graph_argument *argument = &arguments[(*count)++];
    TRY(read_argument(reader, layer, value, keras3, 0, argument));
    argument->key = key;
  }
  return CUSEQ_STATUS_OK;
}

static cuseq_status read_keras3_call(struct graph_reader *reader, const json_t *node,
                                     const struct keras_layer *layer, struct graph_call *call) {
  const json_t *positional = json_object_get(node, "args");
  const json_t *keywords = json_object_get(node, "kwargs");
  if (!json_is_array(positional) || (keywords != NULL && !json_is_object(keywords)))
    return bad_call(layer);
  size_t capacity = json_array_size(positional) + json_object_size(keywords) + 1;
  call->arguments = arena_allocate(reader->arena, capacity * sizeof *call->arguments);
  if (call->arguments == NULL)
    return error_out_of_memory();
  for (size_t i = 0; i < json_array_size(positional); i++)
    TRY(read_argument(reader, layer, json_array_get(positional, i), true, 0,
                      &call->arguments[call->count++]));
  return read_keywords(reader, layer, keywords, true, call->arguments, &call->count);
}

static cuseq_status read_keras2_call(struct graph_reader *reader, const json_t *node,
                                     const struct keras_layer *layer, struct graph_call *call) {
  bool single = json_is_string(json_array_get(node, 0));
  const json_t *first = single ? node : json_array_get(node, 0);
  const json_t *keywords = json_array_get(first, 3);
  if (!json_is_array(first) || (keywords != NULL && !json_is_object(keywords)))
    return bad_call(layer);
  call->arguments = arena_allocate(reader->arena, (json_object_size(keywords) + 1) * sizeof *call->arguments);
  if (call->arguments == NULL)
    return error_out_of_memory();
  bool alone = single || json_array_size(node) == 1;
  TRY(read_argument(reader, layer, alone ? first : node, false, 0, &call->arguments[call->count++]));
  return read_keywords(reader, layer, keywords, false, call->arguments, &call->count);
}

cuseq_status graph_read_calls(struct graph_reader *reader, const json_t *nodes, struct keras_layer *layer) {
  size_t count = json_array_size(nodes);
  if (nodes != NULL && !json_is_array(nodes))
    return bad_call(layer);
  bool source = count == 0 && strcmp(layer->node.class_name, "InputLayer") == 0;
  *reader->call_total += count;
  if (*reader->call_total > GRAPH_MAX_CALLS)
    return error_set(CUSEQ_STATUS_INVALID_FILE,
                     "the model's configuration is damaged (too many calls of layers)");
  layer->calls = arena_allocate(reader->arena, (count + 1) * sizeof *layer->calls);
  if (layer->calls == NULL)
    return error_out_of_memory();
  layer->call_count = source ? 1 : count;
  for (size_t i = 0; i < count; i++) {
    const json_t *node = json_array_get(nodes, i);
    if (json_is_object(node))
      TRY(read_keras3_call(reader, node, layer, &layer->calls[i]));
    else if (json_array_size(node) > 0)
      TRY(read_keras2_call(reader, node, layer, &layer->calls[i]));
    else
      return bad_call(layer);
  }
  return CUSEQ_STATUS_OK;
}

static size_t count_references(const json_t *json, int depth) {
  if (depth > MAX_LIST_NESTING || looks_like_reference(json))
    return 1;
  size_t count = 0;
  for (size_t i = 0; i < json_array_size(json); i++)
    count += count_references(json_array_get(json, i), depth + 1);
  const char *key;
  json_t *value;
  json_object_foreach((json_t *)json, key, value) count += count_references(value, depth + 1);
  return count;
}

static int compare_keys(const void *a, const void *b) {
  return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static cuseq_status add_references(struct graph_reader *reader, const json_t *json, int depth,
                                   struct graph_reference *references, size_t *count);

/* Of a dictionary: Keras has its entries in the order of their keys. */
static cuseq_status add_entries(struct graph_reader *reader, const json_t *json, int depth,
                                struct graph_reference *references, size_t *count) {
  size_t keys = 0;
  const char **sorted = arena_allocate(reader->arena, (json_object_size(json) + 1) * sizeof(const char *));
  if (sorted == NULL)
    return error_out_of_memory();
  const char *key;
  json_t *value;
  json_object_foreach((json_t *)json, key, value) sorted[keys++] = key;
  qsort(sorted, keys, sizeof *sorted, compare_keys);
  for (size_t i = 0; i < keys; i++)
    TRY(add_references(reader, json_object_get(json, sorted[i]), depth + 1, references, count));
  return CUSEQ_STATUS_OK;
}

static cuseq_status add_references(struct graph_reader *reader, const json_t *json, int depth,
                                   struct graph_reference *references, size_t *count) {
  if (depth > MAX_LIST_NESTING || looks_like_reference(json))
    return read_reference(reader, json, &references[(*count)++]);
  for (size_t i = 0; i < json_array_size(json); i++)
    TRY(add_references(reader, json_array_get(json, i), depth + 1, references, count));
  return json_is_object(json) ? add_entries(reader, json, depth, references, count) : CUSEQ_STATUS_OK;
}

cuseq_status graph_read_references(struct graph_reader *reader, const json_t *json,
                                   struct graph_reference **references, size_t *count) {
  size_t total = count_references(json, 0);
  if (total > MAX_REFERENCES)
    return error_set(CUSEQ_STATUS_INVALID_FILE,
                     "the model's configuration is damaged (too many inputs or outputs)");
  *references = arena_allocate(reader->arena, (total + 1) * sizeof **references);
  if (*references == NULL)
    return error_out_of_memory();
  *count = 0;
  return add_references(reader, json, 0, *references, count);
}
