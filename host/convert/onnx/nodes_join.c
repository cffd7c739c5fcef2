/* Concat: along features, vectors side by side; along stacked axes, one after the other. */
#include "convert/onnx/arithmetic.h"
#include "convert/onnx/cells.h"
#include "convert/onnx/nodes.h"
#include "convert/onnx/positions.h"
#include "convert/onnx/table.h"
#include "error.h"

#include <string.h>

/* ---- constants ------------------------------------------------------------------------------------ */

static cuseq_status join_integers(struct evaluator *evaluator, struct node_call *call) {
  int64_t total = 0, at = 0, size;
  struct dim *data;
  for (size_t i = 0; i < call->input_count; i++) {
    const struct tensor *part = call->inputs[i];
    bool fill = part->kind == TENSOR_FILL && part->integer;
    if ((part->kind != TENSOR_INTEGERS && !fill) || part->rank != 1 || !dim_constant(&part->dims[0], &size) ||
        size < 0 || size > TENSOR_MAX_INTEGERS)
      return call_refuse(call, "it joins shapes of which one is not known");
    total += size;
  }
  struct dim dims[1] = {dim_of(total)};
  TRY(integers_make(evaluator, call, 1, dims, &call->outputs[0], &data));
  for (size_t i = 0; i < call->input_count; i++)
    for (int64_t k = 0; k < call->inputs[i]->dims[0].factor; k++)
      data[at++] = call->inputs[i]->kind == TENSOR_FILL ? dim_of((int64_t)call->inputs[i]->fill)
                                                        : call->inputs[i]->integers[k];
  return CUSEQ_STATUS_OK;
}

static cuseq_status join_numbers(struct evaluator *evaluator, struct node_call *call, int32_t axis) {
  int64_t dims[TENSOR_MAX_AXES] = {0}, outer = 1, at = 0;
  struct numbers numbers;
  float *data = NULL;
  int32_t rank = call->inputs[0]->rank;
  for (int32_t i = 0; i < rank; i++)
    dims[i] = call->inputs[0]->dims[i].factor;
  for (size_t k = 1; k < call->input_count; k++) {
    const struct tensor *part = call->inputs[k];
    for (int32_t i = 0; i < rank; i++)
      if (part->rank != rank || (i != axis && part->dims[i].factor != dims[i]))
        return call_refuse(call, "it joins constants whose shapes do not fit");
    dims[axis] += part->dims[axis].factor;
  }
  TRY(numbers_make(evaluator, call, rank, dims, &call->outputs[0], &data));
  int64_t row = 1;
  for (int32_t i = 0; i < rank; i++) {
    outer *= i < axis ? dims[i] : 1;
    row *= i >= axis ? dims[i] : 1;
  }
  for (size_t k = 0; k < call->input_count; k++) {
    TRY(numbers_open(evaluator, call, call->inputs[k], "what it joins", &numbers));
    int64_t part = outer > 0 ? (int64_t)numbers.count / outer : 0;
    for (int64_t o = 0; o < outer; o++)
      memcpy(data + o * row + at, numbers.data + o * part, (size_t)part * sizeof *data);
    at += part;
    numbers_close(&numbers);
  }
  return CUSEQ_STATUS_OK;
}

/* Zeros that are joined stay zeros, whatever their shape. */
static bool join_fills(const struct node_call *call, int32_t axis, struct tensor *result) {
  *result = *call->inputs[0];
  for (size_t k = 1; k < call->input_count; k++) {
    const struct tensor *part = call->inputs[k];
    if (part->kind != TENSOR_FILL || part->fill != result->fill || part->rank != result->rank)
      return false;
    result->dims[axis] = dim_add(result->dims[axis], part->dims[axis], 1);
  }
  return result->kind == TENSOR_FILL && result->dims[axis].known;
}

/* ---- tables --------------------------------------------------------------------------------------- */

