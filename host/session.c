/* Sessions: a model bound to a device. Every argument is checked here, once for all backends. */
#include "session.h"

#include "device.h"
#include "error.h"
#include "input.h"
#include "sized.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct sized sized_options = SIZED(cuseq_session_options, "cuseq_session_options_init");
static const struct sized sized_input = SIZED(cuseq_input, "CUSEQ_INPUT_INIT");
static const struct sized sized_encoding = SIZED(cuseq_encoding, "CUSEQ_ENCODING_INIT");
static const struct sized sized_decoding = SIZED(cuseq_decoding, "CUSEQ_DECODING_INIT");

void cuseq_session_options_init(cuseq_session_options *options, size_t size, const cuseq_model *model) {
  int32_t length = model ? model->config.text_length : 0;
  if (length == 0 && model)
    length = model->config.only_time;
  const cuseq_session_options defaults = {
      .device = "auto", .max_batch = 1, .max_time = length > 0 ? length : 1, .max_beams = 1};
  sized_init(options, size, &defaults, &sized_options);
}

/* How many beams there is room for; 0, of a structure that was not filled in, is 1. */
static int32_t beams_of(const cuseq_session_options *options) {
  return options->max_beams > 0 ? options->max_beams : 1;
}

static cuseq_status options_check(const cuseq_session_options *options) {
  if (options->max_batch < 1 || options->max_time < 1 || options->max_steps < 0 || options->threads < 0)
    return error_set(
        CUSEQ_STATUS_INVALID_ARGUMENT,
        "cuseq_session_open: a limit is out of range (found max_batch %d, max_time %d, max_steps %d, "
        "threads %d; needed at least 1, 1, 0, 0)",
        (int)options->max_batch, (int)options->max_time, (int)options->max_steps, (int)options->threads);
  if (options->max_beams < 0 || options->max_beams > CUSEQ_MAX_BEAMS ||
      options->max_batch > INT32_MAX / beams_of(options))
    return error_set(
        CUSEQ_STATUS_INVALID_ARGUMENT,
        "cuseq_session_open: max_beams is out of range (found %d for max_batch %d, needed 1 to %d, "
        "and at most %d rows in all)",
        (int)options->max_beams, (int)options->max_batch, CUSEQ_MAX_BEAMS, INT32_MAX);
  if (options->precision != CUSEQ_PRECISION_FLOAT32 && options->precision != CUSEQ_PRECISION_TF32 &&
      options->precision != CUSEQ_PRECISION_BF16)
    return error_set(CUSEQ_STATUS_INVALID_ARGUMENT,
                     "cuseq_session_open: there is no such precision (found %d, needed "
                     "CUSEQ_PRECISION_FLOAT32, _TF32 or _BF16)",
                     (int)options->precision);
  if (options->memory != CUSEQ_MEMORY_ANY && options->memory != CUSEQ_MEMORY_HOST &&
      options->memory != CUSEQ_MEMORY_DEVICE)
    return error_set(
        CUSEQ_STATUS_INVALID_ARGUMENT,
        "cuseq_session_open: there is no such memory (found %d, needed CUSEQ_MEMORY_ANY, _HOST or _DEVICE)",
        (int)options->memory);
  if (options->capture && options->memory == CUSEQ_MEMORY_HOST)
    return error_set(
        CUSEQ_STATUS_INVALID_ARGUMENT,
        "cuseq_session_open: capture: arrays in host memory pass through memory of the session's (found "
        "CUSEQ_MEMORY_HOST, needed CUSEQ_MEMORY_DEVICE)");
  if (options->capture && beams_of(options) > 1)
    return error_set(
        CUSEQ_STATUS_INVALID_ARGUMENT,
        "cuseq_session_open: capture: a beam search waits for the device (found max_beams %d, needed 1)",
        (int)options->max_beams);
  return CUSEQ_STATUS_OK;
}

