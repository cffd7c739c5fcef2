/* Parts of tensors: a[:, -1], a[:, :, 2:4], take, split, unstack, and the positions turned around. */
#include "convert/graph/lift.h"
#include "convert/keras/layers.h"
#include "error.h"

#include <string.h>

enum { MOST_POSITIONS = 16 };

static const char a_part[] = "cuseq cannot express a part of the positions other than a few of them, or all";

/* ---- one axis ------------------------------------------------------------------------------------- */

struct feature_range {
  int32_t first, width;
  const struct keras_layer *layer;
};

static cuseq_status slice_features(struct evaluator *evaluator, void *context, int32_t child,
                                   int32_t *expression) {
  const struct feature_range *part = context;
  return expression_slice(&evaluator->expressions, child, part->first, part->width, &part->layer->node,
                          expression);
}

/* Elements first .. first + width - 1 of the vectors; the axis becomes that of so many. */
static cuseq_status take_features(struct evaluator *evaluator, const struct keras_layer *layer, int32_t axis,
                                  int64_t first, int64_t width, struct value *value) {
  struct feature_range part = {(int32_t)first, (int32_t)width, layer};
  TRY(value_map(evaluator, value, slice_features, &part));
  value->axes[axis] = axis_of_width((int32_t)width);
  return CUSEQ_STATUS_OK;
}

/* Steps first .. first + count - 1; one of them has no axis of steps, but one of one entry. */
static cuseq_status take_steps(struct evaluator *evaluator, const struct keras_layer *layer, int32_t axis,
                               int64_t first, int64_t count, struct value *value) {
  struct expression steps = *expression_at(&evaluator->expressions, value->expression);
  if (steps.op != EXPRESSION_STEPS || first < 0 || count < 1 || first > steps.child_count - count)
    return layer_refuse(layer, "it takes steps that there are not");
  value->axes[axis] = count == 1 ? (struct axis){AXIS_REPEAT, 1, 0} : (struct axis){AXIS_STEP, count, 0};
  if (count == 1) {
    value->expression = steps.children[first];
    return CUSEQ_STATUS_OK;
  }
  return expression_several(&evaluator->expressions, EXPRESSION_STEPS, steps.children + first, (int32_t)count,
                            &layer->node, &value->expression);
}

/* The last output of a layer that reads forwards is its final state, whatever is masked behind a row's end;
 * what others give at a position that may be masked depends on how Keras fills those. */
cuseq_status position_apply(struct evaluator *evaluator, const struct keras_layer *layer, int32_t axis,
                            int64_t position, struct value *value) {
  struct expressions *expressions = &evaluator->expressions;
  int64_t size = value->axes[axis].size;
  int32_t clock = value->axes[axis].clock;
  if (position > INT16_MAX || position < -INT16_MAX || (size >= 0 && (position >= size || position < -size)))
    return layer_refuse(layer, "it takes position %lld, which there is not", (long long)position);
  position = size >= 0 && position == size - 1 ? -1 : size >= 0 && position == -size ? 0 : position;
  if (value->mask != NULL || masked_below(expressions, value->expression) != NULL) {
    bool last = position == -1 && padding_repeats(expressions, value->expression);
    if (position != 0 && !last)
      return layer_refuse(layer,
                          "it takes a position that may be masked, where Keras gives no row's own last one");
  }
  TRY(expression_position(expressions, clock, position, value->expression, &layer->node, &value->expression));
  value->mask = NULL;
  value_remove_axis(value, axis);
  return CUSEQ_STATUS_OK;
}

