/* What was measured, and how it is told. */
#ifndef BENCH_CPU_REPORT_H
#define BENCH_CPU_REPORT_H

#include "workload.h"

/* One round of one case; [0] on one thread, [1] on two. */
struct sample {
  double seconds[2];
  double rate[2]; /* GFLOP/s */
  double peak[2]; /* GFLOP/s, of the round */
};

struct result {
  const struct workload *workload;
  struct sample *samples;
  int count;
  double error[2]; /* the worst one found in verifying, as a share of what is allowed */
};

void result_reserve(struct result *result, int rounds);
struct sample *result_add(struct result *result);
void result_free(struct result *result);

void report_header(int argc, char **argv, const char *processor, int rounds);
void report_table(const struct result *results, int count);

/* false with a message where the file cannot be written. */
bool report_json(const char *path, int argc, char **argv, const char *processor, const struct result *results,
                 int count);

#endif
