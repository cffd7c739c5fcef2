/* What sessions of one model have in common beside the model itself: its weights in the order that a device
 * wants. It is made by the first session that asks for it, and freed by the last one that used it. */
#ifndef CUSEQ_MODEL_PART_H
#define CUSEQ_MODEL_PART_H

#include "model/model.h"

/* The beginning of a structure that is shared so. */
struct model_part {
  struct model_part *next;
  const void *key; /* tells parts of one model apart: the address of something that does not move */
  int64_t users;
};

typedef cuseq_status model_part_make(void *argument, struct model_part **part);

/* The model's part of this key: the one that is there, or else what make(argument, part) makes. Any thread;
 * another one that asks meanwhile waits until it is made. */
cuseq_status model_part_take(cuseq_model *model, const void *key, model_part_make *make, void *argument,
                             struct model_part **part);

/* Ends a use. True where it was the last one: then the part is the caller's, who frees it. */
bool model_part_leave(cuseq_model *model, struct model_part *part);

#endif
