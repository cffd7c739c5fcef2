/* TimeDistributed: a layer that does the same at every position. What it reads at a position is a vector, or
 * a *segment*: a short sequence of vectors of its own, [batch, time, n, features], whose vectors are the
 * steps of a value. Convolutions and poolings of a segment take some of its vectors together; nothing of them
 * goes from position to position. */
#include "convert/keras/layers.h"
#include "error.h"

#include <string.h>

enum { MOST_VECTORS = 1024 }; /* of a segment */

/* A call with the wrapped layer in the place of the wrapper, whose name and weights stay the wrapper's. */
struct inner_call {
  struct layer_call *call;
  const struct keras_layer *outer;
  struct keras_layer *layer;
  struct value value;
};

/* ---- segments ------------------------------------------------------------------------------------- */

bool value_is_segments(const struct expressions *expressions, const struct value *value) {
  return value_has_axes(expressions, value, "BTSF") &&
         expression_at(expressions, value->expression)->op == EXPRESSION_STEPS;
}

/* The axes of `count` vectors a position, of this width. */
static void set_axes(struct value *value, int64_t count, int32_t width) {
  value->axes[2] = (struct axis){AXIS_STEP, count, 0};
  value->axes[3] = axis_of_width(width);
  value->axis_count = 4;
}

static cuseq_status make_steps(struct evaluator *evaluator, const struct graph_node *node,
                               const int32_t *children, int64_t count, struct value *value) {
  set_axes(value, count, expression_at(&evaluator->expressions, children[0])->width);
  return expression_several(&evaluator->expressions, EXPRESSION_STEPS, children, (int32_t)count, node,
                            &value->expression);
}

cuseq_status segments_make(struct evaluator *evaluator, const struct keras_layer *layer, int64_t vectors,
                           struct value *value) {
  const int32_t width = expression_at(&evaluator->expressions, value->expression)->width / (int32_t)vectors;
  if (vectors > MOST_VECTORS)
    return layer_refuse(layer, "each of its positions has %lld vectors (at most %d)", (long long)vectors,
                        MOST_VECTORS);
  set_axes(value, vectors, width);
  return steps_of_vector(evaluator, layer, (int32_t)vectors, &value->expression);
}

cuseq_status segments_join(struct evaluator *evaluator, const struct keras_layer *layer,
                           struct value *value) {
  TRY(vector_of_steps(evaluator, layer, &value->expression));
  value->axes[2] = axis_of_width(expression_at(&evaluator->expressions, value->expression)->width);
  value->axis_count = 3;
  return CUSEQ_STATUS_OK;
}

/* Vectors o stride - before + i spread, i < reach, of a segment that are taken together for its vector o of
 * `count`. */
struct taking {
  int64_t reach, spread, stride, before, count;
};

static cuseq_status plan_taking(const struct keras_layer *layer, int64_t vectors, struct taking *taking) {
  const char *padding = json_string_value(json_object_get(layer->config, "padding"));
  const int64_t over = (taking->reach - 1) * taking->spread + 1;
  if (over < 1 || over > MOST_VECTORS || taking->stride < 1 || taking->stride > MOST_VECTORS)
    return layer_refuse(layer, "it takes %lld vectors together every %lld (at most %d)", (long long)over,
                        (long long)taking->stride, MOST_VECTORS);
  taking->before = 0;
  taking->count = (vectors + taking->stride - 1) / taking->stride;
  if (padding == NULL || strcmp(padding, "valid") == 0) {
    if (over > vectors)
      return layer_refuse(layer, "it takes %lld vectors together, of %lld that there are", (long long)over,
                          (long long)vectors);
    taking->count = (vectors - over) / taking->stride + 1;
  } else if (strcmp(padding, "same") == 0) {
    const int64_t beside = (taking->count - 1) * taking->stride + over - vectors;
    taking->before = beside > 0 ? beside / 2 : 0;
  } else if (strcmp(padding, "causal") == 0) {
    taking->before = over - 1;
  } else {
    return layer_refuse(layer, "its padding is %.20s (needed same, causal or valid)", padding);
  }
  return CUSEQ_STATUS_OK;
}

/* Which vector of the segment is number i of those that are taken together for number o; false: there is none
 * at that place. */
static bool vector_at(const struct taking *taking, int64_t vectors, int64_t o, int64_t i, int64_t *at) {
  *at = o * taking->stride - taking->before + i * taking->spread;
  return *at >= 0 && *at < vectors;
}

/* ---- layers over a segment ------------------------------------------------------------------------ */

