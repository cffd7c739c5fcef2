#include "convert/pytorch/layers.h"
#include "convert/pytorch/module.h"
#include "error.h"

#include <stdio.h>
#include <stdlib.h>

cuseq_status layer_add_array(struct checkpoint *checkpoint, const char *prefix, const char *suffix,
                             struct checkpoint_array *array, bool vector) {
  char name[LAYER_KEY_CAPACITY + 32];
  snprintf(name, sizeof name, "%s.%s", prefix, suffix);
  float *data = array->data;
  array->data = NULL;
  return checkpoint_add(checkpoint, name, vector ? array->columns : array->rows, vector ? 0 : array->columns,
                        data);
}

/* bias = b_ih + b_hh, or zeros where the module has none. */
static cuseq_status read_lstm_bias(struct checkpoint *checkpoint, const struct name *name, const char *ending,
                                   int64_t gates, float **bias) {
  struct checkpoint_array input = {0}, hidden = {0};
  char suffix[64];
  cuseq_status status;
  *bias = calloc((size_t)gates, sizeof **bias);
  if (*bias == NULL)
    return error_set(CUSEQ_STATUS_OUT_OF_MEMORY, "out of memory");
  snprintf(suffix, sizeof suffix, "bias_ih%s", ending);
  TRY_CLEANUP(checkpoint_read(checkpoint, name->module, suffix, 1, false, &input));
  snprintf(suffix, sizeof suffix, "bias_hh%s", ending);
  TRY_CLEANUP(checkpoint_read(checkpoint, name->module, suffix, 1, input.data != NULL, &hidden));
  if ((hidden.data != NULL && input.data == NULL) || (input.data != NULL && input.columns != gates) ||
      (hidden.data != NULL && hidden.columns != gates)) {
    status = module_error(name, "its biases do not fit its weights (needed two of %lld, or none)",
                          (long long)gates);
    goto cleanup;
  }
  for (int64_t i = 0; input.data != NULL && hidden.data != NULL && i < gates; i++)
    (*bias)[i] = (float)((double)input.data[i] + (double)hidden.data[i]);
cleanup:
  free(input.data);
  free(hidden.data);
  if (status != CUSEQ_STATUS_OK) {
    free(*bias);
    *bias = NULL;
  }
  return status;
}

/* Rows of an embedding through the kernel: the kernel for token ids. */
static cuseq_status fold_embedding(const struct checkpoint_array *table, const struct name *name,
                                   struct checkpoint_array *kernel) {
  if (table->columns != kernel->rows)
    return module_error(name, "it reads %lld numbers (needed %lld, the width of encoder.embedding)",
                        (long long)kernel->rows, (long long)table->columns);
  float *data = malloc((size_t)table->rows * (size_t)kernel->columns * sizeof *data);
  if (data == NULL)
    return error_set(CUSEQ_STATUS_OUT_OF_MEMORY, "out of memory");
  for (int64_t r = 0; r < table->rows; r++)
    for (int64_t c = 0; c < kernel->columns; c++) {
      double sum = 0;
      for (int64_t k = 0; k < table->columns; k++)
        sum += (double)table->data[r * table->columns + k] * (double)kernel->data[k * kernel->columns + c];
      data[r * kernel->columns + c] = (float)sum;
    }
  free(kernel->data);
  *kernel = (struct checkpoint_array){table->rows, kernel->columns, data};
  return CUSEQ_STATUS_OK;
}

cuseq_status layer_add_lstm(struct checkpoint *checkpoint, const char *key, const struct name *name,
                            const char *ending, const struct checkpoint_array *embedding, int64_t behind) {
  struct checkpoint_array kernel = {0}, recurrent = {0}, bias = {1, 0, NULL};
  char suffix[64];
  cuseq_status status;
  snprintf(suffix, sizeof suffix, "weight_ih%s", ending);
  TRY_CLEANUP(checkpoint_read(checkpoint, name->module, suffix, 2, true, &kernel));
  snprintf(suffix, sizeof suffix, "weight_hh%s", ending);
  TRY_CLEANUP(checkpoint_read(checkpoint, name->module, suffix, 2, true, &recurrent));
  bias.columns = kernel.rows;
  TRY_CLEANUP(read_lstm_bias(checkpoint, name, ending, kernel.rows, &bias.data));
  TRY_CLEANUP(checkpoint_transpose(&kernel));
  TRY_CLEANUP(checkpoint_transpose(&recurrent));
  if (embedding != NULL)
    TRY_CLEANUP(fold_embedding(embedding, name, &kernel));
  if (behind > 0 && behind < kernel.rows)
    TRY_CLEANUP(checkpoint_rotate_rows(&kernel, kernel.rows - behind));
  TRY_CLEANUP(layer_add_array(checkpoint, key, "kernel", &kernel, false));
  TRY_CLEANUP(layer_add_array(checkpoint, key, "recurrent_kernel", &recurrent, false));
  TRY_CLEANUP(layer_add_array(checkpoint, key, "bias", &bias, true));
cleanup:
  free(kernel.data);
  free(recurrent.data);
  free(bias.data);
  return status;
}

cuseq_status layer_read(struct checkpoint *checkpoint, const struct name *name, const char *what,
                        struct checkpoint_array *weight, struct checkpoint_array *bias) {
  *weight = *bias = (struct checkpoint_array){0};
  TRY(module_expect_weight(checkpoint, name, what));
  cuseq_status status;
  TRY_CLEANUP(checkpoint_read(checkpoint, name->module, "weight", 2, true, weight));
  TRY_CLEANUP(checkpoint_read(checkpoint, name->module, "bias", 1, false, bias));
  if (bias->data != NULL && bias->columns != weight->rows)
    status = module_error(name, "its bias does not fit its weights (found %lld values, needed %lld)",
                          (long long)bias->columns, (long long)weight->rows);
cleanup:
  if (status != CUSEQ_STATUS_OK) {
    free(weight->data);
    free(bias->data);
    *weight = *bias = (struct checkpoint_array){0};
  }
  return status;
}

cuseq_status layer_add_linear(struct checkpoint *checkpoint, const struct name *name, int64_t behind) {
  struct checkpoint_array kernel, bias;
  cuseq_status status;
  TRY(layer_read(checkpoint, name, "an nn.Linear", &kernel, &bias));
  if (bias.data == NULL) {
    bias = (struct checkpoint_array){1, kernel.rows, calloc((size_t)kernel.rows, sizeof(float))};
    if (bias.data == NULL) {
      status = error_set(CUSEQ_STATUS_OUT_OF_MEMORY, "out of memory");
      goto cleanup;
    }
  }
  TRY_CLEANUP(checkpoint_transpose(&kernel));
  if (behind > 0 && behind < kernel.rows)
    TRY_CLEANUP(checkpoint_rotate_rows(&kernel, kernel.rows - behind));
  TRY_CLEANUP(layer_add_array(checkpoint, name->key, "kernel", &kernel, false));
  TRY_CLEANUP(layer_add_array(checkpoint, name->key, "bias", &bias, true));
cleanup:
  free(kernel.data);
  free(bias.data);
  return status;
}
