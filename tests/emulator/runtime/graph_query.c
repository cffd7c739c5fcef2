#include "graph.h"

#include <stdio.h>
#include <string.h>

/* Questions about a graph's shape. Lists are answered as CUDA does: without an array only the number; with
 * one as much as fits, the rest of the array NULL and the number that was given. */

struct list {
  cudaGraphNode_t *out;
  size_t room, count;
};

static void put(struct list *list, cudaGraphNode_t node) {
  if (list->out && list->count < list->room)
    list->out[list->count] = node;
  list->count++;
}

static cudaError_t begin(struct list *list, cudaGraphNode_t *out, const size_t *count) {
  if (!count)
    return cudaErrorInvalidValue;
  *list = (struct list){out, out ? *count : 0, 0};
  return cudaSuccess;
}

static cudaError_t end(struct list *list, size_t *count) {
  if (!list->out) {
    *count = list->count;
    return cudaSuccess;
  }
  for (size_t i = list->count; i < list->room; i++)
    list->out[i] = NULL;
  *count = list->count < list->room ? list->count : list->room;
  return cudaSuccess;
}

static cudaError_t nodes(cudaGraph_t graph, cudaGraphNode_t *out, size_t *count, bool roots) {
  struct list list;
  EMU_TRY(emu_graph_find(graph));
  EMU_TRY(begin(&list, out, count));
  for (size_t i = 0; i < graph->count; i++)
    if (!roots || !graph->nodes[i]->before_count)
      put(&list, graph->nodes[i]);
  return end(&list, count);
}

static bool depends(cudaGraphNode_t node, cudaGraphNode_t on) {
  for (size_t i = 0; i < node->before_count; i++)
    if (node->before[i] == on)
      return true;
  return false;
}

static cudaError_t neighbours(cudaGraphNode_t node, cudaGraphNode_t *out, cudaGraphEdgeData *edges,
                              size_t *count, bool after) {
  struct list list;
  if (!emu_handle_is(node, EMU_HANDLE_NODE))
    return cudaErrorInvalidValue;
  EMU_TRY(begin(&list, out, count));
  if (after) {
    for (size_t i = 0; i < node->graph->count; i++)
      if (depends(node->graph->nodes[i], node))
        put(&list, node->graph->nodes[i]);
  } else {
    for (size_t i = 0; i < node->before_count; i++)
      put(&list, node->before[i]);
  }
  if (edges && out)
    memset(edges, 0, *count * sizeof *edges);
  return end(&list, count);
}

static cudaError_t edges(cudaGraph_t graph, cudaGraphNode_t *from, cudaGraphNode_t *to,
                         cudaGraphEdgeData *data, size_t *count) {
  struct list sources, targets;
  EMU_TRY(emu_graph_find(graph));
  if (!from != !to)
    return cudaErrorInvalidValue;
  EMU_TRY(begin(&sources, from, count));
  EMU_TRY(begin(&targets, to, count));
  if (data && from)
    memset(data, 0, *count * sizeof *data);
  for (size_t i = 0; i < graph->count; i++)
    for (size_t j = 0; j < graph->nodes[i]->before_count; j++) {
      put(&sources, graph->nodes[i]->before[j]);
      put(&targets, graph->nodes[i]);
    }
  size_t again = *count;
  EMU_TRY(end(&sources, count));
  return end(&targets, &again);
}

static cudaError_t link_all(cudaGraph_t graph, const cudaGraphNode_t *from, const cudaGraphNode_t *to,
                            size_t count, bool remove) {
  EMU_TRY(emu_graph_find(graph));
  if (count && (!from || !to))
    return cudaErrorInvalidValue;
  for (size_t i = 0; i < count; i++) {
    if (!emu_handle_is(from[i], EMU_HANDLE_NODE) || !emu_handle_is(to[i], EMU_HANDLE_NODE))
      return cudaErrorInvalidValue;
    if (!remove) {
      EMU_TRY(emu_graph_link(graph, from[i], to[i]));
      continue;
    }
    if (to[i]->graph != graph || !depends(to[i], from[i]))
      return cudaErrorInvalidValue;
    for (size_t j = 0; j < to[i]->before_count; j++)
      if (to[i]->before[j] == from[i])
        to[i]->before[j] = to[i]->before[--to[i]->before_count];
  }
  return cudaSuccess;
}

