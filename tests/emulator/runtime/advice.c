#include "copy.h"
#include "stream.h"

#include <string.h>

/* Advice about managed memory. On the emulated device it is always where it is needed, so advice is checked
 * and kept to nothing. */

static cudaError_t managed(const void *address, size_t count) {
  struct emu_allocation_info info;
  uint64_t at = (uint64_t)(uintptr_t)address;
  if (!count || !emu_memory_find(at, &info) || info.kind != EMU_MEMORY_MANAGED ||
      info.base + info.size - at < count)
    return cudaErrorInvalidValue;
  return cudaSuccess;
}

static cudaError_t place(struct cudaMemLocation location) {
  if (location.type == cudaMemLocationTypeDevice)
    return emu_device_check(location.id);
  bool host = location.type == cudaMemLocationTypeHost || location.type == cudaMemLocationTypeHostNuma ||
              location.type == cudaMemLocationTypeHostNumaCurrent;
  return host ? cudaSuccess : cudaErrorInvalidValue;
}

static cudaError_t prefetch(const void *address, size_t count, struct cudaMemLocation location,
                            unsigned flags, cudaStream_t handle) {
  cudaStream_t stream;
  EMU_TRY(emu_stream_find(handle, &stream));
  EMU_TRY(place(location));
  return flags ? cudaErrorInvalidValue : managed(address, count);
}

cudaError_t cudaMemPrefetchAsync(const void *devPtr, size_t count, struct cudaMemLocation location,
                                 unsigned int flags, cudaStream_t stream) {
  EMU_API(prefetch(devPtr, count, location, flags, stream));
}

EMU_EXPORT cudaError_t cudaMemPrefetchAsync_ptsz(const void *devPtr, size_t count,
                                                 struct cudaMemLocation location, unsigned int flags,
                                                 cudaStream_t stream) {
  EMU_API(prefetch(devPtr, count, location, flags, emu_per_thread(stream)));
}

static cudaError_t advise(const void *address, size_t count, enum cudaMemoryAdvise advice,
                          struct cudaMemLocation location) {
  if (advice < cudaMemAdviseSetReadMostly || advice > cudaMemAdviseUnsetAccessedBy)
    return cudaErrorInvalidValue;
  if (advice != cudaMemAdviseSetReadMostly && advice != cudaMemAdviseUnsetReadMostly &&
      advice != cudaMemAdviseUnsetPreferredLocation)
    EMU_TRY(place(location));
  return managed(address, count);
}

cudaError_t cudaMemAdvise(const void *devPtr, size_t count, enum cudaMemoryAdvise advice,
                          struct cudaMemLocation location) {
  EMU_API(advise(devPtr, count, advice, location));
}

static cudaError_t range_attribute(void *data, size_t size, enum cudaMemRangeAttribute attribute,
                                   const void *address, size_t count) {
  EMU_TRY(managed(address, count));
  if (!data || size < sizeof(int) || size % sizeof(int))
    return cudaErrorInvalidValue;
  int answer = attribute == cudaMemRangeAttributeReadMostly ? 0 : cudaInvalidDeviceId;
  for (size_t i = 0; i < size / sizeof answer; i++)
    memcpy((char *)data + i * sizeof answer, &answer, sizeof answer);
  return cudaSuccess;
}

cudaError_t cudaMemRangeGetAttribute(void *data, size_t dataSize, enum cudaMemRangeAttribute attribute,
                                     const void *devPtr, size_t count) {
  EMU_API(range_attribute(data, dataSize, attribute, devPtr, count));
}

static cudaError_t range_attributes(void **data, const size_t *sizes,
                                    const enum cudaMemRangeAttribute *attributes, size_t number,
                                    const void *address, size_t count) {
  if (!data || !sizes || !attributes)
    return cudaErrorInvalidValue;
  for (size_t i = 0; i < number; i++)
    EMU_TRY(range_attribute(data[i], sizes[i], attributes[i], address, count));
  return cudaSuccess;
}

cudaError_t cudaMemRangeGetAttributes(void **data, size_t *dataSizes, enum cudaMemRangeAttribute *attributes,
                                      size_t numAttributes, const void *devPtr, size_t count) {
  EMU_API(range_attributes(data, dataSizes, attributes, numAttributes, devPtr, count));
}

/* There is no driver beneath the emulated runtime: every one of its functions is answered as not found. */
static cudaError_t no_driver(const char *symbol, void **function,
                             enum cudaDriverEntryPointQueryResult *status) {
  if (!symbol || !*symbol || !function)
    return cudaErrorInvalidValue;
  emu_say("cudaGetDriverEntryPoint: the emulated device has no driver (asked for %s)", symbol);
  *function = NULL;
  if (status)
    *status = cudaDriverEntryPointSymbolNotFound;
  return cudaSuccess;
}

#define ENTRY_POINT(name)                                                                                    \
  EMU_EXPORT cudaError_t name(const char *symbol, void **funcPtr, unsigned long long flags,                  \
                              enum cudaDriverEntryPointQueryResult *driverStatus);                           \
  cudaError_t name(const char *symbol, void **funcPtr, unsigned long long flags,                             \
                   enum cudaDriverEntryPointQueryResult *driverStatus) {                                     \
    (void)flags;                                                                                             \
    EMU_API_PLAIN(no_driver(symbol, funcPtr, driverStatus));                                                 \
  }

#define ENTRY_POINT_BY_VERSION(name)                                                                         \
  EMU_EXPORT cudaError_t name(const char *symbol, void **funcPtr, unsigned int cudaVersion,                  \
                              unsigned long long flags, enum cudaDriverEntryPointQueryResult *driverStatus); \
  cudaError_t name(const char *symbol, void **funcPtr, unsigned int cudaVersion, unsigned long long flags,   \
                   enum cudaDriverEntryPointQueryResult *driverStatus) {                                     \
    (void)flags, (void)cudaVersion;                                                                          \
    EMU_API_PLAIN(no_driver(symbol, funcPtr, driverStatus));                                                 \
  }

ENTRY_POINT(cudaGetDriverEntryPoint)
ENTRY_POINT(cudaGetDriverEntryPoint_ptsz)
ENTRY_POINT_BY_VERSION(cudaGetDriverEntryPointByVersion)
ENTRY_POINT_BY_VERSION(cudaGetDriverEntryPointByVersion_ptsz)