/* The single entry `at` of an axis, which goes. */
static cuseq_status take_one(struct evaluator *evaluator, const struct keras_layer *layer, int32_t axis,
                             int64_t at, struct value *value) {
  const struct axis along = value->axes[axis];
  int64_t size = along.kind == AXIS_FEATURE ? expression_at(&evaluator->expressions, value->expression)->width
                                            : along.size;
  if (along.kind == AXIS_BATCH)
    return layer_refuse(layer, "it takes one row of the batch, which cuseq cannot express");
  if (along.kind == AXIS_TIME)
    return position_apply(evaluator, layer, axis, at, value);
  int64_t from_start = at < 0 ? at + size : at;
  if (size < 0 || from_start < 0 || from_start >= size)
    return layer_refuse(layer, "it takes entry %lld of an axis of %lld", (long long)at, (long long)size);
  if (along.kind == AXIS_FEATURE)
    TRY(take_features(evaluator, layer, axis, from_start, 1, value));
  if (along.kind == AXIS_STEP)
    TRY(take_steps(evaluator, layer, axis, from_start, 1, value));
  value->mask = NULL;
  value_remove_axis(value, axis);
  return CUSEQ_STATUS_OK;
}

static cuseq_status reverse(struct evaluator *evaluator, const struct keras_layer *layer, int32_t axis,
                            struct value *value) {
  if (value->axes[axis].kind == AXIS_REPEAT)
    return CUSEQ_STATUS_OK;
  if (value->axes[axis].kind != AXIS_TIME)
    return layer_refuse(layer, "it turns another axis around than that of the positions");
  if (value->mask != NULL || masked_below(&evaluator->expressions, value->expression) != NULL)
    return layer_refuse(layer, "it turns masked positions around: padding would come first");
  return expression_over(&evaluator->expressions, EXPRESSION_REVERSE, value->axes[axis].clock, 0, false,
                         value->expression, &layer->node, &value->expression);
}

/* ---- a[start:stop:step] --------------------------------------------------------------------------- */

/* A bound of a slice that is there and is no number is refused by the caller. */
static bool read_bound(const json_t *slice, const char *key, int64_t *bound, bool *there) {
  const json_t *json = json_object_get(slice, key);
  *there = json != NULL && !json_is_null(json);
  *bound = *there ? json_integer_value(json) : 0;
  return !*there || json_is_integer(json);
}

/* Positions first .. first + count - 1, from the end where they are negative: steps, or one of them an axis
 * of one entry. */
static cuseq_status take_positions(struct evaluator *evaluator, const struct keras_layer *layer, int32_t axis,
                                   int64_t first, int64_t count, struct value *value) {
  int32_t children[MOST_POSITIONS];
  const struct value whole = *value;
  if (count > MOST_POSITIONS)
    return layer_refuse(layer, a_part);
  for (int64_t i = 0; i < count; i++) {
    *value = whole;
    TRY(position_apply(evaluator, layer, axis, first + i, value));
    children[i] = value->expression;
  }
  if (count > 1)
    TRY(expression_several(&evaluator->expressions, EXPRESSION_STEPS, children, (int32_t)count, &layer->node,
                           &value->expression));
  value_insert_axis(value, axis,
                    count > 1 ? (struct axis){AXIS_STEP, count, 0} : (struct axis){AXIS_REPEAT, 1, 0});
  return CUSEQ_STATUS_OK;
}

/* A position of an axis of `size` as Python takes slices' bounds. */
static int64_t bounded(int64_t at, int64_t size) {
  at = at < 0 ? at + size : at;
  return at < 0 ? 0 : at > size ? size : at;
}

