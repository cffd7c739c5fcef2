/* Reshape: the same numbers under other axes. The axes of both sides are gone through in groups of equal
 * size. */
#include "convert/onnx/arithmetic.h"
#include "convert/onnx/nodes.h"
#include "convert/onnx/positions.h"
#include "convert/onnx/table.h"
#include "error.h"

#include <string.h>

/* ---- the new shape -------------------------------------------------------------------------------- */

/* 0 is the old size at that place (unless allowzero), -1 what is left. */
static cuseq_status resolve_shape(const struct node_call *call, const struct tensor *tensor,
                                  bool zero_is_zero, struct dim *shape, int32_t count) {
  struct dim total = dim_of(1), known = dim_of(1);
  int32_t open = -1;
  char text[128];
  for (int32_t i = 0; i < tensor_rank(tensor); i++)
    total = dim_multiply(total, tensor_dim(tensor, i));
  for (int32_t i = 0; i < count; i++) {
    if (dim_is(&shape[i], 0) && !zero_is_zero && i < tensor_rank(tensor))
      shape[i] = tensor_dim(tensor, i);
    if (dim_is(&shape[i], -1) && open < 0)
      open = i;
    else
      known = dim_multiply(known, shape[i]);
  }
  if (open >= 0)
    shape[open] = dim_divide(total, known);
  struct dim made = dim_of(1);
  for (int32_t i = 0; i < count; i++)
    made = dim_multiply(made, shape[i]);
  if (!dim_equal(&made, &total))
    return call_refuse(call, "it gives %s a shape of another size, or of none that is known",
                       tensor_describe(tensor, text, sizeof text));
  return CUSEQ_STATUS_OK;
}

static cuseq_status read_shape(const struct node_call *call, const struct tensor *shape, struct dim *dims,
                               int32_t *count) {
  int64_t size = 0;
  bool fill = shape->kind == TENSOR_FILL && shape->integer;
  if ((shape->kind != TENSOR_INTEGERS && !fill) || shape->rank > 1 ||
      (shape->rank == 1 && !dim_constant(&shape->dims[0], &size)))
    return call_refuse(call, "its shape is none that is known");
  if (shape->rank == 0)
    size = 1;
  if (size < 0 || size > TENSOR_MAX_AXES)
    return call_refuse(call, "its shape has too many axes");
  *count = (int32_t)size;
  for (int32_t i = 0; i < *count; i++)
    dims[i] = fill ? dim_of((int64_t)shape->fill) : shape->integers[i];
  return CUSEQ_STATUS_OK;
}

/* ---- groups of axes ------------------------------------------------------------------------------- */

/* Axes of a table that are rewritten one group after the other: `done` of the new ones are placed. */
struct rewriting {
  struct tensor table;
  int32_t done;
};

static bool is_features(const struct tensor_axis *axis) {
  return axis->kind == TENSOR_FEATURE;
}

/* Rows and positions become one axis. */
static bool merge_rows(const struct tensor_axis *a, const struct tensor_axis *b, struct tensor_axis *merged) {
  merged->size = dim_multiply(a->size, b->size);
  merged->kind = a->kind == TENSOR_BATCH ? TENSOR_ROWS_OF_POSITIONS : TENSOR_POSITIONS_OF_ROWS;
  return (a->kind == TENSOR_BATCH && b->kind == TENSOR_TIME) ||
         (a->kind == TENSOR_TIME && b->kind == TENSOR_BATCH);
}

/* Rows, and what is stacked for each of them, become one axis. */
static bool merge_stacked(const struct tensor_axis *rows, const struct tensor_axis *stack,
                          struct tensor_axis *merged) {
  *merged = (struct tensor_axis){TENSOR_ROWS_OF_STACK, tensor_axis_cells(stack),
                                 dim_multiply(rows->size, stack->size)};
  return rows->kind == TENSOR_BATCH && stack->kind == TENSOR_STACK;
}

static void replace_axes(struct tensor *table, int32_t at, int32_t count, const struct tensor_axis *axes,
                         int32_t made) {
  memmove(table->axes + at + made, table->axes + at + count,
          (size_t)(table->axis_count - at - count) * sizeof *table->axes);
  memcpy(table->axes + at, axes, (size_t)made * sizeof *axes);
  table->axis_count += made - count;
}

