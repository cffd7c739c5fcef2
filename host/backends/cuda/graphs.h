/* CUDA graphs of a session: work of many steps that goes to the device with one launch.
 *
 * A graph holds sizes and addresses, so there is one for each shape of a call and for each set of arrays. It
 * is captured, from the launches that the steps would be, when a call first needs it, and kept: GRAPHS_KEPT
 * of them, or more where two shapes of a model need more. Then the one that was used longest ago makes room,
 * once the stream is done with it. Capturing takes host memory and about as long as launching the steps
 * would; it is the one thing that a session makes after its opening. */
#ifndef CUSEQ_CUDA_GRAPHS_H
#define CUSEQ_CUDA_GRAPHS_H

#include "backends/cuda/cuda.h"

enum { GRAPHS_KEPT = 32, GRAPH_KEY_SIZES = 8, GRAPH_KEY_ARRAYS = 24 };

/* What a graph is for; equal keys mean the same work. Unused members are 0. */
struct cuda_graph_key {
  int64_t sizes[GRAPH_KEY_SIZES];
  const void *arrays[GRAPH_KEY_ARRAYS];
};

/* Queues the steps' launches on session->launch and products on session->blas, as if there were no graph. */
typedef cuseq_status cuda_graph_steps(struct cuda_session *session, const void *arguments);

/* Makes what graphs need; the handle of cuBLAS must be open. close(NULL) does nothing. */
cuseq_status cuda_graphs_open(struct cuda_session *session);
void cuda_graphs_close(struct cuda_session *session);

/* Launches the graph of `key` on the session's stream; makes it first, of `steps`, where there is none. */
cuseq_status cuda_graph_launch(struct cuda_session *session, const struct cuda_graph_key *key,
                               cuda_graph_steps *steps, const void *arguments);

#endif
