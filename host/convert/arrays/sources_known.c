#include "convert/arrays/sources_known.h"

#include "error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static struct known_source *add(struct known_sources *list, enum source_kind kind, bool needed,
                                const char *format, ...) __attribute__((format(printf, 4, 5)));
static struct known_source *add(struct known_sources *list, enum source_kind kind, bool needed,
                                const char *format, ...) {
  struct known_source *known = &list->entries[list->count++];
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(known->key, sizeof known->key, format, arguments);
  va_end(arguments);
  known->kind = kind;
  known->needed = needed;
  return known;
}

static void add_norm(struct known_sources *list, const struct dense *dense, const char *key) {
  if (dense->norm.units == 0)
    return;
  add(list, SOURCE_VECTOR, true, "%s.norm.scale", key);
  add(list, SOURCE_VECTOR, true, "%s.norm.offset", key);
}

static void add_dense(struct known_sources *list, const struct dense *dense, const char *key) {
  if (dense->units > 0)
    add(list, SOURCE_DENSE, true, "%s", key);
  add_norm(list, dense, key);
}

static void add_attention(struct known_sources *list, const struct attention_structure *attention,
                          const char *key) {
  const struct {
    const struct dense *dense;
    const char *name;
  } maps[] = {{&attention->key_map, "key_map"},
              {&attention->value_map, "value_map"},
              {&attention->query_map, "query_map"}};
  if (!attention->present)
    return;
  for (int i = 0; i < 3; i++)
    if (maps[i].dense->units > 0)
      add(list, SOURCE_DENSE, true, "%s.%s", key, maps[i].name);
  for (int l = 0; l < attention->layers.count; l++)
    add(list, SOURCE_DENSE, true, "%s.layers.%d", key, l)->joins = l == 0;
  if (attention->score == CUSEQ_SCORE_GENERAL)
    add(list, SOURCE_MATRIX, true, "%s.general", key)->joins = true;
  if (attention->score == CUSEQ_SCORE_ADDITIVE) {
    add(list, SOURCE_DENSE, true, "%s.key", key);
    add(list, SOURCE_DENSE, true, "%s.query", key)->zeros = true;
    add(list, SOURCE_VECTOR, true, "%s.value", key);
    if (attention->has_bias)
      add(list, SOURCE_VECTOR, false, "%s.bias", key);
  }
  if (attention->positions > 0)
    add(list, SOURCE_VECTOR, true, "%s.position_bias", key);
}

/* An attention whose three maps may be one array. */
static void add_projected(struct known_sources *list, const struct attention_structure *attention,
                          const char *key) {
  const size_t first = list->count;
  add_attention(list, attention, key);
  if (attention->key_map.units == 0 || attention->value_map.units == 0 || attention->query_map.units == 0)
    return;
  for (size_t i = first; i < first + 3; i++)
    list->entries[i].projected = true;
  add(list, SOURCE_PROJECTIONS, false, "%s", key);
}

/* The weights of a layer's positions, what it asks itself, and the dense layer behind. */
static void add_layer_rest(struct known_sources *list, const struct encoder_structure *encoder, int l) {
  const struct encoder_layer *layer = &encoder->layers[l];
  const struct attention_structure *attention = encoder_self_attention(encoder, layer);
  char key[NAMES_KEY_CAPACITY];
  snprintf(key, sizeof key, "encoder.layers.%d.weighting", l);
  add_dense(list, &layer->weighting, key);
  if (attention != NULL) {
    snprintf(key, sizeof key, "encoder.layers.%d.self_attention", l);
    add_projected(list, attention, key);
  }
  snprintf(key, sizeof key, "encoder.layers.%d.dense", l);
  const size_t dense = list->count;
  add_dense(list, &layer->dense, key);
  if (layer->dense.units > 0)
    list->entries[dense].residual = layer->beside && layer->dense.units == layer->merged_width;
}

