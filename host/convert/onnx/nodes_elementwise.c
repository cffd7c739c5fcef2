/* Add, Sub, Mul, Div of whatever two tensors may be, and casts. */
#include "convert/onnx/arithmetic.h"
#include "convert/onnx/inputs.h"
#include "convert/onnx/nodes.h"
#include "convert/onnx/table.h"
#include "error.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* What a position beyond a row's length is given so that a softmax leaves it out; smaller numbers may not. */
static const double least_of_a_mask = -1e4;

static char operation_of(const struct node_call *call) {
  static const char *const names[] = {"Add", "Sub", "Mul", "Div", "Mod"};
  static const char signs[] = "+-*/%";
  for (size_t i = 0; i < sizeof names / sizeof *names; i++)
    if (strcmp(call->kept->class_name, names[i]) == 0)
      return signs[i];
  return '?';
}

static double apply(char operation, double a, double b) {
  switch (operation) {
  case '+':
    return a + b;
  case '-':
    return a - b;
  case '*':
    return a * b;
  default:
    return a / b;
  }
}

/* ---- integers ------------------------------------------------------------------------------------- */

/* Of constants that are not negative, as ONNX has it; otherwise not known. */
static struct dim remainder_of(struct dim a, struct dim b) {
  int64_t left, right;
  if (!dim_constant(&a, &left) || !dim_constant(&b, &right) || left < 0 || right < 1)
    return (struct dim){0};
  return dim_of(left % right);
}

static struct dim apply_dims(char operation, struct dim a, struct dim b) {
  switch (operation) {
  case '+':
    return dim_add(a, b, 1);
  case '-':
    return dim_add(a, b, -1);
  case '*':
    return dim_multiply(a, b);
  case '%':
    return remainder_of(a, b);
  default:
    return dim_divide(a, b);
  }
}

static bool is_integers(const struct tensor *tensor, int64_t *count) {
  *count = 1;
  if (tensor->kind != TENSOR_INTEGERS && !(tensor->kind == TENSOR_FILL && tensor->integer))
    return false;
  for (int32_t i = 0; i < tensor->rank; i++) {
    int64_t size;
    if (!dim_constant(&tensor->dims[i], &size) || size < 0 || size > TENSOR_MAX_INTEGERS)
      return false;
    *count *= size;
    if (*count > TENSOR_MAX_INTEGERS)
      return false;
  }
  return true;
}

static struct dim integer_at(const struct tensor *tensor, int64_t count, int64_t at) {
  if (tensor->kind == TENSOR_FILL)
    return dim_of((int64_t)tensor->fill);
  return tensor->integers[count == 1 ? 0 : at];
}

/* Of one number and many, or of as many on both sides. */
static cuseq_status integer_arithmetic(struct evaluator *evaluator, struct node_call *call, char operation,
                                       int64_t first, int64_t second) {
  const struct tensor *a = call->inputs[0], *b = call->inputs[1];
  const struct tensor *shape = a->rank > b->rank || (a->rank == b->rank && first >= second) ? a : b;
  int64_t count = first > second ? first : second;
  struct dim *data;
  if ((first != second && first != 1 && second != 1) ||
      (first == second && a->rank > 1 && b->rank > 1 && first > 1 && !dim_equal(&a->dims[0], &b->dims[0])))
    return call_refuse(call, "it joins integers of shapes that do not fit");
  struct dim dims[TENSOR_MAX_AXES];
  memcpy(dims, (shape == a ? first : second) == count ? shape->dims : (shape == a ? b : a)->dims,
         sizeof dims);
  int32_t rank = (shape == a ? first : second) == count ? shape->rank : (shape == a ? b : a)->rank;
  TRY(integers_make(evaluator, call, rank, dims, &call->outputs[0], &data));
  /* Shapes that were cast to floats are divided as floats are. */
  call->outputs[0].integer = a->integer && b->integer;
  for (int64_t i = 0; i < count; i++) {
    struct dim left = integer_at(a, first, i), right = integer_at(b, second, i);
    data[i] = apply_dims(operation, left, right);
    struct dim back = dim_multiply(data[i], right);
    if (operation == '/' && !call->outputs[0].integer && !dim_equal(&back, &left))
      data[i] = (struct dim){0};
  }
  return CUSEQ_STATUS_OK;
}

/* ---- constants ------------------------------------------------------------------------------------ */

