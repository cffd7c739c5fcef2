/* Gather, Slice and Split: parts of tensors, and rows of embeddings. */
#include "convert/onnx/arithmetic.h"
#include "convert/onnx/nodes.h"
#include "convert/onnx/positions.h"
#include "convert/onnx/table.h"
#include "error.h"

#include <string.h>

/* ---- parts along one axis ------------------------------------------------------------------------- */

/* `count` entries of an axis from `first` on, every `step`th. */
struct range {
  int32_t axis;
  int64_t first, count, step;
};

/* Entries of a constant along an axis. */
static cuseq_status take_numbers(struct evaluator *evaluator, const struct node_call *call,
                                 const struct tensor *tensor, const struct range *range,
                                 struct tensor *result) {
  struct numbers numbers;
  int64_t dims[TENSOR_MAX_AXES], inner = 1, outer = 1;
  float *data;
  TRY(numbers_open(evaluator, call, tensor, "what it takes a part of", &numbers));
  for (int32_t i = 0; i < numbers.rank; i++) {
    dims[i] = i == range->axis ? range->count : numbers.dims[i];
    inner *= i > range->axis ? numbers.dims[i] : 1;
    outer *= i < range->axis ? numbers.dims[i] : 1;
  }
  cuseq_status status = numbers_make(evaluator, call, numbers.rank, dims, result, &data);
  for (int64_t o = 0; status == CUSEQ_STATUS_OK && o < outer; o++)
    for (int64_t i = 0; i < range->count; i++)
      memcpy(data + (o * range->count + i) * inner,
             numbers.data + (o * numbers.dims[range->axis] + range->first + i * range->step) * inner,
             (size_t)inner * sizeof *data);
  numbers_close(&numbers);
  return status;
}

static cuseq_status take_integers(struct evaluator *evaluator, const struct node_call *call,
                                  const struct tensor *tensor, const struct range *range,
                                  struct tensor *result) {
  struct dim dims[TENSOR_MAX_AXES] = {{0}}, *data;
  int64_t inner = 1, outer = 1, size = tensor->dims[range->axis].factor;
  struct tensor whole = *tensor;
  for (int32_t i = 0; i < whole.rank; i++) {
    dims[i] = i == range->axis ? dim_of(range->count) : whole.dims[i];
    inner *= i > range->axis ? whole.dims[i].factor : 1;
    outer *= i < range->axis ? whole.dims[i].factor : 1;
  }
  TRY(integers_make(evaluator, call, whole.rank, dims, result, &data));
  for (int64_t o = 0; o < outer; o++)
    for (int64_t i = 0; i < range->count; i++)
      memcpy(data + (o * range->count + i) * inner,
             whole.integers + (o * size + range->first + i * range->step) * inner,
             (size_t)inner * sizeof *data);
  return CUSEQ_STATUS_OK;
}

/* Elements of every vector of a table. */
static cuseq_status take_features(struct evaluator *evaluator, const struct node_call *call,
                                  const struct tensor *tensor, const struct range *range,
                                  struct tensor *result) {
  struct tensor made = *tensor;
  int32_t *cells;
  if (range->step != 1)
    return call_refuse(call, "it takes every %lldth element of vectors", (long long)range->step);
  made.axes[range->axis] = table_feature_axis((int32_t)range->count);
  TRY(table_make(evaluator, call, made.axes, made.axis_count, &made, &cells));
  for (int32_t i = tensor_cell_count(&made) - 1; i >= 0; i--)
    TRY(expression_slice(evaluator->expressions, tensor->cells[i], (int32_t)range->first,
                         (int32_t)range->count, call->kept, &cells[i]));
  *result = made;
  return CUSEQ_STATUS_OK;
}

static cuseq_status take_stacked(struct evaluator *evaluator, const struct node_call *call,
                                 const struct tensor *tensor, const struct range *range,
                                 struct tensor *result) {
  int64_t *list = arena_allocate(evaluator->arena, (size_t)(range->count + 1) * sizeof *list);
  if (list == NULL)
    return error_out_of_memory();
  for (int64_t i = 0; i < range->count; i++)
    list[i] = range->first + i * range->step;
  if (tensor->kind == TENSOR_TABLE)
    return table_select(evaluator, call, tensor, range->axis, list, (int32_t)range->count, result);
  *result = *tensor;
  return tensor_is_single(&tensor->axes[range->axis]) && range->count == 1
             ? CUSEQ_STATUS_OK
             : call_refuse(call, "it takes a part of something that has none");
}

