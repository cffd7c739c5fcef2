/* MultiHeadAttention: query, keys and values go through projections of their own; each head attends with its
 * part of them, by inner products over the square root of a key's width; what the heads give goes, side by
 * side, through one more projection. */
#include "convert/graph/lift.h"
#include "convert/graph/self_attention.h"
#include "convert/keras/layers.h"
#include "error.h"

#include <math.h>
#include <string.h>

struct multi_head {
  struct value query, value, key;
  int64_t heads, key_dim, value_dim;
  int64_t given; /* the width of what it gives; -1: that of the query */
  bool has_bias;
};

/* What the layer is called with under a name. */
static bool read_input(const struct layer_call *call, const char *name, struct value *value) {
  const size_t at = call_input_named(call, name);
  if (at >= call->input_count)
    return false;
  *value = call->inputs[at];
  return true;
}

static cuseq_status read_inputs(const struct layer_call *call, struct multi_head *multi_head) {
  const bool query = read_input(call, "query", &multi_head->query);
  const bool value = read_input(call, "value", &multi_head->value);
  const bool key = read_input(call, "key", &multi_head->key);
  if (!query || !value || call->input_count != (size_t)(2 + key))
    return layer_refuse(call->layer, "it is called with what is no query, value or key");
  if (!key)
    multi_head->key = multi_head->value;
  return CUSEQ_STATUS_OK;
}

/* A setting that is null, or a list of one number. */
static cuseq_status read_single(const struct keras_layer *layer, const char *key, int64_t *number) {
  const json_t *setting = json_object_get(layer->config, key);
  *number = -1;
  if (setting == NULL || json_is_null(setting))
    return CUSEQ_STATUS_OK;
  const json_t *single = json_array_size(setting) == 1 ? json_array_get(setting, 0) : setting;
  if (!json_is_integer(single))
    return layer_refuse(layer, "its setting %s is nothing that cuseq can express (needed one number)", key);
  *number = json_integer_value(single);
  return CUSEQ_STATUS_OK;
}

static cuseq_status read_settings(const struct keras_layer *layer, struct multi_head *multi_head) {
  static const char *const others[] = {"use_gate", "sliding_window"};
  int64_t axis;
  TRY(layer_integer(layer, layer->config, "num_heads", -1, &multi_head->heads));
  TRY(layer_integer(layer, layer->config, "key_dim", -1, &multi_head->key_dim));
  TRY(layer_integer(layer, layer->config, "value_dim", multi_head->key_dim, &multi_head->value_dim));
  TRY(layer_bool(layer, layer->config, "use_bias", true, &multi_head->has_bias));
  TRY(read_single(layer, "output_shape", &multi_head->given));
  TRY(read_single(layer, "attention_axes", &axis));
  if (axis != -1 && axis != 1)
    return layer_refuse(layer, "it attends along another axis than that of the positions");
  for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
    const json_t *setting = json_object_get(layer->config, others[i]);
    if (setting != NULL && !json_is_null(setting) && !json_is_false(setting))
      return layer_refuse(layer, "its setting %s is nothing that cuseq can express", others[i]);
  }
  if (multi_head->heads < 1 || multi_head->key_dim < 1 || multi_head->value_dim < 1 ||
      multi_head->heads > 4096 || multi_head->key_dim > 1 << 20 || multi_head->value_dim > 1 << 20)
    return layer_refuse(layer, "its heads, or their widths, are no such numbers");
  return CUSEQ_STATUS_OK;
}

/* Sequences, or one vector that asks a sequence. */
static cuseq_status check_inputs(struct evaluator *evaluator, const struct layer_call *call,
                                 const struct multi_head *multi_head, bool *itself) {
  const struct expressions *expressions = &evaluator->expressions;
  const struct keras_layer *layer = call->layer;
  const struct value *query = &multi_head->query, *value = &multi_head->value, *key = &multi_head->key;
  char text[128];
  const bool sequence = value_has_axes(expressions, query, "BTF");
  const bool single =
      value_has_axes(expressions, query, "B1F") && expression_at(expressions, query->expression)->clocks == 0;
  if (!sequence && !single)
    return layer_refuse(layer, "its query is %s (needed [batch, 1, units], or [batch, time, units])",
                        value_describe(expressions, query, text, sizeof text));
  if (!value_has_axes(expressions, value, "BTF") || !value_has_axes(expressions, key, "BTF"))
    return layer_refuse(layer, "its value or key is no sequence");
  if (value->axes[1].clock != key->axes[1].clock)
    return layer_refuse(layer, "its value and its key are two sequences");
  if (value->mask != key->mask)
    return layer_refuse(layer, "its value and its key have different masks, which cuseq cannot express");
  *itself = sequence && query->axes[1].clock == value->axes[1].clock;
  if (!*itself && query->mask != NULL && !sequence)
    return layer_refuse(layer, "its query has the mask of '%.100s', which cuseq cannot express",
                        query->mask->name);
  return CUSEQ_STATUS_OK;
}

/* Several heads that the last position of a sequence asks: what it is given is what the last of all positions
 * that ask is given. A layer that is called several times is asked by a decoder's steps.
 *   last  receives whether it is that */
