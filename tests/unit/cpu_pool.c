/* The cpu backend's threads. */
#include "backends/cpu/pool.h"

#include <criterion/criterion.h>
#include <sched.h>
#include <stdatomic.h>
#include <string.h>

enum { MOST_TASKS = 500, MOST_WORKERS = 64 };

struct job {
  atomic_int done[MOST_TASKS];
  atomic_int busy[MOST_WORKERS];
  atomic_int wrong;
  int32_t workers;
};

static void count_task(void *argument, int32_t task, int32_t worker) {
  struct job *job = argument;
  if (task < 0 || task >= MOST_TASKS || worker < 0 || worker >= job->workers ||
      atomic_fetch_add(&job->busy[worker], 1) != 0) {
    atomic_fetch_add(&job->wrong, 1);
    return;
  }
  if (task % 7 == 0)
    sched_yield();
  atomic_fetch_add(&job->done[task], 1);
  atomic_fetch_sub(&job->busy[worker], 1);
}

static void check_job(struct cpu_pool *pool, int32_t threads, int32_t tasks) {
  static struct job job;
  memset(&job, 0, sizeof job);
  job.workers = threads;
  pool_run(pool, threads, tasks, count_task, &job);
  cr_assert_eq(atomic_load(&job.wrong), 0, "%d tasks on %d threads: a worker was used twice at a time",
               (int)tasks, (int)threads);
  for (int32_t i = 0; i < MOST_TASKS; i++)
    cr_assert_eq(atomic_load(&job.done[i]), i < tasks, "task %d of %d ran %d times", (int)i, (int)tasks,
                 atomic_load(&job.done[i]));
}

/* Parts of the caller's task, and jobs of tasks in between. */
static void check_shared(struct cpu_pool *pool, int32_t threads, int32_t parts) {
  static struct job job;
  memset(&job, 0, sizeof job);
  job.workers = threads;
  pool_share(pool, parts, count_task, &job);
  cr_assert_eq(atomic_load(&job.wrong), 0, "%d parts: a worker was used twice at a time", (int)parts);
  for (int32_t i = 0; i < MOST_TASKS; i++)
    cr_assert_eq(atomic_load(&job.done[i]), i < parts, "part %d of %d ran %d times", (int)i, (int)parts,
                 atomic_load(&job.done[i]));
}

Test(cpu_pool, does_every_part_once) {
  struct cpu_pool *pool;
  for (int32_t threads = 1; threads <= POOL_MOST_PARTS; threads = threads < 4 ? threads + 1 : 2 * threads) {
    cr_assert_eq(pool_open(threads, &pool), CUSEQ_STATUS_OK, "%s", cuseq_last_error());
    for (int32_t i = 0; i < 300; i++) {
      check_shared(pool, threads, 1 + i % threads);
      if (i % 3 == 0)
        check_job(pool, threads, i % 7);
    }
    pool_close(pool);
  }
}

static void check_pool(int32_t threads, int32_t jobs) {
  struct cpu_pool *pool;
  cr_assert_eq(pool_open(threads, &pool), CUSEQ_STATUS_OK, "%s", cuseq_last_error());
  cr_expect_eq(pool_threads(pool), threads);
  for (int32_t i = 0; i < jobs; i++)
    check_job(pool, 1 + i % threads, i * 13 % MOST_TASKS);
  pool_close(pool);
}

Test(cpu_pool, does_every_task_once) {
  for (int32_t threads = 1; threads <= 4; threads++)
    check_pool(threads, 300);
}

Test(cpu_pool, works_with_many_more_threads_than_cores) {
  check_pool(MOST_WORKERS, 200);
}

Test(cpu_pool, opens_and_closes_without_work) {
  for (int32_t i = 0; i < 30; i++) {
    struct cpu_pool *pool;
    cr_assert_eq(pool_open(1 + i % 5, &pool), CUSEQ_STATUS_OK);
    pool_close(pool);
  }
  pool_close(NULL);
}

Test(cpu_pool, an_absurd_number_of_threads_is_refused) {
  struct cpu_pool *pool = (struct cpu_pool *)1;
  cr_expect_eq(pool_open(1000000, &pool), CUSEQ_STATUS_INVALID_ARGUMENT);
  cr_expect_null(pool);
  cr_expect(strstr(cuseq_last_error(), "too many threads (found 1000000") != NULL, "%s", cuseq_last_error());
}
