#include "convert/arrays/fill.h"

#include "convert/arrays/fill_kernel.h"
#include "error.h"

#include <stdio.h>
#include <string.h>

cuseq_status fill_add(struct checkpoint *checkpoint, const char *name, struct checkpoint_array *array,
                      bool vector) {
  float *data = array->data;
  array->data = NULL;
  return checkpoint_add(checkpoint, name, vector ? array->columns : array->rows, vector ? 0 : array->columns,
                        data);
}

/* ---- dense layers --------------------------------------------------------------------------------- */

cuseq_status fill_read_dense(struct checkpoint *checkpoint, const struct source *source,
                             const struct fill_widths *wanted, struct checkpoint_array *kernel,
                             struct checkpoint_array *bias) {
  struct checkpoint_array front = {0}, front_bias = {0};
  struct fill_widths widths = *wanted;
  struct located located;
  cuseq_status status;
  *kernel = *bias = (struct checkpoint_array){0};
  TRY_CLEANUP(fill_read_front(checkpoint, source, &widths, &front, &front_bias));
  TRY_CLEANUP(locate_dense(checkpoint, source, source->name->module, &located));
  TRY_CLEANUP(fill_read_kernel(source, located.arrays[ROLE_KERNEL], located.convention, &widths, kernel));
  if (located.arrays[ROLE_BIAS] != NULL)
    TRY_CLEANUP(fill_read_bias(source, located.arrays[ROLE_BIAS], kernel->columns, bias));
  status = fill_put_behind(&front, &front_bias, kernel, bias);
cleanup:
  fill_release(&front);
  fill_release(&front_bias);
  if (status != CUSEQ_STATUS_OK) {
    fill_release(kernel);
    fill_release(bias);
  }
  return status;
}

cuseq_status fill_dense(struct checkpoint *checkpoint, const struct source *source, const struct dense *dense,
                        const char *inputs_by, int64_t behind, const char *key) {
  char units_by[NAMES_KEY_CAPACITY + 32], name[NAMES_KEY_CAPACITY + 32];
  struct checkpoint_array kernel, bias;
  cuseq_status status;
  snprintf(units_by, sizeof units_by, "as %s.units says", key);
  const struct fill_widths widths = {dense->inputs, inputs_by, dense->units, units_by};
  TRY(fill_read_dense(checkpoint, source, &widths, &kernel, &bias));
  if (bias.data != NULL && !dense->has_bias) {
    status = source_error(source, "it has a bias, and the configuration says \"bias\": false");
    goto cleanup;
  }
  if (behind > 0 && behind < kernel.rows)
    TRY_CLEANUP(checkpoint_rotate_rows(&kernel, kernel.rows - behind));
  snprintf(name, sizeof name, "%s.kernel", key);
  TRY_CLEANUP(fill_add(checkpoint, name, &kernel, false));
  if (!dense->has_bias)
    goto cleanup;
  if (bias.data == NULL)
    TRY_CLEANUP(fill_zeros(dense->units, &bias));
  snprintf(name, sizeof name, "%s.bias", key);
  status = fill_add(checkpoint, name, &bias, true);
cleanup:
  fill_release(&kernel);
  fill_release(&bias);
  return status;
}

/* ---- embeddings and vectors ----------------------------------------------------------------------- */

cuseq_status fill_read_table(struct checkpoint *checkpoint, const struct source *source,
                             const struct fill_widths *wanted, struct checkpoint_array *table) {
  struct checkpoint_array front = {0}, bias = {0}, none = {0};
  struct located located;
  cuseq_status status;
  *table = (struct checkpoint_array){0};
  TRY_CLEANUP(locate_dense(checkpoint, source, source->name->module, &located));
  if (located.arrays[ROLE_BIAS] != NULL) {
    status =
        source_error(source, "it has '%.200s', which an embedding has not", located.arrays[ROLE_BIAS]->name);
    goto cleanup;
  }
  TRY_CLEANUP(checkpoint_read_matrix(located.arrays[ROLE_KERNEL], table));
  if (source->transposed == TRANSPOSED_YES)
    TRY_CLEANUP(checkpoint_transpose(table));
  struct fill_widths widths = {table->columns, "the width of the embedding", wanted->units, wanted->units_by};
  TRY_CLEANUP(fill_read_front(checkpoint, source, &widths, &front, &bias));
  if (front.data != NULL) {
    TRY_CLEANUP(fill_put_behind(table, &none, &front, &none)); /* front = table front */
    *table = front;
    front.data = NULL;
  }
  for (int64_t i = 0; bias.data != NULL && i < table->rows * table->columns; i++)
    table->data[i] = (float)((double)table->data[i] + (double)bias.data[i % table->columns]);
  if (table->rows != wanted->inputs)
    status = source_error(source, "it has %lld rows (needed %lld, %s)", (long long)table->rows,
                          (long long)wanted->inputs, wanted->inputs_by);
  else if (table->columns != wanted->units)
    status = source_error(source, "it gives %lld numbers (needed %lld, %s)", (long long)table->columns,
                          (long long)wanted->units, wanted->units_by);
cleanup:
  fill_release(&front);
  fill_release(&bias);
  if (status != CUSEQ_STATUS_OK)
    fill_release(table);
  return status;
}

cuseq_status fill_read_vector(struct checkpoint *checkpoint, const struct source *source, int64_t size,
                              const char *size_by, struct checkpoint_array *vector) {
  struct located located;
  cuseq_status status;
  *vector = (struct checkpoint_array){0};
  TRY(locate_dense(checkpoint, source, source->name->module, &located));
  if (located.arrays[ROLE_BIAS] != NULL && strcmp(source->name->key, "attention.value") != 0)
    return source_error(source, "it has '%.200s' besides (needed one vector)",
                        located.arrays[ROLE_BIAS]->name);
  if (located.arrays[ROLE_BIAS] != NULL) { /* one number for all positions, which the softmax takes out */
    TRY(checkpoint_read_vector(located.arrays[ROLE_BIAS], vector));
    fill_release(vector);
  }
  TRY_CLEANUP(checkpoint_read_vector(located.arrays[ROLE_KERNEL], vector));
  if (vector->columns != size)
    status =
        source_error(source, "'%.200s' has %lld numbers (needed %lld, %s)", located.arrays[ROLE_KERNEL]->name,
                     (long long)vector->columns, (long long)size, size_by);
cleanup:
  if (status != CUSEQ_STATUS_OK)
    fill_release(vector);
  return status;
}
