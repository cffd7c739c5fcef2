#include "backends/cuda/cuda.h"

#include "backends/cuda/explain.h"
#include "backends/cuda/graphs.h"
#include "backends/cuda/loop.h"
#include "backends/cuda/module.h"
#include "backends/cuda/rows.h"
#include "backends/cuda/search.h"
#include "backends/cuda/trace.h"
#include "backends/cuda/whole_any.h"
#include "error.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- sessions ---- */

static void cuda_close(void *state) {
  struct cuda_session *session = state;
  int before = session->index;
  cudaGetDevice(&before);
  cudaSetDevice(session->index);
  if (session->stream)
    cudaStreamSynchronize(session->stream);
  cuda_graphs_close(session);
  cuda_blas_close(session);
  cuda_decoder_close(session);
  cuda_steps_close(session);
  cuda_search_close(session);
  cudaFree(session->arena);
  cuda_rows_close(session);
  if (session->rings) {
    cuda_ring_close(&session->rings->in);
    cuda_ring_close(&session->rings->out);
  }
  free(session->rings);
  cudaFreeHost(session->checks.h_faults);
  if (session->stream && !session->limits.stream)
    cudaStreamDestroy(session->stream);
  free(session);
  cudaSetDevice(before);
}

static cuseq_status session_upload(struct cuda_session *session) {
  CUDA_RANGE("upload", session->limits.batch, session->limits.time, session->model->config.units);
  TRY(cuda_layers_upload(session));
  TRY(cuda_steps_upload(session));
  cuda_decoder_fill(session);
  return CUSEQ_STATUS_OK;
}

/* Mappings are forced by the option, or else by the environment. */
static cuseq_status session_force(struct cuda_session *session) {
  const cuseq_config *config = &session->model->config;
  const char *plan = session->limits.cuda_plan ? session->limits.cuda_plan : getenv("CUSEQ_CUDA_PLAN");
  session->limits.cuda_plan = NULL; /* the caller's text may go */
  TRY(cuda_forced_parse(plan, &session->forced));
  TRY(session->model->version == 1
          ? cuda_forced_check(config, session->limits.time, &session->device, &session->forced)
          : cuda_loop_check(&session->model->lowered, session->limits.time, &session->device,
                            &session->forced));
  if (session->model->version != 1)
    TRY(cuda_whole_any_check(session));
  return cuda_encoder_check(&session->model->lowered.encoder, &session->device, &session->forced);
}

/* Bytes of a call of the limits one way: all inputs, or all results. */
static size_t call_bytes(const struct cuda_session *session, bool results) {
  const struct backend_limits *limits = &session->limits;
  size_t bytes = 0;
  for (enum backend_array array = 0; array < BACKEND_ARRAYS; array++) {
    enum call_structure structure = call_arrays[array].structure;
    int32_t rows = structure == CALL_DECODING ? cuda_rows_limit(session) : limits->batch;
    if (structure != CALL_BEAM && (array >= BACKEND_INPUTS) == results)
      bytes += (size_t)rows * sizeof(float) *
               call_row_elements(&session->model->config, array, limits->time, limits->steps);
  }
  return bytes;
}

/* Page-locked memory: for what one call copies each way, and for what the checks of device arrays find. A
 * search is waited for, and what it gives is made of the host's memory. */
static cuseq_status staging_open(struct cuda_session *session) {
  bool searches = session->search != NULL;
  CUDA_TRY(cudaHostAlloc((void **)&session->checks.h_faults, sizeof *session->checks.h_faults,
                         cudaHostAllocMapped));
  session->checks.h_faults->input.found = 0;
  session->checks.h_faults->results = BACKEND_NO_FAULT;
  session->rings = calloc(1, sizeof *session->rings);
  if (!session->rings)
    return error_set(CUSEQ_STATUS_OUT_OF_MEMORY, "cuseq_session_open: out of memory");
  if (session->limits.memory == CUSEQ_MEMORY_DEVICE && !searches)
    return CUSEQ_STATUS_OK;
  TRY(cuda_ring_open(&session->rings->in, call_bytes(session, false)));
  return session->limits.asynchronous && !searches
             ? CUSEQ_STATUS_OK
             : cuda_ring_open(&session->rings->out, call_bytes(session, true));
}

