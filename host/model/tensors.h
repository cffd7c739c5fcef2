/* The tensors of a model, by name and shape, in the order of the model format: one walk over the structure
 * for loading, saving, checking and random models. */
#ifndef CUSEQ_MODEL_TENSORS_H
#define CUSEQ_MODEL_TENSORS_H

#include "model/structure.h"

enum { TENSOR_NAME_CAPACITY = 64 };

struct tensor_entry {
  char name[TENSOR_NAME_CAPACITY];
  int32_t rank;
  int64_t shape[2];
  const float **view; /* the structure's pointer to its data */
};

struct tensor_list {
  size_t count, capacity;
  struct tensor_entry *entries;
};

/* Lists the tensors of a structure under the names of that version of the format.
 *   list  receives them; tensor_list_free is due, after a failure too */
cuseq_status tensor_list_make(struct structure *structure, int32_t version, struct tensor_list *list);

/* Releases; does nothing on a zeroed list. */
void tensor_list_free(struct tensor_list *list);

#endif
