/* From a version 2 configuration to a structure: input, encoder, and the pieces that all parts are made
 * of. */
#include "model/structure_parse.h"

#include "error.h"

#include <stdio.h>
#include <string.h>

/* ---- pieces ---- */

/* The normalisation of a dense layer's sums, all of them or some that lie side by side. */
static cuseq_status parse_norm(const struct field_object *object, struct dense *dense) {
  static const char *const keys[] = {"epsilon", "first", "units", NULL};
  struct dense_norm *norm = &dense->norm;
  struct field_object child;
  if (!field_has(object, "norm"))
    return CUSEQ_STATUS_OK;
  TRY(field_object_get(object, "norm", &child));
  TRY(field_known_keys(&child, keys));
  TRY(field_float(&child, "epsilon", 0.0f, &norm->epsilon));
  if (!(norm->epsilon > 0.0f))
    return field_refuse(&child, "epsilon", "is missing, or not above 0");
  TRY(field_optional_integer(&child, "first", 0, dense->units - 1, 0, &norm->first));
  const int32_t most = dense->units - norm->first;
  return field_optional_integer(&child, "units", 1, most, most, &norm->units);
}

cuseq_status parse_dense(const struct field_object *object, int32_t inputs, const struct word *words,
                         bool norm, struct dense *dense) {
  static const char *const keys[] = {"units", "activation", "bias", "norm", NULL};
  int activation;
  TRY(field_known_keys(object, keys));
  if (!norm && field_has(object, "norm"))
    return field_refuse(object, "norm",
                        "belongs to the dense layer behind an encoder's layer, or to a layer of a head that "
                        "is not its last");
  TRY(field_integer(object, "units", 1, FIELD_MAX_WIDTH, &dense->units));
  TRY(field_word(object, "activation", words, CUSEQ_ACTIVATION_LINEAR, &activation));
  TRY(field_bool(object, "bias", true, &dense->has_bias));
  dense->activation = (cuseq_activation)activation;
  dense->inputs = inputs;
  return parse_norm(object, dense);
}

cuseq_status parse_optional_dense(const struct field_object *object, const char *key, int32_t inputs,
                                  bool norm, struct dense *dense) {
  struct field_object child;
  if (!field_has(object, key))
    return CUSEQ_STATUS_OK;
  TRY(field_object_get(object, key, &child));
  return parse_dense(&child, inputs, words_activation, norm, dense);
}

cuseq_status parse_dense_chain(const struct field_object *object, const char *key, int32_t high,
                               int32_t inputs, const struct word *last, bool norms,
                               struct dense_chain *chain) {
  size_t count;
  TRY(field_list(object, key, 1, (size_t)high, &count));
  for (size_t l = 0; l < count; l++) {
    struct field_object item = field_item(object, key, l);
    const bool is_last = l + 1 == count;
    TRY(parse_dense(&item, inputs, is_last ? last : words_activation, norms && !is_last, &chain->layers[l]));
    inputs = chain->layers[l].units;
  }
  chain->count = (int32_t)count;
  return CUSEQ_STATUS_OK;
}

cuseq_status parse_cell(const struct field_object *object, struct cell *cell) {
  static const char *const keys[] = {"kind", "units", "activation",     "recurrent_activation",
                                     "bias", "reset", "recurrent_bias", NULL};
  int kind, activation, recurrent, reset;
  TRY(field_known_keys(object, keys));
  TRY(field_word(object, "kind", words_cell_kind, -1, &kind));
  TRY(field_integer(object, "units", 1, FIELD_MAX_WIDTH, &cell->units));
  TRY(field_word(object, "activation", words_activation, CUSEQ_ACTIVATION_TANH, &activation));
  TRY(field_word(object, "recurrent_activation", words_activation, CUSEQ_ACTIVATION_SIGMOID, &recurrent));
  TRY(field_bool(object, "bias", true, &cell->has_bias));
  TRY(field_word(object, "reset", words_reset, 1, &reset));
  bool both = kind == CELL_GRU && reset == 1;
  TRY(field_bool(object, "recurrent_bias", both && cell->has_bias, &cell->has_recurrent_bias));
  cell->kind = (enum cell_kind)kind;
  cell->activation = (cuseq_activation)activation;
  cell->recurrent_activation = (cuseq_activation)recurrent;
  cell->reset_after = both;
  if (kind != CELL_GRU && field_has(object, "reset"))
    return field_refuse(object, "reset", "belongs to the kind \"gru\" (found with \"%s\")",
                        word_of(words_cell_kind, kind));
  if (cell->has_recurrent_bias && !both)
    return field_refuse(object, "recurrent_bias", "belongs to a gru with the reset \"after\"");
  return CUSEQ_STATUS_OK;
}

