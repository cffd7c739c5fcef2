#include "convert/arrays/fill_kernel.h"

#include "error.h"

#include <stdlib.h>
#include <string.h>

void fill_release(struct checkpoint_array *array) {
  free(array->data);
  *array = (struct checkpoint_array){0};
}

/* ---- kernels as [inputs,outputs] ------------------------------------------------------------------ */

cuseq_status fill_choose_transposed(const struct source *source, const struct checkpoint_tensor *tensor,
                                    const struct checkpoint_array *array, const struct fill_widths *widths,
                                    enum convention convention, bool *transposed) {
  *transposed = source->transposed == TRANSPOSED_AS_USUAL ? convention == CONVENTION_PYTORCH
                                                          : source->transposed == TRANSPOSED_YES;
  if (source->transposed != TRANSPOSED_AS_USUAL || convention != CONVENTION_NONE)
    return CUSEQ_STATUS_OK;
  bool as_it_is = array->rows == widths->inputs && (widths->units == 0 || array->columns == widths->units);
  bool turned = array->columns == widths->inputs && (widths->units == 0 || array->rows == widths->units);
  if (as_it_is && turned)
    return source_error(
        source,
        "which axis of '%.200s' [%lld,%lld] is which, its shape does not tell (needed \"transpose\": "
        "true where it lies [outputs,inputs], as in PyTorch, else false)",
        tensor->name, (long long)array->rows, (long long)array->columns);
  *transposed = turned;
  return CUSEQ_STATUS_OK;
}

static cuseq_status check_kernel(const struct source *source, const struct checkpoint_tensor *tensor,
                                 const struct checkpoint_array *array, const struct fill_widths *widths) {
  if (array->rows != widths->inputs)
    return source_error(source, "'%.200s' reads %lld numbers (needed %lld, %s)", tensor->name,
                        (long long)array->rows, (long long)widths->inputs, widths->inputs_by);
  if (widths->units > 0 && array->columns != widths->units)
    return source_error(source, "'%.200s' gives %lld numbers (needed %lld, %s)", tensor->name,
                        (long long)array->columns, (long long)widths->units, widths->units_by);
  return CUSEQ_STATUS_OK;
}

cuseq_status fill_read_kernel(const struct source *source, struct checkpoint_tensor *tensor,
                              enum convention convention, const struct fill_widths *widths,
                              struct checkpoint_array *kernel) {
  bool transposed;
  if (tensor->data->rank == 1 && widths->units == 1 && convention == CONVENTION_NONE) {
    TRY(checkpoint_read_vector(tensor, kernel));
    *kernel = (struct checkpoint_array){kernel->columns, 1, kernel->data};
    return check_kernel(source, tensor, kernel, widths);
  }
  TRY(checkpoint_read_matrix(tensor, kernel));
  TRY(fill_choose_transposed(source, tensor, kernel, widths, convention, &transposed));
  if (transposed)
    TRY(checkpoint_transpose(kernel));
  return check_kernel(source, tensor, kernel, widths);
}

cuseq_status fill_read_bias(const struct source *source, struct checkpoint_tensor *tensor, int64_t units,
                            struct checkpoint_array *bias) {
  TRY(checkpoint_read_vector(tensor, bias));
  return bias->columns == units ? CUSEQ_STATUS_OK
                                : source_error(source, "'%.200s' has %lld numbers (needed %lld)",
                                               tensor->name, (long long)bias->columns, (long long)units);
}

/* ---- what a source goes through ------------------------------------------------------------------- */

/* first [r,k] times second [k,c], in double precision, in the place of first. */
static cuseq_status multiply(struct checkpoint_array *first, const struct checkpoint_array *second) {
  const struct checkpoint_array left = *first;
  float *data = calloc((size_t)left.rows * (size_t)second->columns, sizeof *data);
  double *sums = malloc((size_t)second->columns * sizeof *sums);
  if (data == NULL || sums == NULL) {
    free(data);
    free(sums);
    return error_out_of_memory();
  }
  for (int64_t r = 0; r < left.rows; r++) {
    memset(sums, 0, (size_t)second->columns * sizeof *sums);
    for (int64_t k = 0; k < left.columns; k++)
      for (int64_t c = 0; c < second->columns; c++)
        sums[c] += (double)left.data[r * left.columns + k] * (double)second->data[k * second->columns + c];
    for (int64_t c = 0; c < second->columns; c++)
      data[r * second->columns + c] = (float)sums[c];
  }
  free(sums);
  free(left.data);
  *first = (struct checkpoint_array){left.rows, second->columns, data};
  return CUSEQ_STATUS_OK;
}

