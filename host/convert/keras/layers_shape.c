/* Layers that rearrange: the same numbers under other axes, or several vectors as one. */
#include "convert/graph/lift.h"
#include "convert/keras/layers.h"
#include "error.h"

#include <string.h>

static cuseq_status no_room(const struct keras_layer *layer) {
  return layer_refuse(layer, "its result has too many axes");
}

cuseq_status layer_identity(struct evaluator *evaluator, struct layer_call *call) {
  TRY(call_arity(call, 1, 1));
  return call_output(evaluator, call, &call->inputs[0]);
}

cuseq_status layer_repeat_vector(struct evaluator *evaluator, struct layer_call *call) {
  TRY(call_arity(call, 1, 1));
  struct value value = call->inputs[0];
  int64_t count;
  TRY(layer_integer(call->layer, call->layer->config, "n", -1, &count));
  if (value.axis_count != 2 || count < 1)
    return layer_refuse(call->layer, "it repeats something that is no vector");
  value.mask = NULL;
  if (!value_insert_axis(&value, 1, (struct axis){AXIS_REPEAT, count, 0}))
    return no_room(call->layer);
  return call_output(evaluator, call, &value);
}

cuseq_status steps_of_vector(struct evaluator *evaluator, const struct keras_layer *layer, int32_t steps,
                             int32_t *expression) {
  struct expressions *expressions = &evaluator->expressions;
  const int32_t width = expression_at(expressions, *expression)->width / steps;
  int32_t *children = arena_allocate(evaluator->arena, (size_t)steps * sizeof *children);
  if (children == NULL)
    return error_out_of_memory();
  for (int32_t i = 0; i < steps; i++)
    TRY(expression_slice(expressions, *expression, i * width, width, &layer->node, &children[i]));
  return expression_several(expressions, EXPRESSION_STEPS, children, steps, &layer->node, expression);
}

cuseq_status vector_of_steps(struct evaluator *evaluator, const struct keras_layer *layer,
                             int32_t *expression) {
  const struct expression steps = *expression_at(&evaluator->expressions, *expression);
  *expression = steps.children[0];
  return steps.child_count == 1
             ? CUSEQ_STATUS_OK
             : expression_several(&evaluator->expressions, EXPRESSION_CONCAT, steps.children,
                                  steps.child_count, &layer->node, expression);
}

/* A vector as `steps` parts of it, one after the other. */
static cuseq_status take_apart(struct evaluator *evaluator, const struct keras_layer *layer, int32_t steps,
                               int32_t width, struct value *value) {
  TRY(steps_of_vector(evaluator, layer, steps, &value->expression));
  value->axes[1] = (struct axis){AXIS_STEP, steps, 0};
  value->axes[2] = axis_of_width(width);
  value->axis_count = 3;
  value->mask = NULL;
  return CUSEQ_STATUS_OK;
}

/* A vector [batch, n] as [batch, a, b]: the input is read so; of another one the parts are steps, as a
 * forecast of several is shaped behind its Dense layer. *done: it was such a vector. */
static cuseq_status shape_vector(struct evaluator *evaluator, struct layer_call *call, const int64_t *sizes,
                                 int32_t count, struct value *value, bool *done) {
  *value = call->inputs[0];
  const struct expression *e = expression_at(&evaluator->expressions, value->expression);
  *done = false;
  if (count != 2 || value->axis_count != 2 || value->axes[1].kind != AXIS_FEATURE || e->clocks != 0 ||
      e->op == EXPRESSION_STEPS)
    return CUSEQ_STATUS_OK;
  int64_t first = sizes[0], second = sizes[1], width = e->width;
  first = first == -1 && second > 0 ? width / second : first;
  second = second == -1 && first > 0 ? width / first : second;
  if (first < 2 || second < 1 || first > width || second > width || first * second != width || first == width)
    return CUSEQ_STATUS_OK;
  *done = true;
  return input_is_vector(evaluator, value)
             ? input_as_sequence(evaluator, first, (int32_t)second, value)
             : take_apart(evaluator, call->layer, (int32_t)first, (int32_t)second, value);
}

