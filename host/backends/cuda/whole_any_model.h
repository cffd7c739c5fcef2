/* The model that one launch walks from the input to the last token (launch_whole.h), made of a lowered
 * structure. */
#ifndef CUSEQ_CUDA_WHOLE_ANY_MODEL_H
#define CUSEQ_CUDA_WHOLE_ANY_MODEL_H

#include "backends/cuda/steps.h"

/* Why a lowered structure does not run in one launch over this many positions of ids or dense rows, in a few
 * words; NULL: it does. Pure. */
const char *whole_any_reason(const struct structure *structure, const struct cuda_shape *shape,
                             const struct launch_device *device);

/* The model of a session whose weights have their places, and what decides where its arrays lie. */
void whole_any_model_make(const struct cuda_session *session, struct whole_any_model *model,
                          struct whole_any_sizes *sizes);

#endif
