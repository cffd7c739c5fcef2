#include "capture.h"
#include "graph.h"
#include "memory.h"
#include "stream.h"

#include <stdlib.h>
#include <string.h>

/* Stream-ordered memory. The address is known as soon as it is asked for; it is given back when the stream
 * reaches the free, and whoever still uses it then is caught. */

struct CUmemPoolHandle_st {
  int device;
  bool standard; /* a device's own pool: never destroyed */
  uint64_t used, used_high, threshold;
  int reuse[3];
};
typedef struct CUmemPoolHandle_st pool;

struct block {
  struct block *next;
  uint64_t address;
  size_t bytes;
  pool *pool;
  bool freed; /* its free is queued */
};

static struct block *blocks;
static pool *standard[EMU_MAX_DEVICES], *chosen[EMU_MAX_DEVICES];

static pool *make(int device, bool is_standard) {
  pool *p = emu_need(sizeof *p);
  *p = (pool){.device = device, .standard = is_standard, .reuse = {1, 1, 1}};
  emu_handle_add(p, EMU_HANDLE_POOL);
  return p;
}

static pool *standard_pool(int device) {
  if (!standard[device])
    standard[device] = make(device, true);
  return standard[device];
}

static pool *current_pool(int device) {
  return chosen[device] ? chosen[device] : standard_pool(device);
}

static cudaError_t find(cudaMemPool_t handle, pool **out) {
  *out = NULL;
  if (!emu_handle_is(handle, EMU_HANDLE_POOL))
    return emu_fail(cudaErrorInvalidValue, "memory pool: no such pool (found handle %p)", (void *)handle);
  *out = (pool *)handle;
  return cudaSuccess;
}

static struct block **block_at(uint64_t address) {
  struct block **at = &blocks;
  while (*at && (*at)->address != address)
    at = &(*at)->next;
  return at;
}

static void forget(struct block **at) {
  struct block *block = *at;
  block->pool->used -= block->bytes;
  *at = block->next;
  free(block);
}

void emu_pool_forget(uint64_t address) {
  struct block **at = block_at(address);
  if (*at)
    forget(at);
}

void emu_pools_reset(int device) {
  for (struct block **at = &blocks; *at;)
    if ((*at)->pool->device == device)
      forget(at);
    else
      at = &(*at)->next;
  chosen[device] = NULL;
}

static cudaError_t allocate(void **out, size_t bytes, pool *from, cudaStream_t handle, const char *name) {
  cudaStream_t stream;
  if (!out)
    return cudaErrorInvalidValue;
  EMU_TRY(emu_stream_find(handle, &stream));
  if (stream->capture) {
    struct emu_work work;
    EMU_TRY(emu_node_allocate(bytes, stream->device, out, &work));
    return emu_issue(handle, &work);
  }
  if (!from)
    from = current_pool(stream->device);
  EMU_TRY(emu_allocate(from->device, bytes, EMU_MEMORY_DEVICE, name, out));
  if (!*out)
    return cudaSuccess;
  struct block *block = emu_need(sizeof *block);
  *block = (struct block){.next = blocks, .address = (uint64_t)(uintptr_t)*out, .bytes = bytes, .pool = from};
  blocks = block;
  from->used += bytes;
  if (from->used > from->used_high)
    from->used_high = from->used;
  struct emu_work work = {.kind = EMU_WORK_ALLOCATE,
                          .device = stream->device,
                          .name = name,
                          .memory = {.address = block->address, .bytes = bytes}};
  return emu_issue(handle, &work);
}

static cudaError_t allocate_from(void **out, size_t bytes, cudaMemPool_t handle, cudaStream_t stream) {
  pool *from;
  EMU_TRY(find(handle, &from));
  return allocate(out, bytes, from, stream, "cudaMallocFromPoolAsync");
}

static cudaError_t free_later(void *pointer, cudaStream_t handle) {
  cudaStream_t stream;
  uint64_t address = (uint64_t)(uintptr_t)pointer;
  EMU_TRY(emu_stream_find(handle, &stream));
  if (!pointer)
    return cudaSuccess;
  struct block *block = *block_at(address);
  struct emu_allocation_info info;
  bool found = emu_memory_find(address, &info) && info.base == address && info.kind == EMU_MEMORY_DEVICE;
  if (!found || info.is_variable || (block && block->freed))
    return emu_fail(cudaErrorInvalidValue, "cudaFreeAsync: %s (found %p)",
                    block && block->freed ? "freed already" : "no allocation to free", pointer);
  if (emu_graph_owns(address) && !stream->capture)
    EMU_TRY(emu_graph_free(address, "cudaFreeAsync"));
  struct emu_work work = {
      .kind = EMU_WORK_FREE,
      .device = stream->device,
      .name = "cudaFreeAsync",
      .memory = {.address = address, .bytes = info.size, .of_graph = emu_graph_hold(address)}};
  if (block && !stream->capture)
    block->freed = true;
  return emu_issue(handle, &work);
}

