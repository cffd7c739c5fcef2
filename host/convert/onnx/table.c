#include "convert/onnx/table.h"

#include "convert/onnx/arithmetic.h"
#include "convert/onnx/numbers.h"
#include "error.h"

#include <string.h>

int32_t table_width(const struct evaluator *evaluator, const struct tensor *table) {
  return expression_at(evaluator->expressions, table->cells[0])->width;
}

struct tensor_axis table_feature_axis(int32_t width) {
  return width == 1 ? tensor_single() : (struct tensor_axis){TENSOR_FEATURE, 0, dim_of(width)};
}

cuseq_status table_unmasked(const struct node_call *call, const struct tensor *tensor) {
  return tensor->masked ? call_refuse(call, "it reads energies that were masked (only a softmax may)")
                        : CUSEQ_STATUS_OK;
}

cuseq_status table_make(struct evaluator *evaluator, const struct node_call *call,
                        const struct tensor_axis *axes, int32_t axis_count, struct tensor *table,
                        int32_t **cells) {
  int64_t count = 1;
  if (axis_count > TENSOR_MAX_AXES)
    return call_refuse(call, "its result has too many axes");
  memmove(table->axes, axes, (size_t)axis_count * sizeof *axes);
  table->kind = TENSOR_TABLE;
  table->axis_count = axis_count;
  for (int32_t i = 0; i < axis_count; i++)
    if ((axes[i].kind == TENSOR_STACK &&
         (axes[i].size.factor < 1 || axes[i].size.factor > TENSOR_MAX_CELLS)) ||
        (count *= tensor_axis_cells(&axes[i])) > TENSOR_MAX_CELLS)
      return call_refuse(call, "its result has too many parts, or none");
  TRY(evaluator_work(evaluator, call, (size_t)count));
  *cells = arena_allocate(evaluator->arena, (size_t)count * sizeof **cells);
  if (*cells == NULL)
    return error_out_of_memory();
  memset(*cells, 0xff, (size_t)count * sizeof **cells);
  table->cells = *cells;
  return CUSEQ_STATUS_OK;
}

/* How far apart cells lie that are neighbours on an axis; 0 of axes that are not stacked, or have one
 * entry. */
static void strides_of(const struct tensor *tensor, int32_t *strides) {
  int32_t stride = 1;
  for (int32_t i = tensor->axis_count - 1; i >= 0; i--) {
    const int32_t cells = tensor_axis_cells(&tensor->axes[i]);
    strides[i] = cells > 1 ? stride : 0;
    stride *= cells;
  }
}

/* The cell that the axes' strides lead to from cell `index` of a table. */
static int32_t walk(const struct tensor *table, int32_t index, const int32_t *strides) {
  int32_t result = 0;
  for (int32_t i = table->axis_count - 1; i >= 0; i--) {
    const int32_t size = tensor_axis_cells(&table->axes[i]);
    result += index % size * strides[i];
    index /= size;
  }
  return result;
}

/* ---- lining up ------------------------------------------------------------------------------------ */

static bool join(const struct tensor_axis *a, const struct tensor_axis *b, struct tensor_axis *joined) {
  *joined = tensor_is_single(a) ? *b : *a;
  if (tensor_is_single(a) || tensor_is_single(b))
    return true;
  return a->kind == b->kind && dim_equal(&a->size, &b->size) && a->stacked == b->stacked;
}

static cuseq_status refuse_join(const struct node_call *call, const struct tensor *a,
                                const struct tensor *b) {
  char left[128], right[128];
  return call_refuse(call, "it joins %s and %s, which cuseq cannot express",
                     tensor_describe(a, left, sizeof left), tensor_describe(b, right, sizeof right));
}

cuseq_status table_broadcast(struct evaluator *evaluator, const struct node_call *call,
                             const struct tensor *first, const struct tensor *second, struct tensor *result,
                             int32_t **cells, int32_t **from_first, int32_t **from_second) {
  struct tensor a = *first, b = *second;
  bool fits = true;
  int32_t features = 0, times = 0, strides_a[TENSOR_MAX_AXES] = {0}, strides_b[TENSOR_MAX_AXES] = {0};
  while (a.axis_count < b.axis_count && fits)
    fits = tensor_insert_single(&a, 0);
  while (b.axis_count < a.axis_count && fits)
    fits = tensor_insert_single(&b, 0);
  struct tensor_axis axes[TENSOR_MAX_AXES] = {{0}};
  for (int32_t i = 0; fits && i < a.axis_count; i++) {
    fits = join(&a.axes[i], &b.axes[i], &axes[i]);
    features += axes[i].kind == TENSOR_FEATURE;
    times += axes[i].kind == TENSOR_TIME;
  }
  if (!fits || features > 1 || times > 1)
    return refuse_join(call, first, second);
  bool rows_a = tensor_find_axis(&a, TENSOR_BATCH) >= 0, rows_b = tensor_find_axis(&b, TENSOR_BATCH) >= 0;
  if (rows_a && rows_b && a.ordered != b.ordered)
    return call_refuse(call, "it joins rows that are ordered by their lengths with rows that are not");
  *result = (struct tensor){.ordered = a.ordered || b.ordered};
  TRY(table_make(evaluator, call, axes, a.axis_count, result, cells));
  int32_t count = tensor_cell_count(result);
  *from_first = arena_allocate(evaluator->arena, 2 * (size_t)count * sizeof **from_first);
  if (*from_first == NULL)
    return error_out_of_memory();
  *from_second = *from_first + count;
  strides_of(&a, strides_a);
  strides_of(&b, strides_b);
  for (int32_t i = 0; i < count; i++) {
    (*from_first)[i] = walk(result, i, strides_a);
    (*from_second)[i] = walk(result, i, strides_b);
  }
  return CUSEQ_STATUS_OK;
}

