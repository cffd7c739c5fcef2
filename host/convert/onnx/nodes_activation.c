/* Activations, softmax over features and positions, and the best class. */
#include "convert/graph/pieces.h"
#include "convert/onnx/nodes.h"
#include "convert/onnx/numbers.h"
#include "convert/onnx/table.h"
#include "error.h"

#include <math.h>
#include <string.h>

/* ---- which one ------------------------------------------------------------------------------------ */

static bool near(double a, double b) {
  return fabs(a - b) <= 1e-6 * fabs(b) + 1e-9;
}

/* Operations that are one of cuseq's activations only with these attributes; NAN: no such attribute. */
static const struct {
  const char *name;
  double alpha, beta;               /* that ONNX means where they are not there */
  double needed_alpha, needed_beta; /* NAN: there is none */
  cuseq_activation activation;
} operations[] = {
    {"Tanh", NAN, NAN, NAN, NAN, CUSEQ_ACTIVATION_TANH},
    {"Sigmoid", NAN, NAN, NAN, NAN, CUSEQ_ACTIVATION_SIGMOID},
    {"Relu", NAN, NAN, NAN, NAN, CUSEQ_ACTIVATION_RELU},
    {"Elu", 1, NAN, 1, NAN, CUSEQ_ACTIVATION_ELU},
    {"Selu", 1.67326319217681884765625, NAN, 1.67326319217681884765625, NAN, CUSEQ_ACTIVATION_SELU},
    {"Softplus", NAN, NAN, NAN, NAN, CUSEQ_ACTIVATION_SOFTPLUS},
    {"Softsign", NAN, NAN, NAN, NAN, CUSEQ_ACTIVATION_SOFTSIGN},
    {"Exp", NAN, NAN, NAN, NAN, CUSEQ_ACTIVATION_EXPONENTIAL},
    {"LeakyRelu", 0.01, NAN, 0.01, NAN, CUSEQ_ACTIVATION_LEAKY_RELU},
    {"LeakyRelu", 0.01, NAN, 0.2, NAN, CUSEQ_ACTIVATION_LEAKY_RELU_02},
    {"LeakyRelu", 0.01, NAN, 0.3, NAN, CUSEQ_ACTIVATION_LEAKY_RELU_03},
    {"HardSigmoid", 0.2, 0.5, 0.2, 0.5, CUSEQ_ACTIVATION_HARD_SIGMOID_KERAS2},
    {"HardSigmoid", 0.2, 0.5, 1.0 / 6, 0.5, CUSEQ_ACTIVATION_HARD_SIGMOID},
    {"Swish", 1, NAN, 1, NAN, CUSEQ_ACTIVATION_SWISH},
};

/* A leaky relu of any slope, or a relu with a largest value. */
static cuseq_status map_pieces(struct evaluator *evaluator, struct node_call *call,
                               const struct pieces *pieces) {
  const struct tensor *tensor = call->inputs[0];
  struct tensor *result = &call->outputs[0];
  char text[128];
  int32_t *cells;
  if (tensor->kind != TENSOR_TABLE || tensor->integer)
    return call_refuse(call, "it is applied to %s, which is no vector of the model's",
                       tensor_describe(tensor, text, sizeof text));
  TRY(table_unmasked(call, tensor));
  *result = *tensor;
  TRY(table_make(evaluator, call, tensor->axes, tensor->axis_count, result, &cells));
  for (int32_t i = tensor_cell_count(result) - 1; i >= 0; i--)
    TRY(expression_pieces(evaluator->expressions, pieces, tensor->cells[i], call->kept, &cells[i]));
  return CUSEQ_STATUS_OK;
}

cuseq_status node_leaky_relu(struct evaluator *evaluator, struct node_call *call) {
  double slope;
  TRY(node_arity(call, 1, 1));
  TRY(attributes_check(call, "alpha"));
  TRY(attribute_float(call, "alpha", 0.01, &slope));
  if (near(slope, 0.01) || near(slope, 0.2) || near(slope, 0.3))
    return node_activation(evaluator, call);
  return map_pieces(evaluator, call, &(struct pieces){.inner = -1, .slope = -(float)slope});
}

