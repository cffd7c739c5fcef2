#include "backends/cuda/graphs.h"

#include "backends/cuda/trace.h"
#include "error.h"

#include <stdlib.h>
#include <string.h>

struct cuda_graphs {
  cudaStream_t capture; /* never runs anything: the caller's stream may be one that cannot be captured */
  uint64_t launches;
  int32_t count, capacity;
  struct {
    struct cuda_graph_key key;
    cudaGraphExec_t exec;
    uint64_t last; /* the launch that used it last */
  } kept[];        /* [capacity] */
};

cuseq_status cuda_graphs_open(struct cuda_session *session) {
  int32_t shapes = 2 * (2 * session->model->config.layers + 1), /* a layer has one or two */
      capacity = shapes > GRAPHS_KEPT ? shapes : GRAPHS_KEPT;
  session->graphs = calloc(1, sizeof *session->graphs + (size_t)capacity * sizeof *session->graphs->kept);
  if (!session->graphs)
    return error_set(CUSEQ_STATUS_OUT_OF_MEMORY, "cuseq_session_open: out of memory");
  session->graphs->capacity = capacity;
  CUDA_TRY(cudaStreamCreateWithFlags(&session->graphs->capture, cudaStreamNonBlocking));
  return CUSEQ_STATUS_OK;
}

void cuda_graphs_close(struct cuda_session *session) {
  struct cuda_graphs *graphs = session->graphs;
  if (!graphs)
    return;
  for (int32_t i = 0; i < graphs->count; i++)
    cudaGraphExecDestroy(graphs->kept[i].exec);
  if (graphs->capture)
    cudaStreamDestroy(graphs->capture);
  free(graphs);
  session->graphs = NULL;
}

/* Queues the steps on the capturing stream. The mode is relaxed: what cuBLAS does beside the stream - loading
 * a kernel, say - does not break the capture, and neither do other threads. Products and launches go to the
 * session's stream again whatever happens. */
static cuseq_status graph_capture(struct cuda_session *session, cuda_graph_steps *steps,
                                  const void *arguments, cudaGraph_t *graph) {
  cudaStream_t capture = session->graphs->capture;
  *graph = NULL;
  CUDA_TRY(cudaStreamBeginCapture(capture, cudaStreamCaptureModeRelaxed));
  session->launch.stream = capture;
  cuseq_status status = cuda_blas_stream(session, capture);
  if (status == CUSEQ_STATUS_OK)
    status = steps(session, arguments);
  session->launch.stream = session->stream;
  cudaError_t error = cudaStreamEndCapture(capture, graph);
  cuseq_status restored = cuda_blas_stream(session, session->stream);
  TRY(status);
  CUDA_TRY(error);
  return restored;
}

static cuseq_status graph_make(struct cuda_session *session, cuda_graph_steps *steps, const void *arguments,
                               cudaGraphExec_t *exec) {
  CUDA_RANGE("capture", session->encoded.batch, session->encoded.time, session->model->config.units);
  cudaGraph_t graph;
  cuseq_status status = graph_capture(session, steps, arguments, &graph);
  if (status == CUSEQ_STATUS_OK) {
    cudaError_t error = cudaGraphInstantiateWithFlags(exec, graph, 0);
    if (error == cudaErrorMemoryAllocation)
      status = error_set(CUSEQ_STATUS_OUT_OF_MEMORY,
                         "cuda:%d: out of memory (needed a graph for batch %d and time %d)",
                         (int)session->index, (int)session->encoded.batch, (int)session->encoded.time);
    else if (error != cudaSuccess)
      status = cuda_failure(error, "cudaGraphInstantiateWithFlags");
  }
  if (graph)
    cudaGraphDestroy(graph);
  return status;
}

/* Where the next graph is kept. What makes room for it may still be running. */
static cuseq_status graph_room(struct cuda_session *session, int32_t *place) {
  struct cuda_graphs *graphs = session->graphs;
  *place = graphs->count;
  if (graphs->count < graphs->capacity)
    return CUSEQ_STATUS_OK;
  *place = 0;
  for (int32_t i = 1; i < graphs->count; i++)
    if (graphs->kept[i].last < graphs->kept[*place].last)
      *place = i;
  CUDA_TRY(cudaStreamSynchronize(session->stream));
  cudaGraphExec_t oldest = graphs->kept[*place].exec;
  graphs->kept[*place] = graphs->kept[--graphs->count];
  *place = graphs->count;
  CUDA_TRY(cudaGraphExecDestroy(oldest));
  return CUSEQ_STATUS_OK;
}

cuseq_status cuda_graph_launch(struct cuda_session *session, const struct cuda_graph_key *key,
                               cuda_graph_steps *steps, const void *arguments) {
  struct cuda_graphs *graphs = session->graphs;
  int32_t i = 0;
  /* Opened to be captured: a graph of its own, which may go when it makes room, has no place in one of the
   * caller's. */
  if (!graphs)
    return steps(session, arguments);
  while (i < graphs->count && memcmp(&graphs->kept[i].key, key, sizeof *key) != 0)
    i++;
  if (i == graphs->count) {
    cudaGraphExec_t exec;
    TRY(graph_make(session, steps, arguments, &exec));
    cuseq_status status = graph_room(session, &i);
    if (status != CUSEQ_STATUS_OK) {
      cudaGraphExecDestroy(exec);
      return status;
    }
    graphs->kept[i].key = *key;
    graphs->kept[i].exec = exec;
    graphs->count++;
  }
  graphs->kept[i].last = ++graphs->launches;
  CUDA_TRY(cudaGraphLaunch(graphs->kept[i].exec, session->stream));
  return CUSEQ_STATUS_OK;
}
