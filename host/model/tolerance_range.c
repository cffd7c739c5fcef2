/* What bounds the numbers of an array: the activations that they come from, and averages of them. */
#include "model/tolerance_range.h"

#include <math.h>
#include <stdbool.h>

static double of_activation(cuseq_activation activation) {
  switch (activation) {
  case CUSEQ_ACTIVATION_SIGMOID:
  case CUSEQ_ACTIVATION_HARD_SIGMOID:
  case CUSEQ_ACTIVATION_HARD_SIGMOID_KERAS2:
  case CUSEQ_ACTIVATION_SOFTMAX:
    return 1.0;
  case CUSEQ_ACTIVATION_TANH:
  case CUSEQ_ACTIVATION_HARD_TANH:
  case CUSEQ_ACTIVATION_SOFTSIGN:
    return 2.0;
  default:
    return INFINITY;
  }
}

/* h of an LSTM is an activation times a gate; h of a GRU a mean of activations and of what it began with,
 * where its gates lie between 0 and 1. */
static double of_cell(const struct cell *cell) {
  const double gates = of_activation(cell->recurrent_activation), values = of_activation(cell->activation);
  const bool bounded = isfinite(values) && (cell->kind == CELL_LSTM ? isfinite(gates) : gates == 1.0);
  return bounded ? 2.0 : INFINITY;
}

static double of_encoder_states(const struct structure *s) {
  double most = 0.0;
  for (int32_t l = 0; l < s->encoder.count; l++)
    for (int d = 0; d < 2; d++)
      if (encoder_layer_has(&s->encoder.layers[l], d))
        most = fmax(most, of_cell(&s->encoder.layers[l].cells[d]));
  return most;
}

static double of_annotations(const struct structure *s) {
  const struct encoder_layer *last = &s->encoder.layers[s->encoder.count - 1];
  if (last->dense.units > 0)
    return of_activation(last->dense.activation);
  if (last->residual || last->self_attention > 0)
    return INFINITY;
  double most = 0.0;
  for (int d = 0; d < 2; d++)
    if (encoder_layer_has(last, d))
      most = fmax(most, of_cell(&last->cells[d]));
  return last->direction == LAYER_BIDIRECTIONAL && last->merge == CUSEQ_MERGE_SUM ? 2.0 * most : most;
}

/* Of all layers, and of what the last one hands on. */
static double of_states(const struct structure *s) {
  const struct decoder_structure *decoder = &s->decoder;
  double most = decoder->attentional.present ? of_activation(decoder->attentional.dense.activation) : 0.0;
  for (int32_t l = 0; l < decoder->count; l++)
    most = fmax(most, decoder->layers[l].residual ? INFINITY : of_cell(&decoder->layers[l].cell));
  return most;
}

static double of_outputs(const struct structure *s) {
  double most = 0.0;
  for (int32_t i = 0; i < s->output.count; i++) {
    const struct dense_chain *layers = &s->output.heads[i].layers;
    most = fmax(most, of_activation(layers->layers[layers->count - 1].activation));
  }
  return most;
}

double tolerance_range(const struct structure *s, cuseq_result result) {
  switch (result) {
  case CUSEQ_RESULT_ANNOTATIONS:
    return of_annotations(s);
  case CUSEQ_RESULT_ENCODER_H:
    return of_encoder_states(s);
  case CUSEQ_RESULT_CONTEXTS:
    return s->attention.value_map.units > 0 ? of_activation(s->attention.value_map.activation)
                                            : of_annotations(s);
  case CUSEQ_RESULT_ALPHAS:
    return 1.0;
  case CUSEQ_RESULT_STATES:
    return of_states(s);
  case CUSEQ_RESULT_OUTPUTS:
    return of_outputs(s);
  default: /* c, and logarithms */
    return INFINITY;
  }
}
