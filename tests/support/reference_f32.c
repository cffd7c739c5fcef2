/* host/backends/reference once more, with float in place of double. Every header that declares a double comes first. Math
 * functions and constants stay double, so that activations are rounded once; sums and products are float32's. */
#include "support/reference_f32.h"

#include "backends/backend.h"
#include "error.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#pragma GCC diagnostic ignored "-Woverflow" /* the bound of float64 is infinite in float32 */
#pragma GCC diagnostic ignored "-Wunused-function"

#define reference_activate f32_activate
#define reference_attend f32_attend
#define reference_attend_all f32_attend_all
#define reference_bounded f32_bounded
#define reference_cell_inputs f32_cell_inputs
#define reference_cell_step f32_cell_step
#define reference_decode f32_decode
#define reference_dense f32_dense
#define reference_encode f32_encode
#define reference_final_offset f32_final_offset
#define reference_gru_step f32_gru_step
#define reference_head f32_head
#define reference_in_range f32_in_range
#define reference_initial f32_initial
#define reference_leaves f32_leaves
#define reference_log_softmax f32_log_softmax
#define reference_lstm_step f32_lstm_step
#define reference_multiply f32_multiply
#define reference_outputs f32_outputs
#define reference_softmax f32_softmax
#define reference_step f32_step
#define reference_store f32_store
#define backend_reference backend_f32
#define double float
#include "backends/reference/attention.c"
#include "backends/reference/cell_gru.c"
#include "backends/reference/cell_lstm.c"
#include "backends/reference/decoder.c"
#include "backends/reference/encoder.c"
#include "backends/reference/initial.c"
#include "backends/reference/math.c"
#include "backends/reference/output.c"
#include "backends/reference/reference.c"
#undef double

static void checked(cuseq_status status) {
  if (status != CUSEQ_STATUS_OK) {
    fprintf(stderr, "reference_f32_run: %s\n", cuseq_last_error());
    abort();
  }
}

void reference_f32_run(struct results *results, const cuseq_model *model, const cuseq_input *input) {
  const cuseq_config *config = cuseq_model_config(model);
  const size_t positions = (size_t)input->batch * (size_t)input->time;
  const struct backend_limits limits = {.batch = input->batch, .time = input->time, .steps = results->Y};
  struct backend_input view = {.batch = input->batch, .time = input->time, .lengths = input->lengths};
  int32_t *ids = calloc(positions, sizeof *ids), *previous = calloc((size_t)input->batch, sizeof *previous);
  if (!ids || !previous)
    abort();
  for (size_t i = 0; input->dtype == CUSEQ_DTYPE_I64 && i < positions; i++)
    ids[i] = (int32_t)((const int64_t *)input->data)[i];
  for (int32_t b = 0; b < input->batch; b++)
    previous[b] = config->start_token;
  if (input->dtype == CUSEQ_DTYPE_I64)
    view.ids = ids;
  else
    view.f32 = input->data;
  cuseq_decoding decoding = results->decoding;
  decoding.previous = config->feedback == CUSEQ_FEEDBACK_OUTPUT ? previous : NULL;
  void *state;
  checked(backend_f32.open(model, &limits, "reference", &state));
  checked(backend_f32.encode(state, &view, &results->encoding));
  checked(backend_f32.decode(state, &decoding));
  backend_f32.close(state);
  free(ids);
  free(previous);
}
