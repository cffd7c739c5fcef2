/* Attention and decoder of models of version 1 as one launch each, with kernels of their own. */
#ifndef CUSEQ_CUDA_DECODER_H
#define CUSEQ_CUDA_DECODER_H

#include "backends/cuda/cuda.h"

struct cuda_decoder {
  /* What every call's arguments begin with: sizes and weights filled in once, at opening. */
  struct decode decode;
  void *d_workspace, *d_loop_workspace; /* of the attention step, of the decoder loop */
};

/* Whether one launch can give all that a decoding asks for: no rows, no targets, no log-probabilities. */
bool cuda_decodes_fused(const cuseq_decoding *decoding);

/* decode.c: the arguments of a call that has been brought to the device: sizes, the state to start from,
 * where wanted results go. */
void cuda_decode_arguments(const struct cuda_session *session, const cuseq_decoding *decoding,
                           struct decode *decode);
/* Copies of the results from where they went. Takes attention-only models as well. */
cuseq_status cuda_decode_fetch(struct cuda_session *session, const cuseq_decoding *decoding,
                               const struct decode *decode);

/* decoder_weights.c: where the weights of the session's structure lie. */
void cuda_decoder_weights_fill(const struct cuda_session *session, struct decode *decode);

#endif
