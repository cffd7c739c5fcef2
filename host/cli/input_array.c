#include "cli/input_array.h"

#include "cli/kinds.h"
#include "cli/message.h"
#include "error.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>

static void shape_text(const struct npy_array *array, char *text, size_t capacity) {
  size_t used = 0;
  for (int32_t i = 0; i < array->rank; i++)
    used += (size_t)snprintf(text + used, capacity - used, "%s%" PRId64, i ? "," : "[", array->shape[i]);
  snprintf(text + used, capacity - used, "]");
}

static bool is_float(const struct npy_array *array) {
  return array->dtype == NPY_F16 || array->dtype == NPY_F32 || array->dtype == NPY_F64;
}

static int check_shape(struct input_array *input, const char *path, const cuseq_config *config) {
  const struct npy_array *array = &input->array;
  char shape[200];
  shape_text(array, shape, sizeof shape);
  bool fits = array->rank == 3 ? array->shape[2] == config->features : array->rank == 2 && !is_float(array);
  if (!fits)
    return fail("%s: does not fit the model (found %s %s, needed numbers [B,T,%d] or integer ids [B,T])",
                path, npy_dtype_name(array->dtype), shape, (int)config->features);
  if (array->shape[0] > INT32_MAX || array->shape[1] > INT32_MAX)
    return fail("%s: too long (found %s, needed at most %d rows and positions)", path, shape, INT32_MAX);
  input->batch = (int32_t)array->shape[0];
  input->time = (int32_t)array->shape[1];
  input->features = array->rank == 3 ? config->features : 1;
  return EXIT_DONE;
}

static int load_lengths(struct input_array *input, const char *path) {
  cuseq_status status = npy_read(path, &input->lengths_array);
  if (status != CUSEQ_STATUS_OK)
    return fail_kind(path, WANTED_ARRAY, status, error_text());
  char shape[200];
  shape_text(&input->lengths_array, shape, sizeof shape);
  if (is_float(&input->lengths_array) || input->lengths_array.rank != 1 ||
      input->lengths_array.shape[0] != input->batch)
    return fail("%s: does not fit the input (found %s %s, needed integers [%d])", path,
                npy_dtype_name(input->lengths_array.dtype), shape, (int)input->batch);
  cuseq_dtype dtype;
  status = npy_widen(&input->lengths_array, &dtype);
  if (status != CUSEQ_STATUS_OK)
    return fail_file(status);
  for (int32_t b = 0; b < input->batch; b++) {
    int64_t length = dtype == CUSEQ_DTYPE_I64 ? ((const int64_t *)input->lengths_array.data)[b]
                                              : ((const int32_t *)input->lengths_array.data)[b];
    if (length < 1 || length > input->time)
      return fail("%s: the length of row %d is out of range (found %" PRId64 ", needed 1 to %d)", path,
                  (int)b, length, (int)input->time);
  }
  status = npy_to_i32(&input->lengths_array);
  if (status != CUSEQ_STATUS_OK)
    return fail_file(status);
  input->lengths = input->lengths_array.data;
  return EXIT_DONE;
}

static int32_t row_length(const struct input_array *input, int32_t b) {
  return input->lengths ? input->lengths[b] : input->time;
}

static int64_t id_at(const struct input_array *input, size_t index) {
  return input->dtype == CUSEQ_DTYPE_I64 ? ((const int64_t *)input->array.data)[index]
                                         : ((const int32_t *)input->array.data)[index];
}

static double value_at(const struct input_array *input, size_t index) {
  return input->dtype == CUSEQ_DTYPE_F64 ? ((const double *)input->array.data)[index]
                                         : (double)((const float *)input->array.data)[index];
}

static bool holds_ids(const struct input_array *input) {
  return input->dtype == CUSEQ_DTYPE_I32 || input->dtype == CUSEQ_DTYPE_I64;
}

static int check_ids(const struct input_array *input, const char *path, const cuseq_config *config) {
  for (int32_t b = 0; b < input->batch; b++)
    for (int32_t t = 0; t < row_length(input, b); t++) {
      int64_t id = id_at(input, (size_t)b * (size_t)input->time + (size_t)t);
      if (id < 0 || id >= config->features)
        return fail("%s: the id at [%d,%d] is out of range (found %" PRId64 ", needed 0 to %d)", path, (int)b,
                    (int)t, id, (int)config->features - 1);
    }
  return EXIT_DONE;
}

