#include "backends/cuda/rows.h"

#include "backends/cuda/decoder.h"
#include "error.h"

#include <stdlib.h>

/* A window carries about half of what a slot of staging memory holds, one way, and gives every multiprocessor a row. */
enum { WINDOW_BYTES = CUDA_SLOT_BYTES / 2, WINDOWS_LEAST = 2 };

/* A window is a session whose arrays begin at its first row. */
struct window {
  struct cuda_session session;
  struct cuda_decoder decoder;
  struct backend_input input;
  cuseq_encoding encoding;
  cuseq_decoding decoding;
};

struct cuda_rows {
  cudaStream_t in, out;
  cudaEvent_t order;       /* between streams, waited for as soon as it is recorded */
  cudaEvent_t computed[2]; /* of windows in turns */
  struct cuda_later later[2];
  struct window window;
};

/* ---- opening ---- */

static size_t row_in(const struct cuda_session *session, const struct backend_input *input, int32_t time) {
  size_t width = input && input->ids ? 1 : (size_t)session->model->config.features;
  return (size_t)time * width * sizeof(float);
}

static size_t row_out(const struct cuda_session *session, const cuseq_encoding *encoding,
                      const cuseq_decoding *decoding, int32_t time) {
  const cuseq_config *config = &session->model->config;
  size_t T = (size_t)time, A = (size_t)config->annotation_width, Y = decoding ? (size_t)decoding->steps : 0;
  const cuseq_decoding none = {0}, *d = decoding ? decoding : &none;
  const struct {
    enum backend_array array;
    const void *wanted;
    size_t count;
  } arrays[] = {{BACKEND_ANNOTATIONS, encoding->annotations, T * A},
                {BACKEND_CONTEXTS, d->contexts, Y * A},
                {BACKEND_ALPHAS, d->alphas, Y * T},
                {BACKEND_STATES, d->states, Y * (size_t)config->state_units},
                {BACKEND_OUTPUTS, d->outputs, Y * (size_t)config->outputs}};
  size_t count = 0;
  for (size_t i = 0; i < sizeof arrays / sizeof *arrays; i++)
    if (arrays[i].wanted && session->places[arrays[i].array] != CUDA_PLACE_DEVICE)
      count += arrays[i].count;
  return count * sizeof(float);
}

/* Whether a call of the limits, everything wanted, may be cut into windows. */
static bool worth_it(const struct cuda_session *session) {
  float any;
  const cuseq_encoding encoding = {.annotations = &any};
  const cuseq_decoding decoding = {
      .steps = session->limits.steps, .contexts = &any, .alphas = &any, .states = &any, .outputs = &any};
  size_t in = row_in(session, NULL, session->limits.time),
         out = row_out(session, &encoding, &decoding, session->limits.time);
  return session->decoder && session->limits.memory != CUSEQ_MEMORY_DEVICE &&
         (in > out ? in : out) * (size_t)session->limits.batch >= (size_t)WINDOWS_LEAST * WINDOW_BYTES;
}

cuseq_status cuda_rows_open(struct cuda_session *session) {
  if (!worth_it(session))
    return CUSEQ_STATUS_OK;
  struct cuda_rows *rows = session->rows = calloc(1, sizeof *rows);
  if (!rows)
    return error_set(CUSEQ_STATUS_OUT_OF_MEMORY, "cuseq_session_open: out of memory");
  CUDA_TRY(cudaStreamCreateWithFlags(&rows->in, cudaStreamNonBlocking));
  CUDA_TRY(cudaStreamCreateWithFlags(&rows->out, cudaStreamNonBlocking));
  CUDA_TRY(cudaEventCreateWithFlags(&rows->order, cudaEventDisableTiming));
  for (int i = 0; i < 2; i++)
    CUDA_TRY(cudaEventCreateWithFlags(&rows->computed[i], cudaEventDisableTiming));
  return CUSEQ_STATUS_OK;
}

