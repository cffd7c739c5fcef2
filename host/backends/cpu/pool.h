/* Threads that share out the tasks of one call. The caller works too, so a pool of N has N - 1 threads of its
 * own. They spin for some tens of microseconds after their last task and sleep after that. */
#ifndef CUSEQ_CPU_POOL_H
#define CUSEQ_CPU_POOL_H

#include "cuseq/cuseq.h"

#include <stdint.h>

struct cpu_pool;

/* One task: `worker` is 0 .. threads-1, and no two tasks that run at the same time have the same. */
typedef void (*cpu_task)(void *argument, int32_t task, int32_t worker);

/* threads >= 1. NULL is stored on failure. */
cuseq_status pool_open(int32_t threads, struct cpu_pool **pool);

/* Ends the threads; NULL does nothing. */
void pool_close(struct cpu_pool *pool);

int32_t pool_threads(const struct cpu_pool *pool);

/* Runs tasks 0 .. tasks-1, in about that order, on at most `threads` threads, and returns when all are done.
 * Called by one thread at a time. */
void pool_run(struct cpu_pool *pool, int32_t threads, int32_t tasks, cpu_task task, void *argument);

#endif
