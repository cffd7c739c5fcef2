/* Sums, means and maxima along axes, and pooling over all positions. */
#include "convert/onnx/arithmetic.h"
#include "convert/onnx/nodes.h"
#include "convert/onnx/table.h"
#include "error.h"

#include <string.h>

enum reduction { REDUCE_SUM, REDUCE_MEAN, REDUCE_MAXIMUM, REDUCE_PRODUCT };

/* ---- one axis of a table -------------------------------------------------------------------------- */

/* sum over t of alpha_t a_t, where alphas and annotations were multiplied before. */
static cuseq_status sum_over_time(struct evaluator *evaluator, const struct node_call *call, int32_t summed,
                                  int32_t *expression) {
  struct expression product = *expression_at(evaluator->expressions, summed);
  if (product.op == EXPRESSION_PRODUCT && product.child_count == 2)
    for (int32_t i = 0; i < 2; i++)
      if (expression_at(evaluator->expressions, product.children[i])->op == EXPRESSION_SOFTMAX)
        return context_expression(evaluator, call, evaluator->clock, product.children[i],
                                  product.children[1 - i], expression);
  return call_refuse(call, "it sums over the positions what is not weighted by a softmax over them");
}

static cuseq_status over_time(struct evaluator *evaluator, const struct node_call *call,
                              enum reduction reduction, int32_t cell, int32_t *expression) {
  const struct expression *e = expression_at(evaluator->expressions, cell);
  const int64_t length = evaluator->expressions->clocks[evaluator->clock].length;
  if (reduction == REDUCE_SUM)
    return sum_over_time(evaluator, call, cell, expression);
  if (reduction == REDUCE_MEAN && e->op == EXPRESSION_PRODUCT && length > 0 && evaluator->lengths == NULL) {
    TRY(sum_over_time(evaluator, call, cell, expression));
    return expression_scaled(evaluator, call, 1.0 / (double)length, *expression, expression);
  }
  if (reduction == REDUCE_PRODUCT)
    return call_refuse(call, "cuseq cannot express a product over the positions");
  if (evaluator->lengths != NULL)
    return call_refuse(
        call, "it is over all positions, but the rows have lengths of their own, so that for shorter "
              "ones it takes padding in");
  int32_t part = reduction == REDUCE_MEAN ? POOL_MEAN : POOL_MAXIMUM;
  return expression_over(evaluator->expressions, EXPRESSION_POOL, evaluator->clock, part, false, cell,
                         call->kept, expression);
}

static cuseq_status over_stack(struct evaluator *evaluator, const struct node_call *call,
                               enum reduction reduction, const int32_t *cells, int32_t count,
                               int32_t *expression) {
  *expression = cells[0];
  if (reduction == REDUCE_PRODUCT)
    return call_refuse(call, "cuseq cannot express this product");
  if (reduction == REDUCE_MAXIMUM)
    return expression_maximum(evaluator->expressions, cells, count, call->kept, expression);
  for (int32_t i = 1; i < count; i++)
    TRY(expression_sum(evaluator, call, *expression, cells[i], expression));
  return reduction == REDUCE_MEAN
             ? expression_scaled(evaluator, call, 1.0 / (double)count, *expression, expression)
             : CUSEQ_STATUS_OK;
}

static cuseq_status over_features(struct evaluator *evaluator, const struct node_call *call,
                                  enum reduction reduction, int32_t cell, int64_t width,
                                  int32_t *expression) {
  if (reduction != REDUCE_SUM && reduction != REDUCE_MEAN)
    return call_refuse(call, "cuseq cannot express a maximum or product over a vector's elements");
  return expression_total(evaluator, call, reduction == REDUCE_MEAN ? 1.0 / (double)width : 1, cell,
                          expression);
}

