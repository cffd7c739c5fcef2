/* What is measured: the workloads, the same with mixed lengths, sweeps over B, H and T, and pairs of calls
 * whose difference is so many steps of a chain. */
#ifndef BENCH_GPU_CASES_H
#define BENCH_GPU_CASES_H

#include "workload.h"

struct bench_case {
  struct workload workload;
  char sweep; /* 'B', 'H', 'T'; 0: none */
  bool alone; /* cuseq alone is measured */
};

enum { MOST_CASES = 64 };

/* All cases, in order; their number. */
int cases_make(struct bench_case cases[MOST_CASES]);

/* Whether the case's name is the filter, or the filter and further words ("W2" takes "W2 B32 mixed"). */
bool case_is_wanted(const struct bench_case *bench_case, const char *filter);

#endif
