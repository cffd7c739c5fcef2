/* Comparisons and Where: how exporters write masks, and shapes. */
#include "convert/onnx/nodes.h"
#include "convert/onnx/numbers.h"
#include "convert/onnx/table.h"
#include "error.h"

#include <math.h>
#include <string.h>

/* Small enough for a softmax to leave the position out. */
static const double least_of_a_mask = -1e4;

static int comparison_of(const struct node_call *call) {
  static const char *const names[] = {"Equal", "Less", "LessOrEqual", "Greater", "GreaterOrEqual"};
  for (int i = 0; i < 5; i++)
    if (strcmp(call->kept->class_name, names[i]) == 0)
      return i;
  return 0;
}

static bool compare(int comparison, double a, double b) {
  switch (comparison) {
  case 0:
    return a == b;
  case 1:
    return a < b;
  case 2:
    return a <= b;
  case 3:
    return a > b;
  default:
    return a >= b;
  }
}

/* ---- shapes --------------------------------------------------------------------------------------- */

/* Whether two numbers of shapes compare so. Rows and positions are at least one, and are no number that is
 * known: they are taken to differ from constants that are not positive; otherwise it is not certain. */
static bool compare_dims(int comparison, const struct dim *a, const struct dim *b, bool *holds) {
  int64_t first, second;
  bool left = dim_constant(a, &first), right = dim_constant(b, &second);
  if (left && right) {
    *holds = compare(comparison, (double)first, (double)second);
    return true;
  }
  if (dim_equal(a, b)) {
    *holds = comparison == 0 || comparison == 2 || comparison == 4;
    return true;
  }
  bool positive = a->known && b->known &&
                  ((left && first <= 0 && b->factor > 0) || (right && second <= 0 && a->factor > 0));
  *holds = positive && compare(comparison, left ? (double)first : 1e18, right ? (double)second : 1e18);
  return positive;
}

static bool integer_list(const struct tensor *tensor, int64_t *count) {
  *count = 1;
  bool list = tensor->kind == TENSOR_INTEGERS || (tensor->kind == TENSOR_FILL && tensor->integer);
  for (int32_t i = 0; list && i < tensor->rank; i++) {
    int64_t size;
    list = dim_constant(&tensor->dims[i], &size) && size >= 0 && size <= TENSOR_MAX_INTEGERS;
    *count *= list ? size : 1;
    list = list && *count <= TENSOR_MAX_INTEGERS;
  }
  return list;
}

static struct dim entry(const struct tensor *tensor, int64_t count, int64_t at) {
  return tensor->kind == TENSOR_FILL ? dim_of((int64_t)tensor->fill) : tensor->integers[count == 1 ? 0 : at];
}

/* The shape of two or three lists together: the longest's. */
static cuseq_status begin_list(struct evaluator *evaluator, struct node_call *call,
                               const struct tensor *const *lists, const int64_t *counts, int n,
                               struct dim **data, int64_t *count) {
  const struct tensor *longest = lists[0];
  *count = counts[0];
  for (int i = 1; i < n; i++)
    if (counts[i] > *count || (counts[i] == *count && lists[i]->rank > longest->rank)) {
      longest = lists[i];
      *count = counts[i];
    }
  for (int i = 0; i < n; i++)
    if (counts[i] != *count && counts[i] != 1)
      return call_refuse(call, "it joins integers of shapes that do not fit");
  struct dim dims[TENSOR_MAX_AXES];
  memcpy(dims, longest->dims, sizeof dims);
  return integers_make(evaluator, call, longest->rank, dims, &call->outputs[0], data);
}

static cuseq_status compare_lists(struct evaluator *evaluator, struct node_call *call, int comparison,
                                  const int64_t *counts) {
  struct dim *data;
  int64_t count;
  TRY(begin_list(evaluator, call, call->inputs, counts, 2, &data, &count));
  for (int64_t i = 0; i < count; i++) {
    struct dim a = entry(call->inputs[0], counts[0], i), b = entry(call->inputs[1], counts[1], i);
    bool holds;
    data[i] = compare_dims(comparison, &a, &b, &holds) ? dim_of(holds) : (struct dim){0};
  }
  return CUSEQ_STATUS_OK;
}

/* ---- masks ---------------------------------------------------------------------------------------- */

/* Remembers what tells the rows' lengths; several things may, as long as there is one. */
static cuseq_status lengths_from(struct evaluator *evaluator, const struct node_call *call,
                                 const struct tensor *table) {
  const struct graph_node *source = expression_at(evaluator->expressions, table->cells[0])->node;
  if (evaluator->lengths != NULL && evaluator->lengths != source)
    return call_refuse(call, "it makes a mask of '%.100s', but the rows' lengths come from '%.100s'",
                       source->name, evaluator->lengths->name);
  evaluator->lengths = source;
  return notes_add(evaluator->notes,
                   "'%.100s' masks padding of '%.100s': give lengths instead (padding must be at the end)",
                   call->kept->name, source->name);
}

