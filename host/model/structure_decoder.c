/* The decoder of a version 2 configuration. */
#include "model/structure_parse.h"

#include "error.h"

#include <string.h>

/* The keys of an initial state; "units" belongs to the state that asks alone. */
static const char *const initial_keys[] = {"from", "layer", "state", "directions", "dense", "units", NULL};

/* Whether all directions whose final states are taken have a c. */
static bool final_has_c(const struct encoder_layer *layer, enum initial_directions directions) {
  bool all = true;
  for (int d = 0; d < 2; d++) {
    bool taken = directions == INITIAL_FORWARD ? d == 0 : directions == INITIAL_BACKWARD ? d == 1 : true;
    all = all && (!taken || !encoder_layer_has(layer, d) || cell_has_c(layer->cells[d].kind));
  }
  return all;
}

/* What an initial state takes of the encoder. */
static cuseq_status parse_initial_encoder(const struct field_object *object,
                                          const struct structure *structure, bool is_c,
                                          struct initial_structure *initial) {
  const struct encoder_structure *encoder = &structure->encoder;
  int state, directions;
  TRY(field_optional_integer(object, "layer", 0, encoder->count - 1, encoder->count - 1,
                             &initial->encoder_layer));
  const struct encoder_layer *layer = &encoder->layers[initial->encoder_layer];
  TRY(field_word(object, "directions", words_initial_directions, INITIAL_CONCAT, &directions));
  initial->directions = (enum initial_directions)directions;
  bool both = layer->direction == LAYER_BIDIRECTIONAL;
  TRY(field_word(object, "state", words_state, is_c, &state));
  initial->takes_c = state == 1;
  if (initial->takes_c && !final_has_c(layer, initial->directions))
    return field_refuse(object, "state",
                        "is \"c\", which a gru does not have (encoder layer %d; needed \"h\"%s)",
                        (int)initial->encoder_layer, is_c ? ", or from \"zeros\" or \"other\"" : "");
  if (!both && directions != INITIAL_CONCAT)
    return field_refuse(object, "directions", "is \"%s\" of an encoder layer of one direction (layer %d)",
                        word_of(words_initial_directions, directions), (int)initial->encoder_layer);
  if (directions == INITIAL_SUM && layer->cells[0].units != layer->cells[1].units)
    return field_refuse(object, "directions", "is \"sum\" of directions of unequal widths (layer %d)",
                        (int)initial->encoder_layer);
  initial->inputs = structure_final_width(layer, initial->directions);
  return parse_optional_dense(object, "dense", initial->inputs, false, &initial->dense);
}

cuseq_status parse_initial(const struct field_object *object, const struct structure *structure, bool is_c,
                           bool has_other, int32_t units, struct initial_structure *initial) {
  int from;
  TRY(field_known_keys(object, initial_keys));
  TRY(field_word(object, "from", words_initial_from, INITIAL_ENCODER, &from));
  *initial = (struct initial_structure){.from = (enum initial_from)from};
  if (from != INITIAL_ENCODER) {
    static const char *const others[] = {"layer", "state", "directions", "dense"};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
      if (field_has(object, others[i]))
        return field_refuse(object, others[i], "belongs to a state from the \"encoder\" (found from \"%s\")",
                            word_of(words_initial_from, from));
    if (from == INITIAL_OTHER && !has_other)
      return field_refuse(object, "from", "is \"other\", but there is no other state");
    return CUSEQ_STATUS_OK;
  }
  TRY(parse_initial_encoder(object, structure, is_c, initial));
  int32_t given = initial->dense.units > 0 ? initial->dense.units : initial->inputs;
  if (units > 0 && given != units)
    return error_set(CUSEQ_STATUS_INVALID_MODEL,
                     "configuration: \"%s\" does not fit (found %d from encoder layer %d%s, needed %d units)",
                     object->path, (int)given, (int)initial->encoder_layer,
                     initial->dense.units > 0 ? " through its dense layer" : "", (int)units);
  return CUSEQ_STATUS_OK;
}

static cuseq_status parse_layer_states(const struct field_object *object, const struct structure *structure,
                                       struct decoder_layer *layer) {
  bool has_c = cell_has_c(layer->cell.kind);
  struct initial_structure *initial[] = {&layer->initial_h, &layer->initial_c};
  static const char *const names[] = {"initial_h", "initial_c"};
  if (!has_c && field_has(object, "initial_c"))
    return field_refuse(object, "initial_c", "belongs to an lstm (found a gru)");
  for (int i = 0; i < (has_c ? 2 : 1); i++) {
    struct field_object state = field_child(object, names[i]);
    bool said = state.json != NULL;
    json_t *nothing = NULL;
    if (!said) /* what is not said is the encoder's */
      state.json = nothing = json_object();
    if (!state.json)
      return error_set(CUSEQ_STATUS_OUT_OF_MEMORY, "configuration: out of memory");
    cuseq_status status = parse_initial(&state, structure, i == 1, has_c, layer->cell.units, initial[i]);
    json_decref(nothing);
    TRY(status);
    if (said && field_has(&state, "units"))
      return field_refuse(&state, "units", "is not said here (it is the cell's)");
  }
  if (has_c && layer->initial_h.from == INITIAL_OTHER && layer->initial_c.from == INITIAL_OTHER)
    return field_refuse(object, "initial_h", "and initial_c are each the other one");
  return CUSEQ_STATUS_OK;
}

