/* A model of version 2: a structure (model/structure.h), part by part; each part writes its object and its
 * tensors. */
#include "convert/recognise/emit.h"
#include "error.h"
#include "model/words.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *activation_word(cuseq_activation activation) {
  return word_of(words_last_activation, (int)activation);
}

/* ---- cells and dense layers ----------------------------------------------------------------------- */

cuseq_status emit_set_cell(json_t *json, const char *key, const struct recurrent_cell *cell, bool bias) {
  json_t *object;
  TRY(emit_object(json, key, &object));
  TRY(emit_set_word(object, "kind", word_of(words_cell_kind, (int)cell->kind)));
  TRY(emit_set_number(object, "units", cell->units));
  TRY(emit_set_word(object, "activation", activation_word(cell->activation)));
  TRY(emit_set_word(object, "recurrent_activation", activation_word(cell->recurrent_activation)));
  TRY(emit_set(object, "bias", json_boolean(bias)));
  if (cell->kind != CELL_GRU)
    return CUSEQ_STATUS_OK;
  TRY(emit_set_word(object, "reset", word_of(words_reset, cell->reset_after)));
  return cell->reset_after ? emit_set(object, "recurrent_bias", json_boolean(cell->recurrent_bias >= 0))
                           : CUSEQ_STATUS_OK;
}

cuseq_status emit_set_level(json_t *object, const struct level *level) {
  json_t *norm;
  TRY(emit_set_number(object, "units", level->map.columns));
  TRY(emit_set_word(object, "activation", activation_word(level->activation)));
  TRY(emit_set(object, "bias", json_boolean(affine_has_bias(&level->map))));
  if (level->norm.units == 0)
    return CUSEQ_STATUS_OK;
  TRY(emit_object(object, "norm", &norm));
  TRY(emit_set(norm, "epsilon", json_real(level->norm.epsilon)));
  if (level->norm.units == level->map.columns)
    return CUSEQ_STATUS_OK;
  TRY(emit_set_number(norm, "first", level->norm.first));
  return emit_set_number(norm, "units", level->norm.units);
}

/* A dense layer under a key, and its tensors. */
static cuseq_status set_dense(struct emitter *emitter, json_t *json, const char *key,
                              const struct level *level, const char *prefix) {
  json_t *object;
  TRY(emit_object(json, key, &object));
  TRY(emit_set_level(object, level));
  TRY(emit_norm(emitter, &level->norm, prefix));
  return emit_dense(emitter, &level->map, affine_has_bias(&level->map), prefix);
}

/* Dense layers as a list, and their tensors: prefix.N. */
static cuseq_status set_chain(struct emitter *emitter, json_t *json, struct chain *chain,
                              const char *prefix) {
  json_t *list = json_array();
  TRY(emit_set(json, "layers", list));
  for (int32_t i = 0; i < chain->count; i++) {
    char name[80];
    json_t *object;
    snprintf(name, sizeof name, "%s.%d", prefix, i);
    TRY(emit_item(list, &object));
    TRY(emit_set_level(object, &chain->levels[i]));
    TRY(emit_norm(emitter, &chain->levels[i].norm, name));
    TRY(emit_dense_taken(emitter, &chain->levels[i].map, affine_has_bias(&chain->levels[i].map), name));
  }
  return CUSEQ_STATUS_OK;
}

cuseq_status emit_set_parts(json_t *json, const char *key, const struct parts *parts) {
  json_t *list = json_array();
  TRY(emit_set(json, key, list));
  for (int32_t i = 0; i < parts->count; i++)
    if (json_array_append_new(list, json_string(word_of(words_part, (int)parts->list[i]))) != 0)
      return error_out_of_memory();
  return CUSEQ_STATUS_OK;
}

/* ---- states --------------------------------------------------------------------------------------- */

/* A cell state of a layer one of whose directions is a GRU is that of the other one. */
static cuseq_status set_directions(const struct emitter *emitter, json_t *json,
                                   const struct found_initial *initial) {
  const struct found_layer *layer = &emitter->model->encoder.layers[initial->layer];
  if (!initial->takes_c || layer->direction != LAYER_BIDIRECTIONAL || layer->final_c.count != 1)
    return CUSEQ_STATUS_OK;
  const bool forward = cell_has_c(encoder_cell(emitter->expressions, layer, 0)->kind);
  return emit_set_word(json, "directions",
                       word_of(words_initial_directions, forward ? INITIAL_FORWARD : INITIAL_BACKWARD));
}

