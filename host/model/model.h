/* A model: configuration, weights, vocabulary; immutable once made, counted references. What sessions share
 * is kept beside it: see part.h. */
#ifndef CUSEQ_MODEL_MODEL_H
#define CUSEQ_MODEL_MODEL_H

#include "cuseq/cuseq.h"
#include "model/lower.h"
#include "model/structure.h"
#include "model/vocabulary.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

/* One direction of one encoder layer, or the decoder's cell. `inputs` is the width of what the kernel takes.
 */
struct lstm_weights {
  const float *kernel;           /* [inputs,4H], gates i, f, c, o                                         */
  const float *recurrent_kernel; /* [H,4H]                                                                */
  const float *bias;             /* [4H]                                                                  */
  int32_t inputs;
  int32_t units;
};

/* A dense layer: y = x kernel + bias. */
struct dense_weights {
  const float *kernel; /* [inputs,units]                                                                  */
  const float *bias;   /* [units], NULL where the layer has none                                          */
  int32_t inputs;
  int32_t units;
};

struct model_part;

enum { MODEL_MAX_LAYERS = 64 };

struct attention_weights {
  struct dense_weights layers[CUSEQ_MAX_ATTENTION_LAYERS]; /* score concat; layers[0]: rows of A, then of S */
  const float *key;     /* score additive: [A,u]                                                          */
  const float *query;   /* score additive: [S,u]                                                          */
  const float *value;   /* score additive: [u]                                                            */
  const float *bias;    /* score additive: [u] or NULL                                                    */
  const float *general; /* score general: [A,S]                                                           */
};

struct model_weights {
  struct lstm_weights encoder[MODEL_MAX_LAYERS][2]; /* [layer][0 forward, 1 backward]                      */
  struct attention_weights attention;
  struct dense_weights initial_h; /* initial_state dense; kernel NULL otherwise                            */
  struct dense_weights initial_c; /* the same; kernel NULL in an attention-only model                      */
  struct lstm_weights decoder;    /* kernel NULL in an attention-only model                                */
  const float *embedding;         /* [V,E] or NULL                                                         */
  struct dense_weights output;    /* kernel NULL in an attention-only model                                */
};

struct cuseq_model {
  atomic_int references;
  int32_t version; /* of the format: 1 or 2 */
  cuseq_config config;
  struct vocabulary vocabulary;
  struct structure structure; /* as configured; its weights are views into storage */
  struct structure lowered;   /* as backends run it */
  struct lowered_storage lowered_storage;
  struct model_weights weights; /* of version 1: views into storage */
  char *json;
  cuseq_tensor *tensors; /* [tensor_count], F32, in the format's order; data in storage                    */
  size_t tensor_count;
  float *storage;
  char *names;
  pthread_mutex_t parts_lock;
  struct model_part *parts; /* in use */
};

/* The number of directions, D. */
static inline int32_t config_directions(const cuseq_config *config) {
  return config->direction == CUSEQ_DIRECTION_BIDIRECTIONAL ? 2 : 1;
}

/* The width of the encoder's final state, forward and backward side by side. */
static inline int32_t config_final_width(const cuseq_config *config) {
  return config->units * config_directions(config);
}

/* The width of the decoder cell's input: the context, and what is fed back. */
static inline int32_t config_decoder_inputs(const cuseq_config *config) {
  int32_t fed_back = config->embedding_units > 0 ? config->embedding_units : config->outputs;
  return config->annotation_width + (config->feedback == CUSEQ_FEEDBACK_OUTPUT ? fed_back : 0);
}

/* One more, or one fewer, reference; the last one frees. */
cuseq_model *model_retain(const cuseq_model *model);
void model_release(cuseq_model *model);

#endif
