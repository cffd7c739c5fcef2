#include "convert/onnx/nodes.h"

#include <string.h>

static const struct {
  const char *operation;
  node_function function;
} table[] = {
    {"Constant", node_constant},
    {"ConstantOfShape", node_constant_of_shape},
    {"Shape", node_shape},
    {"Size", node_size},
    {"Range", node_range},
    {"Squeeze", node_squeeze},
    {"Unsqueeze", node_unsqueeze},
    {"Transpose", node_transpose},
    {"Expand", node_expand},
    {"Tile", node_tile},
    {"Reshape", node_reshape},
    {"Flatten", node_flatten},
    {"Gather", node_gather},
    {"Slice", node_slice},
    {"Split", node_split},
    {"Concat", node_concat},
    {"Identity", node_identity},
    {"Dropout", node_identity},
    {"Cast", node_cast},
    {"Add", node_arithmetic},
    {"Sub", node_arithmetic},
    {"Mul", node_arithmetic},
    {"Div", node_arithmetic},
    {"Mod", node_arithmetic},
    {"Neg", node_negate},
    {"Sqrt", node_square_root},
    {"LayerNormalization", node_layer_normalization},
    {"Tanh", node_activation},
    {"Sigmoid", node_activation},
    {"Relu", node_activation},
    {"Elu", node_activation},
    {"Selu", node_activation},
    {"Softplus", node_activation},
    {"Softsign", node_activation},
    {"Exp", node_activation},
    {"LeakyRelu", node_leaky_relu},
    {"Clip", node_clip},
    {"HardSigmoid", node_activation},
    {"Swish", node_activation},
    {"Gelu", node_activation},
    {"Softmax", node_softmax},
    {"LogSoftmax", node_softmax},
    {"ArgMax", node_argmax},
    {"MatMul", node_matmul},
    {"Gemm", node_gemm},
    {"ReduceSum", node_reduce},
    {"ReduceMean", node_reduce},
    {"ReduceMax", node_reduce},
    {"ReduceProd", node_reduce},
    {"GlobalMaxPool", node_pool},
    {"GlobalAveragePool", node_pool},
    {"LSTM", node_recurrent},
    {"GRU", node_recurrent},
    {"Equal", node_compare},
    {"Less", node_compare},
    {"LessOrEqual", node_compare},
    {"Greater", node_compare},
    {"GreaterOrEqual", node_compare},
    {"Not", node_not},
    {"Where", node_where},
    {"If", node_if},
    {"TopK", node_top_k},
    {"ScatterElements", node_scatter},
};

node_function nodes_find(const char *operation) {
  for (size_t i = 0; i < sizeof table / sizeof *table; i++)
    if (strcmp(table[i].operation, operation) == 0)
      return table[i].function;
  return NULL;
}