cuseq_status emit_set_initial(struct emitter *emitter, json_t *json, const struct found_initial *initial,
                              const char *prefix) {
  if (initial->from == INITIAL_ZEROS)
    return emit_set_word(json, "from", "zeros");
  TRY(emit_set_word(json, "from", "encoder"));
  TRY(emit_set_number(json, "layer", initial->layer));
  TRY(emit_set_word(json, "state", initial->takes_c ? "c" : "h"));
  TRY(set_directions(emitter, json, initial));
  return initial->plain ? CUSEQ_STATUS_OK : set_dense(emitter, json, "dense", &initial->dense, prefix);
}

/* ---- attention ------------------------------------------------------------------------------------ */

/* The layers of score concat; where nobody asks, the first one has rows of zeros for the query. */
static cuseq_status set_layers(struct emitter *emitter, json_t *json, struct found_attention *attention,
                               const char *prefix) {
  char name[80];
  snprintf(name, sizeof name, "%s.layers", prefix);
  struct affine *first = &attention->layers.levels[0].map, padded = *first;
  if (attention->query.count > 0)
    return set_chain(emitter, json, &attention->layers, name);
  padded.rows += attention->query_width;
  size_t columns = (size_t)first->columns;
  padded.matrix = calloc((size_t)padded.rows * columns, sizeof *padded.matrix);
  if (padded.matrix == NULL)
    return error_out_of_memory();
  memcpy(padded.matrix, first->matrix, (size_t)first->rows * columns * sizeof *padded.matrix);
  free(first->matrix);
  *first = padded;
  return set_chain(emitter, json, &attention->layers, name);
}

static cuseq_status set_score(struct emitter *emitter, json_t *json, struct found_attention *attention,
                              const char *prefix) {
  bool bias;
  TRY(emit_set_word(json, "score", word_of(words_score, (int)attention->score)));
  switch (attention->score) {
  case CUSEQ_SCORE_CONCAT:
    return set_layers(emitter, json, attention, prefix);
  case CUSEQ_SCORE_GENERAL:
    return emit_general(emitter, attention, prefix);
  case CUSEQ_SCORE_DOT:
    return attention->scale != 1 ? emit_set(json, "scale", json_real(attention->scale)) : CUSEQ_STATUS_OK;
  case CUSEQ_SCORE_ADDITIVE:
    break;
  }
  TRY(emit_additive(emitter, attention, prefix, &bias));
  TRY(emit_set_number(json, "units", attention->layers.levels[0].map.columns));
  return emit_set(json, "bias", json_boolean(bias));
}

/* One of the maps in front of the energies, or of the values, where it is there. */
static cuseq_status set_map(struct emitter *emitter, json_t *json, bool has, const char *key,
                            const struct level *map, const char *prefix) {
  char name[80];
  snprintf(name, sizeof name, "%s.%s_map", prefix, key);
  return has ? set_dense(emitter, json, key, map, name) : CUSEQ_STATUS_OK;
}

/* What an attention and a layer's attention to itself have alike. */
static cuseq_status set_energies(struct emitter *emitter, json_t *json, struct found_attention *attention,
                                 const char *prefix) {
  TRY(set_score(emitter, json, attention, prefix));
  if (attention->heads > 1)
    TRY(emit_set_number(json, "heads", attention->heads));
  TRY(set_map(emitter, json, attention->has_key_map, "key", &attention->key_map, prefix));
  TRY(set_map(emitter, json, attention->has_value_map, "value", &attention->value_map, prefix));
  return set_map(emitter, json, attention->has_query_map, "query", &attention->query_map, prefix);
}

