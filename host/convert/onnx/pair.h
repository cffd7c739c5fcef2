/* An encoder and one step of its decoder, in two files: what of one is what of the other. */
#ifndef CUSEQ_ONNX_PAIR_H
#define CUSEQ_ONNX_PAIR_H

#include "convert/onnx/file.h"

enum { PAIR_MAX = 64 };

/* An input of the step. */
struct step_input {
  struct declared declared;
  int32_t initial; /* the encoder's output that it begins with, or is; -1: none */
  int32_t next;    /* the step's output that it is at the next step; -1: none */
  bool token, mask;
  bool zeros; /* the caller says that it begins with zeros */
  bool bound; /* it is the encoder's output at every step */
  struct tensor tensor;
};

struct pair {
  struct evaluator *encoder, *step;
  const char *links; /* "input=output,...", what the caller says; NULL: nothing */
  struct step_input inputs[PAIR_MAX];
  int32_t input_count;
  struct declared outputs[PAIR_MAX]; /* of the encoder */
  struct tensor output_tensors[PAIR_MAX];
  int32_t output_count;
  struct tensor step_outputs[PAIR_MAX];
  int32_t step_output_count;
  bool is_state[PAIR_MAX]; /* of the step's outputs: it goes on */
  int32_t token;           /* the expression of the token before, -1: none */
};

/* Finds what the step's inputs are and evaluates it. The encoder must have been evaluated. */
cuseq_status pair_evaluate(struct pair *pair);

/* Says what goes on from step to step.
 *   states  [*count] from the step's arena */
cuseq_status pair_states(const struct pair *pair, struct graph_state **states, size_t *count);

#endif
