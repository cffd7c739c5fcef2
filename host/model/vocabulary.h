/* The symbols of a model's input and output, text to ids and tokens to text; the labels of its heads. */
#ifndef CUSEQ_MODEL_VOCABULARY_H
#define CUSEQ_MODEL_VOCABULARY_H

#include "cuseq/cuseq.h"
#include "model/cut.h"

#include <stdbool.h>
#include <stdint.h>

enum { VOCABULARY_MAX_HEADS = 8 };

struct symbol_place {
  const char *name;
  int32_t id;
};

/* One side's symbols: code points or words, or names in <>, which no text has. */
struct symbols {
  struct cutting cutting; /* how texts become these symbols */
  int32_t count;
  char **names;                /* [count] UTF-8 */
  bool *named;                 /* [count] whether it is a name in <> */
  struct symbol_place *sorted; /* [count] in the order of the names' bytes */
};

/* What the outputs of one head mean. */
struct labels {
  char *head;    /* the head's name as the vocabulary has it; NULL: the only one's */
  int32_t index; /* of the head */
  int32_t count;
  char **names; /* [count] UTF-8 */
};

struct vocabulary {
  int32_t length; /* 0: the model has no vocabulary */
  uint32_t *drop; /* code points dropped from texts, zero-terminated; NULL: none */
  struct symbols input;
  struct symbols output;
  int32_t unknown;  /* id of <unk> in input, or -1 */
  int32_t padding;  /* id of <pad> in input, or -1 */
  int32_t labelled; /* how many heads have labels */
  struct labels labels[VOCABULARY_MAX_HEADS];
};

void vocabulary_free(struct vocabulary *vocabulary);

/* The id of a token of a text among the symbols, or -1. */
int32_t symbols_find(const struct symbols *symbols, const struct token *token);

/* The id of a symbol by its name, names in <> too, or -1. */
int32_t symbols_named(const struct symbols *symbols, const char *name);

/* The labels of a head; NULL: it has none. */
const struct labels *vocabulary_labels(const struct vocabulary *vocabulary, int32_t head);

#endif