/* The axis stays, with fewer entries. */
static cuseq_status take_range(struct evaluator *evaluator, const struct keras_layer *layer, int32_t axis,
                               const json_t *slice, struct value *value) {
  int64_t start, stop, step;
  bool starts, stops, steps;
  if (!read_bound(slice, "start", &start, &starts) || !read_bound(slice, "stop", &stop, &stops) ||
      !read_bound(slice, "step", &step, &steps))
    return layer_refuse(layer, "it takes a part whose bounds are no integers");
  const struct axis along = value->axes[axis];
  int64_t size = along.kind == AXIS_FEATURE ? expression_at(&evaluator->expressions, value->expression)->width
                                            : along.size;
  step = steps ? step : 1;
  if (step == -1 && !starts && !stops)
    return reverse(evaluator, layer, axis, value);
  if (step == 1 && (!starts || start == 0) && !stops)
    return CUSEQ_STATUS_OK;
  if (step != 1)
    return layer_refuse(layer, "it takes every %lldth entry, which cuseq cannot express", (long long)step);
  if (size < 0 && along.kind == AXIS_TIME && starts && start < 0 && start >= -MOST_POSITIONS && !stops)
    return take_positions(evaluator, layer, axis, start, -start, value);
  if (size < 0 && along.kind == AXIS_TIME && axis == 1 && (!starts || start >= 0) && (!stops || stop < 0))
    return crop_apply(evaluator, layer, starts ? start : 0, stops ? -stop : 0, value);
  if (along.kind == AXIS_BATCH || size < 0)
    return layer_refuse(layer, along.kind == AXIS_TIME ? a_part : "it takes a part of the batch");
  int64_t first = starts ? bounded(start, size) : 0, end = stops ? bounded(stop, size) : size;
  if (end <= first)
    return layer_refuse(layer, "it takes a part that has no entries");
  if (first == 0 && end == size)
    return CUSEQ_STATUS_OK;
  if (along.kind == AXIS_TIME) {
    const bool late = first >= size - first; /* the nearer end, from which fewer are counted */
    if (end - first > MOST_POSITIONS && axis == 1)
      return crop_apply(evaluator, layer, first, size - end, value);
    return take_positions(evaluator, layer, axis, late ? first - size : first, end - first, value);
  }
  value->mask = NULL;
  if (along.kind == AXIS_FEATURE)
    return take_features(evaluator, layer, axis, first, end - first, value);
  if (along.kind == AXIS_STEP)
    return take_steps(evaluator, layer, axis, first, end - first, value);
  if (along.kind == AXIS_REPEAT)
    value->axes[axis].size = end - first;
  return CUSEQ_STATUS_OK;
}

/* ---- a[...] --------------------------------------------------------------------------------------- */

enum item_kind { ITEM_INDEX, ITEM_RANGE, ITEM_NEW_AXIS, ITEM_ELLIPSIS, ITEM_UNKNOWN };

/* What an entry of an index says; *range receives the object that has its bounds. */
static enum item_kind item_kind(const json_t *item, const json_t **range) {
  const char *class_name = json_string_value(json_object_get(item, "class_name"));
  *range = item;
  if (json_is_integer(item))
    return ITEM_INDEX;
  if (json_is_null(item))
    return ITEM_NEW_AXIS;
  if (class_name != NULL && strcmp(class_name, "__ellipsis__") == 0)
    return ITEM_ELLIPSIS;
  if (class_name != NULL && strcmp(class_name, "__slice__") == 0) {
    *range = json_object_get(item, "config");
    return ITEM_RANGE;
  }
  return json_object_get(item, "start") != NULL && json_object_get(item, "stop") != NULL ? ITEM_RANGE
                                                                                         : ITEM_UNKNOWN;
}

/* One entry of the index at *axis, which is moved behind what it leaves. */
static cuseq_status apply_item(struct evaluator *evaluator, const struct keras_layer *layer,
                               const json_t *item, int32_t left, int32_t *axis, struct value *value) {
  const json_t *range;
  enum item_kind kind = item_kind(item, &range);
  if (kind == ITEM_UNKNOWN)
    return layer_refuse(layer, "its index has an entry that is no integer, slice, None or ellipsis");
  if (kind == ITEM_ELLIPSIS) {
    *axis = value->axis_count - left;
    return CUSEQ_STATUS_OK;
  }
  if (kind == ITEM_NEW_AXIS) {
    if (*axis < 1 || !value_insert_axis(value, *axis, (struct axis){AXIS_REPEAT, 1, 0}))
      return layer_refuse(layer, "it adds an axis where cuseq cannot express one");
    ++*axis;
    return CUSEQ_STATUS_OK;
  }
  if (*axis >= value->axis_count)
    return layer_refuse(layer, "its index has more entries than what it is given has axes");
  if (kind == ITEM_INDEX)
    return take_one(evaluator, layer, *axis, json_integer_value(item), value);
  TRY(take_range(evaluator, layer, *axis, range, value));
  ++*axis;
  return CUSEQ_STATUS_OK;
}

