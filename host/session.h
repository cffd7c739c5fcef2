/* What a session is, for the files that make up its calls. */
#ifndef CUSEQ_HOST_SESSION_H
#define CUSEQ_HOST_SESSION_H

#include "arrays.h"
#include "beam.h"
#include "decoding.h"

#include <stdbool.h>

struct cuseq_session {
  cuseq_model *model;
  const struct backend *backend;
  void *state;
  struct backend_limits limits;
  bool allow_nonfinite;
  char device[32];
  struct arrays arrays;
  int32_t *ids; /* [limits.batch, limits.time] */
  float *rows;  /* [limits.batch, limits.time, width] of looked up columns; NULL: the model has none */
  int32_t
      *start_tokens; /* [limits.batch x limits.beams]; NULL without feedback, or where the backend knows it */
  struct beams beams;  /* memory of searches */
  int32_t batch, time; /* of what is encoded; 0: nothing is */
  bool failed;         /* the device failed: no more work is done */
  char failure[1024];  /* with this text, the first one; kept here, as memory may be what failed */
};

/* Refuses a session that is NULL or whose device failed, and one in which nothing is encoded. */
cuseq_status session_check_encoded(const cuseq_session *session, const char *call);

/* Remembers the first failure of the device, after which a session does no more work; returns `status`. */
cuseq_status session_result(cuseq_session *session, cuseq_status status);

#endif