/* A range that is known, of an axis whose size is known. */
static cuseq_status take(struct evaluator *evaluator, const struct node_call *call,
                         const struct tensor *tensor, const struct range *range, struct tensor *result) {
  char text[128];
  if (range->count < 1 && tensor->kind != TENSOR_INTEGERS && tensor->kind != TENSOR_FILL)
    return call_refuse(call, "it takes nothing of %s", tensor_describe(tensor, text, sizeof text));
  if (tensor->kind == TENSOR_INTEGERS)
    return take_integers(evaluator, call, tensor, range, result);
  if (tensor->kind == TENSOR_NUMBERS)
    return take_numbers(evaluator, call, tensor, range, result);
  if (tensor->kind == TENSOR_FILL) {
    *result = *tensor;
    result->dims[range->axis] = dim_of(range->count);
    return CUSEQ_STATUS_OK;
  }
  if (tensor->axes[range->axis].kind == TENSOR_FEATURE)
    return take_features(evaluator, call, tensor, range, result);
  if (tensor->axes[range->axis].kind == TENSOR_STACK)
    return take_stacked(evaluator, call, tensor, range, result);
  if (dim_is(&tensor->axes[range->axis].size, range->count) && range->step == 1) {
    *result = *tensor;
    return CUSEQ_STATUS_OK;
  }
  if (tensor->axes[range->axis].kind == TENSOR_TIME && tensor->kind == TENSOR_TABLE)
    return positions_take(evaluator, call, tensor, range->axis, range->first, range->count, range->step,
                          result);
  return call_refuse(call, "it takes a part of the rows or positions of %s, which cuseq cannot express",
                     tensor_describe(tensor, text, sizeof text));
}

/* ---- Gather --------------------------------------------------------------------------------------- */

/* Rows of a matrix by ids that the model is given, or has made. A constant id, such as a loop's first token,
 * is a table of it. */
static cuseq_status gather_embedding(struct evaluator *evaluator, struct node_call *call, int32_t axis) {
  const struct tensor *weights = call->inputs[0], *ids = call->inputs[1];
  struct tensor table;
  if (ids->kind == TENSOR_FILL) {
    TRY(table_of_fill(evaluator, call, ids, &table));
    table.integer = true;
    ids = &table;
  }
  struct tensor *result = &call->outputs[0];
  struct numbers numbers;
  int32_t matrix = -1, *cells;
  TRY(numbers_open(evaluator, call, weights, "the rows that it takes", &numbers));
  cuseq_status status = CUSEQ_STATUS_OK;
  if (axis != 0 || numbers.rank != 2 || !ids->integer || tensor_find_axis(ids, TENSOR_FEATURE) >= 0)
    status = call_refuse(call, "it takes rows of weights by something other than ids");
  struct layout layout = {
      .rows = numbers.dims[0], .columns = numbers.dims[1], .row = numbers.dims[1], .column = 1, .factor = 1};
  if (status == CUSEQ_STATUS_OK)
    status = numbers_matrix(evaluator, call, &numbers, &layout, &matrix);
  numbers_close(&numbers);
  TRY(status);
  struct tensor made = *ids;
  if (made.axis_count >= TENSOR_MAX_AXES)
    return call_refuse(call, "its result has too many axes");
  made.integer = false;
  made.axes[made.axis_count++] = table_feature_axis((int32_t)layout.columns);
  TRY(table_make(evaluator, call, made.axes, made.axis_count, &made, &cells));
  for (int32_t i = tensor_cell_count(&made) - 1; i >= 0; i--) {
    struct expression embedding = {.op = EXPRESSION_EMBEDDING,
                                   .matrix = matrix,
                                   .bias = -1,
                                   .node = call->kept,
                                   .child_count = 1,
                                   .children = &ids->cells[i]};
    TRY(expression_make(evaluator->expressions, &embedding, &cells[i]));
  }
  *result = made;
  return CUSEQ_STATUS_OK;
}

/* Rows in the order of their lengths, or back. */
static cuseq_status gather_order(const struct node_call *call, int32_t axis) {
  const struct tensor *tensor = call->inputs[0], *order = call->inputs[1];
  struct tensor *result = &call->outputs[0];
  bool rows = tensor_has_axes(tensor) && tensor->axes[axis].kind == TENSOR_BATCH && order->axis_count == 1;
  if (!rows || tensor->ordered != order->back)
    return call_refuse(call, "it changes the order of rows in a way that cuseq cannot express");
  *result = *tensor;
  result->ordered = !order->back;
  return CUSEQ_STATUS_OK;
}

/* Sizes in another order: a shape of positions first as one of rows first. */
static cuseq_status take_sizes(struct evaluator *evaluator, const struct tensor *tensor, const int64_t *list,
                               int32_t count, struct tensor *result) {
  struct dim *integers = arena_allocate(evaluator->arena, (size_t)count * sizeof *integers);
  if (integers == NULL)
    return error_out_of_memory();
  for (int32_t i = 0; i < count; i++)
    integers[i] = tensor->integers[list[i]];
  *result = (struct tensor){.kind = TENSOR_INTEGERS, .integer = true, .rank = 1, .integers = integers};
  result->dims[0] = dim_of(count);
  return CUSEQ_STATUS_OK;
}

