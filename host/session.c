/* Sessions: a model bound to a device. Every argument is checked here, once for all backends. */
#include "arrays.h"
#include "device.h"
#include "error.h"
#include "input.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct cuseq_session {
  cuseq_model *model;
  const struct backend *backend;
  void *state;
  struct backend_limits limits;
  bool allow_nonfinite;
  char device[32];
  struct arrays arrays;
  int32_t *ids;          /* [limits.batch, limits.time] */
  int32_t *start_tokens; /* [limits.batch]; NULL without feedback, or where the backend knows it */
  int32_t batch;         /* of what is encoded; 0: nothing is */
  char *failure;         /* the first failure of the device; NULL: none */
};

void cuseq_session_options_init(cuseq_session_options *options, const cuseq_model *model) {
  if (!options)
    return;
  int32_t length = model ? model->config.text_length : 0;
  *options = (cuseq_session_options){.device = "auto", .max_batch = 1, .max_time = length > 0 ? length : 1};
}

static cuseq_status options_check(const cuseq_session_options *options) {
  if (options->max_batch < 1 || options->max_time < 1 || options->max_steps < 0 || options->threads < 0)
    return error_set(
        CUSEQ_STATUS_INVALID_ARGUMENT,
        "cuseq_session_open: a limit is out of range (found max_batch %d, max_time %d, max_steps %d, "
        "threads %d; needed at least 1, 1, 0, 0)",
        (int)options->max_batch, (int)options->max_time, (int)options->max_steps, (int)options->threads);
  if (options->precision != CUSEQ_PRECISION_FLOAT32)
    return error_set(CUSEQ_STATUS_NOT_SUPPORTED,
                     "cuseq_session_open: precision %d is not supported (needed CUSEQ_PRECISION_FLOAT32)",
                     (int)options->precision);
  if (options->memory != CUSEQ_MEMORY_ANY && options->memory != CUSEQ_MEMORY_HOST &&
      options->memory != CUSEQ_MEMORY_DEVICE)
    return error_set(
        CUSEQ_STATUS_INVALID_ARGUMENT,
        "cuseq_session_open: there is no such memory (found %d, needed CUSEQ_MEMORY_ANY, _HOST or _DEVICE)",
        (int)options->memory);
  return CUSEQ_STATUS_OK;
}

/* What only a device with memory and streams of its own takes. */
static cuseq_status device_options_check(const cuseq_session_options *options, const struct backend *backend,
                                         const char *device) {
  if (!backend->stream && options->stream)
    return error_set(CUSEQ_STATUS_INVALID_ARGUMENT,
                     "cuseq_session_open: device %s takes no stream (needed NULL, or a cuda device)", device);
  if (!backend->stream && options->memory == CUSEQ_MEMORY_DEVICE)
    return error_set(
        CUSEQ_STATUS_INVALID_ARGUMENT,
        "cuseq_session_open: device %s takes arrays in host memory only (found CUSEQ_MEMORY_DEVICE)", device);
  return CUSEQ_STATUS_OK;
}

static cuseq_status session_allocate(cuseq_session *session) {
  const cuseq_config *config = &session->model->config;
  size_t positions = (size_t)session->limits.batch * (size_t)session->limits.time;
  session->ids = malloc(positions * sizeof *session->ids);
  bool starts = config->feedback == CUSEQ_FEEDBACK_OUTPUT && !session->backend->stream;
  if (starts)
    session->start_tokens = malloc((size_t)session->limits.batch * sizeof *session->start_tokens);
  if (!session->ids || (starts && !session->start_tokens))
    return error_set(CUSEQ_STATUS_OUT_OF_MEMORY,
                     "cuseq_session_open: out of memory (max_batch %d, max_time %d)",
                     (int)session->limits.batch, (int)session->limits.time);
  for (int32_t b = 0; session->start_tokens && b < session->limits.batch; b++)
    session->start_tokens[b] = config->start_token;
  return CUSEQ_STATUS_OK;
}

cuseq_status cuseq_session_open(const cuseq_model *model, const cuseq_session_options *options,
                                cuseq_session **session) {
  if (session)
    *session = NULL;
  if (!model || !session)
    return error_set(CUSEQ_STATUS_INVALID_ARGUMENT, "cuseq_session_open: an argument is NULL");
  cuseq_session_options defaults;
  cuseq_session_options_init(&defaults, model);
  options = options ? options : &defaults;
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
                                           .threads = options->threads,
                                           .memory = options->memory,
                                           .stream = options->stream,
                                           .asynchronous = options->asynchronous != 0,
                                           .allow_nonfinite = opened->allow_nonfinite,
                                           .cuda_plan = options->cuda_plan};
  cuseq_status status;
  TRY_CLEANUP(device_find(options->device, &opened->backend, opened->device));
  TRY_CLEANUP(device_options_check(options, opened->backend, opened->device));
  TRY_CLEANUP(session_allocate(opened));
  TRY_CLEANUP(opened->backend->open(opened->model, &opened->limits, opened->device, &opened->state));
  opened->limits.cuda_plan = NULL; /* the caller's */
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