static cuseq_status convolve(struct evaluator *evaluator, struct inner_call *inner) {
  struct expressions *expressions = &evaluator->expressions;
  const struct expression steps = *expression_at(expressions, inner->value.expression);
  const struct graph_node *node = &inner->outer->node;
  struct convolution convolution;
  int32_t zeros;
  TRY(convolution_read(evaluator, inner->layer, inner->outer, steps.width, &convolution));
  struct taking taking = {convolution.window, convolution.dilation, convolution.strides, 0, 0};
  TRY(plan_taking(inner->layer, steps.child_count, &taking));
  TRY(expression_zeros(expressions, steps.width, node, &zeros));
  int32_t *made = arena_allocate(evaluator->arena, (size_t)(taking.count + taking.reach) * sizeof *made);
  if (made == NULL)
    return error_out_of_memory();
  int32_t *taken = made + taking.count;
  for (int64_t o = 0; o < taking.count; o++) {
    for (int64_t i = 0, at; i < taking.reach; i++)
      taken[i] = vector_at(&taking, steps.child_count, o, i, &at) ? steps.children[at] : zeros;
    made[o] = taken[0];
    if (taking.reach > 1)
      TRY(expression_several(expressions, EXPRESSION_CONCAT, taken, (int32_t)taking.reach, node, &made[o]));
    TRY(expression_dense(expressions, made[o], convolution.kernel, convolution.bias, node, &made[o]));
  }
  TRY(make_steps(evaluator, node, made, taking.count, &inner->value));
  TRY(activation_apply(evaluator, inner->layer, convolution.activation, &inner->value));
  return call_output(evaluator, inner->call, &inner->value);
}

/* Where a pooling reaches over a segment's ends it takes those that are there. */
static cuseq_status pool(struct evaluator *evaluator, struct inner_call *inner, bool maximum) {
  const struct expression steps = *expression_at(&evaluator->expressions, inner->value.expression);
  struct taking taking = {.spread = 1};
  TRY(settings_channels_last(inner->layer));
  TRY(settings_size(inner->layer, "pool_size", -1, &taking.reach));
  TRY(settings_size(inner->layer, "strides", taking.reach, &taking.stride));
  TRY(plan_taking(inner->layer, steps.child_count, &taking));
  int32_t *made = arena_allocate(evaluator->arena, (size_t)(taking.count + taking.reach) * sizeof *made);
  if (made == NULL)
    return error_out_of_memory();
  int32_t *taken = made + taking.count;
  for (int64_t o = 0; o < taking.count; o++) {
    int32_t count = 0;
    for (int64_t i = 0, at; i < taking.reach; i++)
      if (vector_at(&taking, steps.child_count, o, i, &at))
        taken[count++] = steps.children[at];
    TRY(vectors_pool(evaluator, inner->outer, maximum, taken, count, &made[o]));
  }
  TRY(make_steps(evaluator, &inner->outer->node, made, taking.count, &inner->value));
  return call_output(evaluator, inner->call, &inner->value);
}

static cuseq_status pool_maximum(struct evaluator *evaluator, struct inner_call *inner) {
  return pool(evaluator, inner, true);
}

static cuseq_status pool_mean(struct evaluator *evaluator, struct inner_call *inner) {
  return pool(evaluator, inner, false);
}

static cuseq_status pool_all(struct evaluator *evaluator, struct inner_call *inner, bool maximum) {
  const struct expression steps = *expression_at(&evaluator->expressions, inner->value.expression);
  struct value *value = &inner->value;
  TRY(settings_channels_last(inner->layer));
  if (json_is_true(json_object_get(inner->layer->config, "keepdims")))
    return layer_refuse(inner->layer, "its setting keepdims is nothing that cuseq can express");
  TRY(vectors_pool(evaluator, inner->outer, maximum, steps.children, steps.child_count, &value->expression));
  value->axes[2] = value->axes[3];
  value->axis_count = 3;
  return call_output(evaluator, inner->call, value);
}

static cuseq_status pool_all_maximum(struct evaluator *evaluator, struct inner_call *inner) {
  return pool_all(evaluator, inner, true);
}

static cuseq_status pool_all_mean(struct evaluator *evaluator, struct inner_call *inner) {
  return pool_all(evaluator, inner, false);
}

static cuseq_status flatten(struct evaluator *evaluator, struct inner_call *inner) {
  TRY(settings_channels_last(inner->layer));
  TRY(segments_join(evaluator, inner->outer, &inner->value));
  return call_output(evaluator, inner->call, &inner->value);
}

static const struct {
  const char *name;
  cuseq_status (*evaluate)(struct evaluator *evaluator, struct inner_call *inner);
} of_segments[] = {
    {"Conv1D", convolve},
    {"MaxPooling1D", pool_maximum},
    {"AveragePooling1D", pool_mean},
    {"GlobalMaxPooling1D", pool_all_maximum},
    {"GlobalAveragePooling1D", pool_all_mean},
    {"Flatten", flatten},
};

/* ---- layers over a vector, or over each of a segment ---------------------------------------------- */

/* Layers without weights, as they are by themselves. */
static const struct {
  const char *name;
  cuseq_status (*evaluate)(struct evaluator *evaluator, struct layer_call *call);
} weightless[] = {{"LeakyReLU", layer_leaky_relu},
                  {"ReLU", layer_relu},
                  {"ELU", layer_elu},
                  {"Dropout", layer_identity},
                  {"GaussianNoise", layer_identity}};