static cuseq_status settle_last(struct evaluator *evaluator, const struct keras_layer *layer,
                                struct multi_head *multi_head, bool *itself, bool *last) {
  const int32_t clock = multi_head->value.axes[1].clock;
  int32_t sequence = -1;
  *last = false;
  if (*itself || multi_head->heads == 1 || layer->call_count > 1 || multi_head->value.mask != NULL ||
      expression_at(&evaluator->expressions, multi_head->query.expression)->clocks != 0)
    return CUSEQ_STATUS_OK;
  TRY(expression_of_last(&evaluator->expressions, clock, multi_head->query.expression, &sequence));
  if (sequence < 0 || expression_at(&evaluator->expressions, sequence)->clocks != (uint32_t)1 << clock)
    return CUSEQ_STATUS_OK;
  multi_head->query.expression = sequence;
  *itself = *last = true;
  return CUSEQ_STATUS_OK;
}

/* A projection of a vector, or back from the heads' vectors.
 *   units  of each head; -1: it goes back, to `given` elements */
static cuseq_status project(struct evaluator *evaluator, const struct keras_layer *layer,
                            const struct multi_head *multi_head, int projection, int64_t units, int64_t given,
                            int32_t *expression) {
  static const char *const whats[PROJECTIONS] = {"query kernel", "key kernel", "value kernel",
                                                 "output kernel"};
  const int32_t width = expression_at(&evaluator->expressions, *expression)->width;
  const int64_t out[] = {width, multi_head->heads, units}, *bias_of = out + 1;
  const int64_t back[] = {multi_head->heads, multi_head->value_dim, given};
  const bool goes_back = projection == PROJECTION_OUTPUT;
  struct layer_weights weights;
  int32_t kernel, bias = -1;
  TRY(weights_find(&evaluator->weights, layer, WEIGHTS_CELL + (enum weights_part)projection, &weights));
  TRY(weights_shaped(&evaluator->expressions, layer, &weights, 0, whats[projection], goes_back ? back : out,
                     3, width, &kernel));
  if (goes_back)
    bias_of = back + 2;
  if (multi_head->has_bias)
    TRY(weights_shaped(&evaluator->expressions, layer, &weights, 1, "bias", bias_of, goes_back ? 1 : 2, 1,
                       &bias));
  return expression_dense(&evaluator->expressions, *expression, kernel, bias, &layer->node, expression);
}

/* The weights that it gives beside: nothing can read them. */
static cuseq_status give_weights(struct evaluator *evaluator, struct layer_call *call) {
  const json_t *wanted = call_setting(call, "return_attention_scores");
  struct value weights = {.axis_count = 1, .axes = {{AXIS_BATCH, -1, 0}}};
  struct expression nothing = {
      .op = EXPRESSION_PLACE, .width = 1, .matrix = -1, .bias = -1, .node = &call->layer->node};
  if (wanted == NULL || json_is_null(wanted) || json_is_false(wanted))
    return CUSEQ_STATUS_OK;
  TRY(expression_make(&evaluator->expressions, &nothing, &weights.expression));
  return call_output(evaluator, call, &weights);
}

cuseq_status layer_multi_head_attention(struct evaluator *evaluator, struct layer_call *call) {
  const struct keras_layer *layer = call->layer;
  struct multi_head multi_head;
  bool itself = false, last;
  TRY(call_arity(call, 2, 3));
  TRY(read_inputs(call, &multi_head));
  TRY(read_settings(layer, &multi_head));
  TRY(check_inputs(evaluator, call, &multi_head, &itself));
  struct value result = multi_head.query;
  TRY(settle_last(evaluator, layer, &multi_head, &itself, &last));
  const int64_t width = expression_at(&evaluator->expressions, result.expression)->width;
  const int64_t given = multi_head.given > 0 ? multi_head.given : width;
  TRY(project(evaluator, layer, &multi_head, PROJECTION_QUERY, multi_head.key_dim, -1,
              &multi_head.query.expression));
  TRY(project(evaluator, layer, &multi_head, PROJECTION_KEY, multi_head.key_dim, -1,
              &multi_head.key.expression));
  TRY(project(evaluator, layer, &multi_head, PROJECTION_VALUE, multi_head.value_dim, -1,
              &multi_head.value.expression));
  const struct self_attention_heads heads = {.query = multi_head.query.expression,
                                             .key = multi_head.key.expression,
                                             .value = multi_head.value.expression,
                                             .heads = (int32_t)multi_head.heads,
                                             .scale = 1 / sqrt((double)multi_head.key_dim),
                                             .masked = multi_head.value.mask != NULL};
  TRY(itself ? self_attention_of_heads(&evaluator->expressions, &heads, &layer->node, &result.expression)
             : attention_of_heads(&evaluator->expressions, &heads, multi_head.value.axes[1].clock,
                                  &layer->node, &result.expression));
  if (last)
    TRY(expression_position(&evaluator->expressions, multi_head.value.axes[1].clock, -1, result.expression,
                            &layer->node, &result.expression));
  TRY(project(evaluator, layer, &multi_head, PROJECTION_OUTPUT, -1, given, &result.expression));
  result.axes[2] = axis_of_width((int32_t)given);
  TRY(call_output(evaluator, call, &result));
  return give_weights(evaluator, call);
}
