/* MatMul and Gemm: dense maps where one side is constant, inner products and contexts where none is. */
#include "convert/graph/self_attention.h"
#include "convert/onnx/arithmetic.h"
#include "convert/onnx/cells.h"
#include "convert/onnx/nodes.h"
#include "convert/onnx/table.h"
#include "error.h"

static cuseq_status refuse_product(const struct node_call *call, const struct tensor *a,
                                   const struct tensor *b) {
  char left[128], right[128];
  return call_refuse(call, "cuseq cannot express its product of %s and %s",
                     tensor_describe(a, left, sizeof left), tensor_describe(b, right, sizeof right));
}

/* ---- dense maps ----------------------------------------------------------------------------------- */

/* Makes the last axis of a tensor, of `width` numbers, its features. */
static cuseq_status last_as_features(struct evaluator *evaluator, const struct node_call *call,
                                     const struct tensor *tensor, int64_t width, struct tensor *result) {
  int32_t last = tensor->axis_count - 1;
  struct dim size = dim_of(width);
  *result = *tensor;
  if (tensor->kind != TENSOR_TABLE || last < 0 || !dim_equal(&tensor->axes[last].size, &size))
    return refuse_product(call, tensor, tensor);
  if (tensor->axes[last].kind == TENSOR_FEATURE ||
      (width == 1 && tensor_find_axis(tensor, TENSOR_FEATURE) < 0))
    return CUSEQ_STATUS_OK;
  if (tensor->axes[last].kind == TENSOR_STACK && tensor_find_axis(tensor, TENSOR_FEATURE) < 0)
    return table_stack_to_features(evaluator, call, tensor, last, result);
  return refuse_product(call, tensor, tensor);
}

/* Every vector times a matrix. bias -1: none */
static cuseq_status dense(struct evaluator *evaluator, const struct node_call *call,
                          const struct tensor *tensor, int32_t matrix, int32_t bias, struct tensor *result) {
  struct tensor made = *tensor;
  int32_t *cells;
  made.axes[made.axis_count - 1] = table_feature_axis(evaluator->expressions->matrices[matrix].columns);
  TRY(table_make(evaluator, call, made.axes, made.axis_count, &made, &cells));
  for (int32_t i = tensor_cell_count(&made) - 1; i >= 0; i--)
    TRY(expression_dense(evaluator->expressions, cells_state(evaluator, tensor->cells[i]), matrix, bias,
                         call->kept, &cells[i]));
  *result = made;
  return CUSEQ_STATUS_OK;
}

static cuseq_status matmul_constant(struct evaluator *evaluator, struct node_call *call) {
  struct numbers numbers;
  struct tensor features;
  int32_t matrix = -1;
  TRY(numbers_open(evaluator, call, call->inputs[1], "what it multiplies with", &numbers));
  int32_t inner = numbers.rank == 1 ? 0 : numbers.rank - 2;
  bool plain = numbers.rank >= 1;
  for (int32_t i = 0; i < numbers.rank - 2; i++)
    plain = plain && numbers.dims[i] == 1;
  struct layout layout = {.rows = numbers.dims[inner],
                          .columns = numbers.rank == 1 ? 1 : numbers.dims[numbers.rank - 1],
                          .row = numbers.rank == 1 ? 1 : numbers.dims[numbers.rank - 1],
                          .column = 1,
                          .factor = 1};
  bool vector = numbers.rank == 1;
  int32_t rank = numbers.rank;
  cuseq_status status = plain ? last_as_features(evaluator, call, call->inputs[0], layout.rows, &features)
                              : refuse_product(call, call->inputs[0], call->inputs[1]);
  if (status == CUSEQ_STATUS_OK)
    status = numbers_matrix(evaluator, call, &numbers, &layout, &matrix);
  numbers_close(&numbers);
  TRY(status);
  while (features.axis_count < rank)
    if (!tensor_insert_single(&features, 0))
      break;
  TRY(dense(evaluator, call, &features, matrix, -1, &call->outputs[0]));
  if (vector && !tensor_remove_single(&call->outputs[0], call->outputs[0].axis_count - 1))
    return refuse_product(call, call->inputs[0], call->inputs[1]);
  return CUSEQ_STATUS_OK;
}