static cudaError_t type_of(cudaGraphNode_t node, enum cudaGraphNodeType *out) {
  if (!out || !emu_handle_is(node, EMU_HANDLE_NODE))
    return cudaErrorInvalidValue;
  *out = emu_node_type(&node->work);
  return cudaSuccess;
}

cudaError_t cudaGraphGetNodes(cudaGraph_t graph, cudaGraphNode_t *list, size_t *numNodes) {
  EMU_API(nodes(graph, list, numNodes, false));
}

cudaError_t cudaGraphGetRootNodes(cudaGraph_t graph, cudaGraphNode_t *pRootNodes, size_t *pNumRootNodes) {
  EMU_API(nodes(graph, pRootNodes, pNumRootNodes, true));
}

cudaError_t cudaGraphGetEdges(cudaGraph_t graph, cudaGraphNode_t *from, cudaGraphNode_t *to,
                              cudaGraphEdgeData *edgeData, size_t *numEdges) {
  EMU_API(edges(graph, from, to, edgeData, numEdges));
}

cudaError_t cudaGraphNodeGetDependencies(cudaGraphNode_t node, cudaGraphNode_t *pDependencies,
                                         cudaGraphEdgeData *edgeData, size_t *pNumDependencies) {
  EMU_API(neighbours(node, pDependencies, edgeData, pNumDependencies, false));
}

cudaError_t cudaGraphNodeGetDependentNodes(cudaGraphNode_t node, cudaGraphNode_t *pDependentNodes,
                                           cudaGraphEdgeData *edgeData, size_t *pNumDependentNodes) {
  EMU_API(neighbours(node, pDependentNodes, edgeData, pNumDependentNodes, true));
}

cudaError_t cudaGraphAddDependencies(cudaGraph_t graph, const cudaGraphNode_t *from,
                                     const cudaGraphNode_t *to, const cudaGraphEdgeData *edgeData,
                                     size_t numDependencies) {
  (void)edgeData; /* ports start a node earlier; on the emulated device every edge means completion */
  EMU_API(link_all(graph, from, to, numDependencies, false));
}

cudaError_t cudaGraphRemoveDependencies(cudaGraph_t graph, const cudaGraphNode_t *from,
                                        const cudaGraphNode_t *to, const cudaGraphEdgeData *edgeData,
                                        size_t numDependencies) {
  (void)edgeData;
  EMU_API(link_all(graph, from, to, numDependencies, true));
}

cudaError_t cudaGraphNodeGetType(cudaGraphNode_t node, enum cudaGraphNodeType *pType) {
  EMU_API(type_of(node, pType));
}

static cudaError_t print(cudaGraph_t graph, const char *path) {
  EMU_TRY(emu_graph_find(graph));
  FILE *file = path ? fopen(path, "w") : NULL;
  if (!file)
    return cudaErrorOperatingSystem;
  fprintf(file, "digraph graph_0 {\n");
  for (size_t i = 0; i < graph->count; i++)
    graph->nodes[i]->order = i;
  for (size_t i = 0; i < graph->count; i++) {
    cudaGraphNode_t node = graph->nodes[i];
    fprintf(file, "  node_%zu [label=\"%zu: type %d %s\"];\n", i, i, (int)emu_node_type(&node->work),
            node->work.name ? node->work.name : "");
    for (size_t j = 0; j < node->before_count; j++)
      fprintf(file, "  node_%zu -> node_%zu;\n", node->before[j]->order, i);
  }
  fprintf(file, "}\n");
  return fclose(file) ? cudaErrorOperatingSystem : cudaSuccess;
}

cudaError_t cudaGraphDebugDotPrint(cudaGraph_t graph, const char *path, unsigned int flags) {
  (void)flags;
  EMU_API(print(graph, path));
}
