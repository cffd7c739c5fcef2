#include "backends/cuda/decoder.h"

#include "backends/cuda/decode_graph.h"
#include "backends/cuda/trace.h"
#include "error.h"

#include <stdlib.h>

/* Everything of struct decode that does not change from call to call. */
static void decode_fill(const struct cuda_session *session, struct decode *decode) {
  const cuseq_config *config = &session->model->config;
  const struct cuda_decoder *decoder = session->decoder;
  size_t A = (size_t)config->annotation_width;
  struct attention_score *score = &decode->score;
  cuda_decode_sizes(config, decode);
  score->d_key = decoder->d_key;
  score->d_key_bias = decoder->d_key_bias;
  score->d_query = decoder->d_query;
  score->d_value = decoder->d_value;
  for (int32_t l = 0; l < config->attention_layers; l++) {
    score->d_kernel[l] = decoder->d_layer_kernel[l];
    score->d_bias[l] = decoder->d_layer_bias[l];
  }
  if (config->score == CUSEQ_SCORE_CONCAT && decoder->d_layer_kernel[0]) {
    score->d_key = decoder->d_layer_kernel[0];
    score->d_key_bias = decoder->d_layer_bias[0];
    score->d_query = decoder->d_layer_kernel[0] + A * (size_t)config->attention_units[0];
  }
  decode->start.d_kernel_h = decoder->d_initial_kernel[0];
  decode->start.d_bias_h = decoder->d_initial_bias[0];
  decode->start.d_kernel_c = decoder->d_initial_kernel[1];
  decode->start.d_bias_c = decoder->d_initial_bias[1];
  decode->d_embedding = decoder->d_embedding;
  decode->d_kernel = decoder->d_kernel;
  decode->d_recurrent = decoder->d_recurrent;
  decode->d_bias = decoder->d_bias;
  decode->d_output_kernel = decoder->d_output_kernel;
  decode->d_output_bias = decoder->d_output_bias;
  decode->d_workspace = decoder->d_workspace;
}

/* Where a result is written: to the caller's array where that is on the device; else to a buffer, NULL
 * where nobody wants it. */
static void *result_place(const struct cuda_session *session, enum backend_array name, void *wanted,
                          void *buffer) {
  return wanted && session->places[name] == CUDA_PLACE_DEVICE ? wanted : wanted ? buffer : NULL;
}

/* One attention step with the sizes of a decoding. */
static struct attend attend_of(const struct decode *decode) {
  return (struct attend){.score = decode->score,
                         .start = decode->start,
                         .batch = decode->batch,
                         .time = decode->time,
                         .d_lengths = decode->d_lengths,
                         .d_annotations = decode->d_annotations,
                         .d_keys = decode->d_keys,
                         .d_workspace = decode->d_workspace,
                         .check = decode->check};
}

/* The attention step's flags must stay as it leaves them: the loop has a workspace of its own. */
static void workspaces_plan(struct cuda_session *session, struct cuda_plan *plan) {
  struct decode largest = {0};
  decode_fill(session, &largest);
  largest.batch = session->limits.batch;
  largest.time = session->limits.time;
  largest.steps = session->limits.steps;
  struct attend attend = attend_of(&largest);
  size_t loop = session->model->config.has_decoder ? decode_workspace_bytes(&largest, &session->device) : 0;
  cuda_plan_add(plan, &session->decoder->d_workspace, attend_workspace_bytes(&attend, &session->device));
  cuda_plan_add(plan, &session->decoder->d_loop_workspace, loop);
}

cuseq_status cuda_decoder_open(struct cuda_session *session) {
  session->decoder = calloc(1, sizeof *session->decoder);
  return session->decoder ? CUSEQ_STATUS_OK
                          : error_set(CUSEQ_STATUS_OUT_OF_MEMORY, "cuseq_session_open: out of memory");
}

void cuda_decoder_plan(struct cuda_session *session, struct cuda_plan *plan) {
  const cuseq_config *config = &session->model->config;
  struct cuda_decoder *decoder = session->decoder;
  size_t B = (size_t)session->limits.batch, T = (size_t)session->limits.time,
         Y = (size_t)session->limits.steps;
  size_t S = (size_t)config->state_units * sizeof(float), V = (size_t)config->outputs * sizeof(float);
  bool loop = config->has_decoder != 0, dot = config->score == CUSEQ_SCORE_DOT;
  struct decode sizes = {0};
  decode_fill(session, &sizes);
  size_t U = dot ? 0 : (size_t)attention_key_width(&sizes.score) * sizeof(float);
  cuda_decoder_weights_plan(session, plan);
  cuda_plan_add(plan, &decoder->d_keys, B * T * U);
  workspaces_plan(session, plan);
  cuda_plan_add(plan, &decoder->d_given_h, B * S);
  cuda_plan_add(plan, &decoder->d_given_c, loop ? B * S : 0);
  cuda_plan_add(plan, &decoder->d_previous, B * sizeof(int32_t));
  cuda_plan_add(plan, &decoder->d_contexts, B * Y * (size_t)config->annotation_width * sizeof(float));
  cuda_plan_add(plan, &decoder->d_alphas, B * Y * T * sizeof(float));
  cuda_plan_add(plan, &decoder->d_states, loop ? B * Y * S : 0);
  cuda_plan_add(plan, &decoder->d_outputs, loop ? B * Y * V : 0);
  cuda_plan_add(plan, &decoder->d_final_h, loop ? B * S : 0);
  cuda_plan_add(plan, &decoder->d_final_c, loop ? B * S : 0);
  cuda_plan_add(plan, &decoder->d_tokens, loop ? B * Y * sizeof(int32_t) : 0);
  cuda_plan_add(plan, &decoder->d_output_lengths, loop ? B * sizeof(int32_t) : 0);
  if (loop && session->choice.decoder == CUDA_DECODER_STEPS)
    cuda_decode_steps_plan(session, plan);
}

