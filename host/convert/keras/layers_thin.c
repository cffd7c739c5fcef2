/* Layers that give fewer positions than they read, or more: poolings, what a convolution with strides reads,
 * positions left out or added at the ends. */
#include "convert/keras/layers.h"
#include "error.h"

#include <string.h>

enum { MOST_POSITIONS = 1024 };

/* Positions `index`, index + stride, ... of a sequence. */
static cuseq_status thin(struct evaluator *evaluator, const struct keras_layer *layer, int32_t clock,
                         int32_t index, int32_t child, int32_t *expression) {
  struct expression made = {.op = EXPRESSION_THIN,
                            .clock = clock,
                            .index = index,
                            .matrix = -1,
                            .bias = -1,
                            .node = &layer->node,
                            .child_count = 1,
                            .children = &child};
  return expression_make(&evaluator->expressions, &made, expression);
}

/* Every stride-th position, as long as `reach` positions are left. */
cuseq_status thin_apply(struct evaluator *evaluator, const struct keras_layer *layer, int64_t reach,
                        int64_t stride, struct value *value) {
  struct axis *time = &value->axes[1];
  const struct graph_node *mask =
      value->mask != NULL ? value->mask : masked_below(&evaluator->expressions, value->expression);
  if (mask != NULL)
    return layer_refuse(layer, "it takes positions together of a sequence that '%.100s' masks", mask->name);
  if (reach < 1 || stride < 1 || reach > MOST_POSITIONS || stride > MOST_POSITIONS)
    return layer_refuse(layer, "it takes %lld positions together every %lld (at most %d)", (long long)reach,
                        (long long)stride, MOST_POSITIONS);
  if (time->size >= 0 && time->size < reach)
    return layer_refuse(layer, "it needs more positions than the %lld that there are", (long long)time->size);
  TRY(clock_thin(&evaluator->expressions, &layer->node, time->clock, (int32_t)stride, (int32_t)reach,
                 &time->clock));
  time->size = time->size < 0 ? -1 : (time->size - reach) / stride + 1;
  return thin(evaluator, layer, time->clock, 0, value->expression, &value->expression);
}

/* The `reach` positions of each of the windows that begin every `stride` positions.
 *   parts  [reach] receives them; *value becomes the first one */
static cuseq_status windows(struct evaluator *evaluator, const struct keras_layer *layer, int64_t reach,
                            int64_t stride, struct value *value, int32_t **parts) {
  const int32_t child = value->expression;
  TRY(thin_apply(evaluator, layer, reach, stride, value));
  *parts = arena_allocate(evaluator->arena, (size_t)reach * sizeof **parts);
  if (*parts == NULL)
    return error_out_of_memory();
  (*parts)[0] = value->expression;
  for (int32_t i = 1; i < reach; i++)
    TRY(thin(evaluator, layer, value->axes[1].clock, i, child, &(*parts)[i]));
  return CUSEQ_STATUS_OK;
}

cuseq_status thin_window(struct evaluator *evaluator, const struct keras_layer *layer, int64_t reach,
                         int64_t stride, struct value *value) {
  int32_t *parts;
  TRY(windows(evaluator, layer, reach, stride, value, &parts));
  return expression_several(&evaluator->expressions, EXPRESSION_CONCAT, parts, (int32_t)reach, &layer->node,
                            &value->expression);
}

/* Padding "same" adds nothing where windows do not overlap and the last one is whole. */
static cuseq_status check_padding(const struct keras_layer *layer, int64_t size, int64_t stride,
                                  const struct value *value) {
  const char *padding = json_string_value(json_object_get(layer->config, "padding"));
  const int64_t time = value->axes[1].size;
  if (padding != NULL && strcmp(padding, "valid") == 0)
    return CUSEQ_STATUS_OK;
  if (padding == NULL || strcmp(padding, "same") != 0)
    return layer_refuse(layer, "its padding is not known (needed same or valid)");
  if (size > stride || (time >= 0 && time % stride != 0))
    return layer_refuse(
        layer,
        "its padding same takes less than %lld positions together at the sequence's ends, which "
        "cuseq cannot express (needed valid)",
        (long long)size);
  return CUSEQ_STATUS_OK;
}

