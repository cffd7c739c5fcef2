/* A program's own definitions come before those of its libraries, for what it loads later too: these count
 * and pass on. */
#include "cuda/runtime_calls.h"

#include <cuda_runtime_api.h>
#include <dlfcn.h>

static struct runtime_calls calls;

struct runtime_calls runtime_calls_take(void) {
  struct runtime_calls taken = calls;
  calls = (struct runtime_calls){0};
  return taken;
}

#define PASS_ON(counter, name, parameters, ...)                                                              \
  __attribute__((visibility("default"))) cudaError_t name parameters {                                       \
    static cudaError_t(*next) parameters;                                                                    \
    if (!next)                                                                                               \
      *(void **)&next = dlsym(RTLD_NEXT, #name);                                                             \
    calls.counter++;                                                                                         \
    return next(__VA_ARGS__);                                                                                \
  }

PASS_ON(waits, cudaStreamSynchronize, (cudaStream_t stream), stream)
PASS_ON(waits, cudaEventSynchronize, (cudaEvent_t event), event)
PASS_ON(waits, cudaDeviceSynchronize, (void))
PASS_ON(queries, cudaPointerGetAttributes, (struct cudaPointerAttributes * attributes, const void *pointer),
        attributes, pointer)
PASS_ON(orders, cudaStreamWaitEvent, (cudaStream_t stream, cudaEvent_t event, unsigned flags), stream, event,
        flags)
PASS_ON(allocations, cudaMalloc, (void **memory, size_t bytes), memory, bytes)
PASS_ON(allocations, cudaMallocHost, (void **memory, size_t bytes), memory, bytes)
PASS_ON(allocations, cudaHostAlloc, (void **memory, size_t bytes, unsigned flags), memory, bytes, flags)
PASS_ON(allocations, cudaStreamCreateWithFlags, (cudaStream_t * stream, unsigned flags), stream, flags)
PASS_ON(allocations, cudaEventCreateWithFlags, (cudaEvent_t * event, unsigned flags), event, flags)