static cuseq_status set_attention(struct emitter *emitter) {
  struct found_attention *attention = &emitter->model->attention;
  json_t *json, *state;
  TRY(emit_object(emitter->json, "attention", &json));
  TRY(set_energies(emitter, json, attention, "attention"));
  if (emitter->model->decoder.present) {
    TRY(emit_set_word(json, "asks", word_of(words_asks, (int)attention->asks)));
    return attention->asks == ASKS_TOKEN ? CUSEQ_STATUS_OK
                                         : emit_set_number(json, "layer", attention->asked_layer);
  }
  TRY(emit_object(emitter->json, "state", &state));
  TRY(emit_set_number(state, "units", attention->query_width));
  return emit_set_initial(emitter, state, &attention->state, "state.initial");
}

/* ---- encoder -------------------------------------------------------------------------------------- */

static bool same_kind(const struct recurrent_cell *a, const struct recurrent_cell *b) {
  return a->kind == b->kind && a->units == b->units && a->activation == b->activation &&
         a->recurrent_activation == b->recurrent_activation && a->reset_after == b->reset_after &&
         (a->recurrent_bias >= 0) == (b->recurrent_bias >= 0);
}

/* The cells of a layer; two that are of one kind are said once, and then have both a bias or none. */
static cuseq_status set_cells(struct emitter *emitter, json_t *json, const struct found_layer *layer,
                              int32_t number) {
  const struct recurrent_cell *cells[2] = {encoder_cell(emitter->expressions, layer, 0),
                                           encoder_cell(emitter->expressions, layer, 1)};
  bool both = layer->direction == LAYER_BIDIRECTIONAL, same = both && same_kind(cells[0], cells[1]);
  int first = layer->direction == LAYER_BACKWARD ? 1 : 0;
  bool bias[2] = {emit_has_bias(cells[0], &layer->front), emit_has_bias(cells[1], &layer->front)};
  if (same)
    bias[0] = bias[1] = bias[0] || bias[1];
  TRY(emit_set_cell(json, "cell", cells[first], bias[first]));
  if (both && !same)
    TRY(emit_set_cell(json, "backward_cell", cells[1], bias[1]));
  for (int d = first; d < (layer->direction == LAYER_FORWARD ? 1 : 2); d++) {
    char prefix[64];
    snprintf(prefix, sizeof prefix, "encoder.layers.%d.%s", number, d == 0 ? "forward" : "backward");
    TRY(emit_cell(emitter, cells[d], &layer->front, -1, bias[d], prefix));
  }
  return CUSEQ_STATUS_OK;
}

static cuseq_status set_self_attention(struct emitter *emitter, json_t *json, struct found_layer *layer,
                                       const char *prefix) {
  json_t *object;
  TRY(emit_object(json, "self_attention", &object));
  TRY(set_energies(emitter, object, &layer->self_attention, prefix));
  return layer->beside ? emit_set(object, "beside", json_true()) : CUSEQ_STATUS_OK;
}

static cuseq_status set_weighting(struct emitter *emitter, json_t *json, const struct found_layer *layer,
                                  const char *prefix) {
  const struct expression *e = expression_at(emitter->expressions, layer->weighted);
  json_t *object;
  TRY(emit_object(json, "weighting", &object));
  TRY(emit_set_number(object, "positions", emitter->expressions->matrices[e->matrix].rows));
  TRY(emit_set(object, "bias", json_boolean(e->bias >= 0)));
  TRY(emit_matrix(emitter, e->matrix, false, prefix, "kernel"));
  return e->bias >= 0 ? emit_matrix(emitter, e->bias, true, prefix, "bias") : CUSEQ_STATUS_OK;
}

static cuseq_status set_encoder(struct emitter *emitter) {
  struct found_encoder *encoder = &emitter->model->encoder;
  json_t *json, *list = json_array();
  TRY(emit_object(emitter->json, "encoder", &json));
  TRY(emit_set(json, "layers", list));
  for (int32_t i = 0; i < encoder->count; i++) {
    struct found_layer *layer = &encoder->layers[i];
    char prefix[64];
    json_t *object;
    TRY(emit_item(list, &object));
    TRY(set_cells(emitter, object, layer, i));
    TRY(emit_set_word(object, "direction", word_of(words_direction, (int)layer->direction)));
    if (layer->direction == LAYER_BIDIRECTIONAL)
      TRY(emit_set_word(object, "merge", word_of(words_merge, (int)layer->merge)));
    if (layer->residual)
      TRY(emit_set(object, "residual", json_true()));
    snprintf(prefix, sizeof prefix, "encoder.layers.%d.weighting", i);
    if (layer->weighted >= 0)
      TRY(set_weighting(emitter, object, layer, prefix));
    snprintf(prefix, sizeof prefix, "encoder.layers.%d.self_attention", i);
    if (layer->attends)
      TRY(set_self_attention(emitter, object, layer, prefix));
    snprintf(prefix, sizeof prefix, "encoder.layers.%d.dense", i);
    if (layer->has_dense)
      TRY(set_dense(emitter, object, "dense", &layer->dense, prefix));
  }
  return CUSEQ_STATUS_OK;
}

