/* Cells of encoder layers that no mapping takes: for every step one product h U over all rows and directions,
 * and the cell kernel; a graph, so that they are one launch whatever T is. */
#include "backends/cuda/cell_graph.h"

#include "backends/cuda/graphs.h"
#include "error.h"

#include <string.h>

struct cells {
  const struct cuda_run *run;
  const struct sequence *sequence;
};

/* r h of a step to d_reset, and its product with U_n to d_candidate: what the cell kernel of a GRU with the
 * reset before the product needs beside h U. */
static cuseq_status candidate_queue(struct cuda_session *session, const struct cells *cells,
                                    const struct cell_step *step) {
  const struct cuda_product product = {.a = session->work.d_reset,
                                       .b = cells->run->d_candidate,
                                       .c = session->work.d_candidate,
                                       .m = step->batch,
                                       .n = step->units,
                                       .k = step->units,
                                       .lda = step->units,
                                       .count = step->directions};
  struct cell_step reset = *step;
  reset.d_reset = session->work.d_reset;
  TRY(cuda_launched(session, launch_cell_step(&reset, &session->launch)));
  return cuda_product_queue(session, &product);
}

/* h lies where the final states are wanted: rows that have ended are left alone, so that theirs stay. */
static cuseq_status steps_queue(struct cuda_session *session, const void *arguments) {
  const struct cells *cells = arguments;
  const struct sequence *a = cells->sequence;
  int32_t H = a->units;
  bool before = cells->run->cells.form == CELL_FORM_GRU_RESET_BEFORE;
  struct cuda_product product = {.b = a->d_recurrent,
                                 .c = session->work.d_products,
                                 .m = a->batch,
                                 .n = 4 * H,
                                 .k = H,
                                 .lda = H,
                                 .count = a->directions};
  struct cell_step cell = {.form = cells->run->cells.form,
                           .batch = a->batch,
                           .time = a->time,
                           .units = H,
                           .directions = a->directions,
                           .is_backward = a->is_backward,
                           .activation = a->activation,
                           .recurrent_activation = a->recurrent_activation,
                           .d_lengths = a->d_lengths,
                           .d_projected = a->d_projected,
                           .d_ids = a->d_ids,
                           .d_kernel = a->d_kernel,
                           .d_bias = a->d_bias,
                           .d_h = a->d_final_h,
                           .d_c = a->d_final_c,
                           .d_output = {a->d_output[0], a->d_output[1]},
                           .leading = a->leading,
                           .check = a->check};
  for (cell.step = 0; cell.step < a->time; cell.step++) {
    product.a = cell.step > 0 ? a->d_final_h : a->d_initial_h;
    cell.d_products = product.a ? session->work.d_products : NULL; /* a first h of 0 needs no product */
    cell.d_previous_h = product.a;
    cell.d_previous_c = cell.step > 0 ? a->d_final_c : a->d_initial_c;
    cell.d_candidate = NULL;
    if (product.a)
      TRY(cuda_product_queue(session, &product));
    if (product.a && before) {
      TRY(candidate_queue(session, cells, &cell));
      cell.d_candidate = session->work.d_candidate;
    }
    TRY(cuda_launched(session, launch_cell_step(&cell, &session->launch)));
  }
  return CUSEQ_STATUS_OK;
}

cuseq_status cuda_cells_queue(struct cuda_session *session, const struct cuda_run *run,
                              const struct sequence *a) {
  const struct cells cells = {run, a};
  struct cuda_graph_key key;
  memset(&key, 0, sizeof key);
  const int64_t sizes[] = {a->batch, a->time};
  const void *arrays[] = {a->d_recurrent, a->d_lengths,   a->d_projected, a->d_ids,     a->d_initial_h,
                          a->d_initial_c, a->d_output[0], a->d_output[1], a->d_final_h, a->d_final_c};
  memcpy(key.sizes, sizes, sizeof sizes);
  memcpy(key.arrays, arrays, sizeof arrays);
  return cuda_graph_launch(session, &key, steps_queue, &cells);
}
