/* Operations on shapes, and those that change a tensor's axes alone. */
#include "convert/onnx/nodes.h"
#include "convert/onnx/numbers.h"
#include "convert/onnx/table.h"
#include "error.h"

#include <string.h>

/* ---- constants ------------------------------------------------------------------------------------ */

static cuseq_status constant_integers(struct evaluator *evaluator, struct node_call *call,
                                      const int64_t *values, size_t count, int32_t rank,
                                      const struct dim *dims, struct tensor *tensor) {
  struct dim *data;
  TRY(integers_make(evaluator, call, rank, dims, tensor, &data));
  for (size_t i = 0; i < count; i++)
    data[i] = dim_of(values[i]);
  return CUSEQ_STATUS_OK;
}

static cuseq_status constant_tensor(struct evaluator *evaluator, struct node_call *call,
                                    const OnnxFile__Tensor *stored) {
  struct tensor *tensor = &call->outputs[0];
  size_t count;
  TRY(onnx_tensor_count(evaluator->file, stored, &count));
  *tensor = (struct tensor){.kind = TENSOR_NUMBERS, .stored = stored, .rank = (int32_t)stored->n_dims};
  for (int32_t i = 0; i < tensor->rank; i++)
    tensor->dims[i] = dim_of(stored->dims[i]);
  if (onnx_type_is_float(stored->data_type))
    return CUSEQ_STATUS_OK;
  if (count > TENSOR_MAX_INTEGERS)
    return call_refuse(call, "it has too many integers (%zu)", count);
  int64_t *values = arena_allocate(evaluator->arena, (count + 1) * sizeof *values);
  if (values == NULL)
    return error_out_of_memory();
  TRY(onnx_tensor_integers(evaluator->file, stored, values));
  struct tensor shape = *tensor;
  return constant_integers(evaluator, call, values, count, shape.rank, shape.dims, tensor);
}

cuseq_status node_constant(struct evaluator *evaluator, struct node_call *call) {
  TRY(attributes_check(call, "value value_float value_floats value_int value_ints"));
  const OnnxFile__Attribute *value = call->node->n_attribute == 1 ? call->node->attribute[0] : NULL;
  if (value == NULL)
    return call_refuse(call, "it has no value, or several");
  if (strcmp(value->name, "value") == 0)
    return value->t != NULL ? constant_tensor(evaluator, call, value->t)
                            : call_refuse(call, "its value is no tensor");
  bool list = strchr(value->name, 's') != NULL, integer = strstr(value->name, "int") != NULL;
  size_t count = !list ? 1 : integer ? value->n_ints : value->n_floats;
  struct dim dims[1] = {dim_of((int64_t)count)};
  if (integer)
    return constant_integers(evaluator, call, list ? value->ints : &value->i, count, list, dims,
                             &call->outputs[0]);
  float *data;
  int64_t shape[1] = {(int64_t)count};
  TRY(numbers_make(evaluator, call, list, shape, &call->outputs[0], &data));
  for (size_t i = 0; i < count; i++)
    data[i] = list ? value->floats[i] : value->f;
  return CUSEQ_STATUS_OK;
}

/* The shape that an input says. */
static cuseq_status read_shape(const struct node_call *call, const struct tensor *shape,
                               struct tensor *result) {
  int64_t count = 0;
  bool fill = shape->kind == TENSOR_FILL && shape->integer;
  if ((shape->kind != TENSOR_INTEGERS && !fill) || shape->rank != 1 ||
      !dim_constant(&shape->dims[0], &count) || count < 0 || count > TENSOR_MAX_AXES)
    return call_refuse(call, "its shape is none that is known");
  result->rank = (int32_t)count;
  for (int32_t i = 0; i < result->rank; i++) {
    result->dims[i] = fill ? dim_of((int64_t)shape->fill) : shape->integers[i];
    if (!result->dims[i].known)
      return call_refuse(call, "its shape is none that is known");
  }
  return CUSEQ_STATUS_OK;
}

