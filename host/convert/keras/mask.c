/* Masks: Masking and Embedding give their layer's successors a mask, which goes from layer to layer with
 * the tensors. In Keras 3 a saved graph has it as operations of its own too (not_equal of the input and a
 * value, any over the features) beside the layers, and as the argument mask of the layers that use it. */
#include "convert/keras/arguments.h"
#include "convert/keras/cells.h"
#include "convert/keras/layers.h"
#include "convert/keras/python_json.h"
#include "error.h"

#include <math.h>
#include <string.h>

enum { MAX_DEPTH = 8 };

static bool is_operation(const struct graph_reference *reference, const char *name) {
  return strcmp(reference->layer->node.class_name, name) == 0 &&
         (size_t)reference->call < reference->layer->call_count;
}

/* An operation's argument number `at`. */
static const struct graph_argument *argument_of(const struct graph_reference *reference, size_t at) {
  const struct graph_call *call = &reference->layer->calls[reference->call];
  return at < call->count ? &call->arguments[at] : NULL;
}

static bool same_reference(const struct graph_reference *a, const struct graph_reference *b) {
  return a->layer == b->layer && a->call == b->call && a->tensor == b->tensor;
}

/* Whether the reference is what Masking(nan) computes: every number differs from NaN, so that nothing is
 * masked. */
static bool masks_nothing(const struct graph_reference *mask) {
  const struct graph_argument *inner = is_operation(mask, "Any") ? argument_of(mask, 0) : NULL;
  const struct graph_argument *value =
      inner != NULL && inner->kind == ARGUMENT_TENSOR && is_operation(&inner->reference, "NotEqual")
          ? argument_of(&inner->reference, 1)
          : NULL;
  double number;
  return value != NULL && value->kind == ARGUMENT_CONSTANT && python_json_number(value->constant, &number) &&
         isnan(number);
}

/* Whether the reference is what a Masking or Embedding layer computes as its mask. */
static bool is_mask_of(const struct keras_layer *source, const struct graph_reference *mask, int depth) {
  struct graph_reference compared = *mask;
  if (is_operation(mask, "ConvertToTensor") && depth < MAX_DEPTH) { /* an attention's, which is its query's */
    const struct graph_argument *same = argument_of(mask, 0);
    return same != NULL && same->kind == ARGUMENT_TENSOR && is_mask_of(source, &same->reference, depth + 1);
  }
  if (is_operation(mask, "LogicalOr") && depth < MAX_DEPTH) {
    const struct graph_argument *first = argument_of(mask, 0), *second = argument_of(mask, 1);
    return first != NULL && second != NULL && first->kind == ARGUMENT_TENSOR &&
           second->kind == ARGUMENT_TENSOR && is_mask_of(source, &first->reference, depth + 1) &&
           is_mask_of(source, &second->reference, depth + 1);
  }
  bool masking = strcmp(source->node.class_name, "Masking") == 0;
  if (masking) {
    const struct graph_argument *inner = is_operation(mask, "Any") ? argument_of(mask, 0) : NULL;
    const json_t *axis = json_object_get(mask->layer->config, "axis");
    if (inner == NULL || inner->kind != ARGUMENT_TENSOR || !json_is_integer(axis) ||
        json_integer_value(axis) != -1)
      return false;
    compared = inner->reference;
  }
  if (!is_operation(&compared, "NotEqual") || source->call_count == 0 || source->calls[0].count == 0)
    return false;
  const struct graph_argument *read = &source->calls[0].arguments[0];
  const struct graph_argument *tensor = argument_of(&compared, 0), *value = argument_of(&compared, 1);
  if (tensor == NULL || value == NULL || tensor->kind != ARGUMENT_TENSOR || read->kind != ARGUMENT_TENSOR ||
      value->kind != ARGUMENT_CONSTANT)
    return false;
  const json_t *masked = masking ? json_object_get(source->config, "mask_value") : NULL;
  double found, needed = 0;
  return same_reference(&tensor->reference, &read->reference) &&
         python_json_number(value->constant, &found) &&
         (masked == NULL || python_json_number(masked, &needed)) && found == needed;
}

/* An operation's argument number `at` where it is a tensor that an operation called `name` gives, or any
 * where name is NULL. */
static const struct graph_reference *tensor_of(const struct graph_reference *operation, size_t at,
                                               const char *name) {
  const struct graph_argument *argument = argument_of(operation, at);
  const struct graph_reference *tensor =
      argument != NULL && argument->kind == ARGUMENT_TENSOR ? &argument->reference : NULL;
  return tensor != NULL && (name == NULL || is_operation(tensor, name)) ? tensor : NULL;
}

/* What Keras 3 makes of the mask of one of several embeddings that are put side by side: for each element of
 * its vectors the mask. */
