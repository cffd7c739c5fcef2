/* Layers that compute one tensor from two: sums, products, inner products, contexts. */
#include "convert/keras/arguments.h"
#include "convert/keras/layers.h"
#include "error.h"

#include <string.h>

static cuseq_status scaled(struct evaluator *evaluator, struct layer_call *call, double scalar) {
  struct value value = call->inputs[0];
  struct expression made = {.op = EXPRESSION_SCALE,
                            .matrix = -1,
                            .bias = -1,
                            .scalar = scalar,
                            .node = &call->layer->node,
                            .child_count = 1,
                            .children = &value.expression};
  if (expression_at(&evaluator->expressions, value.expression)->op == EXPRESSION_STEPS)
    return layer_refuse(call->layer, "cuseq cannot express arithmetic on all steps at once");
  TRY(expression_make(&evaluator->expressions, &made, &value.expression));
  return call_output(evaluator, call, &value);
}

/* Elementwise over all inputs. */
static cuseq_status elementwise(struct evaluator *evaluator, struct layer_call *call, enum expression_op op) {
  TRY(call_arity(call, 1, SIZE_MAX));
  const json_t *constant = NULL;
  size_t constants = 0;
  for (size_t i = 0; i < call->call->count; i++) {
    const struct graph_argument *argument = &call->call->arguments[i];
    const char *name = argument_name(call->layer, call->call, i);
    bool operand = *name == '\0' || strcmp(name, "x") == 0 || strcmp(name, "y") == 0;
    if (!operand || argument->kind != ARGUMENT_CONSTANT)
      continue;
    constant = argument->constant;
    constants++;
  }
  if (constants > 0) {
    if (op != EXPRESSION_PRODUCT || constants + call->input_count != 2 || !json_is_number(constant))
      return layer_refuse(call->layer, "cuseq cannot express its arithmetic with a constant (needed a finite "
                                       "number that multiplies)");
    return scaled(evaluator, call, json_number_value(constant));
  }
  TRY(call_arity(call, 2, SIZE_MAX));
  struct value result = call->inputs[0];
  for (size_t i = 1; i < call->input_count; i++) {
    struct value joined;
    TRY(value_broadcast(&evaluator->expressions, &call->layer->node, &result, &call->inputs[i], &joined));
    const struct expression *a = expression_at(&evaluator->expressions, result.expression);
    const struct expression *b = expression_at(&evaluator->expressions, call->inputs[i].expression);
    if (op == EXPRESSION_ADD && a->width != b->width)
      return layer_refuse(call->layer, "it adds vectors of %d and %d elements", a->width, b->width);
    if (a->op == EXPRESSION_STEPS || b->op == EXPRESSION_STEPS)
      return layer_refuse(call->layer, "cuseq cannot express arithmetic on all steps at once");
    TRY(expression_binary(&evaluator->expressions, op, result.expression, call->inputs[i].expression,
                          &call->layer->node, &joined.expression));
    result = joined;
  }
  return call_output(evaluator, call, &result);
}

cuseq_status layer_add(struct evaluator *evaluator, struct layer_call *call) {
  return elementwise(evaluator, call, EXPRESSION_ADD);
}

cuseq_status layer_multiply(struct evaluator *evaluator, struct layer_call *call) {
  return elementwise(evaluator, call, EXPRESSION_PRODUCT);
}

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

/* ---- sums ----------------------------------------------------------------------------------------- */

/* sum over t of alpha_t a_t, where alphas and annotations were multiplied before. */
static cuseq_status sum_over_time(struct evaluator *evaluator, const struct keras_layer *layer,
                                  int32_t summed, int32_t *context) {
  struct expression product = *expression_at(&evaluator->expressions, summed);
  if (product.op == EXPRESSION_PRODUCT && product.child_count == 2)
    for (int32_t i = 0; i < 2; i++)
      if (expression_at(&evaluator->expressions, product.children[i])->op == EXPRESSION_SOFTMAX)
        return context_make(evaluator, layer, product.children[i], product.children[1 - i], context);
  return layer_refuse(layer, "it sums over the positions what is not weighted by a softmax over them");
}

cuseq_status layer_sum(struct evaluator *evaluator, struct layer_call *call) {
  TRY(call_arity(call, 1, 1));
  struct value value = call->inputs[0];
  int32_t axis;
  const json_t *setting = call_setting(call, "axis");
  if (setting == NULL || json_is_null(setting))
    return layer_refuse(call->layer, "it sums over all axes (needed: one axis)");
  TRY(call_axis(call, &value, "axis", -1, &axis));
  bool keep = json_is_true(call_setting(call, "keepdims"));
  struct expression product = *expression_at(&evaluator->expressions, value.expression);
  if (value.axes[axis].kind == AXIS_TIME) {
    TRY(sum_over_time(evaluator, call->layer, value.expression, &value.expression));
  } else if (value.axes[axis].kind == AXIS_FEATURE && product.op == EXPRESSION_PRODUCT &&
             product.child_count == 2 &&
             expression_at(&evaluator->expressions, product.children[0])->width == product.width &&
             expression_at(&evaluator->expressions, product.children[1])->width == product.width) {
    TRY(expression_binary(&evaluator->expressions, EXPRESSION_DOT, product.children[0], product.children[1],
                          &call->layer->node, &value.expression));
  } else {
    return layer_refuse(call->layer, "cuseq cannot express its sum");
  }
  value.mask = NULL;
  value_remove_axis(&value, axis);
  if (keep)
    value_insert_axis(&value, axis, (struct axis){AXIS_REPEAT, 1, 0});
  return call_output(evaluator, call, &value);
}

/* The mean over the positions: of products with the weights, the context over their number. */
cuseq_status layer_pooling(struct evaluator *evaluator, struct layer_call *call) {
  TRY(call_arity(call, 1, 1));
  struct value value = call->inputs[0];
  TRY(settings_channels_last(call->layer));
  if (!value_has_axes(&evaluator->expressions, &value, "BTF") || value.axes[1].size < 1 || value.mask != NULL)
    return layer_refuse(call->layer, "cuseq cannot express its mean");
  TRY(sum_over_time(evaluator, call->layer, value.expression, &value.expression));
  struct expression made = {.op = EXPRESSION_SCALE,
                            .matrix = -1,
                            .bias = -1,
                            .scalar = 1.0 / (double)value.axes[1].size,
                            .node = &call->layer->node,
                            .child_count = 1,
                            .children = &value.expression};
  TRY(expression_make(&evaluator->expressions, &made, &value.expression));
  value_remove_axis(&value, 1);
  if (json_is_true(json_object_get(call->layer->config, "keepdims")))
    value_insert_axis(&value, 1, (struct axis){AXIS_REPEAT, 1, 0});
  return call_output(evaluator, call, &value);
}