cuseq_status cuda_decoder_upload(struct cuda_session *session) {
  TRY(cuda_decoder_weights_upload(session));
  decode_fill(session, &session->decoder->decode);
  return CUSEQ_STATUS_OK;
}

void cuda_decoder_close(struct cuda_session *session) {
  free(session->decoder);
  session->decoder = NULL;
}

cuseq_status cuda_keys_queue(struct cuda_session *session) {
  struct cuda_decoder *decoder = session->decoder;
  decoder->keys_made = true;
  if (!decoder->d_keys)
    return CUSEQ_STATUS_OK;
  CUDA_RANGE("keys", session->batch, session->time, session->model->config.units);
  struct attention_keys keys = {.score = decoder->decode.score,
                                .batch = session->batch,
                                .time = session->time,
                                .d_annotations = session->d_encoded,
                                .d_keys = decoder->d_keys};
  return cuda_launched(session, launch_attention_keys(&keys, &session->launch));
}

static cuseq_status given_queue(struct cuda_session *session, enum backend_array name, const float *given,
                                float *d_given, size_t count) {
  if (!given || session->places[name] != CUDA_PLACE_DEVICE)
    return cuda_copy_in(session, name, d_given, given, count * sizeof(float));
  cuda_check_states(session, name, given, d_given, (int64_t)count);
  return CUSEQ_STATUS_OK;
}

/* A call's arguments: what was encoded, the state to start from. */
static cuseq_status decode_begin(struct cuda_session *session, const float *given_h, const float *given_c,
                                 struct decode *decode) {
  const cuseq_config *config = &session->model->config;
  struct cuda_decoder *decoder = session->decoder;
  size_t B = (size_t)session->batch, H = (size_t)config->units, D = (size_t)config_directions(config);
  size_t count = B * (size_t)config->state_units, last = ((size_t)config->layers - 1) * D * B * H;
  CUDA_RANGE("input", session->batch, session->time, config->units);
  *decode = decoder->decode;
  decode->batch = session->batch;
  decode->time = session->time;
  decode->check = cuda_check_results(session, 1);
  decode->d_lengths = session->d_encoded_lengths;
  decode->d_annotations = session->d_encoded;
  decode->d_keys = decoder->d_keys;
  decode->start.d_final_h = session->d_final_h + last;
  decode->start.d_final_c = session->d_final_c + last;
  TRY(given_queue(session, BACKEND_STATE_H, given_h, decoder->d_given_h, count));
  TRY(given_queue(session, BACKEND_STATE_C, given_c, decoder->d_given_c, count));
  decode->start.d_given_h = given_h ? decoder->d_given_h : NULL;
  decode->start.d_given_c = given_c ? decoder->d_given_c : NULL;
  return CUSEQ_STATUS_OK;
}

static cuseq_status step_queue(struct cuda_session *session, const struct attend *attend) {
  CUDA_RANGE("attention step", session->batch, session->time, session->model->config.units);
  return cuda_launched(session, launch_attend(attend, &session->launch));
}

cuseq_status cuda_attend_queue(struct cuda_session *session, const float *hidden, float *context,
                               float *alphas) {
  struct cuda_decoder *decoder = session->decoder;
  size_t B = (size_t)session->batch, A = (size_t)session->model->config.annotation_width;
  struct decode decode;
  if (!decoder->keys_made)
    TRY(cuda_keys_queue(session));
  TRY(decode_begin(session, hidden, NULL, &decode));
  TRY(cuda_check_queue(session));
  struct attend attend = attend_of(&decode);
  attend.d_alphas = result_place(session, BACKEND_ALPHAS, alphas, decoder->d_alphas);
  attend.alphas_stride = session->time;
  attend.d_context = result_place(session, BACKEND_CONTEXTS, context, decoder->d_contexts);
  attend.context_stride = (int64_t)A;
  if (attend.d_alphas || attend.d_context)
    TRY(step_queue(session, &attend));
  CUDA_RANGE("copy out", session->batch, session->time, session->model->config.units);
  TRY(cuda_copy_out(session, BACKEND_CONTEXTS, context, attend.d_context, B * A * sizeof(float)));
  return cuda_copy_out(session, BACKEND_ALPHAS, alphas, attend.d_alphas,
                       B * (size_t)session->time * sizeof(float));
}

