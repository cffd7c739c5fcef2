/* Read from the configurations that these versions wrote: keras 2.0.0, 2.0.4, 2.0.9, 2.1.3, 2.1.6, 2.2.0,
 * 2.2.2, 2.2.4, 2.2.5, 2.3.1; Keras 2 of TensorFlow 1.4, 1.8, 1.12, 1.13, 1.15 and 2.0 to 2.15, tf_keras
 * 2.16, 2.18, 2.21; Keras 3.0 to 3.15. */
#include "convert/keras/identity_keys.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

enum { LAST_MINOR = 15 }; /* of Keras 3 */

/* Of every layer. */
#define BASE                                                                                                 \
  "name trainable dtype?@s0-2 dtype@s3-,t,n batch_input_shape?@s,t dynamic?@t1-10 "                          \
  "activity_regularizer?@n4- "

#define CELL                                                                                                 \
  "units activation recurrent_activation use_bias kernel_initializer recurrent_initializer "                 \
  "bias_initializer kernel_regularizer recurrent_regularizer bias_regularizer kernel_constraint "            \
  "recurrent_constraint bias_constraint dropout recurrent_dropout implementation@s,t "                       \
  "seed@n "

#define SIMPLE                                                                                               \
  "units activation use_bias kernel_initializer recurrent_initializer bias_initializer kernel_regularizer "  \
  "recurrent_regularizer bias_regularizer kernel_constraint recurrent_constraint bias_constraint dropout "   \
  "recurrent_dropout "

#define RESET "reset_after?@s0-1,t0-1 reset_after@s2-,t2-,n "

#define RECURRENT                                                                                            \
  "return_sequences return_state?@s0 return_state@s1-,t,n go_backwards stateful unroll time_major?@t1 "      \
  "time_major@t2- zero_output_for_mask?@t1- zero_output_for_mask@n "

