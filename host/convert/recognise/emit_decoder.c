/* A decoder of a model of version 2: its object and its tensors. */
#include "convert/recognise/emit.h"
#include "error.h"
#include "model/words.h"

#include <stdio.h>

/* ---- decoder -------------------------------------------------------------------------------------- */

static cuseq_status set_decoder_layer(struct emitter *emitter, json_t *json, int32_t number) {
  const struct found_decoder_layer *layer = &emitter->model->decoder.layers[number];
  const struct recurrent_cell *cell = &emitter->expressions->cells[layer->cell_index];
  char prefix[64], initial[80];
  json_t *state;
  bool bias = emit_has_bias(cell, &layer->input);
  snprintf(prefix, sizeof prefix, "decoder.layers.%d", number);
  TRY(emit_set_cell(json, "cell", cell, bias));
  TRY(emit_cell(emitter, cell, &layer->input, -1, bias, prefix));
  if (layer->residual)
    TRY(emit_set(json, "residual", json_true()));
  if (layer->reads_context)
    TRY(emit_set(json, "reads_context", json_true()));
  TRY(emit_object(json, "initial_h", &state));
  snprintf(initial, sizeof initial, "%s.initial_h", prefix);
  TRY(emit_set_initial(emitter, state, &layer->initial_h, initial));
  if (layer->c < 0)
    return CUSEQ_STATUS_OK;
  TRY(emit_object(json, "initial_c", &state));
  snprintf(initial, sizeof initial, "%s.initial_c", prefix);
  return emit_set_initial(emitter, state, &layer->initial_c, initial);
}

/* The token's embedding has a row for each output: more rows are of tokens that cannot be given. */
static cuseq_status set_token(struct emitter *emitter, json_t *json) {
  const struct found_decoder *decoder = &emitter->model->decoder;
  const struct chain *head = &emitter->model->heads[0].layers;
  int32_t outputs = head->levels[head->count - 1].map.columns;
  const struct expression *token = expression_at(emitter->expressions, decoder->token);
  const struct matrix *table =
      decoder->embedding >= 0 ? &emitter->expressions->matrices[decoder->embedding] : NULL;
  int32_t tokens = table != NULL ? table->rows : token->width;
  const struct slot *slot = step_slot(&decoder->step, decoder->token_slot);
  cuseq_activation last = head->levels[head->count - 1].activation;
  bool classes = last == CUSEQ_ACTIVATION_SOFTMAX || last == CUSEQ_ACTIVATION_LOG_SOFTMAX;
  bool one_hot = table == NULL || expression_at(emitter->expressions, decoder->token_slot)->width > 1;
  if (one_hot && (tokens != outputs || (slot->next < 0 && !classes)))
    return node_refuse(
        token->node,
        "each step of the decoder is given %d numbers of it, which are no one-hot tokens of the model's "
        "%d outputs (cuseq's decoders read tokens)",
        tokens, outputs);
  if (tokens < outputs)
    return node_refuse(token->node, "it is of %d tokens and the model has %d outputs (needed as many)",
                       tokens, outputs);
  if (decoder->start_token >= outputs)
    return error_set(CUSEQ_STATUS_INVALID_MODEL, "the start token is out of range (found %d, needed 0 to %d)",
                     decoder->start_token, outputs - 1);
  if (table == NULL)
    return CUSEQ_STATUS_OK;
  if (decoder->embedding == emitter->model->encoder.embedding && tokens == outputs)
    return emit_set_word(json, "embedding", "encoder");
  TRY(emit_set_number(json, "embedding", table->columns));
  return emit_table(emitter, decoder->embedding, outputs, "decoder.embedding");
}

/* A decoder that reads nothing but its states: it is given its last token, one number wide and always
 * zero. */
static cuseq_status set_nothing_read(struct emitter *emitter, json_t *json) {
  const struct chain *head = &emitter->model->heads[0].layers;
  struct parts token = {.count = 1, .list = {PART_TOKEN}};
  float *data;
  TRY(emit_set_parts(json, "reads", &token));
  TRY(emit_set_word(json, "feedback", "output"));
  TRY(emit_set_number(json, "start_token", 0));
  TRY(emit_set_number(json, "embedding", 1));
  TRY(emit_tensor(emitter, head->levels[head->count - 1].map.columns, 1, &data, "decoder.embedding"));
  return emit_set_number(json, "steps", emitter->model->decoder.steps);
}

cuseq_status emit_decoder(struct emitter *emitter) {
  const struct found_decoder *decoder = &emitter->model->decoder;
  json_t *json, *list = json_array(), *object;
  TRY(emit_object(emitter->json, "decoder", &json));
  TRY(emit_set(json, "layers", list));
  for (int32_t i = 0; i < decoder->count; i++) {
    TRY(emit_item(list, &object));
    TRY(set_decoder_layer(emitter, object, i));
  }
  if (decoder->given.count > 0)
    TRY(emit_set_number(json, "given", decoder->given_width));
  if (decoder->reads.parts.count == 0)
    return set_nothing_read(emitter, json);
  TRY(emit_set_parts(json, "reads", &decoder->reads.parts));
  TRY(emit_set_word(json, "feedback", word_of(words_feedback, (int)decoder->feedback)));
  if (decoder->token >= 0)
    TRY(set_token(emitter, json));
  if (decoder->start_token >= 0)
    TRY(emit_set_number(json, "start_token", decoder->start_token));
  if (decoder->end_token >= 0)
    TRY(emit_set_number(json, "end_token", decoder->end_token));
  TRY(emit_set_number(json, "steps", decoder->steps));
  if (!decoder->has_attentional)
    return CUSEQ_STATUS_OK;
  TRY(emit_object(json, "attentional", &object));
  TRY(emit_set_parts(object, "parts", &decoder->attentional_parts.parts));
  TRY(emit_set_level(object, &decoder->attentional));
  return emit_dense(emitter, &decoder->attentional.map, affine_has_bias(&decoder->attentional.map),
                    "decoder.attentional");
}
