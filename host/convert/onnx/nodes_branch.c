/* If: exporters write it where a size is 1 or is not, which is often certain. */
#include "convert/onnx/names.h"
#include "convert/onnx/nodes.h"
#include "error.h"

cuseq_status node_if(struct evaluator *evaluator, struct node_call *call) {
  int64_t holds = 0;
  TRY(node_arity(call, 1, 1));
  TRY(attributes_check(call, "then_branch else_branch"));
  const struct tensor *condition = call->inputs[0];
  bool certain = condition->kind == TENSOR_INTEGERS && condition->rank <= 1 &&
                 dim_constant(&condition->integers[0], &holds);
  for (int32_t i = 0; i < condition->rank; i++)
    certain = certain && dim_is(&condition->dims[i], 1);
  if (!certain)
    return call_refuse(call,
                       "which of its branches is taken depends on the model's input (export one step of the "
                       "decoder without branches)");
  const OnnxFile__Attribute *branch = attribute_find(call, holds != 0 ? "then_branch" : "else_branch");
  if (branch == NULL || branch->g == NULL || branch->g->n_output != call->node->n_output)
    return call_refuse(call, "its branches are not as ONNX says");
  TRY(evaluate_nodes(evaluator, branch->g));
  for (size_t i = 0; i < call->node->n_output; i++) {
    const char *text = branch->g->output[i]->name;
    const struct name *name = text != NULL ? name_find(evaluator->names, text) : NULL;
    if (name == NULL || !name->known)
      return call_refuse(call, "nothing makes the output '%.120s' of its branch", text != NULL ? text : "");
    call->outputs[i] = name->tensor;
  }
  return CUSEQ_STATUS_OK;
}
