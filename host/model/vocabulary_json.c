/* The vocabulary's part of the configuration. */
#include "error.h"
#include "model/config.h"

#include <stdlib.h>
#include <string.h>

enum { VOCABULARY_MAX_LENGTH = 1 << 20 };

/* One entry: a code point, or a name in <>, for which *character becomes 0. "<" alone is a code point. */
static cuseq_status symbol_parse(const char *text, const char *side, size_t index, uint32_t *character) {
  size_t length = text ? strlen(text) : 0;
  if (length > 2 && text[0] == '<' && text[length - 1] == '>') {
    *character = 0;
    return CUSEQ_STATUS_OK;
  }
  const char *rest = text;
  if (length == 0 || !utf8_next(&rest, character) || *rest)
    return error_set(
        CUSEQ_STATUS_INVALID_MODEL,
        "configuration: vocabulary.%s entry %zu is neither one character nor a name in <> (found %s%.40s%s)",
        side, index, text ? "\"" : "", text ? text : "no string", text ? "\"" : "");
  return CUSEQ_STATUS_OK;
}

static cuseq_status symbols_parse(const json_t *list, const char *side, struct symbols *symbols) {
  size_t count = json_array_size(list);
  if (!json_is_array(list) || count == 0)
    return error_set(CUSEQ_STATUS_INVALID_MODEL, "configuration: vocabulary.%s is not a list of symbols",
                     side);
  symbols->names = calloc(count, sizeof *symbols->names);
  symbols->characters = calloc(count, sizeof *symbols->characters);
  if (!symbols->names || !symbols->characters)
    return error_set(CUSEQ_STATUS_OUT_OF_MEMORY, "vocabulary: out of memory");
  json_t *seen = json_object();
  cuseq_status status =
      seen ? CUSEQ_STATUS_OK : error_set(CUSEQ_STATUS_OUT_OF_MEMORY, "vocabulary: out of memory");
  for (size_t i = 0; i < count && status == CUSEQ_STATUS_OK; i++) {
    const char *text = json_string_value(json_array_get(list, i));
    status = symbol_parse(text, side, i, &symbols->characters[i]);
    if (status != CUSEQ_STATUS_OK)
      break;
    if (json_object_get(seen, text))
      status = error_set(CUSEQ_STATUS_INVALID_MODEL, "configuration: vocabulary.%s has \"%.40s\" twice", side,
                         text);
    else if (json_object_set_new(seen, text, json_true()) != 0 || !(symbols->names[i] = strdup(text)))
      status = error_set(CUSEQ_STATUS_OUT_OF_MEMORY, "vocabulary: out of memory");
    symbols->count = (int32_t)i + 1;
  }
  json_decref(seen);
  return status;
}

static cuseq_status drop_parse(const json_t *field, struct vocabulary *vocabulary) {
  const char *text = json_string_value(field);
  if (!text)
    return error_set(CUSEQ_STATUS_INVALID_MODEL, "configuration: vocabulary.drop is not a string");
  vocabulary->drop = calloc(strlen(text) + 1, sizeof *vocabulary->drop);
  if (!vocabulary->drop)
    return error_set(CUSEQ_STATUS_OUT_OF_MEMORY, "vocabulary: out of memory");
  for (size_t i = 0; *text; i++)
    if (!utf8_next(&text, &vocabulary->drop[i]))
      return error_set(CUSEQ_STATUS_INVALID_MODEL, "configuration: vocabulary.drop is not UTF-8");
  return CUSEQ_STATUS_OK;
}

static int32_t symbols_named(const struct symbols *symbols, const char *name) {
  for (int32_t i = 0; i < symbols->count; i++)
    if (strcmp(symbols->names[i], name) == 0)
      return i;
  return -1;
}

cuseq_status vocabulary_parse(const json_t *object, struct vocabulary *vocabulary) {
  static const char *const keys[] = {"length", "input", "output", "lowercase", "drop", NULL};
  TRY(config_known_keys(object, "vocabulary", keys));
  TRY(config_integer(object, "vocabulary", "length", 1, VOCABULARY_MAX_LENGTH, &vocabulary->length));
  TRY(symbols_parse(json_object_get(object, "input"), "input", &vocabulary->input));
  const json_t *output = json_object_get(object, "output"), *lowercase = json_object_get(object, "lowercase");
  if (output)
    TRY(symbols_parse(output, "output", &vocabulary->output));
  if (lowercase && !json_is_boolean(lowercase))
    return error_set(CUSEQ_STATUS_INVALID_MODEL,
                     "configuration: vocabulary.lowercase is neither true nor false");
  vocabulary->lowercase = json_is_true(lowercase);
  if (json_object_get(object, "drop"))
    TRY(drop_parse(json_object_get(object, "drop"), vocabulary));
  vocabulary->unknown = symbols_named(&vocabulary->input, "<unk>");
  vocabulary->padding = symbols_named(&vocabulary->input, "<pad>");
  return CUSEQ_STATUS_OK;
}