/* Several stacked axes, and features behind them, become one axis. */
static cuseq_status merge_group(struct evaluator *evaluator, const struct node_call *call,
                                struct rewriting *rewriting, int32_t count, bool *fits) {
  struct tensor *table = &rewriting->table;
  int32_t at = rewriting->done;
  struct tensor_axis merged;
  *fits = true;
  if (count == 2 && (merge_rows(&table->axes[at], &table->axes[at + 1], &merged) ||
                     merge_stacked(&table->axes[at], &table->axes[at + 1], &merged))) {
    replace_axes(table, at, 2, &merged, 1);
    return CUSEQ_STATUS_OK;
  }
  bool features = is_features(&table->axes[at + count - 1]);
  int64_t size = 1;
  for (int32_t i = 0; i < count - features; i++) {
    *fits = *fits && table->axes[at + i].kind == TENSOR_STACK;
    size *= *fits ? table->axes[at + i].size.factor : 1;
  }
  if (!*fits || table->kind != TENSOR_TABLE)
    return CUSEQ_STATUS_OK;
  merged = (struct tensor_axis){TENSOR_STACK, 0, dim_of(size)};
  replace_axes(table, at, count - features, &merged, 1);
  if (!features)
    return CUSEQ_STATUS_OK;
  /* vectors side by side: those of the stacked axis, which comes right before the features */
  int32_t width = (int32_t)table->axes[at + 1].size.factor, inner = 1, *cells, *parts;
  struct tensor made = *table;
  struct tensor_axis joined = {TENSOR_FEATURE, 0, dim_of(size * width)};
  replace_axes(&made, at, 2, &joined, 1);
  for (int32_t i = at + 2; i < table->axis_count; i++)
    inner *= tensor_axis_cells(&table->axes[i]);
  TRY(table_make(evaluator, call, made.axes, made.axis_count, &made, &cells));
  parts = arena_allocate(evaluator->arena, (size_t)size * sizeof *parts);
  if (parts == NULL)
    return error_out_of_memory();
  for (int32_t i = tensor_cell_count(&made) - 1; i >= 0; i--) {
    for (int32_t k = 0; k < size; k++)
      parts[k] = table->cells[(i / inner * (int32_t)size + k) * inner + i % inner];
    TRY(expression_concat(evaluator, call, parts, (int32_t)size, &cells[i]));
  }
  *table = made;
  return CUSEQ_STATUS_OK;
}

/* Features become stacked vectors that are narrower: [6] to [2, 3]. */
static cuseq_status split_features(struct evaluator *evaluator, const struct node_call *call,
                                   struct tensor *table, int32_t at, const struct dim *shape, int32_t count) {
  struct tensor made = *table;
  struct tensor_axis axes[TENSOR_MAX_AXES];
  int32_t *cells, width = (int32_t)shape[count - 1].factor,
                  parts = (int32_t)(table->axes[at].size.factor / width), inner = 1;
  for (int32_t i = 0; i < count - 1; i++)
    axes[i] = (struct tensor_axis){TENSOR_STACK, 0, shape[i]};
  axes[count - 1] = table_feature_axis(width);
  for (int32_t i = at + 1; i < table->axis_count; i++)
    inner *= tensor_axis_cells(&table->axes[i]);
  replace_axes(&made, at, 1, axes, count);
  TRY(table_make(evaluator, call, made.axes, made.axis_count, &made, &cells));
  for (int32_t i = tensor_cell_count(&made) - 1; i >= 0; i--) {
    int32_t from = table->cells[i / (inner * parts) * inner + i % inner], part = i / inner % parts;
    TRY(expression_slice(evaluator->expressions, from, part * width, width, call->kept, &cells[i]));
  }
  *table = made;
  return CUSEQ_STATUS_OK;
}

/* Rows and their features become rows of narrower vectors, so many for each row: [batch, 6] to
 * [batch x 2, 3]. *fits false: the shape is another one. */
