/* The tensors that a configuration asks for, and their checking and conversion. */
#ifndef CUSEQ_MODEL_WEIGHTS_H
#define CUSEQ_MODEL_WEIGHTS_H

#include "model/model.h"

/* A tensor as somebody brings it: any float type, not necessarily aligned. */
struct weights_source {
  const char *name;
  const char *dtype_name; /* for messages                                                                 */
  int dtype;              /* a cuseq_dtype, or -1 for any other                                           */
  int32_t rank;
  const int64_t *shape;
  const void *data;
};

/* Fills model->tensors, ->storage, ->names and ->weights from the sources, and the widths in model->config
 * that only the tensors tell. On failure the message names the tensor, what was found and what is needed;
 * model_release frees. */
cuseq_status weights_load(cuseq_model *model, const struct weights_source *sources, size_t count);

#endif
