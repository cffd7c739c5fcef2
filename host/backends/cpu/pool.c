#include "backends/cpu/pool.h"

#include "backends/cpu/isa.h"
#include "error.h"
#include "rlimits.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* How often a thread looks before it sleeps: about 40 us. A wake-up costs some 20 us, a look that finds work
 * 0.1. */
enum { POOL_LOOKS = 3000, POOL_MOST_THREADS = 1024 };

struct pool_thread {
  struct cpu_pool *pool;
  pthread_t handle;
  int32_t worker;
};

/* The job and its claims are one word: how many threads may take part (upper half), how many tasks are not
 * yet claimed (lower half), or which parts (POOL_PARTS is set). A claim is a compare-and-swap that takes one
 * task off, so whoever succeeds holds a task of the present job, which cannot end before that task does:
 * task, argument and count may be read after the claim, not before. */
#define POOL_PARTS ((uint64_t)1 << 63)
struct cpu_pool {
  _Alignas(64) atomic_uint_fast64_t job;
  _Alignas(64) atomic_int pending;  /* tasks not yet done */
  _Alignas(64) atomic_int sleeping; /* threads that sleep and are not yet woken */
  atomic_bool caller_sleeps;
  atomic_bool stop;
  cpu_task task;
  void *argument;
  int32_t tasks;
  int32_t looks; /* 0 where there are more threads than cores: then spinning would keep others from working */
  int32_t threads;
  int32_t started;
  pthread_mutex_t mutex;
  pthread_cond_t work;
  pthread_cond_t done;
  struct pool_thread *own; /* [threads - 1] */
};

static void pool_pause(void) {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  __asm__ volatile("yield");
#endif
}

/* Whether a job has a task for a worker. */
static bool pool_offers(uint64_t job, int32_t worker) {
  return (uint32_t)job > 0 && (uint64_t)worker < (job & ~POOL_PARTS) >> 32;
}

static bool pool_has_work(struct cpu_pool *pool, int32_t worker) {
  return pool_offers(atomic_load(&pool->job), worker);
}

/* The part that a worker takes: its own, or the first that is left. */
static int32_t pool_part(uint64_t job, int32_t worker) {
  const uint32_t left = (uint32_t)job;
  return worker < POOL_MOST_PARTS && (left >> worker & 1) ? worker : __builtin_ctz(left);
}

/* Does tasks until none is left to claim. */
static void pool_work(struct cpu_pool *pool, int32_t worker) {
  uint64_t job = atomic_load(&pool->job);
  while (pool_offers(job, worker)) {
    const bool parts = job & POOL_PARTS;
    const int32_t part = parts ? pool_part(job, worker) : 0;
    if (!atomic_compare_exchange_weak(&pool->job, &job, parts ? job & ~((uint64_t)1 << part) : job - 1))
      continue;
    pool->task(pool->argument, parts ? part : pool->tasks - (int32_t)(uint32_t)job, worker);
    if (atomic_fetch_sub(&pool->pending, 1) == 1 && atomic_load(&pool->caller_sleeps)) {
      pthread_mutex_lock(&pool->mutex);
      pthread_cond_signal(&pool->done);
      pthread_mutex_unlock(&pool->mutex);
    }
    job = atomic_load(&pool->job);
  }
}

static void *pool_main(void *argument) {
  struct pool_thread *self = argument;
  struct cpu_pool *pool = self->pool;
  for (;;) {
    bool found = false;
    for (int32_t look = 0; look < pool->looks && !(found = pool_has_work(pool, self->worker)); look++)
      pool_pause();
    if (!found) {
      pthread_mutex_lock(&pool->mutex);
      atomic_fetch_add(&pool->sleeping, 1);
      /* once: parts follow each other in short succession, and who wakes up too late for one is there for the
         next if it looks for it */
      if (!pool_has_work(pool, self->worker) && !atomic_load(&pool->stop))
        pthread_cond_wait(&pool->work, &pool->mutex);
      else
        atomic_fetch_sub(&pool->sleeping, 1);
      pthread_mutex_unlock(&pool->mutex);
    }
    if (atomic_load(&pool->stop))
      return NULL;
    pool_work(pool, self->worker);
  }
}