/* ---- two tables ----------------------------------------------------------------------------------- */

/* What the product of two numbers, vectors or sequences is, the axis between them gone. */
static cuseq_status contract(struct evaluator *evaluator, const struct node_call *call,
                             enum tensor_axis_kind kind, int32_t a, int32_t b, int32_t *expression) {
  int32_t clock = evaluator->clock;
  if (kind == TENSOR_FEATURE)
    return expression_inner(evaluator, call, a, b, expression);
  if (kind == TENSOR_STACK)
    return expression_product(evaluator, call, a, b, expression);
  if (kind == TENSOR_TWIN)
    TRY(clock_twin(evaluator->expressions, clock, &clock));
  return context_expression(evaluator, call, clock, a, b, expression);
}

/* ---- positions in pairs --------------------------------------------------------------------------- */

/* An axis of positions is counted by the clock's twin, or by the clock again. */
static cuseq_status count_by(struct evaluator *evaluator, const struct node_call *call,
                             enum tensor_axis_kind kind, int32_t axis, struct tensor *tensor) {
  const struct tensor from = *tensor;
  int32_t *cells, twin;
  TRY(clock_twin(evaluator->expressions, evaluator->clock, &twin));
  tensor->axes[axis].kind = kind;
  TRY(table_make(evaluator, call, tensor->axes, tensor->axis_count, tensor, &cells));
  for (int32_t i = tensor_cell_count(tensor) - 1; i >= 0; i--)
    TRY(kind == TENSOR_TWIN
            ? expression_twin(evaluator->expressions, from.cells[i], twin, call->kept, &cells[i])
            : expression_untwin(evaluator->expressions, from.cells[i], twin, &cells[i]));
  return CUSEQ_STATUS_OK;
}

/* Where each position of a sequence meets each of the same one, the second of the two counts by the twin: of
 * [..., time, k] and [..., k, time]; and so does what is weighted by such, [..., time, twin] and
 * [..., time, m]. */
static cuseq_status pair_positions(struct evaluator *evaluator, const struct node_call *call, int32_t k,
                                   struct tensor *a, int32_t l, struct tensor *b) {
  const bool first = a->axes[k].kind == TENSOR_TWIN, second = b->axes[l].kind == TENSOR_TWIN;
  if (a->axes[k - 1].kind == TENSOR_TIME && b->axes[l + 1].kind == TENSOR_TIME &&
      tensor_find_axis(a, TENSOR_TWIN) < 0 && tensor_find_axis(b, TENSOR_TWIN) < 0)
    return count_by(evaluator, call, TENSOR_TWIN, l + 1, b);
  if (first && b->axes[l].kind == TENSOR_TIME && tensor_find_axis(b, TENSOR_TWIN) < 0)
    return count_by(evaluator, call, TENSOR_TWIN, l, b);
  if (second && a->axes[k].kind == TENSOR_TIME && tensor_find_axis(a, TENSOR_TWIN) < 0)
    return count_by(evaluator, call, TENSOR_TWIN, k, a);
  return CUSEQ_STATUS_OK;
}

/* Lines the axes up but for the last two: [..., n, k] and [..., k, m]. The axis between them must be the last
 * of both while that is done; then it goes, and n or m stays. */
