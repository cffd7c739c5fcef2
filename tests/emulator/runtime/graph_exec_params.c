#include "copy.h"
#include "graph.h"

/* Changing one node of an executable graph; the node is named by the one it was made from. */

static cudaGraphNode_t of_origin(cudaGraph_t graph, cudaGraphNode_t origin) {
  for (size_t i = 0; i < graph->count; i++) {
    if (graph->nodes[i]->origin == origin)
      return graph->nodes[i];
    if (graph->nodes[i]->work.kind == EMU_WORK_CHILD) {
      cudaGraphNode_t inner = of_origin(graph->nodes[i]->work.child, origin);
      if (inner)
        return inner;
    }
  }
  return NULL;
}

static cudaError_t find(cudaGraphExec_t exec, cudaGraphNode_t origin, cudaGraphNode_t *out) {
  *out = emu_handle_is(exec, EMU_HANDLE_EXEC) ? of_origin(exec->graph, origin) : NULL;
  if (!emu_handle_is(exec, EMU_HANDLE_EXEC))
    return emu_fail(cudaErrorInvalidValue, "graph: no such executable graph (found handle %p)", (void *)exec);
  return *out ? cudaSuccess : cudaErrorInvalidValue;
}

static cudaError_t change(cudaGraphExec_t exec, cudaGraphNode_t origin, cudaError_t made,
                          struct emu_work *work) {
  cudaGraphNode_t node;
  if (made != cudaSuccess)
    return made;
  cudaError_t status = find(exec, origin, &node);
  if (status == cudaSuccess && node->work.kind != work->kind)
    status = cudaErrorInvalidValue;
  if (status == cudaSuccess && work->kind == EMU_WORK_COPY && work->copy.kind != node->work.copy.kind)
    status = emu_fail(cudaErrorInvalidValue, "graph: an executable graph's copy keeps its direction");
  if (status != cudaSuccess) {
    emu_work_release(work);
    return status;
  }
  if (work->kind == EMU_WORK_KERNEL) {
    work->kernel.cluster = node->work.kernel.cluster;
    work->kernel.cooperative = node->work.kernel.cooperative;
  }
  emu_node_set(node, work);
  return cudaSuccess;
}

#define CHANGE(exec, node, make)                                                                             \
  do {                                                                                                       \
    struct emu_work work;                                                                                    \
    cudaError_t entered_ = emu_enter(EMU_CALL_CONTEXT);                                                      \
    if (entered_ == cudaSuccess)                                                                             \
      entered_ = change(exec, node, make, &work);                                                            \
    return emu_leave(entered_);                                                                              \
  } while (0)

cudaError_t cudaGraphExecKernelNodeSetParams(cudaGraphExec_t hGraphExec, cudaGraphNode_t node,
                                             const struct cudaKernelNodeParams *pNodeParams) {
  CHANGE(hGraphExec, node, emu_node_kernel(pNodeParams, &work));
}

cudaError_t cudaGraphExecMemcpyNodeSetParams(cudaGraphExec_t hGraphExec, cudaGraphNode_t node,
                                             const struct cudaMemcpy3DParms *pNodeParams) {
  CHANGE(hGraphExec, node, emu_node_box(pNodeParams, &work));
}

cudaError_t cudaGraphExecMemcpyNodeSetParams1D(cudaGraphExec_t hGraphExec, cudaGraphNode_t node, void *dst,
                                               const void *src, size_t count, enum cudaMemcpyKind kind) {
  CHANGE(hGraphExec, node, emu_node_line(dst, src, count, kind, &work));
}

static cudaError_t symbol(const void *symbol, const void *other, size_t count, size_t offset,
                          enum cudaMemcpyKind kind, bool to, struct emu_work *work) {
  uint64_t address;
  EMU_TRY(emu_symbol_range(symbol, count, offset, &address));
  void *variable = (void *)(uintptr_t)address, *there = (void *)(uintptr_t)other;
  return emu_node_line(to ? variable : there, to ? there : variable, count, kind, work);
}

