/* How long calls take: by events among many that are queued one behind the other, and by the clock. */
#ifndef BENCH_GPU_TIMING_H
#define BENCH_GPU_TIMING_H

#include <cuda_runtime_api.h>
#include <stdbool.h>

struct sample {
  double kernel_us; /* a call with all arrays on the device, of many queued one behind the other; NaN: none */
  double host_us;   /* from input in page-locked host memory to answers there; NaN: none */
};

struct spread {
  double low, median, high; /* NaN: not measured */
};

typedef bool timed_call(void *state);

/* Microseconds of one of `calls` calls, by events on the stream or by the clock. false with a message on
 * stderr. */
bool timing_queue(timed_call *call, void *state, int calls, cudaStream_t stream, double *us);
bool timing_clock(timed_call *call, void *state, int calls, double *us);

/* How many calls of so long make a sample of about 2 ms. */
int timing_calls(double us);

/* Of the kernel times, or of the host-visible ones, as far as there are any. */
struct spread timing_spread(const struct sample *samples, int count, bool of_host);

#endif
