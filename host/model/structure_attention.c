/* Attention in a version 2 configuration. */
#include "model/structure_parse.h"

#include "error.h"

/* Who asks, and how wide that is. */
static cuseq_status parse_asks(const struct field_object *object, struct structure *structure) {
  struct attention_structure *attention = &structure->attention;
  const struct decoder_structure *decoder = &structure->decoder;
  int asks;
  TRY(field_word(object, "asks", words_asks, ASKS_PREVIOUS, &asks));
  attention->asks = (enum attention_asks)asks;
  attention->asked_layer = -1;
  if (!decoder->present) {
    if (asks != ASKS_PREVIOUS || field_has(object, "layer"))
      return field_refuse(object, asks != ASKS_PREVIOUS ? "asks" : "layer", "needs a decoder (found none)");
    attention->query_inputs = structure->asking.units;
    return CUSEQ_STATUS_OK;
  }
  if (asks == ASKS_TOKEN) {
    if (field_has(object, "layer"))
      return field_refuse(object, "layer", "does not go with asks \"token\"");
    attention->query_inputs = -1; /* the token's width: structure_resolve */
    return CUSEQ_STATUS_OK;
  }
  TRY(field_optional_integer(object, "layer", 0, decoder->count - 1, decoder->count - 1,
                             &attention->asked_layer));
  attention->query_inputs = decoder->layers[attention->asked_layer].cell.units;
  return CUSEQ_STATUS_OK;
}

static cuseq_status parse_score(const struct field_object *object, struct attention_structure *attention) {
  int score;
  TRY(field_word(object, "score", words_score, -1, &score));
  attention->score = (cuseq_score)score;
  const struct {
    const char *key;
    cuseq_score score;
  } own[] = {{"layers", CUSEQ_SCORE_CONCAT}, {"units", CUSEQ_SCORE_ADDITIVE}, {"bias", CUSEQ_SCORE_ADDITIVE}};
  for (int i = 0; i < 3; i++)
    if (field_has(object, own[i].key) && attention->score != own[i].score)
      return field_refuse(object, own[i].key, "belongs to the score \"%s\" (found \"%s\")",
                          word_of(words_score, own[i].score), word_of(words_score, score));
  if (score == CUSEQ_SCORE_ADDITIVE) {
    TRY(field_integer(object, "units", 1, FIELD_MAX_WIDTH, &attention->units));
    return field_bool(object, "bias", false, &attention->has_bias);
  }
  if (score != CUSEQ_SCORE_CONCAT)
    return CUSEQ_STATUS_OK;
  TRY(parse_dense_chain(object, "layers", CUSEQ_MAX_ATTENTION_LAYERS, 0, words_activation, false,
                        &attention->layers));
  int32_t units = attention->layers.layers[attention->layers.count - 1].units;
  return units == 1
             ? CUSEQ_STATUS_OK
             : field_refuse(object, "layers", "end in the energy (found %d units, needed 1)", (int)units);
}

/* What every attention has, over vectors of `width`; who asks is known. */
static cuseq_status parse_any(const struct field_object *object, int32_t width,
                              struct attention_structure *attention) {
  attention->present = true;
  attention->heads = 1;
  TRY(parse_score(object, attention));
  TRY(field_float(object, "scale", 1.0f, &attention->scale));
  TRY(parse_optional_dense(object, "key", width, false, &attention->key_map));
  TRY(parse_optional_dense(object, "value", width, false, &attention->value_map));
  TRY(parse_optional_dense(object, "query", attention->query_inputs, false, &attention->query_map));
  attention->context_width = attention->value_map.units > 0 ? attention->value_map.units : width;
  return CUSEQ_STATUS_OK;
}

/* Into how many parts keys, queries and values are cut. A query whose width is not known yet is as wide as
 * the keys. */
static cuseq_status parse_heads(const struct field_object *object, int32_t width,
                                struct attention_structure *attention) {
  TRY(field_optional_integer(object, "heads", 1, FIELD_MAX_WIDTH, 1, &attention->heads));
  if (attention->heads > 1 && attention->score != CUSEQ_SCORE_DOT)
    return field_refuse(object, "heads", "belong to the score \"dot\" (found %d with \"%s\")",
                        (int)attention->heads, word_of(words_score, attention->score));
  const struct {
    const char *name;
    int32_t width;
  } cut[] = {{"keys", attention_key_width(attention, width)},
             {"queries", attention_query_width(attention)},
             {"values", attention->context_width}};
  for (int i = 0; i < 3; i++)
    if (cut[i].width > 0 && cut[i].width % attention->heads != 0)
      return field_refuse(object, "heads", "do not divide the %s (found %d heads of %d units)", cut[i].name,
                          (int)attention->heads, (int)cut[i].width);
  return CUSEQ_STATUS_OK;
}

cuseq_status parse_attention(const struct field_object *object, struct structure *structure) {
  static const char *const keys[] = {"score", "asks",  "layer", "scale", "units",     "bias", "layers",
                                     "key",   "value", "query", "heads", "positions", NULL};
  struct attention_structure *attention = &structure->attention;
  TRY(field_known_keys(object, keys));
  TRY(parse_asks(object, structure));
  TRY(parse_any(object, structure->encoder.width, attention));
  TRY(parse_heads(object, structure->encoder.width, attention));
  return field_optional_integer(object, "positions", 1, FIELD_MAX_WIDTH, 0, &attention->positions);
}

cuseq_status parse_self_attention(const struct field_object *object, struct encoder_structure *encoder,
                                  struct encoder_layer *layer) {
  static const char *const keys[] = {"score", "scale", "units", "bias",   "layers", "key",
                                     "value", "query", "heads", "beside", NULL};
  const int32_t width = layer->merged_width;
  struct field_object child;
  layer->joined_width = width;
  if (!field_has(object, "self_attention"))
    return CUSEQ_STATUS_OK;
  if (encoder->self_attention_count == STRUCTURE_MAX_SELF_ATTENTIONS)
    return field_refuse(object, "self_attention", "is one too many (at most %d layers have one)",
                        (int)STRUCTURE_MAX_SELF_ATTENTIONS);
  TRY(field_object_get(object, "self_attention", &child));
  TRY(field_known_keys(&child, keys));
  struct attention_structure *attention = &encoder->self_attentions[encoder->self_attention_count++];
  attention->query_inputs = width;
  attention->asked_layer = -1;
  TRY(parse_any(&child, width, attention));
  TRY(parse_heads(&child, width, attention));
  TRY(field_bool(&child, "beside", false, &layer->beside));
  layer->self_attention = encoder->self_attention_count;
  layer->joined_width = attention->context_width + (layer->beside ? width : 0);
  return CUSEQ_STATUS_OK;
}