static cuseq_status split_rows(struct evaluator *evaluator, const struct node_call *call,
                               struct rewriting *rewriting, const struct dim *shape, bool *fits) {
  struct tensor *table = &rewriting->table;
  const int32_t at = rewriting->done;
  const struct tensor_axis *rows = &table->axes[at], *features = rows + 1;
  int64_t width = 0;
  *fits = at + 1 < table->axis_count && table->kind == TENSOR_TABLE && rows->kind == TENSOR_BATCH &&
          is_features(features) && dim_constant(&shape[1], &width) && width > 0 &&
          features->size.factor % width == 0;
  if (!*fits)
    return CUSEQ_STATUS_OK;
  const struct dim split[2] = {dim_of(features->size.factor / width), dim_of(width)};
  const struct dim all = dim_multiply(rows->size, split[0]);
  struct tensor_axis merged;
  *fits = dim_equal(&all, &shape[0]);
  if (!*fits)
    return CUSEQ_STATUS_OK;
  TRY(split_features(evaluator, call, table, at + 1, split, 2));
  merge_stacked(&table->axes[at], &table->axes[at + 1], &merged);
  replace_axes(table, at, 2, &merged, 1);
  return CUSEQ_STATUS_OK;
}

/* Rows of what is stacked as two axes again. */
static void part_rows(struct tensor *table) {
  for (int32_t i = 0; i < table->axis_count; i++) {
    const struct tensor_axis axis = table->axes[i];
    if (axis.kind != TENSOR_ROWS_OF_STACK || table->axis_count >= TENSOR_MAX_AXES)
      continue;
    const struct tensor_axis both[2] = {{TENSOR_BATCH, 0, dim_divide(axis.size, dim_of(axis.stacked))},
                                        {TENSOR_STACK, 0, dim_of(axis.stacked)}};
    replace_axes(table, i, 1, both, 2);
  }
}

/* One axis becomes several. */
static cuseq_status split_group(struct evaluator *evaluator, const struct node_call *call,
                                struct rewriting *rewriting, const struct dim *shape, int32_t count,
                                bool *fits) {
  struct tensor *table = &rewriting->table;
  int32_t at = rewriting->done;
  const struct tensor_axis *axis = &table->axes[at];
  struct dim batch = evaluator->fixed_batch >= 0 ? dim_of(evaluator->fixed_batch) : dim_batch();
  struct tensor_axis axes[TENSOR_MAX_AXES];
  bool rows_first = axis->kind == TENSOR_ROWS_OF_POSITIONS;
  int64_t value;
  *fits = true;
  if ((rows_first || axis->kind == TENSOR_POSITIONS_OF_ROWS) && count == 2 &&
      dim_equal(&shape[rows_first ? 0 : 1], &batch)) {
    axes[rows_first ? 0 : 1] = (struct tensor_axis){TENSOR_BATCH, 0, shape[rows_first ? 0 : 1]};
    axes[rows_first ? 1 : 0] = (struct tensor_axis){TENSOR_TIME, 0, shape[rows_first ? 1 : 0]};
    replace_axes(table, at, 1, axes, 2);
    return CUSEQ_STATUS_OK;
  }
  for (int32_t i = 0; i < count; i++)
    *fits = *fits && dim_constant(&shape[i], &value) && value >= 1;
  if (!*fits || table->kind != TENSOR_TABLE)
    return CUSEQ_STATUS_OK;
  if (axis->kind == TENSOR_STACK) {
    for (int32_t i = 0; i < count; i++)
      axes[i] = (struct tensor_axis){TENSOR_STACK, 0, shape[i]};
    replace_axes(table, at, 1, axes, count);
    return CUSEQ_STATUS_OK;
  }
  *fits = is_features(axis);
  return *fits ? split_features(evaluator, call, table, at, shape, count) : CUSEQ_STATUS_OK;
}

/* ---- all axes ------------------------------------------------------------------------------------- */

/* The next axes of both sides whose sizes are the same: one of either, or one of one side and several of the
 * other. */
