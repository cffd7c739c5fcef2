/* What is recognised of a graph, and the parts of recognition. */
#ifndef CUSEQ_RECOGNISED_H
#define CUSEQ_RECOGNISED_H

#include "convert/graph/affine.h"
#include "convert/recognise/recognise.h"

enum { RECOGNISE_MAX_LAYERS = 64 };

/* One recognition while it runs. */
struct recogniser {
  const struct recognise_request *request;
  struct expressions *expressions; /* the request's */
  struct arena *arena;             /* theirs */
  struct notes *notes;             /* the request's */
};

struct decoder_step; /* recognise_steps.h */

/* One of the two initial states: zeros, the encoder's final states, or an affine map of those and an activation. */
struct initial_state {
  cuseq_initial_state kind;
  cuseq_activation activation;
  struct affine map; /* of kind dense */
};

struct recognised {
  /* encoder, the layer that reads the input first */
  int32_t encoder_count;
  int32_t encoders[RECOGNISE_MAX_LAYERS];     /* in expressions.layers */
  struct affine fronts[RECOGNISE_MAX_LAYERS]; /* what lies between a layer and the one before it */
  int32_t input;                 /* the expression that the first layer reads through its front */
  int32_t embedding;             /* a matrix, or -1: the input is dense */
  int32_t annotations;           /* the last layer's sequence */
  struct bases final_h, final_c; /* the last layer's final states, forward before backward */
  /* attention */
  cuseq_score score;
  double scale;
  int32_t level_count;
  struct affine levels[CUSEQ_MAX_ATTENTION_LAYERS]; /* score concat and additive: the first takes [A + S] */
  cuseq_activation activations[CUSEQ_MAX_ATTENTION_LAYERS];
  struct affine key, query; /* scores dot and general: both map to the vectors that are multiplied */
  /* the state that attends */
  struct initial_state h, c;
  int32_t state_units;
  /* decoder; steps 0: none */
  int32_t steps;
  struct decoder_step *step_list; /* [steps], one of an attention-only model; in the expressions' arena */
  int32_t cell;                   /* in expressions.cells */
  struct affine cell_input;       /* of the context [A] */
  struct affine output;
  bool softmax;
};

/* The parts. Attention: what lies between the annotations, the state and the energies.
 *   context  the first step's context expression
 *   state    the expression that attends; -1: it is found, in an attention-only model, and stored in *state */
cuseq_status recognise_encoder(struct recogniser *recogniser, int32_t sequence, struct recognised *model);
cuseq_status recognise_attention(struct recogniser *recogniser, int32_t context, struct bases *state,
                                 struct recognised *model);

/* The state that attends first: h, and c where there is a decoder (otherwise -1).
 *   owner  the layer in whose name it is refused */
cuseq_status recognise_states(struct recogniser *recogniser, int32_t h, int32_t c,
                              const struct graph_node *owner, struct recognised *model);

/* Makes the model: folds what lies in front of matrices into them, writes configuration and tensors.
 *   vocabulary  a JSON object or NULL */
cuseq_status emit_model(const struct expressions *expressions, const struct recognised *recognised,
                        const json_t *vocabulary, cuseq_model **model);

#endif