/* What only a device with memory and streams of its own takes. */
static cuseq_status device_options_check(const cuseq_session_options *options, const struct backend *backend,
                                         const char *device) {
  if (!backend->stream && options->stream)
    return error_set(CUSEQ_STATUS_INVALID_ARGUMENT,
                     "cuseq_session_open: device %s takes no stream (needed NULL, or a cuda device)", device);
  if (!backend->stream && options->capture)
    return error_set(CUSEQ_STATUS_INVALID_ARGUMENT,
                     "cuseq_session_open: capture: device %s has no graphs (needed a cuda device)", device);
  if (!backend->stream && options->memory == CUSEQ_MEMORY_DEVICE)
    return error_set(
        CUSEQ_STATUS_INVALID_ARGUMENT,
        "cuseq_session_open: device %s takes arrays in host memory only (found CUSEQ_MEMORY_DEVICE)", device);
  return CUSEQ_STATUS_OK;
}

static cuseq_status session_allocate(cuseq_session *session) {
  size_t positions = (size_t)session->limits.batch * (size_t)session->limits.time;
  size_t rows = (size_t)session->limits.batch * (size_t)session->limits.beams;
  const struct input_structure *input = &session->model->structure.input;
  bool looks_up = input->lookup_count > 0;
  session->ids = malloc(positions * sizeof *session->ids);
  if (looks_up)
    session->rows = malloc(positions * (size_t)input->width * sizeof *session->rows);
  bool starts = session->model->structure.decoder.feedback != FEEDBACK_NONE && !session->backend->stream;
  if (starts)
    session->start_tokens = malloc(rows * sizeof *session->start_tokens);
  if (!session->ids || (looks_up && !session->rows) || (starts && !session->start_tokens))
    return error_set(CUSEQ_STATUS_OUT_OF_MEMORY,
                     "cuseq_session_open: out of memory (max_batch %d, max_time %d)",
                     (int)session->limits.batch, (int)session->limits.time);
  for (size_t b = 0; session->start_tokens && b < rows; b++)
    session->start_tokens[b] = session->model->structure.decoder.start_token;
  return CUSEQ_STATUS_OK;
}

/* With the options as this version has them. */
static cuseq_status session_open(const cuseq_model *model, const cuseq_session_options *options,
                                 cuseq_session **session) {
  TRY(options_check(options));
  cuseq_session *opened = calloc(1, sizeof *opened);
  if (!opened)
    return error_set(CUSEQ_STATUS_OUT_OF_MEMORY, "cuseq_session_open: out of memory");
  opened->model = model_retain(model);
  opened->allow_nonfinite = options->allow_nonfinite != 0;
  int32_t steps = options->max_steps > 0 ? options->max_steps : model->config.steps;
  opened->limits = (struct backend_limits){.batch = options->max_batch,
                                           .time = options->max_time,
                                           .steps = steps > 0 ? steps : 1,
                                           .beams = beams_of(options),
                                           .threads = options->threads,
                                           .precision = options->precision,
                                           .memory = options->capture ? CUSEQ_MEMORY_DEVICE : options->memory,
                                           .stream = options->stream,
                                           .asynchronous = options->asynchronous || options->capture,
                                           .capture = options->capture != 0,
                                           .allow_nonfinite = opened->allow_nonfinite,
                                           .cuda_plan = options->cuda_plan};
  cuseq_status status;
  TRY_CLEANUP(device_find(options->device, &opened->backend, opened->device));
  TRY_CLEANUP(device_options_check(options, opened->backend, opened->device));
  TRY_CLEANUP(session_allocate(opened));
  TRY_CLEANUP(opened->backend->open(opened->model, &opened->limits, opened->device, &opened->state));
  opened->limits.cuda_plan = NULL; /* the caller's */
  if (opened->limits.beams > 1 && (opened->backend->step || opened->backend->search) &&
      !beam_unsearchable(model))
    TRY_CLEANUP(beams_open(&opened->beams, model, !opened->backend->search, &opened->limits));
  opened->arrays = (struct arrays){.backend = opened->backend,
                                   .state = opened->state,
                                   .memory = options->memory,
                                   .device = opened->device};
  *session = opened;
  return CUSEQ_STATUS_OK;
cleanup:
  cuseq_session_close(opened);
  return status;
}

