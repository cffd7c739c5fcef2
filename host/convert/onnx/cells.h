/* Cells that are written out: nn.LSTMCell and nn.GRUCell come as products, splits, sigmoids and tanhs. */
#ifndef CUSEQ_ONNX_CELLS_H
#define CUSEQ_ONNX_CELLS_H

#include "convert/onnx/evaluate.h"

/* Whether the product of two expressions is an LSTM's new hidden state, o tanh(f c + i g): *expression then
 * receives the cell's. */
cuseq_status cells_of_product(struct evaluator *evaluator, const struct node_call *call, int32_t a, int32_t b,
                              int32_t *expression, bool *found);

/* Whether the sum of two expressions is a GRU's, n + z (h - n) or (1 - z) n + z h. */
cuseq_status cells_of_sum(struct evaluator *evaluator, const struct node_call *call, int32_t a, int32_t b,
                          int32_t *expression, bool *found);

/* The cell's CELL_C where an expression is the sum that it is made of; otherwise the expression itself. */
int32_t cells_state(const struct evaluator *evaluator, int32_t expression);

#endif