cuseq_status node_constant_of_shape(struct evaluator *evaluator, struct node_call *call) {
  TRY(node_arity(call, 1, 1));
  TRY(attributes_check(call, "value"));
  struct tensor *result = &call->outputs[0];
  const OnnxFile__Attribute *value = attribute_find(call, "value");
  *result = (struct tensor){.kind = TENSOR_FILL};
  TRY(read_shape(call, call->inputs[0], result));
  if (value == NULL)
    return CUSEQ_STATUS_OK;
  size_t count;
  if (value->t == NULL)
    return call_refuse(call, "its value is no tensor");
  TRY(onnx_tensor_count(evaluator->file, value->t, &count));
  if (count != 1)
    return call_refuse(call, "its value is %zu numbers (needed 1)", count);
  float number;
  int64_t whole;
  result->integer = onnx_type_is_integer(value->t->data_type) != 0;
  if (result->integer)
    TRY(onnx_tensor_integers(evaluator->file, value->t, &whole));
  else
    TRY(onnx_tensor_floats(evaluator->file, value->t, &number));
  result->fill = result->integer ? (double)whole : (double)number;
  return CUSEQ_STATUS_OK;
}

cuseq_status node_shape(struct evaluator *evaluator, struct node_call *call) {
  TRY(node_arity(call, 1, 1));
  TRY(attributes_check(call, "start end"));
  const struct tensor *tensor = call->inputs[0];
  int64_t rank = tensor_rank(tensor), start, end;
  TRY(attribute_integer(call, "start", 0, &start));
  TRY(attribute_integer(call, "end", rank, &end));
  start = start < 0 ? start + rank : start;
  end = end < 0 ? end + rank : end;
  start = start < 0 ? 0 : start > rank ? rank : start;
  end = end > rank ? rank : end < start ? start : end;
  struct dim *data, dims[1] = {dim_of(end - start)};
  TRY(integers_make(evaluator, call, 1, dims, &call->outputs[0], &data));
  for (int64_t i = start; i < end; i++)
    data[i - start] = tensor_dim(tensor, (int32_t)i);
  return CUSEQ_STATUS_OK;
}

cuseq_status node_size(struct evaluator *evaluator, struct node_call *call) {
  TRY(node_arity(call, 1, 1));
  TRY(attributes_check(call, ""));
  struct dim *data;
  TRY(integers_make(evaluator, call, 0, NULL, &call->outputs[0], &data));
  *data = dim_of(1);
  for (int32_t i = 0; i < tensor_rank(call->inputs[0]); i++)
    *data = dim_multiply(*data, tensor_dim(call->inputs[0], i));
  return CUSEQ_STATUS_OK;
}

/* The one integer of a tensor. */
static cuseq_status one_integer(const struct node_call *call, const struct tensor *tensor,
                                struct dim *value) {
  bool one = tensor->kind == TENSOR_INTEGERS;
  for (int32_t i = 0; one && i < tensor->rank; i++)
    one = dim_is(&tensor->dims[i], 1);
  *value = one ? tensor->integers[0] : dim_of(0);
  if (!one || !value->known)
    return call_refuse(call, "it counts to a number that is not certain");
  return CUSEQ_STATUS_OK;
}

