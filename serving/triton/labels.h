/* The labels of a model's outputs, and how probable they are. */
#ifndef CUSEQ_SERVING_LABELS_H
#define CUSEQ_SERVING_LABELS_H

#include "fault.h"

/* The most probable label of a head, as `cuseq classify` and `cuseq tag` print it.
 *   outputs      [V] of all heads
 *   probability  receives its probability
 * Returns the label; it lives as long as the model. */
const char *label_best(const cuseq_model *model, int32_t index, const cuseq_head *head, const float *outputs,
                       float *probability);

#endif
