/* The vocabulary's part of the configuration: how texts become ids, and tokens texts. */
#include "error.h"
#include "model/config.h"

#include <stdlib.h>
#include <string.h>

enum { VOCABULARY_MAX_LENGTH = 1 << 20 };

/* ---- symbols ---- */

static bool is_character(const char *text) {
  uint32_t character;
  return utf8_next(&text, &character) && !*text;
}

static bool is_word(const char *text) {
  uint32_t character;
  while (*text)
    if (!utf8_next(&text, &character) || cut_is_space(character))
      return false;
  return true;
}

/* One entry: a code point or a word, or a name in <>. "<" alone is a code point. */
static cuseq_status symbol_parse(const char *text, const char *side, size_t index, bool words, bool *named) {
  size_t length = text ? strlen(text) : 0;
  *named = length > 2 && text[0] == '<' && text[length - 1] == '>';
  if (*named || (length > 0 && (words ? is_word(text) : is_character(text))))
    return CUSEQ_STATUS_OK;
  return error_set(CUSEQ_STATUS_INVALID_MODEL,
                   "configuration: vocabulary.%s entry %zu is neither %s nor a name in <> (found %s%.40s%s)",
                   side, index, words ? "a word without white space" : "one character", text ? "\"" : "",
                   text ? text : "no string", text ? "\"" : "");
}

static int place_order(const void *a, const void *b) {
  return strcmp(((const struct symbol_place *)a)->name, ((const struct symbol_place *)b)->name);
}

static cuseq_status symbols_sort(const char *side, struct symbols *symbols) {
  for (int32_t i = 0; i < symbols->count; i++)
    symbols->sorted[i] = (struct symbol_place){symbols->names[i], i};
  qsort(symbols->sorted, (size_t)symbols->count, sizeof *symbols->sorted, place_order);
  for (int32_t i = 1; i < symbols->count; i++)
    if (strcmp(symbols->sorted[i - 1].name, symbols->sorted[i].name) == 0)
      return error_set(CUSEQ_STATUS_INVALID_MODEL, "configuration: vocabulary.%s has \"%.40s\" twice", side,
                       symbols->sorted[i].name);
  return CUSEQ_STATUS_OK;
}

static cuseq_status symbols_parse(const json_t *list, const char *side, struct symbols *symbols) {
  size_t count = json_array_size(list);
  if (!json_is_array(list) || count == 0)
    return error_set(CUSEQ_STATUS_INVALID_MODEL, "configuration: vocabulary.%s is not a list of symbols",
                     side);
  symbols->names = calloc(count, sizeof *symbols->names);
  symbols->named = calloc(count, sizeof *symbols->named);
  symbols->sorted = calloc(count, sizeof *symbols->sorted);
  if (!symbols->names || !symbols->named || !symbols->sorted)
    return error_set(CUSEQ_STATUS_OUT_OF_MEMORY, "vocabulary: out of memory");
  for (size_t i = 0; i < count; i++) {
    const char *text = json_string_value(json_array_get(list, i));
    TRY(symbol_parse(text, side, i, symbols->cutting.words, &symbols->named[i]));
    if (!(symbols->names[i] = strdup(text)))
      return error_set(CUSEQ_STATUS_OUT_OF_MEMORY, "vocabulary: out of memory");
    symbols->count = (int32_t)i + 1;
  }
  return symbols_sort(side, symbols);
}

/* ---- how texts are cut ---- */

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

static cuseq_status split_word(const json_t *field, const char *where, bool *words) {
  const char *text = json_string_value(field);
  *words = text && strcmp(text, "whitespace") == 0;
  if (*words || (text && strcmp(text, "characters") == 0))
    return CUSEQ_STATUS_OK;
  return error_set(CUSEQ_STATUS_INVALID_MODEL,
                   "configuration: %s is unknown (found %s%.60s%s, needed one of characters, whitespace)",
                   where, text ? "\"" : "", text ? text : "no string", text ? "\"" : "");
}

/* One word for both sides, or {"input": a word, "output": a word}. */
static cuseq_status split_parse(const json_t *field, struct vocabulary *vocabulary) {
  static const char *const keys[] = {"input", "output", NULL};
  bool *input = &vocabulary->input.cutting.words, *output = &vocabulary->output.cutting.words;
  if (!json_is_object(field)) {
    TRY(split_word(field, "vocabulary.split", input));
    *output = *input;
    return CUSEQ_STATUS_OK;
  }
  TRY(config_known_keys(field, "vocabulary.split", keys));
  if (json_object_get(field, "input"))
    TRY(split_word(json_object_get(field, "input"), "vocabulary.split.input", input));
  if (json_object_get(field, "output"))
    TRY(split_word(json_object_get(field, "output"), "vocabulary.split.output", output));
  return CUSEQ_STATUS_OK;
}

static cuseq_status cutting_parse(const json_t *object, struct vocabulary *vocabulary) {
  const json_t *lowercase = json_object_get(object, "lowercase"), *split = json_object_get(object, "split");
  if (lowercase && !json_is_boolean(lowercase))
    return error_set(CUSEQ_STATUS_INVALID_MODEL,
                     "configuration: vocabulary.lowercase is neither true nor false");
  vocabulary->input.cutting.lowercase = json_is_true(lowercase);
  if (json_object_get(object, "drop"))
    TRY(drop_parse(json_object_get(object, "drop"), vocabulary));
  vocabulary->input.cutting.drop = vocabulary->drop;
  return split ? split_parse(split, vocabulary) : CUSEQ_STATUS_OK;
}

cuseq_status vocabulary_parse(const json_t *object, struct vocabulary *vocabulary) {
  static const char *const keys[] = {"length",    "input", "output", "split",
                                     "lowercase", "drop",  "labels", NULL};
  TRY(config_known_keys(object, "vocabulary", keys));
  TRY(config_integer(object, "vocabulary", "length", 1, VOCABULARY_MAX_LENGTH, &vocabulary->length));
  TRY(cutting_parse(object, vocabulary));
  TRY(symbols_parse(json_object_get(object, "input"), "input", &vocabulary->input));
  if (json_object_get(object, "output"))
    TRY(symbols_parse(json_object_get(object, "output"), "output", &vocabulary->output));
  if (json_object_get(object, "labels"))
    TRY(labels_parse(json_object_get(object, "labels"), vocabulary));
  vocabulary->unknown = symbols_named(&vocabulary->input, "<unk>");
  vocabulary->padding = symbols_named(&vocabulary->input, "<pad>");
  return CUSEQ_STATUS_OK;
}
