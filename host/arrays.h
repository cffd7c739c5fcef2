/* Where the arrays of a session's calls lie, told before anything looks into them. */
#ifndef CUSEQ_HOST_ARRAYS_H
#define CUSEQ_HOST_ARRAYS_H

#include "backends/backend.h"

#include <stddef.h>

/* Of one session. A zeroed one knows nothing yet. */
struct arrays {
  const struct backend *backend;
  void *state;
  cuseq_memory memory;
  const char *device;                /* its name, for messages */
  const void *known[BACKEND_ARRAYS]; /* found in host memory in an earlier call, where that is promised */
  bool on_device[BACKEND_ARRAYS];    /* of the coming call */
};

/* Locates the arrays of a call; NULL passes. Returns CUSEQ_STATUS_INVALID_ARGUMENT for one that lies where
 * the session cannot take it, or that is not aligned on the device. */
cuseq_status arrays_of_input(struct arrays *arrays, const cuseq_input *input);
cuseq_status arrays_of_encoding(struct arrays *arrays, const cuseq_encoding *encoding);
cuseq_status arrays_of_decoding(struct arrays *arrays, const cuseq_decoding *decoding);
cuseq_status arrays_of_beam(struct arrays *arrays, const cuseq_beam *beam);
cuseq_status arrays_of_attention(struct arrays *arrays, const float *state, const float *context,
                                 const float *alphas);

#endif
