/* Threads that share out the tasks of one call. The caller works too, so a pool of N has N - 1 threads of its
 * own. They spin for some tens of microseconds after their last task and sleep after that. */
#ifndef CUSEQ_CPU_POOL_H
#define CUSEQ_CPU_POOL_H

#include "cuseq/cuseq.h"

#include <stdbool.h>
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

/* The most threads that share a task. */
enum { POOL_MOST_PARTS = 32 };

/* Runs the parts 0 .. parts-1 of what is one task of the caller's, at most POOL_MOST_PARTS and the pool's
 * threads, and returns when all are done. Worker p does part p, time after time, so that what it needs stays
 * in its caches; who has none left to do does those of workers that are late. May be called within a task of
 * pool_run() that is the only one. */
void pool_share(struct cpu_pool *pool, int32_t parts, cpu_task task, void *argument);

/* Whether its threads look for work for a while before they sleep: there are no more of them than cores. */
bool pool_looks(const struct cpu_pool *pool);

#endif
