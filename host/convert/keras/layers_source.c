/* Where the numbers come from: inputs, embeddings, masks, zeros, chosen tokens. */
#include "convert/keras/layers.h"
#include "convert/keras/python_json.h"
#include "error.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* An input layer's index among the model's inputs. */
static int32_t input_index(const struct evaluator *evaluator, const struct keras_layer *layer) {
  for (size_t i = 0; i < evaluator->model->input_count; i++)
    if (evaluator->model->inputs[i].layer == layer)
      return (int32_t)i;
  return -1;
}

static int64_t shape_size(const json_t *shape, size_t at) {
  const json_t *size = json_array_get(shape, at);
  return json_is_integer(size) && json_integer_value(size) > 0 ? json_integer_value(size) : -1;
}

static cuseq_status make_input(struct evaluator *evaluator, const struct keras_layer *layer, int64_t width,
                               int32_t clock, int32_t *expression) {
  if (width < 1 || width > INT32_MAX)
    return layer_refuse(layer, "the size of its last axis is not known");
  struct expression made = {.op = EXPRESSION_INPUT,
                            .width = (int32_t)width,
                            .clock = clock,
                            .matrix = -1,
                            .bias = -1,
                            .index = input_index(evaluator, layer),
                            .node = &layer->node};
  return expression_make(&evaluator->expressions, &made, expression);
}

const json_t *layer_input_shape(const struct keras_layer *layer) {
  static const char *const keys[] = {"batch_shape", "batch_input_shape"};
  const json_t *shape = NULL;
  for (size_t i = 0; i < 2 && shape == NULL; i++)
    shape = json_object_get(layer->config, keys[i]);
  return json_is_array(json_array_get(shape, 0)) ? json_array_get(shape, 0) : shape; /* Keras 2 may wrap it */
}

static cuseq_status input_shape(const struct keras_layer *layer, const json_t **found) {
  const json_t *shape = layer_input_shape(layer);
  for (size_t i = 0; i < json_array_size(shape); i++)
    if (!json_is_integer(json_array_get(shape, i)) && !json_is_null(json_array_get(shape, i)))
      return layer_refuse(layer, "its shape is no list of integers");
  *found = shape;
  return CUSEQ_STATUS_OK;
}

/* [batch, time, features, 1]: pictures of one channel, whose rows are positions once that axis is reshaped
 * away. */
static cuseq_status one_channel(struct evaluator *evaluator, const struct keras_layer *layer,
                                const json_t *shape, struct value *value) {
  const int64_t time = shape_size(shape, 1), width = shape_size(shape, 2);
  int32_t clock;
  TRY(clock_make(&evaluator->expressions, &layer->node, time, false, &clock));
  TRY(make_input(evaluator, layer, width, clock, &value->expression));
  value->axes[1] = (struct axis){AXIS_TIME, time, clock};
  value->axes[2] = (struct axis){AXIS_FEATURE, width, 0};
  value->axes[3] = (struct axis){AXIS_REPEAT, 1, 0};
  value->axis_count = 4;
  return notes_add(
      &evaluator->notes,
      "input '%.100s' [batch, %lld, %lld, 1] is read as a sequence: give it as [batch, %lld, %lld]",
      layer->node.name, (long long)time, (long long)width, (long long)time, (long long)width);
}

/* [batch, time, n, features]: positions of n vectors each. */
static cuseq_status segments(struct evaluator *evaluator, const struct keras_layer *layer,
                             const json_t *shape, struct value *value) {
  const int64_t time = shape_size(shape, 1), vectors = shape_size(shape, 2), width = shape_size(shape, 3);
  const int64_t together = vectors < 1 << 20 && width < 1 << 20 ? vectors * width : -1;
  char positions[24] = "time";
  int32_t clock;
  TRY(clock_make(&evaluator->expressions, &layer->node, time, false, &clock));
  TRY(make_input(evaluator, layer, together, clock, &value->expression));
  value->axes[1] = (struct axis){AXIS_TIME, time, clock};
  TRY(segments_make(evaluator, layer, vectors, value));
  if (time >= 0)
    snprintf(positions, sizeof positions, "%lld", (long long)time);
  return notes_add(
      &evaluator->notes,
      "input '%.100s' [batch, %s, %lld, %lld] is read as a sequence: give it as [batch, %s, %lld]",
      layer->node.name, positions, (long long)vectors, (long long)width, positions, (long long)together);
}