/* The words of a set of parts, for messages. */
static void parts_join(unsigned allowed, char *text, size_t capacity) {
  size_t used = 0;
  *text = '\0';
  for (const struct word *word = words_part; word->text && used < capacity; word++)
    if (allowed >> word->value & 1)
      used += (size_t)snprintf(text + used, capacity - used, "%s%s", used > 0 ? ", " : "", word->text);
}

cuseq_status parse_parts(const struct field_object *object, const char *key, unsigned allowed,
                         struct parts *parts) {
  size_t count;
  unsigned seen = 0;
  TRY(field_list(object, key, 1, STRUCTURE_MAX_PARTS, &count));
  const json_t *list = json_object_get(object->json, key);
  for (size_t i = 0; i < count; i++) {
    const char *text = json_string_value(json_array_get(list, i));
    int part = 0;
    if (!word_find(words_part, text, &part) || !(allowed >> part & 1)) {
      char known[64];
      parts_join(allowed, known, sizeof known);
      return field_refuse(object, key,
                          "has a part that does not belong there (found %s%.60s%s, needed of %s)",
                          text ? "\"" : "", text ? text : "no string", text ? "\"" : "", known);
    }
    if (seen >> part & 1)
      return field_refuse(object, key, "has a part twice (found \"%s\")", text);
    seen |= 1u << part;
    parts->list[i] = (enum part)part;
  }
  parts->count = (int32_t)count;
  return CUSEQ_STATUS_OK;
}

/* ---- input and encoder ---- */

static cuseq_status parse_lookup(const struct field_object *object, int32_t features, int32_t behind,
                                 struct input_lookup *lookup) {
  static const char *const keys[] = {"column", "columns", "ids", "units", NULL};
  TRY(field_known_keys(object, keys));
  TRY(field_integer(object, "column", behind, features - 1, &lookup->column));
  TRY(field_optional_integer(object, "columns", 1, features - lookup->column, 1, &lookup->columns));
  TRY(field_integer(object, "ids", 1, FIELD_MAX_WIDTH, &lookup->ids));
  return field_integer(object, "units", 1, FIELD_MAX_WIDTH, &lookup->units);
}

/* The columns of ids, one lookup behind the other, and the width that all columns come to. */
static cuseq_status parse_lookups(const struct field_object *object, struct input_structure *input) {
  size_t count;
  int64_t width = input->features;
  if (!field_has(object, "lookups"))
    return CUSEQ_STATUS_OK;
  if (input->has_affine || input->embedding_units > 0)
    return field_refuse(object, "lookups", "do not go with input.embedding and input.affine");
  TRY(field_list(object, "lookups", 1, STRUCTURE_MAX_LOOKUPS, &count));
  for (size_t i = 0; i < count; i++) {
    const struct field_object item = field_item(object, "lookups", i);
    struct input_lookup *lookup = &input->lookups[i];
    const int32_t behind = i > 0 ? lookup[-1].column + lookup[-1].columns : 0;
    if (behind >= input->features)
      return field_refuse(object, "lookups", "has more than the columns that there are");
    TRY(parse_lookup(&item, input->features, behind, lookup));
    width += (int64_t)lookup->columns * (lookup->units - 1);
  }
  if (width > FIELD_MAX_WIDTH)
    return field_refuse(object, "lookups", "make vectors of an absurd width (found %lld, at most %d)",
                        (long long)width, (int)FIELD_MAX_WIDTH);
  input->lookup_count = (int32_t)count;
  input->width = (int32_t)width;
  return CUSEQ_STATUS_OK;
}

