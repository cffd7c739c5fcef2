#include "convert/keras/layers.h"
#include "convert/keras/arguments.h"
#include "error.h"

#include <string.h>

struct kind {
  const char *name;
  cuseq_status (*evaluate)(struct evaluator *evaluator, struct layer_call *call);
  const char *arguments; /* arguments_check's */
};

/* keras.layers. Noise and regularisation do nothing once a model is trained. */
static const struct kind layers[] = {
    {"InputLayer", layer_input, ""},
    {"Embedding", layer_embedding, ""},
    {"Masking", layer_masking, ""},
    {"LSTM", layer_recurrent, "initial_state"},
    {"GRU", layer_recurrent, "initial_state"},
    {"SimpleRNN", layer_recurrent, "initial_state"},
    {"RNN", layer_recurrent, "initial_state"},
    {"LSTMCell", layer_cell, "states"},
    {"GRUCell", layer_cell, "states"},
    {"SimpleRNNCell", layer_cell, "states"},
    {"Bidirectional", layer_bidirectional, "initial_state"},
    {"Dense", layer_dense, ""},
    {"Conv1D", layer_convolution, ""},
    {"TimeDistributed", layer_time_distributed, ""},
    {"Activation", layer_activation, ""},
    {"Softmax", layer_softmax, ""},
    {"ReLU", layer_relu, ""},
    {"LeakyReLU", layer_leaky_relu, ""},
    {"PReLU", layer_prelu, ""},
    {"ELU", layer_elu, ""},
    {"BatchNormalization", layer_batch_normalization, ""},
    {"LayerNormalization", layer_layer_normalization, ""},
    {"Normalization", layer_normalization, ""},
    {"Rescaling", layer_rescaling, ""},
    {"RepeatVector", layer_repeat_vector, ""},
    {"Reshape", layer_reshape, ""},
    {"Flatten", layer_flatten, ""},
    {"Permute", layer_permute, ""},
    {"Concatenate", layer_concatenate, ""},
    {"Add", layer_add, ""},
    {"Multiply", layer_multiply, ""},
    {"Subtract", layer_subtract, ""},
    {"Average", layer_average, ""},
    {"Maximum", layer_maximum, ""},
    {"Dot", layer_dot, ""},
    {"Attention", layer_attention, "return_attention_scores use_causal_mask"},
    {"AdditiveAttention", layer_additive_attention, "return_attention_scores use_causal_mask"},
    {"MultiHeadAttention", layer_multi_head_attention,
     "query value key query_mask value_mask key_mask return_attention_scores !use_causal_mask"},
    {"GlobalAveragePooling1D", layer_average_pooling, ""},
    {"GlobalMaxPooling1D", layer_maximum_pooling, ""},
    {"MaxPooling1D", layer_pool_maximum, ""},
    {"AveragePooling1D", layer_pool_mean, ""},
    {"Cropping1D", layer_cropping, ""},
    {"ZeroPadding1D", layer_zero_padding, ""},
    {"Dropout", layer_identity, ""},
    {"SpatialDropout1D", layer_identity, ""},
    {"GaussianNoise", layer_identity, ""},
    {"GaussianDropout", layer_identity, ""},
    {"AlphaDropout", layer_identity, ""},
    {"ActivityRegularization", layer_identity, ""},
    {"Identity", layer_identity, ""},
};

