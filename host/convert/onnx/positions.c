#include "convert/onnx/positions.h"

#include "convert/graph/lift.h"
#include "convert/onnx/table.h"
#include "convert/recognise/written_out.h"
#include "error.h"

#include <stdlib.h>
#include <string.h>

enum { MOST_DEPTH = 32, MOST_PARTS = 16 };

/* ---- one position --------------------------------------------------------------------------------- */

/* Whether an expression does the same at every position, so that it can be taken there of what it is made
 * of. */
static bool is_map(const struct expression *e) {
  return e->op == EXPRESSION_DENSE || e->op == EXPRESSION_AFFINE || e->op == EXPRESSION_SCALE ||
         e->op == EXPRESSION_ADD || e->op == EXPRESSION_SLICE || e->op == EXPRESSION_CONCAT;
}

static cuseq_status position_of(struct evaluator *evaluator, const struct node_call *call, int64_t position,
                                int32_t child, int depth, int32_t *expression) {
  struct expressions *expressions = evaluator->expressions;
  struct expression made = *expression_at(expressions, child);
  int32_t children[MOST_PARTS];
  if ((made.clocks >> evaluator->clock & 1) == 0) {
    *expression = child;
    return CUSEQ_STATUS_OK;
  }
  if (made.op == EXPRESSION_REVERSE && made.clock == evaluator->clock) {
    const int64_t length = expressions->clocks[evaluator->clock].length;
    const int64_t turned = length > 0 && position >= 0 ? length - 1 - position : -1 - position;
    return position_of(evaluator, call, turned, made.children[0], depth + 1, expression);
  }
  if (!is_map(&made) || made.child_count > MOST_PARTS || depth >= MOST_DEPTH)
    return expression_position(expressions, evaluator->clock, position, child, call->kept, expression);
  for (int32_t i = 0; i < made.child_count; i++)
    TRY(position_of(evaluator, call, position, made.children[i], depth + 1, &children[i]));
  made.children = children;
  made.atom = false;
  return expression_make(expressions, &made, expression);
}

static cuseq_status check_positions(const struct evaluator *evaluator, const struct node_call *call,
                                    const struct tensor *tensor, int64_t position) {
  char text[128];
  if (tensor->kind != TENSOR_TABLE || position < INT32_MIN || position > INT32_MAX)
    return call_refuse(call, "it takes one position of %s", tensor_describe(tensor, text, sizeof text));
  if (evaluator->lengths != NULL)
    return call_refuse(call,
                       "it takes one position for all rows, but the rows have lengths of their own, so that "
                       "for shorter ones it is padding");
  return CUSEQ_STATUS_OK;
}

cuseq_status positions_one(struct evaluator *evaluator, const struct node_call *call,
                           const struct tensor *tensor, int32_t axis, int64_t position,
                           struct tensor *result) {
  struct tensor made = *tensor;
  int32_t *cells;
  TRY(check_positions(evaluator, call, tensor, position));
  made.axes[axis] = tensor_single();
  tensor_remove_single(&made, axis);
  TRY(table_make(evaluator, call, made.axes, made.axis_count, &made, &cells));
  for (int32_t i = tensor_cell_count(&made) - 1; i >= 0; i--)
    TRY(position_of(evaluator, call, position, tensor->cells[i], 0, &cells[i]));
  *result = made;
  return CUSEQ_STATUS_OK;
}

/* ---- several -------------------------------------------------------------------------------------- */

/* How many cells lie in the stacked axes behind one. */
static int32_t cells_behind(const struct tensor *tensor, int32_t axis) {
  int32_t count = 1;
  for (int32_t i = axis + 1; i < tensor->axis_count; i++)
    count *= tensor_axis_cells(&tensor->axes[i]);
  return count;
}

cuseq_status positions_take(struct evaluator *evaluator, const struct node_call *call,
                            const struct tensor *tensor, int32_t axis, int64_t first, int64_t count,
                            int64_t step, struct tensor *result) {
  struct tensor made = *tensor;
  int32_t *cells;
  TRY(check_positions(evaluator, call, tensor, first));
  made.axes[axis] = (struct tensor_axis){TENSOR_STACK, 0, dim_of(count)};
  TRY(table_make(evaluator, call, made.axes, made.axis_count, &made, &cells));
  const int32_t inner = cells_behind(&made, axis), all = tensor_cell_count(&made);
  for (int32_t i = 0; i < all; i++) {
    const int64_t at = i / inner % count;
    const int32_t from = (int32_t)(i / (inner * count)) * inner + i % inner;
    TRY(position_of(evaluator, call, first + at * step, tensor->cells[from], 0, &cells[i]));
  }
  *result = made;
  return CUSEQ_STATUS_OK;
}

