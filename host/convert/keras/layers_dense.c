/* Dense layers. */
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

cuseq_status dense_apply(struct evaluator *evaluator, struct layer_call *call, const json_t *config,
                         const struct value *given) {
  const struct keras_layer *layer = call->layer;
  struct value value = *given;
  char text[128];
  int32_t last = value.axis_count - 1;
  if (last > 1 && value.axes[last].kind == AXIS_TIME)
    return dense_positions(evaluator, call, config);
  if (last == 1 && flatten_fits(evaluator, &value)) /* numbers that were flattened */
    TRY(flatten_apply(evaluator, layer, &value));
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
  TRY(call_arity(call, 1, 1));
  return dense_apply(evaluator, call, call->layer->config, &call->inputs[0]);
}
