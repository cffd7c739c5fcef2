/* What reads what in a structure, and how wide that is. What contradicts itself is refused here: keys say one
 * thing at a time, and this is where all of them are known. */
#include "model/structure_parse.h"

#include "error.h"

#include <stdio.h>

static bool has_part(const struct parts *parts, enum part part) {
  for (int32_t i = 0; i < parts->count; i++)
    if (parts->list[i] == part)
      return true;
  return false;
}

/* ---- what is read must be there ---- */

static cuseq_status part_check(const struct structure *structure, const char *where,
                               const struct parts *parts) {
  const struct decoder_structure *decoder = &structure->decoder;
  if (has_part(parts, PART_CONTEXT) && !structure->attention.present)
    return error_set(CUSEQ_STATUS_INVALID_MODEL,
                     "configuration: %s reads the \"context\", but there is no \"attention\"", where);
  if (has_part(parts, PART_ATTENTIONAL) && !decoder->attentional.present)
    return error_set(
        CUSEQ_STATUS_INVALID_MODEL,
        "configuration: %s reads the \"attentional\" vector, but there is no \"decoder.attentional\"", where);
  if (has_part(parts, PART_TOKEN) && decoder->feedback == FEEDBACK_NONE)
    return error_set(CUSEQ_STATUS_INVALID_MODEL,
                     "configuration: %s reads the \"token\", but \"decoder.feedback\" is \"none\"", where);
  if (has_part(parts, PART_GIVEN) && decoder->given_width == 0)
    return error_set(CUSEQ_STATUS_INVALID_MODEL,
                     "configuration: %s reads what is \"given\", but \"decoder.given\" does not say how many "
                     "numbers that are",
                     where);
  return CUSEQ_STATUS_OK;
}

/* Whether anything reads the context. */
static bool context_is_read(const struct structure *structure) {
  const struct decoder_structure *decoder = &structure->decoder;
  if (!decoder->present) {
    for (int32_t i = 0; i < structure->output.count; i++)
      for (int32_t r = 0; r < structure->output.heads[i].read_count; r++)
        if (structure->output.heads[i].reads[r].source == HEAD_CONTEXT)
          return true;
    return structure->output.count == 0;
  }
  for (int32_t l = 0; l < decoder->count; l++)
    if (decoder->layers[l].reads_context)
      return true;
  return has_part(&decoder->reads, PART_CONTEXT) ||
         (decoder->attentional.present && has_part(&decoder->attentional.parts, PART_CONTEXT)) ||
         has_part(&structure->output.heads[0].parts, PART_CONTEXT);
}

/* Whether anything reads the attentional vector. */
static bool attentional_is_read(const struct structure *structure) {
  return has_part(&structure->decoder.reads, PART_ATTENTIONAL) ||
         has_part(&structure->output.heads[0].parts, PART_ATTENTIONAL);
}

static cuseq_status reads_check(const struct structure *structure) {
  const struct decoder_structure *decoder = &structure->decoder;
  TRY(part_check(structure, "decoder.reads", &decoder->reads));
  TRY(part_check(structure, "output.parts", &structure->output.heads[0].parts));
  if (decoder->attentional.present) {
    TRY(part_check(structure, "decoder.attentional", &decoder->attentional.parts));
    if (!attentional_is_read(structure))
      return error_set(CUSEQ_STATUS_INVALID_MODEL,
                       "configuration: nothing reads \"decoder.attentional\" (needed in decoder.reads or "
                       "output.parts)");
  }
  if (decoder->given_width > 0 && !has_part(&decoder->reads, PART_GIVEN) &&
      !has_part(&structure->output.heads[0].parts, PART_GIVEN))
    return error_set(CUSEQ_STATUS_INVALID_MODEL,
                     "configuration: nothing reads \"decoder.given\" (needed \"given\" in decoder.reads or "
                     "output.parts)");
  for (int32_t l = 1; l < decoder->count; l++)
    if (decoder->layers[l].reads_context && !structure->attention.present)
      return error_set(CUSEQ_STATUS_INVALID_MODEL,
                       "configuration: decoder.layers.%d reads the context, but there is no \"attention\"",
                       (int)l);
  return CUSEQ_STATUS_OK;
}

/* ---- widths ---- */

