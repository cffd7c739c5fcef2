/* The decoder step by step, CUDA_DECODER_STEPS. */
#ifndef CUSEQ_CUDA_DECODE_GRAPH_H
#define CUSEQ_CUDA_DECODE_GRAPH_H

#include "backends/cuda/decoder.h"

/* Adds the buffers that the steps need beside the session's results. */
void cuda_decode_steps_plan(struct cuda_session *session, struct cuda_plan *plan);
/* Queues the whole loop as launch_decode does, one launch, results included: what `decode` wants elsewhere than in the session's
 * own buffers is copied there on the device. */
cuseq_status cuda_decode_steps_queue(struct cuda_session *session, const struct decode *decode);

#endif
