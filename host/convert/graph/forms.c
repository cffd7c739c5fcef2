/* Short forms of expression_make. */
#include "convert/graph/expression.h"
#include "error.h"

cuseq_status expression_unary(struct expressions *expressions, enum expression_op op, int32_t part,
                              int32_t child, const struct graph_node *node, int32_t *expression) {
  int32_t children[2] = {child, -1}; /* two, for compilers that look at what other operations read */
  struct expression made = {
      .op = op, .part = part, .matrix = -1, .bias = -1, .node = node, .child_count = 1, .children = children};
  return expression_make(expressions, &made, expression);
}

cuseq_status expression_binary(struct expressions *expressions, enum expression_op op, int32_t first,
                               int32_t second, const struct graph_node *node, int32_t *expression) {
  const int32_t children[2] = {first, second};
  return expression_several(expressions, op, children, 2, node, expression);
}

cuseq_status expression_several(struct expressions *expressions, enum expression_op op,
                                const int32_t *children, int32_t count, const struct graph_node *node,
                                int32_t *expression) {
  struct expression made = {
      .op = op, .matrix = -1, .bias = -1, .node = node, .child_count = count, .children = children};
  return expression_make(expressions, &made, expression);
}

cuseq_status expression_over(struct expressions *expressions, enum expression_op op, int32_t clock,
                             int32_t part, bool masked, int32_t child, const struct graph_node *node,
                             int32_t *expression) {
  struct expression made = {.op = op,
                            .part = op == EXPRESSION_POOL ? part : 0,
                            .index = op == EXPRESSION_POSITION ? part : 0,
                            .clock = clock,
                            .masked = masked,
                            .matrix = -1,
                            .bias = -1,
                            .node = node,
                            .child_count = 1,
                            .children = &child};
  return expression_make(expressions, &made, expression);
}

cuseq_status expression_dense(struct expressions *expressions, int32_t child, int32_t matrix, int32_t bias,
                              const struct graph_node *node, int32_t *expression) {
  struct expression made = {.op = EXPRESSION_DENSE,
                            .matrix = matrix,
                            .bias = bias,
                            .node = node,
                            .child_count = 1,
                            .children = &child};
  return expression_make(expressions, &made, expression);
}

cuseq_status expression_norm(struct expressions *expressions, int32_t child, double epsilon, int32_t scale,
                             int32_t offset, const struct graph_node *node, int32_t *expression) {
  struct expression made = {.op = EXPRESSION_NORM,
                            .part = expression_at(expressions, child)->width,
                            .matrix = scale,
                            .bias = offset,
                            .scalar = epsilon,
                            .node = node,
                            .child_count = 1,
                            .children = &child};
  return expression_make(expressions, &made, expression);
}

cuseq_status expression_slice(struct expressions *expressions, int32_t child, int32_t first, int32_t width,
                              const struct graph_node *node, int32_t *expression) {
  struct expression made = {.op = EXPRESSION_SLICE,
                            .index = first,
                            .width = width,
                            .matrix = -1,
                            .bias = -1,
                            .node = node,
                            .child_count = 1,
                            .children = &child};
  return expression_make(expressions, &made, expression);
}

cuseq_status expression_scale(struct expressions *expressions, int32_t child, double factor,
                              const struct graph_node *node, int32_t *expression) {
  struct expression made = {.op = EXPRESSION_SCALE,
                            .scalar = factor,
                            .matrix = -1,
                            .bias = -1,
                            .node = node,
                            .child_count = 1,
                            .children = &child};
  *expression = child;
  return factor == 1 ? CUSEQ_STATUS_OK : expression_make(expressions, &made, expression);
}

cuseq_status expression_zeros(struct expressions *expressions, int32_t width, const struct graph_node *node,
                              int32_t *expression) {
  struct expression made = {.op = EXPRESSION_ZEROS, .width = width, .matrix = -1, .bias = -1, .node = node};
  return expression_make(expressions, &made, expression);
}

/* max(a, b) = b + relu(a - b). */
static cuseq_status larger(struct expressions *expressions, int32_t a, int32_t b,
                           const struct graph_node *node, int32_t *expression) {
  int32_t difference;
  *expression = a;
  if (a == b)
    return CUSEQ_STATUS_OK;
  TRY(expression_scale(expressions, b, -1, node, &difference));
  TRY(expression_binary(expressions, EXPRESSION_ADD, a, difference, node, &difference));
  TRY(expression_unary(expressions, EXPRESSION_ACTIVATION, CUSEQ_ACTIVATION_RELU, difference, node,
                       &difference));
  return expression_binary(expressions, EXPRESSION_ADD, b, difference, node, expression);
}

cuseq_status expression_maximum(struct expressions *expressions, const int32_t *list, int32_t count,
                                const struct graph_node *node, int32_t *expression) {
  int32_t halves[2];
  *expression = list[0];
  if (count == 1)
    return CUSEQ_STATUS_OK;
  TRY(expression_maximum(expressions, list, count / 2, node, &halves[0]));
  TRY(expression_maximum(expressions, list + count / 2, count - count / 2, node, &halves[1]));
  return larger(expressions, halves[0], halves[1], node, expression);
}