void cuseq_session_close(cuseq_session *session) {
  if (!session)
    return;
  if (session->state)
    session->backend->close(session->state);
  model_release(session->model);
  free(session->ids);
  free(session->start_tokens);
  free(session->failure);
  free(session);
}

const char *cuseq_session_device(const cuseq_session *session) {
  return session ? session->device : "";
}

int32_t cuseq_session_threads(const cuseq_session *session) {
  return session ? session->backend->threads(session->state) : 0;
}

static cuseq_status session_check(const cuseq_session *session, const char *call) {
  if (!session)
    return error_set(CUSEQ_STATUS_INVALID_ARGUMENT, "%s: the session is NULL", call);
  if (session->failure)
    return error_set(CUSEQ_STATUS_DEVICE_FAILED, "%s: the device failed earlier: %s", call, session->failure);
  return CUSEQ_STATUS_OK;
}

/* Remembers the first failure of the device: the session does no more work after it. */
static cuseq_status session_result(cuseq_session *session, cuseq_status status) {
  if (status == CUSEQ_STATUS_DEVICE_FAILED && !session->failure)
    session->failure = strdup(error_text());
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
  if (!input || !input->data)
    return error_set(CUSEQ_STATUS_INVALID_ARGUMENT, "%s: the input is NULL", call);
  if (input->batch < 1 || input->batch > session->limits.batch)
    return error_set(CUSEQ_STATUS_INVALID_ARGUMENT,
                     "%s: batch is out of range (found %d, needed 1 to max_batch %d)", call,
                     (int)input->batch, (int)session->limits.batch);
  if (input->time < 1 || input->time > session->limits.time)
    return error_set(CUSEQ_STATUS_INVALID_ARGUMENT,
                     "%s: time is out of range (found %d, needed 1 to max_time %d)", call, (int)input->time,
                     (int)session->limits.time);
  if (input->dtype != CUSEQ_DTYPE_F32 && input->dtype != CUSEQ_DTYPE_F64 && input->dtype != CUSEQ_DTYPE_I32 &&
      input->dtype != CUSEQ_DTYPE_I64)
    return error_set(CUSEQ_STATUS_INVALID_ARGUMENT,
                     "%s: the input has a wrong type (found %d, needed F32, F64, I32 or "
                     "I64)",
                     call, (int)input->dtype);
  return CUSEQ_STATUS_OK;
}

static cuseq_status encoding_check(const cuseq_session *session, const cuseq_encoding *encoding,
                                   const char *call) {
  if (session->model->config.direction == CUSEQ_DIRECTION_FORWARD && (encoding->h_bw || encoding->c_bw))
    return error_set(CUSEQ_STATUS_INVALID_ARGUMENT,
                     "%s: h_bw and c_bw must be NULL (the encoder is forward alone)", call);
  return CUSEQ_STATUS_OK;
}

static cuseq_status attention_only_check(const cuseq_decoding *decoding, const char *call) {
  if (decoding->steps > 1)
    return error_set(CUSEQ_STATUS_INVALID_ARGUMENT, "%s: an attention-only model makes one step (found %d)",
                     call, (int)decoding->steps);
  if (decoding->initial_c || decoding->states || decoding->outputs || decoding->tokens ||
      decoding->output_lengths || decoding->final_h || decoding->final_c)
    return error_set(
        CUSEQ_STATUS_INVALID_ARGUMENT,
        "%s: an attention-only model has contexts and alphas only (found another array that is not NULL)",
        call);
  return CUSEQ_STATUS_OK;
}

static cuseq_status previous_check(const cuseq_session *session, const int32_t *previous, int32_t batch) {
  int32_t V = session->model->config.outputs;
  for (int32_t b = 0; b < batch; b++)
    if (previous[b] < 0 || previous[b] >= V)
      return error_set(CUSEQ_STATUS_INVALID_ARGUMENT,
                       "previous: row %d is out of range (found %d, needed 0 to %d)", (int)b,
                       (int)previous[b], (int)V - 1);
  return CUSEQ_STATUS_OK;
}

