#include "backends/cuda/rows.h"

#include "backends/cuda/decoder.h"
#include "backends/cuda/loop.h"
#include "backends/cuda/whole_any.h"
#include "error.h"

#include <stdlib.h>

/* A window carries about half of what a slot of staging memory holds, one way, and gives every multiprocessor
 * a row. */
enum { WINDOW_BYTES = CUDA_SLOT_BYTES / 2, WINDOWS_LEAST = 2 };

struct cuda_rows {
  cudaStream_t in, out;
  cudaEvent_t computed[2]; /* of windows in turns */
  struct cuda_later later[2];
  struct cuda_work all; /* the session's arrays, while a window has its own */
};

/* ---- opening ---- */

static size_t row_in(const struct cuda_session *session, const struct backend_input *input, int32_t time) {
  size_t width = input && input->ids ? 1 : (size_t)session->model->lowered.input.features;
  return (size_t)time * width * sizeof(float);
}

/* Bytes of a row's results in host memory; encoding and decoding NULL: of all results. */
static size_t row_out(const struct cuda_session *session, const cuseq_encoding *encoding,
                      const cuseq_decoding *decoding, int32_t time, int32_t steps) {
  size_t count = 0;
  for (enum backend_array array = BACKEND_INPUTS; array < BACKEND_ARRAYS; array++) {
    const struct call_array *listed = &call_arrays[array];
    const void *members = listed->structure == CALL_ENCODING   ? (const void *)encoding
                          : listed->structure == CALL_DECODING ? (const void *)decoding
                                                               : NULL;
    bool all = !encoding && (listed->structure == CALL_ENCODING || listed->structure == CALL_DECODING);
    bool wanted = members && call_pointer(array, members) && session->call.places[array] != CUDA_PLACE_DEVICE;
    if ((all || wanted) && listed->rows != CALL_BLOCKS)
      count += call_row_elements(&session->model->config, array, time, steps);
  }
  return count * sizeof(float);
}

/* Whether a call of the limits, everything wanted, may be cut into windows. */
static bool worth_it(const struct cuda_session *session) {
  const struct backend_limits *limits = &session->limits;
  int32_t steps = structure_is_tagger(&session->model->lowered) ? limits->time : limits->steps;
  size_t in = row_in(session, NULL, limits->time), out = row_out(session, NULL, NULL, limits->time, steps);
  return limits->memory != CUSEQ_MEMORY_DEVICE &&
         (in > out ? in : out) * (size_t)limits->batch >= (size_t)WINDOWS_LEAST * WINDOW_BYTES;
}

cuseq_status cuda_rows_open(struct cuda_session *session) {
  if (!worth_it(session))
    return CUSEQ_STATUS_OK;
  struct cuda_rows *rows = session->rows = calloc(1, sizeof *rows);
  if (!rows)
    return error_set(CUSEQ_STATUS_OUT_OF_MEMORY, "cuseq_session_open: out of memory");
  CUDA_TRY(cudaStreamCreateWithFlags(&rows->in, cudaStreamNonBlocking));
  CUDA_TRY(cudaStreamCreateWithFlags(&rows->out, cudaStreamNonBlocking));
  CUDA_TRY(cudaEventCreateWithFlags(&session->call.order, cudaEventDisableTiming));
  for (int i = 0; i < 2; i++)
    CUDA_TRY(cudaEventCreateWithFlags(&rows->computed[i], cudaEventDisableTiming));
  return CUSEQ_STATUS_OK;
}

void cuda_rows_close(struct cuda_session *session) {
  struct cuda_rows *rows = session->rows;
  if (!rows)
    return;
  cudaEvent_t events[] = {session->call.order, rows->computed[0], rows->computed[1]};
  cudaStream_t streams[] = {rows->in, rows->out};
  for (int i = 0; i < 3; i++)
    if (events[i])
      cudaEventDestroy(events[i]);
  for (int i = 0; i < 2; i++)
    if (streams[i])
      cudaStreamDestroy(streams[i]);
  free(rows);
  session->rows = NULL;
}

/* ---- which calls ---- */

/* Whether an input beside the data is on the device: what is there is checked for all rows at once. */
static bool any_on_device(const struct cuda_session *session, const struct backend_input *input,
                          const cuseq_decoding *decoding) {
  for (enum backend_array array = 0; decoding && array < BACKEND_INPUTS; array++)
    if (call_arrays[array].structure == CALL_DECODING && call_pointer(array, decoding) &&
        session->call.places[array] == CUDA_PLACE_DEVICE)
      return true;
  return input->device || (input->lengths && session->call.places[BACKEND_LENGTHS] == CUDA_PLACE_DEVICE);
}

