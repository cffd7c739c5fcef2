/* A peer that lives as a process of its own: reads orders on stdin, answers on stdout, one line each.
 *
 *   open WORKLOAD FILE      makes the model of DATA/WORKLOAD ready, runs it once and writes what is to be
 *                           verified of it to FILE; "ok"
 *   time WORKLOAD SECONDS   calls for about so long, at least twice where a call takes less than 0.1 s;
 *                           "ok BEST CALLS", the best call in microseconds
 *
 * or "error TEXT". Ends with its stdin. The Python workers keep to the same. */
#ifndef BENCH_FRAMEWORKS_WORKER_H
#define BENCH_FRAMEWORKS_WORKER_H

#include "../cpu/workload.h"

#ifdef __cplusplus
extern "C" {
#endif

/* What a peer makes of a workload is its own; the arrays of `instance` are where it leaves its results, those
 * that instance_judged() names. */
struct worker {
  const char *name; /* and version: the line that tells that it is there                                */
  void *(*open)(const struct instance *instance, int threads); /* NULL with a message on stderr            */
  bool (*call)(void *model);                                   /* one batch, from input to results         */
};

/* Serves until stdin ends; the exit status. Arguments: DATA THREADS. */
int worker_main(int argc, char **argv, const struct worker *worker);

/* Writes what is verified of the workload's verified rows as float32, array after array, tokens as numbers.
 * The instance has either all rows of the batch or (`gathered`) only those. */
bool worker_write_results(const struct instance *instance, bool gathered, const char *path);

#ifdef __cplusplus
}
#endif

#endif
