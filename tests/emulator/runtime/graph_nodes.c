#include "copy.h"
#include "graph.h"
#include "kernel.h"

#include <stdlib.h>

/* Adding nodes to a graph, and asking for and changing what they do. */

typedef cudaGraphNode_t node_t;

/* Adds the node if its work could be made. */
static cudaError_t add(node_t *out, cudaGraph_t graph, const node_t *before, size_t count, cudaError_t made,
                       struct emu_work *work) {
  return made == cudaSuccess ? emu_graph_add(graph, before, count, work, out) : made;
}

/* Replaces the node's work if the new work could be made and is of its kind. */
static cudaError_t change(node_t node, enum emu_work_kind kind, cudaError_t made, struct emu_work *work) {
  if (made != cudaSuccess)
    return made;
  cudaError_t status = emu_node_find(node, kind);
  if (status == cudaSuccess && node->work.kind == EMU_WORK_KERNEL) {
    work->kernel.cluster = node->work.kernel.cluster;
    work->kernel.cooperative = node->work.kernel.cooperative;
  }
  if (status == cudaSuccess)
    emu_node_set(node, work);
  else
    emu_work_release(work);
  return status;
}

#define ADD(make)                                                                                            \
  do {                                                                                                       \
    struct emu_work work;                                                                                    \
    cudaError_t entered_ = emu_enter(EMU_CALL_CONTEXT);                                                      \
    if (entered_ == cudaSuccess)                                                                             \
      entered_ = add(pGraphNode, graph, pDependencies, numDependencies, make, &work);                        \
    return emu_leave(entered_);                                                                              \
  } while (0)

#define CHANGE(kind, make)                                                                                   \
  do {                                                                                                       \
    struct emu_work work;                                                                                    \
    cudaError_t entered_ = emu_enter(EMU_CALL_CONTEXT);                                                      \
    if (entered_ == cudaSuccess)                                                                             \
      entered_ = change(node, kind, make, &work);                                                            \
    return emu_leave(entered_);                                                                              \
  } while (0)

cudaError_t cudaGraphAddKernelNode(node_t *pGraphNode, cudaGraph_t graph, const node_t *pDependencies,
                                   size_t numDependencies, const struct cudaKernelNodeParams *pNodeParams) {
  ADD(emu_node_kernel(pNodeParams, &work));
}

cudaError_t cudaGraphAddMemcpyNode(node_t *pGraphNode, cudaGraph_t graph, const node_t *pDependencies,
                                   size_t numDependencies, const struct cudaMemcpy3DParms *pCopyParams) {
  ADD(emu_node_box(pCopyParams, &work));
}

cudaError_t cudaGraphAddMemcpyNode1D(node_t *pGraphNode, cudaGraph_t graph, const node_t *pDependencies,
                                     size_t numDependencies, void *dst, const void *src, size_t count,
                                     enum cudaMemcpyKind kind) {
  ADD(emu_node_line(dst, src, count, kind, &work));
}

static cudaError_t to_symbol(const void *symbol, const void *from, size_t count, size_t offset,
                             enum cudaMemcpyKind kind, struct emu_work *work) {
  uint64_t address;
  EMU_TRY(emu_symbol_range(symbol, count, offset, &address));
  return emu_node_line((void *)(uintptr_t)address, from, count, kind, work);
}

static cudaError_t from_symbol(void *to, const void *symbol, size_t count, size_t offset,
                               enum cudaMemcpyKind kind, struct emu_work *work) {
  uint64_t address;
  EMU_TRY(emu_symbol_range(symbol, count, offset, &address));
  return emu_node_line(to, (const void *)(uintptr_t)address, count, kind, work);
}

cudaError_t cudaGraphAddMemcpyNodeToSymbol(node_t *pGraphNode, cudaGraph_t graph, const node_t *pDependencies,
                                           size_t numDependencies, const void *symbol, const void *src,
                                           size_t count, size_t offset, enum cudaMemcpyKind kind) {
  ADD(to_symbol(symbol, src, count, offset, kind, &work));
}

cudaError_t cudaGraphAddMemcpyNodeFromSymbol(node_t *pGraphNode, cudaGraph_t graph,
                                             const node_t *pDependencies, size_t numDependencies, void *dst,
                                             const void *symbol, size_t count, size_t offset,
                                             enum cudaMemcpyKind kind) {
  ADD(from_symbol(dst, symbol, count, offset, kind, &work));
}

cudaError_t cudaGraphAddMemsetNode(node_t *pGraphNode, cudaGraph_t graph, const node_t *pDependencies,
                                   size_t numDependencies, const struct cudaMemsetParams *pMemsetParams) {
  ADD(emu_node_set_memory(pMemsetParams, &work));
}

cudaError_t cudaGraphAddHostNode(node_t *pGraphNode, cudaGraph_t graph, const node_t *pDependencies,
                                 size_t numDependencies, const struct cudaHostNodeParams *pNodeParams) {
  ADD(emu_node_host(pNodeParams, &work));
}