cuseq_status node_range(struct evaluator *evaluator, struct node_call *call) {
  TRY(node_arity(call, 3, 3));
  TRY(attributes_check(call, "stash_type"));
  struct dim start, limit, step, *data;
  int64_t first, last, by;
  TRY(one_integer(call, call->inputs[0], &start));
  TRY(one_integer(call, call->inputs[1], &limit));
  TRY(one_integer(call, call->inputs[2], &step));
  struct tensor *result = &call->outputs[0];
  if (dim_constant(&start, &first) && dim_constant(&limit, &last) && dim_constant(&step, &by)) {
    if (by == 0 || by < -TENSOR_MAX_INTEGERS || by > TENSOR_MAX_INTEGERS || first < -TENSOR_MAX_INTEGERS ||
        first > TENSOR_MAX_INTEGERS || last < -TENSOR_MAX_INTEGERS || last > TENSOR_MAX_INTEGERS)
      return call_refuse(call, "it makes too many integers");
    int64_t count = by > 0 ? (last - first + by - 1) / by : (first - last - by - 1) / -by;
    struct dim dims[1] = {dim_of(count > 0 ? count : 0)};
    TRY(integers_make(evaluator, call, 1, dims, result, &data));
    for (int64_t i = 0; i < count; i++)
      data[i] = dim_of(first + i * by);
    return CUSEQ_STATUS_OK;
  }
  struct dim batch = dim_batch(), time = dim_time();
  bool rows = dim_equal(&limit, &batch);
  if (!dim_is(&start, 0) || !dim_is(&step, 1) || (!rows && !dim_equal(&limit, &time)))
    return call_refuse(call, "it counts neither the rows nor the positions");
  *result = (struct tensor){.kind = TENSOR_POSITIONS, .integer = true, .axis_count = 1};
  result->axes[0] = (struct tensor_axis){rows ? TENSOR_BATCH : TENSOR_TIME, 0, limit};
  return CUSEQ_STATUS_OK;
}

/* ---- axes ----------------------------------------------------------------------------------------- */

/* Axes of a node in ascending order, as indices among `rank`. */
static cuseq_status sorted_axes(struct evaluator *evaluator, const struct node_call *call, int32_t rank,
                                int32_t *axes, int32_t *count) {
  const int64_t *list;
  bool seen[TENSOR_MAX_AXES + 1] = {false};
  TRY(node_integers(evaluator, call, 1, "axes", 13, &list, count));
  for (int32_t i = 0; i < *count; i++) {
    int32_t at;
    TRY(node_axis(call, list[i], rank, &at));
    if (seen[at])
      return call_refuse(call, "it names an axis twice");
    seen[at] = true;
  }
  int32_t found = 0;
  for (int32_t i = 0; i < rank && i <= TENSOR_MAX_AXES; i++)
    if (seen[i])
      axes[found++] = i;
  return CUSEQ_STATUS_OK;
}

cuseq_status node_squeeze(struct evaluator *evaluator, struct node_call *call) {
  TRY(node_arity(call, 1, 2));
  TRY(attributes_check(call, "axes"));
  struct tensor *result = &call->outputs[0];
  int32_t axes[TENSOR_MAX_AXES + 1] = {0}, count = 0, rank = tensor_rank(call->inputs[0]);
  char text[128];
  *result = *call->inputs[0];
  TRY(sorted_axes(evaluator, call, rank, axes, &count));
  for (int32_t i = rank - 1; count < 0 && i >= 0; i--)
    tensor_remove_single(result, i);
  for (int32_t i = count - 1; i >= 0; i--)
    if (!tensor_remove_single(result, axes[i]))
      return call_refuse(call, "it takes axis %d of %s away, which has more than one entry", axes[i],
                         tensor_describe(call->inputs[0], text, sizeof text));
  return CUSEQ_STATUS_OK;
}

cuseq_status node_unsqueeze(struct evaluator *evaluator, struct node_call *call) {
  TRY(node_arity(call, 1, 2));
  TRY(attributes_check(call, "axes"));
  struct tensor *result = &call->outputs[0];
  const int64_t *list;
  int32_t axes[TENSOR_MAX_AXES + 1] = {0}, count = 0, rank = tensor_rank(call->inputs[0]);
  *result = *call->inputs[0];
  TRY(node_integers(evaluator, call, 1, "axes", 13, &list, &count));
  if (count < 0 || rank + count > TENSOR_MAX_AXES)
    return call_refuse(call, "it makes no axis, or too many");
  TRY(sorted_axes(evaluator, call, rank + count, axes, &count));
  for (int32_t i = 0; i < count; i++)
    if (!tensor_insert_single(result, axes[i]))
      return call_refuse(call, "it makes too many axes");
  return CUSEQ_STATUS_OK;
}

