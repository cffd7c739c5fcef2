/* What is swept: lines of measured points. */
#ifndef BENCH_SCALING_SWEEP_H
#define BENCH_SCALING_SWEEP_H

#include "cpu/workload.h"

#include <stddef.h>

/* A workload of one size with the work that is known of it. Shared by lines that differ in threads. */
struct size {
  struct workload workload;
  struct instance instance;
  size_t weights;     /* bytes of one direction of the encoder that every step reads */
  size_t annotations; /* bytes of a tile's annotations, which every decoder step reads; 0: no decoder */
  double weights_bandwidth, annotations_bandwidth; /* bytes per second at which one thread reads as many */
  bool verifiable;                                 /* small enough for the reference */
};

/* One measured point. */
struct item {
  int size;        /* index of its size */
  int32_t value;   /* of what is swept */
  int32_t threads; /* that the session has */
  cuseq_session *session;
  double *seconds, *peak; /* [rounds made] */
  int count;
  /* what the undisturbed rounds come to; NaN where there were none. Times in seconds */
  double median, low, high, gflops;
  double share, best_share;           /* of the peak; and the best one of all points on as many threads */
  double floor, weights, annotations; /* the multiply-adds at the peak; reading either at its bandwidth */
  int undisturbed;
  double error; /* found in verifying, as a share of what is allowed; NaN: not verified */
};

struct line {
  const char *sweep; /* "B", "T", "H", "threads", or "call": the smallest call */
  const char *model; /* a few words */
  double order;      /* the exponent of the arithmetic in what is swept; -1 for threads */
  int32_t threads;   /* 0: swept */
  int first, count;  /* items */
};

struct sweep {
  struct size *sizes;
  struct item *items;
  struct line *lines;
  int size_count, item_count, line_count;
};

/* All lines on one thread and on `cores`. `quick`: fewer and smaller points. Sizes have no instances yet.
 * false with a message where memory runs out. */
bool sweep_make(struct sweep *sweep, int cores, bool quick);

/* Instances, sessions, bandwidths, and space for that many rounds; verifies what is small enough against the
 * reference. false with a message. */
bool sweep_open(struct sweep *sweep, int rounds);

/* Frees what there is of it. */
void sweep_free(struct sweep *sweep);

#endif
