/* What the user says that functions of the author's own compute: a file has their names and no code. */
#ifndef CUSEQ_KERAS_OWN_ACTIVATIONS_H
#define CUSEQ_KERAS_OWN_ACTIVATIONS_H

#include "cuseq/cuseq.h"

#include <stdbool.h>

/* The meaning that is none of Keras' activations: softmax(x, axis=1). */
#define OWN_SOFTMAX_AXIS_1 "softmax_axis1"

enum { OWN_ACTIVATIONS_MOST = 16, OWN_ACTIVATIONS_NAME = 64 };

struct own_activation {
  char name[OWN_ACTIVATIONS_NAME];
  char meaning[OWN_ACTIVATIONS_NAME];
  bool used; /* a layer that was evaluated has it */
};

/* Zeroed: nothing was said. */
struct own_activations {
  struct own_activation list[OWN_ACTIVATIONS_MOST];
  int32_t count;
};

/* Reads "NAME=MEANING,NAME=MEANING"; a MEANING is OWN_SOFTMAX_AXIS_1 or the name of one of Keras'
 * activations. Errors begin with the program's option. */
cuseq_status own_activations_parse(const char *text, struct own_activations *own);

/* The meaning of the function `name`, which is then used; NULL: nothing is said of it, or `own` is NULL. */
const char *own_activations_meaning(struct own_activations *own, const char *name);

/* Refuses names that no layer has. */
cuseq_status own_activations_all_used(const struct own_activations *own);

#endif