cuseq_status layer_input(struct evaluator *evaluator, struct layer_call *call) {
  const struct keras_layer *layer = call->layer;
  const json_t *shape = NULL;
  bool ragged;
  TRY(input_shape(layer, &shape));
  TRY(layer_bool(layer, layer->config, "ragged", false, &ragged));
  if (ragged)
    return layer_refuse(layer, "a ragged input, whose rows cuseq takes by lengths alone");
  if (input_index(evaluator, layer) < 0)
    return layer_refuse(layer, "it is none of the model's inputs, so that its numbers are not known");
  struct value value = {.axis_count = 1, .axes = {{AXIS_BATCH, -1, 0}}};
  size_t rank = json_array_size(shape);
  if (rank == 3) {
    int64_t width = shape_size(shape, 2);
    int32_t clock;
    TRY(clock_make(&evaluator->expressions, &layer->node, shape_size(shape, 1), false, &clock));
    TRY(make_input(evaluator, layer, width, clock, &value.expression));
    value.axes[1] = (struct axis){AXIS_TIME, shape_size(shape, 1), clock};
    value.axes[2] = width == 1 ? (struct axis){AXIS_REPEAT, 1, 0} : (struct axis){AXIS_FEATURE, width, 0};
    value.axis_count = 3;
  } else if (rank == 4 && shape_size(shape, 3) == 1 && shape_size(shape, 2) > 1) {
    TRY(one_channel(evaluator, layer, shape, &value));
  } else if (rank == 4 && shape_size(shape, 3) > 1 && shape_size(shape, 2) > 1) {
    TRY(segments(evaluator, layer, shape, &value));
  } else if (rank == 2) {
    int64_t width = shape_size(shape, 1);
    TRY(make_input(evaluator, layer, width < 0 ? 1 : width, -1, &value.expression));
    value.axes[1] = width <= 1 ? (struct axis){AXIS_REPEAT, width < 0 ? -1 : 1, 0}
                               : (struct axis){AXIS_FEATURE, width, 0};
    value.axis_count = 2;
  } else if (rank == 1) { /* a token for each row */
    TRY(make_input(evaluator, layer, 1, -1, &value.expression));
  } else {
    return layer_refuse(
        layer,
        "an input of %zu axes (needed [batch, time, features], [batch, time], [batch, units] or [batch])",
        rank);
  }
  return call_output(evaluator, call, &value);
}

/* An input [batch, n] that the model's layers read as [batch, positions, width]: cuseq takes it as that. */
cuseq_status input_as_sequence(struct evaluator *evaluator, int64_t positions, int32_t width,
                               struct value *value) {
  struct expression e = *expression_at(&evaluator->expressions, value->expression);
  const struct keras_layer *layer = layer_of(e.node);
  int32_t clock;
  TRY(clock_make(&evaluator->expressions, e.node, positions, false, &clock));
  TRY(make_input(evaluator, layer, width, clock, &value->expression));
  value->axes[1] = (struct axis){AXIS_TIME, positions, clock};
  value->axes[2] = axis_of_width(width);
  value->axis_count = 3;
  return notes_add(&evaluator->notes,
                   "input '%.100s' [batch, %d] is read as a sequence: give it as [batch, %lld, %d]",
                   e.node->name, e.width, (long long)positions, width);
}

bool input_is_vector(const struct evaluator *evaluator, const struct value *value) {
  const struct expression *e = expression_at(&evaluator->expressions, value->expression);
  return e->op == EXPRESSION_INPUT && e->clocks == 0 && e->width > 1 && value->axis_count >= 2 &&
         value->axes[1].kind == AXIS_FEATURE;
}

/* ---- token ids ------------------------------------------------------------------------------------ */

/* The tokens that an embedding looks up: an input layer's, or those that the decoder chose. */
static cuseq_status token_source(struct evaluator *evaluator, struct layer_call *call, struct value *value) {
  struct expression e = *expression_at(&evaluator->expressions, value->expression);
  if (e.op == EXPRESSION_ARGMAX || (evaluator->token >= 0 && value->expression == evaluator->token))
    return CUSEQ_STATUS_OK;
  if (e.op == EXPRESSION_INPUT && value->axis_count == 1)
    return CUSEQ_STATUS_OK;
  if (e.op != EXPRESSION_INPUT || e.clocks != 0 || value->axis_count != 2)
    return layer_refuse(call->layer, "it looks up what is neither an input of token ids nor an argmax");
  int64_t time = value->axes[1].kind == AXIS_FEATURE ? e.width : value->axes[1].size;
  int32_t clock;
  TRY(clock_make(&evaluator->expressions, e.node, time, false, &clock));
  TRY(make_input(evaluator, layer_of(e.node), 1, clock, &value->expression));
  value->axes[1] = (struct axis){AXIS_TIME, time, clock};
  return CUSEQ_STATUS_OK;
}

static cuseq_status look_up(struct evaluator *evaluator, struct layer_call *call, struct value *value,
                            int32_t matrix) {
  struct expression made = {.op = EXPRESSION_EMBEDDING,
                            .matrix = matrix,
                            .bias = -1,
                            .node = &call->layer->node,
                            .child_count = 1,
                            .children = &value->expression};
  TRY(expression_make(&evaluator->expressions, &made, &value->expression));
  int32_t width = evaluator->expressions.matrices[matrix].columns;
  struct axis features = {AXIS_FEATURE, width, 0};
  if (width == 1)
    features = (struct axis){AXIS_REPEAT, 1, 0};
  if (!value_insert_axis(value, value->axis_count, features))
    return layer_refuse(call->layer, "its result has too many axes");
  return call_output(evaluator, call, value);
}

