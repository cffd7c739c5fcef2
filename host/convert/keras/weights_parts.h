/* What weights.c, weights_archive.c and weights_legacy.c share. */
#ifndef CUSEQ_KERAS_WEIGHTS_PARTS_H
#define CUSEQ_KERAS_WEIGHTS_PARTS_H

#include "convert/keras/weights.h"

/* The weights that a layer has, by its class and its settings. */
struct expected_weights {
  const char *names[WEIGHTS_MAX_ARRAYS]; /* as Keras calls them */
  size_t count;
  const json_t *wrapper; /* the configuration of the layer that is in a wrapper, else NULL */
  const char
      *cell; /* the name of a recurrent layer's cell; "" for whatever Keras calls it, NULL: it has none */
  const char *usual_cell; /* what Keras calls it, but for a number behind it */
  size_t statistics;      /* so many of the last ones are never trained */
  char folder[64];        /* in the layer's folder of a .keras file */
};

/* A class as the folders of a .keras file have it: LSTM -> lstm, TimeDistributed -> time_distributed. */
void weights_snake_case(const char *name, char *snake, size_t capacity);

/* count 0: it has none, or its class is not one that cuseq knows. */
void weights_expect(const struct keras_layer *layer, enum weights_part part,
                    struct expected_weights *expected);

/* How many parts from WEIGHTS_CELL on a layer has: cells of a list, projections. */
int weights_parts_in(const struct keras_layer *layer);

/* The child of a group, or NULL. */
const struct hdf5_node *weights_child(const struct hdf5_node *group, const char *path);

/* Notes whose an array is. Refuses one that is somebody else's. */
cuseq_status weights_claim(struct weights_source *source, const struct hdf5_node *array,
                           const struct keras_layer *layer, enum weights_part part, size_t at);
bool weights_is_claimed(const struct weights_source *source, const struct hdf5_node *array);

/* The first array in a group and the groups in it that nobody has claimed; path receives where it lies in the
 * group. The state of a random generator (an integer array in a group seed_generator) is none. */
const struct hdf5_node *weights_unclaimed(const struct weights_source *source, const struct hdf5_node *group,
                                          char *path, size_t capacity);

/* weights_archive.c: .keras */
cuseq_status archive_name_folders(struct weights_source *source, struct keras_model *model);
cuseq_status archive_find(struct weights_source *source, const struct keras_layer *layer,
                          enum weights_part part, struct layer_weights *weights);
cuseq_status archive_all_found(const struct weights_source *source);

/* weights_legacy.c: whole-model .h5 */
cuseq_status legacy_find(struct weights_source *source, const struct keras_layer *layer,
                         enum weights_part part, struct layer_weights *weights);
cuseq_status legacy_all_found(const struct weights_source *source);

#endif
