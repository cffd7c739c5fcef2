/* One request: what it gives, what it wants, and its answer. */
#ifndef CUSEQ_SERVING_JOB_H
#define CUSEQ_SERVING_JOB_H

#include "model.h"
#include "room.h"

/* An input as the request has it. Of several buffers in host memory one is made. */
struct given {
  const void *data; /* NULL: the request has none                                                          */
  size_t size;      /* bytes                                                                               */
  bool on_device;
  int64_t dims[PORT_RANK + 1]; /* the rows in front                                                        */
};

/* An output that the request wants: where it is written. */
struct taken {
  void *data;
  bool on_device;
};

struct job {
  TRITONBACKEND_Request *request;
  TRITONBACKEND_Response *response; /* NULL: none yet, or it is sent                                       */
  TRITONSERVER_Error *error;        /* what the request is answered with, if anything                      */
  /* in */
  int32_t rows, time, steps; /* B, T, and Y: 0 where there is no decoder                                   */
  cuseq_dtype dtype;
  const void *data;       /* [B,T] ids or [B,T,F]                                                          */
  const int32_t *lengths; /* [B]; NULL: T each                                                             */
  const int32_t *own;     /* [B] how many of a text's positions are its own; NULL without TEXT             */
  const int32_t *targets, *target_lengths, *start;
  const float *numbers; /* [B,Y,G] of GIVEN                                                                */
  struct search search;
  bool truncate;
  bool alone; /* some of its memory is on a device: used as it is, in a call of its own                    */
  /* out */
  unsigned wanted; /* OUTPUT_BIT of each                                                                   */
  struct taken taken[OUTPUT_COUNT];
  /* memory of its own, kept from request to request */
  struct room text, ids, text_lengths, own_lengths, joined[INPUT_COUNT];
  struct given given[INPUT_COUNT];
};

/* Reads a request; job->error receives what is wrong with it. Of the job only its memory is kept. */
void job_read(struct job *job, TRITONBACKEND_Request *request, const struct served *served);

/* Frees the job's own memory. */
void job_free(struct job *job);

/* Whether two jobs may be rows of one call. */
bool job_joins(const struct job *a, const struct job *b);

#endif