cuseq_status layer_embedding(struct evaluator *evaluator, struct layer_call *call) {
  TRY(call_arity(call, 1, 1));
  const struct keras_layer *layer = call->layer;
  struct value value = call->inputs[0];
  int64_t rows, columns;
  bool mask_zero;
  TRY(layer_integer(layer, layer->config, "input_dim", -1, &rows));
  TRY(layer_integer(layer, layer->config, "output_dim", -1, &columns));
  TRY(layer_bool(layer, layer->config, "mask_zero", false, &mask_zero));
  TRY(token_source(evaluator, call, &value));
  struct layer_weights weights;
  int32_t matrix;
  TRY(weights_find(&evaluator->weights, layer, WEIGHTS_WHOLE, &weights));
  TRY(weights_matrix(&evaluator->expressions, layer, &weights, 0, "embeddings", rows, columns, &matrix));
  if (mask_zero && evaluator->token >= 0)
    TRY(notes_add(
        &evaluator->notes,
        "layer '%.100s' masks token 0, at which Keras' step stands still and cuseq's goes on: it is to be "
        "no token that the decoder chooses",
        layer->node.name));
  else if (mask_zero)
    value.mask = &layer->node;
  return look_up(evaluator, call, &value, matrix);
}

/* One-hot rows are an embedding by the unit matrix. */
cuseq_status layer_one_hot(struct evaluator *evaluator, struct layer_call *call) {
  TRY(call_arity(call, 1, 1));
  struct value value = call->inputs[0];
  const json_t *count = call_setting(call, "num_classes");
  count = count != NULL ? count : call_setting(call, "depth");
  int64_t classes = json_integer_value(count);
  int32_t matrix;
  const json_t *axis = call_setting(call, "axis"); /* of the result */
  bool last = axis == NULL || json_is_null(axis) ||
              (json_is_integer(axis) &&
               (json_integer_value(axis) == -1 || json_integer_value(axis) == value.axis_count));
  if (!last || classes < 1 || classes > 4096)
    return layer_refuse(call->layer,
                        "cuseq cannot express its one-hot rows (needed: classes on the last axis)");
  TRY(token_source(evaluator, call, &value));
  bool found;
  TRY(matrix_make(&evaluator->expressions, call->layer, 0, classes, classes, &matrix, &found));
  for (int64_t i = 0; !found && i < classes; i++)
    evaluator->expressions.matrices[matrix].data[i * classes + i] = 1;
  return look_up(evaluator, call, &value, matrix);
}

cuseq_status layer_argmax(struct evaluator *evaluator, struct layer_call *call) {
  TRY(call_arity(call, 1, 1));
  struct value value = call->inputs[0];
  int32_t axis;
  TRY(call_axis(call, &value, "axis", -1, &axis));
  if (value.axes[axis].kind != AXIS_FEATURE ||
      expression_at(&evaluator->expressions, value.expression)->clocks != 0)
    return layer_refuse(call->layer, "cuseq can express an argmax over the outputs only");
  TRY(expression_unary(&evaluator->expressions, EXPRESSION_ARGMAX, 0, value.expression, &call->layer->node,
                       &value.expression));
  value_remove_axis(&value, axis);
  if (json_is_true(call_setting(call, "keepdims")))
    value_insert_axis(&value, axis, (struct axis){AXIS_REPEAT, 1, 0});
  return call_output(evaluator, call, &value);
}

/* ---- masks and zeros ------------------------------------------------------------------------------ */

cuseq_status layer_masking(struct evaluator *evaluator, struct layer_call *call) {
  TRY(call_arity(call, 1, 1));
  struct value value = call->inputs[0];
  const struct expression *e = expression_at(&evaluator->expressions, value.expression);
  if (e->op != EXPRESSION_INPUT || e->clocks == 0)
    return layer_refuse(call->layer, "cuseq can express a mask of the input only");
  const json_t *setting = json_object_get(call->layer->config, "mask_value");
  double masked = 0;
  if (setting != NULL && !python_json_number(setting, &masked))
    return layer_refuse(call->layer, "its mask_value is no number");
  if (!isnan(masked)) /* nothing equals NaN, so that NaN masks nothing */
    value.mask = &call->layer->node;
  if (!isnan(masked) &&
      masked != 0) { /* it puts zeros there: not what the input is, where the mask is not used */
    struct expression zeroed = {.op = EXPRESSION_AFFINE,
                                .matrix = -1,
                                .bias = -1,
                                .node = &call->layer->node,
                                .child_count = 1,
                                .children = &value.expression};
    TRY(expression_make(&evaluator->expressions, &zeroed, &value.expression));
  }
  return call_output(evaluator, call, &value);
}

cuseq_status layer_zeros_like(struct evaluator *evaluator, struct layer_call *call) {
  TRY(call_arity(call, 1, 1));
  struct value value = call->inputs[0];
  struct expression e = *expression_at(&evaluator->expressions, value.expression);
  if (e.clocks != 0)
    return layer_refuse(call->layer, "cuseq can express zeros as initial states only");
  TRY(expression_zeros(&evaluator->expressions, e.width, &call->layer->node, &value.expression));
  return call_output(evaluator, call, &value);
}
