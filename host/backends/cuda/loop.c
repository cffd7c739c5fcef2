#include "backends/cuda/loop.h"

#include "backends/cuda/decoding.h"
#include "backends/cuda/loop_model.h"
#include "backends/cuda/trace.h"
#include "error.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What one block decodes: beyond, weights, keys or annotations are read from memory at every step, and
 * products over all rows are less work. */
enum {
  MOST_ANNOTATION = 256,
  MOST_TIME = 512,
  MOST_OUTPUTS = 1024,
  MOST_DENSE = 1024,
};

/* ---- the choice ---- */

/* Why so many positions are too many for a model that has so many floats without their energies. */
static const char *time_reason(const struct structure *structure, int32_t floats, int32_t time,
                               const struct launch_device *device) {
  if (structure->attention.present && time > MOST_TIME)
    return "T is above 512";
  return ((int64_t)floats + time) * (int64_t)sizeof(float) <= device->shared_bytes
             ? NULL
             : "its vectors do not fit into a block's shared memory";
}

const char *cuda_loop_reason(const struct structure *structure, int32_t time,
                             const struct launch_device *device) {
  const struct decoder_structure *decoder = &structure->decoder;
  const struct attention_structure *attention = &structure->attention;
  if (!decoder->present)
    return "it has no decoder";
  if (decoder->given_width > 0)
    return "each step of its decoder is given numbers";
  if (decoder->count > LOOP_MOST_LAYERS)
    return "its decoder has more than 4 layers";
  for (int32_t l = 0; l < decoder->count; l++)
    if (decoder->layers[l].cell.units > LOOP_MOST_UNITS)
      return "S is above 128";
  if (attention->present &&
      (structure->encoder.width > MOST_ANNOTATION || attention->context_width > MOST_ANNOTATION))
    return "A is above 256";
  if (attention->present && attention->heads > 1)
    return "its attention has several heads";
  if (decoder->feedback == FEEDBACK_PROBABILITIES)
    return "its steps read probabilities";
  if (structure->output.heads[0].units > MOST_OUTPUTS)
    return "V is above 1024";
  if (structure_head_norms(structure))
    return "its head normalises";
  if (loop_widest(structure) > MOST_DENSE)
    return "a dense layer has more than 1024 units";
  struct loop_model model = {0};
  struct loop_maker maker = {.structure = structure, .model = &model};
  loop_decoder_make(&maker);
  return time_reason(structure, model.shared_floats, time, device);
}

cuseq_status cuda_loop_check(const struct structure *structure, int32_t time,
                             const struct launch_device *device, const struct cuda_forced *forced) {
  const char *reason = structure->decoder.present ? cuda_loop_reason(structure, time, device) : NULL;
  if (forced->decoder == CUDA_DECODER_LOOP && reason)
    return error_set(CUSEQ_STATUS_NOT_SUPPORTED, "cuda plan: \"decoder=loop\" cannot run this model (%s)",
                     reason);
  return CUSEQ_STATUS_OK;
}

bool cuda_loop_chosen(const struct cuda_session *session, int32_t time) {
  const struct cuda_steps *steps = session->steps;
  return steps->d_loop && session->forced.decoder != CUDA_DECODER_STEPS &&
         !time_reason(&steps->structure, steps->loop_floats, time, &session->device);
}

/* ---- a session's ---- */

void cuda_loop_plan(struct cuda_session *session, struct cuda_plan *plan) {
  /* a shorter call decodes in one launch where a longer one does not */
  bool some = !cuda_loop_reason(&session->model->lowered, 1, &session->device);
  cuda_plan_add(plan, &session->steps->d_loop, some ? sizeof(struct loop_model) : 0);
}

