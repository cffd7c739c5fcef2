#include "capture.h"
#include "graph.h"

#include <stdlib.h>

struct emu_capture {
  cudaGraph_t graph;
  cudaStream_t origin;
  enum cudaStreamCaptureMode mode;
  const void *thread;
  unsigned long long id;
  size_t nodes_before; /* of a graph that was there before the capture */
  bool broken, given;  /* given: the graph is the program's own */
  struct emu_capture *next;
};

static struct emu_capture *captures;
static unsigned long long last_id;
static _Thread_local enum cudaStreamCaptureMode thread_mode;

/* An address of its own for each thread. */
static const void *this_thread(void) {
  return &thread_mode;
}

static void set_tips(cudaStream_t stream, const cudaGraphNode_t *tips, size_t count) {
  cudaGraphNode_t *copy = emu_need_copy(tips, count * sizeof *tips);
  free(stream->tips);
  stream->tips = copy;
  stream->tip_count = count;
}

static void add_tip(cudaStream_t stream, cudaGraphNode_t tip) {
  for (size_t i = 0; i < stream->tip_count; i++)
    if (stream->tips[i] == tip)
      return;
  stream->tips = emu_need_again(stream->tips, (stream->tip_count + 1) * sizeof *stream->tips);
  stream->tips[stream->tip_count++] = tip;
}

static cudaError_t break_capture(struct emu_capture *capture, cudaError_t status, const char *why) {
  capture->broken = true;
  return emu_fail(status, "stream capture: %s", why);
}

cudaError_t emu_capture_add(cudaStream_t stream, struct emu_work *work) {
  struct emu_capture *capture = stream->capture;
  cudaGraphNode_t node;
  if (capture->broken) {
    emu_work_release(work);
    return cudaErrorStreamCaptureInvalidated;
  }
  cudaError_t status = emu_graph_add(capture->graph, stream->tips, stream->tip_count, work, &node);
  if (status == cudaSuccess)
    set_tips(stream, &node, 1);
  else
    capture->broken = true;
  return status;
}

void emu_event_forget_capture(cudaEvent_t event) {
  free(event->nodes);
  event->nodes = NULL;
  event->node_count = 0;
  event->capture = NULL;
}

cudaError_t emu_capture_record(cudaStream_t stream, cudaEvent_t event) {
  if (stream->capture->broken)
    return cudaErrorStreamCaptureInvalidated;
  emu_event_forget_capture(event);
  event->capture = stream->capture;
  event->nodes = emu_need_copy(stream->tips, stream->tip_count * sizeof *stream->tips);
  event->node_count = stream->tip_count;
  return cudaSuccess;
}

cudaError_t emu_capture_wait(cudaStream_t stream, cudaEvent_t event) {
  if (stream->capture && stream->capture->broken)
    return cudaErrorStreamCaptureInvalidated;
  if (!event->capture)
    return break_capture(stream->capture, cudaErrorStreamCaptureIsolation,
                         "it waits for an event that was recorded outside of it");
  if (stream->legacy)
    return break_capture(event->capture, cudaErrorStreamCaptureImplicit, "the legacy stream waits for it");
  if (stream->capture && stream->capture != event->capture) {
    stream->capture->broken = true;
    return break_capture(event->capture, cudaErrorStreamCaptureMerge, "two captures would become one");
  }
  if (!stream->capture) {
    stream->capture = event->capture;
    set_tips(stream, event->nodes, event->node_count);
  }
  for (size_t i = 0; i < event->node_count; i++)
    add_tip(stream, event->nodes[i]);
  return cudaSuccess;
}

cudaError_t emu_capture_forbids_legacy(cudaStream_t stream) {
  if (!stream->legacy)
    return cudaSuccess;
  cudaStream_t other;
  for (size_t i = 0; (other = emu_stream_at(i)); i++)
    if (other->capture && other->device == stream->device && !(other->flags & cudaStreamNonBlocking))
      return break_capture(other->capture, cudaErrorStreamCaptureImplicit,
                           "the legacy stream is used, which would wait for the captured one");
  return cudaSuccess;
}

cudaError_t emu_capture_forbids_graphs(cudaStream_t stream) {
  return stream->capture ? break_capture(stream->capture, cudaErrorStreamCaptureUnsupported,
                                         "an instantiated graph is launched in it (a child node would do)")
                         : cudaSuccess;
}

cudaError_t emu_capture_forbids_waiting(cudaStream_t stream) {
  if (stream->capture)
    return break_capture(stream->capture, cudaErrorStreamCaptureUnsupported,
                         "a call would wait for captured work");
  return emu_capture_forbids_legacy(stream);
}

cudaError_t emu_capture_forbids_unsafe(void) {
  for (struct emu_capture *c = captures; c; c = c->next) {
    bool mine = c->thread == this_thread();
    if (thread_mode == cudaStreamCaptureModeRelaxed || c->mode == cudaStreamCaptureModeRelaxed || c->broken)
      continue;
    if (mine || (thread_mode == cudaStreamCaptureModeGlobal && c->mode == cudaStreamCaptureModeGlobal))
      return break_capture(c, cudaErrorStreamCaptureUnsupported,
                           "a call is made that is unsafe during a capture");
  }
  return cudaSuccess;
}

