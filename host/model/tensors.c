#include "model/tensors.h"

#include "error.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

/* The walk under way; after a failure to allocate it only counts. */
struct walk {
  struct tensor_list *list;
  bool failed;
};

void tensor_list_free(struct tensor_list *list) {
  free(list->entries);
  *list = (struct tensor_list){0};
}

static struct tensor_entry *entry_new(struct walk *walk) {
  struct tensor_list *list = walk->list;
  if (list->count == list->capacity && !walk->failed) {
    size_t capacity = list->capacity ? 2 * list->capacity : 32;
    struct tensor_entry *grown = realloc(list->entries, capacity * sizeof *grown);
    walk->failed = !grown;
    if (grown) {
      list->entries = grown;
      list->capacity = capacity;
    }
  }
  return walk->failed ? NULL : &list->entries[list->count++];
}

/* columns 0: a vector of `rows`. */
static void add(struct walk *walk, const float **view, int64_t rows, int64_t columns, const char *format, ...)
    __attribute__((format(printf, 5, 6)));
static void add(struct walk *walk, const float **view, int64_t rows, int64_t columns, const char *format,
                ...) {
  struct tensor_entry *entry = entry_new(walk);
  if (!entry)
    return;
  *entry = (struct tensor_entry){.rank = columns > 0 ? 2 : 1, .shape = {rows, columns}, .view = view};
  va_list list;
  va_start(list, format);
  vsnprintf(entry->name, sizeof entry->name, format, list);
  va_end(list);
}

/* prefix.bias, prefix.norm.scale and prefix.norm.offset: what a layer has beside its kernel. */
static void add_beside_kernel(struct walk *walk, struct dense *dense, const char *prefix) {
  if (dense->has_bias)
    add(walk, &dense->bias, dense->units, 0, "%s.bias", prefix);
  if (dense->norm.units == 0)
    return;
  add(walk, &dense->norm.scale, dense->norm.units, 0, "%s.norm.scale", prefix);
  add(walk, &dense->norm.offset, dense->norm.units, 0, "%s.norm.offset", prefix);
}

/* prefix.kernel and what is beside it; nothing where there is no layer. */
static void add_dense(struct walk *walk, struct dense *dense, const char *prefix) {
  if (dense->units == 0)
    return;
  add(walk, &dense->kernel, dense->inputs, dense->units, "%s.kernel", prefix);
  add_beside_kernel(walk, dense, prefix);
}

static void add_cell(struct walk *walk, struct cell *cell, const char *prefix) {
  int64_t width = (int64_t)cell_gates(cell->kind) * cell->units;
  add(walk, &cell->kernel, cell->inputs, width, "%s.kernel", prefix);
  add(walk, &cell->recurrent_kernel, cell->units, width, "%s.recurrent_kernel", prefix);
  if (cell->has_bias)
    add(walk, &cell->bias, width, 0, "%s.bias", prefix);
  if (cell->has_recurrent_bias)
    add(walk, &cell->recurrent_bias, width, 0, "%s.recurrent_bias", prefix);
}

/* The tensors of an attention over vectors of `width`. */
static void walk_attention(struct walk *walk, struct attention_structure *attention, int32_t width,
                           const char *name) {
  if (!attention->present)
    return;
  const int32_t key = attention_key_width(attention, width), query = attention_query_width(attention);
  const struct {
    struct dense *dense;
    const char *name;
  } maps[] = {{&attention->key_map, "key_map"},
              {&attention->value_map, "value_map"},
              {&attention->query_map, "query_map"}};
  char prefix[TENSOR_NAME_CAPACITY];
  for (int i = 0; i < 3; i++) {
    snprintf(prefix, sizeof prefix, "%s.%s", name, maps[i].name);
    add_dense(walk, maps[i].dense, prefix);
  }
  for (int32_t l = 0; l < attention->layers.count; l++) {
    snprintf(prefix, sizeof prefix, "%s.layers.%d", name, (int)l);
    add_dense(walk, &attention->layers.layers[l], prefix);
  }
  if (attention->score == CUSEQ_SCORE_GENERAL)
    add(walk, &attention->general, key, query, "%s.general", name);
  if (attention->score == CUSEQ_SCORE_ADDITIVE) {
    add(walk, &attention->additive_key, key, attention->units, "%s.key", name);
    add(walk, &attention->additive_query, query, attention->units, "%s.query", name);
    add(walk, &attention->additive_value, attention->units, 0, "%s.value", name);
    if (attention->has_bias)
      add(walk, &attention->additive_bias, attention->units, 0, "%s.bias", name);
  }
  if (attention->positions > 0)
    add(walk, &attention->position_bias, attention->positions, 0, "%s.position_bias", name);
}

