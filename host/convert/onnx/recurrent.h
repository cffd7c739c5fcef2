/* The settings and weights of ONNX's LSTM and GRU. */
#ifndef CUSEQ_ONNX_RECURRENT_H
#define CUSEQ_ONNX_RECURRENT_H

#include "convert/onnx/evaluate.h"

struct recurrent {
  bool batch_first; /* layout 1 */
  enum layer_direction direction;
  int32_t direction_count;
  struct recurrent_cell cells[2]; /* forward, backward; of a layer of one direction at its place */
};

/* Reads a node's attributes and weights. Gates come in cuseq's order: ONNX's LSTM has i, o, f, c and its GRU
 * z, r, h.
 *   inputs  the width of what it reads */
cuseq_status recurrent_read(struct evaluator *evaluator, const struct node_call *call, int64_t inputs,
                            struct recurrent *recurrent);

/* Gives a cell the node of an equal one that was there before: weights that are stored for every step of a
 * loop anew are one cell's. */
void recurrent_same_cell(const struct evaluator *evaluator, struct recurrent_cell *cell);

#endif