/* Whether kernels that go row by row do what comes behind the encoder's layers. */
static bool decodes_apart(const struct cuda_session *session, const struct backend_input *input,
                          const cuseq_decoding *decoding) {
  const struct structure *structure = &session->model->lowered;
  bool own_keys = cuda_steps_keys_are_narrow(structure);
  if (session->decoder && (!decoding || cuda_decodes_fused(decoding)))
    return !structure->decoder.present ||
           cuda_choose_decoder(&session->model->config, input->time, &session->forced) == CUDA_DECODER_LOOP;
  if (!decoding)
    return own_keys;
  return structure->decoder.present && !decoding->rows && own_keys && cuda_loop_chosen(session, input->time);
}

/* The rows of a window; 0: the call is not cut. */
static int32_t window_rows(const struct cuda_session *session, const struct backend_input *input,
                           const cuseq_encoding *encoding, const cuseq_decoding *decoding) {
  if (!session->rows || input->initial_h || input->initial_c || any_on_device(session, input, decoding))
    return 0;
  int32_t steps = decoding ? decoding->steps : 0;
  size_t in = row_in(session, input, input->time),
         out = row_out(session, encoding, decoding, input->time, steps);
  size_t bytes = in > out ? in : out, rows = (WINDOW_BYTES + bytes - 1) / bytes;
  if (rows < (size_t)session->device.multiprocessors)
    rows = (size_t)session->device.multiprocessors;
  if (bytes * (size_t)input->batch < (size_t)WINDOWS_LEAST * WINDOW_BYTES ||
      (size_t)input->batch < WINDOWS_LEAST * rows)
    return 0;
  bool one_launch = decoding && cuda_whole_any_takes(session, input, decoding);
  bool apart =
      one_launch || (cuda_layers_take_rows(session, input) && decodes_apart(session, input, decoding));
  return apart ? (int32_t)rows : 0;
}

/* ---- windows ---- */

/* `first` rows of `width` elements further on; NULL stays NULL. */
#define SHIFT(pointer, width) ((pointer) = (pointer) ? (pointer) + (size_t)first * (size_t)(width) : NULL)

/* The same for an array of the table, of int32 or float32. */
static void array_shift(void *pointer, size_t elements) {
  char **array = pointer;
  *array = *array ? *array + elements * sizeof(float) : NULL;
}

/* The session's arrays for rows from `first` on: what is brought while another window is computed, and what
 * stays in the session, has a place for every row; the rest is one window's after the other. */
static struct cuda_work work_at(const struct cuda_session *session, int32_t first, int32_t time,
                                int32_t steps) {
  const cuseq_config *config = &session->model->config;
  const struct attention_structure *attention = &session->model->lowered.attention;
  struct cuda_work work = session->rows->all;
  size_t T = (size_t)time;
  SHIFT(work.d_x, T * (size_t)(config->ids_only ? 1 : session->model->lowered.input.features));
  SHIFT(work.d_ids, T);
  SHIFT(work.d_lengths, 1);
  SHIFT(work.d_annotations[(session->model->lowered.encoder.count - 1) % 2],
        T * (size_t)config->annotation_width);
  SHIFT(work.d_keys, T * (size_t)attention->key_width);
  SHIFT(work.d_values, T * (size_t)attention->context_width);
  SHIFT(work.d_general_keys, T * (size_t)config->state_units);
  /* final states of a window lie together in what the call does not need: its initial states are zeros */
  work.d_final_h = SHIFT(work.d_initial_h, config->encoder_state_width);
  work.d_final_c = SHIFT(work.d_initial_c, config->encoder_state_width);
  for (enum backend_array array = 0; array < BACKEND_ARRAYS; array++)
    array_shift(&work.decoding[array], call_row_elements(config, array, time, steps) * (size_t)first);
  return work;
}

static struct backend_input input_at(const struct cuda_session *session, const struct backend_input *input,
                                     int32_t first, int32_t count) {
  struct backend_input at = *input;
  size_t T = (size_t)input->time, F = (size_t)session->model->lowered.input.features;
  at.batch = count;
  SHIFT(at.ids, T);
  SHIFT(at.f32, T * F);
  SHIFT(at.f64, T * F);
  SHIFT(at.lengths, 1);
  return at;
}

/* The caller's arrays of a structure; final states are of all rows at once, at the end. */
static void members_shift(const struct cuda_session *session, enum call_structure structure, void *members,
                          int32_t first, int32_t time, int32_t steps) {
  for (enum backend_array array = 0; array < BACKEND_ARRAYS; array++) {
    if (call_arrays[array].structure != structure)
      continue;
    if (call_arrays[array].rows == CALL_BLOCKS)
      *(void **)call_member(array, members) = NULL;
    else
      array_shift(call_member(array, members),
                  call_row_elements(&session->model->config, array, time, steps) * (size_t)first);
  }
}

