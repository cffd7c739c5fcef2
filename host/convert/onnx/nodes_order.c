/* Rows ordered by their lengths and put back: how packed sequences are exported. TopK of the lengths gives
 * the order; scattering 0, 1, 2, ... by it gives the way back. */
#include "convert/onnx/nodes.h"
#include "error.h"

cuseq_status best_of_one(struct evaluator *evaluator, struct node_call *call,
                         int32_t axis); /* nodes_activation.c */

cuseq_status node_top_k(struct evaluator *evaluator, struct node_call *call) {
  int64_t given, largest, sorted;
  int32_t axis;
  TRY(node_arity(call, 2, 2));
  TRY(attributes_check(call, "axis largest sorted"));
  TRY(attribute_integer(call, "axis", -1, &given));
  TRY(attribute_integer(call, "largest", 1, &largest));
  TRY(attribute_integer(call, "sorted", 1, &sorted));
  const struct tensor *tensor = call->inputs[0], *count = call->inputs[1];
  TRY(node_axis(call, given, tensor_rank(tensor), &axis));
  bool known = count->kind == TENSOR_INTEGERS && largest != 0 && sorted != 0;
  struct dim rows = tensor_dim(tensor, axis);
  if (known && tensor->kind == TENSOR_TABLE && dim_is(&count->integers[0], 1))
    return best_of_one(evaluator, call, axis);
  if (!known || tensor->kind != TENSOR_LENGTHS || tensor->axis_count != 1 || tensor->ordered ||
      !dim_equal(&count->integers[0], &rows))
    return call_refuse(call, "it takes the greatest of what are not the rows' lengths");
  call->outputs[0] = *tensor;
  call->outputs[0].ordered = true;
  if (call->node->n_output < 2)
    return CUSEQ_STATUS_OK;
  call->outputs[1] = *tensor;
  call->outputs[1].kind = TENSOR_ORDER;
  return CUSEQ_STATUS_OK;
}

cuseq_status node_scatter(struct evaluator *evaluator, struct node_call *call) {
  const char *reduction;
  TRY(node_arity(call, 3, 3));
  TRY(attributes_check(call, "axis reduction"));
  TRY(attribute_text(evaluator, call, "reduction", &reduction));
  const struct tensor *order = call->inputs[1], *positions = call->inputs[2];
  bool back = order->kind == TENSOR_ORDER && !order->back && positions->kind == TENSOR_POSITIONS &&
              positions->axis_count == 1 && positions->axes[0].kind == TENSOR_BATCH;
  if (!back)
    return call_refuse(call, "cuseq cannot express what it writes where");
  call->outputs[0] = *order;
  call->outputs[0].back = true;
  return CUSEQ_STATUS_OK;
}
