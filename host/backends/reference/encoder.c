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

/* What one position of a layer gives: `out` [A] from h_fw[t] and h_bw[t]. */
static void merge_position(const cuseq_config *config, const double *forward, const double *backward,
                           double *out) {
  int32_t H = config->units;
  bool both = config->direction == CUSEQ_DIRECTION_BIDIRECTIONAL;
  for (int32_t j = 0; j < H; j++)
    out[j] = both ? merged(config->merge, forward[j], backward[j]) : forward[j];
  if (both && config->merge == CUSEQ_MERGE_CONCAT)
    memcpy(out + H, backward, (size_t)H * sizeof *out);
}

/* Row b's input as float64, rounded to float32 first. */
static void load_row(const struct reference *r, const struct backend_input *input, int32_t b,
                     int32_t length) {
  int32_t F = r->model->config.features;
  size_t first = (size_t)b * input->time * F;
  for (size_t i = 0; i < (size_t)length * F && !input->ids; i++)
    r->below[i] = input->f64 ? (double)(float)input->f64[first + i] : (double)input->f32[first + i];
}

static void load_state(const float *initial, size_t offset, int32_t units, double *state) {
  for (int32_t j = 0; j < units; j++)
    state[j] = initial ? (double)initial[offset + j] : 0.0;
}

/* One direction of one layer over one row: t = 0..L-1, or L-1..0. */
static void run_direction(struct reference *r, const struct backend_input *input, int32_t b, int32_t layer,
                          int32_t d, int32_t length, const cuseq_encoding *encoding) {
  const cuseq_config *config = &r->model->config;
  int32_t H = config->units, D = config_directions(config);
  const struct lstm_weights *weights = &r->model->weights.encoder[layer][d];
  double *hidden = r->directions + (size_t)d * r->limits.time * H;
  size_t state = (((size_t)layer * D + d) * input->batch + b) * H;
  load_state(input->initial_h, state, H, r->h);
  load_state(input->initial_c, state, H, r->c);
  for (int32_t step = 0; step < length; step++) {
    int32_t t = d == 0 ? step : length - 1 - step;
    int32_t id = input->ids && layer == 0 ? input->ids[(size_t)b * input->time + t] : -1;
    reference_lstm_step(weights, config->activation, config->recurrent_activation,
                        r->below + (size_t)t * weights->inputs, id, r->h, r->c, r->z);
    memcpy(hidden + (size_t)t * H, r->h, (size_t)H * sizeof *hidden);
  }
  reference_store(encoding->final_h, state, r->h, H);
  reference_store(encoding->final_c, state, r->c, H);
  if (layer < config->layers - 1)
    return;
  reference_store(d == 0 ? encoding->h_fw : encoding->h_bw, (size_t)b * H, r->h, H);
  reference_store(d == 0 ? encoding->c_fw : encoding->c_bw, (size_t)b * H, r->c, H);
  memcpy(r->final_h + ((size_t)b * D + d) * H, r->h, (size_t)H * sizeof *r->h);
  memcpy(r->final_c + ((size_t)b * D + d) * H, r->c, (size_t)H * sizeof *r->c);
}

static void encode_row(struct reference *r, const struct backend_input *input, int32_t b,
                       const cuseq_encoding *encoding) {
  const cuseq_config *config = &r->model->config;
  int32_t H = config->units, A = config->annotation_width, length = r->lengths[b];
  load_row(r, input, b, length);
  for (int32_t layer = 0; layer < config->layers; layer++) {
    for (int32_t d = 0; d < config_directions(config); d++)
      run_direction(r, input, b, layer, d, length, encoding);
    double *backward = r->directions + (size_t)r->limits.time * H;
    for (int32_t t = 0; t < length; t++)
      merge_position(config, r->directions + (size_t)t * H, backward + (size_t)t * H,
                     r->below + (size_t)t * A);
  }
  double *annotations = r->annotations + (size_t)b * r->time * A;
  memcpy(annotations, r->below, (size_t)length * A * sizeof *annotations);
  memset(annotations + (size_t)length * A, 0, (size_t)(r->time - length) * A * sizeof *annotations);
}

cuseq_status reference_encode(void *state, const struct backend_input *input,
                              const cuseq_encoding *encoding) {
  struct reference *r = state;
  r->batch = input->batch;
  r->time = input->time;
  for (int32_t b = 0; b < input->batch; b++) {
    r->lengths[b] = input->lengths ? input->lengths[b] : input->time;
    encode_row(r, input, b, encoding);
  }
  size_t count = (size_t)r->batch * r->time * r->model->config.annotation_width;
  reference_store(encoding->annotations, 0, r->annotations, count);
  return CUSEQ_STATUS_OK;
}
