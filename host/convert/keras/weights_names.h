/* What the path of a weight in a .h5 says: "bidirectional/forward_lstm/lstm_cell/kernel:0". */
#ifndef CUSEQ_KERAS_WEIGHTS_NAMES_H
#define CUSEQ_KERAS_WEIGHTS_NAMES_H

#include "convert/keras/weights_parts.h"

/* One weight that is looked for. */
struct wanted_weight {
  const struct keras_layer *layer;
  enum weights_part part;
  struct expected_weights expected;
  const char *what; /* its name, "kernel" */
  bool alone;       /* no other layer of the group has a weight of this name */
};

/* How well a path names it: 2 well; 1 in a way that a better one goes before; 0 not. *others is counted up
 * where it is the path of a weight of this name, be it whose it may. */
int weights_name_fits(const struct hdf5_string *path, const struct wanted_weight *wanted, int *others);

/* The layer of the outermost model that a layer lies in, or is. */
const struct keras_layer *weights_top(const struct keras_layer *layer);

/* `count`, and how many of a layer, or of the layers in it, have a weight of that name; no more than 2. */
int weights_count_with(const struct keras_layer *layer, const char *what, int count);

#endif
