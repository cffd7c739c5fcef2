#include "memory.h"
#include "capture.h"
#include "copy.h"
#include "graph.h"
#include "stream.h"

#include <stdlib.h>

enum { PITCH = 512 };

/* What is allocated, for a device's reset. */
static struct live {
  uint64_t address;
  int device;
} * live;
static size_t live_count, live_room;

static void track(uint64_t address, int device) {
  if (live_count == live_room) {
    live_room = live_room ? live_room * 2 : 64;
    live = emu_need_again(live, live_room * sizeof *live);
  }
  live[live_count++] = (struct live){address, device};
}

void emu_memory_untrack(uint64_t address) {
  for (size_t i = live_count; i-- > 0;)
    if (live[i].address == address) {
      live[i] = live[--live_count];
      return;
    }
}

void emu_memory_reset(int device) {
  struct emu_error error = {0};
  emu_pools_reset(device);
  for (size_t i = live_count; i-- > 0;)
    if (live[i].device == device && !emu_graph_owns(live[i].address)) {
      emu_memory_free(live[i].address, &error);
      live[i] = live[--live_count];
    }
}

cudaError_t emu_allocate(int device, size_t bytes, enum emu_memory_kind kind, const char *name, void **out) {
  uint64_t address = 0;
  struct emu_error error = {0};
  if (!out)
    return cudaErrorInvalidValue;
  *out = NULL;
  if (!bytes)
    return cudaSuccess;
  cudaError_t status =
      emu_from_core(emu_memory_allocate(device, bytes, kind, name, &address, &error), &error);
  if (status != cudaSuccess)
    return status;
  *out = (void *)(uintptr_t)address;
  track(address, device);
  emu_run.allocations++;
  emu_run.allocated_bytes += bytes;
  return cudaSuccess;
}

static cudaError_t allocate(size_t bytes, enum emu_memory_kind kind, const char *name, void **out) {
  EMU_TRY(emu_capture_forbids_unsafe());
  return emu_allocate(emu_device(), bytes, kind, name, out);
}

/* Freeing waits for the device's work, as on hardware; it is no synchronisation to rely on, so the host is
 * not shown the results of copies that it did not wait for. */
cudaError_t emu_release(void *pointer, const char *name, unsigned kinds) {
  struct emu_allocation_info info;
  uint64_t address = (uint64_t)(uintptr_t)pointer;
  if (!pointer)
    return cudaSuccess;
  EMU_TRY(emu_capture_forbids_unsafe());
  bool found = emu_memory_find(address, &info);
  if (found && (info.base != address || !(kinds & 1u << info.kind) || info.is_variable))
    return emu_fail(cudaErrorInvalidValue, "%s: not what it frees (found %p, %s %llu bytes of %s)", name,
                    pointer, info.base == address ? "the start of" : "inside", (unsigned long long)info.size,
                    info.site ? info.site : "a variable");
  bool of_graph = found && emu_graph_owns(address);
  if (of_graph)
    EMU_TRY(emu_graph_free(address, name));
  if (found) {
    for (int device = 0; device < emu_settings()->devices; device++)
      emu_device_drain(device);
    emu_deliver_forget(info.base, info.size);
    emu_pool_forget(address);
    if (!of_graph)
      emu_memory_untrack(address);
  }
  struct emu_error error = {0};
  cudaError_t status =
      emu_from_core(of_graph ? emu_memory_retire(address, &error) : emu_memory_free(address, &error), &error);
  emu_run.frees += status == cudaSuccess;
  return status;
}

static cudaError_t allocate_managed(void **out, size_t bytes, unsigned flags) {
  if (flags != cudaMemAttachGlobal && flags != cudaMemAttachHost)
    return cudaErrorInvalidValue;
  return bytes ? allocate(bytes, EMU_MEMORY_MANAGED, "cudaMallocManaged", out) : cudaErrorInvalidValue;
}

static cudaError_t allocate_host(void **out, size_t bytes, unsigned flags, const char *name) {
  unsigned known = cudaHostAllocPortable | cudaHostAllocMapped | cudaHostAllocWriteCombined;
  if (flags & ~known)
    return cudaErrorInvalidValue;
  return allocate(bytes, EMU_MEMORY_PINNED, name, out);
}

static cudaError_t allocate_pitched(void **out, size_t *pitch, size_t width, size_t height, size_t depth,
                                    const char *name) {
  size_t rows, bytes;
  if (!out || !pitch)
    return cudaErrorInvalidValue;
  if (width > SIZE_MAX - PITCH)
    return cudaErrorMemoryAllocation;
  *pitch = (width + PITCH - 1) / PITCH * PITCH;
  if (__builtin_mul_overflow(height, depth, &rows) || __builtin_mul_overflow(rows, *pitch, &bytes))
    return cudaErrorMemoryAllocation;
  return allocate(bytes, EMU_MEMORY_DEVICE, name, out);
}

static cudaError_t allocate_3d(struct cudaPitchedPtr *out, struct cudaExtent extent) {
  if (!out)
    return cudaErrorInvalidValue;
  out->xsize = extent.width;
  out->ysize = extent.height;
  return allocate_pitched(&out->ptr, &out->pitch, extent.width, extent.height, extent.depth, "cudaMalloc3D");
}

cudaError_t cudaMalloc(void **devPtr, size_t size) {
  EMU_API(allocate(size, EMU_MEMORY_DEVICE, "cudaMalloc", devPtr));
}

cudaError_t cudaMallocManaged(void **devPtr, size_t size, unsigned int flags) {
  EMU_API(allocate_managed(devPtr, size, flags));
}

