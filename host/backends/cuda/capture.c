/* Calls in a CUDA graph of the caller's. The backend's calls only queue work where all arrays are on the
 * device and nothing is waited for, so that they can be captured as they are, but for what graphs.c launches
 * as graphs of its own: in a session opened for this its steps are queued one by one. */
#include "backends/cuda/cuda.h"

#include "error.h"

cuseq_status cuda_capture_check(const struct cuda_session *session) {
  if (session->limits.capture && session->limits.stream == cudaStreamLegacy)
    return error_set(CUSEQ_STATUS_INVALID_ARGUMENT,
                     "stream: the legacy default stream cannot be captured (needed another one, or NULL)");
  return CUSEQ_STATUS_OK;
}

/* While the stream is captured the thread may call what is unsafe for others' captures: cuBLAS and the
 * runtime load a kernel when it is first used, which touches no stream. */
cuseq_status cuda_capture_begin(struct cuda_session *session, const char *call) {
  enum cudaStreamCaptureStatus status = cudaStreamCaptureStatusNone;
  session->call.captured = false;
  if (session->stream == cudaStreamLegacy)
    return CUSEQ_STATUS_OK;
  CUDA_TRY(cudaStreamIsCapturing(session->stream, &status));
  if (status == cudaStreamCaptureStatusNone)
    return CUSEQ_STATUS_OK;
  if (!session->limits.capture)
    return error_set(CUSEQ_STATUS_INVALID_ARGUMENT,
                     "%s: the stream is being captured (needed a session opened with the option capture)",
                     call);
  if (status == cudaStreamCaptureStatusInvalidated)
    return error_set(CUSEQ_STATUS_INVALID_ARGUMENT,
                     "%s: the stream is being captured, and an earlier call has made that capture invalid",
                     call);
  session->call.mode = cudaStreamCaptureModeRelaxed;
  CUDA_TRY(cudaThreadExchangeStreamCaptureMode(&session->call.mode));
  session->call.captured = true;
  return CUSEQ_STATUS_OK;
}

void cuda_capture_end(struct cuda_session *session) {
  if (session->call.captured)
    cudaThreadExchangeStreamCaptureMode(&session->call.mode);
  session->call.captured = false;
}

void cuda_capture_encoded(struct cuda_session *session) {
  session->encoded.came_with_keys = session->encoded.keys_made;
  session->encoded.came_with_general_keys = session->encoded.general_keys_made;
}

void cuda_capture_decodes(struct cuda_session *session) {
  if (!session->limits.capture)
    return;
  session->encoded.keys_made = session->encoded.came_with_keys;
  session->encoded.general_keys_made = session->encoded.came_with_general_keys;
}
