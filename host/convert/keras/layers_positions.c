/* Dense layers over an axis of positions: weights of the positions for each feature by itself, where a
 * softmax follows and what they are made of is multiplied by them. */
#include "convert/keras/layers.h"
#include "error.h"

/* The positions of a sequence that the model is given, of a known number; refuses others. */
static cuseq_status check(const struct evaluator *evaluator, const struct layer_call *call) {
  const struct expressions *expressions = &evaluator->expressions;
  const struct value *value = &call->inputs[0];
  const struct expression *e = expression_at(expressions, value->expression);
  const struct axis *axis = &value->axes[value->axis_count - 1];
  const struct clock *clock = &expressions->clocks[axis->clock];
  char text[128];
  if (e->clocks != (uint32_t)1 << axis->clock || value->axis_count != 3 || e->op == EXPRESSION_STEPS)
    return layer_refuse(call->layer, "it is applied to %s, whose last axis is no vector of features",
                        value_describe(expressions, value, text, sizeof text));
  if (axis->size < 1 || axis->size > 1 << 20 || clock->repeats || clock->of >= 0 || clock->twin >= 0)
    return layer_refuse(call->layer,
                        "it is applied to %s: cuseq can express a Dense layer over the positions of a "
                        "sequence that the model is given, all of them, whose number the file says",
                        value_describe(expressions, value, text, sizeof text));
  return CUSEQ_STATUS_OK;
}

cuseq_status dense_positions(struct evaluator *evaluator, struct layer_call *call, const json_t *config) {
  struct expressions *expressions = &evaluator->expressions;
  const struct keras_layer *layer = call->layer;
  struct value value = call->inputs[0];
  struct expression made = {.op = EXPRESSION_MIX,
                            .matrix = -1,
                            .bias = -1,
                            .node = &layer->node,
                            .child_count = 1,
                            .children = &call->inputs[0].expression};
  struct layer_weights weights;
  struct named_activation activation;
  int64_t units;
  bool use_bias;
  TRY(check(evaluator, call));
  const int64_t positions = value.axes[value.axis_count - 1].size;
  TRY(layer_integer(layer, config, "units", -1, &units));
  TRY(layer_bool(layer, config, "use_bias", true, &use_bias));
  TRY(activation_parse(evaluator, layer, json_object_get(config, "activation"), CUSEQ_ACTIVATION_LINEAR,
                       &activation));
  if (units != positions)
    return layer_refuse(layer,
                        "it makes %lld numbers of the %lld positions of each feature: cuseq can express "
                        "weights of the positions alone, as many as there are",
                        (long long)units, (long long)positions);
  if (activation.kind != CUSEQ_ACTIVATION_LINEAR && activation.kind != CUSEQ_ACTIVATION_SOFTMAX)
    return layer_refuse(layer,
                        "it is over the positions of each feature, of which cuseq can express a softmax "
                        "alone, no other activation");
  TRY(weights_find(&evaluator->weights, layer, WEIGHTS_WHOLE, &weights));
  TRY(weights_matrix(expressions, layer, &weights, 0, "kernel", positions, units, &made.matrix));
  if (use_bias)
    TRY(weights_matrix(expressions, layer, &weights, 1, "bias", 0, units, &made.bias));
  TRY(expression_make(expressions, &made, &value.expression));
  TRY(activation_apply(evaluator, layer, activation, &value));
  return call_output(evaluator, call, &value);
}

bool is_positions_softmax(const struct evaluator *evaluator, const struct value *value, int32_t axis) {
  const struct expression *e = expression_at(&evaluator->expressions, value->expression);
  return value->axes[axis].kind == AXIS_TIME && e->op == EXPRESSION_MIX && e->width > 1;
}

/* Whether a factor is made of a Dense layer over positions. */
static bool is_of_mix(const struct expressions *expressions, int32_t factor) {
  enum { MOST_DEPTH = 16 };
  const struct expression *e = expression_at(expressions, factor);
  for (int depth = 0; depth < MOST_DEPTH && e->op != EXPRESSION_MIX && e->child_count > 0; depth++)
    e = expression_at(expressions, e->children[0]);
  return e->op == EXPRESSION_MIX;
}

cuseq_status positions_check_product(const struct evaluator *evaluator, const struct keras_layer *layer,
                                     int32_t product) {
  const struct expressions *expressions = &evaluator->expressions;
  const struct expression *e = expression_at(expressions, product);
  if (e->op != EXPRESSION_PRODUCT ||
      !(is_of_mix(expressions, e->children[0]) || is_of_mix(expressions, e->children[1])))
    return CUSEQ_STATUS_OK;
  return layer_refuse(layer, "cuseq can express the product of a sequence and the softmax over its positions "
                             "that a Dense layer over them makes of the same sequence, for each feature by "
                             "itself; what it multiplies is something else");
}
