#include "convert/onnx/arithmetic.h"

#include "convert/onnx/cells.h"
#include "error.h"

#include <stdlib.h>

static cuseq_status matrix_filled(struct evaluator *evaluator, const struct node_call *call, int64_t rows,
                                  int64_t columns, const float *values, double factor, int32_t *matrix) {
  size_t count = (size_t)rows * (size_t)columns;
  TRY(evaluator_work(evaluator, call, count));
  float *data = malloc(count * sizeof *data);
  if (data == NULL)
    return error_out_of_memory();
  for (size_t i = 0; i < count; i++)
    data[i] = (float)(factor * (values != NULL ? (double)values[i] : 1));
  return matrix_enter(evaluator, call, rows, columns, data, matrix);
}

static struct expression at(const struct evaluator *evaluator, int32_t expression) {
  return *expression_at(evaluator->expressions, expression);
}

/* ---- constants ------------------------------------------------------------------------------------ */

static cuseq_status constant_of(struct evaluator *evaluator, const struct node_call *call, int32_t matrix,
                                int32_t *expression) {
  struct expression made = {.op = EXPRESSION_CONSTANT, .matrix = matrix, .bias = -1, .node = call->kept};
  return expression_make(evaluator->expressions, &made, expression);
}

cuseq_status constant_expression(struct evaluator *evaluator, const struct node_call *call,
                                 const struct numbers *numbers, const struct layout *layout,
                                 int32_t *expression) {
  bool zeros = true;
  for (int64_t c = 0; zeros && c < layout->columns; c++)
    zeros = numbers->data[layout->offset + c * layout->column] == 0;
  if (zeros)
    return expression_zeros(evaluator->expressions, (int32_t)layout->columns, call->kept, expression);
  int32_t matrix;
  TRY(numbers_matrix(evaluator, call, numbers, layout, &matrix));
  return constant_of(evaluator, call, matrix, expression);
}

bool expression_constant(const struct evaluator *evaluator, int32_t expression, const float **data) {
  const struct expression *e = expression_at(evaluator->expressions, expression);
  *data = e->op == EXPRESSION_CONSTANT ? evaluator->expressions->matrices[e->matrix].data : NULL;
  return e->op == EXPRESSION_CONSTANT || e->op == EXPRESSION_ZEROS;
}

static bool is_uniform(const float *data, int32_t width, double *value) {
  *value = data != NULL ? (double)data[0] : 0;
  for (int32_t i = 1; data != NULL && i < width; i++)
    if (data[i] != data[0])
      return false;
  return true;
}

/* A vector of one element, `width` times. */
static cuseq_status widen(struct evaluator *evaluator, const struct node_call *call, int32_t a, int32_t width,
                          int32_t *expression) {
  int32_t ones;
  const float *data;
  *expression = a;
  if (at(evaluator, a).width == width)
    return CUSEQ_STATUS_OK;
  if (expression_constant(evaluator, a, &data)) {
    if (data == NULL)
      return expression_zeros(evaluator->expressions, width, call->kept, expression);
    TRY(matrix_filled(evaluator, call, 1, width, NULL, (double)data[0], &ones));
    return constant_of(evaluator, call, ones, expression);
  }
  TRY(matrix_filled(evaluator, call, 1, width, NULL, 1, &ones));
  return expression_dense(evaluator->expressions, a, ones, -1, call->kept, expression);
}

static cuseq_status same_width(struct evaluator *evaluator, const struct node_call *call, int32_t *a,
                               int32_t *b) {
  int32_t first = at(evaluator, *a).width, second = at(evaluator, *b).width;
  if (first != second && first != 1 && second != 1)
    return call_refuse(call, "it joins vectors of %d and of %d numbers", first, second);
  TRY(widen(evaluator, call, *a, first > second ? first : second, a));
  return widen(evaluator, call, *b, first > second ? first : second, b);
}

/* ---- sums ----------------------------------------------------------------------------------------- */

/* A constant that is added becomes the bias of a dense map that has none. */
static cuseq_status add_constant(struct evaluator *evaluator, const struct node_call *call, int32_t a,
                                 int32_t constant, int32_t *expression) {
  struct expression e = at(evaluator, a);
  int32_t bias = at(evaluator, constant).matrix;
  if (e.op == EXPRESSION_DENSE && e.bias < 0)
    return expression_dense(evaluator->expressions, e.children[0], e.matrix, bias, call->kept, expression);
  struct expression made = {.op = EXPRESSION_AFFINE,
                            .matrix = -1,
                            .bias = bias,
                            .node = call->kept,
                            .child_count = 1,
                            .children = &a};
  return expression_make(evaluator->expressions, &made, expression);
}

