/* A call's input on its way to the device, checks included. */
#include "backends/cuda/cuda.h"

#include "backends/cuda/trace.h"
#include "error.h"

bool cuda_input_is_ids(const struct backend_input *input) {
  return input->ids ||
         (input->device && (input->dtype == CUSEQ_DTYPE_I32 || input->dtype == CUSEQ_DTYPE_I64));
}

void cuda_input_place(struct cuda_session *session, const struct backend_input *input,
                      const cuseq_decoding *decoding) {
  const cuseq_config *config = &session->model->config;
  session->call.d_given_x = session->work.d_x;
  if (!input->device || input->dtype != CUSEQ_DTYPE_F32 || config->ids_only)
    return;
  session->call.d_given_x = input->device;
  size_t B = (size_t)input->batch, T = (size_t)input->time;
  uintptr_t x = (uintptr_t)input->device,
            x_end = x + B * T * (size_t)session->model->lowered.input.features * sizeof(float);
  for (enum backend_array array = BACKEND_INPUTS; decoding && array < BACKEND_ARRAYS; array++) {
    if (call_arrays[array].structure != CALL_DECODING)
      continue;
    uintptr_t y = (uintptr_t)call_pointer(array, decoding);
    size_t rows = decoding->batch > 0 ? (size_t)decoding->batch : B;
    size_t count = rows * call_row_elements(config, array, input->time, decoding->steps);
    if (y && x < y + count * sizeof(float) && y < x_end)
      session->call.d_given_x = session->work.d_x;
  }
}

/* Lengths and initial states. */
static cuseq_status small_queue(struct cuda_session *session, const struct backend_input *input) {
  const cuseq_config *config = &session->model->config;
  const struct {
    enum backend_array name;
    const float *given;
    float *d_states;
  } states[] = {{BACKEND_INITIAL_H, input->initial_h, session->work.d_initial_h},
                {BACKEND_INITIAL_C, input->initial_c, session->work.d_initial_c}};
  size_t count = (size_t)config->encoder_state_width * (size_t)input->batch;
  if (input->lengths && session->call.places[BACKEND_LENGTHS] == CUDA_PLACE_DEVICE)
    cuda_check_integers(session, BACKEND_LENGTHS, input->lengths, session->work.d_lengths, input->batch, 1,
                        input->time);
  else
    TRY(cuda_copy_in(session, BACKEND_LENGTHS, session->work.d_lengths, input->lengths,
                     (size_t)input->batch * sizeof(int32_t)));
  for (int i = 0; i < 2; i++)
    if (states[i].given && session->call.places[states[i].name] == CUDA_PLACE_DEVICE)
      cuda_check_states(session, states[i].name, states[i].given, states[i].d_states, (int64_t)count);
    else
      TRY(cuda_copy_in(session, states[i].name, states[i].d_states, states[i].given, count * sizeof(float)));
  return CUSEQ_STATUS_OK;
}

/* Data in host memory. Where only the device knows the lengths it is checked there: ids pass through d_x. */
static cuseq_status host_data_queue(struct cuda_session *session, const struct backend_input *input,
                                    const int32_t *d_lengths) {
  size_t positions = (size_t)input->batch * (size_t)input->time,
         count = positions * (size_t)session->model->lowered.input.features;
  bool checks = d_lengths && d_lengths != session->work.d_lengths;
  int32_t *ids = checks ? (int32_t *)session->work.d_x : session->work.d_ids;
  TRY(cuda_copy_in(session, BACKEND_DATA, ids, input->ids, positions * sizeof(int32_t)));
  TRY(cuda_copy_in(session, BACKEND_DATA, session->work.d_x, input->f32, count * sizeof(float)));
  if (input->f64)
    TRY(cuda_copy_in_f64(session, session->work.d_x, input->f64, count));
  if (checks && input->ids)
    cuda_check_data(session, ids, CUSEQ_DTYPE_I32, session->work.d_ids, 1, d_lengths);
  else if (checks && !session->limits.allow_nonfinite)
    cuda_check_data(session, session->work.d_x, CUSEQ_DTYPE_F32, NULL, session->model->lowered.input.features,
                    d_lengths);
  return CUSEQ_STATUS_OK;
}

/* Data on the device: float32 stays where it is, the rest is converted. */
static void device_data_queue(struct cuda_session *session, const struct backend_input *input,
                              const int32_t *d_lengths) {
  int32_t F = session->model->lowered.input.features;
  if (cuda_input_is_ids(input))
    cuda_check_data(session, input->device, input->dtype, session->work.d_ids, 1, d_lengths);
  else if (session->call.d_given_x == session->work.d_x)
    cuda_check_data(session, input->device, input->dtype, session->work.d_x, F, d_lengths);
  else if (!session->limits.allow_nonfinite)
    cuda_check_data(session, input->device, input->dtype, NULL, F, d_lengths);
}

cuseq_status cuda_input_queue(struct cuda_session *session, const struct backend_input *input) {
  if (session->model->config.ids_only && !cuda_input_is_ids(input))
    return error_set(
        CUSEQ_STATUS_INVALID_ARGUMENT,
        "input: dense rows that only the device can look at (the model has an embedding: needed token "
        "ids)");
  session->encoded.batch = input->batch;
  session->encoded.time = input->time;
  CUDA_RANGE("input", input->batch, input->time, session->model->config.units);
  bool device_lengths = input->lengths && session->call.places[BACKEND_LENGTHS] == CUDA_PLACE_DEVICE;
  session->encoded.d_lengths = input->lengths ? session->work.d_lengths : NULL;
  TRY(small_queue(session, input));
  /* a check reads the caller's lengths and clamps them itself, as all arrays are checked in one launch */
  const int32_t *d_lengths = device_lengths ? input->lengths : session->encoded.d_lengths;
  if (input->device)
    device_data_queue(session, input, d_lengths);
  else
    TRY(host_data_queue(session, input, d_lengths));
  return cuda_check_queue(session);
}
