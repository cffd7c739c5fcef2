/* The encoder's layers step by step, CUDA_ENCODER_CELL. */
#ifndef CUSEQ_CUDA_CELL_GRAPH_H
#define CUSEQ_CUDA_CELL_GRAPH_H

#include "backends/cuda/cuda.h"

/* Queues cells that run together over whole sequences. Of `sequence`, mapping, d_order, d_x and d_workspace
 * are not looked at; d_final_h must be there, and d_final_c where the cells have a c. Uses
 * session->work.d_products, d_reset, d_candidate. */
cuseq_status cuda_cells_queue(struct cuda_session *session, const struct cuda_run *run,
                              const struct sequence *sequence);

#endif
