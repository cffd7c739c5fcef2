/* Walks a graph from its outputs and gives every tensor its value. */
#ifndef CUSEQ_KERAS_EVALUATE_H
#define CUSEQ_KERAS_EVALUATE_H

#include "convert/graph/notes.h"
#include "convert/graph/value.h"
#include "convert/keras/own_activations.h"
#include "convert/keras/weights.h"

struct evaluator {
  struct expressions expressions;
  struct arena *arena;
  struct weights_source weights;
  struct keras_version version;
  struct own_activations *own; /* what the user says of the author's functions; NULL: nothing */
  const struct keras_model *model;
  struct notes notes;
  int32_t token;        /* of a decoder's step, the token that it reads, one a row; otherwise -1 */
  int depth;            /* of models within models */
  size_t calls;         /* that were run */
  size_t made_elements; /* of the vectors that made.c made */
};

/* One call of a layer while it is evaluated. */
struct layer_call {
  const struct keras_layer *layer;
  const struct graph_call *call;
  struct value *inputs; /* the tensors among its arguments, in order */
  size_t input_count;
  struct value *states; /* those of initial_state */
  size_t state_count;
  bool without_mask; /* Keras does not use the mask that its input has */
  struct value *outputs;
  size_t output_count, output_capacity;
};

/* Evaluates the model's outputs: values receives as many as it has, from the arena. */
cuseq_status evaluate_model(struct evaluator *evaluator, struct value **values);

/* The same of a model whose inputs are at hand.
 *   bound  [inputs] their values */
cuseq_status evaluate_bound(struct evaluator *evaluator, const struct value *bound, struct value **values);

/* Runs one layer, or a model as one (layers.c): reads inputs and states, makes outputs with call_output. */
cuseq_status layer_evaluate(struct evaluator *evaluator, struct layer_call *call);

/* Evaluates a model that is used as a layer on the call's inputs. */
cuseq_status evaluate_inner(struct evaluator *evaluator, struct layer_call *call);

/* Adds an output to a call. */
cuseq_status call_output(struct evaluator *evaluator, struct layer_call *call, const struct value *value);

#endif