/* ---- constants ------------------------------------------------------------------------------------ */

/* The axes that a constant's dimensions are beside another tensor's. */
static cuseq_status axes_like(const struct node_call *call, const struct numbers *numbers,
                              const struct tensor *like, struct tensor_axis *axes) {
  bool vectors = tensor_find_axis(like, TENSOR_FEATURE) < 0;
  for (int32_t i = 0; i < numbers->rank; i++) {
    int32_t at = like->axis_count - numbers->rank + i;
    const struct tensor_axis *beside = at >= 0 ? &like->axes[at] : NULL;
    axes[i] = tensor_single();
    if (numbers->dims[i] == 1)
      continue;
    bool feature = beside != NULL && (beside->kind == TENSOR_FEATURE ||
                                      (vectors && tensor_is_single(beside) && i + 1 == numbers->rank));
    bool stacked = beside == NULL || beside->kind == TENSOR_STACK;
    if (!feature && !stacked)
      return call_refuse(call, "it joins a constant with each row or each position on its own, which cuseq "
                               "cannot express");
    axes[i] = (struct tensor_axis){feature ? TENSOR_FEATURE : TENSOR_STACK, 0, dim_of(numbers->dims[i])};
  }
  return CUSEQ_STATUS_OK;
}

static cuseq_status fill_constant(struct evaluator *evaluator, const struct node_call *call,
                                  const struct numbers *numbers, struct tensor *table, int32_t *cells) {
  int32_t count = tensor_cell_count(table), feature = tensor_find_axis(table, TENSOR_FEATURE);
  int64_t step = 1;
  int32_t strides[TENSOR_MAX_AXES] = {0}, stride = 1;
  for (int32_t i = table->axis_count - 1; i >= 0; i--) {
    strides[i] = table->axes[i].kind == TENSOR_STACK ? stride : 0;
    step = i == feature ? stride : step;
    stride *= (int32_t)numbers->dims[i];
  }
  for (int32_t i = 0; i < count; i++) {
    struct layout layout = {.rows = 1,
                            .columns = feature >= 0 ? numbers->dims[feature] : 1,
                            .offset = walk(table, i, strides),
                            .column = step,
                            .factor = 1};
    TRY(constant_expression(evaluator, call, numbers, &layout, &cells[i]));
  }
  return CUSEQ_STATUS_OK;
}

cuseq_status table_of_constant(struct evaluator *evaluator, const struct node_call *call,
                               const struct tensor *constant, const struct tensor *like,
                               struct tensor *table) {
  struct numbers numbers;
  struct tensor_axis axes[TENSOR_MAX_AXES] = {{0}};
  struct tensor scalar = {.kind = TENSOR_FILL, .fill = constant->fill};
  bool shaped =
      constant->kind == TENSOR_FILL; /* its shape may have rows and positions in it, which like has too */
  int32_t *cells;
  TRY(numbers_open(evaluator, call, shaped ? &scalar : constant, "what it joins", &numbers));
  double value;
  if (numbers_uniform(&numbers, &value) && numbers.count > 1 && numbers.rank <= like->axis_count) {
    bool extends = false;
    for (int32_t i = 0; i < numbers.rank; i++) {
      const struct tensor_axis *beside = &like->axes[like->axis_count - numbers.rank + i];
      extends = extends || (numbers.dims[i] > 1 && tensor_is_single(beside));
    }
    for (int32_t i = 0; !extends && i < numbers.rank; i++)
      numbers.dims[i] = 1;
  }
  *table = (struct tensor){.kind = TENSOR_TABLE};
  cuseq_status status = axes_like(call, &numbers, like, axes);
  if (status == CUSEQ_STATUS_OK)
    status = table_make(evaluator, call, axes, numbers.rank, table, &cells);
  if (status == CUSEQ_STATUS_OK)
    status = fill_constant(evaluator, call, &numbers, table, cells);
  numbers_close(&numbers);
  return status;
}