static cuseq_status decoder_layers_resolve(struct structure *structure) {
  struct decoder_structure *decoder = &structure->decoder;
  int32_t below = structure_parts_width(structure, &decoder->reads);
  decoder->state_width = 0;
  for (int32_t l = 0; l < decoder->count; l++) {
    struct decoder_layer *layer = &decoder->layers[l];
    if (layer->residual && layer->cell.units != below)
      return error_set(
          CUSEQ_STATUS_INVALID_MODEL,
          "configuration: decoder.layers.%d.residual adds vectors of unequal widths (found %d below "
          "and %d units)",
          (int)l, (int)below, (int)layer->cell.units);
    layer->inputs = below + (layer->reads_context ? structure->attention.context_width : 0);
    layer->cell.inputs = layer->inputs;
    decoder->state_width += layer->cell.units;
    below = layer->cell.units;
  }
  return CUSEQ_STATUS_OK;
}

/* Probabilities that are fed back: a softmax's, and read as they are. */
static cuseq_status probabilities_check(const struct structure *structure) {
  const struct dense_chain *layers = &structure->output.heads[0].layers;
  const cuseq_activation last = layers->layers[layers->count - 1].activation;
  if (last != CUSEQ_ACTIVATION_SOFTMAX)
    return error_set(CUSEQ_STATUS_INVALID_MODEL,
                     "configuration: decoder.feedback is \"probabilities\", but the output is none (found "
                     "\"%s\", needed \"softmax\")",
                     word_of(words_last_activation, (int)last));
  if (structure->decoder.embedding_units > 0)
    return error_set(CUSEQ_STATUS_INVALID_MODEL,
                     "configuration: decoder.embedding is of tokens (found feedback \"probabilities\": the "
                     "vector is read itself)");
  return CUSEQ_STATUS_OK;
}

static cuseq_status tokens_resolve(struct structure *structure) {
  struct decoder_structure *decoder = &structure->decoder;
  decoder->tokens = structure->output.heads[0].units;
  const struct {
    const char *name;
    int32_t token;
  } tokens[] = {{"start_token", decoder->start_token}, {"end_token", decoder->end_token}};
  for (int i = 0; i < 2; i++)
    if (tokens[i].token >= decoder->tokens)
      return error_set(CUSEQ_STATUS_INVALID_MODEL,
                       "configuration: decoder.%s is out of range (found %d, needed 0 to %d)", tokens[i].name,
                       (int)tokens[i].token, (int)decoder->tokens - 1);
  if (decoder->feedback == FEEDBACK_OUTPUT && decoder->start_token < 0)
    return error_set(CUSEQ_STATUS_INVALID_MODEL,
                     "configuration: \"decoder\" has no \"start_token\" (feedback \"output\" needs it)");
  if (decoder->embedding_units > 0 && decoder->feedback == FEEDBACK_NONE)
    return error_set(CUSEQ_STATUS_INVALID_MODEL,
                     "configuration: decoder.embedding is of a token that nothing feeds back (found feedback "
                     "\"none\")");
  if (decoder->feedback == FEEDBACK_PROBABILITIES)
    TRY(probabilities_check(structure));
  if (decoder->embedding_is_encoders && decoder->tokens != structure->input.features)
    return error_set(
        CUSEQ_STATUS_INVALID_MODEL,
        "configuration: decoder.embedding is the encoder's, of other tokens (found %d in input.features "
        "and %d outputs)",
        (int)structure->input.features, (int)decoder->tokens);
  return CUSEQ_STATUS_OK;
}

static cuseq_status head_resolve(struct structure *structure, struct head *head) {
  if (head->source == HEAD_STEP) {
    head->inputs = structure_parts_width(structure, &head->parts);
    head->layers.layers[0].inputs = head->inputs;
  }
  const struct dense *last = &head->layers.layers[head->layers.count - 1];
  if (head->is_tied && last->inputs != structure->decoder.embedding_units)
    return error_set(
        CUSEQ_STATUS_INVALID_MODEL,
        "configuration: output.tied does not fit the embedding (found %d inputs of the last layer, "
        "needed %d)",
        (int)last->inputs, (int)structure->decoder.embedding_units);
  head->offset = structure->output.width;
  structure->output.width += head->units;
  return CUSEQ_STATUS_OK;
}

/* Key and query meet in an inner product, or side by side in a layer. `width`: of what attention looks at. */
static cuseq_status score_resolve(struct attention_structure *attention, int32_t width, const char *where) {
  const int32_t key = attention_key_width(attention, width), query = attention_query_width(attention);
  if (attention->score == CUSEQ_SCORE_DOT && key != query)
    return error_set(
        CUSEQ_STATUS_INVALID_MODEL,
        "configuration: %s.score \"dot\" needs vectors of one width (found keys of %d and a query of %d)",
        where, (int)key, (int)query);
  if (attention->score == CUSEQ_SCORE_CONCAT)
    attention->layers.layers[0].inputs = key + query;
  return CUSEQ_STATUS_OK;
}

