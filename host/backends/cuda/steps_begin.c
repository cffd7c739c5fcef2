#include "backends/cuda/steps.h"

#include "error.h"

/* Where the final states of a direction lie. */
static const float *final_state(const struct cuda_session *session, int32_t layer, int direction, bool is_c) {
  return (is_c ? session->work.d_final_c : session->work.d_final_h) +
         cuda_states_offset(session, layer, direction, session->encoded.batch);
}

/* What an initial state takes of the encoder, before its dense layer. */
static cuseq_status gather(struct cuda_session *session, const struct initial_structure *initial,
                           const struct cuda_stepping *stepping, float *d_output, int64_t stride) {
  const struct encoder_layer *layer = &session->steps->structure.encoder.layers[initial->encoder_layer];
  bool takes[2] = {encoder_layer_has(layer, 0) && initial->directions != INITIAL_BACKWARD,
                   encoder_layer_has(layer, 1) && initial->directions != INITIAL_FORWARD};
  struct initial_gather arguments = {.batch = stepping->rows,
                                     .sums = initial->directions == INITIAL_SUM,
                                     .d_rows = stepping->d_rows,
                                     .d_output = d_output,
                                     .stride = stride};
  int first = takes[0] ? 0 : 1;
  arguments.d_first = final_state(session, initial->encoder_layer, first, initial->takes_c);
  arguments.first_units = layer->cells[first].units;
  if (takes[0] && takes[1]) {
    arguments.d_second = final_state(session, initial->encoder_layer, 1, initial->takes_c);
    arguments.second_units = layer->cells[1].units;
  }
  return cuda_launched(session, launch_initial_gather(&arguments, &session->launch));
}

static cuseq_status zeros(struct cuda_session *session, int32_t rows, int32_t units, float *d_output,
                          int64_t stride) {
  const struct initial_gather arguments = {
      .batch = rows, .first_units = units, .d_output = d_output, .stride = stride};
  return cuda_launched(session, launch_initial_gather(&arguments, &session->launch));
}

cuseq_status cuda_steps_initial(struct cuda_session *session, const struct initial_structure *initial,
                                const struct cuda_stepping *stepping, int32_t units, float *d_output,
                                int64_t stride) {
  struct cuda_steps *steps = session->steps;
  const struct cuda_kept kept = {.check = cuda_check_results(session, 0), .stage = LAUNCH_STAGE_DECODER};
  if (initial->from != INITIAL_ENCODER)
    return zeros(session, stepping->rows, units, d_output, stride);
  if (!initial->dense.kernel)
    return gather(session, initial, stepping, d_output, stride);
  const struct dense_chain chain = {.count = 1, .layers = {initial->dense}};
  const struct cuda_parts taken = cuda_parts_one(steps->d_scratch[1], initial->inputs, initial->inputs);
  TRY(gather(session, initial, stepping, steps->d_scratch[1], initial->inputs));
  return cuda_chain_queue(session, &chain, &taken, stepping->rows, steps->d_scratch, &kept, d_output, stride);
}

static cuseq_status copy(struct cuda_session *session, const float *from, int64_t from_stride, int32_t width,
                         int32_t rows, float *to, int64_t to_stride) {
  const struct cuda_parts parts = cuda_parts_one(from, from_stride, width);
  return cuda_parts_copy(session, &parts, rows, to, to_stride);
}

/* How many places apart rows lie. */
static int32_t apart(const struct cuda_stepping *stepping) {
  return stepping->apart > 0 ? stepping->apart : 1;
}

/* A layer's states from the encoder; one of the two may begin as the other does. */
static cuseq_status layer_begin(struct cuda_session *session, const struct cuda_stepping *stepping,
                                int32_t l) {
  const struct decoder_structure *decoder = &session->steps->structure.decoder;
  const struct decoder_layer *layer = &decoder->layers[l];
  int32_t units = layer->cell.units, rows = stepping->rows;
  int64_t stride = (int64_t)decoder->state_width * apart(stepping);
  float *h = cuda_decoding_floats(session, BACKEND_DECODER_FINAL_H) + session->steps->offsets[l];
  float *c = cuda_decoding_floats(session, BACKEND_DECODER_FINAL_C) + session->steps->offsets[l];
  TRY(cuda_steps_initial(session, &layer->initial_h, stepping, units, h, stride));
  if (!cell_has_c(layer->cell.kind))
    return zeros(session, rows, units, c, stride);
  TRY(cuda_steps_initial(session, &layer->initial_c, stepping, units, c, stride));
  if (layer->initial_h.from == INITIAL_OTHER)
    TRY(copy(session, c, stride, units, rows, h, stride));
  if (layer->initial_c.from == INITIAL_OTHER)
    TRY(copy(session, h, stride, units, rows, c, stride));
  return CUSEQ_STATUS_OK;
}

/* States that the caller gives, of all layers at once; a GRU's cell state is 0. */
static cuseq_status given_begin(struct cuda_session *session, const struct cuda_stepping *stepping) {
  const struct cuda_steps *steps = session->steps;
  const struct decoder_structure *decoder = &steps->structure.decoder;
  int32_t S = decoder->state_width;
  float *h = cuda_decoding_floats(session, BACKEND_DECODER_FINAL_H);
  float *c = cuda_decoding_floats(session, BACKEND_DECODER_FINAL_C);
  const float *given_c = cuda_decoding_floats(session, BACKEND_STATE_C);
  int64_t stride = (int64_t)S * apart(stepping);
  TRY(copy(session, cuda_decoding_floats(session, BACKEND_STATE_H), S, S, stepping->rows, h, stride));
  for (int32_t l = 0; l < decoder->count; l++) {
    int32_t units = decoder->layers[l].cell.units, offset = steps->offsets[l];
    bool takes = stepping->given_c && cell_has_c(decoder->layers[l].cell.kind);
    TRY(takes ? copy(session, given_c + offset, S, units, stepping->rows, c + offset, stride)
              : zeros(session, stepping->rows, units, c + offset, stride));
  }
  return CUSEQ_STATUS_OK;
}

/* What the step before the first handed on: given vectors, or zeros and the probabilities that are there. */
static cuseq_status fed_begin(struct cuda_session *session, const struct cuda_stepping *stepping) {
  struct cuda_steps *steps = session->steps;
  const struct decoder_structure *decoder = &steps->structure.decoder;
  const float *given = cuda_decoding_floats(session, BACKEND_FED);
  float *const to[] = {steps->d_attentional, steps->d_context, steps->d_probabilities};
  const int32_t widths[] = {decoder->fed_attentional, decoder->fed_context, decoder->fed_probabilities};
  for (int i = 0; i < 3; given += widths[i++]) {
    const struct cuda_parts parts = cuda_parts_one(given, decoder->fed_width, widths[i]);
    if (widths[i] == 0)
      continue;
    if (stepping->given_fed)
      TRY(cuda_parts_copy(session, &parts, stepping->rows, to[i], (int64_t)widths[i] * apart(stepping)));
    else if (to[i] != steps->d_probabilities)
      TRY(zeros(session, stepping->rows, widths[i], to[i], (int64_t)widths[i] * apart(stepping)));
  }
  return CUSEQ_STATUS_OK;
}

cuseq_status cuda_steps_begin(struct cuda_session *session, const struct cuda_stepping *stepping) {
  const struct decoder_structure *decoder = &session->steps->structure.decoder;
  TRY(fed_begin(session, stepping));
  if (stepping->given_h)
    return given_begin(session, stepping);
  for (int32_t l = 0; l < decoder->count; l++)
    TRY(layer_begin(session, stepping, l));
  return CUSEQ_STATUS_OK;
}