static cuseq_status rewrite_group(struct evaluator *evaluator, const struct node_call *call,
                                  struct rewriting *rewriting, const struct dim *shape, int32_t left,
                                  int32_t *taken, bool *fits) {
  struct tensor *table = &rewriting->table;
  int32_t at = rewriting->done, olds = 1, news = 1;
  *fits = true;
  *taken = 1;
  if (dim_equal(&table->axes[at].size, &shape[0])) {
    rewriting->done++;
    return CUSEQ_STATUS_OK;
  }
  struct dim product = table->axes[at].size;
  while (!dim_equal(&product, &shape[0]) && at + olds < table->axis_count)
    product = dim_multiply(product, table->axes[at + olds++].size);
  if (dim_equal(&product, &shape[0])) {
    TRY(merge_group(evaluator, call, rewriting, olds, fits));
    rewriting->done++;
    return CUSEQ_STATUS_OK;
  }
  if (left > 1) {
    TRY(split_rows(evaluator, call, rewriting, shape, fits));
    rewriting->done += *fits ? 2 : 0;
    *taken = *fits ? 2 : 1;
    if (*fits)
      return CUSEQ_STATUS_OK;
  }
  for (product = shape[0]; !dim_equal(&product, &table->axes[at].size) && news < left; news++)
    product = dim_multiply(product, shape[news]);
  *fits = dim_equal(&product, &table->axes[at].size);
  if (!*fits)
    return CUSEQ_STATUS_OK;
  TRY(split_group(evaluator, call, rewriting, shape, news, fits));
  rewriting->done += news;
  *taken = news;
  return CUSEQ_STATUS_OK;
}

static cuseq_status reshape_table(struct evaluator *evaluator, const struct node_call *call,
                                  const struct tensor *tensor, const struct dim *shape, int32_t count,
                                  struct tensor *result) {
  struct rewriting rewriting = {.table = *tensor};
  struct tensor *table = &rewriting.table;
  char text[128];
  bool fits;
  TRY(positions_flatten(evaluator, call, tensor, shape, count, result, &fits));
  if (fits)
    return CUSEQ_STATUS_OK;
  fits = true;
  part_rows(table);
  for (int32_t i = table->axis_count - 1; i >= 0; i--) /* axes of one entry come and go as they like */
    if (tensor_is_single(&table->axes[i]))
      tensor_remove_single(table, i);
  for (int32_t next = 0, taken; fits && next < count; next += taken) {
    bool place = rewriting.done < table->axis_count;
    taken = 1;
    if (dim_is(&shape[next], 1) && !(place && dim_is(&table->axes[rewriting.done].size, 1))) {
      fits = tensor_insert_single(table, rewriting.done++);
      continue;
    }
    fits = place;
    if (fits)
      TRY(rewrite_group(evaluator, call, &rewriting, shape + next, count - next, &taken, &fits));
  }
  if (!fits || rewriting.done != table->axis_count)
    return call_refuse(call, "it takes %s apart or mixes its axes, which cuseq cannot express",
                       tensor_describe(tensor, text, sizeof text));
  *result = *table;
  return CUSEQ_STATUS_OK;
}

static cuseq_status reshape(struct evaluator *evaluator, struct node_call *call, struct dim *shape,
                            int32_t count) {
  const struct tensor *tensor = call->inputs[0];
  struct tensor *result = &call->outputs[0];
  if (tensor_has_axes(tensor))
    return reshape_table(evaluator, call, tensor, shape, count, result);
  *result = *tensor;
  result->rank = count;
  memcpy(result->dims, shape, (size_t)count * sizeof *shape);
  return CUSEQ_STATUS_OK;
}

cuseq_status node_reshape(struct evaluator *evaluator, struct node_call *call) {
  struct dim shape[TENSOR_MAX_AXES] = {{0}};
  int32_t count = 0;
  int64_t zero_is_zero;
  TRY(node_arity(call, 2, 2));
  TRY(attributes_check(call, "allowzero"));
  TRY(attribute_integer(call, "allowzero", 0, &zero_is_zero));
  TRY(read_shape(call, call->inputs[1], shape, &count));
  TRY(resolve_shape(call, call->inputs[0], zero_is_zero != 0, shape, count));
  return reshape(evaluator, call, shape, count);
}

cuseq_status node_flatten(struct evaluator *evaluator, struct node_call *call) {
  struct dim shape[2] = {dim_of(1), dim_of(1)};
  int64_t axis;
  TRY(node_arity(call, 1, 1));
  TRY(attributes_check(call, "axis"));
  TRY(attribute_integer(call, "axis", 1, &axis));
  int32_t rank = tensor_rank(call->inputs[0]);
  axis = axis < 0 ? axis + rank : axis;
  if (axis < 0 || axis > rank)
    return call_refuse(call, "its axis is none of what it is given");
  for (int32_t i = 0; i < rank; i++)
    shape[i >= axis] = dim_multiply(shape[i >= axis], tensor_dim(call->inputs[0], i));
  return reshape(evaluator, call, shape, 2);
}
