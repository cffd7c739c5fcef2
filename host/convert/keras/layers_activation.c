/* Activations as layers and as operations. */
#include "convert/graph/pieces.h"
#include "convert/keras/layers.h"
#include "convert/keras/python_json.h"
#include "error.h"

#include <math.h>
#include <string.h>

cuseq_status layer_activation(struct evaluator *evaluator, struct layer_call *call) {
  TRY(call_arity(call, 1, 1));
  struct named_activation activation;
  struct value value = call->inputs[0];
  TRY(activation_parse(evaluator, call->layer, json_object_get(call->layer->config, "activation"),
                       CUSEQ_ACTIVATION_LINEAR, &activation));
  TRY(activation_apply(evaluator, call->layer, activation, &value));
  return call_output(evaluator, call, &value);
}

cuseq_status layer_softmax(struct evaluator *evaluator, struct layer_call *call) {
  TRY(call_arity(call, 1, 1));
  struct value value = call->inputs[0];
  int32_t axis;
  const json_t *setting = call_setting(call, "axis");
  if (setting != NULL && json_is_null(setting) && strcmp(call->layer->node.class_name, "TFOpLambda") != 0)
    return layer_refuse(call->layer, "its softmax is over all axes (needed: one axis)");
  TRY(call_axis(call, &value, "axis", -1, &axis));
  TRY(softmax_apply(evaluator, call->layer, axis, &value));
  return call_output(evaluator, call, &value);
}

/* The logarithm of a softmax along the last axis. */
cuseq_status layer_log_softmax(struct evaluator *evaluator, struct layer_call *call) {
  TRY(call_arity(call, 1, 1));
  struct value value = call->inputs[0];
  int32_t axis;
  TRY(call_axis(call, &value, "axis", -1, &axis));
  if (axis != value.axis_count - 1)
    return layer_refuse(call->layer, "cuseq can express a logarithm of a softmax over the last axis alone");
  TRY(log_softmax_apply(evaluator, call->layer, &value));
  return call_output(evaluator, call, &value);
}

static cuseq_status plain(struct evaluator *evaluator, struct layer_call *call, cuseq_activation activation) {
  TRY(call_arity(call, 1, 1));
  struct value value = call->inputs[0];
  TRY(activation_apply(evaluator, call->layer, (struct named_activation){.kind = activation}, &value));
  return call_output(evaluator, call, &value);
}

/* A number among a call's settings; what is absent or null is `fallback`. */
static cuseq_status read_number(const struct layer_call *call, const char *key, double fallback,
                                double *number) {
  const json_t *setting = call_setting(call, key);
  *number = fallback;
  if (setting != NULL && !json_is_null(setting) && !python_json_number(setting, number))
    return layer_refuse(call->layer, "its setting %s is no number", key);
  return CUSEQ_STATUS_OK;
}

/* ---- in pieces ------------------------------------------------------------------------------------ */

static cuseq_status apply_pieces(struct evaluator *evaluator, void *context, int32_t child,
                                 int32_t *expression) {
  const struct pieces *pieces = context;
  const struct keras_layer *layer = pieces->owner;
  return expression_pieces(&evaluator->expressions, pieces, child, &layer->node, expression);
}

static cuseq_status in_pieces(struct evaluator *evaluator, struct layer_call *call, struct pieces *pieces) {
  struct value value = call->inputs[0];
  TRY(call_arity(call, 1, 1));
  TRY(value_map(evaluator, &value, apply_pieces, pieces));
  return call_output(evaluator, call, &value);
}

/* x where it is positive, else slope x. */
static cuseq_status leaky(struct evaluator *evaluator, struct layer_call *call, double slope) {
  static const struct {
    double slope;
    cuseq_activation activation;
  } known[] = {{0, CUSEQ_ACTIVATION_RELU},
               {0.01, CUSEQ_ACTIVATION_LEAKY_RELU},
               {0.2, CUSEQ_ACTIVATION_LEAKY_RELU_02},
               {0.3, CUSEQ_ACTIVATION_LEAKY_RELU_03},
               {1, CUSEQ_ACTIVATION_LINEAR}};
  for (size_t i = 0; i < sizeof known / sizeof *known; i++)
    if ((float)slope == (float)known[i].slope)
      return plain(evaluator, call, known[i].activation);
  struct pieces pieces = {.owner = call->layer, .inner = -1, .slope = -(float)slope};
  return in_pieces(evaluator, call, &pieces);
}