/* Takes a capture off every stream and event that knows it. */
static void forget(struct emu_capture *capture) {
  cudaStream_t stream;
  cudaEvent_t event;
  for (size_t i = 0; (stream = emu_stream_at(i)); i++)
    if (stream->capture == capture) {
      stream->capture = NULL;
      set_tips(stream, NULL, 0);
    }
  for (size_t i = 0; (event = emu_handle_at(EMU_HANDLE_EVENT, i)); i++)
    if (event->capture == capture)
      emu_event_forget_capture(event);
  struct emu_capture **at = &captures;
  while (*at != capture)
    at = &(*at)->next;
  *at = capture->next;
  free(capture);
}

void emu_capture_abandon(cudaStream_t stream) {
  struct emu_capture *capture = stream->capture;
  if (capture && capture->origin == stream) {
    cudaGraph_t graph = capture->given ? NULL : capture->graph;
    forget(capture);
    if (graph)
      emu_graph_delete(graph);
  } /* else: a branch may go as soon as it is joined; whether it was is seen when the capture ends */
  free(stream->tips);
  stream->tips = NULL;
  stream->tip_count = 0;
}

static cudaError_t begin(cudaStream_t handle, enum cudaStreamCaptureMode mode, cudaGraph_t graph,
                         const cudaGraphNode_t *tips, size_t count) {
  cudaStream_t stream;
  EMU_TRY(emu_stream_find(handle, &stream));
  if ((unsigned)mode > cudaStreamCaptureModeRelaxed || (count && !tips))
    return cudaErrorInvalidValue;
  if (stream->legacy)
    return emu_fail(cudaErrorStreamCaptureUnsupported,
                    "stream capture: the legacy stream cannot be captured");
  if (stream->capture)
    return cudaErrorIllegalState;
  for (size_t i = 0; i < count; i++)
    if (!emu_handle_is(tips[i], EMU_HANDLE_NODE) || tips[i]->graph != graph)
      return cudaErrorInvalidValue;
  struct emu_capture *capture = emu_need(sizeof *capture);
  *capture = (struct emu_capture){.graph = graph ? graph : emu_graph_make(),
                                  .origin = stream,
                                  .mode = mode,
                                  .thread = this_thread(),
                                  .id = ++last_id,
                                  .nodes_before = graph ? graph->count : 0,
                                  .given = graph != NULL,
                                  .next = captures};
  captures = capture;
  capture->graph->inner = true;
  stream->capture = capture;
  set_tips(stream, tips, count);
  return cudaSuccess;
}

/* Every branch must have come back: a captured node that nothing follows must be one the origin ends with. */
static bool joined(const struct emu_capture *capture) {
  cudaGraph_t graph = capture->graph;
  for (size_t i = capture->nodes_before; i < graph->count; i++) {
    bool followed = false;
    for (size_t j = 0; j < graph->count && !followed; j++)
      for (size_t k = 0; k < graph->nodes[j]->before_count; k++)
        followed |= graph->nodes[j]->before[k] == graph->nodes[i];
    for (size_t j = 0; j < capture->origin->tip_count; j++)
      followed |= capture->origin->tips[j] == graph->nodes[i];
    if (!followed)
      return false;
  }
  return true;
}

static cudaError_t finish(cudaStream_t handle, cudaGraph_t *out) {
  cudaStream_t stream;
  EMU_TRY(emu_stream_find(handle, &stream));
  struct emu_capture *capture = stream->capture;
  if (!out)
    return cudaErrorInvalidValue;
  if (!capture)
    return emu_fail(cudaErrorIllegalState, "cudaStreamEndCapture: the stream is not being captured");
  if (capture->origin != stream)
    return break_capture(capture, cudaErrorStreamCaptureUnmatched,
                         "it ends in another stream than it began in");
  if (capture->mode != cudaStreamCaptureModeRelaxed && capture->thread != this_thread())
    return cudaErrorStreamCaptureWrongThread;
  cudaGraph_t graph = capture->graph;
  bool given = capture->given;
  cudaError_t status = cudaSuccess;
  if (capture->broken)
    status = cudaErrorStreamCaptureInvalidated;
  else if (!joined(capture))
    status = emu_fail(cudaErrorStreamCaptureUnjoined,
                      "stream capture: work of another stream was not joined again");
  forget(capture);
  graph->inner = false;
  if (status != cudaSuccess && !given)
    emu_graph_delete(graph);
  *out = status == cudaSuccess ? graph : NULL;
  return status;
}

static cudaError_t begin_in(cudaStream_t stream, cudaGraph_t graph, const cudaGraphNode_t *tips, size_t count,
                            enum cudaStreamCaptureMode mode) {
  EMU_TRY(emu_graph_find(graph));
  return begin(stream, mode, graph, tips, count);
}

