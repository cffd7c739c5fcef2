/* Texts to ids and tokens to texts: the public calls. */
#include "error.h"
#include "model/model.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

enum { WORD_SHOWN = 40 }; /* bytes of an unknown word in a message */

static const struct vocabulary *model_vocabulary(const cuseq_model *model) {
  return model && model->vocabulary.length > 0 ? &model->vocabulary : NULL;
}

/* "character", "words": what texts are cut into. */
static const char *unit_of(const struct symbols *symbols) {
  return symbols->cutting.words ? "word" : "character";
}

static cuseq_status not_utf8(const char *text, const char *rest) {
  return error_set(CUSEQ_STATUS_INVALID_ARGUMENT, "text: not UTF-8 at byte %td", rest - text);
}

/* Token `position` of a text is none of the symbols. */
static cuseq_status unknown_token(const struct symbols *symbols, const char *whose, const struct token *token,
                                  int64_t position) {
  char found[WORD_SHOWN + 8];
  const char *rest = token->begin;
  uint32_t character = 0;
  if (!symbols->cutting.words) {
    utf8_next(&rest, &character);
    snprintf(found, sizeof found, "U+%04X", (unsigned)character);
  } else { /* as much as is whole characters */
    for (const char *next = rest; next < token->end && utf8_next(&next, &character);)
      if (next - token->begin <= WORD_SHOWN)
        rest = next;
    snprintf(found, sizeof found, "\"%.*s\"", (int)(rest - token->begin), token->begin);
  }
  return error_set(CUSEQ_STATUS_INVALID_ARGUMENT,
                   "text: %s %lld is not in the %svocabulary (found %s, and there is no <unk>)",
                   unit_of(symbols), (long long)position, whose, found);
}

/* Fills ids with the tokens' own; *count receives how many the text has, which may exceed what was stored. */
static cuseq_status text_ids(const struct vocabulary *vocabulary, const char *text, int32_t *ids,
                             int64_t *count) {
  const struct symbols *symbols = &vocabulary->input;
  struct token token;
  const char *rest = text;
  for (*count = 0;; ++*count) {
    enum cut_result result = cut_next(&symbols->cutting, &rest, &token);
    if (result == CUT_NOT_UTF8)
      return not_utf8(text, rest);
    if (result == CUT_END)
      return CUSEQ_STATUS_OK;
    if (*count >= vocabulary->length)
      continue;
    int32_t id = symbols_find(symbols, &token);
    if (id < 0 && vocabulary->unknown < 0)
      return unknown_token(symbols, "", &token, *count);
    ids[*count] = id < 0 ? vocabulary->unknown : id;
  }
}

cuseq_status cuseq_text_encode(const cuseq_model *model, const char *text, int truncate, int32_t *ids,
                               int32_t *length, int32_t *tokens) {
  const struct vocabulary *vocabulary = model_vocabulary(model);
  if (!model || !text || !ids || !length)
    return error_set(CUSEQ_STATUS_INVALID_ARGUMENT, "cuseq_text_encode: an argument is NULL");
  if (!vocabulary)
    return error_set(CUSEQ_STATUS_INVALID_ARGUMENT, "text: the model has no vocabulary");
  int64_t count;
  TRY(text_ids(vocabulary, text, ids, &count));
  if (count > vocabulary->length && !truncate)
    return error_set(CUSEQ_STATUS_INVALID_ARGUMENT, "text: too long (found %lld %ss, at most %d)",
                     (long long)count, unit_of(&vocabulary->input), (int)vocabulary->length);
  if (count == 0 && vocabulary->padding < 0)
    return error_set(CUSEQ_STATUS_INVALID_ARGUMENT, "text: empty (found 0 %ss, needed at least 1)",
                     unit_of(&vocabulary->input));
  int32_t used = count < vocabulary->length ? (int32_t)count : vocabulary->length;
  for (int32_t i = used; i < vocabulary->length; i++)
    ids[i] = vocabulary->padding < 0 ? 0 : vocabulary->padding;
  *length = vocabulary->padding < 0 ? used : vocabulary->length;
  if (tokens)
    *tokens = used;
  return CUSEQ_STATUS_OK;
}