/* Entries that are one after the other, or all the same distance apart. */
static bool as_range(const int64_t *list, int32_t count, int32_t axis, struct range *range) {
  *range = (struct range){axis, list[0], count, count > 1 ? list[1] - list[0] : 1};
  for (int32_t i = 1; i < count; i++)
    if (list[i] - list[i - 1] != range->step)
      return false;
  return true;
}

cuseq_status node_gather(struct evaluator *evaluator, struct node_call *call) {
  int64_t axis_given, size;
  int32_t axis, count;
  const int64_t *values;
  TRY(node_arity(call, 2, 2));
  TRY(attributes_check(call, "axis"));
  TRY(attribute_integer(call, "axis", 0, &axis_given));
  const struct tensor *tensor = call->inputs[0], *indices = call->inputs[1];
  struct tensor *result = &call->outputs[0];
  TRY(node_axis(call, axis_given, tensor_rank(tensor), &axis));
  bool rows = indices->kind == TENSOR_FILL && tensor->kind == TENSOR_NUMBERS && indices->integer &&
              !numbers_are(indices);
  if (indices->kind == TENSOR_TABLE || rows)
    return gather_embedding(evaluator, call, axis);
  if (indices->kind == TENSOR_ORDER)
    return gather_order(call, axis);
  TRY(tensor_constants(evaluator, call, indices, &values, &count));
  struct dim dim = tensor_dim(tensor, axis);
  bool time = tensor_has_axes(tensor) && tensor->axes[axis].kind == TENSOR_TIME;
  if (time && count == 1 && indices->rank == 0)
    return positions_one(evaluator, call, tensor, axis, values[0], result);
  if (!dim_constant(&dim, &size) || count < 1 || indices->rank > 1)
    return call_refuse(call, "it takes rows or positions by their number");
  int64_t *list = arena_allocate(evaluator->arena, (size_t)count * sizeof *list);
  if (list == NULL)
    return error_out_of_memory();
  for (int32_t i = 0; i < count; i++) {
    list[i] = values[i] < 0 ? values[i] + size : values[i];
    if (list[i] < 0 || list[i] >= size)
      return call_refuse(call, "it takes entry %lld of %lld", (long long)values[i], (long long)size);
  }
  struct range range;
  bool stacked = tensor->kind == TENSOR_TABLE && tensor->axes[axis].kind == TENSOR_STACK;
  if (stacked)
    TRY(table_select(evaluator, call, tensor, axis, list, count, result));
  else if (as_range(list, count, axis, &range))
    TRY(take(evaluator, call, tensor, &range, result));
  else if (tensor->kind == TENSOR_INTEGERS && tensor->rank == 1)
    TRY(take_sizes(evaluator, tensor, list, count, result));
  else
    return call_refuse(call, "it takes entries that are not side by side");
  if (indices->rank == 0 && !tensor_remove_single(result, axis))
    return call_refuse(call, "it takes one entry of an axis that stays");
  return CUSEQ_STATUS_OK;
}

/* ---- Slice ---------------------------------------------------------------------------------------- */

/* One axis: from `first` to `last`, as ONNX counts, which is clamped. */
static cuseq_status slice_axis(struct evaluator *evaluator, const struct node_call *call, int32_t axis,
                               struct dim first, struct dim last, int64_t step, struct tensor *tensor) {
  struct dim size = tensor_dim(tensor, axis);
  int64_t from, to, whole;
  bool constant = dim_constant(&first, &from) && dim_constant(&last, &to);
  struct tensor part = *tensor;
  bool time = tensor_has_axes(tensor) && tensor->axes[axis].kind == TENSOR_TIME;
  if (step == 1 && dim_is(&first, 0) && (dim_equal(&last, &size) || (constant && to >= INT32_MAX)))
    return CUSEQ_STATUS_OK;
  if (time && constant && step == 1 &&
      ((from >= 0 && to == from + 1) || (from < 0 && (to == from + 1 || (from == -1 && to >= INT32_MAX))))) {
    if (to == 0 || to >= INT32_MAX || from < 0 || to == from + 1)
      TRY(positions_one(evaluator, call, &part, axis, from, tensor));
    return tensor_insert_single(tensor, axis) ? CUSEQ_STATUS_OK
                                              : call_refuse(call, "its result has too many axes");
  }
  bool reversed = time && step == -1 && constant && (from == -1 || from >= INT32_MAX) && to <= -INT32_MAX;
  if (reversed && tensor->kind == TENSOR_TABLE && evaluator->lengths == NULL) {
    int32_t *cells;
    TRY(table_make(evaluator, call, part.axes, part.axis_count, tensor, &cells));
    for (int32_t i = tensor_cell_count(tensor) - 1; i >= 0; i--)
      TRY(expression_over(evaluator->expressions, EXPRESSION_REVERSE, evaluator->clock, 0, false,
                          part.cells[i], call->kept, &cells[i]));
    return CUSEQ_STATUS_OK;
  }
  if (!constant || !dim_constant(&size, &whole) || step < 1)
    return call_refuse(call, "it takes a part of the rows or positions, which cuseq cannot express");
  from = from < 0 ? from + whole : from;
  to = to < 0 ? to + whole : to;
  from = from < 0 ? 0 : from > whole ? whole : from;
  to = to < 0 ? 0 : to > whole ? whole : to;
  struct range range = {axis, from, to > from ? (to - from + step - 1) / step : 0, step};
  return take(evaluator, call, &part, &range, tensor);
}