static enum cudaStreamCaptureStatus status_of(cudaStream_t stream) {
  if (!stream->capture)
    return cudaStreamCaptureStatusNone;
  return stream->capture->broken ? cudaStreamCaptureStatusInvalidated : cudaStreamCaptureStatusActive;
}

static cudaError_t is_capturing(cudaStream_t handle, enum cudaStreamCaptureStatus *out) {
  cudaStream_t stream;
  EMU_TRY(emu_stream_find(handle, &stream));
  if (!out)
    return cudaErrorInvalidValue;
  EMU_TRY(emu_capture_forbids_legacy(stream));
  *out = status_of(stream);
  return cudaSuccess;
}

static cudaError_t describe(cudaStream_t handle, enum cudaStreamCaptureStatus *status, unsigned long long *id,
                            cudaGraph_t *graph, const cudaGraphNode_t **tips, const cudaGraphEdgeData **edges,
                            size_t *count) {
  cudaStream_t stream;
  EMU_TRY(emu_stream_find(handle, &stream));
  if (!status)
    return cudaErrorInvalidValue;
  *status = status_of(stream);
  if (edges)
    *edges = NULL;
  if (*status != cudaStreamCaptureStatusActive)
    return cudaSuccess;
  if (id)
    *id = stream->capture->id;
  if (graph)
    *graph = stream->capture->graph;
  if (tips)
    *tips = stream->tips;
  if (count)
    *count = stream->tip_count;
  return cudaSuccess;
}

static cudaError_t update(cudaStream_t handle, const cudaGraphNode_t *tips, size_t count, unsigned flags) {
  cudaStream_t stream;
  EMU_TRY(emu_stream_find(handle, &stream));
  if (!stream->capture)
    return cudaErrorIllegalState;
  if ((count && !tips) || flags > cudaStreamSetCaptureDependencies)
    return cudaErrorInvalidValue;
  for (size_t i = 0; i < count; i++)
    if (!emu_handle_is(tips[i], EMU_HANDLE_NODE) || tips[i]->graph != stream->capture->graph)
      return cudaErrorInvalidValue;
  if (flags == cudaStreamSetCaptureDependencies)
    set_tips(stream, tips, count);
  for (size_t i = 0; i < count; i++)
    add_tip(stream, tips[i]);
  return cudaSuccess;
}

static cudaError_t exchange(enum cudaStreamCaptureMode *mode) {
  if (!mode || (unsigned)*mode > cudaStreamCaptureModeRelaxed)
    return cudaErrorInvalidValue;
  enum cudaStreamCaptureMode old = thread_mode;
  thread_mode = *mode;
  *mode = old;
  return cudaSuccess;
}

#define BOTH(name, parameters, body_of)                                                                      \
  cudaError_t name parameters {                                                                              \
    EMU_API(body_of(stream));                                                                                \
  }                                                                                                          \
  EMU_EXPORT cudaError_t name##_ptsz parameters {                                                            \
    EMU_API(body_of(emu_per_thread(stream)));                                                                \
  }

#define BEGIN(stream) begin(stream, mode, NULL, NULL, 0)
BOTH(cudaStreamBeginCapture, (cudaStream_t stream, enum cudaStreamCaptureMode mode), BEGIN)

#define BEGIN_IN(stream) begin_in(stream, graph, dependencies, numDependencies, ((void)dependencyData, mode))
BOTH(cudaStreamBeginCaptureToGraph,
     (cudaStream_t stream, cudaGraph_t graph, const cudaGraphNode_t *dependencies,
      const cudaGraphEdgeData *dependencyData, size_t numDependencies, enum cudaStreamCaptureMode mode),
     BEGIN_IN)

#define FINISH(stream) finish(stream, pGraph)
BOTH(cudaStreamEndCapture, (cudaStream_t stream, cudaGraph_t *pGraph), FINISH)

#define IS_CAPTURING(stream) is_capturing(stream, pCaptureStatus)
BOTH(cudaStreamIsCapturing, (cudaStream_t stream, enum cudaStreamCaptureStatus *pCaptureStatus), IS_CAPTURING)

#define DESCRIBE(stream)                                                                                     \
  describe(stream, captureStatus_out, id_out, graph_out, dependencies_out, edgeData_out, numDependencies_out)
BOTH(cudaStreamGetCaptureInfo,
     (cudaStream_t stream, enum cudaStreamCaptureStatus *captureStatus_out, unsigned long long *id_out,
      cudaGraph_t *graph_out, const cudaGraphNode_t **dependencies_out,
      const cudaGraphEdgeData **edgeData_out, size_t *numDependencies_out),
     DESCRIBE)

#define UPDATE(stream) update(stream, dependencies, numDependencies, ((void)dependencyData, flags))
BOTH(cudaStreamUpdateCaptureDependencies,
     (cudaStream_t stream, cudaGraphNode_t *dependencies, const cudaGraphEdgeData *dependencyData,
      size_t numDependencies, unsigned int flags),
     UPDATE)

cudaError_t cudaThreadExchangeStreamCaptureMode(enum cudaStreamCaptureMode *mode) {
  EMU_API(exchange(mode));
}
