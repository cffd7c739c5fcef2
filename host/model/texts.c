/* Texts to ids and tokens to texts: the public calls. */
#include "error.h"
#include "model/model.h"

#include <string.h>

static bool vocabulary_drops(const struct vocabulary *vocabulary, uint32_t character) {
  for (const uint32_t *dropped = vocabulary->drop; dropped && *dropped; dropped++)
    if (*dropped == character)
      return true;
  return false;
}

static cuseq_status text_id(const struct vocabulary *vocabulary, uint32_t character, int32_t position,
                            int32_t *id) {
  *id = symbols_find(&vocabulary->input, character);
  if (*id < 0)
    *id = vocabulary->unknown;
  if (*id < 0)
    return error_set(CUSEQ_STATUS_INVALID_ARGUMENT,
                     "text: character %d is not in the vocabulary (found U+%04X, and there is no <unk>)",
                     (int)position, (unsigned)character);
  return CUSEQ_STATUS_OK;
}

static const struct vocabulary *model_vocabulary(const cuseq_model *model) {
  return model && model->vocabulary.length > 0 ? &model->vocabulary : NULL;
}

/* Fills ids with the characters' own; *count receives how many the text has, which may exceed what was
 * stored. */
static cuseq_status text_ids(const struct vocabulary *vocabulary, const char *text, int32_t *ids,
                             int64_t *count) {
  *count = 0;
  for (const char *rest = text; *rest;) {
    uint32_t character;
    if (!utf8_next(&rest, &character))
      return error_set(CUSEQ_STATUS_INVALID_ARGUMENT, "text: not UTF-8 at byte %td", rest - text);
    int32_t id;
    if (vocabulary->lowercase && character >= 'A' && character <= 'Z')
      character += 'a' - 'A';
    if (vocabulary_drops(vocabulary, character))
      continue;
    if (*count < vocabulary->length) {
      TRY(text_id(vocabulary, character, (int32_t)*count, &id));
      ids[*count] = id;
    }
    ++*count;
  }
  return CUSEQ_STATUS_OK;
}

cuseq_status cuseq_text_encode(const cuseq_model *model, const char *text, int truncate, int32_t *ids,
                               int32_t *length, int32_t *characters) {
  const struct vocabulary *vocabulary = model_vocabulary(model);
  if (!model || !text || !ids || !length)
    return error_set(CUSEQ_STATUS_INVALID_ARGUMENT, "cuseq_text_encode: an argument is NULL");
  if (!vocabulary)
    return error_set(CUSEQ_STATUS_INVALID_ARGUMENT, "text: the model has no vocabulary");
  int64_t count;
  TRY(text_ids(vocabulary, text, ids, &count));
  if (count > vocabulary->length && !truncate)
    return error_set(CUSEQ_STATUS_INVALID_ARGUMENT, "text: too long (found %lld characters, at most %d)",
                     (long long)count, (int)vocabulary->length);
  if (count == 0 && vocabulary->padding < 0)
    return error_set(CUSEQ_STATUS_INVALID_ARGUMENT, "text: empty (found 0 characters, needed at least 1)");
  int32_t used = count < vocabulary->length ? (int32_t)count : vocabulary->length;
  for (int32_t i = used; i < vocabulary->length; i++)
    ids[i] = vocabulary->padding < 0 ? 0 : vocabulary->padding;
  *length = vocabulary->padding < 0 ? used : vocabulary->length;
  if (characters)
    *characters = used;
  return CUSEQ_STATUS_OK;
}

