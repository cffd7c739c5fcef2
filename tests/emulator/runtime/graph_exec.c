#include "capture.h"
#include "graph.h"
#include "kernel.h"
#include "stream.h"

#include <stdlib.h>

/* Executable graphs: a copy of a graph, queued branch by branch. */

static cudaError_t find(cudaGraphExec_t exec) {
  if (emu_handle_is(exec, EMU_HANDLE_EXEC))
    return cudaSuccess;
  return emu_fail(cudaErrorInvalidValue, "graph: no such executable graph (found handle %p)", (void *)exec);
}

static bool has_circle(cudaGraph_t graph) {
  cudaGraphNode_t *sorted = emu_graph_sorted(graph);
  bool circle = !sorted;
  free(sorted);
  for (size_t i = 0; !circle && i < graph->count; i++)
    if (graph->nodes[i]->work.kind == EMU_WORK_CHILD)
      circle = has_circle(graph->nodes[i]->work.child);
  return circle;
}

static cudaError_t instantiate(cudaGraphExec_t *out, cudaGraph_t graph, unsigned long long flags) {
  unsigned long long known = cudaGraphInstantiateFlagAutoFreeOnLaunch | cudaGraphInstantiateFlagUpload |
                             cudaGraphInstantiateFlagUseNodePriority;
  if (!out)
    return cudaErrorInvalidValue;
  EMU_TRY(emu_graph_find(graph));
  if (flags & cudaGraphInstantiateFlagDeviceLaunch)
    return emu_fail(cudaErrorNotSupported,
                    "cudaGraphInstantiate: launching from the device is not supported");
  if (flags & ~known)
    return cudaErrorInvalidValue;
  if (has_circle(graph))
    return emu_fail(cudaErrorInvalidValue, "cudaGraphInstantiate: the dependencies go in a circle");
  *out = emu_need(sizeof **out);
  (*out)->graph = emu_graph_copy(graph, false);
  (*out)->flags = flags;
  (*out)->device = emu_device();
  emu_handle_add(*out, EMU_HANDLE_EXEC);
  return cudaSuccess;
}

/* The queue for one more branch of a launch. */
static uint32_t branch(cudaGraphExec_t exec, size_t *used) {
  if (*used == exec->queue_count) {
    exec->queues = emu_need_again(exec->queues, (exec->queue_count + 1) * sizeof *exec->queues);
    exec->queues[exec->queue_count++] = emu_queue_take();
  }
  return exec->queues[(*used)++];
}

struct place {
  struct emu_clock clock; /* comes after the node */
  uint32_t queue;
  bool continued; /* another node follows it in its queue */
};

static void queue_nodes(cudaGraphExec_t exec, cudaGraph_t graph, const struct emu_clock *start,
                        struct emu_clock *end, size_t *used) {
  cudaGraphNode_t *sorted = emu_graph_sorted(graph);
  struct place *places = emu_need(graph->count * sizeof *places);
  emu_clock_join(end, start);
  for (size_t i = 0; sorted && i < graph->count; i++) {
    cudaGraphNode_t node = sorted[i];
    struct place *place = &places[i], *before = NULL;
    struct emu_clock after = {0};
    emu_clock_join(&after, start);
    for (size_t j = 0; j < node->before_count; j++) {
      struct place *p = &places[node->before[j]->order];
      emu_clock_join(&after, &p->clock);
      if (!before && !p->continued)
        before = p;
    }
    place->queue = before ? before->queue : branch(exec, used);
    if (before)
      before->continued = true;
    if (node->work.kind == EMU_WORK_CHILD) {
      queue_nodes(exec, node->work.child, &after, &place->clock, used);
    } else if (node->work.kind == EMU_WORK_EVENT_WAIT) {
      emu_clock_join(&after, &node->work.event.event->clock);
      emu_clock_join(&place->clock, &after);
    } else {
      struct emu_work work = emu_work_copy(&node->work), nothing = {.device = work.device, .name = work.name};
      if (node->disabled) {
        emu_work_release(&work);
        work = nothing;
      }
      if (work.kind == EMU_WORK_KERNEL || work.kind == EMU_WORK_LIBRARY)
        emu_run.graph_nodes++;
      cudaEvent_t event = work.kind == EMU_WORK_EVENT_RECORD ? work.event.event : NULL;
      emu_clock_join(&place->clock, emu_queue_append(place->queue, &after, &work));
      if (event) {
        event->recorded = true;
        emu_clock_free(&event->clock);
        emu_clock_join(&event->clock, &place->clock);
      }
    }
    emu_clock_join(end, &place->clock);
    emu_clock_free(&after);
  }
  for (size_t i = 0; i < graph->count; i++)
    emu_clock_free(&places[i].clock);
  free(places);
  free(sorted);
}

