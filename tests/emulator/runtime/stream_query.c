#include "capture.h"
#include "stream.h"

/* What a stream says about itself, and its attributes. */

#define FIND(handle, stream)                                                                                 \
  cudaStream_t stream;                                                                                       \
  EMU_TRY(emu_stream_find(handle, &stream))

static cudaError_t priority(cudaStream_t handle, int *out) {
  FIND(handle, stream);
  if (!out)
    return cudaErrorInvalidValue;
  *out = stream->priority;
  return cudaSuccess;
}

static cudaError_t flags(cudaStream_t handle, unsigned *out) {
  FIND(handle, stream);
  if (!out)
    return cudaErrorInvalidValue;
  *out = stream->flags;
  return cudaSuccess;
}

static cudaError_t id(cudaStream_t handle, unsigned long long *out) {
  FIND(handle, stream);
  if (!out)
    return cudaErrorInvalidValue;
  *out = stream->id;
  return cudaSuccess;
}

static cudaError_t device(cudaStream_t handle, int *out) {
  FIND(handle, stream);
  if (!out)
    return cudaErrorInvalidValue;
  *out = stream->device;
  return cudaSuccess;
}

static cudaError_t get_attribute(cudaStream_t handle, cudaLaunchAttributeID attribute,
                                 cudaLaunchAttributeValue *value) {
  FIND(handle, stream);
  if (!value)
    return cudaErrorInvalidValue;
  switch (attribute) {
  case cudaLaunchAttributeAccessPolicyWindow:
    value->accessPolicyWindow = stream->access_policy.accessPolicyWindow;
    return cudaSuccess;
  case cudaLaunchAttributeSynchronizationPolicy:
    value->syncPolicy =
        stream->access_policy.syncPolicy ? stream->access_policy.syncPolicy : cudaSyncPolicyAuto;
    return cudaSuccess;
  case cudaLaunchAttributePriority:
    value->priority = stream->priority;
    return cudaSuccess;
  default:
    return cudaErrorInvalidValue;
  }
}

/* Cache windows and waiting policies change nothing on the emulated device; they are kept to be asked for. */
static cudaError_t set_attribute(cudaStream_t handle, cudaLaunchAttributeID attribute,
                                 const cudaLaunchAttributeValue *value) {
  FIND(handle, stream);
  if (!value)
    return cudaErrorInvalidValue;
  switch (attribute) {
  case cudaLaunchAttributeAccessPolicyWindow:
  case cudaLaunchAttributeSynchronizationPolicy:
    stream->access_policy = *value;
    return cudaSuccess;
  case cudaLaunchAttributePriority:
    stream->priority = value->priority;
    return cudaSuccess;
  default:
    return cudaErrorInvalidValue;
  }
}

static cudaError_t copy_attributes(cudaStream_t to, cudaStream_t from) {
  FIND(to, target);
  FIND(from, source);
  target->access_policy = source->access_policy;
  return cudaSuccess;
}

static cudaError_t attach(cudaStream_t handle, void *address, unsigned flag) {
  FIND(handle, stream);
  struct emu_allocation_info info;
  (void)stream;
  if (!emu_memory_find((uint64_t)(uintptr_t)address, &info) || info.kind != EMU_MEMORY_MANAGED || !flag ||
      flag > 4)
    return cudaErrorInvalidValue;
  return cudaSuccess;
}

/* Each question exists twice: for the legacy default stream, and for the per-thread one. */
#define QUESTION(name, type, answer)                                                                         \
  cudaError_t name(cudaStream_t stream, type *out) {                                                         \
    EMU_API(answer(stream, out));                                                                            \
  }                                                                                                          \
  EMU_EXPORT cudaError_t name##_ptsz(cudaStream_t stream, type *out) {                                       \
    EMU_API(answer(emu_per_thread(stream), out));                                                            \
  }

QUESTION(cudaStreamGetPriority, int, priority)
QUESTION(cudaStreamGetFlags, unsigned int, flags)
QUESTION(cudaStreamGetId, unsigned long long, id)
QUESTION(cudaStreamGetDevice, int, device)

cudaError_t cudaStreamGetAttribute(cudaStream_t stream, cudaLaunchAttributeID attr,
                                   cudaLaunchAttributeValue *value) {
  EMU_API(get_attribute(stream, attr, value));
}

EMU_EXPORT cudaError_t cudaStreamGetAttribute_ptsz(cudaStream_t stream, cudaLaunchAttributeID attr,
                                                   cudaLaunchAttributeValue *value) {
  EMU_API(get_attribute(emu_per_thread(stream), attr, value));
}

cudaError_t cudaStreamSetAttribute(cudaStream_t stream, cudaLaunchAttributeID attr,
                                   const cudaLaunchAttributeValue *value) {
  EMU_API(set_attribute(stream, attr, value));
}

EMU_EXPORT cudaError_t cudaStreamSetAttribute_ptsz(cudaStream_t stream, cudaLaunchAttributeID attr,
                                                   const cudaLaunchAttributeValue *value) {
  EMU_API(set_attribute(emu_per_thread(stream), attr, value));
}

cudaError_t cudaStreamCopyAttributes(cudaStream_t dst, cudaStream_t src) {
  EMU_API(copy_attributes(dst, src));
}

EMU_EXPORT cudaError_t cudaStreamCopyAttributes_ptsz(cudaStream_t dst, cudaStream_t src) {
  EMU_API(copy_attributes(emu_per_thread(dst), emu_per_thread(src)));
}

cudaError_t cudaStreamAttachMemAsync(cudaStream_t stream, void *devPtr, size_t length, unsigned int flags) {
  (void)length;
  EMU_API(attach(stream, devPtr, flags));
}

EMU_EXPORT cudaError_t cudaStreamAttachMemAsync_ptsz(cudaStream_t stream, void *devPtr, size_t length,
                                                     unsigned int flags) {
  (void)length;
  EMU_API(attach(emu_per_thread(stream), devPtr, flags));
}
