/* Masks as Keras 3 writes them: Masking and Embedding give their layer's successors a mask, which a saved graph has as
 * operations of its own (not_equal of the input and a value, any over the features) beside the layers. */
#include "convert/keras/layers.h"
#include "error.h"

#include <string.h>

static bool is_operation(const struct graph_reference *reference, const char *name) {
  return strcmp(reference->layer->class_name, name) == 0 &&
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

/* Whether the reference is what a Masking or Embedding layer computes as its mask. */
static bool is_mask_of(const struct keras_layer *source, const struct graph_reference *mask) {
  struct graph_reference compared = *mask;
  bool masking = strcmp(source->class_name, "Masking") == 0;
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
      value->kind != ARGUMENT_CONSTANT || !json_is_number(value->constant))
    return false;
  const json_t *masked = masking ? json_object_get(source->config, "mask_value") : NULL;
  return same_reference(&tensor->reference, &read->reference) &&
         json_number_value(value->constant) == (masked != NULL ? json_number_value(masked) : 0);
}

cuseq_status mask_check(const struct layer_call *call) {
  for (size_t i = 0; i < call->call->count; i++) {
    const struct graph_argument *argument = &call->call->arguments[i];
    if (argument->key == NULL || strcmp(argument->key, "mask") != 0 || argument->kind == ARGUMENT_CONSTANT)
      continue;
    const struct keras_layer *source = call->input_count > 0 ? call->inputs[0].mask : NULL;
    if (argument->kind != ARGUMENT_TENSOR || source == NULL || !is_mask_of(source, &argument->reference))
      return layer_refuse(call->layer,
                          "it is given a mask of its own, which cuseq cannot express (lengths only)");
  }
  return CUSEQ_STATUS_OK;
}
