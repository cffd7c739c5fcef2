/* A recurrent layer of a source as the model's. */
#include "convert/arrays/fill.h"

#include "convert/arrays/fill_kernel.h"
#include "error.h"
#include "model/words.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What is read of a cell: kernels [inputs,gates x units], biases of all gates side by side or none. */
struct cell_arrays {
  struct checkpoint_array kernel, recurrent, bias, recurrent_bias;
};

static void release_all(struct cell_arrays *arrays) {
  fill_release(&arrays->kernel);
  fill_release(&arrays->recurrent);
  fill_release(&arrays->bias);
  fill_release(&arrays->recurrent_bias);
}

/* ---- gates ---------------------------------------------------------------------------------------- */

static const char *gates_of(const struct source *source, const struct cell *cell,
                            enum convention convention) {
  if (*source->gates != 0)
    return source->gates;
  if (cell->kind == CELL_GRU && convention == CONVENTION_PYTORCH)
    return "rzn";
  return cell->kind == CELL_LSTM ? "ifco" : "zrn";
}

/* Blocks of columns from the file's order to the model's. */
static cuseq_status order_gates(struct checkpoint_array *array, const char *from, const char *to) {
  const size_t gates = strlen(to), units = (size_t)array->columns / gates;
  if (array->data == NULL || strcmp(from, to) == 0)
    return CUSEQ_STATUS_OK;
  float *row = malloc((size_t)array->columns * sizeof *row);
  if (row == NULL)
    return error_out_of_memory();
  for (int64_t r = 0; r < array->rows; r++) {
    float *data = array->data + r * array->columns;
    memcpy(row, data, (size_t)array->columns * sizeof *row);
    for (size_t gate = 0; gate < gates; gate++) {
      const size_t place = (size_t)(strchr(from, to[gate]) - from);
      memcpy(data + gate * units, row + place * units, units * sizeof *row);
    }
  }
  free(row);
  return CUSEQ_STATUS_OK;
}

/* ---- kernels -------------------------------------------------------------------------------------- */

/* The recurrent kernel is never square, and says how the kernel beside it lies. */
static cuseq_status read_kernels(const struct source *source, const struct located *located,
                                 const struct cell *cell, const struct fill_widths *widths,
                                 struct cell_arrays *arrays) {
  const int64_t columns = (int64_t)cell_gates(cell->kind) * cell->units;
  const struct fill_widths recurrent = {cell->units, "as many as it has units", columns,
                                        "so many gates for each of its units"};
  struct checkpoint_tensor *tensor = located->arrays[ROLE_RECURRENT_KERNEL];
  struct source same = *source;
  bool transposed;
  TRY(checkpoint_read_matrix(tensor, &arrays->recurrent));
  int64_t rows = arrays->recurrent.rows,
          found = rows < arrays->recurrent.columns ? rows : arrays->recurrent.columns;
  if (rows + arrays->recurrent.columns == found * (cell_gates(cell->kind) + 1) && found != cell->units)
    return source_error(source, "it has %lld units (needed %d, as the configuration says)", (long long)found,
                        (int)cell->units);
  TRY(fill_choose_transposed(source, tensor, &arrays->recurrent, &recurrent, located->convention,
                             &transposed));
  fill_release(&arrays->recurrent);
  same.transposed = transposed ? TRANSPOSED_YES : TRANSPOSED_NO;
  TRY(fill_read_kernel(&same, tensor, located->convention, &recurrent, &arrays->recurrent));
  return fill_read_kernel(&same, located->arrays[ROLE_KERNEL], located->convention, widths, &arrays->kernel);
}

/* ---- biases --------------------------------------------------------------------------------------- */

/* Keras keeps a GRU's two biases as one matrix of two rows where the reset comes after the product. */
static cuseq_status read_double_bias(const struct source *source, struct checkpoint_tensor *tensor,
                                     int64_t columns, struct cell_arrays *arrays) {
  struct checkpoint_array both = {0};
  cuseq_status status;
  TRY_CLEANUP(checkpoint_read_matrix(tensor, &both));
  if (both.columns != columns) {
    status = source_error(source, "'%.200s' has %lld columns (needed %lld)", tensor->name,
                          (long long)both.columns, (long long)columns);
    goto cleanup;
  }
  TRY_CLEANUP(fill_zeros(columns, &arrays->bias));
  TRY_CLEANUP(fill_zeros(columns, &arrays->recurrent_bias));
  memcpy(arrays->bias.data, both.data, (size_t)columns * sizeof(float));
  memcpy(arrays->recurrent_bias.data, both.data + columns, (size_t)columns * sizeof(float));
cleanup:
  fill_release(&both);
  return status;
}

static cuseq_status read_biases(const struct source *source, const struct located *located,
                                const struct cell *cell, struct cell_arrays *arrays) {
  const int64_t columns = (int64_t)cell_gates(cell->kind) * cell->units;
  struct checkpoint_tensor *bias = located->arrays[ROLE_BIAS],
                           *recurrent = located->arrays[ROLE_RECURRENT_BIAS];
  bool doubled = bias != NULL && recurrent == NULL && cell->kind == CELL_GRU && bias->data->rank == 2 &&
                 bias->data->shape[0] == 2;
  if (doubled)
    return read_double_bias(source, bias, columns, arrays);
  if (bias != NULL)
    TRY(fill_read_bias(source, bias, columns, &arrays->bias));
  if (recurrent != NULL)
    TRY(fill_read_bias(source, recurrent, columns, &arrays->recurrent_bias));
  return CUSEQ_STATUS_OK;
}

