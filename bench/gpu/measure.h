/* Whether a peer is right, and how long it takes. */
#ifndef BENCH_GPU_MEASURE_H
#define BENCH_GPU_MEASURE_H

#include "peer.h"

/* A peer of one case, with what was found. */
struct contestant {
  struct peer peer;
  struct answers answers; /* where its calls put them */
  int queue_calls, whole_calls;
  bool is_right;
  double error; /* the largest, as a share of what is allowed; NaN: not verified */
  struct sample *samples;
  int count;
};

/* Runs each way that the peer has once and compares with the reference. A peer that is not there is not run.
 * false where a call failed; one that is wrong is told by is_right. */
bool contestant_verify(struct contestant *contestant, struct instance *instance, cudaStream_t stream);

/* Finds how many calls make a sample of about 2 ms, and warms up. */
bool contestant_warm_up(struct contestant *contestant, cudaStream_t stream);

/* Takes one sample. */
bool contestant_measure(struct contestant *contestant, cudaStream_t stream);

/* Of the kernel times, or of the host-visible ones. */
struct spread contestant_spread(const struct contestant *contestant, bool of_host);

void contestant_free(struct contestant *contestant);

#endif