static cudaError_t launch(cudaGraphExec_t exec, cudaStream_t handle) {
  cudaStream_t stream;
  EMU_TRY(find(exec));
  EMU_TRY(emu_stream_find(handle, &stream));
  EMU_TRY(emu_capture_forbids_graphs(stream));
  EMU_TRY(emu_capture_forbids_legacy(stream));
  EMU_TRY(emu_graph_launch_memory(exec));
  struct emu_clock start = {0};
  size_t used = 0;
  emu_stream_order(stream, &start);
  emu_clock_join(&start, &exec->last);
  queue_nodes(exec, exec->graph, &start, &stream->last, &used);
  emu_clock_join(&exec->last, &stream->last);
  emu_run.graph_launches++;
  emu_clock_free(&start);
  return cudaSuccess;
}

static cudaError_t destroy(cudaGraphExec_t exec) {
  EMU_TRY(find(exec));
  emu_handle_remove(exec);
  for (size_t i = 0; i < exec->queue_count; i++)
    emu_queue_give(exec->queues[i]);
  emu_graph_delete(exec->graph);
  emu_clock_free(&exec->last);
  free(exec->queues);
  free(exec);
  return cudaSuccess;
}

static cudaError_t upload(cudaGraphExec_t exec, cudaStream_t handle) {
  cudaStream_t stream;
  EMU_TRY(find(exec));
  return emu_stream_find(handle, &stream);
}

static cudaError_t flags_of(cudaGraphExec_t exec, unsigned long long *out) {
  EMU_TRY(find(exec));
  if (!out)
    return cudaErrorInvalidValue;
  *out = exec->flags;
  return cudaSuccess;
}

static cudaError_t instantiate_with(cudaGraphExec_t *out, cudaGraph_t graph, cudaGraphInstantiateParams *p) {
  if (!p)
    return cudaErrorInvalidValue;
  cudaError_t status = instantiate(out, graph, p->flags);
  p->errNode_out = NULL;
  p->result_out = status == cudaSuccess             ? cudaGraphInstantiateSuccess
                  : status == cudaErrorNotSupported ? cudaGraphInstantiateNodeOperationNotSupported
                                                    : cudaGraphInstantiateInvalidStructure;
  return status;
}

/* ---- Updating: the same shape, other parameters ---- */

static enum cudaGraphExecUpdateResult compare(cudaGraph_t old, cudaGraph_t new, cudaGraphNode_t *at) {
  if (old->count != new->count)
    return cudaGraphExecUpdateErrorTopologyChanged;
  for (size_t i = 0; i < new->count; i++)
    old->nodes[i]->order = new->nodes[i]->order = i;
  for (size_t i = 0; i < new->count; i++) {
    cudaGraphNode_t a = old->nodes[i], b = new->nodes[i];
    *at = b;
    if (a->before_count != b->before_count)
      return cudaGraphExecUpdateErrorTopologyChanged;
    if (a->work.kind != b->work.kind)
      return cudaGraphExecUpdateErrorNodeTypeChanged;
    for (size_t j = 0; j < a->before_count; j++)
      if (a->before[j]->order != b->before[j]->order)
        return cudaGraphExecUpdateErrorTopologyChanged;
    if (a->work.kind == EMU_WORK_COPY && a->work.copy.kind != b->work.copy.kind)
      return cudaGraphExecUpdateErrorParametersChanged;
    if (a->work.kind == EMU_WORK_ALLOCATE || a->work.kind == EMU_WORK_FREE)
      return cudaGraphExecUpdateErrorNotSupported;
  }
  for (size_t i = 0; i < new->count; i++)
    if (new->nodes[i]->work.kind == EMU_WORK_CHILD) {
      enum cudaGraphExecUpdateResult inner =
          compare(old->nodes[i]->work.child, new->nodes[i]->work.child, at);
      if (inner != cudaGraphExecUpdateSuccess)
        return inner;
    }
  return cudaGraphExecUpdateSuccess;
}

