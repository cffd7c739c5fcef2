#include "copy.h"
#include "graph.h"
#include "kernel.h"
#include "memory.h"
#include "stream.h"

#include <stdlib.h>

/* Node parameters as work. */

cudaError_t emu_node_kernel(const struct cudaKernelNodeParams *p, struct emu_work *work) {
  if (!p)
    return cudaErrorInvalidValue;
  if (p->extra && !p->kernelParams)
    return emu_fail(cudaErrorNotSupported,
                    "graph: a kernel node's packed arguments (extra) are not supported");
  struct emu_launch_request request = {.function = p->func,
                                       .grid = p->gridDim,
                                       .block = p->blockDim,
                                       .dynamic_shared = p->sharedMemBytes,
                                       .arguments = p->kernelParams};
  return emu_kernel_work(&request, emu_device(), work);
}

static cudaError_t copy_work(struct emu_copy_work *copy, enum cudaMemcpyKind kind, struct emu_work *work) {
  static const char name[] = "memcpy node";
  if (!copy->width || !copy->height || !copy->depth)
    return cudaErrorInvalidValue;
  EMU_TRY(emu_copy_resolve(copy, kind, name));
  *work = (struct emu_work){.kind = EMU_WORK_COPY, .device = emu_device(), .name = name, .copy = *copy};
  return cudaSuccess;
}

cudaError_t emu_node_box(const struct cudaMemcpy3DParms *p, struct emu_work *work) {
  struct emu_copy_work copy;
  EMU_TRY(emu_copy_box(p, &copy));
  return copy_work(&copy, p->kind, work);
}

cudaError_t emu_node_line(void *to, const void *from, size_t bytes, enum cudaMemcpyKind kind,
                          struct emu_work *work) {
  struct emu_copy_work copy = emu_copy_line((uint64_t)(uintptr_t)to, (uint64_t)(uintptr_t)from, bytes);
  return copy_work(&copy, kind, work);
}

cudaError_t emu_node_set_memory(const struct cudaMemsetParams *p, struct emu_work *work) {
  static const char name[] = "memset node";
  if (!p || (p->elementSize != 1 && p->elementSize != 2 && p->elementSize != 4) || !p->width || !p->height)
    return cudaErrorInvalidValue;
  size_t row;
  if (__builtin_mul_overflow(p->width, (size_t)p->elementSize, &row))
    return cudaErrorInvalidValue;
  struct emu_set_work set = {.to = (uint64_t)(uintptr_t)p->dst,
                             .value = p->value,
                             .element = p->elementSize,
                             .pitch = p->height > 1 ? p->pitch : row,
                             .width = p->width,
                             .height = p->height,
                             .depth = 1};
  EMU_TRY(emu_set_check(&set, name));
  *work = (struct emu_work){.kind = EMU_WORK_SET, .device = emu_device(), .name = name, .set = set};
  return cudaSuccess;
}

cudaError_t emu_node_host(const struct cudaHostNodeParams *p, struct emu_work *work) {
  if (!p || !p->fn)
    return cudaErrorInvalidValue;
  *work = (struct emu_work){.kind = EMU_WORK_HOST,
                            .device = emu_device(),
                            .name = "host node",
                            .host = {.function = p->fn, .data = p->userData}};
  return cudaSuccess;
}

cudaError_t emu_node_event(cudaEvent_t event, enum emu_work_kind kind, struct emu_work *work) {
  EMU_TRY(emu_event_find(event));
  event->users++;
  *work = (struct emu_work){.kind = kind,
                            .device = emu_device(),
                            .name = kind == EMU_WORK_EVENT_RECORD ? "event record node" : "event wait node",
                            .event = {.event = event}};
  return cudaSuccess;
}

cudaError_t emu_node_child(cudaGraph_t child, struct emu_work *work) {
  EMU_TRY(emu_graph_find(child));
  *work = (struct emu_work){.kind = EMU_WORK_CHILD,
                            .device = emu_device(),
                            .name = "child graph node",
                            .child = emu_graph_copy(child, false)};
  return cudaSuccess;
}

cudaError_t emu_node_free(void *address, struct emu_work *work) {
  struct emu_allocation_info info;
  if (!emu_memory_find((uint64_t)(uintptr_t)address, &info) || info.base != (uint64_t)(uintptr_t)address)
    return emu_fail(cudaErrorInvalidValue, "graph: no allocation to free (found %p)", address);
  *work = (struct emu_work){
      .kind = EMU_WORK_FREE,
      .device = info.device,
      .name = "memory free node",
      .memory = {.address = info.base, .bytes = info.size, .of_graph = emu_graph_hold(info.base)}};
  return cudaSuccess;
}

cudaError_t emu_node_any(struct cudaGraphNodeParams *p, struct emu_work *work) {
  if (!p)
    return cudaErrorInvalidValue;
  switch (p->type) {
  case cudaGraphNodeTypeKernel: {
    struct cudaKernelNodeParams kernel = {.func = p->kernel.func,
                                          .gridDim = p->kernel.gridDim,
                                          .blockDim = p->kernel.blockDim,
                                          .sharedMemBytes = p->kernel.sharedMemBytes,
                                          .kernelParams = p->kernel.kernelParams,
                                          .extra = p->kernel.extra};
    return emu_node_kernel(&kernel, work);
  }
  case cudaGraphNodeTypeMemcpy:
    return emu_node_box(&p->memcpy.copyParams, work);
  case cudaGraphNodeTypeMemset: {
    struct cudaMemsetParams set = {.dst = p->memset.dst,
                                   .pitch = p->memset.pitch,
                                   .value = p->memset.value,
                                   .elementSize = p->memset.elementSize,
                                   .width = p->memset.width,
                                   .height = p->memset.height};
    return emu_node_set_memory(&set, work);
  }
  case cudaGraphNodeTypeHost: {
    struct cudaHostNodeParams host = {.fn = p->host.fn, .userData = p->host.userData};
    return emu_node_host(&host, work);
  }
  case cudaGraphNodeTypeGraph:
    return emu_node_child(p->graph.graph, work);
  case cudaGraphNodeTypeEmpty:
    *work = (struct emu_work){.kind = EMU_WORK_EMPTY, .device = emu_device(), .name = "empty node"};
    return cudaSuccess;
  case cudaGraphNodeTypeWaitEvent:
    return emu_node_event(p->eventWait.event, EMU_WORK_EVENT_WAIT, work);
  case cudaGraphNodeTypeEventRecord:
    return emu_node_event(p->eventRecord.event, EMU_WORK_EVENT_RECORD, work);
  case cudaGraphNodeTypeMemAlloc:
    return emu_node_allocate(p->alloc.bytesize, p->alloc.poolProps.location.id, &p->alloc.dptr, work);
  case cudaGraphNodeTypeMemFree:
    return emu_node_free(p->free.dptr, work);
  default:
    return emu_fail(cudaErrorNotSupported, "graph: nodes of type %d are not supported by the emulated device",
                    (int)p->type);
  }
}
