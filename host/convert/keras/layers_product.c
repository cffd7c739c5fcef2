/* Layers that multiply two tensors and sum over an axis: inner products, contexts. */
#include "convert/keras/layers.h"
#include "error.h"

#include <string.h>

cuseq_status context_make(struct evaluator *evaluator, const struct keras_layer *layer, int32_t clock,
                          int32_t weights, int32_t vectors, int32_t *context) {
  const struct expression *alphas = expression_at(&evaluator->expressions, weights);
  if (alphas->op != EXPRESSION_SOFTMAX || alphas->clock != clock)
    return layer_refuse(layer, "it sums over the positions with weights that are no softmax over them");
  return expression_binary(&evaluator->expressions, EXPRESSION_CONTEXT, weights, vectors, &layer->node,
                           context);
}

/* ---- products that sum over an axis --------------------------------------------------------------- */

/* Over the positions, one of x and y being weights. Those of a sequence that asks itself may count them by
 * the clock's twin, as the vectors do then, too. */
static cuseq_status contract_positions(struct evaluator *evaluator, const struct keras_layer *layer,
                                       struct value *x, int32_t x_axis, struct value *y, int32_t y_axis,
                                       int32_t *context) {
  struct expressions *expressions = &evaluator->expressions;
  const bool weights_first = expression_at(expressions, x->expression)->op == EXPRESSION_SOFTMAX;
  const struct value *weights = weights_first ? x : y;
  struct value *vectors = weights_first ? y : x;
  const int32_t clock = weights->axes[weights_first ? x_axis : y_axis].clock;
  const int32_t axis = weights_first ? y_axis : x_axis;
  if (expressions->clocks[clock].twin == vectors->axes[axis].clock)
    TRY(value_twin(expressions, &layer->node, axis, vectors));
  return context_make(evaluator, layer, clock, weights->expression, vectors->expression, context);
}

/* Whether two axes are of the same positions. */
static bool same_positions(const struct expressions *expressions, const struct axis *a,
                           const struct axis *b) {
  return a->kind == AXIS_TIME && b->kind == AXIS_TIME &&
         (a->clock == b->clock || clocks_are_twins(expressions, a->clock, b->clock));
}

/* All pairs of positions of one sequence: what comes second counts them by the clock's twin. */
static cuseq_status pair_up(struct expressions *expressions, const struct graph_node *node,
                            const struct value *x, struct value *y) {
  for (int32_t i = 1; i < x->axis_count; i++)
    for (int32_t k = 1; k < y->axis_count; k++)
      if (x->axes[i].kind == AXIS_TIME && y->axes[k].kind == AXIS_TIME &&
          x->axes[i].clock == y->axes[k].clock && expressions->clocks[x->axes[i].clock].twin < 0)
        return value_twin(expressions, node, k, y);
  return CUSEQ_STATUS_OK;
}

static cuseq_status contract(struct evaluator *evaluator, struct layer_call *call, int32_t x_axis,
                             int32_t y_axis) {
  struct expressions *expressions = &evaluator->expressions;
  struct value x = call->inputs[0], y = call->inputs[1], result = x;
  const struct expression *a = expression_at(expressions, x.expression);
  const struct expression *b = expression_at(expressions, y.expression);
  char left[128], right[128];
  bool over_time = same_positions(expressions, &x.axes[x_axis], &y.axes[y_axis]);
  bool over_features = value_is_feature_axis(expressions, &x, x_axis) &&
                       value_is_feature_axis(expressions, &y, y_axis) && a->width == b->width;
  if (x_axis == 0 || y_axis == 0 || a->op == EXPRESSION_STEPS || b->op == EXPRESSION_STEPS ||
      !(over_time || over_features))
    return layer_refuse(call->layer, "cuseq cannot express its product of %s and %s",
                        value_describe(expressions, &x, left, sizeof left),
                        value_describe(expressions, &y, right, sizeof right));
  if (over_time) {
    TRY(contract_positions(evaluator, call->layer, &x, x_axis, &y, y_axis, &result.expression));
  } else {
    TRY(pair_up(expressions, &call->layer->node, &x, &y));
    TRY(expression_binary(expressions, EXPRESSION_DOT, x.expression, y.expression, &call->layer->node,
                          &result.expression));
  }
  value_remove_axis(&result, x_axis);
  result.mask = NULL;
  int times = 0, features = 0;
  for (int32_t i = 1; i < y.axis_count; i++)
    if (i != y_axis && !value_insert_axis(&result, result.axis_count, y.axes[i]))
      return layer_refuse(call->layer, "its result has too many axes");
  const struct expression *made = expression_at(expressions, result.expression);
  for (int32_t i = 0; i < result.axis_count; i++) {
    times += result.axes[i].kind == AXIS_TIME && (made->clocks >> result.axes[i].clock & 1) != 0;
    features += result.axes[i].kind == AXIS_FEATURE;
  }
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