cudaError_t emu_run_allocate(struct emu_stream_operation *operation) {
  struct emu_operation core = emu_core_operation(operation);
  struct emu_error error = {0};
  uint64_t address = operation->work.memory.address;
  if (operation->work.memory.of_graph)
    emu_memory_revive(address);
  return emu_from_core(emu_memory_claim(address, false, &core, &error), &error);
}

cudaError_t emu_run_free(struct emu_stream_operation *operation) {
  uint64_t address = operation->work.memory.address;
  struct emu_operation core = emu_core_operation(operation);
  struct emu_error error = {0};
  EMU_TRY(emu_from_core(emu_memory_claim(address, true, &core, &error), &error));
  if (operation->work.memory.of_graph)
    return emu_from_core(emu_memory_retire(address, &error), &error);
  emu_pool_forget(address);
  emu_memory_untrack(address);
  emu_run.frees++;
  return emu_from_core(emu_memory_free(address, &error), &error);
}

cudaError_t cudaMallocAsync(void **devPtr, size_t size, cudaStream_t hStream) {
  EMU_API(allocate(devPtr, size, NULL, hStream, "cudaMallocAsync"));
}

EMU_EXPORT cudaError_t cudaMallocAsync_ptsz(void **devPtr, size_t size, cudaStream_t hStream) {
  EMU_API(allocate(devPtr, size, NULL, emu_per_thread(hStream), "cudaMallocAsync"));
}

cudaError_t cudaMallocFromPoolAsync(void **ptr, size_t size, cudaMemPool_t memPool, cudaStream_t stream) {
  EMU_API(allocate_from(ptr, size, memPool, stream));
}

EMU_EXPORT cudaError_t cudaMallocFromPoolAsync_ptsz(void **ptr, size_t size, cudaMemPool_t memPool,
                                                    cudaStream_t stream) {
  EMU_API(allocate_from(ptr, size, memPool, emu_per_thread(stream)));
}

cudaError_t cudaFreeAsync(void *devPtr, cudaStream_t hStream) {
  EMU_API(free_later(devPtr, hStream));
}

EMU_EXPORT cudaError_t cudaFreeAsync_ptsz(void *devPtr, cudaStream_t hStream) {
  EMU_API(free_later(devPtr, emu_per_thread(hStream)));
}

/* ---- Pools ---- */

static cudaError_t create(cudaMemPool_t *out, const struct cudaMemPoolProps *props) {
  if (!out || !props || props->allocType != cudaMemAllocationTypePinned)
    return cudaErrorInvalidValue;
  if (props->location.type != cudaMemLocationTypeDevice || props->handleTypes != cudaMemHandleTypeNone)
    return emu_fail(cudaErrorNotSupported,
                    "cudaMemPoolCreate: only pools on a device, without handles to share");
  EMU_TRY(emu_device_check(props->location.id));
  *out = (cudaMemPool_t)make(props->location.id, false);
  return cudaSuccess;
}

static cudaError_t destroy(cudaMemPool_t handle) {
  pool *p;
  EMU_TRY(find(handle, &p));
  if (p->standard)
    return cudaErrorInvalidValue;
  emu_device_drain(p->device);
  for (struct block *b = blocks; b; b = b->next)
    if (b->pool == p)
      b->pool = standard_pool(p->device); /* what is still allocated lives on until it is freed */
  if (chosen[p->device] == p)
    chosen[p->device] = NULL;
  emu_handle_remove(p);
  free(p);
  return cudaSuccess;
}

static cudaError_t get_default(cudaMemPool_t *out, int device) {
  EMU_TRY(emu_device_check(device));
  if (!out)
    return cudaErrorInvalidValue;
  *out = (cudaMemPool_t)standard_pool(device);
  return cudaSuccess;
}

static cudaError_t get_current(cudaMemPool_t *out, int device) {
  EMU_TRY(emu_device_check(device));
  if (!out)
    return cudaErrorInvalidValue;
  *out = (cudaMemPool_t)current_pool(device);
  return cudaSuccess;
}

static cudaError_t set_current(int device, cudaMemPool_t handle) {
  pool *p;
  EMU_TRY(emu_device_check(device));
  EMU_TRY(find(handle, &p));
  if (p->device != device)
    return cudaErrorInvalidValue;
  chosen[device] = p;
  return cudaSuccess;
}

