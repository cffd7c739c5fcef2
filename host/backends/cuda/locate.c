/* Where the arrays of a call lie, as the CUDA runtime tells. */
#include "backends/cuda/cuda.h"

#include "error.h"

#include <string.h>

bool cuda_is_device_memory(const void *pointer) {
  struct cudaPointerAttributes attributes;
  if (cudaPointerGetAttributes(&attributes, pointer) != cudaSuccess) {
    cudaGetLastError();
    return false;
  }
  return attributes.type == cudaMemoryTypeDevice;
}

static cuseq_status on_device(const struct cuda_session *session, const char *name, int device,
                              bool is_managed) {
  if (session->limits.memory == CUSEQ_MEMORY_HOST)
    return error_set(CUSEQ_STATUS_INVALID_ARGUMENT,
                     "%s: it lies in device memory (the session was promised CUSEQ_MEMORY_HOST)", name);
  if (!is_managed && device != session->index)
    return error_set(CUSEQ_STATUS_INVALID_ARGUMENT,
                     "%s: it lies on another device (found cuda:%d, needed cuda:%d or host memory)", name,
                     device, (int)session->index);
  return CUSEQ_STATUS_OK;
}

static cuseq_status on_host(const struct cuda_session *session, enum backend_array array, const char *name,
                            bool is_locked) {
  if (session->limits.memory == CUSEQ_MEMORY_DEVICE)
    return error_set(CUSEQ_STATUS_INVALID_ARGUMENT,
                     "%s: it lies in host memory (the session was promised CUSEQ_MEMORY_DEVICE)", name);
  if (session->limits.asynchronous && (int)array >= (int)BACKEND_INPUTS && !is_locked)
    return error_set(
        CUSEQ_STATUS_INVALID_ARGUMENT,
        "%s: it lies in host memory that is not page-locked (an asynchronous session needs outputs from "
        "cudaMallocHost, or on the device)",
        name);
  return CUSEQ_STATUS_OK;
}

/* A runtime that cannot tell is taken to mean host arrays, unless the session was promised the device's. */
static cudaError_t attributes_ask(const struct cuda_session *session, const void *pointer,
                                  struct cudaPointerAttributes *attributes) {
  cudaError_t error = cudaPointerGetAttributes(attributes, pointer);
  if (error != cudaErrorNotSupported)
    return error;
  cudaGetLastError();
  bool is_promised = session->limits.memory == CUSEQ_MEMORY_DEVICE;
  *attributes = (struct cudaPointerAttributes){
      .type = is_promised ? cudaMemoryTypeDevice : cudaMemoryTypeUnregistered, .device = session->index};
  return cudaSuccess;
}

cuseq_status cuda_locate(void *state, enum backend_array array, const void *pointer, bool *is_on_device) {
  struct cuda_session *session = state;
  const char *name = backend_array_name(array);
  struct cudaPointerAttributes attributes;
  cudaError_t error = attributes_ask(session, pointer, &attributes);
  if (error != cudaSuccess)
    return cuda_failure(error, "cudaPointerGetAttributes");
  bool is_managed = attributes.type == cudaMemoryTypeManaged;
  bool as_host = is_managed && session->limits.memory == CUSEQ_MEMORY_HOST;
  *is_on_device = attributes.type == cudaMemoryTypeDevice || (is_managed && !as_host);
  if (*is_on_device) {
    session->call.places[array] = CUDA_PLACE_DEVICE;
    return on_device(session, name, attributes.device, is_managed);
  }
  bool is_locked = attributes.type == cudaMemoryTypeHost || as_host;
  session->call.places[array] = is_locked ? CUDA_PLACE_LOCKED : CUDA_PLACE_PAGEABLE;
  return on_host(session, array, name, is_locked);
}