cuseq_status cuseq_session_open(const cuseq_model *model, const cuseq_session_options *options,
                                cuseq_session **session) {
  if (session)
    *session = NULL;
  if (!model || !session)
    return error_set(CUSEQ_STATUS_INVALID_ARGUMENT, "cuseq_session_open: an argument is NULL");
  cuseq_session_options read;
  cuseq_session_options_init(&read, sizeof read, model);
  if (options)
    TRY(sized_read(options, &sized_options, "cuseq_session_open", &read));
  return session_open(model, &read, session);
}

void cuseq_session_close(cuseq_session *session) {
  if (!session)
    return;
  if (session->state)
    session->backend->close(session->state);
  model_release(session->model);
  free(session->ids);
  free(session->rows);
  free(session->start_tokens);
  beams_close(&session->beams);
  free(session);
}

const char *cuseq_session_device(const cuseq_session *session) {
  return session ? session->device : "";
}

int32_t cuseq_session_threads(const cuseq_session *session) {
  return session ? session->backend->threads(session->state) : 0;
}

cuseq_precision cuseq_session_precision(const cuseq_session *session) {
  return session ? session->limits.precision : CUSEQ_PRECISION_FLOAT32;
}

size_t cuseq_session_plan(const cuseq_session *session, char *text, size_t capacity) {
  if (text && capacity > 0)
    text[0] = '\0';
  if (!session || !session->backend->plan)
    return 0;
  return session->backend->plan(session->state, text, text ? capacity : 0);
}

static cuseq_status session_check(const cuseq_session *session, const char *call) {
  if (!session)
    return error_set(CUSEQ_STATUS_INVALID_ARGUMENT, "%s: the session is NULL", call);
  if (session->failed)
    return error_set(CUSEQ_STATUS_DEVICE_FAILED, "%s: the device failed earlier: %s", call, session->failure);
  return CUSEQ_STATUS_OK;
}

/* Remembers the first failure of the device: the session does no more work after it. */
cuseq_status session_result(cuseq_session *session, cuseq_status status) {
  if (status == CUSEQ_STATUS_DEVICE_FAILED && !session->failed) {
    session->failed = true;
    snprintf(session->failure, sizeof session->failure, "%s", error_text());
  }
  return status;
}

cuseq_status cuseq_session_synchronize(cuseq_session *session) {
  TRY(session_check(session, "cuseq_session_synchronize"));
  if (!session->backend->synchronize)
    return CUSEQ_STATUS_OK;
  cuseq_status status = session->backend->synchronize(session->state);
  if (status != CUSEQ_STATUS_OK)
    session->batch = 0;
  return session_result(session, status);
}

void *cuseq_session_stream(const cuseq_session *session) {
  return session && session->backend->stream ? session->backend->stream(session->state) : NULL;
}

