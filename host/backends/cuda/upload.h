/* A model's weights on the device: listed once when a session opens, then given places and copied. */
#ifndef CUSEQ_CUDA_UPLOAD_H
#define CUSEQ_CUDA_UPLOAD_H

#include "backends/cuda/cuda.h"

/* One array of weights, copied as it is. */
struct cuda_weight {
  const float *host;
  size_t count;
  const float **device; /* receives its address on the device */
};

struct cuda_upload {
  struct cuda_weight *weights;
  size_t count, capacity;
};

/* Lists an array; host NULL lists nothing and leaves *device NULL. What is listed twice lies on the device
 * once. */
cuseq_status cuda_upload_add(struct cuda_upload *upload, const float *host, size_t count,
                             const float **device);
/* Gives every array that is listed for the first time a place in the plan. */
void cuda_upload_plan(const struct cuda_upload *upload, struct cuda_plan *plan);
/* Copies them, after the memory has been taken; synchronous. */
cuseq_status cuda_upload_copy(const struct cuda_upload *upload);
/* Forgets the list. */
void cuda_upload_free(struct cuda_upload *upload);

#endif
