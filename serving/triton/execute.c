/* Requests to calls: those that go together are the rows of one call. */
#include "instance.h"

#include <stdlib.h>
#include <time.h>

struct times {
  uint64_t begin, compute, computed;
};

static uint64_t now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

static TRITONSERVER_Error *jobs_reserve(struct instance *instance, uint32_t count) {
  if (count <= instance->capacity)
    return NULL;
  struct job *jobs = realloc(instance->jobs, count * sizeof *jobs);
  if (jobs)
    instance->jobs = jobs;
  struct job **group = realloc(instance->group, count * sizeof(struct job *));
  if (group)
    instance->group = group;
  if (!jobs || !group)
    return fault_memory("requests");
  for (uint32_t i = instance->capacity; i < count; i++)
    jobs[i] = (struct job){0};
  instance->capacity = count;
  return NULL;
}

/* Sends the answer, tells the server how long it took, and gives the request back. */
static void job_finish(struct instance *instance, struct job *job, const struct times *times) {
  bool success = !job->error;
  answer_send(job);
  fault_drop(TRITONBACKEND_ModelInstanceReportStatistics(
      instance->handle, job->request, success, times->begin, times->compute, times->computed, now()));
  fault_drop(TRITONBACKEND_RequestRelease(job->request, TRITONSERVER_REQUEST_RELEASE_ALL));
  job->request = NULL;
}

static void call_answer(struct instance *instance, const struct call *call, const struct times *times) {
  int32_t first = 0;
  for (int32_t i = 0; i < call->count; i++) {
    struct job *job = call->jobs[i];
    int32_t rows = job->rows;
    job->error = answer_fill(job, call, first, instance->served, &instance->answers);
    job_finish(instance, job, times);
    first += rows;
  }
  fault_drop(TRITONBACKEND_ModelInstanceReportBatchStatistics(
      instance->handle, (uint64_t)call->rows, times->begin, times->compute, times->computed, now()));
}

/* Computes a group. Where the call is refused, one of its requests is at fault: each half is tried by itself,
 * so that the one gets its error, with the row counted as it counts, and the others get their answers. What
 * is wrong is found before anything is computed, so that this costs little. */
static void group_run(struct instance *instance, struct job **jobs, int32_t count, uint64_t begin) {
  struct call call = {.jobs = jobs, .count = count};
  struct times times = {.begin = begin, .compute = now()};
  TRITONSERVER_Error *error = call_run(&call, &instance->session, &instance->calls);
  times.computed = now();
  if (!error) {
    call_answer(instance, &call, &times);
  } else if (count == 1) {
    jobs[0]->error = error;
    job_finish(instance, jobs[0], &times);
  } else {
    TRITONSERVER_ErrorDelete(error);
    group_run(instance, jobs, count / 2, begin);
    group_run(instance, jobs + count / 2, count - count / 2, begin);
  }
}

/* The first request that is left, and those behind it that join it, as many rows as the session takes. */
static int32_t group_collect(struct instance *instance, uint32_t from, uint32_t count) {
  struct job *first = &instance->jobs[from];
  int32_t members = 0, rows = 0;
  for (uint32_t i = from; i < count; i++) {
    struct job *job = &instance->jobs[i];
    if (!job->request || (i != from && !job_joins(first, job)) ||
        rows + job->rows > instance->served->max_batch)
      continue;
    instance->group[members++] = job;
    rows += job->rows;
  }
  return members;
}

TRITONSERVER_Error *instance_execute(struct instance *instance, TRITONBACKEND_Request **requests,
                                     uint32_t count) {
  uint64_t begin = now();
  TRY(jobs_reserve(instance, count));
  for (uint32_t i = 0; i < count; i++) {
    struct job *job = &instance->jobs[i];
    job_read(job, requests[i], instance->served);
    if (!job->error)
      job->error = answer_prepare(job, instance->served, instance->session.takes_device);
    if (job->error)
      job_finish(instance, job, &(struct times){begin, begin, begin});
  }
  for (uint32_t i = 0; i < count; i++)
    if (instance->jobs[i].request)
      group_run(instance, instance->group, group_collect(instance, i, count), begin);
  return NULL;
}
