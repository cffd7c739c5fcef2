/* The heads of a model and what their outputs mean: the public calls. */
#include "error.h"
#include "model/model.h"
#include "sized.h"

#include <math.h>

static const struct sized sized_head = SIZED(cuseq_head, "CUSEQ_HEAD_INIT");

cuseq_status cuseq_model_head(const cuseq_model *model, int32_t index, cuseq_head *head) {
  cuseq_head made;
  if (!model || !head)
    return error_set(CUSEQ_STATUS_INVALID_ARGUMENT, "cuseq_model_head: an argument is NULL");
  TRY(sized_read(head, &sized_head, "cuseq_model_head", &made));
  const struct output_structure *output = &model->structure.output;
  if (index < 0 || index >= output->count)
    return error_set(CUSEQ_STATUS_INVALID_ARGUMENT, "cuseq_model_head: no head %d (there are %d)", (int)index,
                     (int)output->count);
  const struct head *found = &output->heads[index];
  const struct labels *labels = vocabulary_labels(&model->vocabulary, index);
  made = (cuseq_head){.size = sizeof made,
                      .name = found->name,
                      .units = found->units,
                      .offset = found->offset,
                      .activation = found->layers.layers[found->layers.count - 1].activation,
                      .labels = labels ? labels->count : 0};
  sized_write(&made, &sized_head, head);
  return CUSEQ_STATUS_OK;
}

const char *cuseq_model_label(const cuseq_model *model, int32_t head, int32_t index) {
  const struct labels *labels = model ? vocabulary_labels(&model->vocabulary, head) : NULL;
  return labels && index >= 0 && index < labels->count ? labels->names[index] : NULL;
}

static void softmax(const float *logits, int32_t count, double *probabilities) {
  double largest = -INFINITY, sum = 0;
  for (int32_t k = 0; k < count; k++)
    largest = fmax(largest, (double)logits[k]);
  for (int32_t k = 0; k < count; k++)
    sum += probabilities[k] = exp((double)logits[k] - largest);
  for (int32_t k = 0; k < count; k++)
    probabilities[k] /= sum;
}

cuseq_status cuseq_model_label_probabilities(const cuseq_model *model, int32_t head, const float *outputs,
                                             double *probabilities) {
  if (!model || !outputs || !probabilities)
    return error_set(CUSEQ_STATUS_INVALID_ARGUMENT, "cuseq_model_label_probabilities: an argument is NULL");
  cuseq_head read = CUSEQ_HEAD_INIT;
  TRY(cuseq_model_head(model, head, &read));
  if (read.labels == 0)
    return error_set(CUSEQ_STATUS_INVALID_ARGUMENT,
                     "cuseq_model_label_probabilities: head \"%s\" has no labels", read.name);
  const float *own = outputs + read.offset;
  const bool linear = read.activation == CUSEQ_ACTIVATION_LINEAR;
  if (read.labels > read.units) { /* one unit decides between two */
    probabilities[1] = linear ? 1 / (1 + exp(-(double)own[0])) : (double)own[0];
    probabilities[0] = 1 - probabilities[1];
  } else if (linear) {
    softmax(own, read.units, probabilities);
  } else {
    for (int32_t k = 0; k < read.units; k++)
      probabilities[k] =
          read.activation == CUSEQ_ACTIVATION_LOG_SOFTMAX ? exp((double)own[k]) : (double)own[k];
  }
  return CUSEQ_STATUS_OK;
}