cuseq_status positions_flatten(struct evaluator *evaluator, const struct node_call *call,
                               const struct tensor *tensor, const struct dim *shape, int32_t count,
                               struct tensor *result, bool *flat) {
  const int64_t length = evaluator->clock >= 0 ? evaluator->expressions->clocks[evaluator->clock].length : -1;
  struct tensor made = *tensor;
  int32_t *cells;
  *flat = tensor->kind == TENSOR_TABLE && !tensor->masked && !tensor->integer && tensor->axis_count == 3 &&
          tensor->axes[0].kind == TENSOR_BATCH && tensor->axes[1].kind == TENSOR_TIME && length > 1 &&
          tensor->axes[2].kind == TENSOR_FEATURE && count == 2 && evaluator->lengths == NULL &&
          dim_equal(&shape[0], &tensor->axes[0].size);
  if (!*flat)
    return CUSEQ_STATUS_OK;
  struct dim all = dim_multiply(dim_of(length), tensor->axes[2].size);
  *flat = dim_equal(&shape[1], &all);
  if (!*flat)
    return CUSEQ_STATUS_OK;
  struct expression whole = {.op = EXPRESSION_FLAT,
                             .clock = evaluator->clock,
                             .index = (int32_t)length,
                             .matrix = -1,
                             .bias = -1,
                             .node = call->kept,
                             .child_count = 1,
                             .children = tensor->cells};
  made.axis_count = 2;
  made.axes[1] = (struct tensor_axis){TENSOR_FEATURE, 0, all};
  TRY(table_make(evaluator, call, made.axes, made.axis_count, &made, &cells));
  TRY(expression_make(evaluator->expressions, &whole, &cells[0]));
  *result = made;
  return CUSEQ_STATUS_OK;
}

/* ---- written out ---------------------------------------------------------------------------------- */

static void turn(int32_t *list, int32_t count) {
  for (int32_t low = 0, high = count - 1; low < high; low++, high--) {
    const int32_t kept = list[low];
    list[low] = list[high];
    list[high] = kept;
  }
}

/* Cells that lie `stride` apart as one over the positions; *lifted -1: they are no such thing. */
static cuseq_status lift(struct evaluator *evaluator, const struct node_call *call, const int32_t *cells,
                         int32_t count, int32_t stride, int32_t *lifted) {
  struct expressions *expressions = evaluator->expressions;
  int32_t *list = malloc((size_t)count * sizeof *list), clock;
  bool found;
  if (list == NULL)
    return error_out_of_memory();
  for (int32_t i = 0; i < count; i++)
    list[i] = cells[(size_t)i * (size_t)stride];
  cuseq_status status = written_out_lift_list(expressions, evaluator->notes, list, (size_t)count, &found);
  if (status == CUSEQ_STATUS_OK)
    status = expression_lift(expressions, list, count, lifted, &clock);
  if (status == CUSEQ_STATUS_OK && *lifted < 0) {
    turn(list, count);
    status = expression_lift(expressions, list, count, lifted, &clock);
    if (status == CUSEQ_STATUS_OK && *lifted >= 0)
      status = expression_over(expressions, EXPRESSION_REVERSE, clock, 0, false, *lifted, call->kept, lifted);
  }
  if (status == CUSEQ_STATUS_OK && *lifted >= 0 && clock != evaluator->clock)
    *lifted = -1;
  free(list);
  return status;
}

cuseq_status positions_join(struct evaluator *evaluator, const struct node_call *call, int32_t axis,
                            struct tensor *tensor) {
  const int64_t length = evaluator->clock >= 0 ? evaluator->expressions->clocks[evaluator->clock].length : -1;
  struct tensor made = *tensor;
  int32_t *cells;
  if (tensor->axes[axis].kind != TENSOR_STACK || length < 2 || !dim_is(&tensor->axes[axis].size, length) ||
      tensor_find_axis(tensor, TENSOR_TIME) >= 0)
    return CUSEQ_STATUS_OK;
  const int32_t inner = cells_behind(tensor, axis), count = (int32_t)length;
  made.axes[axis] = (struct tensor_axis){TENSOR_TIME, 0, dim_of(length)};
  TRY(table_make(evaluator, call, made.axes, made.axis_count, &made, &cells));
  for (int32_t i = tensor_cell_count(&made) - 1; i >= 0; i--) {
    const int32_t from = i / inner * inner * count + i % inner;
    TRY(lift(evaluator, call, tensor->cells + from, count, inner, &cells[i]));
    if (cells[i] < 0)
      return CUSEQ_STATUS_OK;
  }
  *tensor = made;
  return CUSEQ_STATUS_OK;
}
