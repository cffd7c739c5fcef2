#include "timing.h"

#include "device_call.h"

#include <math.h>
#include <stdlib.h>
#include <time.h>

static const double SAMPLE_US = 2000;
enum { MOST_CALLS = 1000 };

static double now_us(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return 1e6 * (double)time.tv_sec + 1e-3 * (double)time.tv_nsec;
}

bool timing_queue(timed_call *call, void *state, int calls, cudaStream_t stream, double *us) {
  cudaEvent_t before, after;
  float milliseconds;
  DEVICE_CALL(cudaEventCreate(&before));
  DEVICE_CALL(cudaEventCreate(&after));
  DEVICE_CALL(cudaEventRecord(before, stream));
  for (int i = 0; i < calls; i++)
    if (!call(state))
      return false;
  DEVICE_CALL(cudaEventRecord(after, stream));
  DEVICE_CALL(cudaEventSynchronize(after));
  DEVICE_CALL(cudaEventElapsedTime(&milliseconds, before, after));
  DEVICE_CALL(cudaEventDestroy(before));
  DEVICE_CALL(cudaEventDestroy(after));
  *us = 1e3 * milliseconds / calls;
  return true;
}

bool timing_clock(timed_call *call, void *state, int calls, double *us) {
  const double start = now_us();
  for (int i = 0; i < calls; i++)
    if (!call(state))
      return false;
  *us = (now_us() - start) / calls;
  return true;
}

int timing_calls(double us) {
  return us <= SAMPLE_US / MOST_CALLS ? MOST_CALLS : us >= SAMPLE_US ? 1 : (int)(SAMPLE_US / us);
}

static int ascending(const void *a, const void *b) {
  const double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

struct spread timing_spread(const struct sample *samples, int count, bool of_host) {
  struct spread spread = {NAN, NAN, NAN};
  double *values = malloc((size_t)(count + 1) * sizeof *values);
  int found = 0;
  for (int i = 0; i < count && values; i++) {
    const double us = of_host ? samples[i].host_us : samples[i].kernel_us;
    if (isfinite(us))
      values[found++] = us;
  }
  if (found > 0) {
    qsort(values, (size_t)found, sizeof *values, ascending);
    spread = (struct spread){values[0], (values[(found - 1) / 2] + values[found / 2]) / 2, values[found - 1]};
  }
  free(values);
  return spread;
}