static bool is_widened_mask(const struct graph_argument *part, const struct keras_layer **source) {
  const struct graph_reference *either = part->kind == ARGUMENT_TENSOR ? &part->reference : NULL;
  if (either == NULL || !is_operation(either, "LogicalOr"))
    return false;
  const struct graph_reference *wide = tensor_of(either, 0, "ExpandDims");
  const struct graph_reference *none = tensor_of(either, 1, "ZerosLike");
  const struct graph_reference *mask = wide != NULL ? tensor_of(wide, 0, NULL) : NULL;
  const struct graph_reference *rows = none != NULL ? tensor_of(none, 0, NULL) : NULL;
  *source = rows != NULL ? rows->layer : NULL;
  return mask != NULL && rows != NULL && strcmp(rows->layer->node.class_name, "Embedding") == 0 &&
         is_mask_of(rows->layer, mask, 0);
}

/* Whether a mask is that of embeddings side by side, `source` among them, each of which has one: true
 * where one of them is. */
static bool is_joined_mask(const struct keras_layer *source, const struct graph_reference *mask) {
  const struct graph_reference *joined = is_operation(mask, "Any") ? tensor_of(mask, 0, "Concatenate") : NULL;
  const struct graph_argument *parts = joined != NULL ? argument_of(joined, 0) : NULL;
  const json_t *axis = joined != NULL ? json_object_get(mask->layer->config, "axis") : NULL;
  bool all = parts != NULL && parts->kind == ARGUMENT_LIST && parts->count > 0 && json_is_integer(axis) &&
             json_integer_value(axis) == -1;
  bool has_source = false;
  for (size_t i = 0; all && i < parts->count; i++) {
    const struct keras_layer *embedding = NULL;
    all = is_widened_mask(&parts->items[i], &embedding);
    has_source = has_source || embedding == source;
  }
  return all && has_source;
}

/* ---- before a call -------------------------------------------------------------------------------- */

static const struct graph_argument *mask_argument(const struct layer_call *call) {
  for (size_t i = 0; i < call->call->count; i++)
    if (argument_role(call->layer, call->call, i) == ARGUMENT_MASK)
      return &call->call->arguments[i];
  return NULL;
}

/* Whether a mask is an input of the model, of truth values, for each position one. */
static bool is_input(const struct graph_argument *given) {
  const struct keras_layer *layer = given->kind == ARGUMENT_TENSOR ? given->reference.layer : NULL;
  if (layer == NULL || strcmp(layer->node.class_name, "InputLayer") != 0 || layer->outer != NULL)
    return false;
  const char *type = json_string_value(json_object_get(layer->config, "dtype"));
  return type != NULL && strcmp(type, "bool") == 0 && json_array_size(layer_input_shape(layer)) == 2;
}

cuseq_status mask_check_given(const struct layer_call *call, const struct graph_argument *given, size_t at) {
  struct value *input = at < call->input_count ? &call->inputs[at] : NULL;
  bool none = given->kind == ARGUMENT_CONSTANT
                  ? json_is_null(given->constant)
                  : given->kind == ARGUMENT_TENSOR && masks_nothing(&given->reference);
  if (none) {
    if (input != NULL)
      input->mask = NULL;
    return CUSEQ_STATUS_OK;
  }
  if (given->kind == ARGUMENT_TENSOR && input != NULL && input->mask != NULL &&
      (is_mask_of(layer_of(input->mask), &given->reference, 0) ||
       is_joined_mask(layer_of(input->mask), &given->reference)))
    return CUSEQ_STATUS_OK;
  if (is_input(given) && input != NULL &&
      (input->mask == NULL || input->mask == &given->reference.layer->node)) {
    input->mask = &given->reference.layer->node;
    return CUSEQ_STATUS_OK;
  }
  return layer_refuse(
      call->layer,
      "the mask that it is given for its input %zu comes from '%.100s' (needed none, or that of a "
      "Masking or Embedding layer which the input has anyway: lengths stand for it)",
      at + 1, given->kind == ARGUMENT_TENSOR ? given->reference.layer->node.name : "a constant or list");
}

static bool is_recurrent(const struct keras_layer *layer) {
  return cell_is_recurrent(layer->node.class_name) || strcmp(layer->node.class_name, "Bidirectional") == 0;
}

/* Where a model is a layer, Keras 2 casts what it is given to the dtype of its inputs, and a mask stays
 * behind. */
static cuseq_status check_entrance(const struct evaluator *evaluator, const struct layer_call *call) {
  for (size_t i = 0; i < call->input_count; i++)
    if (call->inputs[i].mask != NULL && !settings_have_one_precision(evaluator->model))
      return layer_refuse(
          call->layer,
          "the mask of '%.100s' enters it, and Keras 2 loses masks where numbers are cast at the "
          "entrance of a model, as they may be here (needed one dtype for all layers and inputs)",
          call->inputs[i].mask->name);
  return CUSEQ_STATUS_OK;
}

/* Layers of one Sequential, whose file says no calls: each is called on what the one in front of it gives,
 * mask included. */
static bool is_in_one_row(const struct keras_layer *layer, const struct keras_layer *masks) {
  return layer->in_row && masks->in_row && layer->outer == masks->outer;
}