static cuseq_status sum_of_constants(struct evaluator *evaluator, const struct node_call *call,
                                     const float *a, const float *b, int32_t width, int32_t *expression) {
  int32_t matrix;
  float *sum = malloc((size_t)width * sizeof *sum);
  if (sum == NULL)
    return error_out_of_memory();
  for (int32_t i = 0; i < width; i++)
    sum[i] = a[i] + b[i];
  TRY(matrix_enter(evaluator, call, 1, width, sum, &matrix));
  return constant_of(evaluator, call, matrix, expression);
}

cuseq_status expression_sum(struct evaluator *evaluator, const struct node_call *call, int32_t a, int32_t b,
                            int32_t *expression) {
  const float *left, *right;
  TRY(same_width(evaluator, call, &a, &b));
  bool first = expression_constant(evaluator, a, &left), second = expression_constant(evaluator, b, &right);
  if (first && left == NULL) {
    *expression = b;
    return CUSEQ_STATUS_OK;
  }
  if (second && right == NULL) {
    *expression = a;
    return CUSEQ_STATUS_OK;
  }
  if (first && second)
    return sum_of_constants(evaluator, call, left, right, at(evaluator, a).width, expression);
  if (first || second)
    return add_constant(evaluator, call, first ? b : a, first ? a : b, expression);
  bool found;
  TRY(cells_of_sum(evaluator, call, a, b, expression, &found));
  return found ? CUSEQ_STATUS_OK
               : expression_binary(evaluator->expressions, EXPRESSION_ADD, a, b, call->kept, expression);
}

/* ---- products ------------------------------------------------------------------------------------- */

cuseq_status expression_scaled(struct evaluator *evaluator, const struct node_call *call, double factor,
                               int32_t a, int32_t *expression) {
  const float *data;
  int32_t matrix;
  *expression = a;
  if (factor == 1)
    return CUSEQ_STATUS_OK;
  if (expression_constant(evaluator, a, &data)) {
    if (data == NULL)
      return CUSEQ_STATUS_OK;
    TRY(matrix_filled(evaluator, call, 1, at(evaluator, a).width, data, factor, &matrix));
    return constant_of(evaluator, call, matrix, expression);
  }
  return expression_scale(evaluator->expressions, a, factor, call->kept, expression);
}

static cuseq_status multiply_constant(struct evaluator *evaluator, const struct node_call *call, int32_t a,
                                      int32_t constant, int32_t *expression) {
  const float *data;
  double factor;
  struct expression e = at(evaluator, a), c = at(evaluator, constant);
  expression_constant(evaluator, constant, &data);
  if (data == NULL) {
    TRY(expression_zeros(evaluator->expressions, e.width > c.width ? e.width : c.width, call->kept,
                         &constant));
    *expression = constant;
    bool gate =
        e.op ==
        EXPRESSION_ACTIVATION; /* a forget gate times the state before the first step stays to be seen */
    return !gate ? CUSEQ_STATUS_OK
                 : expression_binary(evaluator->expressions, EXPRESSION_PRODUCT, a, constant, call->kept,
                                     expression);
  }
  if (e.width < c.width) /* one number times a vector */
    return expression_dense(evaluator->expressions, a, c.matrix, -1, call->kept, expression);
  if (is_uniform(data, c.width, &factor))
    return expression_scaled(evaluator, call, factor, a, expression);
  struct expression made = {.op = EXPRESSION_AFFINE,
                            .matrix = c.matrix,
                            .bias = -1,
                            .node = call->kept,
                            .child_count = 1,
                            .children = &a};
  return expression_make(evaluator->expressions, &made, expression);
}

/* The one number that a vector has in all places, as a weight has that was repeated; otherwise the vector. */
static int32_t repeated(const struct evaluator *evaluator, int32_t a) {
  const struct expression e = at(evaluator, a);
  bool same = e.op == EXPRESSION_CONCAT && at(evaluator, e.children[0]).width == 1;
  for (int32_t i = 1; same && i < e.child_count; i++)
    same = e.children[i] == e.children[0];
  return same ? e.children[0] : a;
}