static cuseq_status session_fill(struct cuda_session *session) {
  TRY(cuda_decoder_open(session));
  TRY(cuda_steps_open(session));
  TRY(cuda_search_open(session));
  TRY(cuda_memory_take(session));
  TRY(staging_open(session));
  TRY(cuda_rows_open(session));
  TRY(session_upload(session));
  if (cuda_needs_blas(session))
    TRY(cuda_blas_open(session));
  else if (cuda_captures_products(session) && cuda_blas_open(session) != CUSEQ_STATUS_OK)
    cuda_blas_close(session); /* dense rows, which need it, are refused by the call that has some */
  if (cuda_needs_graphs(session) && !session->limits.capture)
    TRY(cuda_graphs_open(session));
  CUDA_TRY(cudaDeviceSynchronize());
  return CUSEQ_STATUS_OK;
}

/* The caller's stream, once it is known to be one of this device; or one of the session's own. */
static cuseq_status stream_take(struct cuda_session *session) {
  cudaStream_t given = session->limits.stream;
  TRY(cuda_capture_check(session));
  if (!given) {
    CUDA_TRY(cudaStreamCreateWithFlags(&session->stream, cudaStreamNonBlocking));
    return CUSEQ_STATUS_OK;
  }
  int device = -1;
  cudaError_t error = cudaStreamGetDevice(given, &device);
  enum cudaStreamCaptureStatus capture = cudaStreamCaptureStatusNone;
  if (error == cudaSuccess && device == session->index)
    error = cudaStreamIsCapturing(given, &capture);
  if (error != cudaSuccess) {
    cudaGetLastError();
    return error_set(CUSEQ_STATUS_INVALID_ARGUMENT,
                     "stream: not a stream that can be used (%s: %s; needed one of cuda:%d)",
                     cudaGetErrorName(error), cudaGetErrorString(error), (int)session->index);
  }
  if (device != session->index)
    return error_set(CUSEQ_STATUS_INVALID_ARGUMENT,
                     "stream: it is of another device (found cuda:%d, needed cuda:%d)", device,
                     (int)session->index);
  if (capture != cudaStreamCaptureStatusNone)
    return error_set(CUSEQ_STATUS_INVALID_ARGUMENT,
                     "stream: it is being captured (needed one that runs its work)");
  session->stream = given;
  return CUSEQ_STATUS_OK;
}

static cuseq_status cuda_open(const cuseq_model *model, const struct backend_limits *limits,
                              const char *device, void **state) {
  CUDA_RANGE("open", limits->batch, limits->time, model->config.units);
  struct cuda_session *session = calloc(1, sizeof *session);
  if (!session)
    return error_set(CUSEQ_STATUS_OUT_OF_MEMORY, "cuseq_session_open: out of memory");
  session->model = model;
  session->limits = *limits;
  session->call.waits = true;
  session->index = (int32_t)strtol(device + 5, NULL, 10); /* "cuda:N", as device_find names it */
  int before = session->index;
  cudaGetDevice(&before);
  cudaError_t error = cudaSetDevice(session->index);
  cuseq_status status = error == cudaSuccess ? cuda_device_read(session->index, &session->device)
                                             : cuda_failure(error, "cudaSetDevice");
  if (status == CUSEQ_STATUS_OK)
    status = cuda_precision_check(session, device);
  if (status == CUSEQ_STATUS_OK)
    status = stream_take(session);
  session->call.stream_in = session->call.stream_out = session->stream;
  session->launch =
      (struct launch_stream){session->stream, &session->device, session->error, sizeof session->error};
  if (status == CUSEQ_STATUS_OK)
    status = session_force(session);
  if (status == CUSEQ_STATUS_OK)
    status = session_fill(session);
  cudaSetDevice(before);
  if (status != CUSEQ_STATUS_OK) {
    char text[512];
    snprintf(text, sizeof text, "%s", error_text());
    cuda_close(session);
    return error_set(status, "%s", text);
  }
  *state = session;
  return CUSEQ_STATUS_OK;
}

