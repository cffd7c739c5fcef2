#include "model/part.h"

#include <stddef.h>

static struct model_part *part_find(const cuseq_model *model, const void *key) {
  struct model_part *part = model->parts;
  while (part && part->key != key)
    part = part->next;
  return part;
}

cuseq_status model_part_take(cuseq_model *model, const void *key, model_part_make *make, void *argument,
                             struct model_part **part) {
  cuseq_status status = CUSEQ_STATUS_OK;
  pthread_mutex_lock(&model->parts_lock);
  struct model_part *found = part_find(model, key);
  if (!found)
    status = make(argument, &found);
  if (status == CUSEQ_STATUS_OK) {
    if (found->users++ == 0) {
      found->key = key;
      found->next = model->parts;
      model->parts = found;
    }
    *part = found;
  }
  pthread_mutex_unlock(&model->parts_lock);
  return status;
}

bool model_part_leave(cuseq_model *model, struct model_part *part) {
  pthread_mutex_lock(&model->parts_lock);
  const bool last = --part->users == 0;
  if (last) {
    struct model_part **at = &model->parts;
    while (*at != part)
      at = &(*at)->next;
    *at = part->next;
  }
  pthread_mutex_unlock(&model->parts_lock);
  return last;
}
