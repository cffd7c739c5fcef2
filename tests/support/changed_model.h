/* Models that differ from others in one tensor. */
#ifndef TESTS_SUPPORT_CHANGED_MODEL_H
#define TESTS_SUPPORT_CHANGED_MODEL_H

#include "cuseq/cuseq.h"

/* The model with tensor `name` times `factor`, or with other data of its shape. `model` is destroyed. Aborts
 * where there is no such tensor. */
cuseq_model *changed_model_times(cuseq_model *model, const char *name, float factor);
cuseq_model *changed_model_with(cuseq_model *model, const char *name, const float *data);

#endif