static size_t cuda_plan_text(const void *state, char *text, size_t capacity) {
  return cuda_explain(state, text, capacity);
}

static int32_t cuda_threads(const void *state) {
  (void)state;
  return 1;
}

/* ---- calls ---- */

/* Begins a call on the session's device; *before is for call_end. */
static cuseq_status call_begin(struct cuda_session *session, const char *call, bool host_outputs,
                               int *before) {
  TRY(cuda_capture_begin(session, call));
  session->call.waits = host_outputs && !session->limits.asynchronous;
  session->checks.call++;
  session->checks.next.count = 0;
  *before = session->index;
  CUDA_TRY(cudaGetDevice(before));
  if (*before != session->index)
    CUDA_TRY(cudaSetDevice(session->index));
  return CUSEQ_STATUS_OK;
}

/* Waits for the session's work and tells what of it failed. */
static cuseq_status wait(struct cuda_session *session, cuseq_status status) {
  CUDA_RANGE("wait", session->encoded.batch, session->encoded.time, session->model->config.units);
  cudaError_t error = cudaStreamSynchronize(session->stream);
  cuda_staging_end(session, status == CUSEQ_STATUS_OK && error == cudaSuccess);
  if (status != CUSEQ_STATUS_OK)
    return status;
  return error == cudaSuccess ? cuda_check_report(session) : cuda_failure(error, "cudaStreamSynchronize");
}

/* Waits once where a call has results in host memory, and after a failure, since copies may be under way. */
static cuseq_status call_finish(struct cuda_session *session, cuseq_status status) {
  if (status == CUSEQ_STATUS_OK)
    return session->call.waits ? wait(session, status) : cuda_staging_leave(session);
  char text[sizeof session->error + 64];
  snprintf(text, sizeof text, "%s", error_text());
  wait(session, status);
  error_store("%s", text);
  return status;
}

/* Ends a call; a captured one runs nothing that could be waited for. */
static cuseq_status call_end(struct cuda_session *session, cuseq_status status, int before) {
  if (!session->call.captured)
    status = call_finish(session, status);
  cuda_capture_end(session);
  if (before != session->index)
    cudaSetDevice(before);
  return status;
}

static bool is_on_host(const struct cuda_session *session, enum backend_array array, const void *pointer) {
  return pointer && session->call.places[array] != CUDA_PLACE_DEVICE;
}

/* Whether a result of a call is wanted in host memory. */
static bool on_host(const struct cuda_session *session, enum call_structure structure, const void *members) {
  for (enum backend_array array = BACKEND_INPUTS; array < BACKEND_ARRAYS; array++)
    if (call_arrays[array].structure == structure && is_on_host(session, array, call_pointer(array, members)))
      return true;
  return false;
}

/* Queues a call, large batches in windows. */
static cuseq_status rows_queue(struct cuda_session *session, const struct backend_input *input,
                               const cuseq_encoding *encoding, const cuseq_decoding *decoding) {
  bool queued;
  TRY(cuda_rows_queue(session, input, encoding, decoding, &queued));
  return queued ? CUSEQ_STATUS_OK : cuda_call_queue(session, input, encoding, decoding);
}

static cuseq_status cuda_encode(void *state, const struct backend_input *input,
                                const cuseq_encoding *encoding) {
  struct cuda_session *session = state;
  CUDA_RANGE("encode", input->batch, input->time, session->model->config.units);
  int before;
  TRY(call_begin(session, "cuseq_encode", on_host(session, CALL_ENCODING, encoding), &before));
  cuseq_status status = rows_queue(session, input, encoding, NULL);
  cuda_capture_encoded(session);
  return call_end(session, status, before);
}

