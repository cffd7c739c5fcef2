/* What was measured, and how it is told. */
#ifndef BENCH_CPU_REPORT_H
#define BENCH_CPU_REPORT_H

#include "results/results.h"
#include "workload.h"

/* One round of one case; [0] on one thread, [1] on two. */
struct sample {
  double seconds[2];
  double rate[2]; /* GFLOP/s */
  double peak[2]; /* GFLOP/s, of the round, in float32 */
  double own[2];  /* the same in the case's precision */
};

struct result {
  const struct workload *workload;
  cuseq_precision precision;
  struct sample *samples;
  int count;
  int threads;         /* 1, or 2: on one thread and on two */
  double best_peak[2]; /* over all rounds of all cases: what tells a disturbed round */
  double error[2];     /* the worst one found in verifying, as a share of what is allowed */
  double streaming;    /* seconds that one thread takes to read the weights once a step; NAN: several rows */
};

void result_reserve(struct result *result, int rounds);
struct sample *result_add(struct result *result);
void result_free(struct result *result);

/* Rounds in which the peak on `threads` (1 or 2) was at least nine tenths of the best one, and for 2
 * also that on 1: in the others, work of someone else kept the peak or the case from its cores, and they
 * are not counted. */
int result_undisturbed(const struct result *result, int threads);

void report_header(const struct heading *heading, int rounds);
void report_table(const struct result *results, int count);

/* false with a message where the file cannot be written. */
bool report_json(const char *path, const struct heading *heading, int rounds, const struct result *results,
                 int count);

#endif