/* Keras 3's operation names the batch's axis too; the layer does not. */
cuseq_status layer_reshape(struct evaluator *evaluator, struct layer_call *call) {
  const json_t *shape = call_setting(call, "target_shape");
  bool with_batch = shape == NULL;
  shape = with_batch ? call_setting(call, "newshape") : shape;
  shape = shape == NULL ? call_setting(call, "shape") : shape;
  TRY(call_arity(call, 1, 1));
  int64_t sizes[VALUE_MAX_AXES];
  size_t first = with_batch ? 1 : 0, count = json_array_size(shape);
  if (count < first || count - first >= VALUE_MAX_AXES)
    return layer_refuse(call->layer, "its shape has %zu axes", count);
  bool open = false;
  for (size_t i = 0; i < count; i++) {
    const json_t *size = json_array_get(shape, i);
    if (!json_is_integer(size) && !json_is_null(size))
      return layer_refuse(call->layer, "its shape is no list of integers");
    int64_t value = json_is_null(size) ? -1 : json_integer_value(size);
    if (i < first)
      continue;
    sizes[i - first] = value;
    if (open && value == -1)
      return layer_refuse(call->layer, "its shape has several sizes that are not given");
    open = open || value == -1;
  }
  struct value value;
  bool done;
  TRY(shape_vector(evaluator, call, sizes, (int32_t)(count - first), &value, &done));
  if (done)
    return call_output(evaluator, call, &value);
  value = call->inputs[0];
  if (count - first == 2 && value_is_segments(&evaluator->expressions, &value))
    TRY(segments_join(evaluator, call->layer, &value)); /* a position's vectors are one */
  TRY(value_reshape(&evaluator->expressions, &call->layer->node, &value, sizes, (int32_t)(count - first),
                    &value));
  return call_output(evaluator, call, &value);
}

cuseq_status flatten_apply(struct evaluator *evaluator, const struct keras_layer *layer,
                           struct value *value) {
  const int32_t child = value->expression;
  struct expression made = {.op = EXPRESSION_FLAT,
                            .clock = value->axes[1].clock,
                            .index = (int32_t)value->axes[1].size,
                            .matrix = -1,
                            .bias = -1,
                            .node = &layer->node,
                            .child_count = 1,
                            .children = &child};
  if (made.index == 1) { /* the only one */
    made.op = EXPRESSION_POSITION;
    made.index = -1;
  }
  if (value->mask != NULL)
    return layer_refuse(layer, "it takes in the positions that '%.100s' masks, which cuseq cannot express",
                        value->mask->name);
  TRY(expression_make(&evaluator->expressions, &made, &value->expression));
  value->axes[1] = axis_of_width(expression_at(&evaluator->expressions, value->expression)->width);
  value->axis_count = 2;
  return CUSEQ_STATUS_OK;
}

bool flatten_fits(const struct evaluator *evaluator, const struct value *value) {
  const struct expressions *expressions = &evaluator->expressions;
  const struct expression *e = expression_at(expressions, value->expression);
  const struct axis *time = &value->axes[1];
  return value->axis_count > 1 && value->axes[0].kind == AXIS_BATCH && time->kind == AXIS_TIME &&
         time->size > 0 && time->size <= 1 << 20 && e->clocks == (uint32_t)1 << time->clock &&
         !expressions->clocks[time->clock].repeats;
}

/* channels_first moves the first axis behind the others before it flattens, which matters where there are
 * several. */
cuseq_status layer_flatten(struct evaluator *evaluator, struct layer_call *call) {
  TRY(call_arity(call, 1, 1));
  int64_t all = -1;
  int32_t long_axes = 0;
  for (int32_t i = 1; i < call->inputs[0].axis_count; i++)
    long_axes += call->inputs[0].axes[i].kind != AXIS_REPEAT || call->inputs[0].axes[i].size != 1;
  if (long_axes > 1)
    TRY(settings_channels_last(call->layer));
  struct value value = call->inputs[0];
  if (value_has_axes(&evaluator->expressions, &value, "BTF") && value.axes[2].kind == AXIS_FEATURE &&
      flatten_fits(evaluator, &value)) {
    TRY(flatten_apply(evaluator, call->layer, &value));
    return call_output(evaluator, call, &value);
  }
  if (value_has_axes(&evaluator->expressions, &value, "BSF") &&
      expression_at(&evaluator->expressions, value.expression)->op == EXPRESSION_STEPS) {
    TRY(vector_of_steps(evaluator, call->layer, &value.expression));
    value.axes[1] = axis_of_width(expression_at(&evaluator->expressions, value.expression)->width);
    value.axis_count = 2;
    return call_output(evaluator, call, &value);
  }
  TRY(value_reshape(&evaluator->expressions, &call->layer->node, &call->inputs[0], &all, 1, &value));
  return call_output(evaluator, call, &value);
}

