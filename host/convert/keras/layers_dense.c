/* Dense layers, and layers that do the same at every position. */
#include "convert/keras/layers.h"
#include "error.h"

#include <string.h>

struct dense_map {
  const struct keras_layer *layer;
  int32_t kernel, bias;
};

static cuseq_status dense(struct evaluator *evaluator, void *context, int32_t child, int32_t *expression) {
  const struct dense_map *map = context;
  return expression_dense(&evaluator->expressions, child, map->kernel, map->bias, &map->layer->node,
                          expression);
}

/* A Dense layer with this configuration, the call's layer itself or the one in it. */
static cuseq_status dense_with(struct evaluator *evaluator, struct layer_call *call, const json_t *config) {
  TRY(call_arity(call, 1, 1));
  const struct keras_layer *layer = call->layer;
  struct value value = call->inputs[0];
  char text[128];
  int32_t last = value.axis_count - 1;
  if (!value_is_feature_axis(&evaluator->expressions, &value, last))
    return layer_refuse(layer, "it is applied to %s, whose last axis is no vector of features",
                        value_describe(&evaluator->expressions, &value, text, sizeof text));
  int64_t units;
  bool use_bias;
  struct named_activation activation;
  TRY(layer_integer(layer, config, "units", -1, &units));
  TRY(layer_bool(layer, config, "use_bias", true, &use_bias));
  TRY(activation_parse(evaluator, layer, json_object_get(config, "activation"), CUSEQ_ACTIVATION_LINEAR,
                       &activation));
  const struct expression *e = expression_at(&evaluator->expressions, value.expression);
  struct layer_weights weights;
  struct dense_map map = {layer, -1, -1};
  TRY(weights_find(&evaluator->weights, layer, WEIGHTS_WHOLE, &weights));
  TRY(weights_matrix(&evaluator->expressions, layer, &weights, 0, "kernel", e->width, units, &map.kernel));
  if (use_bias)
    TRY(weights_matrix(&evaluator->expressions, layer, &weights, 1, "bias", 0,
                       evaluator->expressions.matrices[map.kernel].columns, &map.bias));
  TRY(value_map(evaluator, &value, dense, &map));
  int32_t width = evaluator->expressions.matrices[map.kernel].columns;
  value.axes[last] = width == 1 ? (struct axis){AXIS_REPEAT, 1, 0} : (struct axis){AXIS_FEATURE, width, 0};
  TRY(activation_apply(evaluator, layer, activation, &value));
  return call_output(evaluator, call, &value);
}

cuseq_status layer_dense(struct evaluator *evaluator, struct layer_call *call) {
  return dense_with(evaluator, call, call->layer->config);
}

/* Layers without weights, as they are by themselves. */
static const struct {
  const char *name;
  cuseq_status (*evaluate)(struct evaluator *evaluator, struct layer_call *call);
} weightless[] = {{"LeakyReLU", layer_leaky_relu},
                  {"ReLU", layer_relu},
                  {"ELU", layer_elu},
                  {"Dropout", layer_identity},
                  {"GaussianNoise", layer_identity}};

static cuseq_status inner_layer(struct evaluator *evaluator, struct layer_call *call, const char *class_name,
                                const json_t *config, bool *known) {
  size_t at = 0;
  while (at < sizeof weightless / sizeof *weightless && strcmp(weightless[at].name, class_name) != 0)
    at++;
  *known = at < sizeof weightless / sizeof *weightless;
  if (!*known)
    return CUSEQ_STATUS_OK;
  struct keras_layer *inner = arena_allocate(evaluator->arena, sizeof *inner);
  if (inner == NULL)
    return error_out_of_memory();
  *inner = *call->layer;
  inner->node.class_name = class_name;
  inner->config = config;
  call->layer = inner;
  return weightless[at].evaluate(evaluator, call);
}

/* Over the features, which are the second axis of what the wrapper hands to it.
 *   of_layer  LayerNormalization, rather than BatchNormalization */
static cuseq_status inner_normalisation(struct evaluator *evaluator, struct layer_call *call,
                                        const json_t *config, bool of_layer) {
  const json_t *axis = json_object_get(config, "axis");
  struct value value = call->inputs[0];
  axis = json_array_size(axis) == 1 ? json_array_get(axis, 0) : axis;
  if ((json_integer_value(axis) != -1 && json_integer_value(axis) != 1) ||
      !value_has_axes(&evaluator->expressions, &value, "BTF"))
    return layer_refuse(call->layer, "it normalises along an axis that is not that of the features");
  TRY(of_layer ? layer_normalise(evaluator, call, config, &value)
               : batch_normalise(evaluator, call, config, &value));
  return call_output(evaluator, call, &value);
}

/* Dense layers and activations do the same at every position anyway. */
cuseq_status layer_time_distributed(struct evaluator *evaluator, struct layer_call *call) {
  const json_t *inner = json_object_get(call->layer->config, "layer");
  const char *class_name = json_string_value(json_object_get(inner, "class_name"));
  const json_t *config = json_object_get(inner, "config");
  if (class_name != NULL && strcmp(class_name, "Dense") == 0)
    return dense_with(evaluator, call, config);
  bool known = false;
  TRY(call_arity(call, 1, 1));
  if (class_name != NULL)
    TRY(inner_layer(evaluator, call, class_name, config, &known));
  if (known)
    return CUSEQ_STATUS_OK;
  const bool of_layer = class_name != NULL && strcmp(class_name, "LayerNormalization") == 0;
  if (of_layer || (class_name != NULL && strcmp(class_name, "BatchNormalization") == 0))
    return inner_normalisation(evaluator, call, config, of_layer);
  struct value value = call->inputs[0];
  struct named_activation activation;
  if (class_name != NULL && strcmp(class_name, "Activation") == 0) {
    TRY(activation_parse(evaluator, call->layer, json_object_get(config, "activation"),
                         CUSEQ_ACTIVATION_LINEAR, &activation));
    TRY(activation_apply(evaluator, call->layer, activation, &value));
    return call_output(evaluator, call, &value);
  }
  return layer_refuse(call->layer,
                      "cuseq can express Dense, normalisations, activations and Dropout in it, not %.60s",
                      class_name != NULL ? class_name : "?");
}
