/* Sums, means and maxima over an axis: of the positions, or of a vector's elements. */
#include "convert/keras/layers.h"
#include "error.h"

#include <string.h>

/* ---- over the positions --------------------------------------------------------------------------- */

/* The context, where weights (a softmax) and vectors were multiplied before; *context -1: they were not. */
static cuseq_status weighted_context(struct evaluator *evaluator, const struct keras_layer *layer,
                                     int32_t clock, int32_t summed, int32_t *context) {
  struct expression product = *expression_at(&evaluator->expressions, summed);
  *context = -1;
  for (int32_t i = 0; product.op == EXPRESSION_PRODUCT && product.child_count == 2 && i < 2; i++) {
    const struct expression *weights = expression_at(&evaluator->expressions, product.children[i]);
    if (weights->op == EXPRESSION_SOFTMAX && weights->clock == clock)
      return context_make(evaluator, layer, clock, product.children[i], product.children[1 - i], context);
  }
  return CUSEQ_STATUS_OK;
}

/* part: POOL_*. A mask that Keras uses leaves positions out; one that it does not use matters where padding
 * changes the result. */
static cuseq_status pool(struct evaluator *evaluator, const struct keras_layer *layer, int32_t part,
                         int32_t axis, bool masked, struct value *value) {
  int32_t clock = value->axes[axis].clock, context = -1;
  if (part != POOL_MAXIMUM && !masked)
    TRY(weighted_context(evaluator, layer, clock, value->expression, &context));
  if (context >= 0 && part == POOL_SUM) {
    value->expression = context;
    return CUSEQ_STATUS_OK;
  }
  if (context >= 0 && value->axes[axis].size > 0)
    return scale_make(evaluator, layer, 1.0 / (double)value->axes[axis].size, context, &value->expression);
  return expression_over(&evaluator->expressions, EXPRESSION_POOL, clock, part, masked, value->expression,
                         &layer->node, &value->expression);
}

static void remove_pooled(struct value *value, int32_t axis, bool keep) {
  value->mask = NULL;
  value_remove_axis(value, axis);
  if (keep)
    value_insert_axis(value, axis, (struct axis){AXIS_REPEAT, 1, 0});
}

cuseq_status vectors_pool(struct evaluator *evaluator, const struct keras_layer *layer, bool maximum,
                          const int32_t *vectors, int32_t count, int32_t *made) {
  struct expressions *expressions = &evaluator->expressions;
  if (maximum)
    return expression_maximum(expressions, vectors, count, &layer->node, made);
  *made = vectors[0];
  if (count > 1)
    TRY(expression_several(expressions, EXPRESSION_ADD, vectors, count, &layer->node, made));
  return scale_make(evaluator, layer, 1.0 / count, *made, made);
}

/* Of single positions, or steps, one by one. */
static cuseq_status pool_steps(struct evaluator *evaluator, struct layer_call *call, int32_t part,
                               struct value *value) {
  const struct keras_layer *layer = call->layer;
  const struct expression steps = *expression_at(&evaluator->expressions, value->expression);
  TRY(vectors_pool(evaluator, layer, part == POOL_MAXIMUM, steps.children, steps.child_count,
                   &value->expression));
  remove_pooled(value, 1, json_is_true(json_object_get(layer->config, "keepdims")));
  return call_output(evaluator, call, value);
}

static cuseq_status pooling(struct evaluator *evaluator, struct layer_call *call, int32_t part) {
  TRY(call_arity(call, 1, 1));
  struct value value = call->inputs[0];
  char text[128];
  TRY(settings_channels_last(call->layer));
  if (value_has_axes(&evaluator->expressions, &value, "BSF"))
    return pool_steps(evaluator, call, part, &value);
  if (!value_has_axes(&evaluator->expressions, &value, "BTF"))
    return layer_refuse(call->layer, "it pools %s (needed [batch, time, features])",
                        value_describe(&evaluator->expressions, &value, text, sizeof text));
  bool masked =
      part == POOL_MEAN ? value.mask != NULL : padding_repeats(&evaluator->expressions, value.expression);
  TRY(pool(evaluator, call->layer, part, 1, masked, &value));
  remove_pooled(&value, 1, json_is_true(json_object_get(call->layer->config, "keepdims")));
  return call_output(evaluator, call, &value);
}

cuseq_status layer_average_pooling(struct evaluator *evaluator, struct layer_call *call) {
  return pooling(evaluator, call, POOL_MEAN);
}

cuseq_status layer_maximum_pooling(struct evaluator *evaluator, struct layer_call *call) {
  return pooling(evaluator, call, POOL_MAXIMUM);
}

/* ---- operations ----------------------------------------------------------------------------------- */

struct sum_map {
  const struct keras_layer *layer;
  double factor;
};

/* A vector's elements; those of two that were multiplied are an inner product. */
static cuseq_status sum_of(struct evaluator *evaluator, void *context, int32_t child, int32_t *expression) {
  const struct sum_map *map = context;
  struct expression product = *expression_at(&evaluator->expressions, child);
  bool inner = product.op == EXPRESSION_PRODUCT && product.child_count == 2;
  for (int32_t i = 0; inner && i < 2; i++)
    inner = expression_at(&evaluator->expressions, product.children[i])->width == product.width;
  TRY(inner ? expression_binary(&evaluator->expressions, EXPRESSION_DOT, product.children[0],
                                product.children[1], &map->layer->node, expression)
            : weighted_sum(evaluator, map->layer, NULL, child, expression));
  return scale_make(evaluator, map->layer, map->factor, *expression, expression);
}

static cuseq_status reduce(struct evaluator *evaluator, struct layer_call *call, int32_t part,
                           const char *what) {
  TRY(call_arity(call, 1, 1));
  struct value value = call->inputs[0];
  const json_t *setting = call_setting(call, "axis");
  const json_t *initial = call_setting(call, "initial");
  int32_t axis;
  if (setting == NULL || json_is_null(setting))
    return layer_refuse(call->layer, "its %s is over all axes (needed: one axis)", what);
  if (initial != NULL && !json_is_null(initial))
    return layer_refuse(call->layer, "its setting initial is nothing that cuseq can express");
  TRY(call_axis(call, &value, "axis", -1, &axis));
  const struct axis along = value.axes[axis];
  if (along.kind == AXIS_TIME) {
    TRY(pool(evaluator, call->layer, part, axis, false, &value));
  } else if (along.kind == AXIS_FEATURE && part != POOL_MAXIMUM) {
    int32_t width = expression_at(&evaluator->expressions, value.expression)->width;
    struct sum_map map = {call->layer, part == POOL_MEAN ? 1.0 / width : 1};
    TRY(value_map(evaluator, &value, sum_of, &map));
  } else {
    return layer_refuse(call->layer, "cuseq cannot express its %s over axis %d", what, axis);
  }
  remove_pooled(&value, axis, json_is_true(call_setting(call, "keepdims")));
  return call_output(evaluator, call, &value);
}

cuseq_status layer_sum(struct evaluator *evaluator, struct layer_call *call) {
  return reduce(evaluator, call, POOL_SUM, "sum");
}

cuseq_status layer_mean(struct evaluator *evaluator, struct layer_call *call) {
  return reduce(evaluator, call, POOL_MEAN, "mean");
}

cuseq_status layer_largest(struct evaluator *evaluator, struct layer_call *call) {
  return reduce(evaluator, call, POOL_MAXIMUM, "maximum");
}