/* The threads of their own leave every signal to the others: Ctrl-C reaches who handles it. */
static cuseq_status pool_start(struct cpu_pool *pool) {
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  int failure = 0;
  for (int32_t i = 0; i < pool->threads - 1 && !failure; i++) {
    pool->own[i] = (struct pool_thread){.pool = pool, .worker = i + 1};
    failure = pthread_create(&pool->own[i].handle, NULL, pool_main, &pool->own[i]);
    pool->started += !failure;
  }
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  struct rlimits_text reason;
  if (failure)
    return error_set(CUSEQ_STATUS_OUT_OF_MEMORY, "cuseq_session_open: cannot start thread %d of %d (%s)",
                     (int)pool->started + 2, (int)pool->threads, rlimits_reason(failure, &reason));
  return CUSEQ_STATUS_OK;
}

cuseq_status pool_open(int32_t threads, struct cpu_pool **opened) {
  *opened = NULL;
  if (threads > POOL_MOST_THREADS)
    return error_set(CUSEQ_STATUS_INVALID_ARGUMENT,
                     "cuseq_session_open: too many threads (found %d, needed %d at most)", (int)threads,
                     (int)POOL_MOST_THREADS);
  struct cpu_pool *pool = aligned_alloc(64, (sizeof *pool + 63) / 64 * 64);
  if (!pool)
    return error_set(CUSEQ_STATUS_OUT_OF_MEMORY, "cuseq_session_open: out of memory");
  memset(pool, 0, sizeof *pool);
  pool->threads = threads;
  pool->looks = threads <= isa_cores() ? POOL_LOOKS : 0;
  pthread_mutex_init(&pool->mutex, NULL);
  pthread_cond_init(&pool->work, NULL);
  pthread_cond_init(&pool->done, NULL);
  pool->own = calloc((size_t)threads, sizeof *pool->own);
  cuseq_status status = pool->own
                            ? pool_start(pool)
                            : error_set(CUSEQ_STATUS_OUT_OF_MEMORY, "cuseq_session_open: out of memory");
  if (status != CUSEQ_STATUS_OK) {
    pool_close(pool);
    return status;
  }
  *opened = pool;
  return CUSEQ_STATUS_OK;
}

void pool_close(struct cpu_pool *pool) {
  if (!pool)
    return;
  pthread_mutex_lock(&pool->mutex);
  atomic_store(&pool->stop, true);
  pthread_cond_broadcast(&pool->work);
  pthread_mutex_unlock(&pool->mutex);
  for (int32_t i = 0; i < pool->started; i++)
    pthread_join(pool->own[i].handle, NULL);
  pthread_cond_destroy(&pool->work);
  pthread_cond_destroy(&pool->done);
  pthread_mutex_destroy(&pool->mutex);
  free(pool->own);
  free(pool);
}

int32_t pool_threads(const struct cpu_pool *pool) {
  return pool->threads;
}

/* Waits for tasks that other threads hold. */
static void pool_wait(struct cpu_pool *pool) {
  for (int32_t look = 0; look < pool->looks; look++) {
    if (atomic_load(&pool->pending) == 0)
      return;
    pool_pause();
  }
  pthread_mutex_lock(&pool->mutex);
  atomic_store(&pool->caller_sleeps, true);
  while (atomic_load(&pool->pending) != 0)
    pthread_cond_wait(&pool->done, &pool->mutex);
  atomic_store(&pool->caller_sleeps, false);
  pthread_mutex_unlock(&pool->mutex);
}

bool pool_looks(const struct cpu_pool *pool) {
  return pool->looks > 0;
}

/* Hands a job out and takes part in it. */
static void pool_do(struct cpu_pool *pool, uint64_t job, int32_t tasks, cpu_task task, void *argument) {
  pool->task = task;
  pool->argument = argument;
  pool->tasks = tasks;
  atomic_store(&pool->pending, tasks);
  atomic_store(&pool->job, job);
  if (atomic_load(&pool->sleeping) > 0) {
    pthread_mutex_lock(&pool->mutex);
    atomic_store(&pool->sleeping, 0);
    pthread_cond_broadcast(&pool->work);
    pthread_mutex_unlock(&pool->mutex);
  }
  pool_work(pool, 0);
  pool_wait(pool);
}

void pool_run(struct cpu_pool *pool, int32_t threads, int32_t tasks, cpu_task task, void *argument) {
  if (threads > 1 && tasks > 1 && pool->threads > 1) {
    pool_do(pool, (uint64_t)threads << 32 | (uint32_t)tasks, tasks, task, argument);
    return;
  }
  for (int32_t i = 0; i < tasks; i++)
    task(argument, i, 0);
}

void pool_share(struct cpu_pool *pool, int32_t parts, cpu_task task, void *argument) {
  const uint64_t all = ((uint64_t)1 << parts) - 1;
  pool_do(pool, POOL_PARTS | (uint64_t)parts << 32 | all, parts, task, argument);
}