/* Keras 3's GetItem has the index behind the tensor; TensorFlow's getitem has it as slice_spec. */
cuseq_status layer_get_item(struct evaluator *evaluator, struct layer_call *call) {
  TRY(call_arity(call, 1, 1));
  const json_t *index = call_setting(call, "slice_spec");
  for (size_t i = 1; index == NULL && i < call->call->count; i++)
    if (call->call->arguments[i].kind == ARGUMENT_CONSTANT && call->call->arguments[i].key == NULL)
      index = call->call->arguments[i].constant;
  struct value value = call->inputs[0];
  size_t count = json_is_array(index) ? json_array_size(index) : 1;
  if (index == NULL)
    return layer_refuse(call->layer, "which part it takes is not said");
  int32_t axis = 0, consuming = 0;
  for (size_t i = 0; i < count; i++) {
    const json_t *range, *item = json_is_array(index) ? json_array_get(index, i) : index;
    enum item_kind kind = item_kind(item, &range);
    consuming += kind == ITEM_INDEX || kind == ITEM_RANGE;
  }
  for (size_t i = 0; i < count; i++) {
    const json_t *range, *item = json_is_array(index) ? json_array_get(index, i) : index;
    enum item_kind kind = item_kind(item, &range);
    consuming -= kind == ITEM_INDEX || kind == ITEM_RANGE;
    TRY(apply_item(evaluator, call->layer, item, consuming, &axis, &value));
  }
  return call_output(evaluator, call, &value);
}

/* ---- take, split, unstack, flip ------------------------------------------------------------------- */

/* One index takes its axis away; a list of one leaves it, as does a row of successive features. */
cuseq_status layer_take(struct evaluator *evaluator, struct layer_call *call) {
  TRY(call_arity(call, 1, 1));
  struct value value = call->inputs[0];
  const json_t *indices = call_setting(call, "indices");
  const json_t *batches = call_setting(call, "batch_dims");
  int32_t axis;
  for (size_t i = 1; indices == NULL && i < call->call->count; i++)
    if (call->call->arguments[i].key == NULL)
      indices = call->call->arguments[i].constant;
  if (call_setting(call, "axis") == NULL || json_is_null(call_setting(call, "axis")) ||
      (json_is_integer(batches) && json_integer_value(batches) != 0))
    return layer_refuse(call->layer, "it takes entries of all axes together (needed one axis)");
  TRY(call_axis(call, &value, "axis", -1, &axis));
  if (json_is_integer(indices)) {
    TRY(take_one(evaluator, call->layer, axis, json_integer_value(indices), &value));
    return call_output(evaluator, call, &value);
  }
  size_t count = json_array_size(indices);
  bool row = count > 0 && value.axes[axis].kind == AXIS_FEATURE;
  for (size_t i = 0; row && i < count; i++)
    row = json_is_integer(json_array_get(indices, i)) &&
          json_integer_value(json_array_get(indices, i)) ==
              json_integer_value(json_array_get(indices, 0)) + (json_int_t)i;
  int64_t first = json_integer_value(json_array_get(indices, 0));
  if (!row || first < 0)
    return layer_refuse(call->layer,
                        "cuseq can take one entry of an axis, or features that follow each other");
  TRY(take_features(evaluator, call->layer, axis, first, (int64_t)count, &value));
  return call_output(evaluator, call, &value);
}

/* The parts from `first` to `end` of an axis, as an output. */
static cuseq_status split_part(struct evaluator *evaluator, struct layer_call *call, int32_t axis,
                               int64_t first, int64_t end) {
  struct value value = call->inputs[0];
  if (end <= first)
    return layer_refuse(call->layer, "it splits off a part that has no entries");
  value.mask = NULL;
  if (value.axes[axis].kind == AXIS_FEATURE)
    TRY(take_features(evaluator, call->layer, axis, first, end - first, &value));
  else
    TRY(take_steps(evaluator, call->layer, axis, first, end - first, &value));
  return call_output(evaluator, call, &value);
}