/* A part of the join as a table: a constant among the others is vectors that are the same for every row. */
static cuseq_status as_table(struct evaluator *evaluator, const struct node_call *call,
                             const struct tensor *part, const struct tensor *like, struct tensor *table) {
  *table = *part;
  if (part->kind == TENSOR_TABLE)
    return table_unmasked(call, part);
  if (part->kind != TENSOR_NUMBERS && part->kind != TENSOR_FILL)
    return call_refuse(call, "it joins tensors of which one is none that cuseq can express");
  if (part->kind == TENSOR_NUMBERS)
    return table_of_constant(evaluator, call, part, like, table);
  int32_t *cells;
  struct tensor_axis axes[TENSOR_MAX_AXES];
  for (int32_t i = 0; i < part->rank; i++) {
    int64_t size;
    bool constant = dim_constant(&part->dims[i], &size);
    bool feature = constant && size > 1 && like->axes[i].kind == TENSOR_FEATURE;
    axes[i] = constant && !dim_equal(&part->dims[i], &like->axes[i].size)
                  ? (struct tensor_axis){feature ? TENSOR_FEATURE : TENSOR_STACK, 0, part->dims[i]}
                  : like->axes[i];
    if (!constant && !dim_equal(&part->dims[i], &like->axes[i].size))
      return call_refuse(call, "it joins a constant that does not fit");
  }
  *table = (struct tensor){.kind = TENSOR_TABLE};
  TRY(table_make(evaluator, call, axes, part->rank, table, &cells));
  int32_t feature = tensor_find_axis(table, TENSOR_FEATURE);
  struct numbers one = {.data = (float[]){(float)part->fill}, .count = 1};
  struct layout layout = {
      .rows = 1, .columns = feature >= 0 ? table->axes[feature].size.factor : 1, .factor = 1};
  for (int32_t i = tensor_cell_count(table) - 1; i >= 0; i--) {
    if (part->fill != 0 && layout.columns > 1)
      return call_refuse(call, "it joins a constant that does not fit");
    TRY(part->fill == 0
            ? expression_zeros(evaluator->expressions, (int32_t)layout.columns, call->kept, &cells[i])
            : constant_expression(evaluator, call, &one, &layout, &cells[i]));
  }
  return CUSEQ_STATUS_OK;
}

/* The axes of both but for the one that is joined; rows or positions of one that the other lacks are taken
 * over. */
static bool same_axes(const struct tensor *a, const struct tensor *b, int32_t axis, struct tensor *joined) {
  *joined = *a;
  if (a->axis_count != b->axis_count)
    return false;
  for (int32_t i = 0; i < a->axis_count; i++) {
    if (i == axis)
      continue;
    if (a->axes[i].kind != b->axes[i].kind || !dim_equal(&a->axes[i].size, &b->axes[i].size))
      return false;
  }
  return true;
}

static cuseq_status join_features(struct evaluator *evaluator, struct node_call *call,
                                  const struct tensor *parts, int32_t axis, int64_t width) {
  struct tensor made = parts[0];
  int32_t *cells, *children = arena_allocate(evaluator->arena, call->input_count * sizeof *children);
  if (children == NULL)
    return error_out_of_memory();
  made.axes[axis] = (struct tensor_axis){TENSOR_FEATURE, 0, dim_of(width)};
  TRY(table_make(evaluator, call, made.axes, made.axis_count, &made, &cells));
  for (int32_t i = tensor_cell_count(&made) - 1; i >= 0; i--) {
    for (size_t k = 0; k < call->input_count; k++)
      children[k] = cells_state(evaluator, parts[k].cells[i]);
    TRY(expression_concat(evaluator, call, children, (int32_t)call->input_count, &cells[i]));
  }
  call->outputs[0] = made;
  return CUSEQ_STATUS_OK;
}