/* 0 times a finite number is 0, times anything else NaN: the sum tells whether all are finite. */
static bool row_is_finite(const struct input_array *input, size_t first, size_t count) {
  if (input->dtype == CUSEQ_DTYPE_F32) {
    float sum = 0;
    for (size_t i = 0; i < count; i++)
      sum += ((const float *)input->array.data)[first + i] * 0;
    return sum == 0;
  }
  float sum = 0;
  for (size_t i = 0; i < count; i++)
    sum += (float)((const double *)input->array.data)[first + i] * 0;
  return sum == 0;
}

static int check_finite(const struct input_array *input, const char *path) {
  size_t F = (size_t)input->features, row = (size_t)input->time * F;
  for (int32_t b = 0; b < input->batch; b++) {
    size_t first = (size_t)b * row, count = (size_t)row_length(input, b) * F;
    if (row_is_finite(input, first, count))
      continue;
    size_t i = 0;
    while (isfinite((float)value_at(input, first + i)))
      i++;
    return fail(
        "%s: [%d,%zu,%zu] is not finite (found %g, needed a float32; --allow-nonfinite lets it through)",
        path, (int)b, i / F, i % F, value_at(input, first + i));
  }
  return EXIT_DONE;
}

/* Which of a position's numbers is 1, where all others are 0; else -1. */
static int32_t one_hot_id(const struct input_array *input, size_t position) {
  int32_t id = -1;
  for (int32_t f = 0; f < input->features; f++) {
    double value = value_at(input, position * (size_t)input->features + (size_t)f);
    if (value == 1 && id < 0)
      id = f;
    else if (value != 0)
      return -1;
  }
  return id;
}

static int check_one_hot(const struct input_array *input, const char *path) {
  for (int32_t b = 0; b < input->batch; b++)
    for (int32_t t = 0; t < row_length(input, b); t++)
      if (one_hot_id(input, (size_t)b * (size_t)input->time + (size_t)t) < 0)
        return fail(
            "%s: [%d,%d] is not one-hot (the model has an embedding: needed token ids, or one-hot rows)",
            path, (int)b, (int)t);
  return EXIT_DONE;
}

int input_load(struct input_array *input, const char *path, const char *lengths_path,
               const cuseq_config *config, bool allow_nonfinite) {
  *input = (struct input_array){0};
  cuseq_status status = npy_read(path, &input->array);
  if (status != CUSEQ_STATUS_OK)
    return fail_kind(path, WANTED_ARRAY, status, error_text());
  int result = check_shape(input, path, config);
  if (result == EXIT_DONE && lengths_path)
    result = load_lengths(input, lengths_path);
  if (result != EXIT_DONE)
    return result;
  if (input->array.rank == 3 && !is_float(&input->array))
    status = npy_to_f32(&input->array);
  if (status == CUSEQ_STATUS_OK)
    status = npy_widen(&input->array, &input->dtype);
  if (status != CUSEQ_STATUS_OK)
    return fail_file(status);
  if (holds_ids(input))
    return check_ids(input, path, config);
  if (!allow_nonfinite)
    result = check_finite(input, path);
  return result == EXIT_DONE && config->ids_only ? check_one_hot(input, path) : result;
}

void input_free(struct input_array *input) {
  npy_free(&input->array);
  npy_free(&input->lengths_array);
  *input = (struct input_array){0};
}

cuseq_input input_rows(const struct input_array *input, int32_t first, int32_t count) {
  size_t item = input->dtype == CUSEQ_DTYPE_F64 || input->dtype == CUSEQ_DTYPE_I64 ? 8 : 4;
  size_t row = (size_t)input->time * (size_t)input->features * item;
  return (cuseq_input){.size = sizeof(cuseq_input),
                       .data = (const char *)input->array.data + (size_t)first * row,
                       .dtype = input->dtype,
                       .batch = count,
                       .time = input->time,
                       .lengths = input->lengths ? input->lengths + first : NULL};
}

double input_value(const struct input_array *input, size_t index) {
  return holds_ids(input) ? (double)id_at(input, index) : value_at(input, index);
}

bool input_row_ids(const struct input_array *input, int32_t b, int32_t *ids) {
  for (int32_t t = 0; t < input->time; t++) {
    size_t position = (size_t)b * (size_t)input->time + (size_t)t;
    ids[t] = -1;
    if (t >= row_length(input, b))
      continue;
    if (holds_ids(input)) {
      ids[t] = (int32_t)id_at(input, position);
      continue;
    }
    ids[t] = one_hot_id(input, position);
    if (ids[t] < 0)
      return false;
  }
  return true;
}
