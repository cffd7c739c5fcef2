/* Matrices from a checkpoint, turned and moved. */
#include "convert/arrays/checkpoint.h"
#include "error.h"

#include <stdlib.h>
#include <string.h>

cuseq_status checkpoint_transpose(struct checkpoint_array *array) {
  float *data = malloc((size_t)array->rows * (size_t)array->columns * sizeof *data);
  if (data == NULL)
    return error_out_of_memory();
  for (int64_t r = 0; r < array->rows; r++)
    for (int64_t c = 0; c < array->columns; c++)
      data[c * array->rows + r] = array->data[r * array->columns + c];
  free(array->data);
  *array = (struct checkpoint_array){array->columns, array->rows, data};
  return CUSEQ_STATUS_OK;
}

cuseq_status checkpoint_rotate_rows(struct checkpoint_array *array, int64_t count) {
  size_t moved = (size_t)count * (size_t)array->columns, all = (size_t)array->rows * (size_t)array->columns;
  float *data = malloc(all * sizeof *data);
  if (data == NULL)
    return error_out_of_memory();
  memcpy(data, array->data + moved, (all - moved) * sizeof *data);
  memcpy(data + all - moved, array->data, moved * sizeof *data);
  free(array->data);
  array->data = data;
  return CUSEQ_STATUS_OK;
}

cuseq_status checkpoint_put_unit(struct checkpoint_array *array) {
  const size_t columns = (size_t)array->columns, all = (size_t)array->rows * columns;
  float *data = realloc(array->data, (all + columns * columns) * sizeof *data);
  if (data == NULL)
    return error_out_of_memory();
  memset(data + all, 0, columns * columns * sizeof *data);
  for (size_t i = 0; i < columns; i++)
    data[all + i * columns + i] = 1.0f;
  array->data = data;
  array->rows += array->columns;
  return CUSEQ_STATUS_OK;
}
