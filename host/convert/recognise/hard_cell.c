#include "convert/recognise/hard_cell.h"

#include "error.h"

cuseq_status hard_cell_make(struct expressions *expressions, const struct graph_node *node,
                            cuseq_activation activation, int32_t inputs, int32_t units,
                            struct recurrent_cell *cell) {
  const int64_t gates = 3 * (int64_t)units;
  bool found;
  *cell = (struct recurrent_cell){.node = node,
                                  .kind = CELL_GRU,
                                  .reset_after = true,
                                  .units = units,
                                  .activation = activation,
                                  .recurrent_activation = CUSEQ_ACTIVATION_HARD_SIGMOID,
                                  .recurrent_bias = -1};
  TRY(matrix_make(expressions, NULL, 0, inputs, gates, &cell->kernel, &found));
  TRY(matrix_make(expressions, NULL, 0, units, gates, &cell->recurrent_kernel, &found));
  return matrix_make(expressions, NULL, 0, 1, gates, &cell->bias, &found);
}
