/* The "names" of a description: which module of the checkpoint is which part of the model. */
#ifndef CUSEQ_PYTORCH_NAMES_H
#define CUSEQ_PYTORCH_NAMES_H

#include "cuseq/cuseq.h"

#include <jansson.h>
#include <stdbool.h>

enum { NAMES_KEY_CAPACITY = 48 };

struct name {
  char key[NAMES_KEY_CAPACITY]; /* ours, "attention.layers.0" */
  const char *module;           /* the checkpoint's prefix; "" where the module is the whole checkpoint */
  bool swapped; /* the module reads its two inputs, joined, the other way round than the model does */
};

struct names {
  struct name *entries;
  size_t count;
  const json_t *ignore; /* a list of texts, or NULL */
  bool feedback;        /* the configuration feeds tokens back */
};

/* Checks the names against the configuration, as far as that needs no checkpoint: every key is one that the
 * configuration has, those that it needs are there, every value is a module's name or an object of name and
 * order, an order stands where two inputs are joined, and no module is two parts that cannot be one.
 *   object  the value of "names"; must outlive `names`, which points into it. NULL where there is none
 *   names   release it with names_free, on failure too */
cuseq_status names_parse(const json_t *object, const cuseq_config *config, struct names *names);
void names_free(struct names *names);

/* The entry of one of our keys, or NULL. */
const struct name *names_find(const struct names *names, const char *key);

/* The entry that a direction (0 forward, 1 backward) of an encoder layer is read from: its own, its layer's,
 * or the whole encoder's; NULL where there is none. */
const struct name *names_find_cell(const struct names *names, int layer, int direction);

#endif
