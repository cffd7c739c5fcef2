#include "convert/graph/pieces.h"
#include "error.h"

/* relu(x B + b) C: matrices of width n that become [n, 2n] and [2n, n], of each element two numbers, and
 * their sum. */
static cuseq_status piece_matrices(struct expressions *expressions, const struct pieces *pieces,
                                   int32_t width, const struct graph_node *node, int32_t *into, int32_t *bias,
                                   int32_t *out) {
  const size_t n = (size_t)width;
  bool found;
  TRY(matrix_make(expressions, pieces->owner, 1, width, 2 * (int64_t)width, into, &found));
  if (found && expressions->matrices[*into].rows != width)
    return node_refuse(node, "it is applied to vectors of two widths");
  TRY(matrix_make(expressions, pieces->owner, 2, 1, 2 * (int64_t)width, bias, &found));
  TRY(matrix_make(expressions, pieces->owner, 3, 2 * (int64_t)width, width, out, &found));
  for (size_t u = 0; !found && u < n; u++) {
    expressions->matrices[*into].data[u * 2 * n + u] = 1;
    expressions->matrices[*into].data[u * 2 * n + n + u] = pieces->inner;
    expressions->matrices[*bias].data[n + u] = pieces->shift;
    expressions->matrices[*out].data[u * n + u] = 1;
    expressions->matrices[*out].data[(n + u) * n + u] =
        pieces->slopes != NULL ? pieces->slopes[u] : pieces->slope;
  }
  return CUSEQ_STATUS_OK;
}

cuseq_status expression_pieces(struct expressions *expressions, const struct pieces *pieces, int32_t child,
                               const struct graph_node *node, int32_t *expression) {
  int32_t into = -1, bias = -1, out = -1;
  TRY(piece_matrices(expressions, pieces, expression_at(expressions, child)->width, node, &into, &bias,
                     &out));
  TRY(expression_dense(expressions, child, into, pieces->shift != 0 ? bias : -1, node, expression));
  TRY(expression_unary(expressions, EXPRESSION_ACTIVATION, CUSEQ_ACTIVATION_RELU, *expression, node,
                       expression));
  return expression_dense(expressions, *expression, out, -1, node, expression);
}
