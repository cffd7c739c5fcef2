/* The encoder's layers step by step, CUDA_ENCODER_CELL. */
#ifndef CUSEQ_CUDA_CELL_GRAPH_H
#define CUSEQ_CUDA_CELL_GRAPH_H

#include "backends/cuda/cuda.h"

/* Queues one layer. Of `sequence`, mapping, d_order, d_x and d_workspace are not looked at; d_final_h and d_final_c must be
 * there. Uses session->d_products. */
cuseq_status cuda_cells_queue(struct cuda_session *session, const struct lstm_sequence *sequence);

#endif