/* Checks a decoding and resolves what it leaves to the model: steps, previous tokens. */
static cuseq_status decoding_resolve(const cuseq_session *session, const cuseq_decoding *decoding,
                                     const char *call, cuseq_decoding *resolved) {
  const cuseq_config *config = &session->model->config;
  *resolved = *decoding;
  if (!config->has_decoder) {
    TRY(attention_only_check(decoding, call));
    resolved->steps = 1;
  } else if (decoding->steps < 0 || decoding->steps > session->limits.steps ||
             (decoding->steps == 0 && config->steps > session->limits.steps)) {
    return error_set(CUSEQ_STATUS_INVALID_ARGUMENT,
                     "%s: steps are out of range (found %d, needed 1 to max_steps %d)", call,
                     (int)(decoding->steps ? decoding->steps : config->steps), (int)session->limits.steps);
  } else if (!decoding->initial_h != !decoding->initial_c) {
    return error_set(CUSEQ_STATUS_INVALID_ARGUMENT,
                     "%s: initial_%c is NULL (initial_h and initial_c go together)", call,
                     decoding->initial_h ? 'c' : 'h');
  }
  if (config->has_decoder && resolved->steps == 0)
    resolved->steps = config->steps;
  if (config->feedback != CUSEQ_FEEDBACK_OUTPUT || !decoding->previous)
    resolved->previous = session->start_tokens;
  return CUSEQ_STATUS_OK;
}

/* Locates the arrays of a decoding and looks into those that it starts from, where they are on the host. */
static cuseq_status decoding_check(cuseq_session *session, const cuseq_decoding *decoding, int32_t batch) {
  const cuseq_config *config = &session->model->config;
  const bool *on_device = session->arrays.on_device;
  TRY(arrays_of_decoding(&session->arrays, decoding));
  if (decoding->previous && !on_device[BACKEND_PREVIOUS])
    TRY(previous_check(session, decoding->previous, batch));
  if (session->allow_nonfinite)
    return CUSEQ_STATUS_OK;
  if (!on_device[BACKEND_STATE_H])
    TRY(input_check_finite("decoder initial_h", decoding->initial_h, batch, config->state_units));
  return on_device[BACKEND_STATE_C]
             ? CUSEQ_STATUS_OK
             : input_check_finite("decoder initial_c", decoding->initial_c, batch, config->state_units);
}

cuseq_status cuseq_encode(cuseq_session *session, const cuseq_input *input, const cuseq_encoding *encoding) {
  return cuseq_run(session, input, encoding, NULL);
}

cuseq_status cuseq_run(cuseq_session *session, const cuseq_input *input, const cuseq_encoding *encoding,
                       const cuseq_decoding *decoding) {
  const char *call = decoding ? "cuseq_run" : "cuseq_encode";
  TRY(session_check(session, call));
  session->batch = 0;
  cuseq_encoding wanted = encoding ? *encoding : (cuseq_encoding){0};
  cuseq_decoding resolved;
  struct backend_input view;
  TRY(input_check(session, input, call));
  TRY(encoding_check(session, &wanted, call));
  if (decoding) {
    TRY(decoding_resolve(session, decoding, call, &resolved));
    TRY(decoding_check(session, &resolved, input->batch));
  }
  TRY(arrays_of_encoding(&session->arrays, &wanted));
  TRY(arrays_of_input(&session->arrays, input));
  TRY(input_view(&session->model->config, input, session->arrays.on_device, session->allow_nonfinite,
                 session->ids, &view));
  cuseq_status status;
  if (decoding && session->backend->run) {
    status = session->backend->run(session->state, &view, &wanted, &resolved);
  } else {
    status = session->backend->encode(session->state, &view, &wanted);
    if (status == CUSEQ_STATUS_OK && decoding)
      status = session->backend->decode(session->state, &resolved);
  }
  if (status == CUSEQ_STATUS_OK)
    session->batch = input->batch;
  return session_result(session, status);
}

static cuseq_status encoded_check(const cuseq_session *session, const char *call) {
  TRY(session_check(session, call));
  if (session->batch == 0)
    return error_set(CUSEQ_STATUS_INVALID_ARGUMENT, "%s: nothing is encoded (cuseq_encode comes first)",
                     call);
  return CUSEQ_STATUS_OK;
}

cuseq_status cuseq_attend(cuseq_session *session, const float *state, float *context, float *alphas) {
  TRY(encoded_check(session, "cuseq_attend"));
  TRY(arrays_of_attention(&session->arrays, state, context, alphas));
  if (!session->allow_nonfinite && !session->arrays.on_device[BACKEND_STATE_H])
    TRY(input_check_finite("state", state, session->batch, session->model->config.state_units));
  return session_result(session, session->backend->attend(session->state, state, context, alphas));
}

cuseq_status cuseq_decode(cuseq_session *session, const cuseq_decoding *decoding) {
  TRY(encoded_check(session, "cuseq_decode"));
  if (!decoding)
    return error_set(CUSEQ_STATUS_INVALID_ARGUMENT, "cuseq_decode: the decoding is NULL");
  cuseq_decoding resolved;
  TRY(decoding_resolve(session, decoding, "cuseq_decode", &resolved));
  TRY(decoding_check(session, &resolved, session->batch));
  return session_result(session, session->backend->decode(session->state, &resolved));
}
