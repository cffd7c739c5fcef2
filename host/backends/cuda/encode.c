#include "backends/cuda/cuda.h"

#include "backends/cuda/cell_graph.h"
#include "backends/cuda/trace.h"
#include "error.h"

bool cuda_input_is_ids(const struct backend_input *input) {
  return input->ids ||
         (input->device && (input->dtype == CUSEQ_DTYPE_I32 || input->dtype == CUSEQ_DTYPE_I64));
}

void cuda_input_place(struct cuda_session *session, const struct backend_input *input,
                      const cuseq_decoding *decoding) {
  const cuseq_config *config = &session->model->config;
  session->d_given_x = session->d_x;
  if (!input->device || input->dtype != CUSEQ_DTYPE_F32)
    return;
  session->d_given_x = input->device;
  size_t B = (size_t)input->batch, T = (size_t)input->time, Y = decoding ? (size_t)decoding->steps : 0;
  size_t A = (size_t)config->annotation_width, S = (size_t)config->state_units, V = (size_t)config->outputs;
  const cuseq_decoding none = {0}, *results = decoding ? decoding : &none;
  const struct {
    const void *array;
    size_t count;
  } written[] = {{results->contexts, B * Y * A}, {results->alphas, B * Y * T}, {results->states, B * Y * S},
                 {results->outputs, B * Y * V},  {results->tokens, B * Y},     {results->output_lengths, B},
                 {results->final_h, B * S},      {results->final_c, B * S}};
  uintptr_t x = (uintptr_t)input->device, x_end = x + B * T * (size_t)config->features * sizeof(float);
  for (size_t i = 0; i < sizeof written / sizeof *written; i++) {
    uintptr_t y = (uintptr_t)written[i].array;
    if (y && x < y + written[i].count * sizeof(float) && y < x_end)
      session->d_given_x = session->d_x;
  }
}

/* Lengths and initial states. */
static cuseq_status small_queue(struct cuda_session *session, const struct backend_input *input) {
  const cuseq_config *config = &session->model->config;
  const struct {
    enum backend_array name;
    const float *given;
    float *d_states;
  } states[] = {{BACKEND_INITIAL_H, input->initial_h, session->d_initial_h},
                {BACKEND_INITIAL_C, input->initial_c, session->d_initial_c}};
  size_t count = (size_t)config->layers * (size_t)config_directions(config) * (size_t)input->batch *
                 (size_t)config->units;
  if (input->lengths && session->places[BACKEND_LENGTHS] == CUDA_PLACE_DEVICE)
    cuda_check_integers(session, BACKEND_LENGTHS, input->lengths, session->d_lengths, input->batch, 1,
                        input->time);
  else
    TRY(cuda_copy_in(session, BACKEND_LENGTHS, session->d_lengths, input->lengths,
                     (size_t)input->batch * sizeof(int32_t)));
  for (int i = 0; i < 2; i++)
    if (states[i].given && session->places[states[i].name] == CUDA_PLACE_DEVICE)
      cuda_check_states(session, states[i].name, states[i].given, states[i].d_states, (int64_t)count);
    else
      TRY(cuda_copy_in(session, states[i].name, states[i].d_states, states[i].given, count * sizeof(float)));
  return CUSEQ_STATUS_OK;
}

/* Data in host memory. Where only the device knows the lengths it is checked there: ids pass through d_x. */
static cuseq_status host_data_queue(struct cuda_session *session, const struct backend_input *input,
                                    const int32_t *d_lengths) {
  size_t positions = (size_t)input->batch * (size_t)input->time,
         count = positions * (size_t)session->model->config.features;
  bool checks = d_lengths && d_lengths != session->d_lengths;
  int32_t *ids = checks ? (int32_t *)session->d_x : session->d_ids;
  TRY(cuda_copy_in(session, BACKEND_DATA, ids, input->ids, positions * sizeof(int32_t)));
  TRY(cuda_copy_in(session, BACKEND_DATA, session->d_x, input->f32, count * sizeof(float)));
  if (input->f64)
    TRY(cuda_copy_in_f64(session, session->d_x, input->f64, count));
  if (checks && input->ids)
    cuda_check_data(session, ids, CUSEQ_DTYPE_I32, session->d_ids, 1, d_lengths);
  else if (checks && !session->limits.allow_nonfinite)
    cuda_check_data(session, session->d_x, CUSEQ_DTYPE_F32, NULL, session->model->config.features, d_lengths);
  return CUSEQ_STATUS_OK;
}