static cuseq_status pool(struct evaluator *evaluator, struct layer_call *call, bool maximum) {
  const struct keras_layer *layer = call->layer;
  TRY(call_arity(call, 1, 1));
  struct value value = call->inputs[0];
  char text[128];
  int64_t size, stride;
  int32_t *parts;
  TRY(settings_channels_last(layer));
  TRY(settings_size(layer, "pool_size", -1, &size));
  TRY(settings_size(layer, "strides", size, &stride));
  if (!value_has_axes(&evaluator->expressions, &value, "BTF") ||
      expression_at(&evaluator->expressions, value.expression)->clocks == 0)
    return layer_refuse(layer, "it pools %s (needed [batch, time, features])",
                        value_describe(&evaluator->expressions, &value, text, sizeof text));
  TRY(check_padding(layer, size, stride, &value));
  TRY(windows(evaluator, layer, size, stride, &value, &parts));
  TRY(vectors_pool(evaluator, layer, maximum, parts, (int32_t)size, &value.expression));
  return call_output(evaluator, call, &value);
}

cuseq_status layer_pool_maximum(struct evaluator *evaluator, struct layer_call *call) {
  return pool(evaluator, call, true);
}

cuseq_status layer_pool_mean(struct evaluator *evaluator, struct layer_call *call) {
  return pool(evaluator, call, false);
}

/* ---- positions at the ends ------------------------------------------------------------------------ */

cuseq_status crop_apply(struct evaluator *evaluator, const struct keras_layer *layer, int64_t first,
                        int64_t last, struct value *value) {
  const int32_t child = value->expression, width = expression_at(&evaluator->expressions, child)->width;
  if (first < 0 || last < 0 || first + last > MOST_POSITIONS)
    return layer_refuse(layer, "it leaves out %lld and %lld positions (at most %d)", (long long)first,
                        (long long)last, MOST_POSITIONS);
  if (value->axes[1].size > 1 && value->axes[1].size - first - last == 1) { /* the only one that is left */
    TRY(position_apply(evaluator, layer, 1, first, value));
    return value_insert_axis(value, 1, (struct axis){AXIS_REPEAT, 1, 0})
               ? CUSEQ_STATUS_OK
               : layer_refuse(layer, "its result has too many axes");
  }
  const struct graph_node *mask =
      value->mask != NULL ? value->mask : masked_below(&evaluator->expressions, child);
  if (mask != NULL)
    return layer_refuse(layer, "it leaves out positions of a sequence that '%.100s' masks", mask->name);
  if (first + last == 0)
    return CUSEQ_STATUS_OK;
  struct expression made = {.op = EXPRESSION_WINDOW,
                            .clock = value->axes[1].clock,
                            .index = (int32_t)(first + last),
                            .matrix = -1,
                            .bias = -1,
                            .node = &layer->node,
                            .child_count = 1,
                            .children = &child};
  TRY(expression_make(&evaluator->expressions, &made, &value->expression));
  TRY(cut_apply(evaluator, layer, (int32_t)(first + last), value));
  return expression_slice(&evaluator->expressions, value->expression, (int32_t)first * width, width,
                          &layer->node, &value->expression);
}

/* Which position of how many a child of STEPS is; false: it is something else. */
static bool position_of(const struct expressions *expressions, int32_t expression,
                        struct expression *position, int64_t *at) {
  *position = *expression_at(expressions, expression);
  if (position->op != EXPRESSION_POSITION)
    return false;
  const int64_t length = expressions->clocks[position->clock].length;
  *at = position->index < 0 ? position->index + length : position->index;
  return length >= 0;
}

