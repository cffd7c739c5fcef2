/* A layer's weights in the file, found by their names and paths (weights_archive.c, weights_legacy.c), and
 * what was taken of all that lies there (weights.c): a weight that nobody takes is a reason to refuse, for
 * the layer that has it computes something else than is thought. */
#ifndef CUSEQ_KERAS_WEIGHTS_H
#define CUSEQ_KERAS_WEIGHTS_H

#include "convert/graph/expression.h"
#include "convert/keras/graph.h"
#include "formats/hdf5/tree.h"

/* Whose an array is. */
struct weights_claim {
  const struct keras_layer *layer; /* NULL: nobody's so far */
  int part;
  size_t at;
  size_t rank; /* in the order of the layers, where that is looked at */
};

struct weights_source {
  const struct hdf5_node *root; /* whose nodes must be numbered */
  bool legacy;                  /* a whole-model .h5 */
  struct keras_version version;
  const struct keras_model *model;
  struct arena *arena;
  struct weights_claim *claims; /* one for each node of the file: of an array, or of a layer's folder */
  size_t looked_at;             /* names, against a file that has more of them than a model */
};

/* What part of a layer is meant: of a Bidirectional layer one direction, of an RNN over a list of cells one
 * of them (WEIGHTS_CELL + n), of a MultiHeadAttention a projection likewise, of others the whole. */
enum weights_part { WEIGHTS_WHOLE, WEIGHTS_FORWARD, WEIGHTS_BACKWARD, WEIGHTS_CELL };

/* The projections of a MultiHeadAttention, which are layers in it: parts from WEIGHTS_CELL on. */
enum { PROJECTION_QUERY, PROJECTION_KEY, PROJECTION_VALUE, PROJECTION_OUTPUT, PROJECTIONS };

/* The cells of an RNN over a list of them: an array of {class_name, config}; NULL: it is none such. */
const json_t *weights_cells(const struct keras_layer *layer);

enum { WEIGHTS_MAX_ARRAYS = 4, WEIGHTS_MAX_NAME = 256, WEIGHTS_MAX_PATH = 1024 };

struct layer_weights {
  const struct hdf5_node *arrays[WEIGHTS_MAX_ARRAYS]; /* in Keras' order */
  size_t count;
};

/* Prepares for weights_find. On success and on failure weights_close releases. */
cuseq_status weights_open(struct weights_source *source, struct keras_model *model);
void weights_close(struct weights_source *source);

/* Finds the arrays of a layer. Those that are missing are seen by weights_matrix. */
cuseq_status weights_find(struct weights_source *source, const struct keras_layer *layer,
                          enum weights_part part, struct layer_weights *weights);

/* Loads array `at` as a matrix of this shape (rows 0: a vector, which becomes one row; a dimension of -1 is
 * taken as found), or finds that it was loaded.
 *   what  its name for messages, "kernel" */
cuseq_status weights_matrix(struct expressions *expressions, const struct keras_layer *layer,
                            const struct layer_weights *weights, size_t at, const char *what, int64_t rows,
                            int64_t columns, int32_t *matrix);

/* The same of an array of `rank` axes, whose numbers are taken as those of a matrix of so many rows.
 *   shape  [rank] as the array's must be; -1: any */
cuseq_status weights_shaped(struct expressions *expressions, const struct keras_layer *layer,
                            const struct layer_weights *weights, size_t at, const char *what,
                            const int64_t *shape, int rank, int64_t rows, int32_t *matrix);

/* Refuses a file that has weights, of layers that were evaluated or of none, which weights_find did not
 * give. */
cuseq_status weights_all_found(const struct weights_source *source);

#endif