/* Data on the device: float32 stays where it is, the rest is converted. */
static void device_data_queue(struct cuda_session *session, const struct backend_input *input,
                              const int32_t *d_lengths) {
  int32_t F = session->model->config.features;
  if (cuda_input_is_ids(input))
    cuda_check_data(session, input->device, input->dtype, session->d_ids, 1, d_lengths);
  else if (session->d_given_x == session->d_x)
    cuda_check_data(session, input->device, input->dtype, session->d_x, F, d_lengths);
  else if (!session->limits.allow_nonfinite)
    cuda_check_data(session, input->device, input->dtype, NULL, F, d_lengths);
}

cuseq_status cuda_input_queue(struct cuda_session *session, const struct backend_input *input) {
  session->batch = input->batch;
  session->time = input->time;
  CUDA_RANGE("input", input->batch, input->time, session->model->config.units);
  bool device_lengths = input->lengths && session->places[BACKEND_LENGTHS] == CUDA_PLACE_DEVICE;
  session->d_encoded_lengths = input->lengths ? session->d_lengths : NULL;
  TRY(small_queue(session, input));
  /* a check reads the caller's lengths and clamps them itself, as all arrays are checked in one launch */
  const int32_t *d_lengths = device_lengths ? input->lengths : session->d_encoded_lengths;
  if (input->device)
    device_data_queue(session, input, d_lengths);
  else
    TRY(host_data_queue(session, input, d_lengths));
  return cuda_check_queue(session);
}

/* Whether mixed batches start their longest chains first. So many rows fill the device all the same. */
static bool is_ordered(const struct cuda_session *session, const struct backend_input *input) {
  return input->lengths && input->batch <= LSTM_ORDER_ROWS && session->choice.encoder != CUDA_ENCODER_CELL;
}

static cuseq_status order_queue(struct cuda_session *session, const struct backend_input *input) {
  struct lstm_order order = {input->batch, session->d_lengths, session->d_order};
  return is_ordered(session, input) ? cuda_launched(session, launch_lstm_order(&order, &session->launch))
                                    : CUSEQ_STATUS_OK;
}

/* Where direction d of a layer writes: into the annotations side by side, or apart to be merged. */
static void output_place(struct cuda_session *session, float *annotations, struct lstm_sequence *sequence) {
  const cuseq_config *config = &session->model->config;
  size_t apart = (size_t)sequence->batch * (size_t)sequence->time * (size_t)config->units;
  bool merges = sequence->directions == 2 && config->merge != CUSEQ_MERGE_CONCAT;
  sequence->d_output[0] = merges ? session->d_directions : annotations;
  sequence->d_output[1] = merges ? session->d_directions + apart : annotations + config->units;
  sequence->leading = merges ? config->units : config->annotation_width;
}

static cuseq_status merge_queue(struct cuda_session *session, const struct lstm_sequence *sequence,
                                float *annotations) {
  const cuseq_config *config = &session->model->config;
  if (sequence->directions == 1 || config->merge == CUSEQ_MERGE_CONCAT)
    return CUSEQ_STATUS_OK;
  CUDA_RANGE("merge", sequence->batch, sequence->time, sequence->units);
  struct lstm_merge merge = {.merge = config->merge,
                             .count = (int64_t)sequence->batch * sequence->time * config->units,
                             .d_forward = sequence->d_output[0],
                             .d_backward = sequence->d_output[1],
                             .d_output = annotations,
                             .row = (int64_t)sequence->time * config->units,
                             .check = cuda_check_results(session, 0)};
  return cuda_launched(session, launch_lstm_merge(&merge, &session->launch));
}

/* The layer's input: ids, dense rows taken by the kernel itself, or one product over all positions ahead of it. */
static cuseq_status project_queue(struct cuda_session *session, const struct cuda_layer *layer,
                                  const float *below, const int32_t *ids, struct lstm_sequence *sequence) {
  int32_t H = sequence->units, D = sequence->directions;
  sequence->d_kernel = layer->d_kernel;
  sequence->features = layer->inputs;
  if (ids) {
    sequence->d_ids = ids;
  } else if (lstm_mapping_takes_x(sequence->mapping, layer->inputs, H)) {
    sequence->d_x = below;
  } else {
    CUDA_RANGE("projection", sequence->batch, sequence->time, H);
    if (!session->blas)
      TRY(cuda_blas_open(session));
    TRY(cuda_blas_multiply(session, below, layer->d_kernel, session->d_projected,
                           sequence->batch * sequence->time, D * H * 4, layer->inputs));
    sequence->d_projected = session->d_projected;
  }
  return CUSEQ_STATUS_OK;
}

