/* What the sweeps come to, and how it is told. */
#ifndef BENCH_SCALING_REPORT_H
#define BENCH_SCALING_REPORT_H

#include "results/results.h"
#include "scaling/sweep.h"

/* Rounds in which the peak was at least nine tenths of the best one on as many threads: the others were
 * disturbed by other work on the machine, and are not counted. */
int report_undisturbed(const struct item *item, double best_peak);

/* Fills in medians, shares and floors from the rounds. best_peak  [threads] GFLOP/s. */
void report_reduce(struct sweep *sweep, const double *best_peak);

void report_print(const struct sweep *sweep, const struct heading *heading, const double *best_peak,
                  int rounds);

/* false with a message where the file cannot be written. */
bool report_json(const char *path, const struct sweep *sweep, const struct heading *heading,
                 const double *best_peak, int rounds);

#endif
