/* cuseq over its public interface: a session whose arrays are on the device, on the benchmark's stream, and
 * one whose arrays are in host memory. */
#include "device_call.h"
#include "peer.h"

#include <stdlib.h>
#include <string.h>

struct ours {
  struct instance *instance;
  cudaStream_t stream;
  cuseq_session *device, *host;
  cuseq_input input;        /* device arrays */
  struct answers d_answers; /* device arrays */
};

static cuseq_status open_session(const struct ours *ours, bool on_device, cuseq_session **session) {
  const struct instance *instance = ours->instance;
  cuseq_session_options options;
  cuseq_session_options_init(&options, sizeof options, instance->model);
  options.device = "cuda";
  options.max_batch = instance->workload.B;
  options.max_time = instance->workload.T;
  options.memory = on_device ? CUSEQ_MEMORY_DEVICE : CUSEQ_MEMORY_HOST;
  options.stream = on_device ? ours->stream : NULL;
  options.asynchronous = on_device;
  return cuseq_session_open(instance->model, &options, session);
}

static bool copy_in(void *pointer, const void *host, size_t bytes) {
  void *memory;
  DEVICE_CALL(cudaMalloc(&memory, bytes));
  memcpy(pointer, &memory, sizeof memory);
  DEVICE_CALL(cudaMemcpy(memory, host, bytes, cudaMemcpyHostToDevice));
  return true;
}

static bool room(void *pointer, size_t count) {
  void *memory;
  DEVICE_CALL(cudaMalloc(&memory, count * 4));
  memcpy(pointer, &memory, sizeof memory);
  return true;
}

static bool device_arrays(struct ours *ours) {
  const struct instance *instance = ours->instance;
  const struct workload *w = &instance->workload;
  const size_t B = (size_t)w->B, T = (size_t)w->T, A = (size_t)workload_annotations(w),
               Y = (size_t)workload_steps(w);
  ours->input = instance_input(instance);
  const void *data = ours->input.data;
  ours->input.data = NULL;
  ours->input.lengths = NULL;
  bool done = copy_in(&ours->input.data, data, B * T * 4 * (w->ids ? 1 : (size_t)w->F)) &&
              (!instance->lengths || copy_in(&ours->input.lengths, instance->lengths, B * 4));
  if (done && w->encodes_only)
    done = room(&ours->d_answers.annotations, B * T * A);
  if (done && !w->encodes_only)
    done = room(&ours->d_answers.contexts, B * Y * A) && room(&ours->d_answers.alphas, B * Y * T);
  if (done && w->S > 0)
    done = room(&ours->d_answers.outputs, B * Y * (size_t)w->V) && room(&ours->d_answers.tokens, B * Y);
  return done;
}

static bool queue(void *state) {
  struct ours *ours = state;
  if (workload_call(&ours->instance->workload, ours->device, &ours->input, &ours->d_answers) ==
      CUSEQ_STATUS_OK)
    return true;
  fprintf(stderr, "bench: cuseq: %s\n", cuseq_last_error());
  return false;
}

static bool copy_out(const struct ours *ours, void *host, const void *device, size_t count) {
  if (host)
    DEVICE_CALL(cudaMemcpyAsync(host, device, count * 4, cudaMemcpyDeviceToHost, ours->stream));
  return true;
}

static bool fetch(void *state, const struct answers *answers) {
  struct ours *ours = state;
  const struct workload *w = &ours->instance->workload;
  const size_t B = (size_t)w->B, T = (size_t)w->T, A = (size_t)workload_annotations(w),
               Y = (size_t)workload_steps(w);
  const struct answers *d = &ours->d_answers;
  const bool copied = copy_out(ours, answers->annotations, d->annotations, B * T * A) &&
                      copy_out(ours, answers->contexts, d->contexts, B * Y * A) &&
                      copy_out(ours, answers->alphas, d->alphas, B * Y * T) &&
                      copy_out(ours, answers->outputs, d->outputs, B * Y * (size_t)w->V) &&
                      copy_out(ours, answers->tokens, d->tokens, B * Y);
  if (copied && cuseq_session_synchronize(ours->device) == CUSEQ_STATUS_OK)
    return true;
  if (copied)
    fprintf(stderr, "bench: cuseq: %s\n", cuseq_last_error());
  return false;
}

static bool whole(void *state, const struct answers *answers) {
  struct ours *ours = state;
  if (instance_call(ours->instance, ours->host, answers) == CUSEQ_STATUS_OK)
    return true;
  fprintf(stderr, "bench: cuseq: %s\n", cuseq_last_error());
  return false;
}

static void close_ours(void *state) {
  struct ours *ours = state;
  cuseq_session_close(ours->device);
  cuseq_session_close(ours->host);
  cudaFree((void *)ours->input.data);
  cudaFree((void *)ours->input.lengths);
  cudaFree(ours->d_answers.annotations);
  cudaFree(ours->d_answers.contexts);
  cudaFree(ours->d_answers.alphas);
  cudaFree(ours->d_answers.outputs);
  cudaFree(ours->d_answers.tokens);
  free(ours);
}

bool peer_cuseq(struct peer *peer, struct instance *instance, cudaStream_t stream) {
  struct ours *ours = calloc(1, sizeof *ours);
  *peer = (struct peer){.name = "cuseq", .is_there = true, .state = ours, .close = close_ours};
  if (!ours) {
    fprintf(stderr, "bench: out of memory\n");
    return false;
  }
  ours->instance = instance;
  ours->stream = stream;
  peer->queue = queue;
  peer->fetch = fetch;
  peer->whole = whole;
  if (open_session(ours, true, &ours->device) != CUSEQ_STATUS_OK ||
      open_session(ours, false, &ours->host) != CUSEQ_STATUS_OK) {
    fprintf(stderr, "bench: cuseq: %s\n", cuseq_last_error());
    return false;
  }
  return device_arrays(ours);
}
