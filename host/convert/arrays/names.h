/* The "names" of a description of version 1: which module of the checkpoint is which part of the model; and
 * what those of version 2 (sources.h) have in common with them. */
#ifndef CUSEQ_ARRAYS_NAMES_H
#define CUSEQ_ARRAYS_NAMES_H

#include "cuseq/cuseq.h"

#include <jansson.h>
#include <stdbool.h>

enum { NAMES_KEY_CAPACITY = 48 };

struct name {
  char key[NAMES_KEY_CAPACITY]; /* ours, "attention.layers.0" */
  const char *module;           /* the checkpoint's prefix; "" where the module is the whole checkpoint;
                                   version 2: NULL where its arrays are named one by one */
  bool swapped; /* the module reads its two inputs, joined, the other way round than the model does */
};

struct names {
  struct name *entries;
  size_t count;
  const char **ignore; /* [ignore_count] modules and arrays that are left out */
  size_t ignore_count;
  const char *embedding_hint; /* which embedding the names could have and have not, or NULL */
};

/* Checks the names against the configuration, as far as that needs no checkpoint: every key is one that the
 * configuration has, those that it needs are there, every value is a module's name or an object of name and
 * order, an order stands where two inputs are joined, and no module is two parts that cannot be one.
 *   object  the value of "names"; must outlive `names`, which points into it. NULL where there is none
 *   names   release it with names_free, on failure too */
cuseq_status names_parse(const json_t *object, const cuseq_config *config, struct names *names);
void names_free(struct names *names);

/* What both versions do alike: check that "names" is an object, and read "ignore", a list of texts. */
cuseq_status names_check_object(const json_t *object);
cuseq_status names_read_ignore(const json_t *list, struct names *names);

/* The entry of one of our keys, or NULL. */
const struct name *names_find(const struct names *names, const char *key);

/* The entry that a direction (0 forward, 1 backward) of an encoder layer is read from: its own, its layer's,
 * or the whole encoder's; NULL where there is none. */
const struct name *names_find_cell(const struct names *names, int layer, int direction);

#endif
