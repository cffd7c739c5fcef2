/* Attention and decoder of a session: weights and buffers on the device. */
#ifndef CUSEQ_CUDA_DECODER_H
#define CUSEQ_CUDA_DECODER_H

#include "backends/cuda/cuda.h"

/* Buffers of CUDA_DECODER_STEPS; see struct decode_rows. NULL where no call decodes that way. */
struct cuda_decode_steps {
  float *d_gates;   /* [B,S,4] */
  float *d_logits;  /* [B,V] */
  float *d_queries; /* [B,U]; NULL where attention makes them itself */
  int32_t *d_attended, *d_fed_ids;
  float *d_fed;
};

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
  /* what the caller gives */
  float *d_given_h, *d_given_c; /* [B,S] */
  int32_t *d_previous;          /* [B] */
  /* results */
  float *d_contexts, *d_alphas, *d_states, *d_outputs, *d_final_h, *d_final_c;
  int32_t *d_tokens, *d_output_lengths;
  struct cuda_decode_steps steps;
};

/* decode.c: a call's arguments - sizes, the state to start from, where wanted results go: to the caller's arrays on the
 * device, or to buffers - and copies of the results from where they went. Both take attention-only models as well. */
cuseq_status cuda_decode_arguments(struct cuda_session *session, const cuseq_decoding *decoding,
                                   struct decode *decode);
cuseq_status cuda_decode_fetch(struct cuda_session *session, const cuseq_decoding *decoding,
                               const struct decode *decode);

/* decoder_weights.c */
void cuda_decoder_weights_plan(struct cuda_session *session, struct cuda_plan *plan);
cuseq_status cuda_decoder_weights_upload(struct cuda_session *session);

#endif
