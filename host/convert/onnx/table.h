/* Tables of expressions: making them, lining two of them up, taking parts. */
#ifndef CUSEQ_ONNX_TABLE_H
#define CUSEQ_ONNX_TABLE_H

#include "convert/onnx/evaluate.h"

/* A table with these axes and room for its expressions, all -1. */
cuseq_status table_make(struct evaluator *evaluator, const struct node_call *call,
                        const struct tensor_axis *axes, int32_t axis_count, struct tensor *table,
                        int32_t **cells);

/* Width of its expressions. */
int32_t table_width(const struct evaluator *evaluator, const struct tensor *table);

/* The axis of a vector's elements: one entry where its width is 1. */
struct tensor_axis table_feature_axis(int32_t width);

/* Lines two tensors with axes up as elementwise operations do: the axes of the result, and for each of its
 * cells the cell of the first and of the second that meet in it. The result's cells are the caller's to fill
 * in. */
cuseq_status table_broadcast(struct evaluator *evaluator, const struct node_call *call,
                             const struct tensor *first, const struct tensor *second, struct tensor *result,
                             int32_t **cells, int32_t **from_first, int32_t **from_second);

/* A constant as a table whose axes line up with those of `like` from the last on. */
cuseq_status table_of_constant(struct evaluator *evaluator, const struct node_call *call,
                               const struct tensor *constant, const struct tensor *like,
                               struct tensor *table);

/* The entries `list` of a stacked axis, in that order. */
cuseq_status table_select(struct evaluator *evaluator, const struct node_call *call,
                          const struct tensor *tensor, int32_t axis, const int64_t *list, int32_t count,
                          struct tensor *result);

/* A permutation of the axes: axis i of the result is axis permutation[i]. */
cuseq_status table_permute(struct evaluator *evaluator, const struct node_call *call,
                           const struct tensor *tensor, const int32_t *permutation, struct tensor *result);

/* Makes a stacked axis of numbers the features of vectors, side by side. */
cuseq_status table_stack_to_features(struct evaluator *evaluator, const struct node_call *call,
                                     const struct tensor *tensor, int32_t axis, struct tensor *result);

/* Refuses a table whose energies are masked, which but a softmax nothing may read. */
cuseq_status table_unmasked(const struct node_call *call, const struct tensor *tensor);

/* One number everywhere as a table, by its shape alone: rows, positions, and features last. */
cuseq_status table_of_fill(struct evaluator *evaluator, const struct node_call *call,
                           const struct tensor *fill, struct tensor *table);

#endif