static cuseq_status self_attentions_resolve(struct encoder_structure *encoder) {
  for (int32_t l = 0; l < encoder->count; l++) {
    const struct encoder_layer *layer = &encoder->layers[l];
    char where[64];
    snprintf(where, sizeof where, "encoder.layers.%d.self_attention", (int)l);
    if (layer->self_attention > 0)
      TRY(score_resolve(&encoder->self_attentions[layer->self_attention - 1], layer->merged_width, where));
  }
  return CUSEQ_STATUS_OK;
}

static cuseq_status attention_resolve(struct structure *structure) {
  struct attention_structure *attention = &structure->attention;
  if (attention->asks == ASKS_TOKEN && structure->decoder.present) {
    if (structure->decoder.feedback == FEEDBACK_NONE)
      return error_set(CUSEQ_STATUS_INVALID_MODEL,
                       "configuration: attention.asks is \"token\", but \"decoder.feedback\" is \"none\"");
    attention->query_inputs = structure_part_width(structure, PART_TOKEN);
    attention->query_map.inputs = attention->query_inputs;
  }
  TRY(score_resolve(attention, structure->encoder.width, "attention"));
  if (!context_is_read(structure))
    return error_set(CUSEQ_STATUS_INVALID_MODEL,
                     "configuration: nothing reads the context of \"attention\" (needed in decoder.reads, "
                     "decoder.attentional or output)");
  return CUSEQ_STATUS_OK;
}

/* All that has positions by number has as many. */
static cuseq_status times_check(const struct structure *structure) {
  const int32_t time = structure_time(structure);
  for (int32_t l = 0; l < structure->encoder.count; l++) {
    const int32_t positions = structure->encoder.layers[l].weighting.units;
    if (positions > 0 && positions != time)
      return error_set(CUSEQ_STATUS_INVALID_MODEL,
                       "configuration: encoder.layers.%d.weighting.positions does not fit (found %d, needed "
                       "%d, as the weighting of a layer in front of it)",
                       (int)l, (int)positions, (int)time);
  }
  for (int32_t i = 0; i < structure->output.count; i++)
    for (int32_t k = 0; k < structure->output.heads[i].read_count; k++) {
      const struct head_read *read = &structure->output.heads[i].reads[k];
      if (read->source == HEAD_POSITIONS && read->positions != time)
        return error_set(CUSEQ_STATUS_INVALID_MODEL,
                         "configuration: output head %d reads \"positions\" with a count that does not fit "
                         "(found %d, needed %d, as the rest of the model)",
                         (int)i, (int)read->positions, (int)time);
    }
  return CUSEQ_STATUS_OK;
}

/* What a step hands to the next. */
static void fed_resolve(struct structure *structure) {
  struct decoder_structure *decoder = &structure->decoder;
  bool carries = has_part(&decoder->reads, PART_CONTEXT);
  for (int32_t l = 1; l <= structure->attention.asked_layer && l < decoder->count; l++)
    carries |= decoder->layers[l].reads_context;
  if (has_part(&decoder->reads, PART_ATTENTIONAL))
    decoder->fed_attentional = decoder->attentional.dense.units;
  if (carries && structure->attention.asks == ASKS_CURRENT)
    decoder->fed_context = structure->attention.context_width;
  if (decoder->feedback == FEEDBACK_PROBABILITIES)
    decoder->fed_probabilities = decoder->tokens;
  decoder->fed_width = decoder->fed_attentional + decoder->fed_context + decoder->fed_probabilities;
}

cuseq_status structure_resolve(struct structure *structure) {
  struct decoder_structure *decoder = &structure->decoder;
  struct output_structure *output = &structure->output;
  if (output->count == 0 && (decoder->present || !structure->attention.present))
    return error_set(CUSEQ_STATUS_INVALID_MODEL, "configuration: there is no \"output\" (%s)",
                     decoder->present ? "\"decoder\" needs it" : "nor \"attention\" to do without it");
  TRY(self_attentions_resolve(&structure->encoder));
  TRY(times_check(structure));
  if (decoder->present) {
    TRY(reads_check(structure));
    TRY(tokens_resolve(structure));
  }
  if (structure->attention.present)
    TRY(attention_resolve(structure));
  if (decoder->present) {
    if (decoder->attentional.present)
      decoder->attentional.dense.inputs = structure_parts_width(structure, &decoder->attentional.parts);
    TRY(decoder_layers_resolve(structure));
    fed_resolve(structure);
  }
  output->width = 0;
  for (int32_t i = 0; i < output->count; i++)
    TRY(head_resolve(structure, &output->heads[i]));
  return CUSEQ_STATUS_OK;
}