void cuda_rows_close(struct cuda_session *session) {
  struct cuda_rows *rows = session->rows;
  if (!rows)
    return;
  cudaEvent_t events[] = {rows->order, rows->computed[0], rows->computed[1]};
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

static bool any_on_device(const struct cuda_session *session, const struct backend_input *input,
                          const cuseq_decoding *decoding) {
  const cuseq_decoding none = {0}, *d = decoding ? decoding : &none;
  const struct {
    enum backend_array array;
    const void *given;
  } arrays[] = {{BACKEND_LENGTHS, input->lengths},
                {BACKEND_PREVIOUS, d->previous},
                {BACKEND_STATE_H, d->initial_h},
                {BACKEND_STATE_C, d->initial_c}};
  for (size_t i = 0; i < sizeof arrays / sizeof *arrays; i++)
    if (arrays[i].given && session->places[arrays[i].array] == CUDA_PLACE_DEVICE)
      return true;
  return input->device != NULL;
}

/* Whether the kernels do all of it, row by row. */
static bool rows_apart(const struct cuda_session *session, const struct backend_input *input,
                       const cuseq_decoding *decoding) {
  const cuseq_config *config = &session->model->config;
  const struct cuda_shape shape = {input->time, input->ids != NULL};
  struct cuda_choice choice = cuda_choose(config, &shape, &session->device, &session->forced);
  return (!decoding || cuda_decodes_fused(decoding)) &&
         (!config->has_decoder || choice.decoder == CUDA_DECODER_LOOP) &&
         cuda_layers_take_rows(session, input);
}

/* The rows of a window; 0: the call is not cut. */
static int32_t window_rows(const struct cuda_session *session, const struct backend_input *input,
                           const cuseq_encoding *encoding, const cuseq_decoding *decoding) {
  if (!session->rows || input->initial_h || input->initial_c || any_on_device(session, input, decoding))
    return 0;
  size_t in = row_in(session, input, input->time), out = row_out(session, encoding, decoding, input->time);
  size_t bytes = in > out ? in : out, rows = (WINDOW_BYTES + bytes - 1) / bytes;
  if (rows < (size_t)session->device.multiprocessors)
    rows = (size_t)session->device.multiprocessors;
  if (bytes * (size_t)input->batch < (size_t)WINDOWS_LEAST * WINDOW_BYTES ||
      (size_t)input->batch < WINDOWS_LEAST * rows || !rows_apart(session, input, decoding))
    return 0;
  return (int32_t)rows;
}

/* ---- windows ---- */

/* `first` rows of `width` elements further on; NULL stays NULL. */
#define SHIFT(pointer, width) ((pointer) = (pointer) ? (pointer) + (size_t)first * (size_t)(width) : NULL)

/* The same for an array of the table, of int32 or float32. */
static void array_shift(void *pointer, size_t elements) {
  char **array = pointer;
  *array = *array ? *array + elements * sizeof(float) : NULL;
}

static void session_shift(struct window *window, int32_t first, int32_t time, int32_t steps) {
  struct cuda_session *s = &window->session;
  const cuseq_config *config = &s->model->config;
  struct cuda_decoder *d = &window->decoder;
  size_t T = (size_t)time, A = (size_t)config->annotation_width;
  size_t states = (size_t)config->layers * (size_t)config_directions(config) * (size_t)config->units;
  SHIFT(s->d_x, T * (size_t)config->features);
  SHIFT(s->d_ids, T);
  SHIFT(s->d_lengths, 1);
  SHIFT(s->d_order, 1);
  SHIFT(s->d_annotations[0], T * A);
  SHIFT(s->d_annotations[1], T * A);
  /* final states of a window lie together in what the call does not need: its initial states are zeros */
  s->d_final_h = SHIFT(s->d_initial_h, states);
  s->d_final_c = SHIFT(s->d_initial_c, states);
  SHIFT(d->d_keys, T * (size_t)attention_key_width(&d->decode.score));
  for (enum backend_array array = 0; array < BACKEND_ARRAYS; array++)
    array_shift(&s->decoding.arrays[array], call_row_elements(config, array, time, steps) * (size_t)first);
}

static void call_shift(struct window *window, int32_t first, int32_t time) {
  const cuseq_config *config = &window->session.model->config;
  size_t T = (size_t)time, H = (size_t)config->units;
  size_t A = (size_t)config->annotation_width, F = (size_t)config->features;
  struct backend_input *input = &window->input;
  cuseq_encoding *encoding = &window->encoding;
  cuseq_decoding *decoding = &window->decoding;
  SHIFT(input->ids, T);
  SHIFT(input->f32, T * F);
  SHIFT(input->f64, T * F);
  SHIFT(input->lengths, 1);
  SHIFT(encoding->annotations, T * A);
  SHIFT(encoding->h_fw, H);
  SHIFT(encoding->c_fw, H);
  SHIFT(encoding->h_bw, H);
  SHIFT(encoding->c_bw, H);
  encoding->final_h = encoding->final_c = NULL; /* of all rows at once, at the end */
  for (enum backend_array array = 0; array < BACKEND_ARRAYS; array++)
    if (call_arrays[array].structure == CALL_DECODING)
      array_shift(call_member(array, decoding),
                  call_row_elements(config, array, time, decoding->steps) * (size_t)first);
}

static void window_make(struct cuda_session *session, const struct backend_input *input,
                        const cuseq_encoding *encoding, const cuseq_decoding *decoding, int32_t first,
                        int32_t count, struct cuda_later *later) {
  struct window *window = &session->rows->window;
  window->session = *session;
  window->decoder = *session->decoder;
  window->session.decoder = &window->decoder;
  window->session.launch.error = window->session.error;
  window->session.stream_in = session->rows->in;
  window->session.stream_out = session->rows->out;
  window->session.later = later;
  window->session.first_row = first;
  window->input = *input;
  window->input.batch = count;
  window->encoding = *encoding;
  window->decoding = decoding ? *decoding : (cuseq_decoding){0};
  session_shift(window, first, input->time, window->decoding.steps);
  call_shift(window, first, input->time);
}

/* Final states of a window, [layers,D,count,H], to their place among all rows'. */
static cuseq_status states_spread(struct cuda_session *session, int32_t first, int32_t count, int32_t batch) {
  const cuseq_config *config = &session->model->config;
  const struct cuda_session *window = &session->rows->window.session;
  size_t H = (size_t)config->units * sizeof(float),
         all = (size_t)config->layers * (size_t)config_directions(config);
  const size_t offset = (size_t)first * (size_t)config->units;
  CUDA_TRY(cudaMemcpy2DAsync(session->d_final_h + offset, (size_t)batch * H, window->d_final_h,
                             (size_t)count * H, (size_t)count * H, all, cudaMemcpyDeviceToDevice,
                             session->stream));
  CUDA_TRY(cudaMemcpy2DAsync(session->d_final_c + offset, (size_t)batch * H, window->d_final_c,
                             (size_t)count * H, (size_t)count * H, all, cudaMemcpyDeviceToDevice,
                             session->stream));
  return CUSEQ_STATUS_OK;
}

/* Copies a window's results, while the device computes the next one's. */
static cuseq_status results_copy(struct cuda_session *session, int turn) {
  struct cuda_rows *rows = session->rows;
  struct cuda_later *later = &rows->later[turn];
  struct cuda_session *window = &rows->window.session;
  window->later = NULL;
  CUDA_TRY(cudaStreamWaitEvent(rows->out, rows->computed[turn], 0));
  for (int32_t i = 0; i < later->count; i++)
    TRY(cuda_copy_out(window, later->copies[i].array, later->copies[i].out, later->copies[i].device,
                      later->copies[i].bytes));
  later->count = 0;
  return CUSEQ_STATUS_OK;
}

/* `after` goes on when `before` has come to here. */
static cuseq_status streams_order(struct cuda_session *session, cudaStream_t before, cudaStream_t after) {
  CUDA_TRY(cudaEventRecord(session->rows->order, before));
  CUDA_TRY(cudaStreamWaitEvent(after, session->rows->order, 0));
  return CUSEQ_STATUS_OK;
}

cuseq_status cuda_rows_arrived(struct cuda_session *session) {
  return session->stream_in == session->stream ? CUSEQ_STATUS_OK
                                               : streams_order(session, session->stream_in, session->stream);
}

static cuseq_status windows_queue(struct cuda_session *session, const struct backend_input *input,
                                  const cuseq_encoding *encoding, const cuseq_decoding *decoding,
                                  int32_t step) {
  struct cuda_rows *rows = session->rows;
  struct window *window = &rows->window;
  rows->later[0].count = rows->later[1].count = 0;
  TRY(streams_order(session, session->stream,
                    rows->in)); /* earlier calls may still read what is written now */
  int turn = 0;
  for (int32_t first = 0; first < input->batch; first += step, turn = !turn) {
    int32_t count = input->batch - first < step ? input->batch - first : step;
    window_make(session, input, encoding, decoding, first, count, &rows->later[turn]);
    cuseq_status status = cuda_call_queue(&window->session, &window->input, &window->encoding,
                                          decoding ? &window->decoding : NULL);
    TRY(status);
    TRY(states_spread(session, first, count, input->batch));
    CUDA_TRY(cudaEventRecord(rows->computed[turn], session->stream));
    if (first > 0)
      TRY(results_copy(session, !turn));
  }
  TRY(results_copy(session, !turn));
  TRY(streams_order(session, rows->out, session->stream));
  const struct cuda_session *last = &window->session;
  session->d_encoded = session->d_annotations[last->d_encoded != last->d_annotations[0]];
  session->decoder->keys_made = window->decoder.keys_made;
  return CUSEQ_STATUS_OK;
}

cuseq_status cuda_rows_queue(struct cuda_session *session, const struct backend_input *input,
                             const cuseq_encoding *encoding, const cuseq_decoding *decoding, bool *queued) {
  int32_t step = window_rows(session, input, encoding, decoding);
  *queued = step > 0;
  if (step == 0)
    return CUSEQ_STATUS_OK;
  session->batch = input->batch;
  session->time = input->time;
  session->d_encoded_lengths = input->lengths ? session->d_lengths : NULL;
  cuseq_status status = windows_queue(session, input, encoding, decoding, step);
  if (status != CUSEQ_STATUS_OK) {
    cudaStreamSynchronize(session->rows->in);
    cudaStreamSynchronize(session->rows->out);
    return status;
  }
  const cuseq_encoding states = {.final_h = encoding->final_h, .final_c = encoding->final_c};
  return cuda_encode_fetch(session, &states);
}
