/* What is compared: cuseq and the others, each as a table of functions over its own state. */
#ifndef BENCH_GPU_PEER_H
#define BENCH_GPU_PEER_H

#include "timing.h"
#include "workload.h"

struct peer {
  char name[24];  /* the label of its rows */
  char note[400]; /* what was chosen, what is not supported, or why there is nothing to measure */
  bool is_there;  /* false: it cannot do this workload here; note says why */
  void *state;
  /* Queues a whole call on the stream, device arrays to device arrays. NULL: it has none. */
  bool (*queue)(void *state);
  /* Copies the answers of the last queued call to host memory, and waits for them. */
  bool (*fetch)(void *state, const struct answers *answers);
  /* A whole call from host arrays to host arrays, complete when it returns. NULL: it has none. Where its
   * answers lie in arrays of its own in another order, `unpack` brings them into `answers`, which is not
   * timed. */
  bool (*whole)(void *state, const struct answers *answers);
  bool (*unpack)(void *state, const struct answers *answers);
  /* In place of the three: verifies and times itself. NULL for all that run in this process. */
  bool (*verify)(void *state, double *worst);
  bool (*measure)(void *state, struct sample *sample);
  void (*close)(void *state);
  bool gives_annotations; /* they are its answers: the encoder is all that it does */
};

/* The peers, in the order of their rows. Each makes *peer for an instance on the current device, whose arrays
 * in host memory are page-locked; false with a message on stderr only where the benchmark cannot go on. */
enum { PEERS = 8 };
bool peer_cuseq(struct peer *peer, struct instance *instance, cudaStream_t stream);
bool peer_per_step(struct peer *peer, struct instance *instance, cudaStream_t stream);
bool peer_per_step_graph(struct peer *peer, struct instance *instance, cudaStream_t stream);
bool peer_cudnn_standard(struct peer *peer, struct instance *instance, cudaStream_t stream);
bool peer_cudnn_persistent(struct peer *peer, struct instance *instance, cudaStream_t stream);
bool peer_cudnn_packed(struct peer *peer, struct instance *instance, cudaStream_t stream);
bool peer_torch(struct peer *peer, struct instance *instance, cudaStream_t stream);
bool peer_torch_graph(struct peer *peer, struct instance *instance, cudaStream_t stream);

/* "9.19.0", or why it is not there. */
void cudnn_version(char *text, size_t capacity);

#endif