/* Makes the axis one of one entry. */
static cuseq_status reduce_axis(struct evaluator *evaluator, const struct node_call *call,
                                enum reduction reduction, int32_t axis, struct tensor *table) {
  struct tensor made = *table;
  struct tensor_axis reduced = table->axes[axis];
  int32_t *cells, inner = 1, size = reduced.kind == TENSOR_STACK ? (int32_t)reduced.size.factor : 1;
  char text[128];
  if (reduced.kind != TENSOR_TIME && reduced.kind != TENSOR_STACK && reduced.kind != TENSOR_FEATURE)
    return call_refuse(call, "it is over the rows of %s", tensor_describe(table, text, sizeof text));
  for (int32_t i = axis + 1; i < table->axis_count; i++)
    inner *= tensor_axis_cells(&table->axes[i]);
  made.axes[axis] = tensor_single();
  TRY(table_make(evaluator, call, made.axes, made.axis_count, &made, &cells));
  int32_t *parts = arena_allocate(evaluator->arena, (size_t)size * sizeof *parts);
  if (parts == NULL)
    return error_out_of_memory();
  for (int32_t i = tensor_cell_count(&made) - 1; i >= 0; i--) {
    for (int32_t k = 0; k < size; k++)
      parts[k] = table->cells[(i / inner * size + k) * inner + i % inner];
    if (reduced.kind == TENSOR_TIME)
      TRY(over_time(evaluator, call, reduction, parts[0], &cells[i]));
    else if (reduced.kind == TENSOR_FEATURE)
      TRY(over_features(evaluator, call, reduction, parts[0], reduced.size.factor, &cells[i]));
    else
      TRY(over_stack(evaluator, call, reduction, parts, size, &cells[i]));
  }
  *table = made;
  return CUSEQ_STATUS_OK;
}

/* ---- shapes, lengths and masks -------------------------------------------------------------------- */

static cuseq_status reduce_integers(struct evaluator *evaluator, struct node_call *call,
                                    enum reduction reduction) {
  const struct tensor *tensor = call->inputs[0];
  struct dim *data, value;
  int64_t count = 1, size, number, best = INT64_MIN;
  for (int32_t i = 0; i < tensor->rank; i++)
    count *= dim_constant(&tensor->dims[i], &size) ? size : 0;
  value = dim_of(reduction == REDUCE_PRODUCT);
  for (int64_t i = 0; i < count; i++) {
    if (reduction == REDUCE_MAXIMUM) {
      if (!dim_constant(&tensor->integers[i], &number))
        return call_refuse(call, "it takes the greatest of numbers that are not known");
      best = number > best ? number : best;
      value = dim_of(best);
    } else {
      value = reduction == REDUCE_PRODUCT ? dim_multiply(value, tensor->integers[i])
                                          : dim_add(value, tensor->integers[i], 1);
    }
  }
  if (reduction == REDUCE_MEAN || tensor->rank > 1)
    return call_refuse(call, "cuseq cannot express this of integers");
  struct dim one[1] = {dim_of(1)};
  int64_t keep;
  TRY(attribute_integer(call, "keepdims", 1, &keep));
  TRY(integers_make(evaluator, call, keep != 0 && tensor->rank > 0, one, &call->outputs[0], &data));
  data[0] = value;
  return CUSEQ_STATUS_OK;
}

/* The greatest length is as many positions as there are; a mask's sum over the positions is the length. */
static cuseq_status reduce_lengths(struct evaluator *evaluator, struct node_call *call,
                                   enum reduction reduction, const int32_t *axes, int32_t count, bool keep) {
  const struct tensor *tensor = call->inputs[0];
  struct tensor *result = &call->outputs[0];
  struct dim *data;
  if (tensor->kind == TENSOR_LENGTHS && reduction == REDUCE_MAXIMUM && !keep) {
    TRY(integers_make(evaluator, call, 0, NULL, result, &data));
    *data = evaluator->fixed_time >= 0 ? dim_of(evaluator->fixed_time) : dim_time();
    return CUSEQ_STATUS_OK;
  }
  if (tensor->kind == TENSOR_MASK && reduction == REDUCE_SUM && count == 1 &&
      tensor->axes[axes[0]].kind == TENSOR_TIME && tensor->inside == 1 && tensor->beyond == 0) {
    *result = *tensor;
    result->kind = TENSOR_LENGTHS;
    result->integer = true;
    result->axes[axes[0]] = tensor_single();
    if (!keep)
      tensor_remove_single(result, axes[0]);
    return CUSEQ_STATUS_OK;
  }
  return call_refuse(call, "it computes with lengths or masks, which cuseq cannot express");
}

