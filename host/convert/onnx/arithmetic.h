/* Sums and products of expressions and constants, as simple as they come out. */
#ifndef CUSEQ_ONNX_ARITHMETIC_H
#define CUSEQ_ONNX_ARITHMETIC_H

#include "convert/onnx/numbers.h"

/* A vector of constants: EXPRESSION_CONSTANT, or EXPRESSION_ZEROS. */
cuseq_status constant_expression(struct evaluator *evaluator, const struct node_call *call,
                                 const struct numbers *numbers, const struct layout *layout,
                                 int32_t *expression);

/* The constant's elements; false of what is no constant. One that is zeros has data NULL. */
bool expression_constant(const struct evaluator *evaluator, int32_t expression, const float **data);

/* Vectors side by side. */
cuseq_status expression_concat(struct evaluator *evaluator, const struct node_call *call,
                               const int32_t *parts, int32_t count, int32_t *expression);

/* A sum, a product, a multiple, elementwise; a vector of one element is added to, or multiplied with, every
 * one. */
cuseq_status expression_sum(struct evaluator *evaluator, const struct node_call *call, int32_t a, int32_t b,
                            int32_t *expression);
cuseq_status expression_product(struct evaluator *evaluator, const struct node_call *call, int32_t a,
                                int32_t b, int32_t *expression);
cuseq_status expression_scaled(struct evaluator *evaluator, const struct node_call *call, double factor,
                               int32_t a, int32_t *expression);

/* The sum of a vector's elements, times a factor: an inner product where it is a product of two vectors. */
cuseq_status expression_total(struct evaluator *evaluator, const struct node_call *call, double factor,
                              int32_t a, int32_t *expression);

/* The inner product of two vectors. */
cuseq_status expression_inner(struct evaluator *evaluator, const struct node_call *call, int32_t a, int32_t b,
                              int32_t *expression);

/* The sum over the positions of a sequence times weights, which one of both must be: a softmax over the
 * positions. */
cuseq_status context_expression(struct evaluator *evaluator, const struct node_call *call, int32_t clock,
                                int32_t a, int32_t b, int32_t *expression);

#endif
