/* Conv1D: a dense map of some neighbouring positions. */
#include "convert/keras/layers.h"
#include "error.h"

#include <string.h>

/* A setting of one number, which Keras also writes as a list of one. */
cuseq_status settings_size(const struct keras_layer *layer, const char *key, int64_t fallback,
                           int64_t *size) {
  const json_t *setting = json_object_get(layer->config, key);
  if (json_is_array(setting) && json_array_size(setting) == 1)
    setting = json_array_get(setting, 0);
  *size = json_is_integer(setting) ? json_integer_value(setting) : fallback;
  if (setting != NULL && !json_is_null(setting) && !json_is_integer(setting))
    return layer_refuse(layer, "its setting %s is not one number", key);
  return CUSEQ_STATUS_OK;
}

enum { MOST_POSITIONS = 4096, MOST_SPREAD = 4 << 20 }; /* that a window has; numbers of a spread kernel */

/* Refuses what no convolution of vectors is. */
static cuseq_status check_settings(const struct keras_layer *layer, const struct convolution *convolution) {
  const int64_t window = convolution->window, dilation = convolution->dilation;
  const int64_t strides = convolution->strides;
  int64_t groups;
  TRY(settings_channels_last(layer));
  TRY(settings_size(layer, "groups", 1, &groups));
  const char *padding = json_string_value(json_object_get(layer->config, "padding"));
  if (window < 1 || window > MOST_POSITIONS)
    return layer_refuse(layer, "its kernel_size is absurd (%lld)", (long long)window);
  if (dilation < 1 || dilation > MOST_POSITIONS || (window - 1) * dilation >= MOST_POSITIONS)
    return layer_refuse(layer,
                        "it reaches over more than %d positions (kernel_size %lld, dilation_rate %lld)",
                        MOST_POSITIONS, (long long)window, (long long)dilation);
  if (strides < 1 || strides > MOST_POSITIONS)
    return layer_refuse(layer, "its strides are absurd (%lld)", (long long)strides);
  if (groups != 1)
    return layer_refuse(layer, "cuseq can express convolutions of all features alone (its groups are %lld)",
                        (long long)groups);
  bool known = padding != NULL && (strcmp(padding, "same") == 0 || strcmp(padding, "causal") == 0 ||
                                   strcmp(padding, "valid") == 0);
  if (window > 1 && !known)
    return layer_refuse(layer, "its padding is %.20s (needed same, causal or valid)",
                        padding != NULL ? padding : "not known");
  return CUSEQ_STATUS_OK;
}

/* The kernel with rows of zeros between its places, for the positions that it leaves out. */
static cuseq_status spread(struct expressions *expressions, const struct keras_layer *layer,
                           const struct convolution *convolution, int32_t inputs, int32_t *kernel) {
  const int64_t window = convolution->window, dilation = convolution->dilation;
  const int32_t columns = expressions->matrices[*kernel].columns;
  const size_t place = (size_t)inputs * (size_t)columns;
  const int32_t from = *kernel;
  const size_t positions = (size_t)((window - 1) * dilation + 1);
  bool found;
  if (dilation == 1 || window == 1)
    return CUSEQ_STATUS_OK;
  if (positions * place > MOST_SPREAD + 4 * expressions->matrix_elements)
    return layer_refuse(layer, "its kernel of %zu x %zu numbers is too large to be spread over %zu positions",
                        (size_t)window, place, positions);
  TRY(matrix_make(expressions, convolution->array, (int32_t)dilation, (int64_t)positions * inputs, columns,
                  kernel, &found));
  for (size_t i = 0; !found && i < (size_t)window; i++)
    memcpy(expressions->matrices[*kernel].data + i * (size_t)dilation * place,
           expressions->matrices[from].data + i * place, place * sizeof(float));
  return CUSEQ_STATUS_OK;
}

/* A convolution without padding gives nothing for the first positions, before which it would reach. */
cuseq_status cut_apply(struct evaluator *evaluator, const struct keras_layer *layer, int32_t count,
                       struct value *value) {
  struct axis *time = &value->axes[1];
  const int32_t child = value->expression;
  struct expression made = {.op = EXPRESSION_CUT,
                            .matrix = -1,
                            .bias = -1,
                            .node = &layer->node,
                            .child_count = 1,
                            .children = &child};
  if (time->size >= 0 && time->size <= count)
    return layer_refuse(layer, "it needs more positions than the %lld that there are", (long long)time->size);
  TRY(clock_cut(&evaluator->expressions, &layer->node, time->clock, count, &made.clock));
  time->clock = made.clock;
  time->size = time->size < 0 ? -1 : time->size - count;
  return expression_make(&evaluator->expressions, &made, &value->expression);
}