/* Bounds are inputs from opset 11 on. */
cuseq_status node_clip(struct evaluator *evaluator, struct node_call *call) {
  double least = -INFINITY, most = INFINITY;
  TRY(node_arity(call, 1, 3));
  TRY(attributes_check(call, ""));
  if (node_input(call, 1)->kind != TENSOR_NONE)
    TRY(tensor_scalar(evaluator, call, call->inputs[1], &least));
  if (node_input(call, 2)->kind != TENSOR_NONE)
    TRY(tensor_scalar(evaluator, call, call->inputs[2], &most));
  if (least != 0 || !(most > 0) || most > 1e30)
    return call_refuse(call, "it clips to %g and %g (needed 0 and a positive number)", least, most);
  return map_pieces(evaluator, call, &(struct pieces){.inner = 1, .shift = -(float)most, .slope = -1});
}

static cuseq_status find_activation(struct evaluator *evaluator, const struct node_call *call,
                                    cuseq_activation *activation) {
  const char *name = call->kept->class_name;
  double gamma;
  if (strcmp(name, "Gelu") == 0) {
    const char *approximate;
    TRY(attributes_check(call, "approximate"));
    TRY(attribute_text(evaluator, call, "approximate", &approximate));
    bool tanh = approximate != NULL && strcmp(approximate, "tanh") == 0;
    *activation = tanh ? CUSEQ_ACTIVATION_GELU_TANH : CUSEQ_ACTIVATION_GELU;
    return CUSEQ_STATUS_OK;
  }
  TRY(attributes_check(call, "alpha beta gamma"));
  TRY(attribute_float(call, "gamma", 1.05070102214813232421875, &gamma));
  for (size_t i = 0; i < sizeof operations / sizeof *operations; i++) {
    double alpha, beta;
    if (strcmp(name, operations[i].name) != 0)
      continue;
    TRY(attribute_float(call, "alpha", operations[i].alpha, &alpha));
    TRY(attribute_float(call, "beta", operations[i].beta, &beta));
    if ((isnan(operations[i].needed_alpha) || near(alpha, operations[i].needed_alpha)) &&
        (isnan(operations[i].needed_beta) || near(beta, operations[i].needed_beta)) &&
        near(gamma, 1.0507009873554805)) {
      *activation = operations[i].activation;
      return CUSEQ_STATUS_OK;
    }
  }
  return call_refuse(call, "it is none of cuseq's activations with the numbers that it has");
}

/* ---- applying it ---------------------------------------------------------------------------------- */

static cuseq_status map_cells(struct evaluator *evaluator, struct node_call *call, enum expression_op op,
                              int32_t part) {
  const struct tensor *tensor = call->inputs[0];
  struct tensor *result = &call->outputs[0];
  int32_t *cells;
  *result = *tensor;
  TRY(table_make(evaluator, call, tensor->axes, tensor->axis_count, result, &cells));
  for (int32_t i = tensor_cell_count(result) - 1; i >= 0; i--)
    TRY(expression_unary(evaluator->expressions, op, part, tensor->cells[i], call->kept, &cells[i]));
  return CUSEQ_STATUS_OK;
}

cuseq_status node_activation(struct evaluator *evaluator, struct node_call *call) {
  cuseq_activation activation = CUSEQ_ACTIVATION_LINEAR;
  char text[128];
  TRY(node_arity(call, 1, 1));
  TRY(find_activation(evaluator, call, &activation));
  const struct tensor *tensor = call->inputs[0];
  if (tensor->kind != TENSOR_TABLE || tensor->integer)
    return call_refuse(call, "it is applied to %s, which is no vector of the model's",
                       tensor_describe(tensor, text, sizeof text));
  TRY(table_unmasked(call, tensor));
  return map_cells(evaluator, call, EXPRESSION_ACTIVATION, (int32_t)activation);
}

/* ---- softmax -------------------------------------------------------------------------------------- */

/* Before opset 13 softmax is over all axes from `axis` on: over one, where the others have one entry. */
static cuseq_status softmax_axis(const struct evaluator *evaluator, const struct node_call *call,
                                 int32_t *axis) {
  int64_t given;
  const struct tensor *tensor = call->inputs[0];
  TRY(attributes_check(call, "axis"));
  TRY(attribute_integer(call, "axis", evaluator->opset < 13 ? 1 : -1, &given));
  TRY(node_axis(call, given, tensor_rank(tensor), axis));
  if (evaluator->opset >= 13)
    return CUSEQ_STATUS_OK;
  int32_t only = *axis;
  for (int32_t i = *axis; i < tensor->axis_count; i++)
    if (!tensor_is_single(&tensor->axes[i])) {
      if (only != *axis || (i > *axis && !tensor_is_single(&tensor->axes[*axis])))
        return call_refuse(call, "it is over several axes at once");
      only = i;
    }
  *axis = only;
  return CUSEQ_STATUS_OK;
}