static cuseq_status sequence_queue(struct cuda_session *session, const struct lstm_sequence *sequence) {
  CUDA_RANGE("sequence", sequence->batch, sequence->time, sequence->units);
  if (session->choice.encoder == CUDA_ENCODER_CELL)
    return cuda_cells_queue(session, sequence);
  return cuda_launched(session, launch_lstm_sequence(sequence, &session->launch));
}

static cuseq_status layer_queue(struct cuda_session *session, const struct backend_input *input, int32_t l,
                                const float *below) {
  const cuseq_config *config = &session->model->config;
  CUDA_RANGE_NUMBERED("layer", l, input->batch, input->time, config->units);
  const struct cuda_layer *layer = &session->layers[l];
  int32_t D = config_directions(config);
  size_t states = (size_t)l * (size_t)D * (size_t)input->batch * (size_t)config->units;
  float *annotations = session->d_annotations[l % 2];
  struct lstm_sequence sequence = {.mapping = session->mapping,
                                   .batch = input->batch,
                                   .time = input->time,
                                   .units = config->units,
                                   .directions = D,
                                   .activation = config->activation,
                                   .recurrent_activation = config->recurrent_activation,
                                   .d_lengths = session->d_encoded_lengths,
                                   .d_order = is_ordered(session, input) ? session->d_order : NULL,
                                   .d_recurrent = layer->d_recurrent,
                                   .d_bias = layer->d_bias,
                                   .d_initial_h = input->initial_h ? session->d_initial_h + states : NULL,
                                   .d_initial_c = input->initial_c ? session->d_initial_c + states : NULL,
                                   .d_final_h = session->d_final_h + states,
                                   .d_final_c = session->d_final_c + states,
                                   .d_workspace = session->d_workspace,
                                   .check = cuda_check_results(session, 0)};
  TRY(project_queue(session, layer, below, l == 0 && cuda_input_is_ids(input) ? session->d_ids : NULL,
                    &sequence));
  output_place(session, annotations, &sequence);
  TRY(sequence_queue(session, &sequence));
  session->d_encoded = annotations;
  return merge_queue(session, &sequence, annotations);
}

cuseq_status cuda_encode_queue(struct cuda_session *session, const struct backend_input *input) {
  TRY(cuda_input_queue(session, input));
  TRY(order_queue(session, input));
  for (int32_t l = 0; l < session->model->config.layers; l++)
    TRY(layer_queue(session, input, l, l == 0 ? session->d_given_x : session->d_encoded));
  return CUSEQ_STATUS_OK;
}

cuseq_status cuda_encode_fetch(struct cuda_session *session, const cuseq_encoding *encoding) {
  const cuseq_config *config = &session->model->config;
  CUDA_RANGE("copy out", session->batch, session->time, config->units);
  size_t B = (size_t)session->batch, H = (size_t)config->units, D = (size_t)config_directions(config);
  size_t state = B * H * sizeof(float), all = (size_t)config->layers * D, last = (all - D) * B * H;
  size_t annotations = B * (size_t)session->time * (size_t)config->annotation_width * sizeof(float);
  const float *h = session->d_final_h + last, *c = session->d_final_c + last;
  TRY(cuda_copy_out(session, BACKEND_ANNOTATIONS, encoding->annotations, session->d_encoded, annotations));
  TRY(cuda_copy_out(session, BACKEND_H_FW, encoding->h_fw, h, state));
  TRY(cuda_copy_out(session, BACKEND_C_FW, encoding->c_fw, c, state));
  TRY(cuda_copy_out(session, BACKEND_H_BW, encoding->h_bw, h + B * H, state));
  TRY(cuda_copy_out(session, BACKEND_C_BW, encoding->c_bw, c + B * H, state));
  TRY(cuda_copy_out(session, BACKEND_FINAL_H, encoding->final_h, session->d_final_h, all * state));
  return cuda_copy_out(session, BACKEND_FINAL_C, encoding->final_c, session->d_final_c, all * state);
}
