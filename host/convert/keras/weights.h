/* Where a layer's arrays lie in the file. Legacy .h5: model_weights/LAYER has the attribute weight_names, a list of
 * paths. .keras: layers/CLASS_N/.../vars/0, 1, ..., where CLASS_N is the class in snake case, numbered. */
#ifndef CUSEQ_KERAS_WEIGHTS_H
#define CUSEQ_KERAS_WEIGHTS_H

#include "convert/keras/expression.h"
#include "formats/hdf5/tree.h"

struct weights_source {
  const struct hdf5_node *root;
  bool legacy;
  const struct keras_model *model;
  bool model_weights_at_root; /* legacy: the layers' groups lie at the root */
};

/* What part of a layer is meant: of a Bidirectional layer one direction, of others the whole. */
enum weights_part { WEIGHTS_WHOLE, WEIGHTS_FORWARD, WEIGHTS_BACKWARD };

enum { WEIGHTS_MAX_ARRAYS = 16 };

struct layer_weights {
  const struct hdf5_node *arrays[WEIGHTS_MAX_ARRAYS]; /* in Keras' order */
  size_t count;
};

/* Finds the arrays of a layer.
 *   folder  where a .keras file has them inside the layer: "" or "cell" (LSTM), "layer" (TimeDistributed) */
cuseq_status weights_find(const struct weights_source *source, const struct keras_layer *layer,
                          enum weights_part part, const char *folder, struct layer_weights *weights);

/* Loads array `at` as a matrix of this shape (rows 0: a vector, which becomes one row; a dimension of -1 is taken as
 * found), or finds that it was loaded.
 *   what  its name for messages, "kernel" */
cuseq_status weights_matrix(struct expressions *expressions, const struct keras_layer *layer,
                            const struct layer_weights *weights, size_t at, const char *what, int64_t rows,
                            int64_t columns, int32_t *matrix);

#endif
