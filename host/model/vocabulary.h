/* The symbols of a model's input and output: text to ids, tokens to text. */
#ifndef CUSEQ_MODEL_VOCABULARY_H
#define CUSEQ_MODEL_VOCABULARY_H

#include "cuseq/cuseq.h"

#include <stdbool.h>
#include <stdint.h>

/* One side's symbols: code points, or names in <>. */
struct symbols {
  int32_t count;
  char **names;         /* [count] UTF-8 */
  uint32_t *characters; /* [count] the code point; 0 for a named symbol */
};

struct vocabulary {
  int32_t length; /* 0: the model has no vocabulary */
  bool lowercase;
  uint32_t *drop; /* code points dropped from texts, zero-terminated; NULL: none */
  struct symbols input;
  struct symbols output;
  int32_t unknown; /* id of <unk> in input, or -1 */
  int32_t padding; /* id of <pad> in input, or -1 */
};

void vocabulary_free(struct vocabulary *vocabulary);

/* The id of a code point among the symbols, or -1. */
int32_t symbols_find(const struct symbols *symbols, uint32_t character);

/* Decodes the code point at *text and moves *text behind it. Returns false for what is not UTF-8. */
bool utf8_next(const char **text, uint32_t *character);

#endif
