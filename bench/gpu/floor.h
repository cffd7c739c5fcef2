/* How fast a device could be at most: what one launch costs, the chain of dependent steps, the bytes that
 * must move and the multiply-adds that must be made. */
#ifndef BENCH_GPU_FLOOR_H
#define BENCH_GPU_FLOOR_H

#include "device.h"
#include "workload.h"

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