static cuseq_status matmul_tables(struct evaluator *evaluator, struct node_call *call) {
  struct tensor a = *call->inputs[0], b = *call->inputs[1], *result = &call->outputs[0];
  bool first_vector = a.axis_count == 1, second_vector = b.axis_count == 1;
  if (first_vector)
    tensor_insert_single(&a, 0);
  if (second_vector)
    tensor_insert_single(&b, 1);
  int32_t k = a.axis_count - 1, l = b.axis_count - 2;
  if (k < 1 || l < 0)
    return refuse_product(call, call->inputs[0], call->inputs[1]);
  if (a.axes[k].kind == TENSOR_FEATURE && b.axes[l].kind == TENSOR_STACK && !tensor_is_single(&b.axes[l]) &&
      tensor_find_axis(&b, TENSOR_FEATURE) < 0) {
    struct tensor whole = b;
    TRY(table_stack_to_features(evaluator, call, &whole, l, &b));
  } else if (b.axes[l].kind == TENSOR_FEATURE && a.axes[k].kind == TENSOR_STACK &&
             !tensor_is_single(&a.axes[k]) && tensor_find_axis(&a, TENSOR_FEATURE) < 0) {
    struct tensor whole = a;
    TRY(table_stack_to_features(evaluator, call, &whole, k, &a));
  }
  TRY(pair_positions(evaluator, call, k, &a, l, &b));
  struct tensor_axis between = a.axes[k], other = b.axes[l];
  bool same = between.kind == other.kind && dim_equal(&between.size, &other.size);
  if (!same || (between.kind == TENSOR_STACK && !tensor_is_single(&between)) || between.kind == TENSOR_BATCH)
    return refuse_product(call, call->inputs[0], call->inputs[1]);
  /* as [..., n, 1] and [..., 1, m] */
  a.axes[k] = tensor_single();
  b.axes[l] = tensor_single();
  int32_t *cells, *from_first, *from_second;
  struct tensor lined;
  TRY(table_broadcast(evaluator, call, &a, &b, &lined, &cells, &from_first, &from_second));
  for (int32_t i = tensor_cell_count(&lined) - 1; i >= 0; i--)
    TRY(contract(evaluator, call, between.kind, a.cells[from_first[i]], b.cells[from_second[i]], &cells[i]));
  if ((second_vector && !tensor_remove_single(&lined, lined.axis_count - 1)) ||
      (first_vector && !tensor_remove_single(&lined, lined.axis_count - 1 - !second_vector)))
    return refuse_product(call, call->inputs[0], call->inputs[1]);
  const struct expression *made = expression_at(evaluator->expressions, cells[0]);
  bool features = tensor_find_axis(&lined, TENSOR_FEATURE) >= 0;
  if (features != (made->width > 1))
    return refuse_product(call, call->inputs[0], call->inputs[1]);
  *result = lined;
  const int32_t twin = tensor_find_axis(result, TENSOR_TWIN);
  return twin >= 0 && tensor_find_axis(result, TENSOR_TIME) < 0
             ? count_by(evaluator, call, TENSOR_TIME, twin, result)
             : CUSEQ_STATUS_OK;
}

cuseq_status node_matmul(struct evaluator *evaluator, struct node_call *call) {
  TRY(node_arity(call, 2, 2));
  TRY(attributes_check(call, ""));
  const struct tensor *a = call->inputs[0], *b = call->inputs[1];
  struct tensor table;
  const struct tensor *inputs[2] = {a, b};
  if (a->kind == TENSOR_TABLE)
    TRY(table_unmasked(call, a));
  if (b->kind == TENSOR_TABLE)
    TRY(table_unmasked(call, b));
  if (a->kind == TENSOR_FILL && !tensor_has_axes(b)) {
    const struct tensor *made[2] = {&table, b};
    TRY(table_of_fill(evaluator, call, a, &table));
    call->inputs = made;
    return matmul_constant(evaluator, call);
  }
  if (a->kind == TENSOR_TABLE && !tensor_has_axes(b))
    return matmul_constant(evaluator, call);
  if (b->kind == TENSOR_TABLE && numbers_are(a)) { /* a vector of weights from the left */
    struct tensor like = {.kind = TENSOR_TABLE, .axis_count = a->rank};
    for (int32_t i = 0; i < like.axis_count; i++)
      like.axes[i] =
          i + 1 == like.axis_count ? (struct tensor_axis){TENSOR_FEATURE, 0, a->dims[i]} : tensor_single();
    TRY(table_of_constant(evaluator, call, a, &like, &table));
    inputs[0] = &table;
    call->inputs = inputs;
    return matmul_tables(evaluator, call);
  }
  if (a->kind == TENSOR_TABLE && b->kind == TENSOR_TABLE)
    return matmul_tables(evaluator, call);
  return refuse_product(call, a, b);
}