static cuseq_status input_check(const cuseq_session *session, const cuseq_input *input, const char *call) {
  if (!input->data)
    return error_set(CUSEQ_STATUS_INVALID_ARGUMENT, "%s: the input is NULL", call);
  if (input->batch < 1 || input->batch > session->limits.batch)
    return error_set(CUSEQ_STATUS_INVALID_ARGUMENT,
                     "%s: batch is out of range (found %d, needed 1 to max_batch %d)", call,
                     (int)input->batch, (int)session->limits.batch);
  if (input->time < 1 || input->time > session->limits.time)
    return error_set(CUSEQ_STATUS_INVALID_ARGUMENT,
                     "%s: time is out of range (found %d, needed 1 to max_time %d)", call, (int)input->time,
                     (int)session->limits.time);
  const struct attention_structure *attention = &session->model->structure.attention;
  const int32_t only = structure_time(&session->model->structure);
  if (only > 0 && input->time != only)
    return error_set(
        CUSEQ_STATUS_INVALID_ARGUMENT,
        "%s: time does not fit (found %d, needed %d: the model has weights for each of so many positions)",
        call, (int)input->time, (int)only);
  if (attention->positions > 0 && input->time > attention->positions)
    return error_set(CUSEQ_STATUS_INVALID_ARGUMENT,
                     "%s: time is out of range (found %d, needed 1 to attention.positions %d)", call,
                     (int)input->time, (int)attention->positions);
  if (input->dtype != CUSEQ_DTYPE_F32 && input->dtype != CUSEQ_DTYPE_F64 && input->dtype != CUSEQ_DTYPE_I32 &&
      input->dtype != CUSEQ_DTYPE_I64)
    return error_set(CUSEQ_STATUS_INVALID_ARGUMENT,
                     "%s: the input has a wrong type (found %d, needed F32, F64, I32 or "
                     "I64)",
                     call, (int)input->dtype);
  return CUSEQ_STATUS_OK;
}

/* Final states are of the directions that the last layer has. */
static cuseq_status encoding_check(const cuseq_session *session, const cuseq_encoding *encoding,
                                   const char *call) {
  const struct encoder_structure *encoder = &session->model->structure.encoder;
  const struct encoder_layer *last = &encoder->layers[encoder->count - 1];
  if (!encoder_layer_has(last, 1) && (encoding->h_bw || encoding->c_bw))
    return error_set(CUSEQ_STATUS_INVALID_ARGUMENT,
                     "%s: h_bw and c_bw must be NULL (the encoder is forward alone)", call);
  if (!encoder_layer_has(last, 0) && (encoding->h_fw || encoding->c_fw))
    return error_set(CUSEQ_STATUS_INVALID_ARGUMENT,
                     "%s: h_fw and c_fw must be NULL (the encoder's last layer is backward alone)", call);
  return CUSEQ_STATUS_OK;
}

static struct decoding_limits limits_of(const cuseq_session *session, int32_t encoded, int32_t time,
                                        bool rows) {
  return (struct decoding_limits){.model = session->model,
                                  .max_rows = session->limits.batch * session->limits.beams,
                                  .max_steps = session->limits.steps,
                                  .encoded = encoded,
                                  .time = time,
                                  .rows_allowed = rows};
}

/* Checks a decoding of `limits`, resolves it and locates its arrays. */
static cuseq_status decoding_begin(cuseq_session *session, const struct decoding_limits *limits,
                                   const cuseq_decoding *decoding, const char *call,
                                   cuseq_decoding *resolved) {
  TRY(decoding_resolve(limits, decoding, call, resolved));
  TRY(arrays_of_decoding(&session->arrays, resolved));
  TRY(decoding_check(limits, resolved, session->arrays.on_device, session->allow_nonfinite));
  if (!resolved->previous && session->model->structure.decoder.feedback != FEEDBACK_NONE)
    resolved->previous = session->start_tokens;
  return CUSEQ_STATUS_OK;
}

/* Encodes, and decodes where `decoding` is not NULL; the structures are as this version has them. */
static cuseq_status run_read(cuseq_session *session, const cuseq_input *input, const cuseq_encoding *wanted,
                             const cuseq_decoding *decoding, const char *call) {
  cuseq_decoding resolved;
  struct backend_input view;
  TRY(input_check(session, input, call));
  TRY(encoding_check(session, wanted, call));
  if (decoding) {
    struct decoding_limits limits = limits_of(session, input->batch, input->time, false);
    TRY(decoding_begin(session, &limits, decoding, call, &resolved));
  }
  TRY(arrays_of_encoding(&session->arrays, wanted));
  TRY(arrays_of_input(&session->arrays, input));
  TRY(input_view(session->model, input, session->arrays.on_device, session->allow_nonfinite, session->ids,
                 session->rows, &view));
  cuseq_status status;
  if (decoding && session->backend->run) {
    status = session->backend->run(session->state, &view, wanted, &resolved);
  } else {
    status = session->backend->encode(session->state, &view, wanted);
    if (status == CUSEQ_STATUS_OK && decoding)
      status = session->backend->decode(session->state, &resolved);
  }
  if (status == CUSEQ_STATUS_OK) {
    session->batch = input->batch;
    session->time = input->time;
  }
  return session_result(session, status);
}