static int64_t dim_at(const struct numbers *numbers, int32_t rank, int32_t at) {
  int32_t own = at - (rank - numbers->rank);
  return own < 0 ? 1 : numbers->dims[own];
}

static cuseq_status apply_numbers(struct evaluator *evaluator, struct node_call *call, char operation,
                                  const struct numbers *a, const struct numbers *b) {
  int32_t rank = a->rank > b->rank ? a->rank : b->rank;
  int64_t dims[TENSOR_MAX_AXES], index[TENSOR_MAX_AXES] = {0}, strides[2][TENSOR_MAX_AXES],
                                 stride[2] = {1, 1};
  size_t count = 1;
  float *data;
  for (int32_t i = rank - 1; i >= 0; i--) {
    int64_t first = dim_at(a, rank, i), second = dim_at(b, rank, i);
    if (first != second && first != 1 && second != 1)
      return call_refuse(call, "it joins constants whose shapes do not fit");
    dims[i] = first == 1 ? second : first;
    strides[0][i] = first == 1 ? 0 : stride[0];
    strides[1][i] = second == 1 ? 0 : stride[1];
    stride[0] *= first;
    stride[1] *= second;
  }
  TRY(numbers_make(evaluator, call, rank, dims, &call->outputs[0], &data));
  for (int32_t i = 0; i < rank; i++)
    count *= (size_t)dims[i];
  for (size_t n = 0; n < count; n++) {
    int64_t first = 0, second = 0;
    for (int32_t i = 0; i < rank; i++) {
      first += index[i] * strides[0][i];
      second += index[i] * strides[1][i];
    }
    data[n] = (float)apply(operation, (double)a->data[first], (double)b->data[second]);
    for (int32_t i = rank - 1; i >= 0 && ++index[i] == dims[i]; i--)
      index[i] = 0;
  }
  return CUSEQ_STATUS_OK;
}

static cuseq_status constant_arithmetic(struct evaluator *evaluator, struct node_call *call, char operation) {
  struct numbers a, b;
  TRY(numbers_open(evaluator, call, call->inputs[0], "what it is given first", &a));
  cuseq_status status = numbers_open(evaluator, call, call->inputs[1], "what it is given second", &b);
  if (status == CUSEQ_STATUS_OK) {
    status = apply_numbers(evaluator, call, operation, &a, &b);
    numbers_close(&b);
  }
  numbers_close(&a);
  return status;
}

/* One number everywhere, and one number, or one number everywhere again. */
static bool fill_arithmetic(const struct tensor *a, const struct tensor *b, char operation,
                            struct tensor *result) {
  bool first =
      a->kind == TENSOR_FILL && (b->kind == TENSOR_FILL || (b->kind == TENSOR_INTEGERS && b->rank == 0));
  if (!first)
    return false;
  const struct tensor *shape = a->rank >= b->rank ? a : b;
  int64_t value = 0;
  if (b->kind == TENSOR_INTEGERS && !dim_constant(&b->integers[0], &value))
    return false;
  for (int32_t i = 0; a->rank > 0 && b->rank > 0 && i < shape->rank; i++)
    if (a->rank != b->rank || !dim_equal(&a->dims[i], &b->dims[i]))
      return false;
  *result = *shape;
  result->kind = TENSOR_FILL;
  result->integer = a->integer && (b->integer || b->kind == TENSOR_INTEGERS);
  result->fill = apply(operation, a->fill, b->kind == TENSOR_FILL ? b->fill : (double)value);
  return true;
}

/* ---- masks ---------------------------------------------------------------------------------------- */

static cuseq_status mask_arithmetic(struct evaluator *evaluator, struct node_call *call, char operation) {
  const struct tensor *a = call->inputs[0], *b = call->inputs[1];
  bool first = a->kind == TENSOR_MASK;
  struct tensor *result = &call->outputs[0];
  double value = 0;
  if (first && b->kind == TENSOR_MASK)
    return call_refuse(call, "it joins two masks");
  TRY(tensor_scalar(evaluator, call, first ? b : a, &value));
  *result = first ? *a : *b;
  double *numbers[2] = {&result->inside, &result->beyond};
  for (int i = 0; i < 2; i++)
    *numbers[i] = first ? apply(operation, *numbers[i], value) : apply(operation, value, *numbers[i]);
  if (isnan(result->inside) || isnan(result->beyond))
    return call_refuse(call, "it makes no numbers of a mask");
  return CUSEQ_STATUS_OK;
}

