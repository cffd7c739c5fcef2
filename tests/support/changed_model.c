#include "support/changed_model.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void give_up(const char *why) {
  fprintf(stderr, "changed_model: %s\n", why);
  abort();
}

/* The number of tensor `name`. */
static size_t find(const cuseq_model *model, const char *name) {
  const size_t count = cuseq_model_tensor_count(model);
  for (size_t i = 0; i < count; i++) {
    cuseq_tensor tensor;
    cuseq_model_tensor(model, i, &tensor);
    if (strcmp(tensor.name, name) == 0)
      return i;
  }
  give_up(name); /* there is no such tensor */
  return 0;
}

cuseq_model *changed_model_with(cuseq_model *model, const char *name, const float *data) {
  const size_t count = cuseq_model_tensor_count(model);
  cuseq_tensor *tensors = malloc(count * sizeof *tensors);
  cuseq_model *changed;
  for (size_t i = 0; i < count; i++)
    cuseq_model_tensor(model, i, &tensors[i]);
  tensors[find(model, name)].data = data;
  if (cuseq_model_create(cuseq_model_config_json(model), tensors, count, &changed) != CUSEQ_STATUS_OK)
    give_up(cuseq_last_error());
  free(tensors);
  cuseq_model_destroy(model);
  return changed;
}

cuseq_model *changed_model_times(cuseq_model *model, const char *name, float factor) {
  cuseq_tensor tensor;
  cuseq_model_tensor(model, find(model, name), &tensor);
  const size_t size = (size_t)(tensor.shape[0] * (tensor.rank > 1 ? tensor.shape[1] : 1));
  float *scaled = malloc(size * sizeof *scaled);
  for (size_t k = 0; k < size; k++)
    scaled[k] = ((const float *)tensor.data)[k] * factor;
  cuseq_model *changed = changed_model_with(model, name, scaled);
  free(scaled);
  return changed;
}