/* Operations: Keras 3's under their class, TensorFlow's under their function. */
static const struct kind operations[] = {
    {"Add", layer_add, "x y #"},
    {"__operators__.add", layer_add, "x y #"},
    {"math.add", layer_add, "x y #"},
    {"Multiply", layer_multiply, "x y #"},
    {"math.multiply", layer_multiply, "x y #"},
    {"Subtract", layer_subtract, "x y #"},
    {"math.subtract", layer_subtract, "x y #"},
    {"Divide", layer_divide, "x y #"},
    {"TrueDivide", layer_divide, "x y #"},
    {"math.truediv", layer_divide, "x y #"},
    {"math.divide", layer_divide, "x y #"},
    {"Negative", layer_negative, "x"},
    {"math.negative", layer_negative, "x"},
    {"Maximum", layer_maximum, "x y #"},
    {"math.maximum", layer_maximum, "x y #"},
    {"Sum", layer_sum, "input_tensor x axis keepdims"},
    {"math.reduce_sum", layer_sum, "input_tensor x axis keepdims"},
    {"keras.backend.sum", layer_sum, "input_tensor x axis keepdims"},
    {"Mean", layer_mean, "input_tensor x axis keepdims"},
    {"math.reduce_mean", layer_mean, "input_tensor x axis keepdims"},
    {"keras.backend.mean", layer_mean, "input_tensor x axis keepdims"},
    {"Max", layer_largest, "input_tensor x axis keepdims"},
    {"math.reduce_max", layer_largest, "input_tensor x axis keepdims"},
    {"keras.backend.max", layer_largest, "input_tensor x axis keepdims"},
    {"Matmul", layer_matmul, "a b transpose_a transpose_b !adjoint_a !adjoint_b !a_is_sparse !b_is_sparse"},
    {"linalg.matmul", layer_matmul,
     "a b transpose_a transpose_b !adjoint_a !adjoint_b !a_is_sparse !b_is_sparse"},
    {"Softmax", layer_softmax, "logits axis"},
    {"nn.softmax", layer_softmax, "logits axis"},
    {"LogSoftmax", layer_log_softmax, "logits axis"},
    {"nn.log_softmax", layer_log_softmax, "logits axis"},
    {"Tanh", layer_function, "x"},
    {"math.tanh", layer_function, "x"},
    {"nn.tanh", layer_function, "x"},
    {"Sigmoid", layer_function, "x"},
    {"math.sigmoid", layer_function, "x"},
    {"nn.sigmoid", layer_function, "x"},
    {"Selu", layer_function, "x"},
    {"nn.selu", layer_function, "features"},
    {"Silu", layer_function, "x"},
    {"Softplus", layer_function, "x"},
    {"math.softplus", layer_function, "features"},
    {"Softsign", layer_function, "x"},
    {"nn.softsign", layer_function, "features"},
    {"HardSigmoid", layer_function, "x"},
    {"Exp", layer_function, "x"},
    {"math.exp", layer_function, "x"},
    {"Elu", layer_elu, "x"},
    {"nn.elu", layer_elu, "features"},
    {"Gelu", layer_gelu, "x"},
    {"nn.gelu", layer_gelu, "features approximate"},
    {"Relu", layer_relu, "features"},
    {"nn.relu", layer_relu, "features"},
    {"LeakyRelu", layer_leaky_relu, "x"},
    {"nn.leaky_relu", layer_leaky_relu, "features alpha"},
    {"GetItem", layer_get_item, "*"},
    {"__operators__.getitem", layer_get_item, "slice_spec"},
    {"Take", layer_take, "* x indices"},
    {"compat.v1.gather", layer_take, "params indices axis batch_dims !validate_indices"},
    {"Split", layer_split, ""},
    {"split", layer_split, "value axis num_or_size_splits"},
    {"Unstack", layer_unstack, ""},
    {"unstack", layer_unstack, "value axis"},
    {"Flip", layer_flip, ""},
    {"reverse", layer_flip, "tensor axis"},
    {"Repeat", layer_repeat, ""},
    {"repeat", layer_repeat, "input repeats axis"},
    {"tile", layer_repeat, "input multiples"},
    {"identity", layer_identity, "input"},
    {"Concatenate", layer_concatenate, "values axis"},
    {"concat", layer_concatenate, "values axis"},
    {"Stack", layer_stack, "values axis"},
    {"stack", layer_stack, "values axis"},
    {"ExpandDims", layer_expand_dims, "input axis"},
    {"expand_dims", layer_expand_dims, "input axis"},
    {"Squeeze", layer_squeeze, "input axis"},
    {"squeeze", layer_squeeze, "input axis"},
    {"compat.v1.squeeze", layer_squeeze, "input axis"},
    {"Transpose", layer_transpose, "a perm axes !conjugate"},
    {"transpose", layer_transpose, "a perm axes !conjugate"},
    {"compat.v1.transpose", layer_transpose, "a perm axes !conjugate"},
    {"Reshape", layer_reshape, ""},
    {"reshape", layer_reshape, "tensor shape"},
    {"ZerosLike", layer_zeros_like, "input tensor dtype optimize"},
    {"zeros_like", layer_zeros_like, "input tensor dtype optimize"},
    {"compat.v1.zeros_like", layer_zeros_like, "input tensor dtype optimize"},
    {"Argmax", layer_argmax, "input axis output_type"},
    {"math.argmax", layer_argmax, "input axis output_type"},
    {"OneHot", layer_one_hot, "indices depth axis dtype"},
    {"one_hot", layer_one_hot, "indices depth axis dtype"},
};

static const struct kind *find_kind(const struct kind *kinds, size_t count, const char *name) {
  for (size_t i = 0; i < count; i++)
    if (strcmp(kinds[i].name, name) == 0)
      return &kinds[i];
  return NULL;
}