/* ---- the nodes ------------------------------------------------------------------------------------ */

static cuseq_status reduction_of(const struct node_call *call, enum reduction *reduction) {
  static const char *const names[] = {"ReduceSum", "ReduceMean", "ReduceMax", "ReduceProd"};
  for (int i = 0; i < 4; i++)
    if (strcmp(call->kept->class_name, names[i]) == 0)
      *reduction = (enum reduction)i;
  return CUSEQ_STATUS_OK;
}

cuseq_status node_reduce(struct evaluator *evaluator, struct node_call *call) {
  enum reduction reduction = REDUCE_SUM;
  const int64_t *list;
  int64_t keep, noop;
  int32_t count, axes[TENSOR_MAX_AXES];
  TRY(node_arity(call, 1, 2));
  TRY(attributes_check(call, "axes keepdims noop_with_empty_axes"));
  TRY(attribute_integer(call, "keepdims", 1, &keep));
  TRY(attribute_integer(call, "noop_with_empty_axes", 0, &noop));
  TRY(reduction_of(call, &reduction));
  TRY(node_integers(evaluator, call, 1, "axes", reduction == REDUCE_SUM ? 13 : 18, &list, &count));
  const struct tensor *tensor = call->inputs[0];
  struct tensor *result = &call->outputs[0];
  if (tensor->kind == TENSOR_INTEGERS)
    return reduce_integers(evaluator, call, reduction);
  int32_t rank = tensor_rank(tensor);
  if (count <= 0 && noop != 0) {
    *result = *tensor;
    return CUSEQ_STATUS_OK;
  }
  bool every = count <= 0;
  count = every ? rank : count;
  if (count > TENSOR_MAX_AXES)
    return call_refuse(call, "it names too many axes");
  for (int32_t i = 0; i < count; i++)
    TRY(node_axis(call, every ? i : list[i], rank, &axes[i]));
  if (tensor_has_axes(tensor) && tensor->kind != TENSOR_TABLE)
    return reduce_lengths(evaluator, call, reduction, axes, count, keep != 0);
  if (tensor->kind != TENSOR_TABLE || tensor->integer)
    return call_refuse(call, "cuseq cannot express this of constants");
  TRY(table_unmasked(call, tensor));
  struct tensor made = *tensor;
  for (int32_t i = 0; i < count; i++)
    TRY(reduce_axis(evaluator, call, reduction, axes[i], &made));
  bool gone[TENSOR_MAX_AXES] = {false};
  for (int32_t i = 0; i < count; i++)
    gone[axes[i]] = keep == 0;
  for (int32_t i = rank - 1; i >= 0; i--)
    if (gone[i])
      tensor_remove_single(&made, i);
  *result = made;
  return CUSEQ_STATUS_OK;
}

/* GlobalMaxPool and GlobalAveragePool of [batch, features, time]: all axes from the third on. */
cuseq_status node_pool(struct evaluator *evaluator, struct node_call *call) {
  TRY(node_arity(call, 1, 1));
  TRY(attributes_check(call, ""));
  struct tensor made = *call->inputs[0];
  char text[128];
  bool mean = strcmp(call->kept->class_name, "GlobalAveragePool") == 0;
  if (made.kind != TENSOR_TABLE || made.masked || made.axis_count != 3 || made.axes[0].kind != TENSOR_BATCH ||
      made.axes[2].kind != TENSOR_TIME)
    return call_refuse(call, "it is over %s, which is no sequence",
                       tensor_describe(&made, text, sizeof text));
  TRY(reduce_axis(evaluator, call, mean ? REDUCE_MEAN : REDUCE_MAXIMUM, 2, &made));
  call->outputs[0] = made;
  return CUSEQ_STATUS_OK;
}
