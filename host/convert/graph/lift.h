/* What a graph writes out position by position: [f(a[:, i]) for i in range(T)]. */
#ifndef CUSEQ_GRAPH_LIFT_H
#define CUSEQ_GRAPH_LIFT_H

#include "convert/graph/expression.h"

/* Whether an expression is the outputs of a layer, or of a direction by itself, that reads forwards. */
bool expression_reads_forward(const struct expressions *expressions, const struct expression *e);

/* Child at one position of a clock; -1 is the last one. Where the length is known a position is counted from
 * the nearer end. The last output of a layer that reads forwards is its final state, and so is the first one
 * of a layer that reads backwards. */
cuseq_status expression_position(struct expressions *expressions, int32_t clock, int64_t position,
                                 int32_t child, const struct graph_node *node, int32_t *expression);

/* The one expression over a clock that `children` [count] are at its positions, all of them and in their
 * order.
 *   lifted  receives it; -1: they are no such thing
 *   clock   receives the clock */
cuseq_status expression_lift(struct expressions *expressions, const int32_t *children, int32_t count,
                             int32_t *lifted, int32_t *clock);

/* The sequence at whose last position a vector is made, position by position; -1: it is made of something
 * else. */
cuseq_status expression_of_last(struct expressions *expressions, int32_t clock, int32_t vector,
                                int32_t *sequence);

#endif