static void walk_encoder(struct walk *walk, struct structure *structure) {
  struct input_structure *input = &structure->input;
  if (input->embedding_units > 0)
    add(walk, &input->embedding, input->features, input->embedding_units, "input.embedding");
  if (input->has_affine) {
    add(walk, &input->scale, input->features, 0, "input.scale");
    add(walk, &input->offset, input->features, 0, "input.offset");
  }
  for (int32_t i = 0; i < input->lookup_count; i++)
    add(walk, &input->lookups[i].table, input->lookups[i].ids, input->lookups[i].units,
        "input.lookups.%d.embedding", (int)i);
  for (int32_t l = 0; l < structure->encoder.count; l++) {
    static const char *const names[] = {"forward", "backward"};
    struct encoder_layer *layer = &structure->encoder.layers[l];
    char prefix[TENSOR_NAME_CAPACITY];
    for (int d = 0; d < 2; d++) {
      snprintf(prefix, sizeof prefix, "encoder.layers.%d.%s", (int)l, names[d]);
      if (encoder_layer_has(layer, d))
        add_cell(walk, &layer->cells[d], prefix);
    }
    snprintf(prefix, sizeof prefix, "encoder.layers.%d.weighting", (int)l);
    add_dense(walk, &layer->weighting, prefix);
    snprintf(prefix, sizeof prefix, "encoder.layers.%d.self_attention", (int)l);
    if (layer->self_attention > 0)
      walk_attention(walk, &structure->encoder.self_attentions[layer->self_attention - 1],
                     layer->merged_width, prefix);
    snprintf(prefix, sizeof prefix, "encoder.layers.%d.dense", (int)l);
    add_dense(walk, &layer->dense, prefix);
  }
}

/* Version 1 calls the states and cell of its one layer by other names. */
static void walk_decoder_layers(struct walk *walk, struct structure *structure, int32_t version) {
  struct decoder_structure *decoder = &structure->decoder;
  add_dense(walk, &structure->asking.initial.dense, version == 1 ? "initial.h" : "state.initial");
  for (int32_t l = 0; l < decoder->count; l++) {
    struct decoder_layer *layer = &decoder->layers[l];
    char prefix[40];
    snprintf(prefix, sizeof prefix, version == 1 ? "decoder" : "decoder.layers.%d", (int)l);
    if (version != 1)
      add_cell(walk, &layer->cell, prefix);
    snprintf(prefix, sizeof prefix, version == 1 ? "initial.h" : "decoder.layers.%d.initial_h", (int)l);
    add_dense(walk, &layer->initial_h.dense, prefix);
    snprintf(prefix, sizeof prefix, version == 1 ? "initial.c" : "decoder.layers.%d.initial_c", (int)l);
    add_dense(walk, &layer->initial_c.dense, prefix);
    if (version == 1)
      add_cell(walk, &layer->cell, "decoder");
  }
}

static void walk_output(struct walk *walk, struct structure *structure, int32_t version) {
  struct output_structure *output = &structure->output;
  for (int32_t i = 0; i < output->count; i++) {
    struct head *head = &output->heads[i];
    for (int32_t l = 0; l < head->layers.count; l++) {
      struct dense *dense = &head->layers.layers[l];
      char prefix[48];
      if (version == 1)
        snprintf(prefix, sizeof prefix, "output");
      else if (output->count == 1)
        snprintf(prefix, sizeof prefix, "output.layers.%d", (int)l);
      else
        snprintf(prefix, sizeof prefix, "output.heads.%d.layers.%d", (int)i, (int)l);
      if (!head->is_tied || l < head->layers.count - 1)
        add_dense(walk, dense, prefix);
      else
        add_beside_kernel(walk, dense, prefix);
    }
  }
}

cuseq_status tensor_list_make(struct structure *structure, int32_t version, struct tensor_list *list) {
  struct walk walk = {.list = list};
  struct decoder_structure *decoder = &structure->decoder;
  *list = (struct tensor_list){0};
  walk_encoder(&walk, structure);
  walk_attention(&walk, &structure->attention, structure->encoder.width, "attention");
  walk_decoder_layers(&walk, structure, version);
  if (decoder->embedding_units > 0 && !decoder->embedding_is_encoders)
    add(&walk, &decoder->embedding, decoder->tokens, decoder->embedding_units, "decoder.embedding");
  add_dense(&walk, &decoder->attentional.dense, "decoder.attentional");
  walk_output(&walk, structure, version);
  return walk.failed ? error_set(CUSEQ_STATUS_OUT_OF_MEMORY, "model: out of memory") : CUSEQ_STATUS_OK;
}
