/* The CUDA device that is measured, and what of it the floors are made of. */
#ifndef BENCH_GPU_DEVICE_H
#define BENCH_GPU_DEVICE_H

#include <stdbool.h>
#include <stddef.h>

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
  /* measured; 0 on an emulated device: */
  double launch_us;  /* of an empty kernel among many queued ones */
  double node_us;    /* of an empty kernel as a node of a graph, one behind the other */
  double busy_clock; /* Hz of a multiprocessor that computes */
};

/* Looks at device 0 and makes it current. false where there is none: `reason` then has one line. */
bool device_find(struct device *device, char *reason, size_t capacity);

/* Whether the current device is an emulated one. */
bool device_is_emulated(void);

#endif