static void add_encoder(struct known_sources *list, const struct structure *structure) {
  static const char *const sides[] = {"forward", "backward"};
  const struct encoder_structure *encoder = &structure->encoder;
  if (structure->input.embedding_units > 0)
    add(list, SOURCE_TABLE, true, "input.embedding");
  if (structure->input.has_affine) {
    add(list, SOURCE_VECTOR, true, "input.scale");
    add(list, SOURCE_VECTOR, true, "input.offset");
  }
  add(list, SOURCE_CELLS, false, "encoder")->lstm = encoder->layers[0].cells[0].kind == CELL_LSTM;
  for (int l = 0; l < encoder->count; l++) {
    const struct encoder_layer *layer = &encoder->layers[l];
    add(list, SOURCE_CELLS, false, "encoder.layers.%d", l)->lstm =
        layer->cells[layer->direction == LAYER_BACKWARD].kind == CELL_LSTM;
    for (int d = 0; d < 2; d++)
      if (encoder_layer_has(layer, d))
        add(list, SOURCE_CELLS, false, "encoder.layers.%d.%s", l, sides[d])->lstm =
            layer->cells[d].kind == CELL_LSTM;
    add_layer_rest(list, encoder, l);
  }
}

static void add_decoder(struct known_sources *list, const struct structure *structure) {
  const struct decoder_structure *decoder = &structure->decoder;
  add_dense(list, &structure->asking.initial.dense, "state.initial");
  if (!decoder->present)
    return;
  add(list, SOURCE_CELLS, false, "decoder")->lstm = decoder->layers[0].cell.kind == CELL_LSTM;
  for (int l = 0; l < decoder->count; l++) {
    char key[NAMES_KEY_CAPACITY];
    add(list, SOURCE_CELLS, false, "decoder.layers.%d", l)->lstm = decoder->layers[l].cell.kind == CELL_LSTM;
    snprintf(key, sizeof key, "decoder.layers.%d.initial_h", l);
    add_dense(list, &decoder->layers[l].initial_h.dense, key);
    snprintf(key, sizeof key, "decoder.layers.%d.initial_c", l);
    add_dense(list, &decoder->layers[l].initial_c.dense, key);
  }
  if (decoder->embedding_units > 0)
    add(list, SOURCE_TABLE, !decoder->embedding_is_encoders, "decoder.embedding");
  add_dense(list, &decoder->attentional.dense, "decoder.attentional");
}

static void add_output(struct known_sources *list, const struct output_structure *output) {
  for (int i = 0; i < output->count; i++)
    for (int l = 0; l < output->heads[i].layers.count; l++) {
      const struct head *head = &output->heads[i];
      bool needed = !head->is_tied || l + 1 < head->layers.count || head->layers.layers[l].has_bias;
      char key[NAMES_KEY_CAPACITY];
      if (output->count == 1)
        snprintf(key, sizeof key, "output.layers.%d", l);
      else
        snprintf(key, sizeof key, "output.heads.%d.layers.%d", i, l);
      add(list, SOURCE_DENSE, needed, "%s", key);
      add_norm(list, &head->layers.layers[l], key);
    }
}

const struct known_source *known_sources_find(const struct known_sources *list, const char *key) {
  for (size_t i = 0; i < list->count; i++)
    if (strcmp(list->entries[i].key, key) == 0)
      return &list->entries[i];
  return NULL;
}

cuseq_status known_sources_unknown(const struct known_sources *list, const char *key) {
  char has[640] = "";
  for (size_t i = 0; i < list->count; i++) {
    size_t used = strlen(has);
    const char *name = list->entries[i].key;
    if (strncmp(name, "encoder.layers.", 15) != 0 || strstr(name, ".dense") != NULL ||
        strstr(name, ".weighting") != NULL || strstr(name, ".self_attention") != NULL)
      snprintf(has + used, sizeof has - used, "%s, ", name);
  }
  return error_set(
      CUSEQ_STATUS_INVALID_ARGUMENT,
      "names: \"%.80s\" is nothing that this configuration has (it has %sencoder.layers.N and ignore)", key,
      has);
}

void known_sources_make(const struct structure *structure, struct known_sources *list) {
  add_encoder(list, structure);
  add_projected(list, &structure->attention, "attention");
  add_decoder(list, structure);
  add_output(list, &structure->output);
}
