/* Layers that give one position for several that they read: poolings, and what a convolution with strides
 * reads. */
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

/* The `reach` positions of each of the windows that begin every `stride` positions.
 *   parts  [reach] receives them; *value becomes a sequence of windows, its expression stays */
static cuseq_status windows(struct evaluator *evaluator, const struct keras_layer *layer, int64_t reach,
                            int64_t stride, struct value *value, int32_t **parts) {
  struct axis *time = &value->axes[1];
  int32_t clock;
  *parts = NULL;
  if (reach < 1 || stride < 1 || reach > MOST_POSITIONS || stride > MOST_POSITIONS)
    return layer_refuse(layer, "it takes %lld positions together every %lld (at most %d)", (long long)reach,
                        (long long)stride, MOST_POSITIONS);
  if (time->size >= 0 && time->size < reach)
    return layer_refuse(layer, "it needs more positions than the %lld that there are", (long long)time->size);
  TRY(clock_thin(&evaluator->expressions, &layer->node, time->clock, (int32_t)stride, (int32_t)reach, &clock));
  *parts = arena_allocate(evaluator->arena, (size_t)reach * sizeof **parts);
  if (*parts == NULL)
    return error_out_of_memory();
  for (int32_t i = 0; i < reach; i++)
    TRY(thin(evaluator, layer, clock, i, value->expression, &(*parts)[i]));
  time->clock = clock;
  time->size = time->size < 0 ? -1 : (time->size - reach) / stride + 1;
  return CUSEQ_STATUS_OK;
}

cuseq_status thin_window(struct evaluator *evaluator, const struct keras_layer *layer, int64_t reach,
                         int64_t stride, struct value *value) {
  int32_t *parts;
  TRY(windows(evaluator, layer, reach, stride, value, &parts));
  struct expression joined = {.op = EXPRESSION_CONCAT,
                              .matrix = -1,
                              .bias = -1,
                              .node = &layer->node,
                              .child_count = (int32_t)reach,
                              .children = parts};
  return expression_make(&evaluator->expressions, &joined, &value->expression);
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
    return layer_refuse(layer,
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
  if (maximum) {
    TRY(expression_maximum(&evaluator->expressions, parts, (int32_t)size, &layer->node, &value.expression));
    return call_output(evaluator, call, &value);
  }
  value.expression = parts[0];
  for (int32_t i = 1; i < size; i++)
    TRY(expression_binary(&evaluator->expressions, EXPRESSION_ADD, value.expression, parts[i], &layer->node,
                          &value.expression));
  TRY(scale_make(evaluator, layer, 1.0 / (double)size, value.expression, &value.expression));
  return call_output(evaluator, call, &value);
}

cuseq_status layer_pool_maximum(struct evaluator *evaluator, struct layer_call *call) {
  return pool(evaluator, call, true);
}

cuseq_status layer_pool_mean(struct evaluator *evaluator, struct layer_call *call) {
  return pool(evaluator, call, false);
}