/* A constant with its axes in another order. */
static cuseq_status transpose_numbers(struct evaluator *evaluator, const struct node_call *call,
                                      const struct tensor *tensor, const int32_t *permutation,
                                      struct tensor *result) {
  struct numbers numbers;
  int64_t dims[TENSOR_MAX_AXES] = {0}, strides[TENSOR_MAX_AXES] = {0}, index[TENSOR_MAX_AXES] = {0};
  float *data;
  TRY(numbers_open(evaluator, call, tensor, "what it turns", &numbers));
  for (int32_t i = 0; i < numbers.rank; i++) {
    dims[i] = numbers.dims[permutation[i]];
    strides[i] = 1;
    for (int32_t k = permutation[i] + 1; k < numbers.rank; k++)
      strides[i] *= numbers.dims[k];
  }
  cuseq_status status = numbers_make(evaluator, call, numbers.rank, dims, result, &data);
  for (size_t n = 0; status == CUSEQ_STATUS_OK && n < numbers.count; n++) {
    int64_t from = 0;
    for (int32_t i = 0; i < numbers.rank; i++)
      from += index[i] * strides[i];
    data[n] = numbers.data[from];
    for (int32_t i = numbers.rank - 1; i >= 0 && ++index[i] == dims[i]; i--)
      index[i] = 0;
  }
  numbers_close(&numbers);
  return status;
}

cuseq_status node_transpose(struct evaluator *evaluator, struct node_call *call) {
  TRY(node_arity(call, 1, 1));
  TRY(attributes_check(call, "perm"));
  const struct tensor *tensor = call->inputs[0];
  const OnnxFile__Attribute *order = attribute_find(call, "perm");
  int32_t permutation[TENSOR_MAX_AXES] = {0}, rank = tensor_rank(tensor);
  bool seen[TENSOR_MAX_AXES] = {false};
  for (int32_t i = 0; i < rank; i++) {
    int64_t axis = order == NULL ? rank - 1 - i : i < (int64_t)order->n_ints ? order->ints[i] : -1;
    if (axis < 0 || axis >= rank || seen[axis] || (order != NULL && order->n_ints != (size_t)rank))
      return call_refuse(call, "its order of axes is none");
    seen[axis] = true;
    permutation[i] = (int32_t)axis;
  }
  struct tensor *result = &call->outputs[0];
  if (tensor_has_axes(tensor))
    return table_permute(evaluator, call, tensor, permutation, result);
  if (tensor->kind != TENSOR_FILL)
    return transpose_numbers(evaluator, call, tensor, permutation, result);
  *result = *tensor;
  for (int32_t i = 0; i < rank; i++)
    result->dims[i] = tensor->dims[permutation[i]];
  return CUSEQ_STATUS_OK;
}

/* ---- repetitions ---------------------------------------------------------------------------------- */

/* Makes an axis of one entry as long as `size`: rows, positions, or the same cells several times. */
static cuseq_status repeat_axis(struct evaluator *evaluator, const struct node_call *call,
                                struct tensor *tensor, int32_t at, struct dim size) {
  struct dim batch = dim_batch(), time = dim_time();
  int64_t count;
  if (evaluator->fixed_batch < 0 && dim_equal(&size, &batch)) {
    tensor->axes[at] = (struct tensor_axis){TENSOR_BATCH, 0, size};
    return CUSEQ_STATUS_OK;
  }
  if (dim_equal(&size, &time) || (dim_constant(&size, &count) && count == evaluator->fixed_time)) {
    tensor->axes[at] = (struct tensor_axis){TENSOR_TIME, 0, size};
    return CUSEQ_STATUS_OK;
  }
  if (tensor->kind != TENSOR_TABLE || !dim_constant(&size, &count) || count < 1 || count > TENSOR_MAX_CELLS)
    return call_refuse(call, "it repeats something along neither rows nor positions");
  int64_t *zeros = arena_allocate(evaluator->arena, (size_t)count * sizeof *zeros);
  if (zeros == NULL)
    return error_out_of_memory();
  struct tensor whole = *tensor;
  return table_select(evaluator, call, &whole, at, zeros, (int32_t)count, tensor);
}

