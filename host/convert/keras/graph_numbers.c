/* Which call of a layer a reference means. All count a layer's calls from 0 in the order in which the file
 * has them, but:
 *
 *   Keras 2          counts the making of a model that is a layer as its first call, and does not write that
 *   Keras 3          does so in the model's list of outputs alone, for Functional models alone
 *   Keras 3.0, 3.1   have, in calls' arguments, also counted the calls that are not the model's: those of a
 *                    layer that was used before, as in a notebook whose cells run again
 *   Keras 3.2        writes every tensor of a layer that is called several times as that of its first call,
 *                    and cannot load such a file itself */
#include "convert/keras/graph_parse.h"
#include "error.h"

#include <stdlib.h>
#include <string.h>

struct place {
  struct graph_reference *reference;
};

struct references {
  struct place *list;
  size_t count, capacity; /* no list: they are counted only */
};

static void add(struct references *references, struct graph_reference *reference) {
  if (references->list != NULL && references->count < references->capacity)
    references->list[references->count].reference = reference;
  references->count++;
}

static void add_arguments(struct references *references, struct graph_argument *arguments, size_t count) {
  for (size_t i = 0; i < count; i++)
    if (arguments[i].kind == ARGUMENT_TENSOR)
      add(references, &arguments[i].reference);
    else if (arguments[i].kind == ARGUMENT_LIST)
      add_arguments(references, arguments[i].items, arguments[i].count);
}

static void add_all(struct references *references, const struct keras_model *model) {
  for (size_t i = 0; i < model->layer_count; i++)
    for (size_t k = 0; k < model->layers[i].call_count && model->layers[i].calls != NULL; k++)
      add_arguments(references, model->layers[i].calls[k].arguments, model->layers[i].calls[k].count);
}

/* All references in the arguments of calls. */
static cuseq_status collect(struct arena *arena, const struct keras_model *model,
                            struct references *references) {
  struct references counted = {0};
  add_all(&counted, model);
  *references = (struct references){.capacity = counted.count};
  references->list = arena_allocate(arena, (counted.count + 1) * sizeof *references->list);
  if (references->list == NULL)
    return error_out_of_memory();
  add_all(references, model);
  return CUSEQ_STATUS_OK;
}

/* The last call of a layer is always referred to, so its number tells whether its making was counted. */
static cuseq_status number_keras2(struct arena *arena, struct keras_model *model,
                                  const struct references *references) {
  int32_t *last = arena_allocate(arena, model->layer_count * sizeof *last);
  if (last == NULL)
    return error_out_of_memory();
  for (size_t i = 0; i < references->count + model->output_count; i++) {
    const struct graph_reference *reference =
        i < references->count ? references->list[i].reference : &model->outputs[i - references->count];
    int32_t *highest = &last[reference->layer->position];
    *highest = reference->call > *highest ? reference->call : *highest;
  }
  for (size_t i = 0; i < references->count + model->output_count; i++) {
    struct graph_reference *reference =
        i < references->count ? references->list[i].reference : &model->outputs[i - references->count];
    const struct keras_layer *layer = reference->layer;
    if (layer->inner != NULL && (size_t)last[layer->position] == layer->call_count)
      reference->call--;
  }
  return CUSEQ_STATUS_OK;
}

static int by_layer_and_call(const void *a, const void *b) {
  const struct graph_reference *one = ((const struct place *)a)->reference,
                               *other = ((const struct place *)b)->reference;
  if (one->layer->position != other->layer->position)
    return one->layer->position < other->layer->position ? -1 : 1;
  return (one->call > other->call) - (one->call < other->call);
}

static cuseq_status refuse_lost_calls(const struct graph_reader *reader, const struct keras_layer *layer) {
  return layer_refuse(
      layer,
      "it is called several times, and Keras %d.%d does not write which call is meant where (save "
      "the model with another version)",
      reader->version->major, reader->version->minor);
}

/* Where as many calls are referred to as a layer has, they are those, in their order; and where the numbers
 * have no gap there are no others before them. */
static cuseq_status number_by_order(const struct graph_reader *reader, struct references *references) {
  qsort(references->list, references->count, sizeof *references->list, by_layer_and_call);
  for (size_t first = 0, end; first < references->count; first = end) {
    const struct keras_layer *layer = references->list[first].reference->layer;
    int32_t before = -1, number = -1;
    for (end = first; end < references->count && references->list[end].reference->layer == layer; end++) {
      int32_t call = references->list[end].reference->call;
      number += end == first || call != before;
      references->list[end].reference->call = number;
      before = call;
    }
    if (before != number && (size_t)number + 1 != layer->call_count)
      return refuse_lost_calls(reader, layer);
  }
  return CUSEQ_STATUS_OK;
}

static cuseq_status number_keras3(const struct graph_reader *reader, struct references *references) {
  struct keras_model *model = reader->model;
  for (size_t i = 0; i < model->output_count; i++) {
    const struct keras_layer *layer = model->outputs[i].layer;
    if (layer->inner != NULL && strcmp(layer->node.class_name, "Sequential") != 0)
      model->outputs[i].call--;
  }
  if (reader->version->major > 3 || reader->version->minor > 2)
    return CUSEQ_STATUS_OK;
  if (reader->version->minor < 2)
    return number_by_order(reader, references);
  for (size_t i = 0; i < model->layer_count; i++)
    if (model->layers[i].call_count > 1)
      return refuse_lost_calls(reader, &model->layers[i]);
  return CUSEQ_STATUS_OK;
}

cuseq_status graph_number_calls(const struct graph_reader *reader) {
  struct references references;
  TRY(collect(reader->arena, reader->model, &references));
  if (reader->version->major < 3)
    return number_keras2(reader->arena, reader->model, &references);
  return number_keras3(reader, &references);
}