static const struct identity_keys layers[] = {
    {"InputLayer", "name dtype sparse batch_input_shape@s,t batch_shape@n ragged?@t1-2 ragged@t3-,n9- "
                   "optional@n13-"},
    {"Embedding", BASE "input_dim output_dim mask_zero embeddings_initializer embeddings_regularizer "
                       "embeddings_constraint activity_regularizer input_length@s,t quantization_config@n13- "
                       "lora_rank?@n lora_alpha?@n10-"},
    {"Masking", BASE "mask_value"},
    {"LSTM", BASE RECURRENT CELL "unit_forget_bias activity_regularizer"},
    {"GRU", BASE RECURRENT CELL RESET "activity_regularizer"},
    {"SimpleRNN", BASE RECURRENT SIMPLE "activity_regularizer"},
    {"RNN", BASE RECURRENT "cell"},
    {"LSTMCell", BASE CELL "unit_forget_bias"},
    {"GRUCell", BASE CELL RESET},
    {"SimpleRNNCell", BASE SIMPLE "seed@n"},
    {"StackedRNNCells", BASE "cells"},
    {"Bidirectional", BASE "layer merge_mode backward_layer?@t1- backward_layer@n"},
    {"Dense", BASE "units activation use_bias kernel_initializer bias_initializer kernel_regularizer "
                   "bias_regularizer kernel_constraint bias_constraint activity_regularizer@s,t "
                   "quantization_config@n13- lora_rank?@n lora_alpha?@n10-"},
    {"Conv1D", BASE
     "filters kernel_size strides padding data_format?@s0,t1 data_format@s1-,t2-,n dilation_rate "
     "groups?@t2-3 groups@t4-,n activation use_bias kernel_initializer bias_initializer kernel_regularizer "
     "bias_regularizer kernel_constraint bias_constraint activity_regularizer"},
    {"TimeDistributed", BASE "layer"},
    {"Activation", BASE "activation"},
    {"Softmax", BASE "axis"},
    {"ReLU", BASE "max_value negative_slope threshold"},
    {"LeakyReLU", BASE "alpha@s,t negative_slope@n"},
    {"PReLU", BASE "alpha_initializer alpha_regularizer alpha_constraint shared_axes"},
    {"ELU", BASE "alpha"},
    {"BatchNormalization",
     BASE "axis momentum epsilon center scale beta_initializer gamma_initializer moving_mean_initializer "
          "moving_variance_initializer beta_regularizer gamma_regularizer beta_constraint gamma_constraint "
          "synchronized@n renorm?@t renorm_clipping?@t renorm_momentum?@t virtual_batch_size?@t renorm@n14- "
          "renorm_clipping@n14- renorm_momentum@n14-"},
    {"LayerNormalization",
     BASE "axis epsilon center scale rms_scaling?@n beta_initializer gamma_initializer beta_regularizer "
          "gamma_regularizer beta_constraint gamma_constraint"},
    {"Normalization", BASE "axis mean?@t3-5 mean@t6-,n variance?@t3-5 variance@t6-,n invert@t13-,n"},
    {"Rescaling", BASE "scale offset"},
    {"RepeatVector", BASE "n"},
    {"Reshape", BASE "target_shape"},
    {"Flatten", BASE "data_format?@s1,t1 data_format@s2-,t2-,n"},
    {"Permute", BASE "dims"},
    {"Concatenate", BASE "axis"},
    {"Add", BASE},
    {"Multiply", BASE},
    {"Subtract", BASE},
    {"Average", BASE},
    {"Maximum", BASE},
    {"Dot", BASE "axes normalize"},
    {"Attention", BASE "use_scale causal@t2-9 dropout@t3-,n score_mode@t9-,n seed@n15-"},
    {"AdditiveAttention", BASE "use_scale causal@t2-9 dropout@t3-,n seed@n15-"},
    {"MultiHeadAttention",
     BASE "num_heads key_dim value_dim dropout use_bias output_shape attention_axes kernel_initializer "
          "bias_initializer kernel_regularizer bias_regularizer activity_regularizer kernel_constraint "
          "bias_constraint query_shape@t key_shape@t value_shape@t seed?@n use_gate?@n sliding_window?@n"},
    {"GlobalAveragePooling1D", BASE "data_format?@t1 data_format@s2-,t2-,n keepdims?@t5 keepdims@t6-,n"},
    {"GlobalMaxPooling1D", BASE "data_format?@t1 data_format@s2-,t2-,n keepdims?@t5 keepdims@t6-,n"},
    {"MaxPooling1D", BASE "pool_size strides padding data_format?@s0-1,t1 data_format@s2-,t2-,n"},
    {"AveragePooling1D", BASE "pool_size strides padding data_format?@s0-1,t1 data_format@s2-,t2-,n"},
    {"Cropping1D", BASE "cropping"},
    {"ZeroPadding1D", BASE "padding data_format?@n"},
    {"Dropout", BASE "rate noise_shape?@s0,t1 noise_shape@s1-,t2-,n seed?@s0,t1 seed@s1-,t2-,n"},
    {"SpatialDropout1D",
     "name rate trainable@s,t dtype?@s0-2 dtype@s3-,t,n batch_input_shape?@s,t dynamic?@t1-10 "
     "noise_shape?@s0,t1 noise_shape@s1-,t2- seed?@s0,t1 seed@s1-,t2-,n"},
    {"GaussianNoise", BASE "stddev seed?@t7 seed@t8-,n"},
    {"GaussianDropout", BASE "rate seed?@t7 seed@t8-,n"},
    {"AlphaDropout", BASE "rate noise_shape@n seed?@t7 seed@t8-,n"},
    {"ActivityRegularization", BASE "l1 l2"},
    {"Identity", BASE "activity_regularizer?"},
    {"TFOpLambda", BASE "function"},
    {"SlicingOpLambda", BASE "function"},
};

/* Layers that some versions have; the others are in all. */
static const struct identity_keys versions[] = {
    {"Softmax", "s1-,t1-,n"},       {"ReLU", "s2-,t1-,n"},           {"Attention", "t2-,n"},
    {"AdditiveAttention", "t2-,n"}, {"MultiHeadAttention", "t4-,n"}, {"Identity", "t12-,n"},
    {"TFOpLambda", "t4-"},          {"SlicingOpLambda", "t4-"},      {"Rescaling", "t3-,n"},
    {"Normalization", "t3-,n"},
};

/* Of keras.ops: they have no weights, no dtype policy, and before Keras 3.12 some have no name. */
static const struct identity_keys operations[] = {
    {"Add", "name?"},
    {"Multiply", "name?"},
    {"Subtract", "name?"},
    {"Divide", "name?"},
    {"TrueDivide", "name?"},
    {"Negative", "name?"},
    {"Maximum", "name?"},
    {"Sum", "name? axis keepdims"},
    {"Mean", "name? axis keepdims"},
    {"Max", "name? axis keepdims initial"},
    {"Matmul", "name?"},
    {"Softmax", "name? axis"},
    {"LogSoftmax", "name? axis"},
    {"Tanh", "name?"},
    {"Sigmoid", "name?"},
    {"Relu", "name?"},
    {"Elu", "name? alpha"},
    {"Selu", "name?"},
    {"Gelu", "name? approximate"},
    {"Silu", "name?"},
    {"Softplus", "name?"},
    {"Softsign", "name?"},
    {"HardSigmoid", "name?"},
    {"LeakyRelu", "name? negative_slope"},
    {"Exp", "name?"},
    {"GetItem", "name?"},
    {"Take", "name? axis"},
    {"Split", "name? indices_or_sections axis"},
    {"Unstack", "name? num axis"},
    {"Flip", "name? axis"},
    {"Repeat", "name? repeats axis"},
    {"Concatenate", "name? axis"},
    {"Stack", "name? axis"},
    {"ExpandDims", "name? axis"},
    {"Squeeze", "name? axis"},
    {"Transpose", "name? axes"},
    {"Reshape", "name? newshape"},
    {"ZerosLike", "name? dtype?"},
    {"Argmax", "name? axis keepdims?"},
    {"OneHot", "name? num_classes axis dtype sparse?"},
    {"NotEqual", "name?"},
    {"Any", "name? axis keepdims"},
};

