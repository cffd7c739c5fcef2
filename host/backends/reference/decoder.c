#include "backends/reference/reference.h"

#include <string.h>

/* The state before the first step: the caller's, zeros, the encoder's final one, or that through a dense
 * layer. */
static void initial_state(const struct reference *r, int32_t b, const float *given, const double *final,
                          const struct dense_weights *dense, double *state) {
  const cuseq_config *config = &r->model->config;
  int32_t S = config->state_units, width = config_final_width(config);
  memset(state, 0, (size_t)S * sizeof *state);
  if (given) {
    for (int32_t j = 0; j < S; j++)
      state[j] = (double)given[(size_t)b * S + j];
  } else if (config->initial_state == CUSEQ_INITIAL_STATE_ENCODER) {
    memcpy(state, final + (size_t)b * width, (size_t)S * sizeof *state);
  } else if (config->initial_state == CUSEQ_INITIAL_STATE_DENSE && dense->kernel) {
    reference_dense(dense, final + (size_t)b * width, state);
    for (int32_t j = 0; j < S; j++)
      state[j] = reference_activate(config->initial_activation, state[j]);
  }
}

static void attend_row(struct reference *r, int32_t b, double *context) {
  const double *annotations = r->annotations + (size_t)b * r->time * r->model->config.annotation_width;
  reference_attend(r->model, annotations, r->lengths[b], r->time, r->h, r->alphas, context, r->scratch);
}

/* concat(context, embedding of the previous token); the context is there already. */
static void feed_back(struct reference *r, int32_t previous) {
  const cuseq_config *config = &r->model->config;
  int32_t E = config->embedding_units, V = config->outputs;
  double *fed_back = r->cell_input + config->annotation_width;
  for (int32_t j = 0; E > 0 && j < E; j++)
    fed_back[j] = (double)r->model->weights.embedding[(size_t)previous * E + j];
  for (int32_t v = 0; E == 0 && v < V; v++)
    fed_back[v] = v == previous ? 1.0 : 0.0;
}

/* The lowest index of the largest value. */
static int32_t argmax(const double *values, int32_t count) {
  int32_t best = 0;
  for (int32_t v = 1; v < count; v++)
    if (values[v] > values[best])
      best = v;
  return best;
}

/* One step of one row; returns the token. */
static int32_t decode_step(struct reference *r, int32_t b, int32_t previous) {
  const cuseq_config *config = &r->model->config;
  attend_row(r, b, r->cell_input);
  if (config->feedback == CUSEQ_FEEDBACK_OUTPUT)
    feed_back(r, previous);
  reference_lstm_step(&r->model->weights.decoder, config->decoder_activation,
                      config->decoder_recurrent_activation, r->cell_input, -1, r->h, r->c, r->z);
  reference_dense(&r->model->weights.output, r->h, r->output);
  int32_t token = argmax(r->output, config->outputs);
  if (config->output_activation == CUSEQ_ACTIVATION_SOFTMAX)
    reference_softmax(r->output, config->outputs, config->outputs);
  return token;
}

/* Zeros, and the end token, in a row's steps from `step` on. */
static void clear_after_end(const struct reference *r, int32_t b, int32_t step,
                            const cuseq_decoding *decoding) {
  const cuseq_config *config = &r->model->config;
  size_t first = (size_t)b * decoding->steps + step, count = (size_t)(decoding->steps - step);
  const struct {
    float *array;
    int32_t width;
  } arrays[] = {{decoding->contexts, config->annotation_width},
                {decoding->alphas, r->time},
                {decoding->states, config->state_units},
                {decoding->outputs, config->outputs}};
  for (int i = 0; i < 4; i++)
    if (arrays[i].array)
      memset(arrays[i].array + first * arrays[i].width, 0, count * arrays[i].width * sizeof(float));
  for (size_t y = 0; decoding->tokens && y < count; y++)
    decoding->tokens[first + y] = config->end_token;
}

static void decode_row(struct reference *r, int32_t b, const cuseq_decoding *decoding) {
  const cuseq_config *config = &r->model->config;
  int32_t A = config->annotation_width, S = config->state_units, V = config->outputs;
  int32_t token = decoding->previous ? decoding->previous[b] : -1, step = 0;
  bool ended = false;
  for (; step < decoding->steps && !ended; step++) {
    token = decode_step(r, b, token);
    size_t y = (size_t)b * decoding->steps + step;
    reference_store(decoding->contexts, y * A, r->cell_input, A);
    reference_store(decoding->alphas, y * r->time, r->alphas, r->time);
    reference_store(decoding->states, y * S, r->h, S);
    reference_store(decoding->outputs, y * V, r->output, V);
    if (decoding->tokens)
      decoding->tokens[y] = token;
    ended = token == config->end_token;
  }
  clear_after_end(r, b, step, decoding);
  if (decoding->output_lengths)
    decoding->output_lengths[b] = step;
  reference_store(decoding->final_h, (size_t)b * S, r->h, S);
  reference_store(decoding->final_c, (size_t)b * S, r->c, S);
}

cuseq_status reference_attend_all(void *state, const float *hidden, float *context, float *alphas) {
  struct reference *r = state;
  int32_t A = r->model->config.annotation_width;
  for (int32_t b = 0; b < r->batch; b++) {
    initial_state(r, b, hidden, r->final_h, &r->model->weights.initial_h, r->h);
    attend_row(r, b, r->cell_input);
    reference_store(context, (size_t)b * A, r->cell_input, A);
    reference_store(alphas, (size_t)b * r->time, r->alphas, r->time);
  }
  return CUSEQ_STATUS_OK;
}

cuseq_status reference_decode(void *state, const cuseq_decoding *decoding) {
  struct reference *r = state;
  if (!r->model->config.has_decoder)
    return reference_attend_all(state, decoding->initial_h, decoding->contexts, decoding->alphas);
  for (int32_t b = 0; b < r->batch; b++) {
    initial_state(r, b, decoding->initial_h, r->final_h, &r->model->weights.initial_h, r->h);
    initial_state(r, b, decoding->initial_c, r->final_c, &r->model->weights.initial_c, r->c);
    decode_row(r, b, decoding);
  }
  return CUSEQ_STATUS_OK;
}
