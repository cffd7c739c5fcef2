/* Masks of Keras' attention layers. Up to some version Keras 3 wrote the masks that such a layer finds; later
 * files do not have them, and the layer looks for them when it runs. A MultiHeadAttention takes them away
 * from what it has read, so that another attention may find none, and which of the two runs first no file
 * tells. */
#include "convert/keras/arguments.h"
#include "convert/keras/layers.h"
#include "error.h"

#include <stdio.h>
#include <string.h>

static bool has_heads(const struct keras_layer *layer) {
  return strcmp(layer->node.class_name, "MultiHeadAttention") == 0;
}

bool mask_is_attention(const struct keras_layer *layer) {
  return strcmp(layer->node.class_name, "Attention") == 0 ||
         strcmp(layer->node.class_name, "AdditiveAttention") == 0;
}

/* Calls of attention layers in a model and the models in it, and those of several heads among them. */
static void count_calls(const struct keras_model *model, size_t *all, size_t *of_heads) {
  for (size_t i = 0; i < model->layer_count; i++) {
    const struct keras_layer *layer = &model->layers[i];
    *all += has_heads(layer) || mask_is_attention(layer) ? layer->call_count : 0;
    *of_heads += has_heads(layer) ? layer->call_count : 0;
    if (layer->inner != NULL)
      count_calls(layer->inner, all, of_heads);
  }
}

static cuseq_status refuse(const struct layer_call *call, size_t input) {
  return layer_refuse(
      call->layer,
      "its input %zu is masked by '%.100s', but the file does not give it the mask, so that it "
      "is not certain whether Keras uses it",
      input + 1, call->inputs[input].mask->name);
}

cuseq_status mask_check_attention(const struct evaluator *evaluator, const struct layer_call *call) {
  const bool finds = !has_heads(call->layer) || evaluator->version.major > 3 || evaluator->version.minor > 13;
  size_t all = 0, of_heads = 0;
  count_calls(evaluator->model, &all, &of_heads);
  const bool alone = of_heads == 0 || (all == 1 && call->layer->outer == NULL);
  for (size_t i = 0; i < call->input_count; i++)
    if (call->inputs[i].mask != NULL && !(finds && alone))
      return refuse(call, i);
  return CUSEQ_STATUS_OK;
}

/* The mask that is given for an input; NULL: none. */
static const struct graph_argument *given_for(const struct layer_call *call, const char *input) {
  char name[16];
  snprintf(name, sizeof name, "%s_mask", input);
  for (size_t i = 0; i < call->call->count; i++)
    if (strcmp(argument_name(call->layer, call->call, i), name) == 0 &&
        !argument_is_none(&call->call->arguments[i]))
      return &call->call->arguments[i];
  return NULL;
}

cuseq_status mask_of_heads(const struct evaluator *evaluator, const struct layer_call *call) {
  static const char *const names[] = {"query", "value", "key"};
  bool given = false;
  for (size_t n = 0; n < 3; n++) {
    const struct graph_argument *mask = given_for(call, names[n]);
    if (mask == NULL)
      continue;
    given = true;
    TRY(mask_check_given(call, mask, call_input_named(call, names[n])));
  }
  if (evaluator->version.major >= 3 && !given)
    return mask_check_attention(evaluator, call);
  for (size_t n = 0; n < 3; n++) {
    const size_t at = call_input_named(call, names[n]);
    /* Keras 2 looks for masks from 2.10 on. */
    if (at < call->input_count && call->inputs[at].mask != NULL && given_for(call, names[n]) == NULL &&
        (evaluator->version.major >= 3 || evaluator->version.minor < 11))
      return refuse(call, at);
  }
  return CUSEQ_STATUS_OK;
}