/* Repeat, and TensorFlow's repeat and tile, of an axis of one entry: a list has a number for every axis. */
cuseq_status layer_repeat(struct evaluator *evaluator, struct layer_call *call) {
  TRY(call_arity(call, 1, 1));
  struct value value = call->inputs[0];
  const json_t *multiples = call_setting(call, "multiples"), *repeats = call_setting(call, "repeats");
  int32_t at = -1;
  int64_t count = json_integer_value(repeats);
  if (repeats != NULL && call_setting(call, "axis") != NULL)
    TRY(call_axis(call, &value, "axis", -1, &at));
  for (size_t i = 0; i < json_array_size(multiples); i++) {
    const json_t *one = json_array_get(multiples, i);
    if (json_is_integer(one) && json_integer_value(one) == 1)
      continue;
    at = at < 0 && json_is_integer(one) ? (int32_t)i : INT16_MAX;
    count = json_integer_value(one);
  }
  if (at < 1 || at >= value.axis_count || count < 1 || value.axes[at].kind != AXIS_REPEAT ||
      value.axes[at].size != 1)
    return layer_refuse(call->layer, "cuseq can express repetitions along one axis of one entry only");
  value.mask = NULL;
  value.axes[at].size = count;
  return call_output(evaluator, call, &value);
}

static cuseq_status permute(struct evaluator *evaluator, struct layer_call *call, const json_t *order,
                            int64_t base) {
  TRY(call_arity(call, 1, 1));
  const struct value *given = &call->inputs[0];
  struct value value = *given;
  value.mask = NULL;
  bool used[VALUE_MAX_AXES] = {false};
  int32_t first = (int32_t)base;
  bool fits = (int32_t)json_array_size(order) == given->axis_count - first;
  for (int32_t i = first; fits && i < given->axis_count; i++) {
    const json_t *from = json_array_get(order, (size_t)(i - first));
    int32_t axis = json_is_integer(from) ? value_axis(given, json_integer_value(from)) : -1;
    fits = axis >= first && !used[axis];
    if (fits) {
      used[axis] = true;
      value.axes[i] = given->axes[axis];
    }
  }
  if (!fits || value.axes[0].kind != AXIS_BATCH)
    return layer_refuse(call->layer, "its order of the axes is nothing that cuseq can express");
  return call_output(evaluator, call, &value);
}

cuseq_status layer_permute(struct evaluator *evaluator, struct layer_call *call) {
  return permute(evaluator, call, json_object_get(call->layer->config, "dims"), 1);
}

cuseq_status layer_transpose(struct evaluator *evaluator, struct layer_call *call) {
  const json_t *axes = call_setting(call, "axes");
  return permute(evaluator, call, axes != NULL ? axes : call_setting(call, "perm"), 0);
}

cuseq_status layer_expand_dims(struct evaluator *evaluator, struct layer_call *call) {
  TRY(call_arity(call, 1, 1));
  struct value value = call->inputs[0];
  const json_t *axis = call_setting(call, "axis");
  if (json_array_size(axis) == 1)
    axis = json_array_get(axis, 0);
  if (!json_is_integer(axis))
    return layer_refuse(call->layer, "its setting axis is not one axis");
  int64_t at = json_integer_value(axis);
  at = at < 0 ? at + value.axis_count + 1 : at;
  if (at < 1 || at > value.axis_count)
    return layer_refuse(call->layer, "its axis is not among those of what it is given");
  if (!value_insert_axis(&value, (int32_t)at, (struct axis){AXIS_REPEAT, 1, 0}))
    return no_room(call->layer);
  return call_output(evaluator, call, &value);
}

cuseq_status layer_squeeze(struct evaluator *evaluator, struct layer_call *call) {
  TRY(call_arity(call, 1, 1));
  struct value value = call->inputs[0];
  int32_t axis;
  if (json_is_null(call_setting(call, "axis")) || call_setting(call, "axis") == NULL)
    return layer_refuse(call->layer, "which axes it removes is not said (needed one axis)");
  TRY(call_axis(call, &value, "axis", -1, &axis));
  if (value.axes[axis].kind != AXIS_REPEAT || value.axes[axis].size != 1)
    return layer_refuse(call->layer, "it removes an axis of more than one entry");
  value_remove_axis(&value, axis);
  return call_output(evaluator, call, &value);
}

/* ---- several as one ------------------------------------------------------------------------------- */

