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

cuseq_status parse_attention(const struct field_object *object, struct structure *structure) {
  static const char *const keys[] = {"score",  "asks", "layer", "scale", "units",     "bias",
                                     "layers", "key",  "value", "query", "positions", NULL};
  struct attention_structure *attention = &structure->attention;
  int32_t A = structure->encoder.width;
  attention->present = true;
  TRY(field_known_keys(object, keys));
  TRY(parse_asks(object, structure));
  TRY(parse_score(object, attention));
  TRY(field_float(object, "scale", 1.0f, &attention->scale));
  TRY(parse_optional_dense(object, "key", A, false, &attention->key_map));
  TRY(parse_optional_dense(object, "value", A, false, &attention->value_map));
  TRY(parse_optional_dense(object, "query", attention->query_inputs, false, &attention->query_map));
  attention->context_width = attention->value_map.units > 0 ? attention->value_map.units : A;
  return field_optional_integer(object, "positions", 1, FIELD_MAX_WIDTH, 0, &attention->positions);
}