/* ---- Gemm ----------------------------------------------------------------------------------------- */

/* The bias: a vector, or one number for all. -1: none, or zeros. */
static cuseq_status gemm_bias(struct evaluator *evaluator, const struct node_call *call, int64_t columns,
                              double beta, int32_t *bias) {
  const struct tensor *added = node_input(call, 2);
  struct numbers numbers;
  *bias = -1;
  if (added->kind == TENSOR_NONE || beta == 0)
    return CUSEQ_STATUS_OK;
  TRY(numbers_open(evaluator, call, added, "what it adds", &numbers));
  bool fits = (int64_t)numbers.count == columns || numbers.count == 1;
  for (int32_t i = 0; i < numbers.rank - 1; i++)
    fits = fits && numbers.dims[i] == 1;
  struct numbers repeated = numbers;
  repeated.count = (size_t)columns; /* one number is read again and again: its column is 0 */
  struct layout layout = {
      .rows = 1, .columns = columns, .column = numbers.count == 1 ? 0 : 1, .factor = (float)beta};
  cuseq_status status =
      fits ? numbers_matrix(evaluator, call, &repeated, &layout, bias)
           : call_refuse(call, "what it adds is no vector of %lld numbers", (long long)columns);
  numbers_close(&numbers);
  return status;
}

cuseq_status node_gemm(struct evaluator *evaluator, struct node_call *call) {
  double alpha, beta;
  int64_t trans_a, trans_b;
  struct numbers numbers;
  struct tensor features;
  int32_t matrix = -1, bias;
  TRY(node_arity(call, 2, 3));
  TRY(attributes_check(call, "alpha beta transA transB"));
  TRY(attribute_float(call, "alpha", 1, &alpha));
  TRY(attribute_float(call, "beta", 1, &beta));
  TRY(attribute_integer(call, "transA", 0, &trans_a));
  TRY(attribute_integer(call, "transB", 0, &trans_b));
  const struct tensor *a = call->inputs[0];
  struct tensor zeros;
  if (a->kind == TENSOR_FILL) {
    TRY(table_of_fill(evaluator, call, a, &zeros));
    a = &zeros;
  }
  if (a->kind != TENSOR_TABLE || trans_a != 0)
    return refuse_product(call, a, call->inputs[1]);
  TRY(table_unmasked(call, a));
  TRY(numbers_open(evaluator, call, call->inputs[1], "what it multiplies with", &numbers));
  int64_t rows = numbers.dims[0], columns = numbers.dims[1];
  struct layout layout = {.rows = trans_b ? columns : rows,
                          .columns = trans_b ? rows : columns,
                          .row = trans_b ? 1 : columns,
                          .column = trans_b ? columns : 1,
                          .factor = (float)alpha};
  cuseq_status status = numbers.rank == 2 && a->axis_count == 2
                            ? last_as_features(evaluator, call, a, layout.rows, &features)
                            : refuse_product(call, a, call->inputs[1]);
  if (status == CUSEQ_STATUS_OK)
    status = numbers_matrix(evaluator, call, &numbers, &layout, &matrix);
  numbers_close(&numbers);
  TRY(status);
  TRY(gemm_bias(evaluator, call, layout.columns, beta, &bias));
  return dense(evaluator, call, &features, matrix, bias, &call->outputs[0]);
}
