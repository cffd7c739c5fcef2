/* The output of a version 2 configuration: one head or several. */
#include "model/structure_parse.h"

#include "error.h"

#include <stdio.h>
#include <string.h>

enum { MAX_OUTPUT_LAYERS = STRUCTURE_MAX_DENSE };

/* ---- what a head reads ---------------------------------------------------------------------------- */

static int32_t read_width(const struct structure *structure, const struct head_read *read) {
  switch (read->source) {
  case HEAD_STEP:
    return 0; /* of its parts: structure_resolve */
  case HEAD_CONTEXT:
    return structure->attention.context_width;
  case HEAD_FINAL:
    return structure_final_width(&structure->encoder.layers[read->layer], INITIAL_CONCAT);
  case HEAD_POSITIONS:
    return read->positions * structure->encoder.width;
  case HEAD_MEAN:
  case HEAD_MAXIMUM:
  case HEAD_LAST:
  case HEAD_EVERY:
    break;
  }
  return structure->encoder.width;
}

/* A source by its word under "over". */
static cuseq_status parse_source(const struct field_object *object, const struct structure *structure,
                                 struct head_read *read) {
  int source;
  bool decodes = structure->decoder.present;
  TRY(field_word(object, "over", words_head_source, decodes ? HEAD_STEP : -1, &source));
  *read = (struct head_read){.source = (enum head_source)source, .layer = structure->encoder.count - 1};
  if ((source == HEAD_STEP) != decodes)
    return field_refuse(object, "over", "does not fit (found \"%s\" in a model %s a decoder)",
                        word_of(words_head_source, source), decodes ? "with" : "without");
  if (source == HEAD_CONTEXT && !structure->attention.present)
    return field_refuse(object, "over", "is \"context\", but there is no \"attention\"");
  return CUSEQ_STATUS_OK;
}

enum { MAX_FLAT = 1 << 24 }; /* numbers that lie side by side */

/* All positions of a sequence of one length: {"over": "positions", "count": 30}. */
static cuseq_status parse_positions(const struct field_object *object, const struct structure *structure,
                                    struct head_read *read) {
  if (read->source != HEAD_POSITIONS)
    return field_has(object, "count")
               ? field_refuse(object, "count", "belongs to \"positions\" (found \"%s\")",
                              word_of(words_head_source, (int)read->source))
               : CUSEQ_STATUS_OK;
  return field_integer(object, "count", 1, MAX_FLAT / structure->encoder.width, &read->positions);
}

/* A final state of any layer: {"over": "final", "layer": 0, "state": "c"}. */
static cuseq_status parse_final(const struct field_object *object, const struct structure *structure,
                                struct head_read *read) {
  static const char *const keys[] = {"over", "layer", "state", "count", NULL};
  const int32_t last = structure->encoder.count - 1;
  int state;
  TRY(field_known_keys(object, keys));
  TRY(parse_positions(object, structure, read));
  if (read->source != HEAD_FINAL && (field_has(object, "layer") || field_has(object, "state")))
    return field_refuse(object, field_has(object, "layer") ? "layer" : "state",
                        "belongs to \"final\" (found \"%s\")", word_of(words_head_source, (int)read->source));
  TRY(field_optional_integer(object, "layer", 0, last, last, &read->layer));
  TRY(field_word(object, "state", words_state, 0, &state));
  read->takes_c = state == 1;
  const struct encoder_layer *layer = &structure->encoder.layers[read->layer];
  for (int d = 0; d < 2; d++)
    if (read->takes_c && encoder_layer_has(layer, d) && !cell_has_c(layer->cells[d].kind))
      return field_refuse(object, "state", "is \"c\", which a gru does not have (encoder layer %d)",
                          (int)read->layer);
  return CUSEQ_STATUS_OK;
}

/* Several sources side by side: words, or objects. */
static cuseq_status parse_reads(const struct field_object *object, const struct structure *structure,
                                struct head *head) {
  size_t count;
  TRY(field_list(object, "over", 1, STRUCTURE_MAX_PARTS, &count));
  for (size_t i = 0; i < count; i++) {
    const json_t *given = json_array_get(json_object_get(object->json, "over"), i);
    struct field_object item = field_item(object, "over", i);
    json_t *word = json_is_string(given) ? json_object() : NULL;
    if (word && count == 1) {
      json_decref(word);
      return field_refuse(object, "over", "has one word in a list (needed the word itself)");
    }
    if (word) {
      if (json_object_set_new(word, "over", json_string(json_string_value(given))) != 0) {
        json_decref(word);
        return error_out_of_memory();
      }
      item.json = word;
    }
    cuseq_status status = parse_source(&item, structure, &head->reads[i]);
    if (status == CUSEQ_STATUS_OK)
      status = parse_final(&item, structure, &head->reads[i]);
    json_decref(word);
    TRY(status);
    if (count > 1 && (head->reads[i].source == HEAD_EVERY || head->reads[i].source == HEAD_STEP))
      return field_refuse(object, "over", "has \"%s\" beside others",
                          word_of(words_head_source, (int)head->reads[i].source));
  }
  head->read_count = (int32_t)count;
  return CUSEQ_STATUS_OK;
}

