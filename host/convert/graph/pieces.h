/* Functions that are linear in two pieces. */
#ifndef CUSEQ_GRAPH_PIECES_H
#define CUSEQ_GRAPH_PIECES_H

#include "convert/graph/expression.h"

/* relu(x) + slope relu(inner x + shift), elementwise. */
struct pieces {
  const void *owner; /* of the matrices, which are made once for each owner; NULL: always new ones */
  float inner, shift;
  const float *slopes; /* one for each element, or NULL: `slope` of all */
  float slope;
};

/* The same as relu of a linear map, and a linear map of that. Refused where an owner's function is applied to
 * vectors of two widths. */
cuseq_status expression_pieces(struct expressions *expressions, const struct pieces *pieces, int32_t child,
                               const struct graph_node *node, int32_t *expression);

#endif
