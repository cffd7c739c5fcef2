#include "graph.h"
#include "kernel.h"

#include <stdlib.h>
#include <string.h>

/* Graphs as data: nodes, edges, copies. Running them is graph_exec.c's. */

cudaError_t emu_graph_find(cudaGraph_t graph) {
  if (emu_handle_is(graph, EMU_HANDLE_GRAPH))
    return cudaSuccess;
  return emu_fail(cudaErrorInvalidValue, "graph: no such graph (found handle %p)", (void *)graph);
}

cudaError_t emu_node_find(cudaGraphNode_t node, enum emu_work_kind kind) {
  if (!emu_handle_is(node, EMU_HANDLE_NODE))
    return emu_fail(cudaErrorInvalidValue, "graph: no such node (found handle %p)", (void *)node);
  return node->work.kind == kind ? cudaSuccess : cudaErrorInvalidValue;
}

cudaGraph_t emu_graph_make(void) {
  cudaGraph_t graph = emu_need(sizeof *graph);
  emu_handle_add(graph, EMU_HANDLE_GRAPH);
  return graph;
}

static void delete_node(cudaGraphNode_t node) {
  emu_handle_remove(node);
  emu_work_release(&node->work);
  free(node->before);
  free(node->parameters);
  free(node);
}

void emu_graph_delete(cudaGraph_t graph) {
  emu_handle_remove(graph);
  for (size_t i = 0; i < graph->count; i++)
    delete_node(graph->nodes[i]);
  emu_user_objects_drop(graph);
  free(graph->nodes);
  free(graph);
}

static cudaGraphNode_t append(cudaGraph_t graph, struct emu_work work) {
  cudaGraphNode_t node = emu_need(sizeof *node);
  node->graph = graph;
  node->work = work;
  graph->nodes = emu_need_again(graph->nodes, (graph->count + 1) * sizeof *graph->nodes);
  graph->nodes[graph->count++] = node;
  emu_handle_add(node, EMU_HANDLE_NODE);
  return node;
}

static cudaError_t check_before(cudaGraph_t graph, const cudaGraphNode_t *before, size_t count) {
  EMU_TRY(emu_graph_find(graph));
  if (count && !before)
    return cudaErrorInvalidValue;
  for (size_t i = 0; i < count; i++) {
    if (!emu_handle_is(before[i], EMU_HANDLE_NODE) || before[i]->graph != graph)
      return emu_fail(cudaErrorInvalidValue, "graph: a dependency is no node of this graph (found handle %p)",
                      (void *)before[i]);
    for (size_t j = 0; j < i; j++)
      if (before[i] == before[j])
        return emu_fail(cudaErrorInvalidValue, "graph: the same dependency twice (found handle %p)",
                        (void *)before[i]);
  }
  return cudaSuccess;
}

cudaError_t emu_graph_add(cudaGraph_t graph, const cudaGraphNode_t *before, size_t count,
                          struct emu_work *work, cudaGraphNode_t *out) {
  cudaError_t status = out ? check_before(graph, before, count) : cudaErrorInvalidValue;
  if (status != cudaSuccess) {
    emu_work_release(work);
    return status;
  }
  cudaGraphNode_t node = append(graph, *work);
  node->before = emu_need_copy(before, count * sizeof *before);
  node->before_count = count;
  if (work->kind == EMU_WORK_KERNEL)
    node->function = work->kernel.function->symbol ? work->kernel.function->symbol : work->kernel.function;
  if (work->kind == EMU_WORK_CHILD)
    work->child->inner = true;
  *out = node;
  return cudaSuccess;
}

cudaError_t emu_graph_link(cudaGraph_t graph, cudaGraphNode_t from, cudaGraphNode_t to) {
  for (size_t i = 0; i < to->before_count; i++)
    if (to->before[i] == from)
      return emu_fail(cudaErrorInvalidValue, "graph: the dependency is there already");
  if (from == to || from->graph != graph || to->graph != graph)
    return cudaErrorInvalidValue;
  to->before = emu_need_again(to->before, (to->before_count + 1) * sizeof *to->before);
  to->before[to->before_count++] = from;
  return cudaSuccess;
}

static size_t index_of(cudaGraph_t graph, cudaGraphNode_t node) {
  size_t i = 0;
  while (graph->nodes[i] != node)
    i++;
  return i;
}

cudaGraph_t emu_graph_copy(cudaGraph_t graph, bool owned) {
  cudaGraph_t copy = emu_graph_make();
  copy->inner = !owned;
  for (size_t i = 0; i < graph->count; i++) {
    cudaGraphNode_t from = graph->nodes[i], to = append(copy, emu_work_copy(&from->work));
    to->origin = from;
    to->disabled = from->disabled;
    to->function = from->function;
    to->priority = from->priority;
    from->order = i;
    if (to->work.kind == EMU_WORK_CHILD)
      to->work.child->inner = true;
  }
  for (size_t i = 0; i < graph->count; i++) {
    cudaGraphNode_t from = graph->nodes[i], to = copy->nodes[i];
    to->before_count = from->before_count;
    to->before = emu_need(from->before_count * sizeof *to->before);
    for (size_t j = 0; j < from->before_count; j++)
      to->before[j] = copy->nodes[from->before[j]->order];
  }
  emu_user_objects_share(copy, graph);
  return copy;
}

