/* One call of the library for the rows of one request or of several. */
#ifndef CUSEQ_SERVING_CALL_H
#define CUSEQ_SERVING_CALL_H

#include "job.h"
#include "session.h"

struct call {
  struct job **jobs;
  int32_t count;
  int32_t rows, time, steps;  /* B, the largest T, and Y                                                    */
  unsigned wanted;            /* what any of the jobs wants, and what TEXT and SCORES are made of           */
  void *arrays[OUTPUT_COUNT]; /* where the results lie: [B, ...] of the call's sizes; NULL: not computed   */
};

/* What an instance keeps for its calls. */
struct call_memory {
  struct room data, lengths, targets, target_lengths, start, numbers;
  struct room outputs[OUTPUT_COUNT];
};

void call_memory_free(struct call_memory *memory);

/* Gathers the jobs' rows and computes. One that is alone is computed where it lies, into its own buffers. */
TRITONSERVER_Error *call_run(struct call *call, struct served_session *session, struct call_memory *memory);

/* How many an axis has, of a call or of a job with such sizes.
 *   best  N of a beam search, or 1 */
int32_t axis_size(int32_t axis, int32_t time, int32_t steps, int32_t best);

/* N of a job: how many hypotheses come out. */
int32_t job_best(const struct job *job);

#endif
