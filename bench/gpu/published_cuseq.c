/* cuseq over its public interface: a session whose arrays are on the device, on the benchmark's stream, and
 * one whose arrays are in host memory. */
#include "device_call.h"
#include "published_side.h"

#include <stdlib.h>
#include <string.h>

struct ours {
  struct instance *instance;
  struct instance device; /* the same with arrays on the device */
  cudaStream_t stream;
  cuseq_session *on_device, *on_host;
  int queue_calls, host_calls; /* of a sample; 0: not warm yet */
};

static cuseq_session *open_session(const struct ours *ours, const char *plan, bool on_device) {
  const struct workload *w = ours->instance->workload;
  cuseq_session_options options;
  cuseq_session_options_init(&options, sizeof options, ours->instance->model);
  options.device = "cuda";
  options.cuda_plan = plan;
  options.max_batch = w->B;
  options.max_time = w->T;
  if (w->beams > 0)
    options.max_beams = w->beams;
  options.memory = on_device ? CUSEQ_MEMORY_DEVICE : CUSEQ_MEMORY_HOST;
  options.stream = on_device ? ours->stream : NULL;
  options.asynchronous = on_device && w->beams == 0;
  cuseq_session *session;
  if (cuseq_session_open(ours->instance->model, &options, &session) == CUSEQ_STATUS_OK)
    return session;
  fprintf(stderr, "bench: cuseq: %s\n", cuseq_last_error());
  return NULL;
}

/* Elements of the results, as instance_make_results() has them. */
struct sizes {
  size_t outputs, tokens, log_probabilities;
};

static struct sizes sizes_of(const struct workload *w) {
  const size_t B = (size_t)w->B, Y = w->Y > 0 ? (size_t)w->Y : 1, K = w->beams > 0 ? (size_t)w->beams : 1;
  return (struct sizes){.outputs = B * (size_t)w->T * (size_t)w->V,
                        .tokens = B * K * Y,
                        .log_probabilities = B * (w->beams > 0 ? K : Y)};
}

static bool room(void *pointer, size_t bytes, const void *content) {
  void *memory;
  DEVICE_CALL(cudaMalloc(&memory, bytes));
  memcpy(pointer, &memory, sizeof memory);
  if (content)
    DEVICE_CALL(cudaMemcpy(memory, content, bytes, cudaMemcpyHostToDevice));
  return true;
}

static bool device_arrays(struct ours *ours) {
  const struct instance *host = ours->instance;
  const struct workload *w = host->workload;
  const struct sizes sizes = sizes_of(w);
  ours->device = (struct instance){.workload = w, .model = host->model};
  return room(&ours->device.ids, (size_t)w->B * (size_t)w->T * 4, host->ids) &&
         room(&ours->device.tokens, sizes.tokens * 4, NULL) &&
         room(&ours->device.log_probabilities, sizes.log_probabilities * 4, NULL) &&
         (!host->outputs || room(&ours->device.outputs, sizes.outputs * 4, NULL));
}

static bool call(const struct instance *instance, cuseq_session *session) {
  if (instance_call(instance, session, 0, instance->workload->B) == CUSEQ_STATUS_OK)
    return true;
  fprintf(stderr, "bench: cuseq: %s\n", cuseq_last_error());
  return false;
}

static bool queue(void *state) {
  struct ours *ours = state;
  return call(&ours->device, ours->on_device);
}

static bool whole(void *state) {
  struct ours *ours = state;
  return call(ours->instance, ours->on_host);
}

static bool copy_out(void *host, const void *device, size_t count) {
  if (host && device)
    DEVICE_CALL(cudaMemcpy(host, device, count * 4, cudaMemcpyDeviceToHost));
  return true;
}

static bool fetch(const struct ours *ours) {
  const struct instance *host = ours->instance, *device = &ours->device;
  const struct sizes sizes = sizes_of(host->workload);
  if (cuseq_session_synchronize(ours->on_device) != CUSEQ_STATUS_OK) {
    fprintf(stderr, "bench: cuseq: %s\n", cuseq_last_error());
    return false;
  }
  return copy_out(host->tokens, device->tokens, sizes.tokens) &&
         copy_out(host->log_probabilities, device->log_probabilities, sizes.log_probabilities) &&
         copy_out(host->outputs, device->outputs, sizes.outputs);
}

static bool check(void *state, const struct instance *reference, double *worst) {
  struct ours *ours = state;
  if (!queue(ours) || !fetch(ours))
    return false;
  *worst = reference_worst(ours->instance, reference);
  if (!whole(ours))
    return false;
  const double again = reference_worst(ours->instance, reference);
  *worst = again <= *worst ? *worst : again;
  return true;
}

static bool take(struct ours *ours, struct sample *sample) {
  return timing_queue(queue, ours, ours->queue_calls, ours->stream, &sample->kernel_us) &&
         timing_clock(whole, ours, ours->host_calls, &sample->host_us);
}

static bool measure(void *state, struct sample *sample) {
  enum { WARM_UPS = 3 };
  struct ours *ours = state;
  for (int i = ours->queue_calls > 0 ? WARM_UPS : 0; i < WARM_UPS; i++) {
    ours->queue_calls = i > 0 ? timing_calls(sample->kernel_us) : 1;
    ours->host_calls = i > 0 ? timing_calls(sample->host_us) : 1;
    if (!take(ours, sample))
      return false;
  }
  return take(ours, sample);
}

static void close_ours(void *state) {
  struct ours *ours = state;
  cuseq_session_close(ours->on_device);
  cuseq_session_close(ours->on_host);
  cudaFree(ours->device.ids);
  cudaFree(ours->device.tokens);
  cudaFree(ours->device.log_probabilities);
  cudaFree(ours->device.outputs);
  free(ours);
}

static bool open_ours(struct side *side, struct instance *instance, cudaStream_t stream, const char *name,
                      const char *plan) {
  struct ours *ours = calloc(1, sizeof *ours);
  if (!ours) {
    fprintf(stderr, "bench: out of memory\n");
    return false;
  }
  ours->instance = instance;
  ours->stream = stream;
  *side =
      (struct side){.is_there = true, .state = ours, .check = check, .measure = measure, .close = close_ours};
  snprintf(side->name, sizeof side->name, "%s", name);
  ours->on_device = open_session(ours, plan, true);
  ours->on_host = ours->on_device ? open_session(ours, plan, false) : NULL;
  if (!ours->on_host || !device_arrays(ours))
    return false;
  const size_t length = cuseq_session_plan(ours->on_device, side->note, sizeof side->note);
  for (size_t i = 0; i < length && i < sizeof side->note; i++)
    side->note[i] = side->note[i] == '\n' ? ';' : side->note[i];
  return true;
}

bool side_cuseq(struct side *side, struct instance *instance, cudaStream_t stream) {
  return open_ours(side, instance, stream, "cuseq", NULL);
}

bool side_cuseq_steps(struct side *side, struct instance *instance, cudaStream_t stream) {
  /* a tagger has no decoder to force */
  const bool decodes = instance->workload->Y > 0;
  return open_ours(side, instance, stream, "cuseq, launch per step",
                   decodes ? "stages,encoder=cell,decoder=steps" : "stages,encoder=cell");
}