cuseq_status steps_as_sequence(struct evaluator *evaluator, const struct keras_layer *layer,
                               struct value *value) {
  const struct expressions *expressions = &evaluator->expressions;
  const struct expression steps = *expression_at(expressions, value->expression);
  struct expression first, other;
  int64_t start, at;
  if (steps.op != EXPRESSION_STEPS || !value_has_axes(expressions, value, "BSF") ||
      !position_of(expressions, steps.children[0], &first, &start))
    return CUSEQ_STATUS_OK;
  for (int32_t i = 1; i < steps.child_count; i++)
    if (!position_of(expressions, steps.children[i], &other, &at) || at != start + i ||
        other.clock != first.clock || other.children[0] != first.children[0])
      return CUSEQ_STATUS_OK;
  const int64_t length = expressions->clocks[first.clock].length;
  if (expression_at(expressions, first.children[0])->clocks != (uint32_t)1 << first.clock)
    return CUSEQ_STATUS_OK;
  value->expression = first.children[0];
  value->axes[1] = (struct axis){AXIS_TIME, length, first.clock};
  return crop_apply(evaluator, layer, start, length - start - steps.child_count, value);
}

/* The two numbers of a setting, which may also be one. */
static cuseq_status read_pair(const struct keras_layer *layer, const char *key, int64_t *first,
                              int64_t *last) {
  const json_t *setting = json_object_get(layer->config, key);
  const json_t *one = json_array_size(setting) == 2 ? json_array_get(setting, 0) : setting;
  const json_t *other = json_array_size(setting) == 2 ? json_array_get(setting, 1) : setting;
  if (!json_is_integer(one) || !json_is_integer(other) || json_integer_value(one) < 0 ||
      json_integer_value(other) < 0 || json_integer_value(one) > MOST_POSITIONS ||
      json_integer_value(other) > MOST_POSITIONS)
    return layer_refuse(layer, "its setting %s is not two numbers from 0 to %d", key, MOST_POSITIONS);
  *first = json_integer_value(one);
  *last = json_integer_value(other);
  return CUSEQ_STATUS_OK;
}

static cuseq_status sequence_of(struct evaluator *evaluator, const struct layer_call *call,
                                struct value *value) {
  char text[128];
  TRY(call_arity(call, 1, 1));
  *value = call->inputs[0];
  if (value_has_axes(&evaluator->expressions, value, "BTF") &&
      expression_at(&evaluator->expressions, value->expression)->clocks != 0)
    return CUSEQ_STATUS_OK;
  return layer_refuse(call->layer, "it reads %s, which is no sequence",
                      value_describe(&evaluator->expressions, value, text, sizeof text));
}

cuseq_status layer_cropping(struct evaluator *evaluator, struct layer_call *call) {
  struct value value;
  int64_t first = 0, last = 0;
  TRY(sequence_of(evaluator, call, &value));
  TRY(read_pair(call->layer, "cropping", &first, &last));
  TRY(crop_apply(evaluator, call->layer, first, last, &value));
  return call_output(evaluator, call, &value);
}

cuseq_status layer_zero_padding(struct evaluator *evaluator, struct layer_call *call) {
  struct value value;
  int64_t first = 0, last = 0;
  TRY(settings_channels_last(call->layer));
  TRY(sequence_of(evaluator, call, &value));
  TRY(read_pair(call->layer, "padding", &first, &last));
  if (first + last == 0)
    return call_output(evaluator, call, &value);
  if (value.mask != NULL)
    return layer_refuse(call->layer, "it pads a sequence that '%.100s' masks", value.mask->name);
  const int32_t child = value.expression;
  struct expression made = {.op = EXPRESSION_PAD,
                            .index = (int32_t)first,
                            .part = (int32_t)last,
                            .matrix = -1,
                            .bias = -1,
                            .node = &call->layer->node,
                            .child_count = 1,
                            .children = &child};
  struct axis *time = &value.axes[1];
  time->size = time->size < 0 ? -1 : time->size + first + last;
  struct graph_node *node;
  TRY(node_copy(evaluator->expressions.arena, &call->layer->node, &node));
  TRY(clock_make(&evaluator->expressions, node, time->size, false, &made.clock));
  time->clock = made.clock;
  TRY(expression_make(&evaluator->expressions, &made, &value.expression));
  return call_output(evaluator, call, &value);
}
