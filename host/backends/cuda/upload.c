#include "backends/cuda/upload.h"

#include "error.h"

#include <stdlib.h>

cuseq_status cuda_upload_add(struct cuda_upload *upload, const float *host, size_t count,
                             const float **device) {
  *device = NULL;
  if (!host || count == 0)
    return CUSEQ_STATUS_OK;
  if (upload->count == upload->capacity) {
    size_t capacity = upload->capacity > 0 ? 2 * upload->capacity : 64;
    struct cuda_weight *grown = realloc(upload->weights, capacity * sizeof *grown);
    if (!grown)
      return error_set(CUSEQ_STATUS_OUT_OF_MEMORY, "cuseq_session_open: out of memory");
    upload->weights = grown;
    upload->capacity = capacity;
  }
  upload->weights[upload->count++] = (struct cuda_weight){host, count, device};
  return CUSEQ_STATUS_OK;
}

/* The first array of the list with the same numbers as array `index`. */
static size_t first_of(const struct cuda_upload *upload, size_t index) {
  size_t i = 0;
  while (upload->weights[i].host != upload->weights[index].host ||
         upload->weights[i].count != upload->weights[index].count)
    i++;
  return i;
}

void cuda_upload_plan(const struct cuda_upload *upload, struct cuda_plan *plan) {
  for (size_t i = 0; i < upload->count; i++)
    if (first_of(upload, i) == i)
      cuda_plan_add(plan, upload->weights[i].device, upload->weights[i].count * sizeof(float));
}

cuseq_status cuda_upload_copy(const struct cuda_upload *upload) {
  for (size_t i = 0; i < upload->count; i++) {
    const struct cuda_weight *weight = &upload->weights[i];
    size_t first = first_of(upload, i);
    if (first == i)
      CUDA_TRY(cudaMemcpy((void *)*weight->device, weight->host, weight->count * sizeof(float),
                          cudaMemcpyHostToDevice));
    else
      *weight->device = *upload->weights[first].device;
  }
  return CUSEQ_STATUS_OK;
}

void cuda_upload_free(struct cuda_upload *upload) {
  free(upload->weights);
  *upload = (struct cuda_upload){0};
}
