/* A module of another version than the library's, for the refusal of it. */
#include "backends/cuda/module.h"

static int32_t device_count(void) {
  return 1;
}

extern const struct cuda_module cuseq_cuda_module;
CUSEQ_API const struct cuda_module cuseq_cuda_module = {.version = "0.0.0", .device_count = device_count};
