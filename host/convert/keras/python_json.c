#include "convert/keras/python_json.h"
#include "error.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MOST = 10000 };

static const struct {
  const char *token, *object;
  double number;
} numbers[] = {{"-Infinity", "{\"number\":\"-Infinity\"}", -INFINITY},
               {"Infinity", "{\"number\":\"Infinity\"}", INFINITY},
               {"NaN", "{\"number\":\"NaN\"}", NAN}};

enum { NUMBERS = sizeof numbers / sizeof *numbers };

/* Which of them stands at `at`; NUMBERS: none. */
static size_t token_at(const char *text, size_t size, size_t at) {
  for (size_t i = 0; i < NUMBERS; i++) {
    size_t length = strlen(numbers[i].token);
    if (size - at >= length && memcmp(text + at, numbers[i].token, length) == 0)
      return i;
  }
  return NUMBERS;
}

/* Copies the text with the tokens replaced; to NULL: counts only. Returns the size of the copy. */
static size_t rewrite(const char *text, size_t size, char *to, size_t *tokens) {
  size_t used = 0;
  bool quoted = false;
  *tokens = 0;
  for (size_t at = 0; at < size;) {
    size_t token = quoted ? NUMBERS : token_at(text, size, at);
    const char *from = token < NUMBERS ? numbers[token].object : text + at;
    size_t step = token < NUMBERS ? strlen(numbers[token].token) : 1;
    size_t length = token < NUMBERS ? strlen(from) : 1;
    if (quoted && text[at] == '\\' && size - at >= 2)
      step = length = 2;
    else if (token == NUMBERS && text[at] == '"')
      quoted = !quoted;
    for (size_t i = 0; to != NULL && i < length; i++)
      to[used + i] = from[i];
    *tokens += token < NUMBERS;
    used += length;
    at += step;
  }
  return used;
}

cuseq_status python_json_rewrite(const char *text, size_t size, const char *name, char **json,
                                 size_t *length) {
  size_t tokens;
  *json = NULL;
  *length = rewrite(text, size, NULL, &tokens);
  if (tokens == 0)
    return CUSEQ_STATUS_OK;
  if (tokens > MOST)
    return error_set(CUSEQ_STATUS_INVALID_FILE,
                     "%s: too many numbers that are not finite (found %zu, needed at most %d)", name, tokens,
                     MOST);
  *json = malloc(*length);
  if (*json == NULL)
    return error_out_of_memory();
  rewrite(text, size, *json, &tokens);
  return CUSEQ_STATUS_OK;
}

bool python_json_number(const json_t *json, double *number) {
  if (json_is_number(json)) {
    *number = json_number_value(json);
    return true;
  }
  const char *text = json_object_size(json) == 1 ? json_string_value(json_object_get(json, "number")) : NULL;
  for (size_t i = 0; text != NULL && i < NUMBERS; i++)
    if (strcmp(text, numbers[i].token) == 0) {
      *number = numbers[i].number;
      return true;
    }
  return false;
}