static cudaError_t update(cudaGraphExec_t exec, cudaGraph_t graph, cudaGraphExecUpdateResultInfo *info) {
  cudaGraphNode_t at = NULL;
  EMU_TRY(find(exec));
  EMU_TRY(emu_graph_find(graph));
  enum cudaGraphExecUpdateResult result = compare(exec->graph, graph, &at);
  if (info)
    *info = (cudaGraphExecUpdateResultInfo){.result = result,
                                            .errorNode = result == cudaGraphExecUpdateSuccess ? NULL : at};
  if (result != cudaGraphExecUpdateSuccess)
    return emu_fail(cudaErrorGraphExecUpdateFailure, "cudaGraphExecUpdate: the graph differs (result %d)",
                    (int)result);
  for (size_t i = 0; i < graph->count; i++) {
    struct emu_work work = emu_work_copy(&graph->nodes[i]->work);
    emu_node_set(exec->graph->nodes[i], &work);
  }
  return cudaSuccess;
}

cudaError_t cudaGraphInstantiate(cudaGraphExec_t *pGraphExec, cudaGraph_t graph, unsigned long long flags) {
  EMU_API(instantiate(pGraphExec, graph, flags));
}

cudaError_t cudaGraphInstantiateWithFlags(cudaGraphExec_t *pGraphExec, cudaGraph_t graph,
                                          unsigned long long flags) {
  EMU_API(instantiate(pGraphExec, graph, flags));
}

cudaError_t cudaGraphInstantiateWithParams(cudaGraphExec_t *pGraphExec, cudaGraph_t graph,
                                           cudaGraphInstantiateParams *instantiateParams) {
  EMU_API(instantiate_with(pGraphExec, graph, instantiateParams));
}

EMU_EXPORT cudaError_t cudaGraphInstantiateWithParams_ptsz(cudaGraphExec_t *pGraphExec, cudaGraph_t graph,
                                                           cudaGraphInstantiateParams *instantiateParams) {
  EMU_API(instantiate_with(pGraphExec, graph, instantiateParams));
}

cudaError_t cudaGraphExecGetFlags(cudaGraphExec_t graphExec, unsigned long long *flags) {
  EMU_API(flags_of(graphExec, flags));
}

cudaError_t cudaGraphExecUpdate(cudaGraphExec_t hGraphExec, cudaGraph_t hGraph,
                                cudaGraphExecUpdateResultInfo *resultInfo) {
  EMU_API(update(hGraphExec, hGraph, resultInfo));
}

cudaError_t cudaGraphExecDestroy(cudaGraphExec_t graphExec) {
  EMU_API(destroy(graphExec));
}

cudaError_t cudaGraphUpload(cudaGraphExec_t graphExec, cudaStream_t stream) {
  EMU_API(upload(graphExec, stream));
}

EMU_EXPORT cudaError_t cudaGraphUpload_ptsz(cudaGraphExec_t graphExec, cudaStream_t stream) {
  EMU_API(upload(graphExec, emu_per_thread(stream)));
}

cudaError_t cudaGraphLaunch(cudaGraphExec_t graphExec, cudaStream_t stream) {
  EMU_API(launch(graphExec, stream));
}

EMU_EXPORT cudaError_t cudaGraphLaunch_ptsz(cudaGraphExec_t graphExec, cudaStream_t stream) {
  EMU_API(launch(graphExec, emu_per_thread(stream)));
}