cuseq_status cuseq_text_decode(const cuseq_model *model, const int32_t *tokens, int32_t count, char *text,
                               size_t capacity) {
  const struct vocabulary *vocabulary = model_vocabulary(model);
  if (!model || (!tokens && count > 0) || !text || count < 0)
    return error_set(CUSEQ_STATUS_INVALID_ARGUMENT, "cuseq_text_decode: an argument is NULL or negative");
  if (!vocabulary || vocabulary->output.count == 0)
    return error_set(CUSEQ_STATUS_INVALID_ARGUMENT, "tokens: the model has no output vocabulary");
  size_t used = 0;
  for (int32_t i = 0; i < count && !(model->config.end_token >= 0 && tokens[i] == model->config.end_token);
       i++) {
    if (tokens[i] < 0 || tokens[i] >= vocabulary->output.count)
      return error_set(CUSEQ_STATUS_INVALID_ARGUMENT,
                       "tokens: entry %d is out of range (found %d, needed 0 to %d)", (int)i, (int)tokens[i],
                       (int)vocabulary->output.count - 1);
    const char *symbol = vocabulary->output.names[tokens[i]];
    if (vocabulary->output.characters[tokens[i]] == 0)
      symbol = strcmp(symbol, "<unk>") == 0 ? "\xef\xbf\xbd" : "";
    size_t bytes = strlen(symbol);
    if (used + bytes >= capacity)
      return error_set(CUSEQ_STATUS_INVALID_ARGUMENT, "cuseq_text_decode: capacity is too small (found %zu)",
                       capacity);
    memcpy(text + used, symbol, bytes);
    used += bytes;
  }
  if (used >= capacity)
    return error_set(CUSEQ_STATUS_INVALID_ARGUMENT, "cuseq_text_decode: capacity is too small (found %zu)",
                     capacity);
  text[used] = '\0';
  return CUSEQ_STATUS_OK;
}

static int32_t named_symbol(const struct symbols *symbols, const char *name) {
  for (int32_t i = 0; i < symbols->count; i++)
    if (symbols->characters[i] == 0 && strcmp(symbols->names[i], name) == 0)
      return i;
  return -1;
}

/* The token of a character that the model might write. */
static cuseq_status text_token(const cuseq_model *model, uint32_t character, int64_t position,
                               int32_t *token) {
  const struct symbols *symbols = &model->vocabulary.output;
  *token = symbols_find(symbols, character);
  if (*token < 0)
    *token = named_symbol(symbols, "<unk>");
  if (*token < 0)
    return error_set(
        CUSEQ_STATUS_INVALID_ARGUMENT,
        "text: character %lld is not in the output vocabulary (found U+%04X, and there is no <unk>)",
        (long long)position, (unsigned)character);
  if (*token == model->config.end_token)
    return error_set(CUSEQ_STATUS_INVALID_ARGUMENT,
                     "text: character %lld is the end token, which is not written", (long long)position);
  return CUSEQ_STATUS_OK;
}

cuseq_status cuseq_text_tokens(const cuseq_model *model, const char *text, int32_t *tokens, int32_t capacity,
                               int32_t *count) {
  const struct vocabulary *vocabulary = model_vocabulary(model);
  if (!model || !text || !tokens || !count)
    return error_set(CUSEQ_STATUS_INVALID_ARGUMENT, "cuseq_text_tokens: an argument is NULL");
  if (!vocabulary || vocabulary->output.count == 0)
    return error_set(CUSEQ_STATUS_INVALID_ARGUMENT, "text: the model has no output vocabulary");
  int64_t needed = 0;
  for (const char *rest = text; *rest; needed++) {
    uint32_t character;
    int32_t token;
    if (!utf8_next(&rest, &character))
      return error_set(CUSEQ_STATUS_INVALID_ARGUMENT, "text: not UTF-8 at byte %td", rest - text);
    TRY(text_token(model, character, needed, &token));
    if (needed < capacity)
      tokens[needed] = token;
  }
  if (model->config.end_token >= 0 && needed++ < capacity)
    tokens[needed - 1] = model->config.end_token;
  if (needed > capacity)
    return error_set(CUSEQ_STATUS_INVALID_ARGUMENT, "text: too long (found %lld tokens, at most %d)",
                     (long long)needed, (int)capacity);
  if (needed == 0)
    return error_set(CUSEQ_STATUS_INVALID_ARGUMENT, "text: empty (and the model has no end token)");
  *count = (int32_t)needed;
  return CUSEQ_STATUS_OK;
}

const char *cuseq_model_input_symbol(const cuseq_model *model, int32_t id) {
  const struct vocabulary *vocabulary = model_vocabulary(model);
  return vocabulary && id >= 0 && id < vocabulary->input.count ? vocabulary->input.names[id] : NULL;
}

const char *cuseq_model_output_symbol(const cuseq_model *model, int32_t id) {
  const struct vocabulary *vocabulary = model_vocabulary(model);
  return vocabulary && id >= 0 && id < vocabulary->output.count ? vocabulary->output.names[id] : NULL;
}
