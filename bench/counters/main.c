/* Calls of a workload of the speed targets on a CUDA device: what a counting tool (the emulated device,
 * Nsight Compute) then reports is the calls' own, once the counts of "0 calls" are taken away. The last
 * call's answers are checked against the float64 reference.
 *
 *   bench_counters fused|per-step WORKLOAD [CALLS [T]]    W1, "W2 B1", "W2 B32", W3, W4; CALLS 0, 1, ...
 *
 * fused is cuseq over its public interface, per-step the same model by bench/gpu/per_step.c: the same weights
 * and input, the same on every machine. Exit status 1: wrong answers; 2: usage; 3: the device failed. */
#include "per_step.h"
#include "workload.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool call_fused(const struct instance *instance, long calls, const struct answers *answers) {
  cuseq_session_options options;
  cuseq_session_options_init(&options, sizeof options, instance->model);
  options.device = "cuda";
  options.max_batch = instance->workload.B;
  options.max_time = instance->workload.T;
  cuseq_session *session;
  cuseq_status status = cuseq_session_open(instance->model, &options, &session);
  for (long i = 0; i < calls && status == CUSEQ_STATUS_OK; i++)
    status = instance_call(instance, session, answers);
  cuseq_session_close(session);
  if (status != CUSEQ_STATUS_OK)
    fprintf(stderr, "bench_counters: %s\n", cuseq_last_error());
  return status == CUSEQ_STATUS_OK;
}

static bool call_per_step(const struct instance *instance, long calls, const struct answers *answers) {
  cudaStream_t stream;
  if (cudaStreamCreate(&stream) != cudaSuccess) {
    fprintf(stderr, "bench_counters: there is no CUDA device\n");
    return false;
  }
  struct per_step *per_step = per_step_open(instance, stream);
  bool done = per_step != NULL;
  for (long i = 0; i < calls && done; i++)
    done =
        per_step_input(per_step, instance) && per_step_run(per_step) && per_step_answers(per_step, answers);
  done = cudaStreamSynchronize(stream) == cudaSuccess && done;
  per_step_close(per_step);
  cudaStreamDestroy(stream);
  return done;
}

int main(int argc, char **argv) {
  const struct workload *found = argc > 2 ? workload_find(argv[2]) : NULL;
  const bool is_fused = argc > 1 && strcmp(argv[1], "fused") == 0;
  const long calls = argc > 3 ? strtol(argv[3], NULL, 10) : 1;
  const long T = argc > 4 ? strtol(argv[4], NULL, 10) : found ? found->T : 0;
  if (!found || calls < 0 || T < 1 || T > 100000 || argc > 5 ||
      !(is_fused || strcmp(argv[1], "per-step") == 0)) {
    fprintf(stderr, "usage: bench_counters fused|per-step WORKLOAD [CALLS [T]]\n");
    return 2;
  }
  struct workload workload = *found;
  workload.T = (int32_t)T;
  struct instance instance;
  if (!instance_make(&instance, &workload))
    return 3;
  struct answers answers;
  int status = answers_make(&answers, &workload, ANSWERS_RESULTS) ? 0 : 3;
  if (status == 0 && !(is_fused ? call_fused : call_per_step)(&instance, calls, &answers))
    status = 3;
  double worst = 0.0;
  if (status == 0 && calls > 0 && !instance_verify(&instance, &answers, &worst)) {
    fprintf(stderr, "bench_counters: %s %s: wrong answers (error %.3g of what is allowed)\n", argv[1],
            argv[2], worst);
    status = 1;
  }
  answers_free(&answers);
  instance_free(&instance);
  return status;
}
