/* The output of a version 2 configuration: one head or several. */
#include "model/structure_parse.h"

#include "error.h"

#include <stdio.h>
#include <string.h>

enum { MAX_OUTPUT_LAYERS = STRUCTURE_MAX_DENSE };

static int32_t source_width(const struct structure *structure, enum head_source source) {
  const struct encoder_layer *last = &structure->encoder.layers[structure->encoder.count - 1];
  switch (source) {
  case HEAD_STEP:
    return 0; /* of its parts: structure_resolve */
  case HEAD_CONTEXT:
    return structure->attention.context_width;
  case HEAD_FINAL:
    return structure_final_width(last, INITIAL_CONCAT);
  case HEAD_MEAN:
  case HEAD_MAXIMUM:
  case HEAD_LAST:
  case HEAD_EVERY:
    break;
  }
  return structure->encoder.width;
}

static cuseq_status parse_source(const struct field_object *object, const struct structure *structure,
                                 struct head *head) {
  int source;
  bool decodes = structure->decoder.present;
  TRY(field_word(object, "over", words_head_source, decodes ? HEAD_STEP : -1, &source));
  head->source = (enum head_source)source;
  if ((source == HEAD_STEP) != decodes)
    return field_refuse(object, "over", "does not fit (found \"%s\" in a model %s a decoder)",
                        word_of(words_head_source, source), decodes ? "with" : "without");
  if (source == HEAD_CONTEXT && !structure->attention.present)
    return field_refuse(object, "over", "is \"context\", but there is no \"attention\"");
  if (source != HEAD_STEP && field_has(object, "parts"))
    return field_refuse(object, "parts", "belong to a head over \"step\" (found over \"%s\")",
                        word_of(words_head_source, source));
  head->parts = (struct parts){.count = 1, .list = {PART_STATE}};
  return source == HEAD_STEP && field_has(object, "parts")
             ? parse_parts(object, "parts",
                           1u << PART_STATE | 1u << PART_CONTEXT | 1u << PART_TOKEN | 1u << PART_ATTENTIONAL,
                           &head->parts)
             : CUSEQ_STATUS_OK;
}

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
  TRY(parse_source(object, structure, head));
  head->inputs = source_width(structure, head->source);
  TRY(parse_dense_chain(object, "layers", MAX_OUTPUT_LAYERS, head->inputs, words_last_activation,
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
    if ((output->heads[i].source == HEAD_EVERY) != (output->heads[0].source == HEAD_EVERY))
      return field_refuse(&item, "over", "is \"%s\" beside \"%s\" (\"every\" goes with \"every\" alone)",
                          word_of(words_head_source, output->heads[i].source),
                          word_of(words_head_source, output->heads[0].source));
  }
  output->count = (int32_t)count;
  return CUSEQ_STATUS_OK;
}