static cuseq_status cuda_attend(void *state, const float *hidden, float *context, float *alphas) {
  struct cuda_session *session = state;
  CUDA_RANGE("attend", session->encoded.batch, session->encoded.time, session->model->config.units);
  bool waits = is_on_host(session, BACKEND_CONTEXTS, context) || is_on_host(session, BACKEND_ALPHAS, alphas);
  int before;
  TRY(call_begin(session, "cuseq_attend", waits, &before));
  cuda_capture_decodes(session);
  return call_end(session, cuda_attend_queue(session, hidden, context, alphas), before);
}

static cuseq_status cuda_decode(void *state, const cuseq_decoding *decoding) {
  struct cuda_session *session = state;
  CUDA_RANGE("decode", session->encoded.batch, session->encoded.time, session->model->config.units);
  int before;
  TRY(call_begin(session, "cuseq_decode", on_host(session, CALL_DECODING, decoding), &before));
  cuda_capture_decodes(session);
  return call_end(session, cuda_decode_queue(session, decoding), before);
}

/* A search is waited for whatever the session's calls are: its results are made on the host. */
static cuseq_status cuda_search(void *state, struct search *search, const cuseq_decoding *begin,
                                float *alphas) {
  struct cuda_session *session = state;
  CUDA_RANGE("search", session->encoded.batch, session->encoded.time, session->model->config.units);
  int before;
  TRY(call_begin(session, "cuseq_beam_search", true, &before));
  session->call.waits = true;
  TRY(call_end(session, cuda_search_queue(session, search, begin, alphas), before));
  cuda_search_deliver(session, search);
  return CUSEQ_STATUS_OK;
}

static cuseq_status cuda_run(void *state, const struct backend_input *input, const cuseq_encoding *encoding,
                             const cuseq_decoding *decoding) {
  struct cuda_session *session = state;
  CUDA_RANGE("run", input->batch, input->time, session->model->config.units);
  bool host = on_host(session, CALL_ENCODING, encoding) || on_host(session, CALL_DECODING, decoding);
  int before;
  TRY(call_begin(session, "cuseq_run", host, &before));
  cuseq_status status = rows_queue(session, input, encoding, decoding);
  cuda_capture_encoded(session);
  return call_end(session, status, before);
}

static cuseq_status cuda_synchronize(void *state) {
  struct cuda_session *session = state;
  TRY(cuda_capture_begin(session, "cuseq_session_synchronize"));
  if (session->call.captured) {
    cuda_capture_end(session);
    return error_set(
        CUSEQ_STATUS_INVALID_ARGUMENT,
        "cuseq_session_synchronize: the stream is being captured, and captured work cannot be waited for");
  }
  session->checks.call++; /* what is found is of earlier calls */
  return wait(session, CUSEQ_STATUS_OK);
}

static void *cuda_stream(const void *state) {
  return ((const struct cuda_session *)state)->stream;
}

static const struct backend backend = {
    .open = cuda_open,
    .close = cuda_close,
    .threads = cuda_threads,
    .plan = cuda_plan_text,
    .encode = cuda_encode,
    .attend = cuda_attend,
    .decode = cuda_decode,
    .search = cuda_search,
    .run = cuda_run,
    .synchronize = cuda_synchronize,
    .stream = cuda_stream,
    .locate = cuda_locate,
};

/* The module's one exported symbol. */
extern const struct cuda_module cuseq_cuda_module;
CUSEQ_API const struct cuda_module cuseq_cuda_module = {
    .version = CUSEQ_CUDA_VERSION,
    .backend = &backend,
    .device_count = cuda_device_count,
    .device_describe = cuda_device_describe,
    .device_memory = cuda_is_device_memory,
    .error_text = error_text,
};
