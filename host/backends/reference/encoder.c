#include "backends/reference/reference.h"

#include <string.h>

static double merged(cuseq_merge merge, double forward, double backward) {
  switch (merge) {
  case CUSEQ_MERGE_SUM:
    return forward + backward;
  case CUSEQ_MERGE_MUL:
    return forward * backward;
  case CUSEQ_MERGE_AVE:
    return (forward + backward) / 2.0;
  case CUSEQ_MERGE_CONCAT:
    break;
  }
  return forward;
}

/* The merged hidden states of one position [merged_width]. */
static void merge_position(const struct encoder_layer *layer, const double *forward, const double *backward,
                           double *out) {
  int32_t first = encoder_layer_has(layer, 0) ? layer->cells[0].units : 0;
  if (layer->direction != LAYER_BIDIRECTIONAL) {
    memcpy(out, first > 0 ? forward : backward, (size_t)layer->merged_width * sizeof *out);
    return;
  }
  for (int32_t j = 0; j < first; j++)
    out[j] = merged(layer->merge, forward[j], backward[j]);
  if (layer->merge == CUSEQ_MERGE_CONCAT)
    memcpy(out + first, backward, (size_t)layer->cells[1].units * sizeof *out);
}

/* What the first layer reads of row b at position t: an embedding's row, or features rounded to float32 and
 * mapped. A one-hot row without an embedding is left to its id. */
static void load_position(const struct reference *r, const struct backend_input *input, int32_t b, int32_t t,
                          double *x) {
  const struct input_structure *in = &r->structure->input;
  size_t position = (size_t)b * input->time + t;
  if (in->embedding_units > 0) {
    for (int32_t j = 0; j < in->embedding_units; j++)
      x[j] = (double)in->embedding[(size_t)input->ids[position] * in->embedding_units + j];
    return;
  }
  const int32_t width = input_row_width(in);
  for (int32_t j = 0; j < width; j++) {
    size_t at = position * width + j;
    if (input->ids)
      x[j] = j == input->ids[position] ? 1.0 : 0.0;
    else
      x[j] = input->f64 ? (double)(float)input->f64[at] : (double)input->f32[at];
    if (in->has_affine)
      x[j] = (double)in->scale[j] * x[j] + (double)in->offset[j];
  }
}

static void load_state(const float *initial, size_t offset, int32_t units, double *state) {
  for (int32_t j = 0; j < units; j++)
    state[j] = initial ? (double)initial[offset + j] : 0.0;
}

/* One direction of one layer over one row: t = 0..L-1, or L-1..0. Whether the row goes on. */
static bool run_direction(struct reference *r, const struct backend_input *input, int32_t b, int32_t index,
                          int d, const cuseq_encoding *encoding) {
  const struct structure *structure = r->structure;
  const struct encoder_layer *layer = &structure->encoder.layers[index];
  const struct cell *cell = &layer->cells[d];
  int32_t H = cell->units, length = r->lengths[b],
          offset = structure_final_offset(&structure->encoder, index, d);
  double *hidden = r->directions + (size_t)d * r->limits.time * r->widest;
  /* the caller's arrays have a block [B,H] for each direction of each layer */
  size_t state = (size_t)offset * input->batch + (size_t)b * H;
  bool by_id =
      input->ids && index == 0 && structure->input.embedding_units == 0 && !structure->input.has_affine;
  load_state(input->initial_h, state, H, r->h);
  load_state(cell_has_c(cell->kind) ? input->initial_c : NULL, state, H, r->c);
  for (int32_t step = 0; step < length; step++) {
    int32_t t = d == 0 ? step : length - 1 - step;
    int32_t id = by_id ? input->ids[(size_t)b * input->time + t] : -1;
    reference_cell_step(cell, r->below + (size_t)t * r->widest, id, r->h, r->c, r->scratch);
    memcpy(hidden + (size_t)t * r->widest, r->h, (size_t)H * sizeof *hidden);
    if (!(reference_in_range(r->h, (size_t)H) && reference_in_range(r->c, (size_t)H)) &&
        !reference_leaves(r, b, BACKEND_STAGE_ENCODER))
      return false;
  }
  reference_store(encoding->final_h, state, r->h, H);
  reference_store(encoding->final_c, state, r->c, H);
  int32_t width = r->model->config.encoder_state_width;
  memcpy(r->final_h + (size_t)b * width + offset, r->h, (size_t)H * sizeof *r->h);
  memcpy(r->final_c + (size_t)b * width + offset, r->c, (size_t)H * sizeof *r->c);
  if (index < structure->encoder.count - 1)
    return true;
  reference_store(d == 0 ? encoding->h_fw : encoding->h_bw, (size_t)b * H, r->h, H);
  reference_store(d == 0 ? encoding->c_fw : encoding->c_bw, (size_t)b * H, r->c, H);
  return true;
}

