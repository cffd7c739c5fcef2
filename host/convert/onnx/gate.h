/* The gates of a cell that is written out, and the cell that they make. */
#ifndef CUSEQ_ONNX_GATE_H
#define CUSEQ_ONNX_GATE_H

#include "convert/onnx/linear.h"

/* An activation of a sum of dense maps. */
struct gate {
  cuseq_activation activation;
  struct linear linear;
};

/* What the gates of a cell read: the input and the hidden state before. */
struct sources {
  int32_t list[2];
  int32_t count;
};

/* Whether an expression is an activation; *below receives what it is of. */
bool gate_is_activation(const struct evaluator *evaluator, int32_t expression, int32_t *below);

/* Whether it is a sigmoid of any kind. */
bool gate_is_sigmoid(const struct evaluator *evaluator, int32_t expression);

/* Reads a gate; false where it is none. */
bool gate_read(const struct evaluator *evaluator, int32_t expression, struct gate *gate);

/* Whether a product is of a sigmoid and something else. */
bool gate_times(const struct evaluator *evaluator, int32_t product, int32_t *sigmoid, int32_t *other);

/* Adds what a sum of dense maps reads; false where that is more than two things. */
bool gate_add_sources(const struct linear *linear, struct sources *sources);

/* The kernel over one source of all gates, [rows, count x units]: the source's rows from `first` on. */
cuseq_status gate_make_kernel(struct evaluator *evaluator, const struct node_call *call,
                              const struct gate *gates, int32_t count, int32_t source, int32_t first,
                              int32_t rows, int32_t units, int32_t *matrix);

/* The gates' biases side by side; a gate that is NULL has none. -1: there are none at all. */
cuseq_status gate_make_bias(struct evaluator *evaluator, const struct node_call *call,
                            const struct linear *const *gates, int32_t count, int32_t units, int32_t *matrix);

/* Enters a cell, or finds the equal one, and makes one of its expressions.
 *   children  input, h, and c of an LSTM */
cuseq_status gate_enter_cell(struct evaluator *evaluator, const struct node_call *call,
                             struct recurrent_cell *cell, const int32_t *children, int32_t part,
                             int32_t *expression);

#endif
