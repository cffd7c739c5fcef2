/* The tensors that a configuration needs, by name and shape, in the order of the model format. */
#ifndef CUSEQ_MODEL_TENSOR_LIST_H
#define CUSEQ_MODEL_TENSOR_LIST_H

#include "model/model.h"

enum {
  TENSOR_NAME_CAPACITY = 64,
  TENSOR_LIST_CAPACITY = MODEL_MAX_LAYERS * 6 + CUSEQ_MAX_ATTENTION_LAYERS * 2 + 16
};

struct tensor_entry {
  char name[TENSOR_NAME_CAPACITY];
  int32_t rank;
  int64_t shape[2];
  const float **view; /* where in model_weights the pointer to its data goes */
};

struct tensor_list {
  size_t count;
  struct tensor_entry entries[TENSOR_LIST_CAPACITY];
};

/* Lists them. Every width in `config` is known; `has_additive_bias` tells of the one optional tensor that no
 * width tells. Also sets the widths in `weights`. */
void tensor_list_make(const cuseq_config *config, bool has_additive_bias, struct model_weights *weights,
                      struct tensor_list *list);

#endif