cuseq_status cuseq_text_spans(const cuseq_model *model, const char *text, int32_t *spans, int32_t *count) {
  const struct vocabulary *vocabulary = model_vocabulary(model);
  if (!model || !text || !spans || !count)
    return error_set(CUSEQ_STATUS_INVALID_ARGUMENT, "cuseq_text_spans: an argument is NULL");
  if (!vocabulary)
    return error_set(CUSEQ_STATUS_INVALID_ARGUMENT, "text: the model has no vocabulary");
  struct token token;
  const char *rest = text;
  for (*count = 0; *count < vocabulary->length; ++*count) {
    enum cut_result result = cut_next(&vocabulary->input.cutting, &rest, &token);
    if (result == CUT_NOT_UTF8)
      return not_utf8(text, rest);
    if (result == CUT_END)
      break;
    if (token.end - text > INT32_MAX)
      return error_set(CUSEQ_STATUS_INVALID_ARGUMENT, "text: too long (found more than %d bytes)", INT32_MAX);
    spans[2 * (size_t)*count] = (int32_t)(token.begin - text);
    spans[2 * (size_t)*count + 1] = (int32_t)(token.end - text);
  }
  return CUSEQ_STATUS_OK;
}

/* What a token prints. */
static const char *printed(const struct symbols *symbols, int32_t token) {
  const char *name = symbols->names[token];
  return !symbols->named[token] ? name : strcmp(name, "<unk>") == 0 ? "\xef\xbf\xbd" : "";
}

static cuseq_status too_small(size_t capacity) {
  return error_set(CUSEQ_STATUS_INVALID_ARGUMENT, "cuseq_text_decode: capacity is too small (found %zu)",
                   capacity);
}

cuseq_status cuseq_text_decode(const cuseq_model *model, const int32_t *tokens, int32_t count, char *text,
                               size_t capacity) {
  const struct vocabulary *vocabulary = model_vocabulary(model);
  if (!model || (!tokens && count > 0) || !text || count < 0)
    return error_set(CUSEQ_STATUS_INVALID_ARGUMENT, "cuseq_text_decode: an argument is NULL or negative");
  if (!vocabulary || vocabulary->output.count == 0)
    return error_set(CUSEQ_STATUS_INVALID_ARGUMENT, "tokens: the model has no output vocabulary");
  const struct symbols *symbols = &vocabulary->output;
  int32_t end = model->config.end_token;
  size_t used = 0;
  for (int32_t i = 0; i < count && !(end >= 0 && tokens[i] == end); i++) {
    if (tokens[i] < 0 || tokens[i] >= symbols->count)
      return error_set(CUSEQ_STATUS_INVALID_ARGUMENT,
                       "tokens: entry %d is out of range (found %d, needed 0 to %d)", (int)i, (int)tokens[i],
                       (int)symbols->count - 1);
    const char *symbol = printed(symbols, tokens[i]);
    size_t bytes = strlen(symbol), space = symbols->cutting.words && used > 0 && bytes > 0;
    if (used + space + bytes >= capacity)
      return too_small(capacity);
    memcpy(text + used, " ", space);
    memcpy(text + used + space, symbol, bytes);
    used += space + bytes;
  }
  if (used >= capacity)
    return too_small(capacity);
  text[used] = '\0';
  return CUSEQ_STATUS_OK;
}

/* The token of what the model might write. */
static cuseq_status text_token(const cuseq_model *model, const struct token *token, int64_t position,
                               int32_t *id) {
  const struct symbols *symbols = &model->vocabulary.output;
  *id = symbols_find(symbols, token);
  if (*id < 0)
    *id = symbols_named(symbols, "<unk>");
  if (*id < 0)
    return unknown_token(symbols, "output ", token, position);
  if (*id == model->config.end_token)
    return error_set(CUSEQ_STATUS_INVALID_ARGUMENT, "text: %s %lld is the end token, which is not written",
                     unit_of(symbols), (long long)position);
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
  struct token token;
  enum cut_result result;
  const char *rest = text;
  for (; (result = cut_next(&vocabulary->output.cutting, &rest, &token)) == CUT_TOKEN; needed++) {
    int32_t id;
    TRY(text_token(model, &token, needed, &id));
    if (needed < capacity)
      tokens[needed] = id;
  }
  if (result == CUT_NOT_UTF8)
    return not_utf8(text, rest);
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