static cuseq_status join_stacked(struct evaluator *evaluator, struct node_call *call,
                                 const struct tensor *parts, int32_t axis, int64_t size) {
  struct tensor made = parts[0];
  int32_t *cells, inner = 1, outer = 1, at = 0;
  made.axes[axis].size = dim_of(size);
  TRY(table_make(evaluator, call, made.axes, made.axis_count, &made, &cells));
  for (int32_t i = 0; i < made.axis_count; i++)
    if (made.axes[i].kind == TENSOR_STACK && i != axis)
      *(i < axis ? &outer : &inner) *= (int32_t)made.axes[i].size.factor;
  for (int32_t o = 0; o < outer; o++)
    for (size_t k = 0; k < call->input_count; k++) {
      int32_t run = (int32_t)parts[k].axes[axis].size.factor * inner;
      memcpy(cells + at, parts[k].cells + (size_t)o * (size_t)run, (size_t)run * sizeof *cells);
      at += run;
    }
  call->outputs[0] = made;
  return CUSEQ_STATUS_OK;
}

static cuseq_status join_tables(struct evaluator *evaluator, struct node_call *call, int32_t axis) {
  struct tensor *parts = arena_allocate(evaluator->arena, call->input_count * sizeof *parts), joined;
  const struct tensor *like = NULL;
  char left[128], right[128];
  int64_t total = 0;
  bool features = false, stacked = true;
  if (parts == NULL)
    return error_out_of_memory();
  for (size_t i = 0; i < call->input_count; i++)
    if (call->inputs[i]->kind == TENSOR_TABLE && like == NULL)
      like = call->inputs[i];
  for (size_t i = 0; i < call->input_count; i++) {
    TRY(as_table(evaluator, call, call->inputs[i], like, &parts[i]));
    if (!same_axes(&parts[0], &parts[i], axis, &joined))
      return call_refuse(call, "it joins %s and %s, which cuseq cannot express",
                         tensor_describe(&parts[0], left, sizeof left),
                         tensor_describe(&parts[i], right, sizeof right));
    if (parts[i].ordered != parts[0].ordered)
      return call_refuse(call, "it joins rows that are ordered by their lengths with rows that are not");
    features = features || parts[i].axes[axis].kind == TENSOR_FEATURE;
    stacked = stacked && parts[i].axes[axis].kind == TENSOR_STACK;
    total += parts[i].axes[axis].size.factor;
  }
  if (stacked) {
    TRY(join_stacked(evaluator, call, parts, axis, total));
    return positions_join(evaluator, call, axis, &call->outputs[0]);
  }
  for (size_t i = 0; features && i < call->input_count; i++) {
    struct tensor part = parts[i];
    if (part.axes[axis].kind == TENSOR_STACK && !tensor_is_single(&part.axes[axis]))
      TRY(table_stack_to_features(evaluator, call, &part, axis, &parts[i]));
    else if (part.axes[axis].kind != TENSOR_STACK && part.axes[axis].kind != TENSOR_FEATURE)
      features = false;
  }
  if (!features)
    return call_refuse(call, "it joins rows or positions, which cuseq cannot express");
  return join_features(evaluator, call, parts, axis, total);
}

cuseq_status node_concat(struct evaluator *evaluator, struct node_call *call) {
  int64_t axis_given;
  int32_t axis;
  bool tables = false, integers = true, constants = true;
  TRY(node_arity(call, 1, NODE_MAX_INPUTS));
  TRY(attributes_check(call, "axis"));
  TRY(attribute_integer(call, "axis", 0, &axis_given));
  for (size_t i = 0; i < call->input_count; i++) {
    const struct tensor *part = call->inputs[i];
    tables = tables || part->kind == TENSOR_TABLE;
    integers = integers && (part->kind == TENSOR_INTEGERS || (part->kind == TENSOR_FILL && part->integer));
    constants = constants && numbers_are(part);
    if (tensor_rank(part) != tensor_rank(call->inputs[0]))
      return call_refuse(call, "it joins tensors of different numbers of axes");
  }
  TRY(node_axis(call, axis_given, tensor_rank(call->inputs[0]), &axis));
  if (tables)
    return join_tables(evaluator, call, axis);
  if (integers)
    return join_integers(evaluator, call);
  if (join_fills(call, axis, &call->outputs[0]))
    return CUSEQ_STATUS_OK;
  call->outputs[0] = (struct tensor){0};
  return constants ? join_numbers(evaluator, call, axis)
                   : call_refuse(call, "it joins tensors of which one is none that cuseq can express");
}
