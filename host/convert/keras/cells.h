/* The cell of a recurrent layer: its settings and its weights. */
#ifndef CUSEQ_KERAS_CELLS_H
#define CUSEQ_KERAS_CELLS_H

#include "convert/keras/evaluate.h"

/* A recurrent layer, by itself or in a Bidirectional one. */
struct cell_source {
  const struct keras_layer *layer; /* in whose name it is refused */
  const char *class_name;          /* LSTM, GRU, RNN */
  const json_t *config;            /* its configuration */
  enum weights_part part;
  const json_t *cell; /* of an RNN over a list of cells: the one that is meant, {class_name, config} */
};

/* cells_input.c: takes a call's states apart from its one input, which becomes a sequence or a step. */
cuseq_status cell_take_input(struct evaluator *evaluator, struct layer_call *call);

/* Whether a class is one whose cells cuseq has, or may have: LSTM, GRU, RNN. */
bool cell_is_recurrent(const char *class_name);

/* Reads the cell's settings and finds its weights.
 *   inputs  the width of what it reads */
cuseq_status cell_read(struct evaluator *evaluator, const struct cell_source *source, int32_t inputs,
                       struct recurrent_cell *cell);

/* Applies a cell to a sequence, or makes one step of it. What is made, and refused, is in the name of
 * call->layer.
 *   sequences, states  what is returned */
cuseq_status cell_run(struct evaluator *evaluator, struct layer_call *call, const struct cell_source *source,
                      bool sequences, bool states);

/* layers_cells.c: the same of a list of cells. The states are those of the first cell, then of the second. */
cuseq_status cells_run(struct evaluator *evaluator, struct layer_call *call, const json_t *cells,
                       bool sequences, bool states);

/* Refuses a setting that is on. */
cuseq_status cell_refuse_setting(const struct keras_layer *layer, const json_t *config, const char *key,
                                 const char *why);

/* The number of a cell's states: h, and c of an LSTM. */
static inline int32_t cell_states(const struct recurrent_cell *cell) {
  return cell->kind == CELL_LSTM ? 2 : 1;
}

#endif