cuseq_status cuda_decode_fetch(struct cuda_session *session, const cuseq_decoding *decoding,
                               const struct decode *decode) {
  const cuseq_config *config = &session->model->config;
  CUDA_RANGE("copy out", session->batch, session->time, config->units);
  size_t B = (size_t)session->batch, steps = B * (size_t)decoding->steps;
  size_t S = (size_t)config->state_units * sizeof(float), V = (size_t)config->outputs * sizeof(float);
  size_t A = (size_t)config->annotation_width * sizeof(float), T = (size_t)session->time * sizeof(float);
  TRY(cuda_copy_out(session, BACKEND_CONTEXTS, decoding->contexts, decode->d_contexts, steps * A));
  TRY(cuda_copy_out(session, BACKEND_ALPHAS, decoding->alphas, decode->d_alphas, steps * T));
  TRY(cuda_copy_out(session, BACKEND_STATES, decoding->states, decode->d_states, steps * S));
  TRY(cuda_copy_out(session, BACKEND_OUTPUTS, decoding->outputs, decode->d_outputs, steps * V));
  TRY(cuda_copy_out(session, BACKEND_TOKENS, decoding->tokens, decode->d_tokens, steps * sizeof(int32_t)));
  TRY(cuda_copy_out(session, BACKEND_OUTPUT_LENGTHS, decoding->output_lengths, decode->d_output_lengths,
                    B * sizeof(int32_t)));
  TRY(cuda_copy_out(session, BACKEND_DECODER_FINAL_H, decoding->final_h, decode->d_final_h, B * S));
  return cuda_copy_out(session, BACKEND_DECODER_FINAL_C, decoding->final_c, decode->d_final_c, B * S);
}

static cuseq_status loop_queue(struct cuda_session *session, const struct decode *decode) {
  CUDA_RANGE("decode loop", session->batch, session->time, session->model->config.units);
  const struct cuda_shape shape = {.time = session->time};
  if (cuda_choose(&session->model->config, &shape, &session->device, &session->forced).decoder ==
      CUDA_DECODER_STEPS)
    return cuda_decode_steps_queue(session, decode);
  struct decode loop = *decode;
  loop.d_workspace = session->decoder->d_loop_workspace;
  return cuda_launched(session, launch_decode(&loop, &session->launch));
}

cuseq_status cuda_decode_arguments(struct cuda_session *session, const cuseq_decoding *decoding,
                                   struct decode *decode) {
  struct cuda_decoder *decoder = session->decoder;
  TRY(decode_begin(session, decoding->initial_h, decoding->initial_c, decode));
  if (decoding->previous && session->places[BACKEND_PREVIOUS] == CUDA_PLACE_DEVICE)
    cuda_check_integers(session, BACKEND_PREVIOUS, decoding->previous, decoder->d_previous, session->batch, 0,
                        session->model->config.outputs - 1);
  else
    TRY(cuda_copy_in(session, BACKEND_PREVIOUS, decoder->d_previous, decoding->previous,
                     (size_t)session->batch * sizeof(int32_t)));
  TRY(cuda_check_queue(session));
  decode->steps = decoding->steps;
  decode->d_previous = decoding->previous ? decoder->d_previous : NULL;
  /* what nobody wants is not written */
  decode->d_contexts = result_place(session, BACKEND_CONTEXTS, decoding->contexts, decoder->d_contexts);
  decode->d_alphas = result_place(session, BACKEND_ALPHAS, decoding->alphas, decoder->d_alphas);
  decode->d_states = result_place(session, BACKEND_STATES, decoding->states, decoder->d_states);
  decode->d_outputs = result_place(session, BACKEND_OUTPUTS, decoding->outputs, decoder->d_outputs);
  decode->d_tokens = result_place(session, BACKEND_TOKENS, decoding->tokens, decoder->d_tokens);
  decode->d_output_lengths =
      result_place(session, BACKEND_OUTPUT_LENGTHS, decoding->output_lengths, decoder->d_output_lengths);
  decode->d_final_h = result_place(session, BACKEND_DECODER_FINAL_H, decoding->final_h, decoder->d_final_h);
  decode->d_final_c = result_place(session, BACKEND_DECODER_FINAL_C, decoding->final_c, decoder->d_final_c);
  return CUSEQ_STATUS_OK;
}

cuseq_status cuda_decode_queue(struct cuda_session *session, const cuseq_decoding *decoding) {
  if (!session->model->config.has_decoder)
    return cuda_attend_queue(session, decoding->initial_h, decoding->contexts, decoding->alphas);
  struct decode decode;
  if (!session->decoder->keys_made)
    TRY(cuda_keys_queue(session));
  TRY(cuda_decode_arguments(session, decoding, &decode));
  TRY(loop_queue(session, &decode));
  return cuda_decode_fetch(session, decoding, &decode);
}