static cudaError_t trim(cudaMemPool_t handle) {
  pool *p;
  return find(handle, &p);
}

static cudaError_t attribute(cudaMemPool_t handle, enum cudaMemPoolAttr attr, void *value, bool set) {
  pool *p;
  EMU_TRY(find(handle, &p));
  if (!value)
    return cudaErrorInvalidValue;
  switch (attr) {
  case cudaMemPoolReuseFollowEventDependencies:
  case cudaMemPoolReuseAllowOpportunistic:
  case cudaMemPoolReuseAllowInternalDependencies:
    if (set)
      p->reuse[attr - 1] = *(int *)value;
    else
      *(int *)value = p->reuse[attr - 1];
    return cudaSuccess;
  case cudaMemPoolAttrReleaseThreshold:
    if (set)
      p->threshold = *(uint64_t *)value;
    else
      *(uint64_t *)value = p->threshold;
    return cudaSuccess;
  case cudaMemPoolAttrUsedMemHigh:
  case cudaMemPoolAttrReservedMemHigh:
    if (set && *(uint64_t *)value)
      return cudaErrorInvalidValue;
    if (set)
      p->used_high = p->used;
    else
      *(uint64_t *)value = p->used_high;
    return cudaSuccess;
  case cudaMemPoolAttrUsedMemCurrent:
  case cudaMemPoolAttrReservedMemCurrent:
    if (set)
      return cudaErrorInvalidValue;
    *(uint64_t *)value = p->used;
    return cudaSuccess;
  }
  return cudaErrorInvalidValue;
}

static cudaError_t set_access(cudaMemPool_t handle, const struct cudaMemAccessDesc *list, size_t count) {
  pool *p;
  EMU_TRY(find(handle, &p));
  if (count && !list)
    return cudaErrorInvalidValue;
  for (size_t i = 0; i < count; i++)
    EMU_TRY(emu_device_check(list[i].location.id));
  return cudaSuccess;
}

static cudaError_t get_access(enum cudaMemAccessFlags *out, cudaMemPool_t handle,
                              struct cudaMemLocation *location) {
  pool *p;
  EMU_TRY(find(handle, &p));
  if (!out || !location)
    return cudaErrorInvalidValue;
  *out = cudaMemAccessFlagsProtReadWrite; /* one address space for every device */
  return cudaSuccess;
}

cudaError_t cudaMemPoolCreate(cudaMemPool_t *memPool, const struct cudaMemPoolProps *poolProps) {
  EMU_API(create(memPool, poolProps));
}

cudaError_t cudaMemPoolDestroy(cudaMemPool_t memPool) {
  EMU_API(destroy(memPool));
}

cudaError_t cudaMemPoolTrimTo(cudaMemPool_t memPool, size_t minBytesToKeep) {
  (void)minBytesToKeep;
  EMU_API(trim(memPool));
}

cudaError_t cudaMemPoolSetAttribute(cudaMemPool_t memPool, enum cudaMemPoolAttr attr, void *value) {
  EMU_API(attribute(memPool, attr, value, true));
}

cudaError_t cudaMemPoolGetAttribute(cudaMemPool_t memPool, enum cudaMemPoolAttr attr, void *value) {
  EMU_API(attribute(memPool, attr, value, false));
}

cudaError_t cudaMemPoolSetAccess(cudaMemPool_t memPool, const struct cudaMemAccessDesc *descList,
                                 size_t count) {
  EMU_API(set_access(memPool, descList, count));
}

cudaError_t cudaMemPoolGetAccess(enum cudaMemAccessFlags *flags, cudaMemPool_t memPool,
                                 struct cudaMemLocation *location) {
  EMU_API(get_access(flags, memPool, location));
}

cudaError_t cudaDeviceGetDefaultMemPool(cudaMemPool_t *memPool, int device) {
  EMU_API(get_default(memPool, device));
}

cudaError_t cudaDeviceGetMemPool(cudaMemPool_t *memPool, int device) {
  EMU_API(get_current(memPool, device));
}

cudaError_t cudaDeviceSetMemPool(int device, cudaMemPool_t memPool) {
  EMU_API(set_current(device, memPool));
}

cudaError_t cudaMemGetDefaultMemPool(cudaMemPool_t *memPool, struct cudaMemLocation *location,
                                     enum cudaMemAllocationType type) {
  EMU_API(location && location->type == cudaMemLocationTypeDevice && type == cudaMemAllocationTypePinned
              ? get_default(memPool, location->id)
              : cudaErrorInvalidValue);
}