/* Keras 3's Split has a number of equal parts, or where parts end; TensorFlow's a number, or the parts'
 * sizes. */
cuseq_status layer_split(struct evaluator *evaluator, struct layer_call *call) {
  TRY(call_arity(call, 1, 1));
  const struct value *value = &call->inputs[0];
  const json_t *ends = call_setting(call, "indices_or_sections");
  const json_t *sizes = call_setting(call, "num_or_size_splits");
  const json_t *list = ends != NULL ? ends : sizes;
  int32_t axis;
  TRY(call_axis(call, value, "axis", ends != NULL ? -1 : 0, &axis));
  bool features = value->axes[axis].kind == AXIS_FEATURE;
  int64_t size =
      features ? expression_at(&evaluator->expressions, value->expression)->width : value->axes[axis].size;
  if (!features && value->axes[axis].kind != AXIS_STEP)
    return layer_refuse(call->layer, "cuseq can split features and steps, not the positions or the batch");
  if (json_is_integer(list)) {
    int64_t count = json_integer_value(list);
    if (count < 1 || count > size || size % count != 0)
      return layer_refuse(call->layer, "it splits %lld entries in %lld parts", (long long)size,
                          (long long)count);
    for (int64_t i = 0; i < count; i++)
      TRY(split_part(evaluator, call, axis, i * size / count, (i + 1) * size / count));
    return CUSEQ_STATUS_OK;
  }
  int64_t first = 0;
  size_t count = json_array_size(list) + (ends != NULL ? 1 : 0);
  for (size_t i = 0; json_is_array(list) && i < count; i++) {
    const json_t *one = json_array_get(list, i);
    int64_t end = one == NULL    ? size
                  : ends != NULL ? bounded(json_integer_value(one), size)
                                 : first + json_integer_value(one);
    if ((one != NULL && !json_is_integer(one)) || end > size || end <= first)
      return layer_refuse(call->layer, "it splits %lld entries in parts that do not fit", (long long)size);
    TRY(split_part(evaluator, call, axis, first, end));
    first = end;
  }
  return first == size ? CUSEQ_STATUS_OK
                       : layer_refuse(call->layer, "how it splits is not said, or leaves something over");
}

cuseq_status layer_unstack(struct evaluator *evaluator, struct layer_call *call) {
  TRY(call_arity(call, 1, 1));
  int32_t axis;
  TRY(call_axis(call, &call->inputs[0], "axis", 0, &axis));
  const struct axis along = call->inputs[0].axes[axis];
  int64_t size = along.kind == AXIS_FEATURE
                     ? expression_at(&evaluator->expressions, call->inputs[0].expression)->width
                     : along.size;
  if (along.kind == AXIS_BATCH || size < 1 || size > INT16_MAX)
    return layer_refuse(call->layer, "it takes an axis apart whose size is not known, or the batch");
  for (int64_t i = 0; i < size; i++) {
    struct value value = call->inputs[0];
    TRY(take_one(evaluator, call->layer, axis, i, &value));
    TRY(call_output(evaluator, call, &value));
  }
  return CUSEQ_STATUS_OK;
}

cuseq_status layer_flip(struct evaluator *evaluator, struct layer_call *call) {
  TRY(call_arity(call, 1, 1));
  struct value value = call->inputs[0];
  int32_t axis;
  if (call_setting(call, "axis") == NULL || json_is_null(call_setting(call, "axis")))
    return layer_refuse(call->layer, "it turns all axes around (needed: that of the positions)");
  TRY(call_axis(call, &value, "axis", -1, &axis));
  TRY(reverse(evaluator, call->layer, axis, &value));
  value.mask = NULL;
  return call_output(evaluator, call, &value);
}
