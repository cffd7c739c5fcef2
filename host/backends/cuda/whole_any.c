#include "backends/cuda/whole_any.h"

#include "backends/cuda/decoding.h"
#include "backends/cuda/loop.h"
#include "backends/cuda/trace.h"
#include "backends/cuda/whole_any_model.h"
#include "error.h"

#include <stdlib.h>

/* ---- the choice ---- */

static const char *reason_for(const struct cuda_session *session, int32_t time) {
  const struct structure *structure = &session->model->lowered;
  const struct cuda_shape ids = {time, true}, dense = {time, false};
  const char *reason = whole_any_reason(structure, &ids, &session->device);
  return reason || session->model->config.ids_only ? reason
                                                   : whole_any_reason(structure, &dense, &session->device);
}

const char *cuda_whole_any_reason(const struct cuda_session *session) {
  return reason_for(session, session->limits.time);
}

cuseq_status cuda_whole_any_check(const struct cuda_session *session) {
  const char *reason = session->forced.whole == 1 ? cuda_whole_any_reason(session) : NULL;
  int32_t sm = session->device.architecture;
  return reason ? error_set(CUSEQ_STATUS_NOT_SUPPORTED,
                            "cuda plan: \"whole\" cannot run this model on compute capability %d.%d (%s)",
                            (int)(sm / 10), (int)(sm % 10), reason)
                : CUSEQ_STATUS_OK;
}

bool cuda_whole_any_takes(const struct cuda_session *session, const struct backend_input *input,
                          const cuseq_decoding *decoding) {
  const struct cuda_steps *steps = session->steps;
  return steps->d_whole && !decoding->rows &&
         whole_any_possible(&steps->whole, input->time, cuda_input_is_ids(input), &session->device);
}

/* ---- a session's ---- */

void cuda_whole_any_plan(struct cuda_session *session, struct cuda_plan *plan) {
  /* a shorter call is one launch where a longer one is not */
  bool some = session->forced.whole != 0 && !reason_for(session, 1);
  cuda_plan_add(plan, &session->steps->d_whole, some ? sizeof(struct whole_any_model) : 0);
}

cuseq_status cuda_whole_any_upload(struct cuda_session *session) {
  struct cuda_steps *steps = session->steps;
  if (!steps->d_whole)
    return CUSEQ_STATUS_OK;
  struct whole_any_model *model = malloc(sizeof *model);
  if (!model)
    return error_set(CUSEQ_STATUS_OUT_OF_MEMORY, "cuseq_session_open: out of memory");
  whole_any_model_make(session, model, &steps->whole);
  cudaError_t error = cudaMemcpy(steps->d_whole, model, sizeof *model, cudaMemcpyHostToDevice);
  free(model);
  return error == cudaSuccess ? CUSEQ_STATUS_OK : cuda_failure(error, "cudaMemcpy");
}

/* ---- a call ---- */

static cuseq_status whole_launch(struct cuda_session *session, const struct whole_any *whole) {
  CUDA_RANGE("whole model", session->encoded.batch, session->encoded.time, session->model->config.units);
  return cuda_launched(session, launch_whole_any(whole, &session->launch));
}

cuseq_status cuda_whole_any_queue(struct cuda_session *session, const struct backend_input *input,
                                  const cuseq_encoding *encoding, const cuseq_decoding *decoding,
                                  bool *queued) {
  struct cuda_steps *steps = session->steps;
  void *made[BACKEND_ARRAYS];
  *queued = cuda_whole_any_takes(session, input, decoding);
  if (!*queued)
    return CUSEQ_STATUS_OK;
  TRY(cuda_input_queue(session, input));
  session->encoded.d_annotations = cuda_last_annotations(session);
  session->encoded.keys_made = false;
  const struct cuda_stepping stepping = cuda_stepping_of(session, decoding);
  TRY(cuda_decoding_bring(session, decoding, session->encoded.batch));
  bool ids = cuda_input_is_ids(input);
  struct whole_any whole = {.d_model = steps->d_whole,
                            .sizes = steps->whole,
                            .d_ids = ids ? session->work.d_ids : NULL,
                            .d_x = ids ? NULL : session->call.d_given_x,
                            .d_initial_h = input->initial_h ? session->work.d_initial_h : NULL,
                            .d_initial_c = input->initial_c ? session->work.d_initial_c : NULL,
                            .d_annotations = session->encoded.d_annotations,
                            .d_final_h = session->work.d_final_h,
                            .d_final_c = session->work.d_final_c};
  cuda_loop_arguments(session, decoding, &stepping, made, &whole.loop);
  TRY(whole_launch(session, &whole));
  TRY(cuda_encode_fetch(session, encoding));
  return cuda_decoding_fetch(session, decoding, session->encoded.batch, made);
}