cuseq_status mask_before(const struct evaluator *evaluator, struct layer_call *call) {
  if (strcmp(call->layer->node.class_name, "MultiHeadAttention") == 0)
    return mask_of_heads(evaluator, call);
  const struct graph_argument *given = mask_argument(call);
  bool keras3 = evaluator->version.major >= 3;
  if (!keras3 && call->layer->inner != NULL)
    TRY(check_entrance(evaluator, call));
  if (argument_is_none(given)) {
    /* Keras 3 writes the masks that it finds, and finds none for a layer that is given an initial_state too:
     * that runs without; Keras 2 takes None as it is. */
    bool masked = call->input_count > 0 && call->inputs[0].mask != NULL;
    bool uses =
        is_recurrent(call->layer) || strcmp(call->layer->node.class_name, "GlobalAveragePooling1D") == 0;
    call->without_mask = keras3 && masked && call->state_count > 0;
    if (keras3 && mask_is_attention(call->layer))
      TRY(mask_check_attention(evaluator, call));
    bool handed_on = masked && is_in_one_row(call->layer, layer_of(call->inputs[0].mask));
    if (keras3 && masked && uses && !call->without_mask && !handed_on)
      return layer_refuse(
          call->layer,
          "its input is masked by '%.100s', but the file does not give it the mask, so that it is "
          "not certain whether Keras uses it",
          call->inputs[0].mask->name);
    for (size_t i = 0; given != NULL && !keras3 && i < call->input_count; i++)
      call->inputs[i].mask = NULL;
    return CUSEQ_STATUS_OK;
  }
  bool list = given->kind == ARGUMENT_LIST ||
              (given->kind == ARGUMENT_CONSTANT && json_is_array(given->constant) && given->count > 0);
  if (!list)
    return mask_check_given(call, given, 0);
  for (size_t i = 0; i < given->count && !(i == 2 && mask_is_attention(call->layer)); i++)
    TRY(mask_check_given(call, &given->items[i], i));
  return CUSEQ_STATUS_OK;
}

/* ---- behind it ------------------------------------------------------------------------------------ */

static bool merges(const struct keras_layer *layer) {
  static const char *const names[] = {"Add", "Multiply", "Subtract", "Average", "Maximum"};
  for (size_t i = 0; i < sizeof names / sizeof *names; i++)
    if (strcmp(layer->node.class_name, names[i]) == 0)
      return true;
  return false;
}

/* Layers that hand on the mask of what they are given; operations, and layers that rearrange, lose it. */
static bool hands_on(const struct evaluator *evaluator, const struct layer_call *call) {
  static const char *const names[] = {"Masking",
                                      "Embedding",
                                      "LSTM",
                                      "RNN",
                                      "Bidirectional",
                                      "Dense",
                                      "Softmax",
                                      "Activation",
                                      "ReLU",
                                      "Dropout",
                                      "TimeDistributed",
                                      "GaussianNoise",
                                      "Add",
                                      "Multiply",
                                      "SpatialDropout1D",
                                      "AlphaDropout",
                                      "GaussianDropout",
                                      "ActivityRegularization",
                                      "Concatenate",
                                      "GRU",
                                      "BatchNormalization",
                                      "LayerNormalization",
                                      "Subtract",
                                      "Average",
                                      "Maximum",
                                      "LeakyReLU",
                                      "PReLU",
                                      "ELU",
                                      "SimpleRNN",
                                      "Attention",
                                      "AdditiveAttention",
                                      "MultiHeadAttention"};
  const struct keras_layer *layer = call->layer;
  if (layer->inner != NULL)
    return true;
  if (layer_is_operation(layer))
    return false;
  if (strcmp(layer->node.class_name, "Identity") == 0 || strcmp(layer->node.class_name, "Rescaling") == 0 ||
      strcmp(layer->node.class_name, "Normalization") == 0)
    return evaluator->version.major >= 3;
  /* A sum in Keras 3 is masked where all of its terms are, in Keras 2 where one is. */
  for (size_t i = 0; merges(layer) && evaluator->version.major >= 3 && i < call->input_count; i++)
    if (call->inputs[i].mask == NULL)
      return false;
  for (size_t i = 0; i < sizeof names / sizeof *names; i++)
    if (strcmp(layer->node.class_name, names[i]) == 0)
      return true;
  return false;
}

static bool same_value(const struct value *a, const struct value *b) {
  bool same = a->expression == b->expression && a->axis_count == b->axis_count;
  for (int32_t i = 0; same && i < a->axis_count; i++)
    same = a->axes[i].kind == b->axes[i].kind && a->axes[i].size == b->axes[i].size;
  return same;
}

cuseq_status mask_behind(const struct evaluator *evaluator, struct layer_call *call) {
  if (hands_on(evaluator, call))
    return CUSEQ_STATUS_OK;
  for (size_t i = 0; i < call->output_count; i++) {
    if (evaluator->version.major >= 3 && call->input_count > 0 && call->inputs[0].mask != NULL &&
        same_value(&call->outputs[i], &call->inputs[0]))
      return layer_refuse(
          call->layer,
          "it changes nothing, and whether the mask of '%.100s' goes on behind it depends on Keras' "
          "backend: make the model without it",
          call->inputs[0].mask->name);
    call->outputs[i].mask = NULL;
  }
  return CUSEQ_STATUS_OK;
}
