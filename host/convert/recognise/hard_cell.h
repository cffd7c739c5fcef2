/* GRUs that hand on, keep or add up what they read, exactly: their gates are 0 or 1. */
#ifndef CUSEQ_RECOGNISE_HARD_CELL_H
#define CUSEQ_RECOGNISE_HARD_CELL_H

#include "convert/graph/expression.h"

/* hard_sigmoid(x) is exactly 0 from -3 on, and exactly 1 from 3 on. */
enum { GATE_ZERO = -8, GATE_ONE = 8 };

/* A GRU, reset after the product, whose gates are hard_sigmoid and whose kernel [inputs, 3 units], recurrent
 * kernel [units, 3 units] and bias [3 units] - update gate, reset gate, candidate - are zeros to be filled
 * in. */
cuseq_status hard_cell_make(struct expressions *expressions, const struct graph_node *node,
                            cuseq_activation activation, int32_t inputs, int32_t units,
                            struct recurrent_cell *cell);

#endif
