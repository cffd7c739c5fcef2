/* The one session of an instance. It is opened for the largest batch and grows, where requests are longer,
 * have more steps or more beams than any before, up to what the model's parameters allow. */
#ifndef CUSEQ_SERVING_SESSION_H
#define CUSEQ_SERVING_SESSION_H

#include "model.h"

struct served_session {
  const struct served *served;
  char device[DEVICE_NAME];
  bool takes_device; /* it takes arrays in the memory of a GPU                                             */
  cuseq_session *session; /* NULL: the device failed, and the next request opens it again                  */
  int32_t time, steps, beams; /* what it was opened for                                                    */
};

/* Opens the session.
 *   kind, id  of the instance */
TRITONSERVER_Error *served_session_open(struct served_session *session, const struct served *served,
                                        TRITONSERVER_InstanceGroupKind kind, int32_t id);
void served_session_close(struct served_session *session);

/* Makes it fit a call. What is beyond the parameters' limits is left for the library to refuse. */
TRITONSERVER_Error *served_session_fit(struct served_session *session, int32_t time, int32_t steps,
                                       int32_t beams);

/* What a call of the library came to. After a failure of the device the session is closed. */
TRITONSERVER_Error *served_session_result(struct served_session *session, cuseq_status status);

#endif