cuseq_status cuda_loop_upload(struct cuda_session *session) {
  struct cuda_steps *steps = session->steps;
  if (!steps->d_loop)
    return CUSEQ_STATUS_OK;
  struct loop_model *model = calloc(1, sizeof *model);
  if (!model)
    return error_set(CUSEQ_STATUS_OUT_OF_MEMORY, "cuseq_session_open: out of memory");
  struct loop_maker maker = {.structure = &steps->structure, .cells = steps->cells, .model = model};
  loop_decoder_make(&maker);
  steps->loop_floats = model->shared_floats;
  cudaError_t error = cudaMemcpy(steps->d_loop, model, sizeof *model, cudaMemcpyHostToDevice);
  free(model);
  return error == cudaSuccess ? CUSEQ_STATUS_OK : cuda_failure(error, "cudaMemcpy");
}

/* ---- a call ---- */

static const void *given(const struct cuda_session *session, bool is_given, enum backend_array array) {
  return is_given ? session->work.decoding[array] : NULL;
}

static cuseq_status loop_launch(struct cuda_session *session, const struct loop *loop) {
  CUDA_RANGE("decode loop", session->encoded.batch, session->encoded.time, session->model->config.units);
  return cuda_launched(session, launch_loop(loop, &session->launch));
}

void cuda_loop_arguments(const struct cuda_session *session, const cuseq_decoding *decoding,
                         const struct cuda_stepping *stepping, void *made[BACKEND_ARRAYS],
                         struct loop *loop) {
  for (enum backend_array array = 0; array < BACKEND_ARRAYS; array++)
    made[array] = array >= BACKEND_INPUTS && call_arrays[array].structure == CALL_DECODING
                      ? cuda_decoding_place(session, array, call_pointer(array, decoding))
                      : NULL;
  *loop = (struct loop){.batch = stepping->rows,
                        .time = session->encoded.time,
                        .steps = stepping->steps,
                        .d_lengths = session->encoded.d_lengths,
                        .d_given_h = given(session, stepping->given_h, BACKEND_STATE_H),
                        .d_given_c = given(session, stepping->given_c, BACKEND_STATE_C),
                        .d_given_fed = given(session, stepping->given_fed, BACKEND_FED),
                        .d_previous = given(session, stepping->given_tokens, BACKEND_PREVIOUS),
                        .d_targets = given(session, stepping->given_targets, BACKEND_TARGETS),
                        .d_target_lengths = given(session, stepping->given_lengths, BACKEND_TARGET_LENGTHS),
                        .d_contexts = made[BACKEND_CONTEXTS],
                        .d_alphas = made[BACKEND_ALPHAS],
                        .d_states = made[BACKEND_STATES],
                        .d_outputs = made[BACKEND_OUTPUTS],
                        .d_log_probabilities = made[BACKEND_LOG_PROBABILITIES],
                        .d_tokens = made[BACKEND_TOKENS],
                        .d_output_lengths = made[BACKEND_OUTPUT_LENGTHS],
                        .d_end_h = made[BACKEND_DECODER_FINAL_H],
                        .d_end_c = made[BACKEND_DECODER_FINAL_C],
                        .d_end_fed = made[BACKEND_FINAL_FED],
                        .check = cuda_check_results(session, 0)};
}

cuseq_status cuda_loop_queue(struct cuda_session *session, const cuseq_decoding *decoding,
                             const struct cuda_stepping *stepping) {
  const struct cuda_steps *steps = session->steps;
  void *made[BACKEND_ARRAYS];
  struct loop loop;
  cuda_loop_arguments(session, decoding, stepping, made, &loop);
  loop.d_model = steps->d_loop;
  loop.shared_floats = steps->loop_floats;
  loop.encoded = session->encoded.batch;
  loop.d_rows = stepping->d_rows;
  loop.d_keys = session->work.d_keys ? session->work.d_keys : session->encoded.d_annotations;
  loop.d_values = session->work.d_values ? session->work.d_values : session->encoded.d_annotations;
  loop.d_final_h = session->work.d_final_h;
  loop.d_final_c = session->work.d_final_c;
  TRY(loop_launch(session, &loop));
  return cuda_decoding_fetch(session, decoding, stepping->rows, made);
}
