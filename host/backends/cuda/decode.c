#include "backends/cuda/decoder.h"

#include "backends/cuda/decoding.h"
#include "backends/cuda/loop.h"
#include "backends/cuda/trace.h"
#include "error.h"

#include <stdlib.h>

/* Everything of struct decode that does not change from call to call. */
static void decode_fill(const struct cuda_session *session, struct decode *decode) {
  cuda_decode_sizes(&session->model->config, decode);
  cuda_decoder_weights_fill(session, decode);
  decode->d_workspace = session->decoder->d_workspace;
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

/* Models of version 1 are what one launch takes. */
cuseq_status cuda_decoder_open(struct cuda_session *session) {
  if (session->model->version != 1)
    return CUSEQ_STATUS_OK;
  session->decoder = calloc(1, sizeof *session->decoder);
  return session->decoder ? CUSEQ_STATUS_OK
                          : error_set(CUSEQ_STATUS_OUT_OF_MEMORY, "cuseq_session_open: out of memory");
}

void cuda_decoder_plan(struct cuda_session *session, struct cuda_plan *plan) {
  const cuseq_config *config = &session->model->config;
  struct cuda_decoder *decoder = session->decoder;
  if (!decoder)
    return;
  size_t positions = (size_t)session->limits.batch * (size_t)session->limits.time;
  size_t U = config->score == CUSEQ_SCORE_GENERAL ? (size_t)config->state_units * sizeof(float) : 0;
  cuda_plan_add(plan, &session->work.d_general_keys, positions * U);
  workspaces_plan(session, plan);
}

void cuda_decoder_fill(struct cuda_session *session) {
  if (session->decoder)
    decode_fill(session, &session->decoder->decode);
}

void cuda_decoder_close(struct cuda_session *session) {
  free(session->decoder);
  session->decoder = NULL;
}

/* Keys of version 1's own kernels: they share those of the steps, but with score general, which they take the
 * other way round. */
static float *keys_of(const struct cuda_session *session) {
  return session->work.d_general_keys ? session->work.d_general_keys : session->work.d_keys;
}

/* Keys for one launch, made of what is encoded. */
static cuseq_status keys_queue(struct cuda_session *session) {
  struct cuda_decoder *decoder = session->decoder;
  bool *made =
      session->work.d_general_keys ? &session->encoded.general_keys_made : &session->encoded.keys_made;
  if (*made)
    return CUSEQ_STATUS_OK;
  *made = true;
  if (!keys_of(session))
    return CUSEQ_STATUS_OK;
  CUDA_RANGE("keys", session->encoded.batch, session->encoded.time, session->model->config.units);
  struct attention_keys keys = {.score = decoder->decode.score,
                                .batch = session->encoded.batch,
                                .time = session->encoded.time,
                                .d_annotations = session->encoded.d_annotations,
                                .d_keys = keys_of(session),
                                .precision = session->limits.precision};
  return cuda_launched(session, launch_attention_keys(&keys, &session->launch));
}

/* Which way decodes calls of this many positions. */
static enum cuda_decoder_kind decoder_kind(const struct cuda_session *session) {
  return cuda_choose_decoder(&session->model->config, session->encoded.time, &session->forced);
}

bool cuda_decodes_fused(const cuseq_decoding *decoding) {
  return !decoding->rows && !decoding->targets && !decoding->log_probabilities;
}

/* Whether a decoding of a decoder is one launch of its own kernel. */
static bool is_fused(const struct cuda_session *session, const cuseq_decoding *decoding) {
  return session->decoder && cuda_decodes_fused(decoding) && decoder_kind(session) == CUDA_DECODER_LOOP;
}

cuseq_status cuda_keys_queue(struct cuda_session *session) {
  session->encoded.keys_made = false;
  if (!session->decoder)
    return cuda_steps_keys_queue(session);
  session->encoded.general_keys_made = false;
  bool fused = !session->model->config.has_decoder || decoder_kind(session) == CUDA_DECODER_LOOP;
  return fused ? keys_queue(session) : cuda_steps_keys_queue(session);
}

/* ---- one launch ---- */

/* A call's arguments: what was encoded, the state to start from. */
static void decode_begin(const struct cuda_session *session, bool given_h, bool given_c,
                         struct decode *decode) {
  const cuseq_config *config = &session->model->config;
  const struct cuda_decoder *decoder = session->decoder;
  size_t B = (size_t)session->encoded.batch, H = (size_t)config->units, D = (size_t)config_directions(config);
  size_t last = ((size_t)config->layers - 1) * D * B * H;
  *decode = decoder->decode;
  decode->batch = session->encoded.batch;
  decode->time = session->encoded.time;
  decode->check = cuda_check_results(session, 1);
  decode->d_lengths = session->encoded.d_lengths;
  decode->d_annotations = session->encoded.d_annotations;
  decode->d_keys = keys_of(session);
  decode->start.d_final_h = session->work.d_final_h + last;
  decode->start.d_final_c = session->work.d_final_c + last;
  decode->start.d_given_h = given_h ? cuda_decoding_floats(session, BACKEND_STATE_H) : NULL;
  decode->start.d_given_c = given_c ? cuda_decoding_floats(session, BACKEND_STATE_C) : NULL;
}

void cuda_decode_arguments(const struct cuda_session *session, const cuseq_decoding *decoding,
                           struct decode *decode) {
  decode_begin(session, decoding->initial_h != NULL, decoding->initial_c != NULL, decode);
  decode->steps = decoding->steps;
  decode->d_previous = decoding->previous ? session->work.decoding[BACKEND_PREVIOUS] : NULL;
  /* what nobody wants is not written */
  decode->d_contexts = cuda_decoding_place(session, BACKEND_CONTEXTS, decoding->contexts);
  decode->d_alphas = cuda_decoding_place(session, BACKEND_ALPHAS, decoding->alphas);
  decode->d_states = cuda_decoding_place(session, BACKEND_STATES, decoding->states);
  decode->d_outputs = cuda_decoding_place(session, BACKEND_OUTPUTS, decoding->outputs);
  decode->d_tokens = cuda_decoding_place(session, BACKEND_TOKENS, decoding->tokens);
  decode->d_output_lengths = cuda_decoding_place(session, BACKEND_OUTPUT_LENGTHS, decoding->output_lengths);
  decode->d_final_h = cuda_decoding_place(session, BACKEND_DECODER_FINAL_H, decoding->final_h);
  decode->d_final_c = cuda_decoding_place(session, BACKEND_DECODER_FINAL_C, decoding->final_c);
}

cuseq_status cuda_decode_fetch(struct cuda_session *session, const cuseq_decoding *decoding,
                               const struct decode *decode) {
  void *const made[BACKEND_ARRAYS] = {
      [BACKEND_CONTEXTS] = decode->d_contexts,       [BACKEND_ALPHAS] = decode->d_alphas,
      [BACKEND_STATES] = decode->d_states,           [BACKEND_OUTPUTS] = decode->d_outputs,
      [BACKEND_TOKENS] = decode->d_tokens,           [BACKEND_OUTPUT_LENGTHS] = decode->d_output_lengths,
      [BACKEND_DECODER_FINAL_H] = decode->d_final_h, [BACKEND_DECODER_FINAL_C] = decode->d_final_c};
  return cuda_decoding_fetch(session, decoding, session->encoded.batch, made);
}

static cuseq_status attend_launch(struct cuda_session *session, const struct attend *attend) {
  CUDA_RANGE("attention step", session->encoded.batch, session->encoded.time, session->model->config.units);
  return cuda_launched(session, launch_attend(attend, &session->launch));
}

static cuseq_status attend_fused(struct cuda_session *session, bool given, float *context, float *alphas) {
  struct decode decode;
  TRY(keys_queue(session));
  decode_begin(session, given, false, &decode);
  struct attend attend = attend_of(&decode);
  attend.d_alphas = cuda_decoding_place(session, BACKEND_ALPHAS, alphas);
  attend.alphas_stride = session->encoded.time;
  attend.d_context = cuda_decoding_place(session, BACKEND_CONTEXTS, context);
  attend.context_stride = session->model->config.annotation_width;
  if (attend.d_alphas || attend.d_context)
    TRY(attend_launch(session, &attend));
  void *const made[BACKEND_ARRAYS] = {
      [BACKEND_CONTEXTS] = attend.d_context, [BACKEND_ALPHAS] = attend.d_alphas};
  const cuseq_decoding results = {.steps = 1, .contexts = context, .alphas = alphas};
  return cuda_decoding_fetch(session, &results, session->encoded.batch, made);
}

static cuseq_status loop_launch(struct cuda_session *session, const struct decode *decode) {
  CUDA_RANGE("decode loop", session->encoded.batch, session->encoded.time, session->model->config.units);
  struct decode loop = *decode;
  loop.d_workspace = session->decoder->d_loop_workspace;
  return cuda_launched(session, launch_decode(&loop, &session->launch));
}

static cuseq_status decode_fused(struct cuda_session *session, const cuseq_decoding *decoding) {
  struct decode decode;
  TRY(keys_queue(session));
  cuda_decode_arguments(session, decoding, &decode);
  TRY(loop_launch(session, &decode));
  return cuda_decode_fetch(session, decoding, &decode);
}

/* ---- step by step ---- */

struct cuda_stepping cuda_stepping_of(const struct cuda_session *session, const cuseq_decoding *decoding) {
  struct cuda_stepping stepping = {.rows = cuda_decoding_rows(session, decoding),
                                   .steps = decoding->steps,
                                   .d_rows = decoding->rows ? session->work.decoding[BACKEND_ROWS] : NULL,
                                   .given_h = decoding->initial_h != NULL,
                                   .given_c = decoding->initial_c != NULL,
                                   .given_fed = decoding->initial_fed != NULL,
                                   .given_tokens = decoding->previous != NULL,
                                   .given_lengths = decoding->target_lengths != NULL,
                                   .given_targets = decoding->targets != NULL};
  for (enum backend_array array = BACKEND_INPUTS; array < BACKEND_ARRAYS; array++)
    if (call_arrays[array].structure == CALL_DECODING && call_pointer(array, decoding))
      stepping.wanted |= cuda_wanted(array);
  return stepping;
}

static cuseq_status steps_queue(struct cuda_session *session, const cuseq_decoding *decoding) {
  const struct cuda_stepping stepping = cuda_stepping_of(session, decoding);
  TRY(cuda_steps_keys_queue(session));
  if (cuda_loop_chosen(session, session->encoded.time))
    return cuda_loop_queue(session, decoding, &stepping);
  TRY(session->model->structure.decoder.present ? cuda_steps_queue(session, &stepping)
                                                : cuda_steps_outputs(session, &stepping));
  return cuda_decoding_fetch(session, decoding, stepping.rows, session->work.decoding);
}

/* What asks where the caller gives no state: the asked layer's first state, or the start token. */
static cuseq_status asks_queue(struct cuda_session *session, struct cuda_part *query) {
  const struct structure *structure = &session->steps->structure;
  const struct attention_structure *attention = &structure->attention;
  const struct cuda_stepping stepping = {.rows = session->encoded.batch};
  float *state = cuda_decoding_floats(session, BACKEND_STATE_H);
  int32_t Q = attention->query_inputs;
  const struct initial_structure *initial = &structure->asking.initial;
  if (attention->asks == ASKS_TOKEN) {
    *query = cuda_steps_token(session);
    return cuda_steps_start_token(session, session->encoded.batch);
  }
  if (structure->decoder.present) {
    initial = &structure->decoder.layers[attention->asked_layer].initial_h;
    if (initial->from == INITIAL_OTHER)
      initial = &structure->decoder.layers[attention->asked_layer].initial_c;
  }
  return cuda_steps_initial(session, initial, &stepping, Q, state, Q);
}

static cuseq_status attend_steps(struct cuda_session *session, bool given, float *context, float *alphas) {
  const struct structure *structure = &session->steps->structure;
  int32_t Q = structure->attention.query_inputs;
  struct cuda_part query = {
      .d_rows = cuda_decoding_floats(session, BACKEND_STATE_H), .stride = Q, .width = Q};
  TRY(cuda_steps_keys_queue(session));
  if (!given)
    TRY(asks_queue(session, &query));
  const struct cuda_asking asking = {.query = {.count = 1, .list = {query}},
                                     .rows = session->encoded.batch,
                                     .d_lengths = session->encoded.d_lengths,
                                     .d_alphas = cuda_decoding_floats(session, BACKEND_ALPHAS),
                                     .alphas_stride = session->encoded.time,
                                     .d_context = cuda_decoding_floats(session, BACKEND_CONTEXTS),
                                     .check = cuda_check_results(session, 0)};
  TRY(cuda_steps_attend(session, &asking));
  const cuseq_decoding results = {.steps = 1, .contexts = context, .alphas = alphas};
  return cuda_decoding_fetch(session, &results, session->encoded.batch, session->work.decoding);
}

/* ---- calls ---- */

/* The state that attends, where the caller gives one. */
static cuseq_status state_bring(struct cuda_session *session, const float *hidden) {
  CUDA_RANGE("input", session->encoded.batch, session->encoded.time, session->model->config.units);
  size_t count = (size_t)session->encoded.batch * (size_t)session->model->structure.attention.query_inputs;
  float *state = cuda_decoding_floats(session, BACKEND_STATE_H);
  if (hidden && session->call.places[BACKEND_STATE_H] == CUDA_PLACE_DEVICE)
    cuda_check_states(session, BACKEND_STATE_H, hidden, state, (int64_t)count);
  else
    TRY(cuda_copy_in(session, BACKEND_STATE_H, state, hidden, count * sizeof(float)));
  return cuda_check_queue(session);
}

cuseq_status cuda_attend_queue(struct cuda_session *session, const float *hidden, float *context,
                               float *alphas) {
  TRY(state_bring(session, hidden));
  return session->decoder ? attend_fused(session, hidden != NULL, context, alphas)
                          : attend_steps(session, hidden != NULL, context, alphas);
}

cuseq_status cuda_decode_queue(struct cuda_session *session, const cuseq_decoding *decoding) {
  if (session->decoder && !session->model->config.has_decoder)
    return cuda_attend_queue(session, decoding->initial_h, decoding->contexts, decoding->alphas);
  TRY(cuda_decoding_bring(session, decoding, cuda_decoding_rows(session, decoding)));
  return is_fused(session, decoding) ? decode_fused(session, decoding) : steps_queue(session, decoding);
}