/* What lies side by side in dense input, for those who make it: nothing else reads it. */
static cuseq_status parse_input_parts(const struct field_object *object, int32_t features) {
  static const char *const keys[] = {"name", "columns", "behind", "repeated", NULL};
  size_t count;
  int64_t columns = 0;
  if (!field_has(object, "parts"))
    return CUSEQ_STATUS_OK;
  TRY(field_list(object, "parts", 1, STRUCTURE_MAX_INPUT_PARTS, &count));
  for (size_t i = 0; i < count; i++) {
    const struct field_object item = field_item(object, "parts", i);
    int32_t width, behind;
    bool repeated;
    TRY(field_known_keys(&item, keys));
    if (!json_is_string(json_object_get(item.json, "name")))
      return field_refuse(&item, "name", "is needed, a text");
    TRY(field_integer(&item, "columns", 1, features, &width));
    TRY(field_optional_integer(&item, "behind", 0, FIELD_MAX_WIDTH, 0, &behind));
    TRY(field_bool(&item, "repeated", false, &repeated));
    if (repeated && behind > 0)
      return field_refuse(&item, "behind", "does not go with repeated");
    columns += width;
  }
  if (columns != features)
    return field_refuse(object, "parts", "have %lld columns together (needed %d, input.features)",
                        (long long)columns, (int)features);
  return CUSEQ_STATUS_OK;
}

static cuseq_status parse_input(const struct field_object *object, struct input_structure *input) {
  static const char *const keys[] = {"features", "embedding", "affine", "lookups", "parts", NULL};
  TRY(field_known_keys(object, keys));
  TRY(field_integer(object, "features", 1, FIELD_MAX_WIDTH, &input->features));
  TRY(field_optional_integer(object, "embedding", 1, FIELD_MAX_WIDTH, 0, &input->embedding_units));
  TRY(field_bool(object, "affine", false, &input->has_affine));
  if (input->has_affine && input->embedding_units > 0)
    return field_refuse(object, "affine", "does not go with an embedding (fold it into its rows)");
  input->width = input->embedding_units > 0 ? input->embedding_units : input->features;
  TRY(parse_input_parts(object, input->features));
  return parse_lookups(object, input);
}

/* The cells of a layer, each of the direction that it has. */
static cuseq_status parse_layer_cells(const struct field_object *object, struct encoder_layer *layer) {
  struct field_object cell;
  TRY(field_object_get(object, "cell", &cell));
  TRY(parse_cell(&cell, &layer->cells[0]));
  layer->cells[1] = layer->cells[0];
  if (field_has(object, "backward_cell")) {
    if (layer->direction != LAYER_BIDIRECTIONAL)
      return field_refuse(object, "backward_cell",
                          "belongs to the direction \"bidirectional\" (found \"%s\")",
                          word_of(words_direction, layer->direction));
    TRY(field_object_get(object, "backward_cell", &cell));
    TRY(parse_cell(&cell, &layer->cells[1]));
  }
  layer->cells[0].inputs = layer->cells[1].inputs = layer->inputs;
  return CUSEQ_STATUS_OK;
}

/* The weights of positions, as a dense layer from all of them to all of them. */
static cuseq_status parse_weighting(const struct field_object *object, struct dense *weighting) {
  static const char *const keys[] = {"positions", "bias", NULL};
  struct field_object child;
  if (!field_has(object, "weighting"))
    return CUSEQ_STATUS_OK;
  TRY(field_object_get(object, "weighting", &child));
  TRY(field_known_keys(&child, keys));
  TRY(field_integer(&child, "positions", 1, FIELD_MAX_WIDTH, &weighting->units));
  TRY(field_bool(&child, "bias", true, &weighting->has_bias));
  weighting->inputs = weighting->units;
  return CUSEQ_STATUS_OK;
}

static cuseq_status parse_layer(const struct field_object *object, struct encoder_structure *encoder,
                                struct encoder_layer *layer) {
  static const char *const keys[] = {"cell",      "backward_cell",  "direction", "merge", "residual",
                                     "weighting", "self_attention", "dense",     NULL};
  int direction, merge;
  TRY(field_known_keys(object, keys));
  TRY(field_word(object, "direction", words_direction, LAYER_FORWARD, &direction));
  TRY(field_word(object, "merge", words_merge, CUSEQ_MERGE_CONCAT, &merge));
  TRY(field_bool(object, "residual", false, &layer->residual));
  layer->direction = (enum layer_direction)direction;
  layer->merge = (cuseq_merge)merge;
  if (field_has(object, "merge") && direction != LAYER_BIDIRECTIONAL)
    return field_refuse(object, "merge", "has nothing to merge (found \"%s\" with direction \"%s\")",
                        word_of(words_merge, merge), word_of(words_direction, direction));
  TRY(parse_layer_cells(object, layer));
  int32_t forward = layer->cells[0].units, backward = layer->cells[1].units;
  if (direction == LAYER_BIDIRECTIONAL && merge != CUSEQ_MERGE_CONCAT && forward != backward)
    return field_refuse(object, "merge", "needs directions of one width (found %d and %d units)",
                        (int)forward, (int)backward);
  bool beside = direction == LAYER_BIDIRECTIONAL && merge == CUSEQ_MERGE_CONCAT;
  layer->merged_width = beside ? forward + backward : forward;
  if (layer->residual && layer->merged_width != layer->inputs)
    return field_refuse(object, "residual", "adds vectors of unequal widths (found %d read and %d given)",
                        (int)layer->inputs, (int)layer->merged_width);
  TRY(parse_weighting(object, &layer->weighting));
  TRY(parse_self_attention(object, encoder, layer));
  layer->width = layer->joined_width;
  TRY(parse_optional_dense(object, "dense", layer->joined_width, true, &layer->dense));
  if (layer->dense.units > 0)
    layer->width = layer->dense.units;
  return CUSEQ_STATUS_OK;
}

