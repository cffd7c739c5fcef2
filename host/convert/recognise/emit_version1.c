/* A model of version 1: LSTM layers that are all alike, attention that looks before a decoder of one LSTM. */
#include "convert/recognise/emit.h"
#include "error.h"
#include "model/words.h"

#include <stdio.h>

/* ---- what version 1 can say ----------------------------------------------------------------------- */

static bool cell_fits(const struct recurrent_cell *cell) {
  bool gates = cell->recurrent_activation == CUSEQ_ACTIVATION_SIGMOID ||
               cell->recurrent_activation == CUSEQ_ACTIVATION_HARD_SIGMOID ||
               cell->recurrent_activation == CUSEQ_ACTIVATION_HARD_SIGMOID_KERAS2;
  return cell->kind == CELL_LSTM && gates &&
         (cell->activation == CUSEQ_ACTIVATION_TANH || cell->activation == CUSEQ_ACTIVATION_RELU ||
          cell->activation == CUSEQ_ACTIVATION_LINEAR);
}

static bool level_fits(const struct level *level) {
  return level->activation == CUSEQ_ACTIVATION_TANH || level->activation == CUSEQ_ACTIVATION_RELU ||
         level->activation == CUSEQ_ACTIVATION_SIGMOID || level->activation == CUSEQ_ACTIVATION_LINEAR;
}

static bool encoder_fits(const struct emitter *emitter) {
  const struct found_encoder *encoder = &emitter->model->encoder;
  const struct found_layer *first = &encoder->layers[0];
  const struct recurrent_cell *like = encoder_cell(emitter->expressions, first, 0);
  bool fits = first->direction != LAYER_BACKWARD;
  for (int32_t i = 0; fits && i < encoder->count; i++) {
    const struct found_layer *layer = &encoder->layers[i];
    fits = layer->direction == first->direction && !layer->residual && !layer->attends &&
           layer->weighted < 0 && !layer->has_dense &&
           (layer->direction == LAYER_FORWARD || layer->merge == first->merge);
    for (int d = 0; fits && d < (layer->direction == LAYER_BIDIRECTIONAL ? 2 : 1); d++) {
      const struct recurrent_cell *cell = encoder_cell(emitter->expressions, layer, d);
      fits = cell_fits(cell) && cell->units == like->units && cell->activation == like->activation &&
             cell->recurrent_activation == like->recurrent_activation;
    }
  }
  return fits;
}

static bool attention_fits(const struct found_attention *attention) {
  bool fits = attention->present && attention->heads <= 1 && attention->asks == ASKS_PREVIOUS &&
              !attention->has_key_map && !attention->has_value_map && !attention->has_query_map &&
              attention->query.count > 0;
  for (int32_t i = 0; fits && attention->score == CUSEQ_SCORE_CONCAT && i < attention->layers.count; i++)
    fits = level_fits(&attention->layers.levels[i]);
  return fits;
}

/* Of the last layer, the same kind of state. */
static bool initial_fits(const struct emitter *emitter, const struct found_initial *initial, bool is_c) {
  return initial->from == INITIAL_ZEROS ||
         (initial->layer == emitter->model->encoder.count - 1 && initial->takes_c == is_c &&
          (initial->plain || level_fits(&initial->dense)));
}

/* Both states begin in one way; one that is zeros or plain may be written as a dense layer beside one that
 * is. */
static bool states_fit(const struct found_initial *h, const struct found_initial *c) {
  bool zeros_h = h->from == INITIAL_ZEROS, zeros_c = c->from == INITIAL_ZEROS;
  if (zeros_h && zeros_c)
    return true;
  if (zeros_h || zeros_c) {
    const struct found_initial *other = zeros_h ? c : h;
    return other->dense.activation != CUSEQ_ACTIVATION_SIGMOID;
  }
  return h->dense.activation == c->dense.activation;
}

static bool decoder_fits(const struct emitter *emitter) {
  const struct recognised *model = emitter->model;
  const struct found_decoder *decoder = &model->decoder;
  const struct found_decoder_layer *layer = &decoder->layers[0];
  const struct found_head *head = &model->heads[0];
  return decoder->count == 1 && cell_fits(&emitter->expressions->cells[layer->cell_index]) &&
         decoder->reads.parts.count == 1 && decoder->reads.parts.list[0] == PART_CONTEXT &&
         decoder->feedback == FEEDBACK_NONE && !decoder->has_attentional &&
         initial_fits(emitter, &layer->initial_h, false) && initial_fits(emitter, &layer->initial_c, true) &&
         states_fit(&layer->initial_h, &layer->initial_c) && head->reads.parts.count == 1 &&
         head->reads.parts.list[0] == PART_STATE && head->layers.count == 1 &&
         (head->layers.levels[0].activation == CUSEQ_ACTIVATION_SOFTMAX ||
          head->layers.levels[0].activation == CUSEQ_ACTIVATION_LINEAR);
}