cuseq_status layer_relu(struct evaluator *evaluator, struct layer_call *call) {
  double slope, alpha, threshold, most;
  TRY(read_number(call, "negative_slope", 0, &slope));
  TRY(read_number(call, "alpha", 0, &alpha));
  TRY(read_number(call, "threshold", 0, &threshold));
  TRY(read_number(call, "max_value", INFINITY, &most));
  slope = slope != 0 ? slope : alpha;
  if (threshold != 0 || (most != INFINITY && (slope != 0 || most <= 0)))
    return layer_refuse(call->layer,
                        "cuseq has no relu that begins elsewhere than at 0, or that has both a slope for "
                        "negative numbers and a largest value (its threshold is %g, its slope %g, its "
                        "max_value %g)",
                        threshold, slope, most);
  if (most == INFINITY)
    return leaky(evaluator, call, slope);
  struct pieces pieces = {.owner = call->layer, .inner = 1, .shift = -(float)most, .slope = -1};
  return in_pieces(evaluator, call, &pieces);
}

/* A leaky relu whose slopes are weights: one for each feature, or one for all. */
cuseq_status layer_prelu(struct evaluator *evaluator, struct layer_call *call) {
  TRY(call_arity(call, 1, 1));
  struct expressions *expressions = &evaluator->expressions;
  const struct value *value = &call->inputs[0];
  const int32_t width = expression_at(expressions, value->expression)->width;
  struct layer_weights weights;
  int32_t slopes;
  if (!value_is_feature_axis(expressions, value, value->axis_count - 1))
    return layer_refuse(call->layer, "its slopes are not of the features, in the last axis");
  TRY(weights_find(&evaluator->weights, call->layer, WEIGHTS_WHOLE, &weights));
  const bool positions = value->axis_count == 3;
  TRY(weights_matrix(expressions, call->layer, &weights, 0, "alpha", positions ? 1 : 0, width, &slopes));
  float *outer = arena_allocate(evaluator->arena, (size_t)width * sizeof *outer);
  if (outer == NULL)
    return error_out_of_memory();
  for (int32_t u = 0; u < width; u++)
    outer[u] = -expressions->matrices[slopes].data[u];
  struct pieces pieces = {.owner = call->layer, .inner = -1, .slopes = outer};
  return in_pieces(evaluator, call, &pieces);
}

/* LeakyReLU has its slope as alpha in Keras 2 and as negative_slope in Keras 3, leaky_relu under both
 * names. */
cuseq_status layer_leaky_relu(struct evaluator *evaluator, struct layer_call *call) {
  bool layer = strcmp(call->layer->node.class_name, "LeakyReLU") == 0;
  double alpha, slope;
  TRY(read_number(call, "alpha", layer ? 0.3 : 0.2, &alpha));
  TRY(read_number(call, "negative_slope", alpha, &slope));
  return leaky(evaluator, call, slope);
}

cuseq_status layer_elu(struct evaluator *evaluator, struct layer_call *call) {
  double alpha;
  TRY(read_number(call, "alpha", 1, &alpha));
  if (alpha != 1)
    return layer_refuse(call->layer, "its alpha is %g (cuseq's elu has 1)", alpha);
  return plain(evaluator, call, CUSEQ_ACTIVATION_ELU);
}

/* keras.ops.gelu approximates unless it is told not to; TensorFlow's does not unless it is told to. */
cuseq_status layer_gelu(struct evaluator *evaluator, struct layer_call *call) {
  const json_t *approximate = call_setting(call, "approximate");
  bool tanh = approximate == NULL ? call->layer->is_operation : json_is_true(approximate);
  return plain(evaluator, call, tanh ? CUSEQ_ACTIVATION_GELU_TANH : CUSEQ_ACTIVATION_GELU);
}

/* Functions without settings, by the name of the operation or of TensorFlow's function. */
cuseq_status layer_function(struct evaluator *evaluator, struct layer_call *call) {
  static const struct {
    const char *names[4];
    cuseq_activation activation;
  } known[] = {{{"Tanh", "math.tanh", "nn.tanh"}, CUSEQ_ACTIVATION_TANH},
               {{"Sigmoid", "math.sigmoid", "nn.sigmoid"}, CUSEQ_ACTIVATION_SIGMOID},
               {{"Selu", "nn.selu"}, CUSEQ_ACTIVATION_SELU},
               {{"Silu", "nn.silu", "nn.swish"}, CUSEQ_ACTIVATION_SWISH},
               {{"Softplus", "math.softplus", "nn.softplus"}, CUSEQ_ACTIVATION_SOFTPLUS},
               {{"Softsign", "nn.softsign"}, CUSEQ_ACTIVATION_SOFTSIGN},
               {{"HardSigmoid"}, CUSEQ_ACTIVATION_HARD_SIGMOID},
               {{"Exp", "math.exp"}, CUSEQ_ACTIVATION_EXPONENTIAL}};
  const char *function = json_string_value(json_object_get(call->layer->config, "function"));
  const char *name = call->layer->is_operation || function == NULL ? call->layer->node.class_name : function;
  for (size_t i = 0; i < sizeof known / sizeof *known; i++)
    for (size_t k = 0; k < 4 && known[i].names[k] != NULL; k++)
      if (strcmp(known[i].names[k], name) == 0)
        return plain(evaluator, call, known[i].activation);
  return layer_refuse(call->layer, "cuseq has no function of this name");
}