/* Final states of a window, [layers and directions,count,H], to their place among all rows'. */
static cuseq_status states_spread(struct cuda_session *session, int32_t first, int32_t count, int32_t batch) {
  const struct encoder_structure *encoder = &session->model->lowered.encoder;
  const struct cuda_work *all = &session->rows->all, *window = &session->work;
  float *const to[] = {all->d_final_h, all->d_final_c}, *const from[] = {window->d_final_h,
                                                                         window->d_final_c};
  for (int32_t l = 0; l < encoder->count; l++)
    for (int d = 0; d < 2; d++) {
      if (!encoder_layer_has(&encoder->layers[l], d))
        continue;
      size_t H = (size_t)encoder->layers[l].cells[d].units, bytes = (size_t)count * H * sizeof(float);
      for (int i = 0; i < 2; i++)
        CUDA_TRY(cudaMemcpyAsync(to[i] + cuda_states_offset(session, l, d, batch) + (size_t)first * H,
                                 from[i] + cuda_states_offset(session, l, d, count), bytes,
                                 cudaMemcpyDeviceToDevice, session->stream));
    }
  return CUSEQ_STATUS_OK;
}

/* Copies a window's results, while the device computes the next one's. */
static cuseq_status results_copy(struct cuda_session *session, int turn) {
  struct cuda_rows *rows = session->rows;
  struct cuda_later *later = &rows->later[turn];
  session->call.later = NULL;
  CUDA_TRY(cudaStreamWaitEvent(rows->out, rows->computed[turn], 0));
  for (int32_t i = 0; i < later->count; i++)
    TRY(cuda_copy_out(session, later->copies[i].array, later->copies[i].out, later->copies[i].device,
                      later->copies[i].bytes));
  later->count = 0;
  return CUSEQ_STATUS_OK;
}

/* A window: a call of `count` rows from `first` on, whose results are copied later. */
static cuseq_status window_queue(struct cuda_session *session, const struct backend_input *input,
                                 const cuseq_encoding *encoding, const cuseq_decoding *decoding,
                                 int32_t first, int32_t count, int turn) {
  int32_t time = input->time, steps = decoding ? decoding->steps : 0;
  const struct backend_input in = input_at(session, input, first, count);
  cuseq_encoding encoded = *encoding;
  cuseq_decoding decoded = decoding ? *decoding : (cuseq_decoding){0};
  members_shift(session, CALL_ENCODING, &encoded, first, time, steps);
  members_shift(session, CALL_DECODING, &decoded, first, time, steps);
  session->work = work_at(session, first, time, steps);
  session->call.first_row = first;
  session->call.later = &session->rows->later[turn];
  TRY(cuda_call_queue(session, &in, &encoded, decoding ? &decoded : NULL));
  TRY(states_spread(session, first, count, input->batch));
  CUDA_TRY(cudaEventRecord(session->rows->computed[turn], session->stream));
  return CUSEQ_STATUS_OK;
}

static cuseq_status windows_queue(struct cuda_session *session, const struct backend_input *input,
                                  const cuseq_encoding *encoding, const cuseq_decoding *decoding,
                                  int32_t step) {
  struct cuda_rows *rows = session->rows;
  int turn = 0;
  rows->later[0].count = rows->later[1].count = 0;
  /* earlier calls may still read what is written now */
  TRY(cuda_streams_order(session, session->stream, rows->in));
  for (int32_t first = 0; first < input->batch; first += step, turn = !turn) {
    int32_t count = input->batch - first < step ? input->batch - first : step;
    TRY(window_queue(session, input, encoding, decoding, first, count, turn));
    if (first > 0)
      TRY(results_copy(session, !turn));
  }
  TRY(results_copy(session, !turn));
  return cuda_streams_order(session, rows->out, session->stream);
}

cuseq_status cuda_rows_queue(struct cuda_session *session, const struct backend_input *input,
                             const cuseq_encoding *encoding, const cuseq_decoding *decoding, bool *queued) {
  int32_t step = window_rows(session, input, encoding, decoding);
  *queued = step > 0;
  if (step == 0)
    return CUSEQ_STATUS_OK;
  session->rows->all = session->work;
  session->call.stream_in = session->rows->in;
  session->call.stream_out = session->rows->out;
  cuseq_status status = windows_queue(session, input, encoding, decoding, step);
  session->work = session->rows->all;
  session->call.stream_in = session->call.stream_out = session->stream;
  session->call.later = NULL;
  session->call.first_row = 0;
  session->encoded.d_annotations = cuda_last_annotations(session);
  session->encoded.d_lengths = input->lengths ? session->work.d_lengths : NULL;
  session->encoded.batch = input->batch;
  session->encoded.time = input->time;
  if (status != CUSEQ_STATUS_OK) {
    cudaStreamSynchronize(session->rows->in);
    cudaStreamSynchronize(session->rows->out);
    return status;
  }
  const cuseq_encoding states = {.final_h = encoding->final_h, .final_c = encoding->final_c};
  return cuda_encode_fetch(session, &states);
}