cuseq_status node_expand(struct evaluator *evaluator, struct node_call *call) {
  TRY(node_arity(call, 2, 2));
  TRY(attributes_check(call, ""));
  struct tensor shape = {.rank = 0}, *result = &call->outputs[0];
  char text[128];
  TRY(read_shape(call, call->inputs[1], &shape));
  *result = *call->inputs[0];
  if (!tensor_has_axes(result)) { /* a constant: one number, as a rule */
    double value;
    struct numbers numbers;
    TRY(numbers_open(evaluator, call, result, "what it repeats", &numbers));
    bool uniform = numbers_uniform(&numbers, &value);
    numbers_close(&numbers);
    bool integer = result->integer;
    while (uniform && shape.rank < result->rank)
      if (!tensor_insert_single(&shape, 0))
        break;
    int32_t before = shape.rank - result->rank;
    for (int32_t i = 0; i < result->rank && before >= 0; i++)
      if (dim_is(&shape.dims[before + i], 1))
        shape.dims[before + i] = result->dims[i];
    if (uniform) {
      shape.kind = TENSOR_FILL;
      shape.fill = value;
      shape.integer = integer;
      *result = shape;
      return CUSEQ_STATUS_OK;
    }
    /* a vector of weights for every row: as a table it has them anyway */
    struct tensor like = {.kind = TENSOR_TABLE, .axis_count = call->inputs[0]->rank};
    for (int32_t i = 0; i < like.axis_count; i++)
      like.axes[i] = tensor_single();
    TRY(table_of_constant(evaluator, call, call->inputs[0], &like, result));
  }
  while (tensor_rank(result) < shape.rank)
    if (!tensor_insert_single(result, 0))
      return call_refuse(call, "it makes too many axes");
  int32_t before = tensor_rank(result) - shape.rank;
  for (int32_t i = 0; i < shape.rank; i++) {
    const struct tensor_axis *axis = &result->axes[before + i];
    if (dim_is(&shape.dims[i], 1) || dim_equal(&shape.dims[i], &axis->size))
      continue;
    if (!tensor_is_single(axis))
      return call_refuse(call, "it repeats %s along an axis that has more than one entry",
                         tensor_describe(call->inputs[0], text, sizeof text));
    TRY(repeat_axis(evaluator, call, result, before + i, shape.dims[i]));
  }
  return CUSEQ_STATUS_OK;
}

cuseq_status node_tile(struct evaluator *evaluator, struct node_call *call) {
  TRY(node_arity(call, 2, 2));
  TRY(attributes_check(call, ""));
  struct tensor times = {.rank = 0}, *result = &call->outputs[0];
  *result = *call->inputs[0];
  TRY(read_shape(call, call->inputs[1], &times));
  if (times.rank != tensor_rank(result))
    return call_refuse(call, "it says how often for %d axes (needed %d)", times.rank, tensor_rank(result));
  if (!tensor_has_axes(result)) {
    struct tensor like = {.kind = TENSOR_TABLE, .axis_count = result->rank};
    for (int32_t i = 0; i < like.axis_count; i++)
      like.axes[i] = tensor_single();
    TRY(table_of_constant(evaluator, call, call->inputs[0], &like, result));
  }
  for (int32_t i = 0; i < times.rank; i++) {
    if (dim_is(&times.dims[i], 1))
      continue;
    if (!tensor_is_single(&result->axes[i]))
      return call_refuse(call, "it repeats an axis that has more than one entry");
    TRY(repeat_axis(evaluator, call, result, i, times.dims[i]));
  }
  return CUSEQ_STATUS_OK;
}