static cuseq_status parse_encoder(const struct field_object *object, int32_t inputs, bool affine,
                                  struct encoder_structure *encoder) {
  static const char *const keys[] = {"layers", NULL};
  size_t count;
  TRY(field_known_keys(object, keys));
  TRY(field_list(object, "layers", 1, STRUCTURE_MAX_ENCODER_LAYERS, &count));
  for (size_t l = 0; l < count; l++) {
    struct field_object item = field_item(object, "layers", l);
    struct encoder_layer *layer = &encoder->layers[l];
    layer->inputs = inputs;
    TRY(parse_layer(&item, encoder, layer));
    if (l == 0 && layer->residual && affine)
      return field_refuse(&item, "residual",
                          "does not go with input.affine (the sum would take the features as they were)");
    inputs = layer->width;
  }
  encoder->count = (int32_t)count;
  encoder->width = inputs;
  return CUSEQ_STATUS_OK;
}

/* ---- the whole ---- */

/* The state that asks in a model without a decoder. */
static cuseq_status parse_asking(const struct field_object *root, struct structure *structure) {
  struct asking_structure *asking = &structure->asking;
  struct field_object object;
  const struct encoder_layer *last = &structure->encoder.layers[structure->encoder.count - 1];
  asking->present = true;
  asking->units = structure_final_width(last, INITIAL_CONCAT);
  asking->initial = (struct initial_structure){
      .from = INITIAL_ENCODER, .encoder_layer = structure->encoder.count - 1, .inputs = asking->units};
  if (!field_has(root, "state"))
    return CUSEQ_STATUS_OK;
  TRY(field_object_get(root, "state", &object));
  TRY(field_optional_integer(&object, "units", 1, FIELD_MAX_WIDTH, 0, &asking->units));
  TRY(parse_initial(&object, structure, false, false, asking->units, &asking->initial));
  const struct initial_structure *initial = &asking->initial;
  if (initial->from == INITIAL_ZEROS && asking->units == 0)
    return field_refuse(&object, "units", "is not there (a state from \"zeros\" needs it)");
  if (initial->from == INITIAL_ENCODER)
    asking->units = initial->dense.units > 0 ? initial->dense.units : initial->inputs;
  return CUSEQ_STATUS_OK;
}

cuseq_status structure_parse(const json_t *json, struct structure *structure) {
  static const char *const keys[] = {"version", "input", "encoder",    "attention", "decoder",
                                     "output",  "state", "vocabulary", NULL};
  const struct field_object root = field_root(json);
  struct field_object object;
  *structure = (struct structure){0};
  TRY(field_known_keys(&root, keys));
  TRY(field_object_get(&root, "input", &object));
  TRY(parse_input(&object, &structure->input));
  TRY(field_object_get(&root, "encoder", &object));
  TRY(parse_encoder(&object, structure->input.width, structure->input.has_affine, &structure->encoder));
  bool decodes = field_has(&root, "decoder"), attends = field_has(&root, "attention");
  if (decodes) {
    TRY(field_object_get(&root, "decoder", &object));
    TRY(parse_decoder(&object, structure));
  }
  if (field_has(&root, "state") && (decodes || !attends))
    return field_refuse(&root, "state", "belongs to a model with attention and without a decoder");
  if (attends && !decodes)
    TRY(parse_asking(&root, structure));
  if (attends) {
    TRY(field_object_get(&root, "attention", &object));
    TRY(parse_attention(&object, structure));
  }
  if (field_has(&root, "output")) {
    TRY(field_object_get(&root, "output", &object));
    TRY(parse_output(&object, structure));
  }
  return structure_resolve(structure);
}