/* Over the features, which are the last axis of what the wrapper hands to it.
 *   of_layer  LayerNormalization, rather than BatchNormalization */
static cuseq_status normalise(struct evaluator *evaluator, struct inner_call *inner, bool of_layer) {
  struct layer_call *call = inner->call;
  const json_t *config = inner->layer->config, *axis = json_object_get(config, "axis");
  struct value *value = &inner->value;
  const int64_t last = value->axis_count - 2;
  axis = json_array_size(axis) == 1 ? json_array_get(axis, 0) : axis;
  if ((json_integer_value(axis) != -1 && json_integer_value(axis) != last) ||
      (!value_has_axes(&evaluator->expressions, value, "BTF") &&
       !value_is_segments(&evaluator->expressions, value)))
    return layer_refuse(call->layer, "it normalises along an axis that is not that of the features");
  TRY(of_layer ? layer_normalise(evaluator, call, config, value)
               : batch_normalise(evaluator, call, config, value));
  return call_output(evaluator, call, value);
}

static cuseq_status activate(struct evaluator *evaluator, struct inner_call *inner) {
  struct named_activation activation;
  TRY(activation_parse(evaluator, inner->outer, json_object_get(inner->layer->config, "activation"),
                       CUSEQ_ACTIVATION_LINEAR, &activation));
  TRY(activation_apply(evaluator, inner->outer, activation, &inner->value));
  return call_output(evaluator, inner->call, &inner->value);
}

/* As the wrapped layer is by itself. */
static cuseq_status evaluate_alone(struct evaluator *evaluator, struct inner_call *inner,
                                   cuseq_status (*evaluate)(struct evaluator *evaluator,
                                                            struct layer_call *call)) {
  struct layer_call call = *inner->call;
  call.layer = inner->layer;
  call.inputs = &inner->value;
  TRY(evaluate(evaluator, &call));
  call.layer = inner->outer;
  call.inputs = inner->call->inputs;
  *inner->call = call;
  return CUSEQ_STATUS_OK;
}

/* Whether the wrapped layer takes each number by itself. */
static bool is_elementwise(const struct inner_call *inner) {
  const char *class_name = inner->layer->node.class_name;
  for (size_t i = 0; i < sizeof weightless / sizeof *weightless; i++)
    if (strcmp(weightless[i].name, class_name) == 0)
      return true;
  return strcmp(class_name, "Activation") == 0;
}

static cuseq_status evaluate_wrapped(struct evaluator *evaluator, struct inner_call *inner) {
  const char *class_name = inner->layer->node.class_name;
  const bool segments = value_is_segments(&evaluator->expressions, &inner->value);
  for (size_t i = 0; segments && i < sizeof of_segments / sizeof *of_segments; i++)
    if (strcmp(of_segments[i].name, class_name) == 0)
      return of_segments[i].evaluate(evaluator, inner);
  for (size_t i = 0; i < sizeof weightless / sizeof *weightless; i++)
    if (strcmp(weightless[i].name, class_name) == 0)
      return evaluate_alone(evaluator, inner, weightless[i].evaluate);
  if (strcmp(class_name, "Dense") == 0)
    return dense_apply(evaluator, inner->call, inner->layer->config, &inner->value);
  if (strcmp(class_name, "LayerNormalization") == 0 || strcmp(class_name, "BatchNormalization") == 0)
    return normalise(evaluator, inner, class_name[0] == 'L');
  if (strcmp(class_name, "Activation") == 0)
    return activate(evaluator, inner);
  return layer_refuse(inner->outer,
                      "cuseq can express Dense, normalisations, activations and Dropout in it, and Conv1D, "
                      "poolings and Flatten of [batch, time, steps, features], not %.60s",
                      class_name);
}

cuseq_status layer_time_distributed(struct evaluator *evaluator, struct layer_call *call) {
  const json_t *wrapped = json_object_get(call->layer->config, "layer");
  const char *class_name = json_string_value(json_object_get(wrapped, "class_name"));
  struct inner_call inner = {.call = call, .outer = call->layer};
  TRY(call_arity(call, 1, 1));
  inner.value = call->inputs[0];
  inner.layer = arena_allocate(evaluator->arena, sizeof *inner.layer);
  if (inner.layer == NULL)
    return error_out_of_memory();
  *inner.layer = *call->layer;
  inner.layer->node.class_name = class_name != NULL ? class_name : "?";
  inner.layer->config = json_object_get(wrapped, "config");
  const int32_t width = expression_at(&evaluator->expressions, inner.value.expression)->width;
  /* [batch, time, n, 1] as n vectors of one number */
  if (value_has_axes(&evaluator->expressions, &inner.value, "BTF1") && !is_elementwise(&inner))
    TRY(segments_make(evaluator, call->layer, width, &inner.value));
  return evaluate_wrapped(evaluator, &inner);
}
