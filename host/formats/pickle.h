/* Python's pickles, as far as data goes: numbers, texts, tuples, lists and dictionaries, and of functions and
 * classes only those that the reader lists by name. Nothing is run: a call is handed to the reader, which
 * makes a value of it.
 *
 * Read: the opcodes of protocols 2 to 5 that such data needs. Refused: every other opcode, every other global
 * by its name, and pickles that would take more than PICKLE_MOST_MEMORY. */
#ifndef CUSEQ_FORMATS_PICKLE_H
#define CUSEQ_FORMATS_PICKLE_H

#include "cuseq/cuseq.h"
#include "formats/arena.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { PICKLE_MOST_MEMORY = 32 << 20, PICKLE_MOST_BYTES = 16 << 20 };

enum pickle_kind {
  PICKLE_NONE,
  PICKLE_BOOL,
  PICKLE_INT, /* of more than 64 bits: PICKLE_OTHER */
  PICKLE_FLOAT,
  PICKLE_TEXT,
  PICKLE_BYTES,
  PICKLE_TUPLE,
  PICKLE_LIST,
  PICKLE_DICT,
  PICKLE_SET,
  PICKLE_GLOBAL, /* one that the reader listed */
  PICKLE_OBJECT, /* what the reader made of a call or of a persistent id */
  PICKLE_OTHER,  /* of no use */
};

struct pickle_value {
  enum pickle_kind kind;
  int64_t integer;             /* BOOL, INT; GLOBAL: its place in the reader's list */
  const char *text;            /* TEXT, BYTES: zero-terminated, but may hold zeros */
  size_t size;                 /* of the text */
  struct pickle_value **items; /* TUPLE, LIST, SET; DICT: key, value, key, value, ... */
  size_t count, capacity;      /* of items */
  const void *object;          /* OBJECT */
};

/* A function or class that the reader knows. */
struct pickle_global {
  const char *module, *name;
};

/* What a pickle is for. */
struct pickle_reader {
  const struct pickle_global *globals; /* ends with a NULL module */
  const char *place;                   /* of the pickle, "data.pkl", for messages */
  const char *purpose;                 /* "a state_dict", for messages */
  void *context;
  /* Fills in what the call of a global with these arguments, a tuple, is. */
  cuseq_status (*call)(void *context, int global, const struct pickle_value *arguments,
                       struct pickle_value *result);
  /* Fills in what a persistent id stands for. */
  cuseq_status (*persistent)(void *context, const struct pickle_value *id, struct pickle_value *result);
};

/* Reads one pickle, to its STOP. Values live in the arena, which the caller frees, after a failure too; they
 * may refer to each other in circles. */
cuseq_status pickle_read(const void *bytes, size_t size, const struct pickle_reader *reader,
                         struct arena *arena, struct pickle_value **result);

#endif
