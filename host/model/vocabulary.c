#include "model/vocabulary.h"

#include <stdlib.h>
#include <string.h>

static void names_free(char **names, int32_t count) {
  for (int32_t i = 0; names && i < count; i++)
    free(names[i]);
  free(names);
}

static void symbols_free(struct symbols *symbols) {
  names_free(symbols->names, symbols->count);
  free(symbols->named);
  free(symbols->sorted);
}

void vocabulary_free(struct vocabulary *vocabulary) {
  symbols_free(&vocabulary->input);
  symbols_free(&vocabulary->output);
  free(vocabulary->drop);
  for (int32_t i = 0; i < vocabulary->labelled; i++) {
    free(vocabulary->labels[i].head);
    names_free(vocabulary->labels[i].names, vocabulary->labels[i].count);
  }
  memset(vocabulary, 0, sizeof *vocabulary);
}

int32_t symbols_find(const struct symbols *symbols, const struct token *token) {
  int32_t low = 0, high = symbols->count;
  while (low < high) {
    int32_t middle = low + (high - low) / 2;
    const struct symbol_place *place = &symbols->sorted[middle];
    int order = cut_compare(&symbols->cutting, token, place->name);
    if (order == 0)
      return symbols->named[place->id] ? -1 : place->id;
    if (order < 0)
      high = middle;
    else
      low = middle + 1;
  }
  return -1;
}

int32_t symbols_named(const struct symbols *symbols, const char *name) {
  for (int32_t i = 0; i < symbols->count; i++)
    if (strcmp(symbols->names[i], name) == 0)
      return i;
  return -1;
}

const struct labels *vocabulary_labels(const struct vocabulary *vocabulary, int32_t head) {
  for (int32_t i = 0; i < vocabulary->labelled; i++)
    if (vocabulary->labels[i].index == head)
      return &vocabulary->labels[i];
  return NULL;
}
