/* Keras' own attention layers of one head. Both score a query (the decoder's state, or the sequence itself)
 * against keys, and sum values (the encoder's outputs) with the softmax of the scores:
 *   AdditiveAttention       sum of scale * tanh(q + k)
 *   Attention, "dot"        scale * (q . k)
 *   Attention, "concat"     weight * sum of tanh(scale * (q + k)) */
#include "convert/keras/layers.h"
#include "error.h"

#include <string.h>

struct attention {
  struct value query, value, key;
  struct layer_weights weights;
  bool use_scale;
};

static cuseq_status read_attention(struct evaluator *evaluator, struct layer_call *call,
                                   bool scale_by_default, struct attention *attention) {
  const struct keras_layer *layer = call->layer;
  char text[128];
  TRY(call_arity(call, 2, 3));
  attention->query = call->inputs[0];
  attention->value = call->inputs[1];
  attention->key = call->inputs[call->input_count - 1];
  bool causal;
  TRY(layer_bool(layer, layer->config, "causal", false, &causal));
  const json_t *masked = call_setting(call, "use_causal_mask");
  if (causal || (masked != NULL && !json_is_null(masked) && !json_is_false(masked)))
    return layer_refuse(layer, "cuseq cannot express a causal mask");
  const struct expressions *expressions = &evaluator->expressions;
  const struct value *query = &attention->query;
  bool sequence = value_has_axes(expressions, query, "BTF");
  if (!sequence && (!value_has_axes(expressions, query, "B1F") ||
                    expression_at(expressions, query->expression)->clocks != 0))
    return layer_refuse(layer,
                        "its query is %s (needed [batch, 1, units], or a decoder's [batch, steps, units])",
                        value_describe(expressions, query, text, sizeof text));
  if (!sequence && query->mask != NULL)
    return layer_refuse(layer, "its query has the mask of '%.100s', which cuseq cannot express",
                        query->mask->name);
  if (!value_has_axes(expressions, &attention->value, "BTF") ||
      !value_has_axes(expressions, &attention->key, "BTF"))
    return layer_refuse(layer, "its value or key is no sequence of the encoder's outputs");
  if (attention->value.axes[1].clock != attention->key.axes[1].clock)
    return layer_refuse(layer, "its value and its key are two sequences");
  if (expression_at(expressions, query->expression)->width !=
      expression_at(expressions, attention->key.expression)->width)
    return layer_refuse(layer, "its query and key differ in width");
  if (sequence && query->axes[1].clock == attention->value.axes[1].clock) { /* it asks itself */
    TRY(value_twin(&evaluator->expressions, &layer->node, 1, &attention->value));
    TRY(value_twin(&evaluator->expressions, &layer->node, 1, &attention->key));
  }
  TRY(layer_bool(layer, layer->config, "use_scale", scale_by_default, &attention->use_scale));
  return weights_find(&evaluator->weights, layer, WEIGHTS_WHOLE, &attention->weights);
}

/* Context and weights from the scores. Where the values are masked, so are the scores. */
static cuseq_status attend(struct evaluator *evaluator, struct layer_call *call,
                           const struct attention *attention, int32_t scores) {
  struct value context = attention->query, alphas = attention->query;
  alphas.mask = NULL;
  const int32_t clock = attention->value.axes[1].clock;
  alphas.axes[2] = attention->value.axes[1];
  TRY(expression_over(&evaluator->expressions, EXPRESSION_SOFTMAX, clock, 0, attention->value.mask != NULL,
                      scores, &call->layer->node, &alphas.expression));
  TRY(context_make(evaluator, call->layer, clock, alphas.expression, attention->value.expression,
                   &context.expression));
  context.axes[2] = attention->value.axes[2];
  TRY(call_output(evaluator, call, &context));
  return call_output(evaluator, call, &alphas);
}

/* A single number among the layer's weights. */
static cuseq_status read_scalar(const struct keras_layer *layer, const struct layer_weights *weights,
                                size_t at, struct evaluator *evaluator, const char *what, double *number) {
  int32_t matrix;
  TRY(weights_matrix(&evaluator->expressions, layer, weights, at, what, 0, 1, &matrix));
  *number = evaluator->expressions.matrices[matrix].data[0];
  return CUSEQ_STATUS_OK;
}

static cuseq_status tanh_of_sum(struct evaluator *evaluator, const struct keras_layer *layer,
                                const struct attention *attention, double scale, int32_t *expression) {
  struct expressions *expressions = &evaluator->expressions;
  TRY(expression_binary(expressions, EXPRESSION_ADD, attention->query.expression, attention->key.expression,
                        &layer->node, expression));
  TRY(scale_make(evaluator, layer, scale, *expression, expression));
  return expression_unary(expressions, EXPRESSION_ACTIVATION, CUSEQ_ACTIVATION_TANH, *expression,
                          &layer->node, expression);
}

cuseq_status layer_additive_attention(struct evaluator *evaluator, struct layer_call *call) {
  struct attention attention;
  TRY(read_attention(evaluator, call, true, &attention));
  int32_t scale = -1, scores;
  if (attention.use_scale)
    TRY(weights_matrix(&evaluator->expressions, call->layer, &attention.weights, 0, "scale", 0,
                       expression_at(&evaluator->expressions, attention.key.expression)->width, &scale));
  TRY(tanh_of_sum(evaluator, call->layer, &attention, 1, &scores));
  TRY(weighted_sum(evaluator, call->layer, scale >= 0 ? evaluator->expressions.matrices[scale].data : NULL,
                   scores, &scores));
  return attend(evaluator, call, &attention, scores);
}

cuseq_status layer_attention(struct evaluator *evaluator, struct layer_call *call) {
  const struct keras_layer *layer = call->layer;
  struct attention attention;
  TRY(read_attention(evaluator, call, false, &attention));
  const char *mode = json_string_value(json_object_get(layer->config, "score_mode"));
  double scale = 1, weight = 1;
  int32_t scores;
  if (attention.use_scale)
    TRY(read_scalar(layer, &attention.weights, 0, evaluator, "scale", &scale));
  if (mode == NULL || strcmp(mode, "dot") == 0) {
    TRY(expression_binary(&evaluator->expressions, EXPRESSION_DOT, attention.query.expression,
                          attention.key.expression, &layer->node, &scores));
  } else if (strcmp(mode, "concat") == 0) {
    TRY(read_scalar(layer, &attention.weights, attention.use_scale, evaluator, "concat_score_weight",
                    &weight));
    TRY(tanh_of_sum(evaluator, layer, &attention, scale, &scores));
    TRY(weighted_sum(evaluator, layer, NULL, scores, &scores));
    scale = weight;
  } else {
    return layer_refuse(layer, "its score_mode is %.40s (needed dot or concat)", mode);
  }
  TRY(scale_make(evaluator, layer, scale, scores, &scores));
  return attend(evaluator, call, &attention, scores);
}