/* Over the positions, or over those that they are paired with. */
static cuseq_status softmax_over_time(struct evaluator *evaluator, struct node_call *call, bool twin) {
  const struct tensor *tensor = call->inputs[0];
  struct tensor *result = &call->outputs[0];
  int32_t *cells, clock = evaluator->clock;
  *result = *tensor;
  result->masked = false;
  if (twin)
    TRY(clock_twin(evaluator->expressions, clock, &clock));
  TRY(table_make(evaluator, call, tensor->axes, tensor->axis_count, result, &cells));
  for (int32_t i = tensor_cell_count(result) - 1; i >= 0; i--) {
    if (expression_at(evaluator->expressions, tensor->cells[i])->width != 1)
      return call_refuse(call, "it is over the positions of vectors (needed one energy for each)");
    TRY(expression_over(evaluator->expressions, EXPRESSION_SOFTMAX, clock, 0, tensor->masked,
                        tensor->cells[i], call->kept, &cells[i]));
  }
  return CUSEQ_STATUS_OK;
}

cuseq_status node_softmax(struct evaluator *evaluator, struct node_call *call) {
  int32_t axis;
  char text[128];
  TRY(node_arity(call, 1, 1));
  const struct tensor *tensor = call->inputs[0];
  bool logarithm = strcmp(call->kept->class_name, "LogSoftmax") == 0;
  if (tensor->kind != TENSOR_TABLE || tensor->integer)
    return call_refuse(call, "it is over %s, which is no vector of the model's",
                       tensor_describe(tensor, text, sizeof text));
  TRY(softmax_axis(evaluator, call, &axis));
  const bool twin = tensor->axes[axis].kind == TENSOR_TWIN;
  if ((twin || tensor->axes[axis].kind == TENSOR_TIME) && !logarithm)
    return softmax_over_time(evaluator, call, twin);
  TRY(table_unmasked(call, tensor));
  if (tensor->axes[axis].kind != TENSOR_FEATURE)
    return call_refuse(call, "it is over axis %d of %s, which cuseq cannot express", axis,
                       tensor_describe(tensor, text, sizeof text));
  return map_cells(evaluator, call, EXPRESSION_CLASSES, logarithm ? CLASSES_LOG_SOFTMAX : CLASSES_SOFTMAX);
}

/* ---- the best class ------------------------------------------------------------------------------- */

static cuseq_status best_of_features(struct evaluator *evaluator, struct node_call *call, int32_t axis,
                                     bool keep, struct tensor *result) {
  const struct tensor *tensor = call->inputs[0];
  int32_t *cells;
  char text[128];
  TRY(table_unmasked(call, tensor));
  if (tensor->kind != TENSOR_TABLE || tensor->axes[axis].kind != TENSOR_FEATURE)
    return call_refuse(call, "it is over axis %d of %s, which cuseq cannot express", axis,
                       tensor_describe(tensor, text, sizeof text));
  struct tensor made = *tensor;
  made.axes[axis] = tensor_single();
  made.integer = true;
  TRY(table_make(evaluator, call, made.axes, made.axis_count, &made, &cells));
  for (int32_t i = tensor_cell_count(&made) - 1; i >= 0; i--)
    TRY(expression_unary(evaluator->expressions, EXPRESSION_ARGMAX, 0, tensor->cells[i], call->kept,
                         &cells[i]));
  if (!keep)
    tensor_remove_single(&made, axis);
  *result = made;
  return CUSEQ_STATUS_OK;
}

cuseq_status node_argmax(struct evaluator *evaluator, struct node_call *call) {
  int64_t given, keep, last;
  int32_t axis;
  TRY(node_arity(call, 1, 1));
  TRY(attributes_check(call, "axis keepdims select_last_index"));
  TRY(attribute_integer(call, "axis", 0, &given));
  TRY(attribute_integer(call, "keepdims", 1, &keep));
  TRY(attribute_integer(call, "select_last_index", 0, &last));
  TRY(node_axis(call, given, tensor_rank(call->inputs[0]), &axis));
  if (last != 0)
    return call_refuse(call, "of equal ones it takes the last (cuseq takes the first)");
  return best_of_features(evaluator, call, axis, keep != 0, &call->outputs[0]);
}

/* TopK of 1 over classes: the greatest, which nothing may read, and its index. */
cuseq_status best_of_one(struct evaluator *evaluator, struct node_call *call, int32_t axis) {
  if (call->node->n_output < 2)
    return call_refuse(call, "it gives the greatest and not which it is");
  return best_of_features(evaluator, call, axis, true, &call->outputs[1]);
}