static cuseq_status parse_decoder_layer(const struct field_object *object, const struct structure *structure,
                                        int32_t index, struct decoder_layer *layer) {
  static const char *const keys[] = {"cell", "residual", "reads_context", "initial_h", "initial_c", NULL};
  struct field_object cell;
  TRY(field_known_keys(object, keys));
  TRY(field_object_get(object, "cell", &cell));
  TRY(parse_cell(&cell, &layer->cell));
  TRY(field_bool(object, "residual", false, &layer->residual));
  TRY(field_bool(object, "reads_context", false, &layer->reads_context));
  if (index == 0 && (layer->residual || layer->reads_context))
    return field_refuse(object, layer->residual ? "residual" : "reads_context",
                        "belongs to a layer beyond the first (decoder.reads says what the first one reads)");
  return parse_layer_states(object, structure, layer);
}

static cuseq_status parse_attentional(const struct field_object *object,
                                      struct attentional_structure *attentional) {
  static const char *const keys[] = {"parts", "units", "activation", "bias", NULL};
  int activation;
  TRY(field_known_keys(object, keys));
  TRY(parse_parts(object, "parts", 1u << PART_CONTEXT | 1u << PART_STATE | 1u << PART_TOKEN,
                  &attentional->parts));
  TRY(field_integer(object, "units", 1, FIELD_MAX_WIDTH, &attentional->dense.units));
  TRY(field_word(object, "activation", words_activation, CUSEQ_ACTIVATION_LINEAR, &activation));
  TRY(field_bool(object, "bias", true, &attentional->dense.has_bias));
  attentional->dense.activation = (cuseq_activation)activation;
  attentional->present = true;
  return CUSEQ_STATUS_OK;
}

/* The token's embedding: a width, or the input's own. */
static cuseq_status parse_embedding(const struct field_object *object, const struct structure *structure,
                                    struct decoder_structure *decoder) {
  const char *text = json_string_value(json_object_get(object->json, "embedding"));
  if (!text)
    return field_optional_integer(object, "embedding", 1, FIELD_MAX_WIDTH, 0, &decoder->embedding_units);
  if (strcmp(text, "encoder") != 0)
    return field_refuse(object, "embedding", "is unknown (found \"%.60s\", needed a width or \"encoder\")",
                        text);
  if (structure->input.embedding_units == 0)
    return field_refuse(object, "embedding", "is the encoder's, which has none (input.embedding)");
  decoder->embedding_is_encoders = true;
  decoder->embedding_units = structure->input.embedding_units;
  return CUSEQ_STATUS_OK;
}

cuseq_status parse_decoder(const struct field_object *object, struct structure *structure) {
  static const char *const keys[] = {"layers",      "reads",     "attentional", "feedback", "embedding",
                                     "start_token", "end_token", "steps",       "given",    NULL};
  struct decoder_structure *decoder = &structure->decoder;
  size_t count;
  int feedback;
  decoder->present = true;
  TRY(field_known_keys(object, keys));
  TRY(field_list(object, "layers", 1, STRUCTURE_MAX_DECODER_LAYERS, &count));
  for (size_t l = 0; l < count; l++) {
    struct field_object item = field_item(object, "layers", l);
    TRY(parse_decoder_layer(&item, structure, (int32_t)l, &decoder->layers[l]));
  }
  decoder->count = (int32_t)count;
  TRY(parse_parts(object, "reads",
                  1u << PART_TOKEN | 1u << PART_CONTEXT | 1u << PART_ATTENTIONAL | 1u << PART_GIVEN,
                  &decoder->reads));
  TRY(field_optional_integer(object, "given", 1, FIELD_MAX_WIDTH, 0, &decoder->given_width));
  if (field_has(object, "attentional")) {
    struct field_object attentional;
    TRY(field_object_get(object, "attentional", &attentional));
    TRY(parse_attentional(&attentional, &decoder->attentional));
  }
  TRY(field_word(object, "feedback", words_feedback, FEEDBACK_NONE, &feedback));
  decoder->feedback = (enum feedback)feedback;
  TRY(parse_embedding(object, structure, decoder));
  TRY(field_optional_integer(object, "start_token", 0, FIELD_MAX_WIDTH, -1, &decoder->start_token));
  TRY(field_optional_integer(object, "end_token", 0, FIELD_MAX_WIDTH, -1, &decoder->end_token));
  return field_integer(object, "steps", 1, FIELD_MAX_WIDTH, &decoder->steps);
}
