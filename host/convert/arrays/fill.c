#include "convert/arrays/fill.h"

#include "convert/arrays/fill_kernel.h"
#include "convert/arrays/module.h"
#include "error.h"

#include <stdio.h>
#include <stdlib.h>
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
  const int64_t below = source->residual ? dense->units : 0;
  const struct fill_widths widths = {dense->inputs - below, inputs_by, dense->units, units_by};
  TRY(fill_read_dense(checkpoint, source, &widths, &kernel, &bias));
  if (bias.data != NULL && !dense->has_bias) {
    status = source_error(source, "it has a bias, and the configuration says \"bias\": false");
    goto cleanup;
  }
  if (behind > 0 && behind < kernel.rows)
    TRY_CLEANUP(checkpoint_rotate_rows(&kernel, kernel.rows - behind));
  if (below > 0)
    TRY_CLEANUP(checkpoint_put_unit(&kernel));
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

/* ---- projections ---------------------------------------------------------------------------------- */

/* Number `part` of the three maps, whose rows lie one behind the other. */
static cuseq_status add_projection(struct checkpoint *checkpoint, const struct source *source, int part,
                                   const struct dense *dense, const struct checkpoint_array *weight,
                                   const struct checkpoint_array *biases, const char *key) {
  char name[NAMES_KEY_CAPACITY + 32];
  const int64_t width = weight->columns, units = dense->units;
  struct checkpoint_array kernel = {units, width, calloc((size_t)(units * width), sizeof(float))},
                          bias = {1, units, calloc((size_t)units, sizeof(float))};
  cuseq_status status;
  if (kernel.data == NULL || bias.data == NULL) {
    status = error_out_of_memory();
    goto cleanup;
  }
  memcpy(kernel.data, weight->data + part * units * width, (size_t)(units * width) * sizeof *kernel.data);
  if (biases->data != NULL)
    memcpy(bias.data, biases->data + part * units, (size_t)units * sizeof *bias.data);
  if (biases->data != NULL && !dense->has_bias) {
    status = source_error(source, "it has 'in_proj_bias', and \"%s\" says \"bias\": false", key);
    goto cleanup;
  }
  TRY_CLEANUP(checkpoint_transpose(&kernel));
  snprintf(name, sizeof name, "%s.kernel", key);
  TRY_CLEANUP(fill_add(checkpoint, name, &kernel, false));
  snprintf(name, sizeof name, "%s.bias", key);
  if (dense->has_bias)
    status = fill_add(checkpoint, name, &bias, true);
cleanup:
  fill_release(&kernel);
  fill_release(&bias);
  return status;
}

cuseq_status fill_projections(struct checkpoint *checkpoint, const struct source *source,
                              const struct attention_structure *attention, int32_t width, const char *key) {
  static const char *const names[] = {"query_map", "key_map", "value_map"};
  const struct dense *const maps[] = {&attention->query_map, &attention->key_map, &attention->value_map};
  const char *module = source->name->module;
  struct checkpoint_array weight = {0}, biases = {0};
  cuseq_status status;
  if (checkpoint_find(checkpoint, module, "in_proj_weight") == NULL) {
    char text[500];
    module_describe(checkpoint, module, "in_proj_weight", text, sizeof text);
    return source_error(source,
                        "%s (needed an nn.MultiheadAttention whose queries, keys and values are of one "
                        "width: in_proj_weight)",
                        text);
  }
  TRY_CLEANUP(checkpoint_read(checkpoint, module, "in_proj_weight", 2, true, &weight));
  TRY_CLEANUP(checkpoint_read(checkpoint, module, "in_proj_bias", 1, false, &biases));
  if (biases.data == NULL && checkpoint_find(checkpoint, module, "out_proj.bias") != NULL) {
    status = source_error(source, "it has 'out_proj.bias' and no 'in_proj_bias' (needed both, or neither)");
    goto cleanup;
  }
  bool fits = weight.columns == width && weight.rows == 3 * (int64_t)width &&
              (biases.data == NULL || biases.columns == weight.rows) && attention->query_inputs == width;
  for (int i = 0; i < 3; i++)
    fits = fits && maps[i]->units == width;
  if (!fits) {
    status =
        source_error(source,
                     "its in_proj_weight is [%lld,%lld] (needed [%d,%d], and \"key\", \"value\" and "
                     "\"query\" of %d units: the width of what is attended to, and of what asks, found %d)",
                     (long long)weight.rows, (long long)weight.columns, 3 * (int)width, (int)width,
                     (int)width, (int)attention->query_inputs);
    goto cleanup;
  }
  for (int i = 0; i < 3; i++) {
    char name[NAMES_KEY_CAPACITY + 16];
    snprintf(name, sizeof name, "%s.%s", key, names[i]);
    TRY_CLEANUP(add_projection(checkpoint, source, i, maps[i], &weight, &biases, name));
  }
cleanup:
  fill_release(&weight);
  fill_release(&biases);
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

static bool is_value(const char *key) {
  static const char value[] = "attention.value";
  const size_t length = strlen(key), own = sizeof value - 1;
  return length >= own && strcmp(key + length - own, value) == 0;
}

cuseq_status fill_read_vector(struct checkpoint *checkpoint, const struct source *source, int64_t size,
                              const char *size_by, struct checkpoint_array *vector) {
  struct located located;
  cuseq_status status;
  *vector = (struct checkpoint_array){0};
  TRY(locate_dense(checkpoint, source, source->name->module, &located));
  if (located.arrays[ROLE_BIAS] != NULL && !is_value(source->name->key))
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