static cuseq_status parse_over(const struct field_object *object, const struct structure *structure,
                               struct head *head) {
  head->read_count = 1;
  TRY(json_is_array(json_object_get(object->json, "over"))
          ? parse_reads(object, structure, head)
          : parse_source(object, structure, &head->reads[0]));
  head->source = head->reads[0].source;
  head->inputs = 0;
  if (head->source == HEAD_POSITIONS && head->reads[0].positions == 0)
    return field_refuse(object, "over",
                        "is \"positions\" without their number (needed [{\"over\": \"positions\", "
                        "\"count\": T}])");
  for (int32_t i = 0; i < head->read_count; i++) {
    head->reads[i].width = read_width(structure, &head->reads[i]);
    head->inputs += head->reads[i].width;
  }
  if (head->source == HEAD_STEP)
    head->read_count = 0;
  if (head->source != HEAD_STEP && field_has(object, "parts"))
    return field_refuse(object, "parts", "belong to a head over \"step\" (found over \"%s\")",
                        word_of(words_head_source, (int)head->source));
  head->parts = (struct parts){.count = 1, .list = {PART_STATE}};
  return head->source == HEAD_STEP && field_has(object, "parts")
             ? parse_parts(object, "parts",
                           1u << PART_STATE | 1u << PART_CONTEXT | 1u << PART_TOKEN | 1u << PART_ATTENTIONAL |
                               1u << PART_GIVEN,
                           &head->parts)
             : CUSEQ_STATUS_OK;
}

/* ---- heads ---------------------------------------------------------------------------------------- */

static cuseq_status parse_name(const struct field_object *object, struct head *head) {
  const json_t *name = json_object_get(object->json, "name");
  if (!name)
    return CUSEQ_STATUS_OK;
  const char *text = json_string_value(name);
  if (!text || !*text || strlen(text) >= sizeof head->name)
    return field_refuse(object, "name", "is no text of 1 to %zu bytes", sizeof head->name - 1);
  memcpy(head->name, text, strlen(text) + 1);
  return CUSEQ_STATUS_OK;
}

static cuseq_status parse_head(const struct field_object *object, const struct structure *structure,
                               struct head *head) {
  static const char *const keys[] = {"name", "over", "parts", "layers", "tied", NULL};
  TRY(field_known_keys(object, keys));
  TRY(parse_name(object, head));
  TRY(parse_over(object, structure, head));
  TRY(parse_dense_chain(object, "layers", MAX_OUTPUT_LAYERS, head->inputs, words_last_activation, true,
                        &head->layers));
  TRY(field_bool(object, "tied", false, &head->is_tied));
  if (head->is_tied && structure->decoder.embedding_units == 0)
    return field_refuse(object, "tied", "needs a decoder with an embedding (decoder.embedding)");
  head->units = head->layers.layers[head->layers.count - 1].units;
  return CUSEQ_STATUS_OK;
}

cuseq_status parse_output(const struct field_object *object, struct structure *structure) {
  static const char *const keys[] = {"heads", NULL};
  struct output_structure *output = &structure->output;
  if (!field_has(object, "heads")) {
    snprintf(output->heads[0].name, sizeof output->heads[0].name, "output");
    output->count = 1;
    return parse_head(object, structure, &output->heads[0]);
  }
  size_t count;
  TRY(field_known_keys(object, keys));
  TRY(field_list(object, "heads", 1, STRUCTURE_MAX_HEADS, &count));
  if (structure->decoder.present && count > 1)
    return field_refuse(object, "heads", "are several (found %zu, a decoder has 1)", count);
  for (size_t i = 0; i < count; i++) {
    struct field_object item = field_item(object, "heads", i);
    snprintf(output->heads[i].name, sizeof output->heads[i].name, "head %zu", i);
    TRY(parse_head(&item, structure, &output->heads[i]));
  }
  output->count = (int32_t)count;
  for (size_t i = 0; structure_is_tagger(structure) && i < count; i++)
    for (int32_t k = 0; k < output->heads[i].read_count; k++)
      if (output->heads[i].reads[k].source == HEAD_CONTEXT) {
        const struct field_object item = field_item(object, "heads", i);
        return field_refuse(&item, "over", "is \"context\" beside a head over \"every\" position");
      }
  return CUSEQ_STATUS_OK;
}