/* Energies and a mask: nothing within the rows, so little beyond them that the softmax leaves it out. */
static cuseq_status add_mask(struct evaluator *evaluator, struct node_call *call, const struct tensor *table,
                             const struct tensor *mask) {
  int32_t *cells, *from_table, *from_mask;
  struct tensor *result = &call->outputs[0];
  if (mask->inside != 0 || !(mask->beyond <= least_of_a_mask))
    return call_refuse(
        call, "what it adds is no mask that a softmax honours (it adds %g within a row and %g beyond)",
        mask->inside, mask->beyond);
  TRY(table_broadcast(evaluator, call, table, mask, result, &cells, &from_table, &from_mask));
  for (int32_t i = tensor_cell_count(result) - 1; i >= 0; i--)
    cells[i] = table->cells[from_table[i]];
  result->masked = true;
  return CUSEQ_STATUS_OK;
}

/* What is zero beyond the rows anyway: the outputs of layers that know the lengths, and the weights that a
 * masked softmax gives. */
static bool is_zero_beyond(const struct evaluator *evaluator, int32_t expression) {
  const struct expression *e = expression_at(evaluator->expressions, expression);
  if (e->op == EXPRESSION_SEQUENCE)
    return evaluator->expressions->layers[e->index].mask != NULL;
  if (e->op == EXPRESSION_CONCAT || e->op == EXPRESSION_ADD || e->op == EXPRESSION_SLICE) {
    for (int32_t i = 0; i < e->child_count; i++)
      if (!is_zero_beyond(evaluator, e->children[i]))
        return false;
    return true;
  }
  return e->op == EXPRESSION_SOFTMAX && e->masked;
}

static cuseq_status multiply_mask(struct evaluator *evaluator, struct node_call *call,
                                  const struct tensor *table, const struct tensor *mask) {
  bool fits = mask->inside == 1 && mask->beyond == 0 && table->kind == TENSOR_TABLE;
  for (int32_t i = 0; fits && i < tensor_cell_count(table); i++)
    fits = is_zero_beyond(evaluator, table->cells[i]);
  int32_t *cells, *from_table, *from_mask;
  struct tensor *result = &call->outputs[0];
  if (!fits)
    return call_refuse(call, "it multiplies with a mask what is not zero beyond the rows anyway");
  TRY(table_broadcast(evaluator, call, table, mask, result, &cells, &from_table, &from_mask));
  for (int32_t i = tensor_cell_count(result) - 1; i >= 0; i--)
    cells[i] = table->cells[from_table[i]];
  return CUSEQ_STATUS_OK;
}

/* ---- tables --------------------------------------------------------------------------------------- */

static cuseq_status apply_expressions(struct evaluator *evaluator, const struct node_call *call,
                                      char operation, int32_t a, int32_t b, int32_t *expression) {
  const float *data;
  int32_t other = b;
  if (operation == '+')
    return expression_sum(evaluator, call, a, b, expression);
  if (operation == '*')
    return expression_product(evaluator, call, a, b, expression);
  if (operation == '-') {
    TRY(expression_scaled(evaluator, call, -1, b, &other));
    return expression_sum(evaluator, call, a, other, expression);
  }
  bool constant = expression_constant(evaluator, b, &data);
  struct expression e = *expression_at(evaluator->expressions, b);
  if (!constant || data == NULL)
    return call_refuse(call, "it divides by what is no constant, or zero");
  struct numbers numbers = {.data = data, .count = (size_t)e.width};
  double value;
  if (numbers_uniform(&numbers, &value))
    return expression_scaled(evaluator, call, 1 / value, a, expression);
  int32_t factors, constant_factors;
  float *inverse = malloc((size_t)e.width * sizeof *inverse);
  bool finite = inverse != NULL;
  for (int32_t i = 0; inverse != NULL && i < e.width; i++) {
    inverse[i] = 1 / data[i];
    finite = finite && isfinite(inverse[i]);
  }
  if (!finite) {
    free(inverse);
    return inverse == NULL ? error_out_of_memory() : call_refuse(call, "it divides by zero");
  }
  TRY(matrix_enter(evaluator, call, 1, e.width, inverse, &factors));
  struct expression made = {
      .op = EXPRESSION_CONSTANT, .matrix = factors, .bias = -1, .width = e.width, .node = call->kept};
  TRY(expression_make(evaluator->expressions, &made, &constant_factors));
  return expression_product(evaluator, call, a, constant_factors, expression);
}