/* A GRU's arrays tell whether its reset comes before the product or after it, or the configuration is
 * believed. */
static cuseq_status check_reset(const struct source *source, const struct located *located,
                                const struct cell *cell, const struct cell_arrays *arrays) {
  if (cell->kind != CELL_GRU)
    return CUSEQ_STATUS_OK;
  if (located->convention == CONVENTION_PYTORCH && !cell->reset_after)
    return source_error(source, "PyTorch's GRU resets after the product (needed \"reset\": \"after\" in the "
                                "configuration)");
  if (located->convention == CONVENTION_KERAS && arrays->bias.data != NULL &&
      (arrays->recurrent_bias.data != NULL) != cell->reset_after)
    return source_error(
        source,
        "a GRU of Keras with %s resets %s the product (needed \"reset\": \"%s\" in the configuration)",
        arrays->recurrent_bias.data ? "two biases" : "one bias",
        arrays->recurrent_bias.data ? "after" : "before", arrays->recurrent_bias.data ? "after" : "before");
  return CUSEQ_STATUS_OK;
}

/* The biases that the model's cell has, of those that there are. Only behind the reset do a GRU's two not add
 * up. */
static cuseq_status settle_biases(const struct source *source, const struct cell *cell,
                                  struct cell_arrays *arrays) {
  const int64_t columns = (int64_t)cell_gates(cell->kind) * cell->units;
  if (!cell->has_bias && arrays->bias.data != NULL)
    return source_error(source, "it has a bias, and its cell in the configuration has \"bias\": false");
  if (cell->kind == CELL_GRU && cell->reset_after && !cell->has_recurrent_bias &&
      arrays->recurrent_bias.data != NULL)
    return source_error(source, "it has a recurrent bias, and its cell in the configuration has none");
  if (!cell->has_recurrent_bias)
    fill_add_up(&arrays->bias, &arrays->recurrent_bias);
  if (!cell->has_bias && arrays->bias.data != NULL)
    return source_error(source, "it has a bias, and its cell in the configuration has \"bias\": false");
  if (cell->has_bias && arrays->bias.data == NULL)
    TRY(fill_zeros(columns, &arrays->bias));
  if (cell->has_recurrent_bias && arrays->recurrent_bias.data == NULL)
    TRY(fill_zeros(columns, &arrays->recurrent_bias));
  return CUSEQ_STATUS_OK;
}

/* ---- all together --------------------------------------------------------------------------------- */

static cuseq_status read_cell(struct checkpoint *checkpoint, const struct source *source,
                              const struct located *located, const struct cell *cell, const char *inputs_by,
                              bool first, struct cell_arrays *arrays) {
  const char *order = cell->kind == CELL_LSTM ? "ifco" : "zrn";
  const char *from = gates_of(source, cell, located->convention);
  struct fill_widths widths = {cell->inputs, inputs_by, (int64_t)cell_gates(cell->kind) * cell->units,
                               "so many gates for each of its units"};
  struct checkpoint_array front = {0}, front_bias = {0};
  cuseq_status status;
  if (first)
    TRY_CLEANUP(fill_read_front(checkpoint, source, &widths, &front, &front_bias));
  TRY_CLEANUP(read_kernels(source, located, cell, &widths, arrays));
  TRY_CLEANUP(read_biases(source, located, cell, arrays));
  TRY_CLEANUP(check_reset(source, located, cell, arrays));
  TRY_CLEANUP(fill_put_behind(&front, &front_bias, &arrays->kernel, &arrays->bias));
  TRY_CLEANUP(settle_biases(source, cell, arrays));
  TRY_CLEANUP(order_gates(&arrays->kernel, from, order));
  TRY_CLEANUP(order_gates(&arrays->recurrent, from, order));
  TRY_CLEANUP(order_gates(&arrays->bias, from, order));
  TRY_CLEANUP(order_gates(&arrays->recurrent_bias, from, order));
cleanup:
  fill_release(&front);
  fill_release(&front_bias);
  return status;
}

cuseq_status fill_cell(struct checkpoint *checkpoint, const struct source *source,
                       const struct wanted_cell *wanted, const struct cell *cell, const char *inputs_by,
                       const char *key) {
  struct cell_arrays arrays = {{0}, {0}, {0}, {0}};
  struct checkpoint_array *const made[ARRAY_ROLES] = {&arrays.kernel, &arrays.recurrent, &arrays.bias,
                                                      &arrays.recurrent_bias};
  struct located located;
  cuseq_status status;
  TRY_CLEANUP(locate_cell(checkpoint, source, wanted, &located));
  TRY_CLEANUP(read_cell(checkpoint, source, &located, cell, inputs_by, wanted->layer == 0, &arrays));
  for (int role = 0; role < ARRAY_ROLES; role++) {
    char name[NAMES_KEY_CAPACITY + 32];
    snprintf(name, sizeof name, "%s.%s", key, array_role_names[role]);
    if (made[role]->data != NULL)
      TRY_CLEANUP(fill_add(checkpoint, name, made[role], role >= ROLE_BIAS));
  }
cleanup:
  release_all(&arrays);
  return status;
}