/* Along the features: the other axes line up, and the expressions lie side by side. */
static cuseq_status concatenate_features(struct evaluator *evaluator, struct layer_call *call, int32_t axis) {
  struct expressions *expressions = &evaluator->expressions;
  int32_t *children = arena_allocate(evaluator->arena, call->input_count * sizeof *children);
  if (children == NULL)
    return error_out_of_memory();
  if (call->input_count == 2)
    TRY(value_pair(expressions, &call->layer->node, &call->inputs[0], &call->inputs[1]));
  struct value result = call->inputs[0];
  for (size_t i = 0; i < call->input_count; i++) {
    struct value other = call->inputs[i];
    char text[128];
    if (!value_is_feature_axis(expressions, &other, axis) || other.axis_count != result.axis_count)
      return layer_refuse(call->layer, "it joins %s along axis %d, which cuseq cannot express",
                          value_describe(expressions, &other, text, sizeof text), axis);
    TRY(value_align(expressions, &call->layer->node, &result, &other));
    children[i] = other.expression;
    other.axes[axis] = result.axes[axis]; /* any widths go together */
    struct value wide = result;
    wide.expression = other.expression;
    TRY(value_broadcast(expressions, &call->layer->node, &wide, &other, &wide));
    wide.expression = result.expression;
    wide.mask = result.mask != NULL ? result.mask : other.mask;
    result = wide;
  }
  int32_t lifted = -1, clock; /* energies of the positions, one beside the other, are [batch, time] */
  if (result.axis_count == 2 && expression_at(expressions, children[0])->width == 1)
    TRY(expression_lift(expressions, children, (int32_t)call->input_count, &lifted, &clock));
  if (lifted >= 0) {
    result.expression = lifted;
    result.axes[axis] = (struct axis){AXIS_TIME, (int64_t)call->input_count, clock};
    return call_output(evaluator, call, &result);
  }
  TRY(expression_several(expressions, EXPRESSION_CONCAT, children, (int32_t)call->input_count,
                         &call->layer->node, &result.expression));
  int32_t width = expression_at(expressions, result.expression)->width;
  result.axes[axis] = width == 1 ? (struct axis){AXIS_REPEAT, 1, 0} : (struct axis){AXIS_FEATURE, width, 0};
  return call_output(evaluator, call, &result);
}

/* Along an axis of one entry each: successive steps of the decoder, or what is made of each position by
 * itself. */
static cuseq_status concatenate_steps(struct evaluator *evaluator, struct layer_call *call, int32_t axis,
                                      bool insert) {
  struct expressions *expressions = &evaluator->expressions;
  struct value result = call->inputs[0];
  int32_t *children = arena_allocate(evaluator->arena, call->input_count * sizeof *children);
  if (children == NULL)
    return error_out_of_memory();
  struct axis steps = {AXIS_STEP, (int64_t)call->input_count, 0};
  if (insert && !value_insert_axis(&result, axis, steps))
    return no_room(call->layer);
  result.axes[axis] = steps;
  for (size_t i = 0; i < call->input_count; i++) {
    struct value other = call->inputs[i];
    const struct expression *e = expression_at(expressions, other.expression);
    bool fits = insert ? value_insert_axis(&other, axis, steps)
                       : axis < other.axis_count && other.axes[axis].kind == AXIS_REPEAT &&
                             other.axes[axis].size == 1;
    other.axes[axis] = steps;
    fits = fits && other.axis_count == result.axis_count && e->op != EXPRESSION_STEPS &&
           e->width == expression_at(expressions, call->inputs[0].expression)->width;
    for (int32_t k = 0; fits && k < result.axis_count; k++)
      fits = other.axes[k].kind == result.axes[k].kind && other.axes[k].size == result.axes[k].size;
    if (!fits)
      return layer_refuse(call->layer, "it joins tensors of different shapes");
    children[i] = other.expression;
  }
  int32_t lifted, clock;
  TRY(expression_lift(expressions, children, (int32_t)call->input_count, &lifted, &clock));
  if (lifted >= 0) {
    result.expression = lifted;
    result.axes[axis] = (struct axis){AXIS_TIME, (int64_t)call->input_count, clock};
    return call_output(evaluator, call, &result);
  }
  TRY(expression_several(expressions, EXPRESSION_STEPS, children, (int32_t)call->input_count,
                         &call->layer->node, &result.expression));
  return call_output(evaluator, call, &result);
}

cuseq_status layer_concatenate(struct evaluator *evaluator, struct layer_call *call) {
  TRY(call_arity(call, 1, SIZE_MAX));
  const struct value *first = &call->inputs[0];
  int32_t axis;
  TRY(call_axis(call, first, "axis", -1, &axis));
  const struct axis *along = &first->axes[axis];
  bool single = along->kind == AXIS_REPEAT && along->size == 1;
  if (single && axis + 1 < first->axis_count)
    return concatenate_steps(evaluator, call, axis, false);
  return concatenate_features(evaluator, call, axis);
}

cuseq_status layer_stack(struct evaluator *evaluator, struct layer_call *call) {
  TRY(call_arity(call, 1, SIZE_MAX));
  const json_t *axis = call_setting(call, "axis");
  if (axis != NULL && !json_is_integer(axis))
    return layer_refuse(call->layer, "its setting axis is not one axis");
  int64_t at = axis != NULL ? json_integer_value(axis) : 0;
  int32_t count = call->inputs[0].axis_count;
  at = at < 0 ? at + count + 1 : at;
  if (at < 1 || at > count)
    return layer_refuse(call->layer, "it stacks along an axis that cuseq cannot express");
  return concatenate_steps(evaluator, call, (int32_t)at, true);
}