cudaGraphNode_t *emu_graph_sorted(cudaGraph_t graph) {
  cudaGraphNode_t *sorted = emu_need(graph->count * sizeof *sorted);
  size_t done = 0, round;
  for (size_t i = 0; i < graph->count; i++)
    graph->nodes[i]->order = SIZE_MAX;
  do {
    round = done;
    for (size_t i = 0; i < graph->count; i++) {
      cudaGraphNode_t node = graph->nodes[i];
      bool ready = node->order == SIZE_MAX;
      for (size_t j = 0; ready && j < node->before_count; j++)
        ready = node->before[j]->order != SIZE_MAX;
      if (ready) {
        node->order = done;
        sorted[done++] = node;
      }
    }
  } while (done != round);
  if (done == graph->count)
    return sorted;
  free(sorted);
  return NULL;
}

enum cudaGraphNodeType emu_node_type(const struct emu_work *work) {
  static const enum cudaGraphNodeType types[] = {[EMU_WORK_EMPTY] = cudaGraphNodeTypeEmpty,
                                                 [EMU_WORK_KERNEL] = cudaGraphNodeTypeKernel,
                                                 [EMU_WORK_COPY] = cudaGraphNodeTypeMemcpy,
                                                 [EMU_WORK_SET] = cudaGraphNodeTypeMemset,
                                                 [EMU_WORK_HOST] = cudaGraphNodeTypeHost,
                                                 [EMU_WORK_EVENT_RECORD] = cudaGraphNodeTypeEventRecord,
                                                 [EMU_WORK_EVENT_WAIT] = cudaGraphNodeTypeWaitEvent,
                                                 [EMU_WORK_ALLOCATE] = cudaGraphNodeTypeMemAlloc,
                                                 [EMU_WORK_FREE] = cudaGraphNodeTypeMemFree,
                                                 [EMU_WORK_LIBRARY] = cudaGraphNodeTypeKernel,
                                                 [EMU_WORK_CHILD] = cudaGraphNodeTypeGraph};
  return types[work->kind];
}

void emu_node_set(cudaGraphNode_t node, struct emu_work *work) {
  emu_work_release(&node->work);
  node->work = *work;
  free(node->parameters);
  node->parameters = NULL;
  if (work->kind == EMU_WORK_KERNEL)
    node->function = work->kernel.function->symbol ? work->kernel.function->symbol : work->kernel.function;
  if (work->kind == EMU_WORK_CHILD)
    work->child->inner = true;
}

static cudaError_t create(cudaGraph_t *out, unsigned flags) {
  if (!out || flags)
    return cudaErrorInvalidValue;
  *out = emu_graph_make();
  return cudaSuccess;
}

static cudaError_t destroy(cudaGraph_t graph) {
  EMU_TRY(emu_graph_find(graph));
  if (graph->inner)
    return emu_fail(cudaErrorInvalidValue, "cudaGraphDestroy: the graph belongs to a node");
  emu_graph_delete(graph);
  return cudaSuccess;
}

static cudaError_t destroy_node(cudaGraphNode_t node) {
  if (!emu_handle_is(node, EMU_HANDLE_NODE) || node->graph->inner)
    return cudaErrorInvalidValue;
  cudaGraph_t graph = node->graph;
  size_t at = index_of(graph, node);
  memmove(&graph->nodes[at], &graph->nodes[at + 1], (graph->count - at - 1) * sizeof *graph->nodes);
  graph->count--;
  for (size_t i = 0; i < graph->count; i++) {
    cudaGraphNode_t other = graph->nodes[i];
    for (size_t j = 0; j < other->before_count; j++)
      if (other->before[j] == node)
        other->before[j--] = other->before[--other->before_count];
  }
  delete_node(node);
  return cudaSuccess;
}

static cudaError_t clone(cudaGraph_t *out, cudaGraph_t graph) {
  if (!out)
    return cudaErrorInvalidValue;
  EMU_TRY(emu_graph_find(graph));
  *out = emu_graph_copy(graph, true);
  return cudaSuccess;
}

static cudaError_t find_in_clone(cudaGraphNode_t *out, cudaGraphNode_t origin, cudaGraph_t graph) {
  if (!out)
    return cudaErrorInvalidValue;
  EMU_TRY(emu_graph_find(graph));
  for (size_t i = 0; i < graph->count; i++)
    if (graph->nodes[i]->origin == origin) {
      *out = graph->nodes[i];
      return cudaSuccess;
    }
  return cudaErrorInvalidValue;
}

cudaError_t cudaGraphCreate(cudaGraph_t *pGraph, unsigned int flags) {
  EMU_API(create(pGraph, flags));
}

cudaError_t cudaGraphDestroy(cudaGraph_t graph) {
  EMU_API(destroy(graph));
}

cudaError_t cudaGraphDestroyNode(cudaGraphNode_t node) {
  EMU_API(destroy_node(node));
}

cudaError_t cudaGraphClone(cudaGraph_t *pGraphClone, cudaGraph_t originalGraph) {
  EMU_API(clone(pGraphClone, originalGraph));
}

cudaError_t cudaGraphNodeFindInClone(cudaGraphNode_t *pNode, cudaGraphNode_t originalNode,
                                     cudaGraph_t clonedGraph) {
  EMU_API(find_in_clone(pNode, originalNode, clonedGraph));
}
