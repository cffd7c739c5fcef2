/* Where a decoder's states, or the state that asks, begin. */
#include "backends/reference/reference.h"

#include <string.h>

/* One direction's final state of an encoder layer. */
static const double *final_of(const struct reference *r, int32_t row, const struct initial_structure *initial,
                              int direction) {
  const double *finals = initial->takes_c ? r->final_c : r->final_h;
  return finals + (size_t)row * r->model->config.encoder_state_width +
         structure_final_offset(&r->structure->encoder, initial->encoder_layer, direction);
}

void reference_initial(const struct reference *r, int32_t row, const struct initial_structure *initial,
                       int32_t units, double *state) {
  if (initial->from != INITIAL_ENCODER) {
    memset(state, 0, (size_t)units * sizeof *state);
    return;
  }
  const struct encoder_layer *layer = &r->structure->encoder.layers[initial->encoder_layer];
  bool backward = initial->directions == INITIAL_BACKWARD || !encoder_layer_has(layer, 0);
  double *x = r->key; /* room for what the dense layer reads and gives */
  memcpy(x, final_of(r, row, initial, backward), (size_t)initial->inputs * sizeof *x);
  for (int32_t j = 0;
       initial->directions == INITIAL_SUM && layer->direction == LAYER_BIDIRECTIONAL && j < initial->inputs;
       j++)
    x[j] += final_of(r, row, initial, 1)[j];
  reference_dense(&initial->dense, x, r->scratch);
  memcpy(state, x, (size_t)units * sizeof *state);
}
