/* The workloads: models with random weights, random input, and the multiply-adds that they take. */
#ifndef BENCH_CPU_WORKLOAD_H
#define BENCH_CPU_WORKLOAD_H

#include "cuseq/cuseq.h"

#include <stdbool.h>

struct workload {
  const char *name;
  const char *what; /* one line for the heading */
  int32_t B, T, F, H;
  int32_t keys;    /* units of the attention's first layer: 1, or a second layer follows */
  int32_t S, Y, V; /* 0: no decoder */
  bool ids;        /* token ids instead of dense input */
  bool encode_only;
  double bar;      /* share of peak to reach on one thread; 0: none */
  double bar_gain; /* share of the peak's gain to reach on two threads; 0: none */
};

/* All of them; the count in *count. */
const struct workload *workloads(int *count);

/* A workload with its model, input and outputs. */
struct instance {
  const struct workload *workload;
  cuseq_model *model;
  float *x;     /* [B,T,F] or NULL */
  int32_t *ids; /* [B,T] or NULL */
  float *annotations;
  float *contexts, *alphas, *outputs;
  int32_t *tokens;
};

/* Everything of it; false with a message on stderr. */
bool instance_make(struct instance *instance, const struct workload *workload);
void instance_free(struct instance *instance);

/* A session of the workload's size. */
cuseq_session *instance_open(const struct instance *instance, const char *device, int32_t threads,
                             int32_t batch);

/* One call over `batch` rows from row `first`, into the instance's arrays from their beginning. */
cuseq_status instance_call(const struct instance *instance, cuseq_session *session, int32_t first,
                           int32_t batch);

/* Whether some rows of the cpu's outputs agree with the reference; *worst receives the largest error, as a
 * share of what is allowed. */
bool instance_verify(const struct instance *instance, cuseq_session *session, double *worst);

/* 2 x the multiply-adds of one call. The first step's products with a zero state are not made and not
 * counted. */
double workload_flops(const struct workload *workload);

#endif
