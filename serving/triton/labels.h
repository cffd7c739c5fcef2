/* The labels of a model's outputs, and how probable they are. */
#ifndef CUSEQ_SERVING_LABELS_H
#define CUSEQ_SERVING_LABELS_H

#include "room.h"

/* The most probable label of a head that has labels, as `cuseq classify` and `cuseq tag` print it.
 *   outputs      [V] of all heads
 *   room         for the probabilities of all labels
 *   label        receives it; it lives as long as the model
 *   probability  receives its probability */
TRITONSERVER_Error *label_best(const cuseq_model *model, int32_t head, const float *outputs,
                               struct room *room, const char **label, float *probability);

#endif