cuseq_status expression_product(struct evaluator *evaluator, const struct node_call *call, int32_t a,
                                int32_t b, int32_t *expression) {
  const float *left, *right;
  if (repeated(evaluator, a) != a && at(evaluator, b).width == at(evaluator, a).width)
    a = repeated(evaluator, a);
  else if (repeated(evaluator, b) != b && at(evaluator, a).width == at(evaluator, b).width)
    b = repeated(evaluator, b);
  int32_t first_width = at(evaluator, a).width, second_width = at(evaluator, b).width;
  if (first_width != second_width && first_width != 1 && second_width != 1)
    return call_refuse(call, "it joins vectors of %d and of %d numbers", first_width, second_width);
  bool first = expression_constant(evaluator, a, &left), second = expression_constant(evaluator, b, &right);
  if (first || second)
    return multiply_constant(evaluator, call, first ? b : a, first ? a : b, expression);
  bool found;
  for (int i = 0; i < 2; i++) { /* x sigmoid(x) */
    const struct expression gate = at(evaluator, i == 0 ? a : b);
    if (gate.op == EXPRESSION_ACTIVATION && gate.part == CUSEQ_ACTIVATION_SIGMOID &&
        gate.children[0] == (i == 0 ? b : a))
      return expression_unary(evaluator->expressions, EXPRESSION_ACTIVATION, CUSEQ_ACTIVATION_SWISH,
                              gate.children[0], call->kept, expression);
  }
  TRY(cells_of_product(evaluator, call, a, b, expression, &found));
  return found ? CUSEQ_STATUS_OK
               : expression_binary(evaluator->expressions, EXPRESSION_PRODUCT, a, b, call->kept, expression);
}

cuseq_status expression_inner(struct evaluator *evaluator, const struct node_call *call, int32_t a, int32_t b,
                              int32_t *expression) {
  const float *left, *right;
  int32_t width = at(evaluator, a).width, column;
  bool first = expression_constant(evaluator, a, &left), second = expression_constant(evaluator, b, &right);
  if (width != at(evaluator, b).width)
    return call_refuse(call, "it multiplies vectors of %d and of %d numbers", width, at(evaluator, b).width);
  if (!first && !second)
    return expression_binary(evaluator->expressions, EXPRESSION_DOT, a, b, call->kept, expression);
  const float *data = first ? left : right;
  if (data == NULL)
    return expression_zeros(evaluator->expressions, 1, call->kept, expression);
  TRY(matrix_filled(evaluator, call, width, 1, data, 1, &column));
  return expression_dense(evaluator->expressions, first ? b : a, column, -1, call->kept, expression);
}

cuseq_status expression_total(struct evaluator *evaluator, const struct node_call *call, double factor,
                              int32_t a, int32_t *expression) {
  struct expression e = at(evaluator, a);
  int32_t column;
  if (e.op == EXPRESSION_PRODUCT && e.child_count == 2 && e.width > 1 &&
      at(evaluator, e.children[0]).width == e.width && at(evaluator, e.children[1]).width == e.width) {
    TRY(expression_inner(evaluator, call, e.children[0], e.children[1], expression));
    return expression_scaled(evaluator, call, factor, *expression, expression);
  }
  if (e.op == EXPRESSION_AFFINE && e.bias < 0) { /* a vector of weights */
    TRY(matrix_filled(evaluator, call, e.width, 1, evaluator->expressions->matrices[e.matrix].data, factor,
                      &column));
    return expression_dense(evaluator->expressions, e.children[0], column, -1, call->kept, expression);
  }
  if (e.width == 1)
    return expression_scaled(evaluator, call, factor, a, expression);
  TRY(matrix_filled(evaluator, call, e.width, 1, NULL, factor, &column));
  return expression_dense(evaluator->expressions, a, column, -1, call->kept, expression);
}

cuseq_status expression_concat(struct evaluator *evaluator, const struct node_call *call,
                               const int32_t *parts, int32_t count, int32_t *expression) {
  return expression_several(evaluator->expressions, EXPRESSION_CONCAT, parts, count, call->kept, expression);
}

/* Whether an expression is weights over the positions that a clock counts. */
static bool is_weights(const struct evaluator *evaluator, int32_t expression, int32_t clock) {
  const struct expression e = at(evaluator, expression);
  return e.op == EXPRESSION_SOFTMAX && e.clock == clock;
}

cuseq_status context_expression(struct evaluator *evaluator, const struct node_call *call, int32_t clock,
                                int32_t a, int32_t b, int32_t *expression) {
  const bool first = is_weights(evaluator, a, clock), second = is_weights(evaluator, b, clock);
  if (!first && !second)
    return call_refuse(call, "it sums over the positions what is not weighted by a softmax over them");
  return expression_binary(evaluator->expressions, EXPRESSION_CONTEXT, first ? a : b, first ? b : a,
                           call->kept, expression);
}