cudaError_t cudaGraphExecMemcpyNodeSetParamsToSymbol(cudaGraphExec_t hGraphExec, cudaGraphNode_t node,
                                                     const void *variable, const void *src, size_t count,
                                                     size_t offset, enum cudaMemcpyKind kind) {
  CHANGE(hGraphExec, node, symbol(variable, src, count, offset, kind, true, &work));
}

cudaError_t cudaGraphExecMemcpyNodeSetParamsFromSymbol(cudaGraphExec_t hGraphExec, cudaGraphNode_t node,
                                                       void *dst, const void *variable, size_t count,
                                                       size_t offset, enum cudaMemcpyKind kind) {
  CHANGE(hGraphExec, node, symbol(variable, dst, count, offset, kind, false, &work));
}

cudaError_t cudaGraphExecMemsetNodeSetParams(cudaGraphExec_t hGraphExec, cudaGraphNode_t node,
                                             const struct cudaMemsetParams *pNodeParams) {
  CHANGE(hGraphExec, node, emu_node_set_memory(pNodeParams, &work));
}

cudaError_t cudaGraphExecHostNodeSetParams(cudaGraphExec_t hGraphExec, cudaGraphNode_t node,
                                           const struct cudaHostNodeParams *pNodeParams) {
  CHANGE(hGraphExec, node, emu_node_host(pNodeParams, &work));
}

cudaError_t cudaGraphExecChildGraphNodeSetParams(cudaGraphExec_t hGraphExec, cudaGraphNode_t node,
                                                 cudaGraph_t childGraph) {
  CHANGE(hGraphExec, node, emu_node_child(childGraph, &work));
}

cudaError_t cudaGraphExecEventRecordNodeSetEvent(cudaGraphExec_t hGraphExec, cudaGraphNode_t hNode,
                                                 cudaEvent_t event) {
  CHANGE(hGraphExec, hNode, emu_node_event(event, EMU_WORK_EVENT_RECORD, &work));
}

cudaError_t cudaGraphExecEventWaitNodeSetEvent(cudaGraphExec_t hGraphExec, cudaGraphNode_t hNode,
                                               cudaEvent_t event) {
  CHANGE(hGraphExec, hNode, emu_node_event(event, EMU_WORK_EVENT_WAIT, &work));
}

cudaError_t cudaGraphExecNodeSetParams(cudaGraphExec_t graphExec, cudaGraphNode_t node,
                                       struct cudaGraphNodeParams *nodeParams) {
  CHANGE(graphExec, node, emu_node_any(nodeParams, &work));
}

static cudaError_t enable(cudaGraphExec_t exec, cudaGraphNode_t origin, unsigned enabled) {
  cudaGraphNode_t node;
  EMU_TRY(find(exec, origin, &node));
  if (node->work.kind != EMU_WORK_KERNEL && node->work.kind != EMU_WORK_SET &&
      node->work.kind != EMU_WORK_COPY)
    return cudaErrorInvalidValue;
  node->disabled = !enabled;
  return cudaSuccess;
}

static cudaError_t is_enabled(cudaGraphExec_t exec, cudaGraphNode_t origin, unsigned *out) {
  cudaGraphNode_t node;
  EMU_TRY(find(exec, origin, &node));
  if (!out)
    return cudaErrorInvalidValue;
  *out = !node->disabled;
  return cudaSuccess;
}

cudaError_t cudaGraphNodeSetEnabled(cudaGraphExec_t hGraphExec, cudaGraphNode_t hNode,
                                    unsigned int isEnabled) {
  EMU_API(enable(hGraphExec, hNode, isEnabled));
}

cudaError_t cudaGraphNodeGetEnabled(cudaGraphExec_t hGraphExec, cudaGraphNode_t hNode,
                                    unsigned int *isEnabled) {
  EMU_API(is_enabled(hGraphExec, hNode, isEnabled));
}
