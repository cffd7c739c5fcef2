/* What a layer or an operation is called with, beside tensors: nothing of that may be passed over. */
#include "convert/keras/arguments.h"
#include "convert/keras/layers.h"
#include "error.h"

#include <string.h>

/* ---- names and roles ------------------------------------------------------------------------------ */

/* Keras 3 takes tensors, and None, by position; the first is what a layer works on. Keras 2 writes their
 * keywords. */
static const struct {
  const char *class_name;
  const char *names[2]; /* of the second and third */
} positions[] = {
    {"LSTM", {"initial_state", "mask"}},          {"RNN", {"initial_state", "mask"}},
    {"GRU", {"initial_state", "mask"}},           {"BatchNormalization", {"training", "mask"}},
    {"Bidirectional", {"initial_state", "mask"}}, {"Attention", {"mask", "training"}},
    {"AdditiveAttention", {"mask", "training"}},  {"Softmax", {"mask", "?"}},
    {"GlobalAveragePooling1D", {"mask", "?"}},    {"TimeDistributed", {"training", "mask"}},
    {"Functional", {"training", "mask"}},         {"Model", {"training", "mask"}},
    {"Sequential", {"training", "mask"}},         {"LSTMCell", {"states", "training"}},
    {"GRUCell", {"states", "training"}},          {"SimpleRNNCell", {"states", "training"}},
    {"MultiHeadAttention", {"value", "key"}},
};

bool layer_is_operation(const struct keras_layer *layer) {
  return layer->is_operation || strcmp(layer->node.class_name, "TFOpLambda") == 0 ||
         strcmp(layer->node.class_name, "SlicingOpLambda") == 0;
}

const char *argument_name(const struct keras_layer *layer, const struct graph_call *call, size_t at) {
  if (call->arguments[at].key != NULL)
    return call->arguments[at].key;
  if (at == 0 || layer_is_operation(layer))
    return "";
  for (size_t i = 0; at < 3 && i < sizeof positions / sizeof *positions; i++)
    if (strcmp(positions[i].class_name, layer->node.class_name) == 0)
      return positions[i].names[at - 1];
  return "?";
}

enum argument_role argument_role(const struct keras_layer *layer, const struct graph_call *call, size_t at) {
  static const char *const masks[] = {"mask", "query_mask", "value_mask", "key_mask"};
  const char *name = argument_name(layer, call, at);
  if (strcmp(name, "initial_state") == 0 || strcmp(name, "states") == 0)
    return ARGUMENT_STATE;
  for (size_t i = 0; i < sizeof masks / sizeof *masks; i++)
    if (strcmp(name, masks[i]) == 0)
      return ARGUMENT_MASK;
  return ARGUMENT_INPUT;
}

/* ---- what is known -------------------------------------------------------------------------------- */

/* Whether the words of a list have the key; `mark`: with this character before it, or 0. */
static bool has_word(const char *list, char mark, const char *key) {
  size_t size = strlen(key);
  for (const char *word = list; *word != '\0'; word += strspn(word, " ")) {
    size_t length = strcspn(word, " ");
    bool marked = *word == '!';
    const char *plain = marked ? word + 1 : word;
    if (marked == (mark == '!') && (size_t)(word + length - plain) == size && memcmp(plain, key, size) == 0)
      return true;
    word += length;
  }
  return false;
}

/* null, false and 0 say that something is not wanted. */
static bool is_off(const json_t *json) {
  return json_is_null(json) || json_is_false(json) ||
         (json_is_integer(json) && json_integer_value(json) == 0);
}

/* A list of tensors has nothing else in it. */
static cuseq_status check_list(const struct keras_layer *layer, const struct graph_argument *list) {
  for (size_t i = 0; i < list->count; i++) {
    const struct graph_argument *item = &list->items[i];
    if (item->kind == ARGUMENT_LIST)
      TRY(check_list(layer, item));
    else if (item->kind == ARGUMENT_CONSTANT && !json_is_null(item->constant))
      return layer_refuse(layer,
                          "it is called with a constant among its tensors, which cuseq cannot express");
  }
  return CUSEQ_STATUS_OK;
}

static cuseq_status check_positional(const struct keras_layer *layer, const struct graph_argument *argument,
                                     const char *known) {
  if (argument->kind == ARGUMENT_LIST)
    return check_list(layer, argument);
  if (argument->kind == ARGUMENT_TENSOR || json_is_null(argument->constant) ||
      (json_is_number(argument->constant) && has_word(known, 0, "#")) || has_word(known, 0, "*"))
    return CUSEQ_STATUS_OK;
  return layer_refuse(layer, "it is called with a constant, which cuseq cannot express");
}

static cuseq_status check_keyword(const struct keras_layer *layer, const char *key,
                                  const struct graph_argument *argument, const char *known) {
  bool constant = argument->kind == ARGUMENT_CONSTANT;
  if (strcmp(key, "mask") == 0 || strcmp(key, "name") == 0) /* mask.c sees to masks */
    return CUSEQ_STATUS_OK;
  if (strcmp(key, "training") == 0) {
    if (constant && (is_off(argument->constant) || !settings_differ_in_training(layer)))
      return CUSEQ_STATUS_OK;
    return layer_refuse(layer, "it is called with training, so that its dropout, or a batch's own mean, is "
                               "at work when the model is used");
  }
  if (constant &&
      (json_is_null(argument->constant) || (has_word(known, '!', key) && is_off(argument->constant))))
    return CUSEQ_STATUS_OK;
  if (!has_word(known, 0, key))
    return layer_refuse(layer, "it is called with %.60s, which cuseq cannot express", key);
  if (constant && strcmp(key, "initial_state") == 0)
    return layer_refuse(layer,
                        "its initial_state is a constant, which cuseq cannot express (needed tensors)");
  if (constant && !json_is_number(argument->constant) && has_word(known, 0, "#"))
    return layer_refuse(layer, "it is called with a constant, which cuseq cannot express");
  return argument->kind == ARGUMENT_LIST ? check_list(layer, argument) : CUSEQ_STATUS_OK;
}

cuseq_status arguments_check(const struct layer_call *call, const char *known) {
  for (size_t i = 0; i < call->call->count; i++) {
    const struct graph_argument *argument = &call->call->arguments[i];
    const char *name = argument_name(call->layer, call->call, i);
    TRY(*name == '\0' ? check_positional(call->layer, argument, known)
                      : check_keyword(call->layer, name, argument, known));
  }
  return CUSEQ_STATUS_OK;
}

size_t call_input_named(const struct layer_call *call, const char *name) {
  size_t at = 0;
  for (size_t i = 0; i < call->call->count && at < call->input_count; i++) {
    const struct graph_argument *argument = &call->call->arguments[i];
    const char *given = argument_name(call->layer, call->call, i);
    if (argument->kind == ARGUMENT_CONSTANT || argument_role(call->layer, call->call, i) != ARGUMENT_INPUT)
      continue;
    if (argument->kind == ARGUMENT_LIST)
      return call->input_count;
    if (strcmp(*given == '\0' ? "query" : given, name) == 0)
      return at;
    at++;
  }
  return call->input_count;
}
