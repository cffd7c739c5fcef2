/* An instance of a model: one session, and what its calls are made in. */
#ifndef CUSEQ_SERVING_INSTANCE_H
#define CUSEQ_SERVING_INSTANCE_H

#include "answer.h"

struct instance {
  TRITONBACKEND_ModelInstance *handle;
  const struct served *served;
  struct served_session session;
  struct call_memory calls;
  struct answer_memory answers;
  struct job *jobs; /* of the requests at hand                                                             */
  struct job **group;
  uint32_t capacity; /* of both                                                                            */
};

TRITONSERVER_Error *instance_open(TRITONBACKEND_ModelInstance *handle, struct instance **instance);
void instance_close(struct instance *instance);

/* Answers and releases all requests. An error: none is touched. */
TRITONSERVER_Error *instance_execute(struct instance *instance, TRITONBACKEND_Request **requests,
                                     uint32_t count);

#endif