/* ids == pad is the padding, whatever their axes. */
static cuseq_status mask_of_ids(struct evaluator *evaluator, struct node_call *call, int comparison,
                                const struct tensor *ids, const struct tensor *constant, bool swapped) {
  struct tensor *result = &call->outputs[0];
  double value;
  TRY(tensor_scalar(evaluator, call, constant, &value));
  const struct expression *e = expression_at(evaluator->expressions, ids->cells[0]);
  if (e->op == EXPRESSION_INPUT && value <= 0 && comparison == 1 && !swapped) { /* ids < 0: there are none */
    *result = (struct tensor){.kind = TENSOR_FILL, .integer = true, .rank = ids->axis_count};
    for (int32_t i = 0; i < ids->axis_count; i++)
      result->dims[i] = ids->axes[i].size;
    return CUSEQ_STATUS_OK;
  }
  bool beyond_greater = comparison == 1 && swapped && value == 0;               /* 0 < ids */
  bool greater = (comparison == 3 && !swapped && value == 0) || beyond_greater; /* ids > 0 */
  if (e->op != EXPRESSION_INPUT || tensor_find_axis(ids, TENSOR_TIME) < 0 || (comparison != 0 && !greater))
    return call_refuse(call, "it compares what depends on the model's input");
  TRY(lengths_from(evaluator, call, ids));
  *result = *ids;
  result->kind = TENSOR_MASK;
  result->cells = NULL;
  result->inside = greater;
  result->beyond = !greater;
  return CUSEQ_STATUS_OK;
}

/* Positions and lengths: position < length, or the other way round. */
static cuseq_status mask_of_lengths(struct evaluator *evaluator, struct node_call *call, int comparison) {
  const struct tensor *a = call->inputs[0], *b = call->inputs[1];
  bool first = a->kind == TENSOR_POSITIONS;
  static const int inside[2] = {1, 3}, beyond[2] = {4, 2}; /* position < length; position >= length */
  int32_t *cells, *from_first, *from_second;
  struct tensor *result = &call->outputs[0];
  bool within = comparison == inside[!first], without = comparison == beyond[!first];
  if (tensor_find_axis(first ? a : b, TENSOR_TIME) < 0 || (!within && !without))
    return call_refuse(call, "it compares positions and lengths in a way that is no mask");
  TRY(table_broadcast(evaluator, call, a, b, result, &cells, &from_first, &from_second));
  result->kind = TENSOR_MASK;
  result->cells = NULL;
  result->inside = within;
  result->beyond = !within;
  return CUSEQ_STATUS_OK;
}

/* A mask compared with a number is a mask again. */
static cuseq_status compare_mask(struct evaluator *evaluator, struct node_call *call, int comparison,
                                 bool first) {
  struct tensor *result = &call->outputs[0];
  double value;
  TRY(tensor_scalar(evaluator, call, call->inputs[first ? 1 : 0], &value));
  *result = *call->inputs[first ? 0 : 1];
  result->inside = compare(comparison, first ? result->inside : value, first ? value : result->inside);
  result->beyond = compare(comparison, first ? result->beyond : value, first ? value : result->beyond);
  if (result->inside == result->beyond)
    return call_refuse(call, "it compares a mask so that nothing of it is left");
  return CUSEQ_STATUS_OK;
}

cuseq_status node_compare(struct evaluator *evaluator, struct node_call *call) {
  TRY(node_arity(call, 2, 2));
  TRY(attributes_check(call, ""));
  const struct tensor *a = call->inputs[0], *b = call->inputs[1];
  int comparison = comparison_of(call);
  int64_t counts[2];
  bool positions = a->kind == TENSOR_POSITIONS || b->kind == TENSOR_POSITIONS;
  bool lengths = a->kind == TENSOR_LENGTHS || b->kind == TENSOR_LENGTHS;
  if (integer_list(a, &counts[0]) && integer_list(b, &counts[1]))
    return compare_lists(evaluator, call, comparison, counts);
  if (positions && lengths)
    return mask_of_lengths(evaluator, call, comparison);
  if ((a->kind == TENSOR_MASK) != (b->kind == TENSOR_MASK) &&
      !tensor_has_axes(a->kind == TENSOR_MASK ? b : a))
    return compare_mask(evaluator, call, comparison, a->kind == TENSOR_MASK);
  bool first = a->kind == TENSOR_TABLE, second = b->kind == TENSOR_TABLE;
  if (first != second && !tensor_has_axes(first ? b : a) && (first ? a : b)->integer)
    return mask_of_ids(evaluator, call, comparison, first ? a : b, first ? b : a, second);
  return call_refuse(call, "it compares what cuseq cannot express");
}