/* A stacked axis of numbers where the other tensor has features, as features. */
static cuseq_status match_features(struct evaluator *evaluator, const struct node_call *call,
                                   struct tensor *a, const struct tensor *b) {
  int32_t feature = tensor_find_axis(b, TENSOR_FEATURE), at = feature - b->axis_count + a->axis_count;
  struct tensor whole = *a;
  if (feature < 0 || tensor_find_axis(a, TENSOR_FEATURE) >= 0 || at < 0 || at >= a->axis_count ||
      a->axes[at].kind != TENSOR_STACK || tensor_is_single(&a->axes[at]))
    return CUSEQ_STATUS_OK;
  return table_stack_to_features(evaluator, call, &whole, at, a);
}

static cuseq_status table_arithmetic(struct evaluator *evaluator, struct node_call *call, char operation) {
  struct tensor a = *call->inputs[0], b = *call->inputs[1], *result = &call->outputs[0];
  int32_t *cells, *from_first, *from_second;
  bool scales = operation == '*' || operation == '/';
  bool masked = (a.masked && !b.masked && scales && b.kind != TENSOR_TABLE);
  if (!masked) {
    TRY(table_unmasked(call, &a));
    TRY(table_unmasked(call, &b));
  }
  if (!tensor_has_axes(&a))
    TRY(table_of_constant(evaluator, call, call->inputs[0], &b, &a));
  if (!tensor_has_axes(&b))
    TRY(table_of_constant(evaluator, call, call->inputs[1], &a, &b));
  if (a.kind != TENSOR_TABLE || b.kind != TENSOR_TABLE)
    return call_refuse(call, "it computes with lengths, masks or orders of rows, which cuseq cannot express");
  TRY(match_features(evaluator, call, &a, &b));
  TRY(match_features(evaluator, call, &b, &a));
  TRY(table_broadcast(evaluator, call, &a, &b, result, &cells, &from_first, &from_second));
  for (int32_t i = tensor_cell_count(result) - 1; i >= 0; i--)
    TRY(apply_expressions(evaluator, call, operation, a.cells[from_first[i]], b.cells[from_second[i]],
                          &cells[i]));
  int32_t feature = tensor_find_axis(result, TENSOR_FEATURE);
  if (feature >= 0 && table_width(evaluator, result) == 1)
    return call_refuse(call, "its result is of no width");
  result->masked = masked;
  return CUSEQ_STATUS_OK;
}

cuseq_status node_arithmetic(struct evaluator *evaluator, struct node_call *call) {
  TRY(node_arity(call, 2, 2));
  TRY(attributes_check(call, strcmp(call->kept->class_name, "Mod") == 0 ? "fmod" : ""));
  const struct tensor *a = call->inputs[0], *b = call->inputs[1];
  char operation = operation_of(call);
  int64_t first, second;
  bool table = a->kind == TENSOR_TABLE || b->kind == TENSOR_TABLE,
       mask = a->kind == TENSOR_MASK || b->kind == TENSOR_MASK;
  if (table && mask && operation == '+')
    return add_mask(evaluator, call, a->kind == TENSOR_MASK ? b : a, a->kind == TENSOR_MASK ? a : b);
  if (table && mask && operation == '*')
    return multiply_mask(evaluator, call, a->kind == TENSOR_MASK ? b : a, a->kind == TENSOR_MASK ? a : b);
  if (mask && !table)
    return mask_arithmetic(evaluator, call, operation);
  if (operation == '%' && !(is_integers(a, &first) && is_integers(b, &second)))
    return call_refuse(call, "cuseq can express remainders of sizes alone");
  if (tensor_has_axes(a) || tensor_has_axes(b))
    return table_arithmetic(evaluator, call, operation);
  if (is_integers(a, &first) && is_integers(b, &second))
    return integer_arithmetic(evaluator, call, operation, first, second);
  if (fill_arithmetic(a, b, operation, &call->outputs[0]))
    return CUSEQ_STATUS_OK;
  return constant_arithmetic(evaluator, call, operation);
}