/* Each feature is multiplied by its own weights of the positions. Whether the energies are in range. */
static bool weight_positions(struct reference *r, const struct encoder_layer *layer, int32_t length) {
  const struct dense *weighting = &layer->weighting;
  double *feature = r->directions, *alphas = r->alphas; /* [T] each */
  bool bounded = true;
  if (!weighting->kernel)
    return true;
  const int32_t T = weighting->units;
  for (int32_t j = 0; j < layer->merged_width; j++) {
    double *x = r->below + j;
    for (int32_t t = 0; t < T; t++) {
      feature[t] = t < length ? x[(size_t)t * r->widest] : 0.0;
      alphas[t] = weighting->bias ? (double)weighting->bias[t] : 0.0;
    }
    reference_multiply(feature, weighting->kernel, T, T, alphas);
    bounded = reference_bounded(alphas, length) && bounded;
    activation_softmax(alphas, length, length);
    for (int32_t t = 0; t < length; t++)
      x[(size_t)t * r->widest] *= alphas[t];
  }
  return bounded;
}

/* What a position asked takes its place, or stands before it. Whether the energies are in range. */
static bool attend_layer(struct reference *r, const struct encoder_layer *layer, int32_t length) {
  const struct attention_structure *attention = encoder_self_attention(&r->structure->encoder, layer);
  if (!attention)
    return true;
  const bool bounded = reference_self_attend(r, attention, layer->merged_width, length);
  const int32_t C = attention->context_width;
  for (int32_t t = 0; t < length; t++) {
    double *x = r->below + (size_t)t * r->widest;
    if (layer->beside)
      memmove(x + C, x, (size_t)layer->merged_width * sizeof *x);
    memcpy(x, reference_contexts(r) + (size_t)t * r->widest, (size_t)C * sizeof *x);
  }
  return bounded;
}

/* A layer's outputs take the place of its inputs. Whether the row goes on. */
static bool finish_layer(struct reference *r, int32_t b, const struct encoder_layer *layer, int32_t length) {
  const double *forward = r->directions, *backward = r->directions + (size_t)r->limits.time * r->widest;
  for (int32_t t = 0; t < length; t++) {
    double *x = r->below + (size_t)t * r->widest, *merged = r->read;
    size_t at = (size_t)t * r->widest;
    merge_position(layer, forward + at, backward + at, merged);
    for (int32_t j = 0; j < layer->merged_width; j++)
      x[j] = merged[j] + (layer->residual ? x[j] : 0.0);
  }
  bool in_range = weight_positions(r, layer, length);
  in_range = attend_layer(r, layer, length) && in_range;
  for (int32_t t = 0; t < length; t++) {
    double *x = r->below + (size_t)t * r->widest;
    reference_dense(&layer->dense, x, r->scratch);
    in_range = in_range && reference_in_range(x, (size_t)layer->width);
  }
  return in_range || reference_leaves(r, b, BACKEND_STAGE_MERGE);
}

/* All layers of a row; one that leaves float32's range ends there. */
static void encode_row(struct reference *r, const struct backend_input *input, int32_t b,
                       const cuseq_encoding *encoding) {
  const struct encoder_structure *encoder = &r->structure->encoder;
  int32_t A = encoder->width, length = r->lengths[b];
  for (int32_t t = 0; t < length; t++)
    load_position(r, input, b, t, r->below + (size_t)t * r->widest);
  for (int32_t l = 0; l < encoder->count; l++) {
    for (int d = 0; d < 2; d++)
      if (encoder_layer_has(&encoder->layers[l], d) && !run_direction(r, input, b, l, d, encoding))
        return;
    if (!finish_layer(r, b, &encoder->layers[l], length))
      return;
  }
  double *annotations = r->annotations + (size_t)b * r->time * A;
  for (int32_t t = 0; t < length; t++)
    memcpy(annotations + (size_t)t * A, r->below + (size_t)t * r->widest, (size_t)A * sizeof *annotations);
  memset(annotations + (size_t)length * A, 0, (size_t)(r->time - length) * A * sizeof *annotations);
}

cuseq_status reference_encode(void *state, const struct backend_input *input,
                              const cuseq_encoding *encoding) {
  struct reference *r = state;
  r->batch = input->batch;
  r->time = input->time;
  r->fault = BACKEND_NO_FAULT;
  for (int32_t b = 0; b < input->batch; b++) {
    r->lengths[b] = input->lengths ? input->lengths[b] : input->time;
    encode_row(r, input, b, encoding);
  }
  size_t count = (size_t)r->batch * r->time * r->structure->encoder.width;
  reference_store(encoding->annotations, 0, r->annotations, count);
  return backend_fault_report(r->fault, "");
}
