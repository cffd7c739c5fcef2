#include "graph.h"
#include "memory.h"

#include <stdlib.h>

/* Memory of graphs' allocation nodes. The address is what later nodes name, so it is there from the node's
 * making on; whether it may be used changes with each launch, with free nodes, and with what the program
 * frees itself. */

static struct emu_graph_allocation *allocations;

void emu_graph_allocation_release(struct emu_graph_allocation *allocation) {
  struct emu_error error = {0};
  if (--allocation->users)
    return;
  if (!allocation->outstanding) { /* else it outlives its graphs, until the program frees it */
    emu_memory_untrack(allocation->address);
    emu_memory_free(allocation->address, &error);
  }
  struct emu_graph_allocation **at = &allocations;
  while (*at != allocation)
    at = &(*at)->next;
  *at = allocation->next;
  free(allocation);
}

static struct emu_graph_allocation *find(uint64_t address) {
  struct emu_graph_allocation *a = allocations;
  while (a && a->address != address)
    a = a->next;
  return a;
}

bool emu_graph_owns(uint64_t address) {
  return find(address) != NULL;
}

struct emu_graph_allocation *emu_graph_hold(uint64_t address) {
  struct emu_graph_allocation *a = find(address);
  if (a)
    a->users++;
  return a;
}

cudaError_t emu_graph_free(uint64_t address, const char *name) {
  struct emu_graph_allocation *a = find(address);
  if (!a->outstanding)
    return emu_fail(cudaErrorInvalidValue,
                    "%s: no launch has allocated it, or it has been freed (found 0x%llx)", name,
                    (unsigned long long)address);
  a->outstanding = false;
  return cudaSuccess;
}

static bool frees(cudaGraph_t graph, uint64_t address) {
  for (size_t i = 0; i < graph->count; i++) {
    const struct emu_work *work = &graph->nodes[i]->work;
    if ((work->kind == EMU_WORK_FREE && work->memory.address == address) ||
        (work->kind == EMU_WORK_CHILD && frees(work->child, address)))
      return true;
  }
  return false;
}

/* Calls that a launch stands for: each allocation node allocates, each free node frees. */
static cudaError_t launch_memory(cudaGraph_t all, cudaGraph_t graph, bool frees_before) {
  for (size_t i = 0; i < graph->count; i++) {
    const struct emu_work *work = &graph->nodes[i]->work;
    if (work->kind == EMU_WORK_CHILD)
      EMU_TRY(launch_memory(all, work->child, frees_before));
    if (work->kind == EMU_WORK_FREE && find(work->memory.address))
      find(work->memory.address)->outstanding = false;
    if (work->kind != EMU_WORK_ALLOCATE)
      continue;
    struct emu_graph_allocation *a = work->memory.of_graph;
    if (a->outstanding && !frees_before)
      return emu_fail(
          cudaErrorInvalidValue,
          "cudaGraphLaunch: what the allocation node at 0x%llx gave in the launch before has not been freed "
          "(cudaGraphInstantiateFlagAutoFreeOnLaunch frees it)",
          (unsigned long long)a->address);
    a->outstanding = !frees(all, a->address);
  }
  return cudaSuccess;
}

cudaError_t emu_graph_launch_memory(cudaGraphExec_t exec) {
  return launch_memory(exec->graph, exec->graph, exec->flags & cudaGraphInstantiateFlagAutoFreeOnLaunch);
}

cudaError_t emu_node_allocate(size_t bytes, int device, void **address, struct emu_work *work) {
  EMU_TRY(emu_device_check(device));
  if (!bytes)
    return cudaErrorInvalidValue;
  EMU_TRY(emu_allocate(device, bytes, EMU_MEMORY_DEVICE, "memory allocation node", address));
  struct emu_graph_allocation *allocation = emu_need(sizeof *allocation);
  *allocation = (struct emu_graph_allocation){.address = (uint64_t)(uintptr_t)*address,
                                              .bytes = bytes,
                                              .device = device,
                                              .users = 1,
                                              .next = allocations};
  allocations = allocation;
  *work =
      (struct emu_work){.kind = EMU_WORK_ALLOCATE,
                        .device = device,
                        .name = "memory allocation node",
                        .memory = {.address = allocation->address, .bytes = bytes, .of_graph = allocation}};
  return cudaSuccess;
}

static cudaError_t memory_attribute(int device, enum cudaGraphMemAttributeType attribute, void *value,
                                    bool set) {
  static uint64_t high[EMU_MAX_DEVICES];
  uint64_t used = 0;
  EMU_TRY(emu_device_check(device));
  for (struct emu_graph_allocation *a = allocations; a; a = a->next)
    used += a->address && a->device == device ? a->bytes : 0;
  high[device] = used > high[device] ? used : high[device];
  if (!value || (unsigned)attribute > cudaGraphMemAttrReservedMemHigh)
    return cudaErrorInvalidValue;
  bool peak = attribute == cudaGraphMemAttrUsedMemHigh || attribute == cudaGraphMemAttrReservedMemHigh;
  if (set && (!peak || *(uint64_t *)value))
    return cudaErrorInvalidValue;
  if (set)
    high[device] = used;
  else
    *(uint64_t *)value = peak ? high[device] : used;
  return cudaSuccess;
}

cudaError_t cudaDeviceGetGraphMemAttribute(int device, enum cudaGraphMemAttributeType attr, void *value) {
  EMU_API(memory_attribute(device, attr, value, false));
}

cudaError_t cudaDeviceSetGraphMemAttribute(int device, enum cudaGraphMemAttributeType attr, void *value) {
  EMU_API(memory_attribute(device, attr, value, true));
}

/* Nothing is held beyond what graphs still refer to. */
cudaError_t cudaDeviceGraphMemTrim(int device) {
  EMU_API(emu_device_check(device));
}
