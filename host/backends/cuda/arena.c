#include "backends/cuda/cuda.h"

enum { ALIGNMENT = 256 };

void cuda_plan_add(struct cuda_plan *plan, void *array, size_t bytes) {
  *(void **)array = NULL;
  if (bytes == 0)
    return;
  plan->entries[plan->count].array = array;
  plan->entries[plan->count++].offset = plan->bytes;
  plan->bytes += (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
}