bool emit_fits_version1(const struct emitter *emitter) {
  const struct recognised *model = emitter->model;
  if (emitter->lookups != NULL || emitter->parts != NULL || !encoder_fits(emitter) ||
      !attention_fits(&model->attention))
    return false;
  return model->decoder.present
             ? decoder_fits(emitter)
             : model->head_count == 0 && initial_fits(emitter, &model->attention.state, false);
}

/* ---- tensors -------------------------------------------------------------------------------------- */

static cuseq_status emit_attention_tensors(struct emitter *emitter) {
  const struct found_attention *attention = &emitter->model->attention;
  bool bias;
  if (attention->score == CUSEQ_SCORE_ADDITIVE)
    return emit_additive(emitter, &emitter->model->attention, "attention", &bias);
  if (attention->score == CUSEQ_SCORE_GENERAL)
    return emit_general(emitter, &emitter->model->attention, "attention");
  for (int32_t i = 0; i < attention->layers.count; i++) {
    char prefix[64];
    snprintf(prefix, sizeof prefix, "attention.layers.%d", i);
    TRY(emit_dense(emitter, &attention->layers.levels[i].map, true, prefix));
  }
  return CUSEQ_STATUS_OK;
}

/* The word for how the states begin. */
static cuseq_initial_state states_kind(const struct found_initial *h, const struct found_initial *c) {
  bool zeros_h = h->from == INITIAL_ZEROS, zeros_c = c == NULL || c->from == INITIAL_ZEROS;
  if (zeros_h && zeros_c)
    return CUSEQ_INITIAL_STATE_ZEROS;
  if (h->plain && (c == NULL || c->plain))
    return CUSEQ_INITIAL_STATE_ENCODER;
  return CUSEQ_INITIAL_STATE_DENSE;
}

/* A state as a dense layer: one that begins with zeros becomes one of zeros. */
static cuseq_status emit_state(struct emitter *emitter, const struct found_initial *initial, int32_t inputs,
                               int32_t units, const char *prefix) {
  float *data;
  if (initial->from != INITIAL_ZEROS)
    return emit_dense(emitter, &initial->dense.map, true, prefix);
  TRY(emit_tensor(emitter, inputs, units, &data, "%s.kernel", prefix));
  return emit_tensor(emitter, units, 0, &data, "%s.bias", prefix);
}

static int32_t final_width(const struct emitter *emitter) {
  const struct found_layer *last = &emitter->model->encoder.layers[emitter->model->encoder.count - 1];
  int32_t units = encoder_cell(emitter->expressions, last, 0)->units;
  return last->direction == LAYER_BIDIRECTIONAL ? 2 * units : units;
}

static cuseq_status emit_tensors(struct emitter *emitter) {
  struct recognised *model = emitter->model;
  const struct found_encoder *encoder = &model->encoder;
  const struct found_decoder_layer *layer = &model->decoder.layers[0];
  const struct found_initial *h = model->decoder.present ? &layer->initial_h : &model->attention.state;
  const struct found_initial *c = model->decoder.present ? &layer->initial_c : NULL;
  int32_t units = model->attention.query_width, inputs = final_width(emitter);
  for (int32_t i = 0; i < encoder->count; i++)
    for (int d = 0; d < (encoder->layers[i].direction == LAYER_BIDIRECTIONAL ? 2 : 1); d++) {
      char prefix[64];
      snprintf(prefix, sizeof prefix, "encoder.layers.%d.%s", i, d == 0 ? "forward" : "backward");
      TRY(emit_cell(emitter, encoder_cell(emitter->expressions, &encoder->layers[i], d),
                    &encoder->layers[i].front, i == 0 ? encoder->embedding : -1, true, prefix));
    }
  TRY(emit_attention_tensors(emitter));
  bool dense = states_kind(h, c) == CUSEQ_INITIAL_STATE_DENSE;
  if (dense)
    TRY(emit_state(emitter, h, inputs, units, "initial.h"));
  if (!model->decoder.present)
    return CUSEQ_STATUS_OK;
  if (dense)
    TRY(emit_state(emitter, c, inputs, units, "initial.c"));
  TRY(emit_cell(emitter, &emitter->expressions->cells[layer->cell_index], &layer->input, -1, true,
                "decoder"));
  return emit_dense_taken(emitter, &model->heads[0].layers.levels[0].map, true, "output");
}