cudaError_t cudaMallocHost(void **ptr, size_t size) {
  EMU_API(allocate_host(ptr, size, 0, "cudaMallocHost"));
}

cudaError_t cudaHostAlloc(void **pHost, size_t size, unsigned int flags) {
  EMU_API(allocate_host(pHost, size, flags, "cudaHostAlloc"));
}

cudaError_t cudaMallocPitch(void **devPtr, size_t *pitch, size_t width, size_t height) {
  EMU_API(allocate_pitched(devPtr, pitch, width, height, 1, "cudaMallocPitch"));
}

cudaError_t cudaMalloc3D(struct cudaPitchedPtr *pitchedDevPtr, struct cudaExtent extent) {
  EMU_API(allocate_3d(pitchedDevPtr, extent));
}

cudaError_t cudaFree(void *devPtr) {
  EMU_API(emu_release(devPtr, "cudaFree", 1u << EMU_MEMORY_DEVICE | 1u << EMU_MEMORY_MANAGED));
}

cudaError_t cudaFreeHost(void *ptr) {
  EMU_API(emu_release(ptr, "cudaFreeHost", 1u << EMU_MEMORY_PINNED));
}

/* ---- Host memory made known to the device ---- */

static cudaError_t register_host(void *host, size_t bytes, unsigned flags) {
  unsigned known =
      cudaHostRegisterPortable | cudaHostRegisterMapped | cudaHostRegisterIoMemory | cudaHostRegisterReadOnly;
  struct emu_allocation_info info;
  struct emu_error error = {0};
  if (!host || !bytes || (flags & ~known))
    return cudaErrorInvalidValue;
  if (emu_memory_find((uint64_t)(uintptr_t)host, &info))
    return info.kind == EMU_MEMORY_REGISTERED ? cudaErrorHostMemoryAlreadyRegistered : cudaErrorInvalidValue;
  return emu_from_core(emu_memory_register(host, bytes, "cudaHostRegister", &error), &error);
}

static cudaError_t unregister_host(void *host) {
  struct emu_allocation_info info;
  if (!host)
    return cudaErrorInvalidValue;
  if (!emu_memory_find((uint64_t)(uintptr_t)host, &info) || info.kind != EMU_MEMORY_REGISTERED)
    return cudaErrorHostMemoryNotRegistered;
  return emu_release(host, "cudaHostUnregister", 1u << EMU_MEMORY_REGISTERED);
}

static cudaError_t device_pointer(void **out, void *host, unsigned flags) {
  struct emu_allocation_info info;
  if (!out || flags || !emu_memory_find((uint64_t)(uintptr_t)host, &info) || info.kind == EMU_MEMORY_DEVICE)
    return cudaErrorInvalidValue;
  *out = host;
  return cudaSuccess;
}

static cudaError_t host_flags(unsigned *out, void *host) {
  struct emu_allocation_info info;
  if (!out || !emu_memory_find((uint64_t)(uintptr_t)host, &info) ||
      (info.kind != EMU_MEMORY_PINNED && info.kind != EMU_MEMORY_REGISTERED))
    return cudaErrorInvalidValue;
  *out = cudaHostAllocMapped;
  return cudaSuccess;
}

cudaError_t cudaHostRegister(void *ptr, size_t size, unsigned int flags) {
  EMU_API(register_host(ptr, size, flags));
}

cudaError_t cudaHostUnregister(void *ptr) {
  EMU_API(unregister_host(ptr));
}

cudaError_t cudaHostGetDevicePointer(void **pDevice, void *pHost, unsigned int flags) {
  EMU_API(device_pointer(pDevice, pHost, flags));
}

cudaError_t cudaHostGetFlags(unsigned int *pFlags, void *pHost) {
  EMU_API(host_flags(pFlags, pHost));
}

static cudaError_t usage(size_t *left, size_t *total) {
  uint64_t used, all;
  if (!left || !total)
    return cudaErrorInvalidValue;
  emu_memory_usage(emu_device(), &used, &all);
  *left = all > used ? all - used : 0;
  *total = all;
  return cudaSuccess;
}

cudaError_t cudaMemGetInfo(size_t *free, size_t *total) {
  EMU_API(usage(free, total));
}

static cudaError_t describe(struct cudaPointerAttributes *out, const void *pointer) {
  struct emu_allocation_info info;
  if (!out)
    return cudaErrorInvalidValue;
  *out = (struct cudaPointerAttributes){.type = cudaMemoryTypeUnregistered,
                                        .device = cudaInvalidDeviceId,
                                        .hostPointer = (void *)(uintptr_t)pointer};
  if (!emu_memory_find((uint64_t)(uintptr_t)pointer, &info)) {
    out->devicePointer = NULL;
    out->hostPointer = NULL;
    return cudaSuccess;
  }
  static const enum cudaMemoryType types[] = {[EMU_MEMORY_DEVICE] = cudaMemoryTypeDevice,
                                              [EMU_MEMORY_PINNED] = cudaMemoryTypeHost,
                                              [EMU_MEMORY_MANAGED] = cudaMemoryTypeManaged,
                                              [EMU_MEMORY_REGISTERED] = cudaMemoryTypeHost};
  out->type = types[info.kind];
  out->device = info.device;
  out->devicePointer = (void *)(uintptr_t)pointer;
  out->hostPointer = info.kind == EMU_MEMORY_DEVICE ? NULL : out->devicePointer;
  return cudaSuccess;
}

cudaError_t cudaPointerGetAttributes(struct cudaPointerAttributes *attributes, const void *ptr) {
  EMU_API(describe(attributes, ptr));
}
