/* The attention and decoder part of launch.h, which includes this file: scores, initial states, one attention
 * step, the whole decoder loop, whole models. What launch.h says of pointers, launchers and errors holds here
 * as well. Weights are in Keras's layout as the model holds them, but for the decoder's cell, which is packed
 * by cell_pack_*(D = 1). */
#ifndef CUSEQ_KERNELS_LAUNCH_ATTENTION_H
#define CUSEQ_KERNELS_LAUNCH_ATTENTION_H

#include "kernels/launch_recurrence.h"

#ifdef __cplusplus
extern "C" {
#endif

/* How energies are made. U is the keys' width: units[0] (concat), additive_units, S (general), A (dot).
 * Weights need 4-byte alignment only, so that d_query of score concat is d_key + A * units[0]. */
struct attention_score {
  cuseq_score score;
  float scale;
  int32_t annotation_width; /* A                                                                            */
  int32_t state_units;      /* S                                                                            */
  int32_t layers;           /* concat: n, 1..CUSEQ_MAX_ATTENTION_LAYERS                                     */
  int32_t units[CUSEQ_MAX_ATTENTION_LAYERS]; /* concat; the last is 1                                       */
  cuseq_activation activation[CUSEQ_MAX_ATTENTION_LAYERS];
  int32_t additive_units;
  const float
      *d_key; /* [A,U] concat: the first A rows of layer 0's kernel; additive: key; general: general */
  const float
      *d_key_bias;      /* [U] concat: layer 0's bias; additive: bias, may be NULL; otherwise NULL        */
  const float *d_query; /* [S,U] concat: the last S rows of layer 0's kernel; additive: query            */
  const float *d_value; /* [U] additive                                                                  */
  const float *d_kernel[CUSEQ_MAX_ATTENTION_LAYERS]; /* concat: layer l >= 1 [units[l-1],units[l]]          */
  const float *d_bias[CUSEQ_MAX_ATTENTION_LAYERS];   /* concat: layer l >= 1 [units[l]], or NULL            */
};

/* U; A for score dot, whose keys are the annotations themselves. */
int32_t attention_score_key_width(const struct attention_score *score);

/* What does not change from step to step, once per sequence: keys = annotations K_a + bias (general:
 * annotations G). Not for score dot. Any B, T, A, U; positions at t >= a row's length may hold anything
 * finite.
 *   d_annotations [B,T,A]; d_keys [B,T,U]; 4-byte aligned */
struct attention_keys {
  struct attention_score score;
  int32_t batch, time;
  const float *d_annotations;
  float *d_keys;
  cuseq_precision precision; /* of wide keys, where there are tensor cores; narrow ones are float32's */
};
cuseq_status launch_attention_keys(const struct attention_keys *arguments,
                                   const struct launch_stream *stream);

/* The state before the first step. The caller's, where d_given_h is not NULL; else by `kind`. */
struct initial_state {
  cuseq_initial_state kind;
  cuseq_activation
      activation;            /* of the dense layers                                                        */
  int32_t directions, units; /* D, H of the encoder; kind encoder needs S = D * H                          */
  int32_t state_units;       /* S                                                                          */
  const float *d_given_h;    /* [B,S] or NULL                                                              */
  const float *d_given_c;    /* [B,S] or NULL (then c is 0 where d_given_h is given)                       */
  const float *d_final_h;    /* [D,B,H] the last layer's, as sequence writes them; kinds encoder, dense */
  const float *d_final_c;
  const float *d_kernel_h,
      *d_bias_h; /* kind dense: [D*H,S], [S]                                            */
  const float *d_kernel_c,
      *d_bias_c; /* the same; NULL where c is not wanted                                */
};

/* One attention step, one launch: energies, softmax over t < length, context.
 *   d_annotations [B,T,A]; d_keys [B,T,U] (score dot: not looked at)
 *   d_values      [B,T,values_width] what the context is a sum of; NULL: the annotations, and values_width is
 *                 A or 0
 *   d_rows        [B] which row of annotations, keys and values each row attends to; NULL: its own
 *   heads         N, of inner products, score general; 0 is 1. Keys, queries and values are cut into N equal
 *                 parts, each of which attends by itself: `score` and `start` have the width of one part, and
 *                 U and values_width are those of all. Row b's head n is row b N + n of start and d_alphas
 *   d_position_bias  [T] added to the energies, behind the scale; NULL: none
 *   d_lengths     [B] each 0..T, or NULL: all T; a row of length 0 has alphas and context 0
 *   start         the state that attends (give d_given_h = the decoder's previous hidden state)
 *   d_alphas      row b at d_alphas + b * alphas_stride, T of them, 0 at t >= length; may be NULL
 *   d_context     row b at d_context + b * context_stride, A (of values: values_width) of them; may be NULL
 *   d_workspace   attend_workspace_bytes(), 256-byte aligned, of this stream and of attend alone. Zeroed
 *                 once, when it is made; every launch leaves it ready for the next one on the same stream,
 *                 whatever its sizes. NULL where 0
 * T up to 512 is a block a row; beyond, a block for every 512 positions of a row, and B at most 65536. */
struct attend {
  struct attention_score score;
  struct initial_state start;
  int32_t batch, time;
  const int32_t *d_lengths;
  const float *d_annotations;
  const float *d_keys;
  const float
      *d_queries; /* [B,U] s K_s, where a product made it ahead (scores concat, additive); NULL: made here */
  const float *d_values;
  int32_t values_width;
  int32_t heads;
  const int32_t *d_rows;
  const float *d_position_bias;
  float *d_alphas;
  int64_t alphas_stride;
  float *d_context;
  int64_t context_stride;
  void *d_workspace;
  struct launch_check check; /* of energies and context */
};
/* Looks at the score's sizes, values' width, batch and time only; the most for all batches and times up to
 * those given is what it gives for the largest. */
size_t attend_workspace_bytes(const struct attend *arguments, const struct launch_device *device);
cuseq_status launch_attend(const struct attend *arguments, const struct launch_stream *stream);

/* The second half of an attention step alone: context = sum_t alphas[t] a[t] over t < length, for callers
 * whose weights are there (launch_attend with d_context NULL is the first half: energies and softmax). Any B,
 * T, A; a row of length 0 has context 0.
 *   heads      N; 0 is 1. Columns of A are cut into N equal parts; part n of row b: row b N + n of d_alphas
 *   d_lengths  [B] each 0..T, or NULL: all T
 *   d_alphas   row b at d_alphas + b * alphas_stride; not looked at where t >= length
 *   d_context  row b at d_context + b * context_stride, A of them */
struct attention_context {
  int32_t batch, time, annotation_width, heads;
  const int32_t *d_lengths;
  const int32_t *d_rows;      /* [B] which row of the annotations each row attends to; NULL: its own */
  const float *d_annotations; /* [B,T,A] */
  const float *d_alphas;
  int64_t alphas_stride;
  float *d_context;
  int64_t context_stride;
  struct launch_check check; /* of the context */
};
cuseq_status launch_attention_context(const struct attention_context *arguments,
                                      const struct launch_stream *stream);

/* The mean of a row's heads. Any B, T, N.
 *   d_of_heads  [B,N,T]
 *   d_alphas    row b at d_alphas + b * alphas_stride, T of them */
struct attention_mean {
  int32_t batch, time, heads;
  const float *d_of_heads;
  float *d_alphas;
  int64_t alphas_stride;
};
cuseq_status launch_attention_mean(const struct attention_mean *arguments,
                                   const struct launch_stream *stream);

/* The whole decoder loop, all steps of all rows, any S, A, T, V, Y: one launch.
 * Outputs, each may be NULL, 4-byte aligned, as in cuseq_decoding. */
struct decode {
  struct attention_score score;
  struct initial_state start;
  int32_t batch, time, steps; /* B, T, Y                                                                    */
  const int32_t *d_lengths;   /* [B] or NULL: all T                                                         */
  const float *d_annotations; /* [B,T,A]                                                                    */
  const float *d_keys;        /* [B,T,U]; score dot: not looked at                                          */
  cuseq_activation activation, recurrent_activation;
  cuseq_feedback feedback;
  int32_t embedding_units;  /* E; 0: one-hot feedback                                                       */
  const float *d_embedding; /* [V,E] or NULL                                                                */
  const float *d_kernel;    /* [A + (feedback: E, or V where E is 0), S, 4]: cell_pack_kernel, D = 1        */
  const float *d_recurrent; /* [S,S,4]: cell_pack_recurrent, d = 0                                          */
  const float *d_bias;      /* [S,4]: cell_pack_bias, d = 0                                                 */
  int32_t outputs;          /* V                                                                            */
  cuseq_activation output_activation; /* softmax, linear                                                    */
  const float *d_output_kernel;       /* [S,V]                                                              */
  const float *d_output_bias;         /* [V]                                                                */
  const int32_t *d_previous;          /* [B] tokens before the first step; NULL: start_token                */
  int32_t start_token;                /* looked at with feedback where d_previous is NULL                   */
  int32_t end_token;                  /* -1: none                                                           */
  float *d_contexts;                  /* [B,Y,A]                                                            */
  float *d_alphas;                    /* [B,Y,T]                                                            */
  float *d_states;                    /* [B,Y,S]                                                            */
  float *d_outputs;                   /* [B,Y,V]                                                            */
  int32_t *d_tokens;                  /* [B,Y]                                                              */
  int32_t *d_output_lengths;          /* [B]                                                                */
  float *d_final_h, *d_final_c;       /* [B,S]                                                              */
  void *d_workspace;                  /* decode_workspace_bytes(), 256-byte aligned; NULL where 0           */
  struct launch_check check;          /* of energies, contexts, states, outputs                             */
};
/* Why a decoder's step does not run with its weights in registers, as those of small models do: what it would
 * need, static text that goes on after "needs"; NULL: it does. Looks at sizes, activations and the score:
 * never at T or B, as the sums of the two ways are in other orders. Pure. */
enum { DECODE_SMALL_STATE = 64, DECODE_SMALL_INPUTS = 64, DECODE_SMALL_KEYS = 16, DECODE_SMALL_CLASSES = 32 };
const char *decode_small_fault(const struct decode *arguments);

/* Looks at sizes only, as attend_workspace_bytes(). */
size_t decode_workspace_bytes(const struct decode *arguments, const struct launch_device *device);
cuseq_status launch_decode(const struct decode *arguments, const struct launch_stream *stream);

/* Encoder, keys, and attention or the whole decoder loop of a small model: one launch, a block per row.
 *   encoder      as in launch_sequence with d_ids or d_x, of the first layer; d_output[0] receives the
 *                annotations [B,T,A] and may be NULL, as may d_final_h and d_final_c; d_initial_* and
 *                d_final_* are [layers,D,B,H]; mapping, d_order, d_output[1], leading, d_projected and
 *                d_workspace are not looked at
 *   layers       1..WHOLE_MODEL_LAYERS_MOST; above[l - 1]: layer l's weights, packed as launch.h says, kernel
 *                [A,D,H,4]
 *   merge        looked at where D = 2
 *   decode       as in launch_decode; d_annotations, d_keys, start.d_final_*, batch, time, d_lengths are not
 *                looked at: they are the encoder's. Attention-only models: outputs (V) is 0 and only score,
 *                start, d_contexts, d_alphas matter */
enum { WHOLE_MODEL_LAYERS_MOST = 4 };
struct whole_layer {
  const float *d_kernel, *d_recurrent, *d_bias;
};
struct whole_model {
  struct sequence encoder;
  int32_t layers;
  struct whole_layer above[WHOLE_MODEL_LAYERS_MOST - 1];
  cuseq_merge merge;
  struct decode decode;
};
/* Whether a model of these sizes runs in one launch on the device: H <= 64, S <= 128, T <= 512, at most
 * WHOLE_MODEL_LAYERS_MOST layers, and annotations, keys and a few steps' x W have room in a block's shared
 * memory. Looks at sizes and at which of d_ids and d_x is given. */
int32_t whole_model_possible(const struct whole_model *arguments, const struct launch_device *device);
cuseq_status launch_whole_model(const struct whole_model *arguments, const struct launch_stream *stream);

#ifdef __cplusplus
}
#endif

#endif
