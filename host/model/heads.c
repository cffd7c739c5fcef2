/* The heads of a model and what their outputs mean: the public calls. */
#include "error.h"
#include "model/model.h"
#include "sized.h"

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
