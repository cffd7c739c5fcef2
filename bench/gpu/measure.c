#include "measure.h"

#include "device_call.h"

#include <math.h>
#include <stdlib.h>
#include <time.h>

static const double SAMPLE_US = 2000;
enum { MOST_CALLS = 1000, WARM_UPS = 3 };

static double now_us(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return 1e6 * (double)time.tv_sec + 1e-3 * (double)time.tv_nsec;
}

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

/* Microseconds of a call among `calls` that are queued one behind the other. */
static bool time_queue(struct contestant *c, int calls, cudaStream_t stream, double *us) {
  cudaEvent_t before, after;
  float milliseconds;
  DEVICE_CALL(cudaEventCreate(&before));
  DEVICE_CALL(cudaEventCreate(&after));
  DEVICE_CALL(cudaEventRecord(before, stream));
  for (int i = 0; i < calls; i++)
    if (!c->peer.queue(c->peer.state))
      return false;
  DEVICE_CALL(cudaEventRecord(after, stream));
  DEVICE_CALL(cudaEventSynchronize(after));
  DEVICE_CALL(cudaEventElapsedTime(&milliseconds, before, after));
  DEVICE_CALL(cudaEventDestroy(before));
  DEVICE_CALL(cudaEventDestroy(after));
  *us = 1e3 * milliseconds / calls;
  return true;
}

static bool time_whole(struct contestant *c, int calls, double *us) {
  const double start = now_us();
  for (int i = 0; i < calls; i++)
    if (!c->peer.whole(c->peer.state, &c->answers))
      return false;
  *us = (now_us() - start) / calls;
  return true;
}

static int calls_for(double us) {
  return us <= SAMPLE_US / MOST_CALLS ? MOST_CALLS : us >= SAMPLE_US ? 1 : (int)(SAMPLE_US / us);
}

static bool take(struct contestant *c, cudaStream_t stream, struct sample *sample) {
  *sample = (struct sample){NAN, NAN};
  if (c->peer.measure)
    return c->peer.measure(c->peer.state, sample);
  return (!c->peer.queue || time_queue(c, c->queue_calls, stream, &sample->kernel_us)) &&
         (!c->peer.whole || time_whole(c, c->whole_calls, &sample->host_us));
}

bool contestant_warm_up(struct contestant *c, cudaStream_t stream) {
  struct sample sample;
  c->queue_calls = c->whole_calls = 1;
  for (int i = 0; i < WARM_UPS; i++) {
    if (!take(c, stream, &sample))
      return false;
    c->queue_calls = calls_for(sample.kernel_us);
    c->whole_calls = calls_for(sample.host_us);
  }
  return true;
}

bool contestant_measure(struct contestant *c, cudaStream_t stream) {
  return take(c, stream, &c->samples[c->count++]);
}

static int ascending(const void *a, const void *b) {
  const double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

struct spread contestant_spread(const struct contestant *c, bool of_host) {
  struct spread spread = {NAN, NAN, NAN};
  double *values = malloc((size_t)(c->count + 1) * sizeof *values);
  int count = 0;
  for (int i = 0; i < c->count && values; i++) {
    const double us = of_host ? c->samples[i].host_us : c->samples[i].kernel_us;
    if (isfinite(us))
      values[count++] = us;
  }
  if (count > 0) {
    qsort(values, (size_t)count, sizeof *values, ascending);
    spread = (struct spread){values[0], (values[(count - 1) / 2] + values[count / 2]) / 2, values[count - 1]};
  }
  free(values);
  return spread;
}

void contestant_free(struct contestant *c) {
  if (c->peer.close && c->peer.state)
    c->peer.close(c->peer.state);
  answers_free(&c->answers);
  free(c->samples);
  *c = (struct contestant){0};
}
