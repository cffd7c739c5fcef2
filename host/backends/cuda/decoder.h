/* Attention and decoder of models of version 1 as one launch each: weights on the device. */
#ifndef CUSEQ_CUDA_DECODER_H
#define CUSEQ_CUDA_DECODER_H

#include "backends/cuda/cuda.h"

struct cuda_decoder {
  /* What every call's arguments begin with: sizes and weights filled in once, at opening. */
  struct decode decode;
  float *d_keys;                        /* [B,T,U]; NULL for score dot */
  bool keys_made;                       /* of what is encoded: a whole model in one launch leaves none */
  void *d_workspace, *d_loop_workspace; /* of the attention step, of the decoder loop */
  /* weights, as struct decode names them */
  float *d_key, *d_key_bias, *d_query, *d_value;
  float *d_layer_kernel[CUSEQ_MAX_ATTENTION_LAYERS], *d_layer_bias[CUSEQ_MAX_ATTENTION_LAYERS];
  float *d_initial_kernel[2], *d_initial_bias[2]; /* h, c */
  float *d_kernel, *d_recurrent, *d_bias, *d_embedding, *d_output_kernel, *d_output_bias;
};

/* Whether one launch can give all that a decoding asks for: no rows, no targets, no log-probabilities. */
bool cuda_decodes_fused(const cuseq_decoding *decoding);

/* decode.c: the arguments of a call that has been brought to the device: sizes, the state to start from, where wanted results
 * go. */
void cuda_decode_arguments(const struct cuda_session *session, const cuseq_decoding *decoding,
                           struct decode *decode);
/* Copies of the results from where they went. Takes attention-only models as well. */
cuseq_status cuda_decode_fetch(struct cuda_session *session, const cuseq_decoding *decoding,
                               const struct decode *decode);

/* decoder_weights.c */
void cuda_decoder_weights_plan(struct cuda_session *session, struct cuda_plan *plan);
cuseq_status cuda_decoder_weights_upload(struct cuda_session *session);

#endif