cuseq_status table_of_fill(struct evaluator *evaluator, const struct node_call *call,
                           const struct tensor *fill, struct tensor *table) {
  struct dim batch = evaluator->fixed_batch >= 0 ? dim_of(evaluator->fixed_batch) : dim_batch(),
             time = dim_time();
  struct tensor_axis axes[TENSOR_MAX_AXES] = {{0}};
  int32_t *cells, made;
  int64_t size;
  bool rows = false;
  for (int32_t i = 0; i < fill->rank; i++) {
    bool last = i + 1 == fill->rank;
    axes[i] = tensor_single();
    if (!rows && !last && dim_equal(&fill->dims[i], &batch))
      axes[i] = (struct tensor_axis){TENSOR_BATCH, 0, batch};
    else if (dim_equal(&fill->dims[i], &time))
      axes[i] = (struct tensor_axis){TENSOR_TIME, 0, time};
    else if (!dim_constant(&fill->dims[i], &size) || size < 1 || size > TENSOR_MAX_CELLS)
      return call_refuse(call, "it reads a constant whose shape is not known");
    else if (size > 1)
      axes[i] = (struct tensor_axis){last ? TENSOR_FEATURE : TENSOR_STACK, 0, fill->dims[i]};
    rows = rows || axes[i].kind == TENSOR_BATCH;
  }
  *table = (struct tensor){.kind = TENSOR_TABLE};
  TRY(table_make(evaluator, call, axes, fill->rank, table, &cells));
  int32_t feature = tensor_find_axis(table, TENSOR_FEATURE);
  struct numbers one = {.data = (float[]){(float)fill->fill}, .count = 1};
  struct layout layout = {.rows = 1, .columns = 1, .factor = 1};
  int32_t width = feature >= 0 ? (int32_t)table->axes[feature].size.factor : 1;
  if (fill->fill == 0)
    TRY(expression_zeros(evaluator->expressions, width, call->kept, &made));
  else if (width == 1)
    TRY(constant_expression(evaluator, call, &one, &layout, &made));
  else
    return call_refuse(call, "it reads a constant vector that is not zeros");
  for (int32_t i = tensor_cell_count(table) - 1; i >= 0; i--)
    cells[i] = made;
  return CUSEQ_STATUS_OK;
}

/* ---- parts ---------------------------------------------------------------------------------------- */

cuseq_status table_select(struct evaluator *evaluator, const struct node_call *call,
                          const struct tensor *tensor, int32_t axis, const int64_t *list, int32_t count,
                          struct tensor *result) {
  struct tensor made = *tensor;
  int32_t *cells, size = (int32_t)tensor->axes[axis].size.factor, inner = 1;
  made.axes[axis].size = dim_of(count);
  TRY(table_make(evaluator, call, made.axes, made.axis_count, &made, &cells));
  for (int32_t i = 0; i < count; i++)
    if (list[i] < 0 || list[i] >= size)
      return call_refuse(call, "it takes entry %lld of %d", (long long)list[i], size);
  for (int32_t i = axis + 1; i < tensor->axis_count; i++)
    inner *= tensor_axis_cells(&tensor->axes[i]);
  int32_t total = tensor_cell_count(&made);
  for (int32_t i = 0; i < total; i++) {
    int32_t outer = i / (inner * count), at = i / inner % count, rest = i % inner;
    cells[i] = tensor->cells[(outer * size + (int32_t)list[at]) * inner + rest];
  }
  *result = made;
  return CUSEQ_STATUS_OK;
}

cuseq_status table_permute(struct evaluator *evaluator, const struct node_call *call,
                           const struct tensor *tensor, const int32_t *permutation, struct tensor *result) {
  struct tensor made = *tensor;
  int32_t *cells, strides[TENSOR_MAX_AXES] = {0}, moved[TENSOR_MAX_AXES] = {0};
  for (int32_t i = 0; i < tensor->axis_count; i++)
    made.axes[i] = tensor->axes[permutation[i]];
  if (tensor->kind == TENSOR_TABLE) {
    TRY(table_make(evaluator, call, made.axes, made.axis_count, &made, &cells));
    strides_of(tensor, strides);
    for (int32_t i = 0; i < tensor->axis_count; i++)
      moved[i] = strides[permutation[i]];
    for (int32_t i = tensor_cell_count(&made) - 1; i >= 0; i--)
      cells[i] = tensor->cells[walk(&made, i, moved)];
  }
  *result = made;
  return CUSEQ_STATUS_OK;
}

cuseq_status table_stack_to_features(struct evaluator *evaluator, const struct node_call *call,
                                     const struct tensor *tensor, int32_t axis, struct tensor *result) {
  struct tensor made = *tensor;
  int32_t *cells, size = (int32_t)tensor->axes[axis].size.factor, inner = 1;
  made.axes[axis] = (struct tensor_axis){TENSOR_FEATURE, 0, dim_of(size)};
  for (int32_t i = axis + 1; i < tensor->axis_count; i++)
    inner *= tensor_axis_cells(&tensor->axes[i]);
  TRY(table_make(evaluator, call, made.axes, made.axis_count, &made, &cells));
  int32_t *parts = arena_allocate(evaluator->arena, (size_t)size * sizeof *parts);
  if (parts == NULL)
    return error_out_of_memory();
  for (int32_t i = tensor_cell_count(&made) - 1; i >= 0; i--) {
    for (int32_t k = 0; k < size; k++)
      parts[k] = tensor->cells[(i / inner * size + k) * inner + i % inner];
    TRY(expression_concat(evaluator, call, parts, size, &cells[i]));
  }
  *result = made;
  return CUSEQ_STATUS_OK;
}
