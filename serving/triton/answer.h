/* The response to a request. */
#ifndef CUSEQ_SERVING_ANSWER_H
#define CUSEQ_SERVING_ANSWER_H

#include "call.h"

/* What texts are made in. */
struct answer_memory {
  struct room text;   /* of one output                                                                     */
  struct room packed; /* all of a response, as BYTES                                                       */
  struct room probabilities; /* of one head's labels                                                       */
};

void answer_memory_free(struct answer_memory *memory);

/* Makes the response and the buffers of its arrays; TEXT gets its own when it is known.
 *   takes_device  whether the session can write to the memory of a GPU */
TRITONSERVER_Error *answer_prepare(struct job *job, const struct served *served, bool takes_device);

/* Fills the buffers from the call's arrays, where the job's rows begin at `first`. */
TRITONSERVER_Error *answer_fill(struct job *job, const struct call *call, int32_t first,
                                const struct served *served, struct answer_memory *memory);

/* Sends the response, or the job's error, which it frees. The request is still there. */
void answer_send(struct job *job);

#endif
