/* The keys that "names" may have, of a structure. */
#ifndef CUSEQ_ARRAYS_SOURCES_KNOWN_H
#define CUSEQ_ARRAYS_SOURCES_KNOWN_H

#include "convert/arrays/sources.h"

enum {
  KNOWN_MOST = 6 * STRUCTURE_MAX_ENCODER_LAYERS + 4 * STRUCTURE_MAX_DECODER_LAYERS +
               3 * STRUCTURE_MAX_HEADS * STRUCTURE_MAX_DENSE +
               STRUCTURE_MAX_SELF_ATTENTIONS * (CUSEQ_MAX_ATTENTION_LAYERS + 8) + 16
};

struct known_source {
  char key[NAMES_KEY_CAPACITY];
  enum source_kind kind;
  bool needed;
  bool joins;     /* reads two things, whose order may be said */
  bool lstm;      /* of cells: their gates are an LSTM's */
  bool zeros;     /* may be null: there is no such part */
  bool projected; /* the key before its last dot may name it, with others */
  bool residual;  /* may be residual */
};

struct known_sources {
  struct known_source entries[KNOWN_MOST];
  size_t count;
};

/* Lists them into a zeroed list. */
void known_sources_make(const struct structure *structure, struct known_sources *list);

/* The one of a key, or NULL. */
const struct known_source *known_sources_find(const struct known_sources *list, const char *key);

/* The error that a key is none of them. */
cuseq_status known_sources_unknown(const struct known_sources *list, const char *key);

#endif