static const struct identity_keys *find(const struct identity_keys *list, size_t count, const char *name) {
  for (size_t i = 0; i < count; i++)
    if (strcmp(list[i].class_name, name) == 0)
      return &list[i];
  return NULL;
}

const struct identity_keys *identity_layer_keys(const char *class_name) {
  return find(layers, sizeof layers / sizeof *layers, class_name);
}

const struct identity_keys *identity_operation_keys(const char *class_name) {
  return find(operations, sizeof operations / sizeof *operations, class_name);
}

/* The line of versions that this one is of, as the table's ranges name it. */
static char version_line(const struct keras_version *version) {
  if (version->major > 2)
    return 'n';
  return version->tensorflow || version->minor > 3 ? 't' : 's';
}

bool identity_is_later(const struct keras_version *version) {
  return version->major > 3 || (version->major == 3 && version->minor > LAST_MINOR);
}

/* A range's lower and upper end: a number, '-' and a number, either of which may be missing. */
static bool minor_in(const char *range, size_t size, int minor) {
  long ends[2] = {0, 0};
  bool given[2] = {false, false}, dash = false;
  for (size_t i = 0; i < size; i++) {
    dash = dash || range[i] == '-';
    if (range[i] == '-')
      continue;
    ends[dash] = ends[dash] * 10 + (range[i] - '0');
    given[dash] = true;
  }
  if (given[0] && !dash)
    return minor == ends[0];
  return (!given[0] || minor >= ends[0]) && (!given[1] || minor <= ends[1]);
}

static bool version_in(const char *ranges, size_t size, const struct keras_version *version) {
  char line = version_line(version);
  int minor = version->major > 3 ? INT_MAX : version->minor;
  while (size > 0) {
    const char *comma = memchr(ranges, ',', size);
    size_t length = comma != NULL ? (size_t)(comma - ranges) : size;
    if (length > 0 && *ranges == line && minor_in(ranges + 1, length - 1, minor))
      return true;
    size_t skip = comma != NULL ? length + 1 : length;
    ranges += skip;
    size -= skip;
  }
  return false;
}

/* One word of the table. */
bool identity_has_layer(const struct keras_version *version, const char *class_name) {
  const struct identity_keys *some = find(versions, sizeof versions / sizeof *versions, class_name);
  return some == NULL || version_in(some->keys, strlen(some->keys), version);
}

struct word {
  const char *key;
  size_t key_size;
  enum identity_writes writes; /* of the version that is asked for */
};

static bool next_word(const char *keys, const struct keras_version *version, size_t *at, struct word *word) {
  *at += strspn(keys + *at, " ");
  size_t size = strcspn(keys + *at, " ");
  if (size == 0)
    return false;
  word->key = keys + *at;
  *at += size;
  const char *ranges = memchr(word->key, '@', size);
  size_t end = ranges != NULL ? (size_t)(ranges - word->key) : size;
  bool sometimes = word->key[end - 1] == '?';
  word->key_size = sometimes ? end - 1 : end;
  bool written = ranges == NULL || version_in(ranges + 1, size - end - 1, version);
  word->writes = !written ? WRITES_NEVER : sometimes ? WRITES_SOMETIMES : WRITES_ALWAYS;
  return true;
}

enum identity_writes identity_key(const struct identity_keys *keys, const struct keras_version *version,
                                  const char *key) {
  enum identity_writes writes = WRITES_NEVER;
  struct word word;
  for (size_t at = 0; next_word(keys->keys, version, &at, &word);)
    if (strlen(key) == word.key_size && memcmp(key, word.key, word.key_size) == 0 && word.writes > writes)
      writes = word.writes;
  return writes;
}

bool identity_next_key(const struct identity_keys *keys, const struct keras_version *version, size_t *at,
                       char *key, size_t capacity) {
  struct word word;
  while (next_word(keys->keys, version, at, &word))
    if (word.writes == WRITES_ALWAYS) {
      snprintf(key, capacity, "%.*s", (int)word.key_size, word.key);
      return true;
    }
  return false;
}
