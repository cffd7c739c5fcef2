#include "convert/arrays/layers_version1.h"
#include "convert/arrays/module.h"
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
static cuseq_status read_lstm_bias(struct checkpoint *checkpoint, const struct name *name,
                                   const struct layer_lstm *lstm, struct checkpoint_array *bias) {
  struct checkpoint_array input = {0}, hidden = {0};
  const int64_t gates = 4 * lstm->units;
  char suffix[64];
  cuseq_status status;
  *bias = (struct checkpoint_array){1, gates, calloc((size_t)gates, sizeof(float))};
  if (bias->data == NULL)
    return error_out_of_memory();
  snprintf(suffix, sizeof suffix, "bias_ih%s", lstm->ending);
  TRY_CLEANUP(checkpoint_read(checkpoint, name->module, suffix, 1, lstm->bias, &input));
  snprintf(suffix, sizeof suffix, "bias_hh%s", lstm->ending);
  TRY_CLEANUP(checkpoint_read(checkpoint, name->module, suffix, 1, lstm->bias, &hidden));
  if (lstm->bias && (input.columns != gates || hidden.columns != gates)) {
    status = module_error(name, "its bias_ih%s and bias_hh%s have %lld and %lld values (needed %lld each)",
                          lstm->ending, lstm->ending, (long long)input.columns, (long long)hidden.columns,
                          (long long)gates);
    goto cleanup;
  }
  for (int64_t i = 0; lstm->bias && i < gates; i++)
    bias->data[i] = (float)((double)input.data[i] + (double)hidden.data[i]);
cleanup:
  free(input.data);
  free(hidden.data);
  return status;
}

/* Rows of an embedding through the kernel: the kernel for token ids. */
static cuseq_status fold_embedding(const struct checkpoint_array *table, struct checkpoint_array *kernel) {
  float *data = malloc((size_t)table->rows * (size_t)kernel->columns * sizeof *data);
  if (data == NULL)
    return error_out_of_memory();
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

/* weight_ih<ending> [4H,inputs] or weight_hh<ending> [4H,H]. */
static cuseq_status read_kernel(struct checkpoint *checkpoint, const struct name *name,
                                const struct layer_lstm *lstm, bool recurrent,
                                struct checkpoint_array *kernel) {
  char suffix[64];
  snprintf(suffix, sizeof suffix, "weight_%s%s", recurrent ? "hh" : "ih", lstm->ending);
  TRY(checkpoint_read(checkpoint, name->module, suffix, 2, true, kernel));
  const int64_t inputs = recurrent ? lstm->units : lstm->inputs, rows = 4 * lstm->units;
  const char *by = recurrent ? "as many as it has units" : lstm->inputs_by;
  if (kernel->rows != rows)
    return module_error(name, "its %s has %lld rows (needed %lld, 4 for each of %lld units)", suffix,
                        (long long)kernel->rows, (long long)rows, (long long)lstm->units);
  if (kernel->columns != inputs)
    return module_error(name, "its %s reads %lld numbers (needed %lld, %s)", suffix,
                        (long long)kernel->columns, (long long)inputs, by);
  return CUSEQ_STATUS_OK;
}

cuseq_status layer_add_lstm(struct checkpoint *checkpoint, const char *key, const struct name *name,
                            const struct layer_lstm *lstm) {
  struct checkpoint_array kernel = {0}, recurrent = {0}, bias = {0};
  cuseq_status status;
  TRY_CLEANUP(read_kernel(checkpoint, name, lstm, false, &kernel));
  TRY_CLEANUP(read_kernel(checkpoint, name, lstm, true, &recurrent));
  TRY_CLEANUP(read_lstm_bias(checkpoint, name, lstm, &bias));
  TRY_CLEANUP(checkpoint_transpose(&kernel));
  TRY_CLEANUP(checkpoint_transpose(&recurrent));
  if (lstm->embedding != NULL)
    TRY_CLEANUP(fold_embedding(lstm->embedding, &kernel));
  if (lstm->behind > 0 && lstm->behind < kernel.rows)
    TRY_CLEANUP(checkpoint_rotate_rows(&kernel, kernel.rows - lstm->behind));
  TRY_CLEANUP(layer_add_array(checkpoint, key, "kernel", &kernel, false));
  TRY_CLEANUP(layer_add_array(checkpoint, key, "recurrent_kernel", &recurrent, false));
  TRY_CLEANUP(layer_add_array(checkpoint, key, "bias", &bias, true));
cleanup:
  free(kernel.data);
  free(recurrent.data);
  free(bias.data);
  return status;
}

cuseq_status layer_read_embedding(struct checkpoint *checkpoint, const struct name *name, int64_t rows,
                                  const char *rows_by, struct checkpoint_array *table) {
  *table = (struct checkpoint_array){0};
  TRY(module_expect_weight(checkpoint, name, "an nn.Embedding"));
  TRY(checkpoint_read(checkpoint, name->module, "weight", 2, true, table));
  if (table->rows == rows)
    return CUSEQ_STATUS_OK;
  free(table->data);
  table->data = NULL;
  return module_error(name, "it has %lld rows (needed %lld, %s)", (long long)table->rows, (long long)rows,
                      rows_by);
}

/* Whether a matrix [outputs,inputs] has these widths. */
static cuseq_status check_widths(const struct name *name, const struct layer_widths *widths,
                                 const struct checkpoint_array *weight) {
  if (widths->inputs > 0 && weight->columns != widths->inputs)
    return module_error(name, "it reads %lld numbers (needed %lld, %s)", (long long)weight->columns,
                        (long long)widths->inputs, widths->inputs_by);
  if (widths->outputs > 0 && weight->rows != widths->outputs)
    return module_error(name, "it gives %lld numbers (needed %lld, %s)", (long long)weight->rows,
                        (long long)widths->outputs, widths->outputs_by);
  return CUSEQ_STATUS_OK;
}

cuseq_status layer_read(struct checkpoint *checkpoint, const struct name *name, const char *what,
                        const struct layer_widths *widths, struct checkpoint_array *weight,
                        struct checkpoint_array *bias) {
  *weight = *bias = (struct checkpoint_array){0};
  TRY(module_expect_weight(checkpoint, name, what));
  cuseq_status status;
  TRY_CLEANUP(checkpoint_read(checkpoint, name->module, "weight", 2, true, weight));
  TRY_CLEANUP(checkpoint_read(checkpoint, name->module, "bias", 1, false, bias));
  if (bias->data != NULL && bias->columns != weight->rows)
    status = module_error(name, "its bias does not fit its weights (found %lld values, needed %lld)",
                          (long long)bias->columns, (long long)weight->rows);
  else
    status = check_widths(name, widths, weight);
cleanup:
  if (status != CUSEQ_STATUS_OK) {
    free(weight->data);
    free(bias->data);
    *weight = *bias = (struct checkpoint_array){0};
  }
  return status;
}

cuseq_status layer_add_linear(struct checkpoint *checkpoint, const struct name *name,
                              const struct layer_widths *widths, int64_t behind) {
  struct checkpoint_array kernel, bias;
  cuseq_status status;
  TRY(layer_read(checkpoint, name, "an nn.Linear", widths, &kernel, &bias));
  if (bias.data == NULL) {
    bias = (struct checkpoint_array){1, kernel.rows, calloc((size_t)kernel.rows, sizeof(float))};
    if (bias.data == NULL) {
      status = error_out_of_memory();
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
