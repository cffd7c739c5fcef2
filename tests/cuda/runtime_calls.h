/* How often this process has called the CUDA runtime, the module included: the calls come through here. */
#ifndef TESTS_CUDA_RUNTIME_CALLS_H
#define TESTS_CUDA_RUNTIME_CALLS_H

struct runtime_calls {
  int waits;       /* for a stream, an event or the device */
  int queries;     /* of pointers */
  int orders;      /* of one stream after another */
  int allocations; /* of memory, streams and events */
};

/* The counts since the last call of this. One thread. */
struct runtime_calls runtime_calls_take(void);

#endif
