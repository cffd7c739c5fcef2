/* An encoder and one step of its decoder, as Keras' users save them for inference: two models. */
#ifndef CUSEQ_KERAS_PAIR_H
#define CUSEQ_KERAS_PAIR_H

#include "convert/keras/evaluate.h"
#include "convert/recognise/recognise.h"

enum { PAIR_MAX_INPUTS = 32 };

/* An input of the step. */
struct pair_input {
  const struct keras_layer *layer;
  struct value value;   /* what the step reads */
  int32_t output;       /* the encoder's output that it begins with, or is; -1: none so far */
  bool token, sequence; /* the token before; the encoder's outputs, position by position */
  bool zeros;           /* it begins with zeros */
  bool linked;          /* the caller says so */
  int32_t after;        /* the step's output that it is at the next step, -1: none */
};

struct keras_pair {
  struct evaluator *evaluator;
  const struct keras_model *encoder, *step;
  const struct value *given; /* [encoder's outputs] */
  const char *links;         /* "INPUT=OUTPUT,...", what the caller says, or NULL */
  struct pair_input inputs[PAIR_MAX_INPUTS];
  int32_t input_count;
};

/* Evaluates the step over what the evaluated encoder gives, and completes a request with it.
 *   values  receives the step's outputs */
cuseq_status keras_pair_evaluate(struct keras_pair *pair, struct recognise_request *request);

/* pair_match.c: which inputs are tokens and sequences; `links` and what fits are taken. */
cuseq_status keras_pair_sort(struct keras_pair *pair);

/* pair_match.c: the encoder's output that a state begins with, once the step is evaluated.
 *   cell  whether it is a cell state rather than a hidden one */
cuseq_status keras_pair_begin(struct keras_pair *pair, struct pair_input *input, bool cell);

#endif
