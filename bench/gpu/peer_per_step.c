/* The per-step version as a peer, launch by launch and as one graph. */
#include "device_call.h"
#include "peer.h"
#include "per_step.h"

#include <stdlib.h>

struct stepwise {
  struct per_step *per_step;
  const struct instance *instance;
  cudaStream_t stream;
};

static bool queue_launches(void *state) {
  return per_step_run(((struct stepwise *)state)->per_step);
}

static bool queue_graph(void *state) {
  return per_step_run_graph(((struct stepwise *)state)->per_step);
}

static bool fetch(void *state, const struct answers *answers) {
  struct stepwise *s = state;
  if (!per_step_answers(s->per_step, answers))
    return false;
  DEVICE_CALL(cudaStreamSynchronize(s->stream));
  return true;
}

static bool whole_launches(void *state, const struct answers *answers) {
  struct stepwise *s = state;
  return per_step_input(s->per_step, s->instance) && per_step_run(s->per_step) && fetch(s, answers);
}

static bool whole_graph(void *state, const struct answers *answers) {
  struct stepwise *s = state;
  return per_step_input(s->per_step, s->instance) && per_step_run_graph(s->per_step) && fetch(s, answers);
}

static void close_stepwise(void *state) {
  per_step_close(((struct stepwise *)state)->per_step);
  free(state);
}

static bool open_stepwise(struct peer *peer, const struct instance *instance, cudaStream_t stream) {
  struct stepwise *s = calloc(1, sizeof *s);
  if (!s) {
    fprintf(stderr, "bench: out of memory\n");
    return false;
  }
  s->instance = instance;
  s->stream = stream;
  s->per_step = per_step_open(instance, stream);
  peer->is_there = true;
  peer->state = s;
  peer->close = close_stepwise;
  peer->fetch = fetch;
  if (!s->per_step || !per_step_input(s->per_step, instance))
    return false;
  DEVICE_CALL(cudaStreamSynchronize(stream));
  return true;
}

bool peer_per_step(struct peer *peer, struct instance *instance, cudaStream_t stream) {
  *peer = (struct peer){.name = "per step", .queue = queue_launches, .whole = whole_launches};
  return open_stepwise(peer, instance, stream);
}

bool peer_per_step_graph(struct peer *peer, struct instance *instance, cudaStream_t stream) {
  *peer = (struct peer){.name = "per step, graph", .queue = queue_graph, .whole = whole_graph};
  /* Run once first: cuBLAS takes its workspace then. */
  return open_stepwise(peer, instance, stream) && queue_launches(peer->state) &&
         per_step_capture(((struct stepwise *)peer->state)->per_step);
}