static cuseq_status refuse_kind(const struct keras_layer *layer) {
  if (strcmp(layer->node.class_name, "Lambda") == 0)
    return layer_refuse(layer, "its Python code cannot be converted (needed layers of Keras' own)");
  if (strcmp(layer->node.class_name, "CuDNNLSTM") == 0)
    return layer_refuse(
        layer, "its weights are in cuDNN's arrangement (load it as LSTM in Keras and save it again)");
  if (strcmp(layer->node.class_name, "CuDNNGRU") == 0)
    return layer_refuse(layer, "its weights are in cuDNN's arrangement (load it as GRU with reset_after in "
                               "Keras and save it again)");
  if (layer->origin == ORIGIN_AUTHOR)
    return layer_refuse(layer,
                        "a class of the author's own, whose code the file lacks (" PAGE_FOR_AUTHORS ")");
  if (layer->origin == ORIGIN_KERAS)
    return layer_refuse(layer, "cuseq cannot express this kind of layer");
  return layer_refuse(
      layer, "cuseq cannot express this kind of layer (if it is a class of your own: " PAGE_FOR_AUTHORS ")");
}

static bool is_tensorflow_operation(const struct keras_layer *layer) {
  return !layer->is_operation && layer_is_operation(layer);
}

cuseq_status layer_evaluate(struct evaluator *evaluator, struct layer_call *call) {
  const struct keras_layer *layer = call->layer;
  const struct kind *kind;
  if (layer->inner != NULL) {
    TRY(arguments_check(call, ""));
    TRY(mask_before(evaluator, call));
    return evaluate_inner(evaluator, call);
  }
  if (is_tensorflow_operation(layer)) {
    const char *function = json_string_value(json_object_get(layer->config, "function"));
    kind = function == NULL ? NULL : find_kind(operations, sizeof operations / sizeof *operations, function);
    if (kind == NULL)
      return layer_refuse(layer, "cuseq cannot express the operation %.80s",
                          function != NULL ? function : "?");
  } else if (layer->is_operation) {
    kind = find_kind(operations, sizeof operations / sizeof *operations, layer->node.class_name);
  } else {
    kind = find_kind(layers, sizeof layers / sizeof *layers, layer->node.class_name);
  }
  if (kind == NULL)
    return refuse_kind(layer);
  TRY(settings_check(layer));
  TRY(arguments_check(call, kind->arguments));
  TRY(mask_before(evaluator, call));
  TRY(kind->evaluate(evaluator, call));
  return mask_behind(evaluator, call);
}

const json_t *call_setting(const struct layer_call *call, const char *key) {
  for (size_t i = 0; i < call->call->count; i++) {
    const struct graph_argument *argument = &call->call->arguments[i];
    if (argument->key != NULL && strcmp(argument->key, key) == 0 && argument->kind == ARGUMENT_CONSTANT)
      return argument->constant;
  }
  return json_object_get(call->layer->config, key);
}

cuseq_status call_axis(const struct layer_call *call, const struct value *value, const char *key,
                       int64_t fallback, int32_t *axis) {
  const json_t *setting = call_setting(call, key);
  if (json_is_array(setting) && json_array_size(setting) == 1)
    setting = json_array_get(setting, 0);
  if (setting != NULL && !json_is_null(setting) && !json_is_integer(setting))
    return layer_refuse(call->layer, "its setting %s is not one axis", key);
  int64_t given = json_is_integer(setting) ? json_integer_value(setting) : fallback;
  *axis = value_axis(value, given);
  if (*axis < 0)
    return layer_refuse(call->layer, "there is no axis %lld in what it is given", (long long)given);
  return CUSEQ_STATUS_OK;
}

cuseq_status call_arity(const struct layer_call *call, size_t least, size_t most) {
  if (call->input_count >= least && call->input_count <= most)
    return CUSEQ_STATUS_OK;
  return layer_refuse(call->layer, "it is called with %zu tensors (needed %zu to %zu)", call->input_count,
                      least, most);
}

cuseq_status value_map(struct evaluator *evaluator, struct value *value, expression_map map, void *context) {
  struct expression steps = *expression_at(&evaluator->expressions, value->expression);
  if (steps.op != EXPRESSION_STEPS)
    return map(evaluator, context, value->expression, &value->expression);
  int32_t *mapped = arena_allocate(evaluator->arena, (size_t)steps.child_count * sizeof *mapped);
  if (mapped == NULL)
    return error_out_of_memory();
  for (int32_t i = 0; i < steps.child_count; i++)
    TRY(map(evaluator, context, steps.children[i], &mapped[i]));
  steps.children = mapped;
  return expression_make(&evaluator->expressions, &steps, &value->expression);
}
