/* The decoder loop of any structure that is small enough, in one launch. */
#ifndef CUSEQ_CUDA_LOOP_H
#define CUSEQ_CUDA_LOOP_H

#include "backends/cuda/steps.h"

/* Why a decoder of a lowered structure does not run in one launch over this many positions, in a few words;
 * NULL: it does. Pure. */
const char *cuda_loop_reason(const struct structure *structure, int32_t time,
                             const struct launch_device *device);

/* Whether what is forced of the decoder can run every call of a session with this many positions at most; an
 * error says what cannot. For models of version 2. */
cuseq_status cuda_loop_check(const struct structure *structure, int32_t time,
                             const struct launch_device *device, const struct cuda_forced *forced);

/* Gives the model of the loop a place; copies it once the weights have theirs. Nothing where no call decodes
 * so. */
void cuda_loop_plan(struct cuda_session *session, struct cuda_plan *plan);
cuseq_status cuda_loop_upload(struct cuda_session *session);
/* Whether a call over the positions that are encoded decodes so. */
bool cuda_loop_chosen(const struct cuda_session *session, int32_t time);
/* What a decoding that has been brought to the device asks for, but for the model and what is encoded;
 * `made`: where each of its results goes. */
void cuda_loop_arguments(const struct cuda_session *session, const cuseq_decoding *decoding,
                         const struct cuda_stepping *stepping, void *made[BACKEND_ARRAYS], struct loop *loop);
/* Queues a decoding that has been brought to the device, and copies of its results. */
cuseq_status cuda_loop_queue(struct cuda_session *session, const cuseq_decoding *decoding,
                             const struct cuda_stepping *stepping);

#endif
