/* How fast a device could be at most: what one launch costs, the chain of dependent steps, the bytes that must move
 * and the multiply-adds that must be made. */
#ifndef BENCH_GPU_FLOOR_H
#define BENCH_GPU_FLOOR_H

#include "workload.h"

struct device {
  char name[256];
  char clocks[160];   /* as nvidia-smi tells them; "" where it is not there */
  char versions[160]; /* driver and runtime */
  bool is_emulated;   /* it has counters, and no times */
  int capability;     /* 10 x major + minor */
  int multiprocessors;
  double clock;     /* Hz, the highest of the SMs */
  double bandwidth; /* bytes per second of its memory */
  double fma;       /* multiply-adds per second, float32 */
  double launch_us; /* of an empty kernel among many queued ones, measured; 0 on an emulated device */
};

/* Looks at device 0 and makes it current. false where there is none: `reason` then has one line. */
bool device_find(struct device *device, char *reason, size_t capacity);

/* Whether the current device is an emulated one. */
bool device_is_emulated(void);

struct floor {
  double us;
  const char *binds; /* "launch", "chain", "bandwidth" or "arithmetic": the largest of the four */
};

/* The floor of a call; of its encoder alone where `encodes_only`. */
struct floor floor_of(const struct workload *workload, const int32_t *lengths, bool encodes_only,
                      const struct device *device);

/* Multiply-adds of a call: what must be computed, K_a a once, ids gathered. */
double floor_multiply_adds(const struct workload *workload, const int32_t *lengths, bool encodes_only);

#endif