cuseq_status node_not(struct evaluator *evaluator, struct node_call *call) {
  TRY(node_arity(call, 1, 1));
  TRY(attributes_check(call, ""));
  const struct tensor *tensor = call->inputs[0];
  struct tensor *result = &call->outputs[0];
  int64_t count, value;
  struct dim *data, dims[TENSOR_MAX_AXES];
  *result = *tensor;
  result->inside = tensor->inside == 0;
  result->beyond = tensor->beyond == 0;
  if (tensor->kind == TENSOR_MASK)
    return CUSEQ_STATUS_OK;
  if (!integer_list(tensor, &count))
    return call_refuse(call, "it negates what is no mask");
  memcpy(dims, tensor->dims, sizeof dims);
  TRY(integers_make(evaluator, call, tensor->rank, dims, result, &data));
  for (int64_t i = 0; i < count; i++) {
    struct dim old = entry(tensor, count, i);
    data[i] = dim_constant(&old, &value) ? dim_of(value == 0) : (struct dim){0};
  }
  return CUSEQ_STATUS_OK;
}

/* ---- Where ---------------------------------------------------------------------------------------- */

static cuseq_status choose_lists(struct evaluator *evaluator, struct node_call *call, const int64_t *counts) {
  struct dim *data;
  int64_t count;
  TRY(begin_list(evaluator, call, call->inputs, counts, 3, &data, &count));
  for (int64_t i = 0; i < count; i++) {
    struct dim condition = entry(call->inputs[0], counts[0], i);
    struct dim yes = entry(call->inputs[1], counts[1], i), no = entry(call->inputs[2], counts[2], i);
    int64_t holds;
    if (dim_equal(&yes, &no))
      data[i] = yes;
    else
      data[i] = !dim_constant(&condition, &holds) ? (struct dim){0} : holds != 0 ? yes : no;
  }
  return CUSEQ_STATUS_OK;
}

/* Energies within the rows, so little beyond them that a softmax leaves it out. */
static cuseq_status mask_energies(struct evaluator *evaluator, struct node_call *call,
                                  const struct tensor *mask) {
  bool within = mask->inside != 0;
  const struct tensor *table = call->inputs[within ? 1 : 2], *filled = call->inputs[within ? 2 : 1];
  int32_t *cells, *from_table, *from_mask;
  struct tensor *result = &call->outputs[0];
  double fill;
  if ((mask->inside != 0) == (mask->beyond != 0) || table->kind != TENSOR_TABLE)
    return call_refuse(call, "it chooses by a mask between what cuseq cannot express");
  TRY(tensor_scalar(evaluator, call, filled, &fill));
  if (!(fill <= least_of_a_mask))
    return call_refuse(
        call, "it gives positions beyond a row's length %g (a softmax leaves out what has at most %g)", fill,
        least_of_a_mask);
  TRY(table_broadcast(evaluator, call, table, mask, result, &cells, &from_table, &from_mask));
  for (int32_t i = tensor_cell_count(result) - 1; i >= 0; i--)
    cells[i] = table->cells[from_table[i]];
  result->masked = true;
  return CUSEQ_STATUS_OK;
}

/* A mask between two numbers is a mask with other numbers. */
static cuseq_status number_mask(struct evaluator *evaluator, struct node_call *call,
                                const struct tensor *mask) {
  double yes, no;
  TRY(tensor_scalar(evaluator, call, call->inputs[1], &yes));
  TRY(tensor_scalar(evaluator, call, call->inputs[2], &no));
  call->outputs[0] = *mask;
  call->outputs[0].inside = mask->inside != 0 ? yes : no;
  call->outputs[0].beyond = mask->beyond != 0 ? yes : no;
  return CUSEQ_STATUS_OK;
}

cuseq_status node_where(struct evaluator *evaluator, struct node_call *call) {
  TRY(node_arity(call, 3, 3));
  TRY(attributes_check(call, ""));
  int64_t counts[3], holds;
  bool lists = true;
  for (int i = 0; i < 3; i++)
    lists = integer_list(call->inputs[i], &counts[i]) && lists;
  if (lists)
    return choose_lists(evaluator, call, counts);
  const struct tensor *condition = call->inputs[0];
  if (condition->kind == TENSOR_MASK && call->inputs[1]->kind != TENSOR_TABLE &&
      call->inputs[2]->kind != TENSOR_TABLE)
    return number_mask(evaluator, call, condition);
  if (condition->kind == TENSOR_MASK)
    return mask_energies(evaluator, call, condition);
  if (condition->kind == TENSOR_FILL && call->inputs[condition->fill != 0 ? 1 : 2]->kind == TENSOR_TABLE) {
    call->outputs[0] = *call->inputs[condition->fill != 0 ? 1 : 2];
    return CUSEQ_STATUS_OK;
  }
  if (condition->kind == TENSOR_INTEGERS && integer_list(condition, &counts[0]) && counts[0] == 1 &&
      dim_constant(&condition->integers[0], &holds)) {
    call->outputs[0] = *call->inputs[holds != 0 ? 1 : 2];
    return CUSEQ_STATUS_OK;
  }
  return call_refuse(call, "it chooses by what cuseq cannot express");
}