/* ---- configuration -------------------------------------------------------------------------------- */

static const char *activation_word(cuseq_activation activation) {
  return word_of(words_last_activation, (int)activation);
}

static cuseq_status set_encoder(struct emitter *emitter) {
  const struct found_encoder *encoder = &emitter->model->encoder;
  const struct found_layer *first = &encoder->layers[0];
  const struct recurrent_cell *cell = encoder_cell(emitter->expressions, first, 0);
  const struct matrix *table =
      encoder->embedding >= 0 ? &emitter->expressions->matrices[encoder->embedding] : NULL;
  bool both = first->direction == LAYER_BIDIRECTIONAL;
  json_t *json;
  TRY(emit_object(emitter->json, "encoder", &json));
  TRY(emit_set_number(json, "features", table != NULL ? table->rows : first->front.rows));
  TRY(emit_set_number(json, "units", cell->units));
  TRY(emit_set_number(json, "layers", encoder->count));
  TRY(emit_set_word(json, "direction", both ? "bidirectional" : "forward"));
  if (both)
    TRY(emit_set_word(json, "merge", word_of(words_merge, (int)first->merge)));
  TRY(emit_set_word(json, "activation", activation_word(cell->activation)));
  return emit_set_word(json, "recurrent_activation", activation_word(cell->recurrent_activation));
}

static cuseq_status set_attention(struct emitter *emitter) {
  const struct found_attention *attention = &emitter->model->attention;
  json_t *json;
  TRY(emit_object(emitter->json, "attention", &json));
  TRY(emit_set_word(json, "score", word_of(words_score, (int)attention->score)));
  if (attention->score == CUSEQ_SCORE_DOT && attention->scale != 1)
    TRY(emit_set(json, "scale", json_real(attention->scale)));
  if (attention->score != CUSEQ_SCORE_CONCAT)
    return CUSEQ_STATUS_OK;
  json_t *layers = json_array();
  TRY(emit_set(json, "layers", layers));
  for (int32_t i = 0; i < attention->layers.count; i++) {
    const struct level *level = &attention->layers.levels[i];
    json_t *layer;
    TRY(emit_item(layers, &layer));
    TRY(emit_set_number(layer, "units", level->map.columns));
    TRY(emit_set_word(layer, "activation", activation_word(level->activation)));
  }
  return CUSEQ_STATUS_OK;
}

static cuseq_status set_states(struct emitter *emitter, const struct found_initial *h,
                               const struct found_initial *c, json_t *json) {
  static const char *const kinds[] = {"zeros", "encoder", "dense"};
  cuseq_initial_state kind = states_kind(h, c);
  const struct found_initial *said = h->from == INITIAL_ZEROS && c != NULL ? c : h;
  TRY(emit_set_number(json, "units", emitter->model->attention.query_width));
  TRY(emit_set_word(json, "initial_state", kinds[kind]));
  if (kind == CUSEQ_INITIAL_STATE_DENSE)
    TRY(emit_set_word(json, "initial_activation", activation_word(said->dense.activation)));
  return CUSEQ_STATUS_OK;
}

static cuseq_status set_decoder(struct emitter *emitter) {
  const struct found_decoder *decoder = &emitter->model->decoder;
  const struct found_decoder_layer *layer = &decoder->layers[0];
  const struct recurrent_cell *cell = &emitter->expressions->cells[layer->cell_index];
  const struct level *output = &emitter->model->heads[0].layers.levels[0];
  json_t *json, *head;
  TRY(emit_object(emitter->json, "output", &head));
  TRY(emit_object(emitter->json, "decoder", &json));
  TRY(set_states(emitter, &layer->initial_h, &layer->initial_c, json));
  TRY(emit_set_number(json, "steps", decoder->steps));
  TRY(emit_set_word(json, "feedback", "none"));
  TRY(emit_set_word(json, "activation", activation_word(cell->activation)));
  TRY(emit_set_word(json, "recurrent_activation", activation_word(cell->recurrent_activation)));
  TRY(emit_set_number(head, "units", output->map.columns));
  return emit_set_word(head, "activation", activation_word(output->activation));
}

cuseq_status emit_version1(struct emitter *emitter) {
  json_t *state;
  TRY(emit_set_number(emitter->json, "version", 1));
  TRY(set_encoder(emitter));
  TRY(set_attention(emitter));
  if (emitter->model->decoder.present) {
    TRY(set_decoder(emitter));
  } else {
    TRY(emit_object(emitter->json, "state", &state));
    TRY(set_states(emitter, &emitter->model->attention.state, NULL, state));
  }
  return emit_tensors(emitter);
}