/* Starts or ends: an input from opset 10 on. */
static cuseq_status slice_bounds(const struct node_call *call, const struct tensor *tensor,
                                 const struct dim **bounds, int32_t *count) {
  int64_t size = 0;
  if (tensor->kind != TENSOR_INTEGERS || tensor->rank > 1 ||
      (tensor->rank == 1 && !dim_constant(&tensor->dims[0], &size)))
    return call_refuse(call, "from where to where it goes is not certain");
  *bounds = tensor->integers;
  *count = tensor->rank == 1 ? (int32_t)size : 1;
  for (int32_t i = 0; i < *count; i++)
    if (!tensor->integers[i].known)
      return call_refuse(call, "from where to where it goes is not certain");
  return CUSEQ_STATUS_OK;
}

cuseq_status node_slice(struct evaluator *evaluator, struct node_call *call) {
  const struct dim *starts, *ends;
  const int64_t *axes = NULL, *steps = NULL;
  int32_t count, end_count, axis_count = -1, step_count = -1;
  TRY(node_arity(call, 3, 5));
  TRY(attributes_check(call, ""));
  TRY(slice_bounds(call, call->inputs[1], &starts, &count));
  TRY(slice_bounds(call, call->inputs[2], &ends, &end_count));
  if (node_input(call, 3)->kind != TENSOR_NONE)
    TRY(tensor_constants(evaluator, call, call->inputs[3], &axes, &axis_count));
  if (node_input(call, 4)->kind != TENSOR_NONE)
    TRY(tensor_constants(evaluator, call, call->inputs[4], &steps, &step_count));
  if (end_count != count || (axis_count >= 0 && axis_count != count) ||
      (step_count >= 0 && step_count != count))
    return call_refuse(call, "its starts, ends, axes and steps are not of one number");
  struct tensor *result = &call->outputs[0];
  *result = *call->inputs[0];
  for (int32_t i = 0; i < count; i++) {
    int32_t axis;
    TRY(node_axis(call, axes != NULL ? axes[i] : i, tensor_rank(result), &axis));
    TRY(slice_axis(evaluator, call, axis, starts[i], ends[i], steps != NULL ? steps[i] : 1, result));
  }
  return CUSEQ_STATUS_OK;
}

/* ---- Split ---------------------------------------------------------------------------------------- */

cuseq_status node_split(struct evaluator *evaluator, struct node_call *call) {
  const int64_t *sizes;
  int64_t axis_given, size, parts = (int64_t)call->node->n_output, outputs;
  int32_t axis, count;
  TRY(node_arity(call, 1, 2));
  TRY(attributes_check(call, "axis split num_outputs"));
  TRY(attribute_integer(call, "axis", 0, &axis_given));
  TRY(attribute_integer(call, "num_outputs", parts, &outputs));
  const struct tensor *tensor = call->inputs[0];
  TRY(node_axis(call, axis_given, tensor_rank(tensor), &axis));
  TRY(node_integers(evaluator, call, 1, "split", 13, &sizes, &count));
  struct dim dim = tensor_dim(tensor, axis);
  if (!dim_constant(&dim, &size) || outputs != parts || (count >= 0 && count != parts))
    return call_refuse(
        call, "it splits an axis whose size is not known, or not into as many parts as it has outputs");
  int64_t each = (size + parts - 1) / parts, first = 0;
  for (int64_t i = 0; i < parts; i++) {
    int64_t part = sizes != NULL ? sizes[i] : first + each > size ? size - first : each;
    if (part < 0 || part > size - first)
      return call_refuse(call, "its parts are larger than what it splits");
    struct range range = {axis, first, part, 1};
    TRY(take(evaluator, call, tensor, &range, &call->outputs[i]));
    first += part;
  }
  return first == size ? CUSEQ_STATUS_OK : call_refuse(call, "its parts leave something over");
}