void fill_add_up(struct checkpoint_array *a, struct checkpoint_array *b) {
  if (a->data == NULL) {
    *a = *b;
    *b = (struct checkpoint_array){0};
    return;
  }
  for (int64_t i = 0; b->data != NULL && i < a->columns; i++)
    a->data[i] = (float)((double)a->data[i] + (double)b->data[i]);
  fill_release(b);
}

/* One dense layer of any number of outputs. */
static cuseq_status read_through(struct checkpoint *checkpoint, const struct source *source,
                                 const char *module, const struct fill_widths *widths,
                                 struct checkpoint_array *kernel, struct checkpoint_array *bias) {
  struct located located;
  struct source plain = *source; /* what is said of the source's own arrays is not said of these */
  plain.transposed = TRANSPOSED_AS_USUAL;
  TRY(locate_dense(checkpoint, source, module, &located));
  TRY(fill_read_kernel(&plain, located.arrays[ROLE_KERNEL], located.convention, widths, kernel));
  return located.arrays[ROLE_BIAS] == NULL
             ? CUSEQ_STATUS_OK
             : fill_read_bias(source, located.arrays[ROLE_BIAS], kernel->columns, bias);
}

/* One more dense layer that a source goes through, behind those that kernel and bias are of. */
static cuseq_status go_through(struct checkpoint *checkpoint, const struct source *source, const char *module,
                               struct fill_widths *widths, struct checkpoint_array *kernel,
                               struct checkpoint_array *bias) {
  struct checkpoint_array next = {0}, next_bias = {0};
  cuseq_status status;
  TRY_CLEANUP(read_through(checkpoint, source, module, widths, &next, &next_bias));
  if (bias->data != NULL)
    TRY_CLEANUP(multiply(bias, &next));
  fill_add_up(bias, &next_bias);
  if (kernel->data != NULL) {
    TRY_CLEANUP(multiply(kernel, &next));
  } else {
    *kernel = next;
    next.data = NULL;
  }
  widths->inputs = kernel->columns;
  widths->inputs_by = "what it goes through gives";
cleanup:
  fill_release(&next);
  fill_release(&next_bias);
  return status;
}

cuseq_status fill_read_front(struct checkpoint *checkpoint, const struct source *source,
                             struct fill_widths *widths, struct checkpoint_array *kernel,
                             struct checkpoint_array *bias) {
  const int64_t units = widths->units;
  widths->units = 0;
  for (size_t i = 0; i < source->through_count; i++)
    TRY(go_through(checkpoint, source, source->through[i], widths, kernel, bias));
  widths->units = units;
  return CUSEQ_STATUS_OK;
}

cuseq_status fill_put_behind(struct checkpoint_array *front, struct checkpoint_array *front_bias,
                             struct checkpoint_array *kernel, struct checkpoint_array *bias) {
  struct checkpoint_array shift = *front_bias, product = *front; /* the caller's no more */
  cuseq_status status = CUSEQ_STATUS_OK;
  if (product.data == NULL)
    return CUSEQ_STATUS_OK;
  *front_bias = *front = (struct checkpoint_array){0};
  if (shift.data != NULL)
    TRY_CLEANUP(multiply(&shift, kernel));
  TRY_CLEANUP(multiply(&product, kernel));
  fill_add_up(bias, &shift);
  fill_release(kernel);
  *kernel = product;
  product.data = NULL;
cleanup:
  fill_release(&shift);
  fill_release(&product);
  return status;
}

cuseq_status fill_zeros(int64_t count, struct checkpoint_array *bias) {
  *bias = (struct checkpoint_array){1, count, calloc((size_t)count, sizeof(float))};
  return bias->data != NULL ? CUSEQ_STATUS_OK : error_out_of_memory();
}