cudaError_t cudaGraphAddChildGraphNode(node_t *pGraphNode, cudaGraph_t graph, const node_t *pDependencies,
                                       size_t numDependencies, cudaGraph_t childGraph) {
  ADD(emu_node_child(childGraph, &work));
}

cudaError_t cudaGraphAddEmptyNode(node_t *pGraphNode, cudaGraph_t graph, const node_t *pDependencies,
                                  size_t numDependencies) {
  struct cudaGraphNodeParams empty = {.type = cudaGraphNodeTypeEmpty};
  ADD(emu_node_any(&empty, &work));
}

cudaError_t cudaGraphAddEventRecordNode(node_t *pGraphNode, cudaGraph_t graph, const node_t *pDependencies,
                                        size_t numDependencies, cudaEvent_t event) {
  ADD(emu_node_event(event, EMU_WORK_EVENT_RECORD, &work));
}

cudaError_t cudaGraphAddEventWaitNode(node_t *pGraphNode, cudaGraph_t graph, const node_t *pDependencies,
                                      size_t numDependencies, cudaEvent_t event) {
  ADD(emu_node_event(event, EMU_WORK_EVENT_WAIT, &work));
}

cudaError_t cudaGraphAddMemAllocNode(node_t *pGraphNode, cudaGraph_t graph, const node_t *pDependencies,
                                     size_t numDependencies, struct cudaMemAllocNodeParams *nodeParams) {
  ADD(nodeParams ? emu_node_allocate(nodeParams->bytesize, nodeParams->poolProps.location.id,
                                     &nodeParams->dptr, &work)
                 : cudaErrorInvalidValue);
}

cudaError_t cudaGraphAddMemFreeNode(node_t *pGraphNode, cudaGraph_t graph, const node_t *pDependencies,
                                    size_t numDependencies, void *dptr) {
  ADD(emu_node_free(dptr, &work));
}

cudaError_t cudaGraphAddNode(node_t *pGraphNode, cudaGraph_t graph, const node_t *pDependencies,
                             const cudaGraphEdgeData *dependencyData, size_t numDependencies,
                             struct cudaGraphNodeParams *nodeParams) {
  (void)dependencyData;
  ADD(emu_node_any(nodeParams, &work));
}

/* ---- Changing ---- */

cudaError_t cudaGraphKernelNodeSetParams(node_t node, const struct cudaKernelNodeParams *pNodeParams) {
  CHANGE(EMU_WORK_KERNEL, emu_node_kernel(pNodeParams, &work));
}

cudaError_t cudaGraphMemcpyNodeSetParams(node_t node, const struct cudaMemcpy3DParms *pNodeParams) {
  CHANGE(EMU_WORK_COPY, emu_node_box(pNodeParams, &work));
}

cudaError_t cudaGraphMemcpyNodeSetParams1D(node_t node, void *dst, const void *src, size_t count,
                                           enum cudaMemcpyKind kind) {
  CHANGE(EMU_WORK_COPY, emu_node_line(dst, src, count, kind, &work));
}

cudaError_t cudaGraphMemcpyNodeSetParamsToSymbol(node_t node, const void *symbol, const void *src,
                                                 size_t count, size_t offset, enum cudaMemcpyKind kind) {
  CHANGE(EMU_WORK_COPY, to_symbol(symbol, src, count, offset, kind, &work));
}

cudaError_t cudaGraphMemcpyNodeSetParamsFromSymbol(node_t node, void *dst, const void *symbol, size_t count,
                                                   size_t offset, enum cudaMemcpyKind kind) {
  CHANGE(EMU_WORK_COPY, from_symbol(dst, symbol, count, offset, kind, &work));
}

cudaError_t cudaGraphMemsetNodeSetParams(node_t node, const struct cudaMemsetParams *pNodeParams) {
  CHANGE(EMU_WORK_SET, emu_node_set_memory(pNodeParams, &work));
}

cudaError_t cudaGraphHostNodeSetParams(node_t node, const struct cudaHostNodeParams *pNodeParams) {
  CHANGE(EMU_WORK_HOST, emu_node_host(pNodeParams, &work));
}

cudaError_t cudaGraphEventRecordNodeSetEvent(node_t node, cudaEvent_t event) {
  CHANGE(EMU_WORK_EVENT_RECORD, emu_node_event(event, EMU_WORK_EVENT_RECORD, &work));
}

cudaError_t cudaGraphEventWaitNodeSetEvent(node_t node, cudaEvent_t event) {
  CHANGE(EMU_WORK_EVENT_WAIT, emu_node_event(event, EMU_WORK_EVENT_WAIT, &work));
}

cudaError_t cudaGraphNodeSetParams(node_t node, struct cudaGraphNodeParams *nodeParams) {
  CHANGE(work.kind, emu_node_any(nodeParams, &work));
}
