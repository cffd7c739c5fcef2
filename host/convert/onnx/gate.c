#include "convert/onnx/gate.h"

#include "convert/onnx/numbers.h"
#include "convert/onnx/recurrent.h"
#include "error.h"

#include <stdlib.h>
#include <string.h>

static struct expression at(const struct evaluator *evaluator, int32_t expression) {
  return *expression_at(evaluator->expressions, expression);
}

bool gate_is_activation(const struct evaluator *evaluator, int32_t expression, int32_t *below) {
  struct expression e = at(evaluator, expression);
  *below = e.op == EXPRESSION_ACTIVATION ? e.children[0] : -1;
  return e.op == EXPRESSION_ACTIVATION;
}

bool gate_read(const struct evaluator *evaluator, int32_t expression, struct gate *gate) {
  int32_t below;
  gate->activation = CUSEQ_ACTIVATION_LINEAR;
  if (!gate_is_activation(evaluator, expression, &below))
    return false;
  gate->activation = (cuseq_activation)at(evaluator, expression).part;
  return linear_of(evaluator, below, &gate->linear);
}

static bool is_sigmoid(cuseq_activation activation) {
  return activation == CUSEQ_ACTIVATION_SIGMOID || activation == CUSEQ_ACTIVATION_HARD_SIGMOID ||
         activation == CUSEQ_ACTIVATION_HARD_SIGMOID_KERAS2;
}

bool gate_is_sigmoid(const struct evaluator *evaluator, int32_t expression) {
  struct expression e = at(evaluator, expression);
  return e.op == EXPRESSION_ACTIVATION && is_sigmoid((cuseq_activation)e.part);
}

bool gate_times(const struct evaluator *evaluator, int32_t product, int32_t *sigmoid, int32_t *other) {
  struct expression e = at(evaluator, product);
  if (e.op != EXPRESSION_PRODUCT || e.child_count != 2)
    return false;
  bool first = gate_is_sigmoid(evaluator, e.children[0]);
  *sigmoid = e.children[first ? 0 : 1];
  *other = e.children[first ? 1 : 0];
  return gate_is_sigmoid(evaluator, *sigmoid);
}

bool gate_add_sources(const struct linear *linear, struct sources *sources) {
  for (int32_t i = 0; i < linear->term_count; i++) {
    int32_t source = linear->terms[i].source;
    bool known = (sources->count > 0 && sources->list[0] == source) ||
                 (sources->count > 1 && sources->list[1] == source);
    if (!known && sources->count == 2)
      return false;
    if (!known)
      sources->list[sources->count++] = source;
  }
  return true;
}

/* ---- making the cell ------------------------------------------------------------------------------ */

cuseq_status gate_make_kernel(struct evaluator *evaluator, const struct node_call *call,
                              const struct gate *gates, int32_t count, int32_t source, int32_t first,
                              int32_t rows, int32_t units, int32_t *matrix) {
  int64_t columns = (int64_t)count * units, all = at(evaluator, source).width;
  TRY(evaluator_work(evaluator, call, (size_t)(all * columns)));
  float *data = calloc((size_t)(all * columns), sizeof *data);
  if (data == NULL)
    return error_out_of_memory();
  for (int32_t g = 0; g < count; g++)
    linear_put(evaluator, &gates[g].linear, source, data, columns, (int64_t)g * units);
  if (first > 0)
    memmove(data, data + (int64_t)first * columns, (size_t)(rows * columns) * sizeof *data);
  return matrix_enter(evaluator, call, rows, columns, data, matrix);
}

cuseq_status gate_make_bias(struct evaluator *evaluator, const struct node_call *call,
                            const struct linear *const *gates, int32_t count, int32_t units,
                            int32_t *matrix) {
  bool none = true;
  *matrix = -1;
  for (int32_t g = 0; g < count; g++)
    none = none && (gates[g] == NULL || gates[g]->bias_count == 0);
  if (none)
    return CUSEQ_STATUS_OK;
  float *data = calloc((size_t)count * (size_t)units, sizeof *data);
  if (data == NULL)
    return error_out_of_memory();
  for (int32_t g = 0; g < count; g++)
    if (gates[g] != NULL)
      linear_put_bias(evaluator, gates[g], data + (size_t)g * (size_t)units);
  return matrix_enter(evaluator, call, 1, (int64_t)count * units, data, matrix);
}

cuseq_status gate_enter_cell(struct evaluator *evaluator, const struct node_call *call,
                             struct recurrent_cell *cell, const int32_t *children, int32_t part,
                             int32_t *expression) {
  int32_t index;
  cell->node = call->kept;
  recurrent_same_cell(evaluator, cell);
  TRY(recurrent_cell_make(evaluator->expressions, cell, &index));
  struct expression made = {.op = EXPRESSION_CELL,
                            .part = part,
                            .matrix = -1,
                            .bias = -1,
                            .index = index,
                            .node = call->kept,
                            .child_count = cell->kind == CELL_LSTM ? 3 : 2,
                            .children = children};
  return expression_make(evaluator->expressions, &made, expression);
}