cuseq_status node_negate(struct evaluator *evaluator, struct node_call *call) {
  TRY(node_arity(call, 1, 1));
  TRY(attributes_check(call, ""));
  const struct tensor *tensor = call->inputs[0];
  struct tensor *result = &call->outputs[0];
  int32_t *cells;
  if (tensor->kind != TENSOR_TABLE || tensor->masked)
    return call_refuse(call, "cuseq cannot express this operation on what it is given");
  *result = *tensor;
  TRY(table_make(evaluator, call, tensor->axes, tensor->axis_count, result, &cells));
  for (int32_t i = tensor_cell_count(result) - 1; i >= 0; i--)
    TRY(expression_scaled(evaluator, call, -1, tensor->cells[i], &cells[i]));
  return CUSEQ_STATUS_OK;
}

/* ---- the same numbers ----------------------------------------------------------------------------- */

cuseq_status node_identity(struct evaluator *evaluator, struct node_call *call) {
  (void)evaluator;
  TRY(node_arity(call, 1, 3)); /* Dropout: a ratio and a training mode */
  TRY(attributes_check(call, "ratio seed"));
  const struct tensor *training = node_input(call, 2);
  if (training->kind != TENSOR_NONE &&
      !(training->kind == TENSOR_INTEGERS && dim_is(&training->integers[0], 0)))
    return call_refuse(call, "it may drop numbers, as in training");
  call->outputs[0] = *call->inputs[0];
  return CUSEQ_STATUS_OK;
}

/* Casts between floats of one width and another change nothing that cuseq has; ids, lengths and masks stay
 * what they are; a float that becomes an integer is cut off, which only constants are. */
cuseq_status node_cast(struct evaluator *evaluator, struct node_call *call) {
  int64_t to;
  TRY(node_arity(call, 1, 1));
  TRY(attributes_check(call, "to saturate round_mode"));
  TRY(attribute_integer(call, "to", 0, &to));
  const struct tensor *tensor = call->inputs[0];
  struct tensor *result = &call->outputs[0];
  bool integer = onnx_type_is_integer((int32_t)to) != 0, floats = onnx_type_is_float((int32_t)to) != 0;
  *result = *tensor;
  if (!integer && !floats)
    return call_refuse(call, "it casts to a type that is not known (ONNX's number %lld)", (long long)to);
  /* Ids on the way to be made integers again. */
  if (tensor->kind == TENSOR_TABLE && tensor->integer && (to == ONNX_FLOAT || to == ONNX_DOUBLE) &&
      inputs_become_integers(evaluator->file->model->graph, call->node->output[0]))
    return CUSEQ_STATUS_OK;
  if (tensor->kind == TENSOR_TABLE &&
      (integer != tensor->integer || to == ONNX_FLOAT16 || to == ONNX_BFLOAT16 || to == ONNX_BOOL))
    return call_refuse(call, "it rounds what depends on the model's input, or makes integers numbers");
  if (tensor->kind == TENSOR_MASK && to == ONNX_BOOL) {
    result->inside = tensor->inside != 0;
    result->beyond = tensor->beyond != 0;
  }
  if (tensor->kind == TENSOR_FILL) {
    result->fill = to == ONNX_BOOL ? tensor->fill != 0 : integer ? trunc(tensor->fill) : tensor->fill;
    result->integer = integer;
  }
  if (tensor->kind == TENSOR_NUMBERS && integer)
    return call_refuse(call, "it cuts off constants");
  if (tensor->kind == TENSOR_INTEGERS && integer)
    result->integer = true;
  if (tensor->kind == TENSOR_INTEGERS && floats) {
    /* Quotients of shapes are often computed as floats: whole numbers stay what they are. */
    result->integer = false;
    return CUSEQ_STATUS_OK;
  }
  if (tensor->kind == TENSOR_INTEGERS && to == ONNX_BOOL) {
    struct dim *data;
    struct tensor whole = *tensor;
    int64_t count, value;
    if (!is_integers(&whole, &count))
      return call_refuse(call, "it casts integers of which there are too many");
    TRY(integers_make(evaluator, call, whole.rank, whole.dims, result, &data));
    for (int64_t i = 0; i < count; i++)
      data[i] = dim_constant(&whole.integers[i], &value) ? dim_of(value != 0) : (struct dim){0};
  }
  return CUSEQ_STATUS_OK;
}
