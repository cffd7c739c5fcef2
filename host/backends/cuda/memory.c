#include "backends/cuda/cuda.h"

#include "error.h"

enum { ALIGNMENT = 256 };

void cuda_plan_add(struct cuda_plan *plan, void *array, size_t bytes) {
  *(void **)array = NULL;
  if (bytes == 0)
    return;
  plan->entries[plan->count].array = array;
  plan->entries[plan->count++].offset = plan->bytes;
  plan->bytes += (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
}

cuseq_status cuda_plan_allocate(struct cuda_session *session, const struct cuda_plan *plan) {
  cudaError_t error = cudaMalloc(&session->arena, plan->bytes);
  if (error == cudaErrorMemoryAllocation) {
    size_t left = 0, total = 0;
    cudaGetLastError();
    cudaMemGetInfo(&left, &total);
    return error_set(
        CUSEQ_STATUS_OUT_OF_MEMORY,
        "cuda:%d: out of memory (needed %zu MiB for max_batch %d and max_time %d, found %zu MiB free of "
        "%zu)",
        (int)session->index, (plan->bytes >> 20) + 1, (int)session->limits.batch, (int)session->limits.time,
        left >> 20, total >> 20);
  }
  if (error != cudaSuccess)
    return cuda_failure(error, "cudaMalloc");
  session->arena_bytes = plan->bytes;
  for (int32_t i = 0; i < plan->count; i++)
    *(void **)plan->entries[i].array = (char *)session->arena + plan->entries[i].offset;
  return CUSEQ_STATUS_OK;
}
