#include "cli/begin.h"

#include "cli/message.h"
#include "cli/saved.h"

#include <stdlib.h>
#include <string.h>

/* ---- the token ------------------------------------------------------------------------------------ */

/* A symbol's number; -1: there is no such symbol. */
static int32_t symbol_find(const cuseq_model *model, const char *text) {
  const int32_t count = cuseq_model_config(model)->output_symbols;
  for (int32_t id = 0; id < count; id++)
    if (strcmp(cuseq_model_output_symbol(model, id), text) == 0)
      return id;
  return -1;
}

/* A symbol comes before a number: where "1" is a symbol, it is that one. */
static int token_find(const cuseq_model *model, const char *text, int32_t *token) {
  const cuseq_config *config = cuseq_model_config(model);
  const bool symbols = config->output_symbols > 0;
  char *end;
  *token = symbol_find(model, text);
  if (*token >= 0)
    return EXIT_DONE;
  const long number = strtol(text, &end, 10);
  if (!*text || *end)
    return fail(symbols ? "--start-token: no symbol of the model's vocabulary, and no number (found \"%s\")"
                        : "--start-token: not a whole number, and the model has no vocabulary (found \"%s\")",
                text);
  if (number < 0 || number >= config->outputs)
    return fail("--start-token: out of range (found %ld, needed 0 to %d)", number, (int)config->outputs - 1);
  *token = (int32_t)number;
  return EXIT_DONE;
}

int begin_token(struct begin *begin, const cuseq_model *model, const char *text, int32_t rows) {
  const cuseq_config *config = cuseq_model_config(model);
  int32_t token;
  if (!text)
    return EXIT_DONE;
  if (!config->has_decoder || (config->feedback == CUSEQ_FEEDBACK_NONE && !config->needs_targets))
    return fail("--start-token: the model has no decoder that reads its tokens");
  const int status = token_find(model, text, &token);
  if (status != EXIT_DONE)
    return status;
  begin->previous = malloc((size_t)rows * sizeof *begin->previous);
  if (!begin->previous)
    return fail_memory();
  for (int32_t b = 0; b < rows; b++)
    begin->previous[b] = token;
  return EXIT_DONE;
}

/* ---- states --------------------------------------------------------------------------------------- */

static int32_t state_width(const cuseq_model *model) {
  const cuseq_config *config = cuseq_model_config(model);
  return config->has_decoder ? config->decoder_state_width : config->state_units;
}

bool begin_is_state(const cuseq_model *model, const char *name) {
  return state_width(model) > 0 && (strcmp(name, "initial_h") == 0 || strcmp(name, "initial_c") == 0);
}

static int state_take(const char *path, const struct npz_entry *entry, int32_t rows, int32_t width,
                      float **taken) {
  const struct npy_array *array = &entry->array;
  if (array->rank != 2 || array->shape[0] != rows || array->shape[1] != width)
    return fail("%s: %s: does not fit the model and its input (needed [%d,%d])", path, entry->name, (int)rows,
                (int)width);
  const size_t count = (size_t)rows * (size_t)width;
  *taken = malloc(count * sizeof **taken);
  if (!*taken)
    return fail_memory();
  for (size_t i = 0; i < count; i++)
    (*taken)[i] = (float)saved_value(array, i);
  return EXIT_DONE;
}

int begin_states(struct begin *begin, const cuseq_model *model, const char *path, const struct npz *archive,
                 int32_t rows) {
  begin->state_width = state_width(model);
  for (size_t i = 0; i < archive->count; i++) {
    const struct npz_entry *entry = &archive->entries[i];
    if (!begin_is_state(model, entry->name))
      continue;
    float **taken = strcmp(entry->name, "initial_h") == 0 ? &begin->initial_h : &begin->initial_c;
    const int status = state_take(path, entry, rows, begin->state_width, taken);
    if (status != EXIT_DONE)
      return status;
  }
  return EXIT_DONE;
}

void begin_bind(const struct begin *begin, int32_t first, cuseq_decoding *decoding) {
  const size_t at = (size_t)first * (size_t)begin->state_width;
  decoding->previous = begin->previous ? begin->previous + first : NULL;
  decoding->initial_h = begin->initial_h ? begin->initial_h + at : NULL;
  decoding->initial_c = begin->initial_c ? begin->initial_c + at : NULL;
}

void begin_free(struct begin *begin) {
  free(begin->previous);
  free(begin->initial_h);
  free(begin->initial_c);
  *begin = (struct begin){0};
}