/* ---- output --------------------------------------------------------------------------------------- */

/* What a head of a model without a decoder reads: a word, or a list where that does not say it. */
static cuseq_status set_over(const struct emitter *emitter, json_t *json, const struct found_head *head) {
  const int32_t last = emitter->model->encoder.count - 1;
  json_t *list = json_array(), *object;
  bool plain = head->read_count == 1;
  for (int32_t i = 0; i < head->read_count; i++) {
    const struct found_read *read = &head->list[i];
    const char *word = word_of(words_head_source, (int)read->source);
    if (read->source == HEAD_POSITIONS) {
      plain = false;
      if (emit_item(list, &object) != CUSEQ_STATUS_OK ||
          emit_set_word(object, "over", word) != CUSEQ_STATUS_OK ||
          emit_set_number(object, "count", read->positions) != CUSEQ_STATUS_OK)
        break;
      continue;
    }
    if (read->source != HEAD_FINAL || (read->layer == last && !read->takes_c)) {
      if (json_array_append_new(list, json_string(word)) != 0)
        break;
      continue;
    }
    plain = false;
    if (emit_item(list, &object) != CUSEQ_STATUS_OK ||
        emit_set_word(object, "over", word) != CUSEQ_STATUS_OK ||
        emit_set_number(object, "layer", read->layer) != CUSEQ_STATUS_OK ||
        emit_set_word(object, "state", word_of(words_state, read->takes_c)) != CUSEQ_STATUS_OK)
      break;
  }
  if (json_array_size(list) != (size_t)head->read_count) {
    json_decref(list);
    return error_out_of_memory();
  }
  if (!plain)
    return emit_set(json, "over", list);
  json_decref(list);
  return emit_set_word(json, "over", word_of(words_head_source, (int)head->source));
}

static cuseq_status set_head(struct emitter *emitter, json_t *json, struct found_head *head, bool named,
                             const char *prefix) {
  if (named) {
    char name[32];
    snprintf(name, sizeof name, "%.31s", head->name);
    TRY(emit_set(json, "name", json_string_nocheck(name)));
  }
  if (head->source == HEAD_STEP) {
    TRY(emit_set_word(json, "over", word_of(words_head_source, HEAD_STEP)));
    TRY(emit_set_parts(json, "parts", &head->reads.parts));
  } else {
    TRY(set_over(emitter, json, head));
  }
  return set_chain(emitter, json, &head->layers, prefix);
}

static cuseq_status set_output(struct emitter *emitter) {
  struct recognised *model = emitter->model;
  json_t *json, *list, *object;
  if (model->head_count == 0)
    return CUSEQ_STATUS_OK;
  TRY(emit_object(emitter->json, "output", &json));
  if (model->head_count == 1)
    return set_head(emitter, json, &model->heads[0], false, "output.layers");
  list = json_array();
  TRY(emit_set(json, "heads", list));
  for (int32_t i = 0; i < model->head_count; i++) {
    char prefix[64];
    snprintf(prefix, sizeof prefix, "output.heads.%d.layers", i);
    TRY(emit_item(list, &object));
    TRY(set_head(emitter, object, &model->heads[i], true, prefix));
  }
  return CUSEQ_STATUS_OK;
}

cuseq_status emit_version2(struct emitter *emitter) {
  TRY(emit_set_number(emitter->json, "version", 2));
  TRY(emit_input(emitter));
  TRY(set_encoder(emitter));
  if (emitter->model->attention.present)
    TRY(set_attention(emitter));
  if (emitter->model->decoder.present)
    TRY(emit_decoder(emitter));
  return set_output(emitter);
}