/* A convolution without padding over what ZeroPadding1D gives pads by itself. */
static cuseq_status gather_padded(struct evaluator *evaluator, const struct keras_layer *layer,
                                  int64_t window, int64_t strides, struct value *value) {
  const struct expression pad = *expression_at(&evaluator->expressions, value->expression);
  const struct expression child = *expression_at(&evaluator->expressions, pad.children[0]);
  const char *padding = json_string_value(json_object_get(layer->config, "padding"));
  const int64_t reach = window - pad.index - pad.part; /* positions of the sequence itself, at the least */
  if (padding == NULL || strcmp(padding, "valid") != 0 || reach < 1 || (strides == 1 && reach != 1))
    return layer_refuse(
        layer,
        "cuseq can express '%.100s' in front of a convolution that takes up what it adds alone "
        "(padding valid, of a kernel of %lld positions)",
        pad.node->name, (long long)pad.index + pad.part + 1);
  int32_t clock = 0;
  while (clock < MAX_CLOCKS - 1 && child.clocks != (uint32_t)1 << clock)
    clock++;
  struct expression made = {.op = EXPRESSION_WINDOW,
                            .clock = clock,
                            .index = pad.index,
                            .part = (int32_t)window - 1 - pad.index,
                            .matrix = -1,
                            .bias = -1,
                            .node = &layer->node,
                            .child_count = 1,
                            .children = pad.children};
  value->axes[1].clock = clock;
  value->axes[1].size = value->axes[1].size < 0 ? -1 : value->axes[1].size - pad.index - pad.part;
  TRY(expression_make(&evaluator->expressions, &made, &value->expression));
  return strides > 1 ? thin_apply(evaluator, layer, reach, strides, value) : CUSEQ_STATUS_OK;
}

/* All that a convolution reads for a position, side by side, `window` positions; with strides for some
 * positions alone. */
static cuseq_status gather(struct evaluator *evaluator, const struct keras_layer *layer, int64_t window,
                           int64_t strides, struct value *value) {
  const char *padding = json_string_value(json_object_get(layer->config, "padding"));
  const bool same = padding != NULL && strcmp(padding, "same") == 0;
  const bool valid = padding != NULL && strcmp(padding, "valid") == 0;
  const int64_t time = value->axes[1].size, left = strides > 1 && time > 0 ? time % strides : 0;
  const int64_t beside = window - (strides == 1 ? 1 : left > 0 ? left : strides); /* that padding adds */
  const int32_t child = value->expression;
  struct expression made = {.op = EXPRESSION_WINDOW,
                            .clock = value->axes[1].clock,
                            .matrix = -1,
                            .bias = -1,
                            .node = &layer->node,
                            .child_count = 1,
                            .children = &child};
  if (expression_at(&evaluator->expressions, child)->op == EXPRESSION_PAD)
    return gather_padded(evaluator, layer, window, strides, value);
  if (valid && strides > 1)
    return thin_window(evaluator, layer, window, strides, value);
  made.index = (int32_t)(!same ? window - 1 : beside > 0 ? beside / 2 : 0);
  made.part = (int32_t)window - 1 - made.index;
  if (window > 1)
    TRY(expression_make(&evaluator->expressions, &made, &value->expression));
  if (window > 1 && valid)
    TRY(cut_apply(evaluator, layer, (int32_t)window - 1, value));
  return strides > 1 ? thin_apply(evaluator, layer, 1, strides, value) : CUSEQ_STATUS_OK;
}

cuseq_status convolution_read(struct evaluator *evaluator, const struct keras_layer *layer,
                              const struct keras_layer *owner, int32_t width,
                              struct convolution *convolution) {
  struct expressions *expressions = &evaluator->expressions;
  int64_t filters;
  bool use_bias;
  struct layer_weights weights;
  *convolution = (struct convolution){.bias = -1};
  TRY(settings_size(layer, "kernel_size", -1, &convolution->window));
  TRY(settings_size(layer, "dilation_rate", 1, &convolution->dilation));
  TRY(settings_size(layer, "strides", 1, &convolution->strides));
  TRY(check_settings(layer, convolution));
  TRY(layer_integer(layer, layer->config, "filters", -1, &filters));
  TRY(layer_bool(layer, layer->config, "use_bias", true, &use_bias));
  TRY(activation_parse(evaluator, layer, json_object_get(layer->config, "activation"),
                       CUSEQ_ACTIVATION_LINEAR, &convolution->activation));
  TRY(weights_find(&evaluator->weights, owner, WEIGHTS_WHOLE, &weights));
  convolution->array = weights.arrays[0];
  const int64_t shape[] = {convolution->window, width, filters};
  TRY(weights_shaped(expressions, owner, &weights, 0, "kernel", shape, 3, convolution->window * width,
                     &convolution->kernel));
  return use_bias ? weights_matrix(expressions, owner, &weights, 1, "bias", 0,
                                   expressions->matrices[convolution->kernel].columns, &convolution->bias)
                  : CUSEQ_STATUS_OK;
}

cuseq_status layer_convolution(struct evaluator *evaluator, struct layer_call *call) {
  struct expressions *expressions = &evaluator->expressions;
  const struct keras_layer *layer = call->layer;
  TRY(call_arity(call, 1, 1));
  struct value value = call->inputs[0];
  char text[128];
  struct convolution conv;
  TRY(steps_as_sequence(evaluator, layer, &value));
  const struct expression e = *expression_at(expressions, value.expression);
  if (!value_has_axes(expressions, &value, "BTF") || e.clocks == 0)
    return layer_refuse(layer, "it reads %s, which is no sequence",
                        value_describe(expressions, &value, text, sizeof text));
  TRY(convolution_read(evaluator, layer, layer, e.width, &conv));
  TRY(spread(expressions, layer, &conv, e.width, &conv.kernel));
  TRY(gather(evaluator, layer, (conv.window - 1) * conv.dilation + 1, conv.strides, &value));
  TRY(expression_dense(expressions, value.expression, conv.kernel, conv.bias, &layer->node,
                       &value.expression));
  value.axes[2] = axis_of_width(expressions->matrices[conv.kernel].columns);
  TRY(activation_apply(evaluator, layer, conv.activation, &value));
  return call_output(evaluator, call, &value);
}
