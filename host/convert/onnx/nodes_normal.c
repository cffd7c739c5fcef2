/* LayerNormalization over the features. */
#include "convert/onnx/nodes.h"
#include "convert/onnx/numbers.h"
#include "convert/onnx/table.h"
#include "error.h"

#include <stdlib.h>

/* A vector of the layer's numbers as a matrix of one row; zeros where there is none. */
static cuseq_status read_row(struct evaluator *evaluator, const struct node_call *call,
                             const struct tensor *tensor, int64_t columns, int32_t *matrix) {
  struct numbers numbers;
  const struct layout layout = {.rows = 1, .columns = columns, .column = 1, .factor = 1};
  if (tensor->kind == TENSOR_NONE) {
    TRY(evaluator_work(evaluator, call, (size_t)columns));
    float *zeros = calloc((size_t)columns, sizeof *zeros);
    return zeros != NULL ? matrix_enter(evaluator, call, 1, columns, zeros, matrix) : error_out_of_memory();
  }
  TRY(numbers_open(evaluator, call, tensor, "its scale or bias", &numbers));
  cuseq_status status =
      (int64_t)numbers.count == columns
          ? numbers_matrix(evaluator, call, &numbers, &layout, matrix)
          : call_refuse(call, "its scale or bias is no vector of %lld numbers", (long long)columns);
  numbers_close(&numbers);
  return status;
}

cuseq_status node_layer_normalization(struct evaluator *evaluator, struct node_call *call) {
  const struct tensor *tensor = call->inputs[0];
  int64_t given, stash;
  int32_t axis, scale, offset, *cells;
  double epsilon;
  char text[128];
  TRY(node_arity(call, 2, 3));
  TRY(attributes_check(call, "axis epsilon stash_type"));
  TRY(attribute_integer(call, "axis", -1, &given));
  TRY(attribute_integer(call, "stash_type", 1, &stash));
  TRY(attribute_float(call, "epsilon", 1e-5, &epsilon));
  TRY(node_axis(call, given, tensor_rank(tensor), &axis));
  if (tensor->kind != TENSOR_TABLE || tensor->integer || axis != tensor->axis_count - 1 ||
      tensor->axes[axis].kind != TENSOR_FEATURE || call->node->n_output != 1)
    return call_refuse(call, "it normalises %s otherwise than along the features",
                       tensor_describe(tensor, text, sizeof text));
  TRY(table_unmasked(call, tensor));
  const int64_t width = tensor->axes[axis].size.factor;
  TRY(read_row(evaluator, call, call->inputs[1], width, &scale));
  TRY(read_row(evaluator, call, node_input(call, 2), width, &offset));
  struct tensor *result = &call->outputs[0];
  *result = *tensor;
  TRY(table_make(evaluator, call, tensor->axes, tensor->axis_count, result, &cells));
  for (int32_t i = tensor_cell_count(result) - 1; i >= 0; i--)
    TRY(expression_norm(evaluator->expressions, tensor->cells[i], epsilon, scale, offset, call->kept,
                        &cells[i]));
  return CUSEQ_STATUS_OK;
}
