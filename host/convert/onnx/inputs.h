/* What the inputs of a graph are: token ids, features, lengths, masks, states. */
#ifndef CUSEQ_ONNX_INPUTS_H
#define CUSEQ_ONNX_INPUTS_H

#include "convert/onnx/evaluate.h"

/* An input as the file declares it. */
struct declared {
  const char *name;
  int32_t type; /* ONNX's number of its elements' type */
  int32_t rank;
  int64_t dims[TENSOR_MAX_AXES];        /* -1: any */
  const char *symbols[TENSOR_MAX_AXES]; /* what a size that may be any is called, "" where it has no name */
};

/* Reads what the file says of an input or output. An output's shape is often not said: rank -1. */
cuseq_status declared_read(const OnnxFile__ValueInfo *info, struct declared *declared);

/* The inputs of a graph that are no weights. */
cuseq_status declared_inputs(struct evaluator *evaluator, struct declared **list, size_t *count);

/* Whether the file suggests that positions come before rows in its sequence, by the names of the sizes. */
bool inputs_time_first(const struct declared *list, size_t count);

/* Gives every input of a graph that stands alone its meaning; anew when it is called again. */
cuseq_status inputs_give(struct evaluator *evaluator, const struct declared *list, size_t count);

/* Gives one input a meaning. */
cuseq_status input_bind(struct evaluator *evaluator, const char *name, const struct tensor *tensor);

/* A node for messages about an input, which lives as long as the expressions. */
cuseq_status input_node(struct evaluator *evaluator, const char *name, const struct graph_node **node);

/* A new input of the model, without positions or over the evaluator's clock: an expression.
 *   name  of the input in its file */
cuseq_status input_expression(struct evaluator *evaluator, const char *name, bool timed, int32_t width,
                              int32_t *expression);

/* Whether the words of a name say so: "mask", "padding". */
bool input_is_called_mask(const char *name);

/* The meaning of an input that is a mask, over these axes: 1 within the rows, or where it is called after the
 * padding, 1 beyond them. Where the graph uses it the other way round it is refused. */
cuseq_status input_bind_mask(struct evaluator *evaluator, const char *name, const struct tensor_axis *axes);

/* Whether all that reads a tensor makes whole numbers of it, through further casts or not. */
bool inputs_become_integers(const OnnxFile__Graph *graph, const char *name);

#endif
