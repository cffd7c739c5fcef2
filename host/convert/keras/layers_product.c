/* Layers that multiply two tensors and sum over an axis: inner products, contexts. */
#include "convert/keras/layers.h"
#include "error.h"

#include <string.h>

cuseq_status context_make(struct evaluator *evaluator, const struct keras_layer *layer, int32_t weights,
                          int32_t vectors, int32_t *context) {
  if (expression_at(&evaluator->expressions, weights)->op != EXPRESSION_SOFTMAX)
    return layer_refuse(layer, "it sums over the positions with weights that are no softmax over them");
  return expression_binary(&evaluator->expressions, EXPRESSION_CONTEXT, weights, vectors, &layer->node,
                           context);
}

/* ---- products that sum over an axis --------------------------------------------------------------- */

static cuseq_status contract(struct evaluator *evaluator, struct layer_call *call, int32_t x_axis,
                             int32_t y_axis) {
  struct expressions *expressions = &evaluator->expressions;
  struct value x = call->inputs[0], y = call->inputs[1], result = x;
  const struct expression *a = expression_at(expressions, x.expression);
  const struct expression *b = expression_at(expressions, y.expression);
  char left[128], right[128];
  bool over_time = x.axes[x_axis].kind == AXIS_TIME && y.axes[y_axis].kind == AXIS_TIME;
  bool over_features = value_is_feature_axis(expressions, &x, x_axis) &&
                       value_is_feature_axis(expressions, &y, y_axis) && a->width == b->width;
  if (x_axis == 0 || y_axis == 0 || a->op == EXPRESSION_STEPS || b->op == EXPRESSION_STEPS ||
      !(over_time || over_features))
    return layer_refuse(call->layer, "cuseq cannot express its product of %s and %s",
                        value_describe(expressions, &x, left, sizeof left),
                        value_describe(expressions, &y, right, sizeof right));
  if (over_time) {
    bool weights_first = a->op == EXPRESSION_SOFTMAX;
    TRY(context_make(evaluator, call->layer, weights_first ? x.expression : y.expression,
                     weights_first ? y.expression : x.expression, &result.expression));
  } else {
    TRY(expression_binary(expressions, EXPRESSION_DOT, x.expression, y.expression, &call->layer->node,
                          &result.expression));
  }
  value_remove_axis(&result, x_axis);
  result.mask = NULL;
  int times = 0, features = 0;
  for (int32_t i = 1; i < y.axis_count; i++)
    if (i != y_axis && !value_insert_axis(&result, result.axis_count, y.axes[i]))
      return layer_refuse(call->layer, "its result has too many axes");
  for (int32_t i = 0; i < result.axis_count; i++) {
    times += result.axes[i].kind == AXIS_TIME;
    features += result.axes[i].kind == AXIS_FEATURE;
  }
  const struct expression *made = expression_at(expressions, result.expression);
  if (times != __builtin_popcount(made->clocks) || features != (made->width > 1 ? 1 : 0))
    return layer_refuse(call->layer, "cuseq cannot express its product of %s and %s",
                        value_describe(expressions, &x, left, sizeof left),
                        value_describe(expressions, &y, right, sizeof right));
  if (result.axis_count == 1)
    value_insert_axis(&result, 1, (struct axis){AXIS_REPEAT, 1, 0});
  return call_output(evaluator, call, &result);
}

cuseq_status layer_dot(struct evaluator *evaluator, struct layer_call *call) {
  TRY(call_arity(call, 2, 2));
  bool normalize;
  TRY(layer_bool(call->layer, call->layer->config, "normalize", false, &normalize));
  if (normalize)
    return layer_refuse(call->layer, "cuseq cannot express normalized inner products");
  const json_t *axes = json_object_get(call->layer->config, "axes");
  const json_t *first = json_is_array(axes) ? json_array_get(axes, 0) : axes;
  const json_t *second = json_is_array(axes) ? json_array_get(axes, 1) : axes;
  if (!json_is_integer(first) || !json_is_integer(second))
    return layer_refuse(call->layer, "its axes are not one or two integers");
  int32_t x = value_axis(&call->inputs[0], json_integer_value(first));
  int32_t y = value_axis(&call->inputs[1], json_integer_value(second));
  if (x < 0 || y < 0)
    return layer_refuse(call->layer, "its axes are not among those of what it is given");
  return contract(evaluator, call, x, y);
}

cuseq_status layer_matmul(struct evaluator *evaluator, struct layer_call *call) {
  TRY(call_arity(call, 2, 2));
  int32_t x = call->inputs[0].axis_count - 1, y = call->inputs[1].axis_count - 2;
  x -= json_is_true(call_setting(call, "transpose_a")) ? 1 : 0;
  y += json_is_true(call_setting(call, "transpose_b")) ? 1 : 0;
  if (x < 1 || y < 1 || call->inputs[0].axis_count != 3 || call->inputs[1].axis_count != 3)
    return layer_refuse(call->layer, "cuseq cannot express a matrix product of what it is given");
  return contract(evaluator, call, x, y);
}
