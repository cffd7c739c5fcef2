#include "measure.h"

#include "device_call.h"

#include <math.h>
#include <stdlib.h>

enum { WARM_UPS = 3 };

static void judge(struct contestant *c, struct instance *instance) {
  double worst;
  if (!instance_verify(instance, &c->answers, &worst))
    c->is_right = false;
  c->error = worst <= c->error ? c->error : worst;
}

bool contestant_verify(struct contestant *c, struct instance *instance, cudaStream_t stream) {
  struct peer *peer = &c->peer;
  c->error = NAN;
  if (!peer->is_there)
    return true;
  if (peer->verify) {
    c->is_right = peer->verify(peer->state, &c->error);
    return true;
  }
  if (!answers_make(&c->answers, &instance->workload,
                    peer->gives_annotations ? ANSWERS_ANNOTATIONS : ANSWERS_RESULTS))
    return false;
  c->is_right = true;
  c->error = 0;
  if (peer->queue) {
    if (!peer->queue(peer->state))
      return false;
    DEVICE_CALL(cudaStreamSynchronize(stream));
    if (!peer->fetch(peer->state, &c->answers))
      return false;
    judge(c, instance);
  }
  if (peer->whole) {
    if (!peer->whole(peer->state, &c->answers) || (peer->unpack && !peer->unpack(peer->state, &c->answers)))
      return false;
    judge(c, instance);
  }
  return true;
}

static bool call_whole(void *state) {
  struct contestant *c = state;
  return c->peer.whole(c->peer.state, &c->answers);
}

static bool take(struct contestant *c, cudaStream_t stream, struct sample *sample) {
  *sample = (struct sample){NAN, NAN};
  if (c->peer.measure)
    return c->peer.measure(c->peer.state, sample);
  return (!c->peer.queue ||
          timing_queue(c->peer.queue, c->peer.state, c->queue_calls, stream, &sample->kernel_us)) &&
         (!c->peer.whole || timing_clock(call_whole, c, c->whole_calls, &sample->host_us));
}

bool contestant_warm_up(struct contestant *c, cudaStream_t stream) {
  struct sample sample;
  c->queue_calls = c->whole_calls = 1;
  for (int i = 0; i < WARM_UPS; i++) {
    if (!take(c, stream, &sample))
      return false;
    c->queue_calls = timing_calls(sample.kernel_us);
    c->whole_calls = timing_calls(sample.host_us);
  }
  return true;
}

bool contestant_measure(struct contestant *c, cudaStream_t stream) {
  return take(c, stream, &c->samples[c->count++]);
}

struct spread contestant_spread(const struct contestant *c, bool of_host) {
  return timing_spread(c->samples, c->count, of_host);
}

void contestant_free(struct contestant *c) {
  if (c->peer.close && c->peer.state)
    c->peer.close(c->peer.state);
  answers_free(&c->answers);
  free(c->samples);
  *c = (struct contestant){0};
}