/* The same of what a caller gives. `call` is what messages name. */
static cuseq_status session_run(cuseq_session *session, const cuseq_input *input,
                                const cuseq_encoding *encoding, const cuseq_decoding *decoding,
                                const char *call) {
  cuseq_input given = CUSEQ_INPUT_INIT;
  cuseq_encoding wanted = CUSEQ_ENCODING_INIT;
  cuseq_decoding asked = CUSEQ_DECODING_INIT;
  TRY(session_check(session, call));
  session->batch = 0;
  if (input)
    TRY(sized_read(input, &sized_input, call, &given));
  if (encoding)
    TRY(sized_read(encoding, &sized_encoding, call, &wanted));
  if (decoding)
    TRY(sized_read(decoding, &sized_decoding, call, &asked));
  return run_read(session, &given, &wanted, decoding ? &asked : NULL, call);
}

cuseq_status cuseq_encode(cuseq_session *session, const cuseq_input *input, const cuseq_encoding *encoding) {
  return session_run(session, input, encoding, NULL, "cuseq_encode");
}

cuseq_status cuseq_run(cuseq_session *session, const cuseq_input *input, const cuseq_encoding *encoding,
                       const cuseq_decoding *decoding) {
  return session_run(session, input, encoding, decoding, "cuseq_run");
}

cuseq_status session_check_encoded(const cuseq_session *session, const char *call) {
  TRY(session_check(session, call));
  if (session->batch == 0)
    return error_set(CUSEQ_STATUS_INVALID_ARGUMENT, "%s: nothing is encoded (cuseq_encode comes first)",
                     call);
  return CUSEQ_STATUS_OK;
}

cuseq_status cuseq_attend(cuseq_session *session, const float *state, float *context, float *alphas) {
  TRY(session_check_encoded(session, "cuseq_attend"));
  const struct structure *structure = &session->model->structure;
  if (!structure->attention.present)
    return error_set(CUSEQ_STATUS_INVALID_ARGUMENT, "cuseq_attend: the model has no attention");
  if (!state && structure->attention.asks == ASKS_TOKEN && structure->decoder.start_token < 0)
    return error_set(CUSEQ_STATUS_INVALID_ARGUMENT,
                     "cuseq_attend: the state is NULL (the token asks, and the model has no start token)");
  TRY(arrays_of_attention(&session->arrays, state, context, alphas));
  if (!session->allow_nonfinite && !session->arrays.on_device[BACKEND_STATE_H])
    TRY(input_check_finite("state", state, session->batch, structure->attention.query_inputs));
  return session_result(session, session->backend->attend(session->state, state, context, alphas));
}

cuseq_status cuseq_decode(cuseq_session *session, const cuseq_decoding *decoding) {
  TRY(session_check_encoded(session, "cuseq_decode"));
  if (!decoding)
    return error_set(CUSEQ_STATUS_INVALID_ARGUMENT, "cuseq_decode: the decoding is NULL");
  cuseq_decoding asked = CUSEQ_DECODING_INIT, resolved;
  TRY(sized_read(decoding, &sized_decoding, "cuseq_decode", &asked));
  struct decoding_limits limits = limits_of(session, session->batch, session->time, true);
  TRY(decoding_begin(session, &limits, &asked, "cuseq_decode", &resolved));
  return session_result(session, session->backend->decode(session->state, &resolved));
}
