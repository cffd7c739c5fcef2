/* The part of launch.h, which includes this file, for the decoder loop of any structure in one launch: a
 * block a row, which walks the structure at every step. What launch.h says of pointers, launchers and errors
 * holds here as well.
 *
 * Vectors lie in the block's shared memory; `at` is where, in floats, a multiple of 4. Weights are read from
 * memory at every step: this is for models whose weights stay in the L2 cache. */
#ifndef CUSEQ_KERNELS_LAUNCH_LOOP_H
#define CUSEQ_KERNELS_LAUNCH_LOOP_H

#include "kernels/launch.h"

#ifdef __cplusplus
extern "C" {
#endif

enum {
  LOOP_MOST_LAYERS = 4,
  LOOP_MOST_CHAIN = 8,
  LOOP_MOST_PARTS = 4,
  LOOP_MOST_UNITS = 128,
  LOOP_THREADS = 256
};

/* Vectors that are read side by side. */
struct loop_parts {
  int32_t count;
  struct {
    int32_t at, width;
    int32_t is_token; /* not 0: the token as a one-hot vector, in place of one at `at` */
  } list[LOOP_MOST_PARTS];
};

/* y = activation(x K + k) of parts, to `to`, which is none of them. */
struct loop_dense {
  struct loop_parts reads;
  int32_t units, inputs;
  int32_t transposed;    /* not 0: K lies as [units, inputs] */
  const float *d_kernel; /* NULL: the parts themselves, side by side */
  const float *d_bias;   /* [units] or NULL */
  cuseq_activation activation;
  int32_t to;
};
struct loop_chain {
  int32_t count;
  struct loop_dense layers[LOOP_MOST_CHAIN];
};

/* How a state begins: zeros, or what it takes of the encoder's final states through a dense layer or not. */
struct loop_initial {
  int32_t from_encoder, is_other; /* is_other: as the layer's other state does */
  int32_t takes_c, sums;
  int32_t first,
      first_units; /* units that lie before the first direction's in the final states, and its own */
  int32_t second, second_units; /* 0 units: one direction */
  struct loop_dense dense;      /* units 0: none */
};

struct loop_layer {
  enum cell_form form;
  int32_t units;
  struct loop_parts reads;  /* of the layers below, and the context */
  int32_t below_parts;      /* how many of them are of the layers below */
  const float *d_kernel;    /* [inputs,S,4] as launch_recurrence.h says, each D = 1 */
  const float *d_recurrent; /* [S,S,4] */
  const float *d_candidate; /* [S,S] of GRU_RESET_BEFORE, else NULL */
  const float *d_bias;      /* [S,4] */
  cuseq_activation activation, recurrent_activation;
  int32_t residual;
  int32_t h, c, above; /* where its states lie, and what it gives: h where it is not residual */
  int32_t offset;      /* of its states among all layers' */
  struct loop_initial initial_h, initial_c;
};

/* When attention comes. */
enum loop_attends { LOOP_ATTENDS_NEVER, LOOP_ATTENDS_BEFORE, LOOP_ATTENDS_BEHIND };

/* A decoder's structure; device memory. */
struct loop_model {
  int32_t layers;
  struct loop_layer layer[LOOP_MOST_LAYERS];
  int32_t state_width;
  enum loop_attends attends;
  int32_t asked_layer;          /* LOOP_ATTENDS_BEHIND: the layer after which */
  struct loop_chain query;      /* what asks -> query */
  struct attention_score score; /* general (an inner product) or concat, of queries that are made here */
  int32_t values_width;         /* C */
  const float *d_position_bias; /* or NULL */
  int32_t query_at, energies_at, deep_at, context_at;
  int32_t has_attentional;
  struct loop_dense attentional;
  int32_t attentional_width; /* of the vector that is fed; 0: none */
  int32_t carried_width;     /* of the context that is fed */
  struct loop_chain head;    /* its last layer without bias and activation: these are below */
  const float *d_output_bias;
  cuseq_activation output_activation;
  int32_t outputs, logits_at;
  int32_t reads_token;      /* a token is fed */
  int32_t embedding_units;  /* 0: one-hot */
  const float *d_embedding; /* [V,E] */
  int32_t token_at;
  int32_t start_token, end_token;
  int32_t reset_at, scratch_at[2], partial_at, reduce_at;
  int32_t shared_floats; /* but for the energies, which come last */
};

/* One call; results may be NULL. R rows. */
struct loop {
  const struct loop_model *d_model;
  int64_t shared_floats;              /* as in the model */
  int32_t batch, time, steps;         /* R, T, Y */
  int32_t encoded;                    /* rows that are encoded */
  const int32_t *d_lengths;           /* [encoded] or NULL */
  const int32_t *d_rows;              /* [R] or NULL */
  const float *d_keys, *d_values;     /* [encoded,T,U], [encoded,T,C] */
  const float *d_final_h, *d_final_c; /* the encoder's, [encoded, units] for each direction of each layer */
  const float *d_given_h, *d_given_c; /* [R,S] or NULL */
  const float *d_given_fed;           /* [R,X] or NULL */
  const int32_t *d_previous;          /* [R] or NULL: the start token */
  const int32_t *d_targets, *d_target_lengths; /* [R,Y], [R]; or NULL */
  float *d_contexts, *d_alphas, *d_states, *d_outputs, *d_log_probabilities;
  int32_t *d_tokens, *d_output_lengths;
  float *d_end_h, *d_end_c; /* [R,S] */
  float *d_end_fed;         /* [R,X] */
  struct launch_check check;
};
cuseq_status launch_loop(const struct loop *arguments, const struct launch_stream *stream);

#ifdef __cplusplus
}
#endif

#endif
