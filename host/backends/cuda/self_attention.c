/* Self-attention in an encoder's layer: every position of a row asks all of them. Inner products have a
 * kernel of their own; for layered energies each position is a row that asks, as a decoder's do. */
#include "backends/cuda/steps.h"

#include "backends/cuda/trace.h"
#include "error.h"

/* Positions that ask in one launch, where launch_attend needs a workspace for each. */
enum { ASKING_MOST = 1024 };

/* Queries, keys and values of every position, side by side without gaps. */
struct asked {
  const float *queries, *keys, *values;
};

/* ---- sizes ---- */

bool cuda_self_attention_is_narrow(const struct cuda_session *session, const struct encoder_layer *layer) {
  const struct attention_structure *self = encoder_self_attention(&session->model->lowered.encoder, layer);
  return !self || (cuda_positions_are_narrow(&self->query) && cuda_positions_are_narrow(&self->keys) &&
                   cuda_positions_are_narrow(&self->values));
}

/* launch_attend's arguments but for who asks what. */
static struct attend attend_of(const struct cuda_session *session, const struct attention_structure *self,
                               const struct encoder_layer *layer, int32_t time) {
  return (struct attend){.score = cuda_steps_score(self, layer->merged_width),
                         .start = {.kind = CUSEQ_INITIAL_STATE_ZEROS, .state_units = self->key_width},
                         .time = time,
                         .values_width = self->context_width,
                         .d_workspace = session->work.self.d_workspace};
}

static size_t workspace_bytes(const struct cuda_session *session, const struct attention_structure *self,
                              const struct encoder_layer *layer) {
  struct attend largest = attend_of(session, self, layer, session->limits.time);
  const int64_t positions = (int64_t)session->limits.batch * session->limits.time;
  largest.batch = positions < ASKING_MOST ? (int32_t)positions : ASKING_MOST;
  return self->kind == ENERGY_LAYERS ? attend_workspace_bytes(&largest, &session->device) : 0;
}

int32_t cuda_self_attention_window(const struct cuda_session *session, const struct encoder_layer *layer) {
  const struct attention_structure *self = encoder_self_attention(&session->model->lowered.encoder, layer);
  return workspace_bytes(session, self, layer) > 0 ? ASKING_MOST : 0;
}

static void most(size_t *widest, size_t size) {
  *widest = size > *widest ? size : *widest;
}

void cuda_self_attention_plan(struct cuda_session *session, struct cuda_plan *plan) {
  const struct encoder_structure *encoder = &session->model->lowered.encoder;
  struct cuda_self_work *work = &session->work.self;
  size_t positions = (size_t)session->limits.batch * (size_t)session->limits.time * sizeof(float);
  size_t queries = 0, keys = 0, values = 0, contexts = 0, asking = 0, workspace = 0;
  for (int32_t l = 0; l < encoder->count; l++) {
    const struct encoder_layer *layer = &encoder->layers[l];
    const struct attention_structure *self = encoder_self_attention(encoder, layer);
    if (!self)
      continue;
    most(&queries, self->query.count > 0 ? (size_t)self->key_width : 0);
    most(&keys, self->keys.count > 0 ? (size_t)self->key_width : 0);
    most(&values, self->values.count > 0 ? (size_t)self->context_width : 0);
    most(&contexts, layer->dense.kernel ? (size_t)self->context_width : 0);
    most(&asking, self->kind == ENERGY_LAYERS ? 1 : 0);
    most(&workspace, workspace_bytes(session, self, layer));
  }
  cuda_plan_add(plan, &work->d_queries, positions * queries);
  cuda_plan_add(plan, &work->d_keys, positions * keys);
  cuda_plan_add(plan, &work->d_values, positions * values);
  cuda_plan_add(plan, &work->d_contexts, positions * contexts);
  cuda_plan_add(plan, &work->d_rows, positions * asking);
  cuda_plan_add(plan, &work->d_attended, positions * asking);
  cuda_plan_add(plan, &work->d_workspace, workspace);
}

/* ---- a call ---- */

static cuseq_status mapped(struct cuda_session *session, const struct dense_chain *chain, const float *x,
                           float *d_made, const float **vectors) {
  *vectors = chain->count > 0 ? d_made : x;
  return cuda_positions_queue(session, chain, x, d_made);
}

/* Inner products. */
static cuseq_status products_queue(struct cuda_session *session, const struct attention_structure *self,
                                   const struct asked *asked, float *d_output, int64_t output_stride) {
  const struct self_attend attend = {.batch = session->encoded.batch,
                                     .time = session->encoded.time,
                                     .heads = self->heads,
                                     .key_width = self->key_width,
                                     .value_width = self->context_width,
                                     .scale = self->scale,
                                     .d_lengths = session->encoded.d_lengths,
                                     .d_queries = asked->queries,
                                     .d_keys = asked->keys,
                                     .d_values = asked->values,
                                     .query_stride = self->key_width,
                                     .key_stride = self->key_width,
                                     .value_stride = self->context_width,
                                     .d_output = d_output,
                                     .output_stride = output_stride,
                                     .check = cuda_check_results(session, 0)};
  return cuda_launched(session, launch_self_attend(&attend, &session->launch));
}

/* Looks for what is not finite: launch_attend would tell of positions as rows. */
static cuseq_status contexts_check(struct cuda_session *session, int32_t width, float *d_contexts,
                                   int64_t stride) {
  const struct dense_finish finish = {.rows = (int64_t)session->encoded.batch * session->encoded.time,
                                      .width = width,
                                      .positions = session->encoded.time,
                                      .d_sums = d_contexts,
                                      .sums_stride = stride,
                                      .activation = CUSEQ_ACTIVATION_LINEAR,
                                      .d_output = d_contexts,
                                      .output_stride = stride,
                                      .d_lengths = session->encoded.d_lengths,
                                      .check = cuda_check_results(session, 0),
                                      .stage = LAUNCH_STAGE_MERGE};
  return cuda_launched(session, launch_dense_finish(&finish, &session->launch));
}

/* Layered energies. */
static cuseq_status layers_queue(struct cuda_session *session, const struct attention_structure *self,
                                 const struct encoder_layer *layer, const struct asked *asked,
                                 float *d_output, int64_t output_stride) {
  const struct cuda_self_work *work = &session->work.self;
  const struct self_rows rows = {.batch = session->encoded.batch,
                                 .time = session->encoded.time,
                                 .d_lengths = session->encoded.d_lengths,
                                 .d_rows = work->d_rows,
                                 .d_attended = work->d_attended};
  const int64_t positions = (int64_t)rows.batch * rows.time;
  const int64_t window = work->d_workspace ? ASKING_MOST : positions;
  struct attend attend = attend_of(session, self, layer, rows.time);
  TRY(cuda_launched(session, launch_self_rows(&rows, &session->launch)));
  attend.d_annotations = attend.d_values = asked->values;
  attend.d_keys = asked->keys;
  attend.context_stride = output_stride;
  for (int64_t first = 0; first < positions; first += window) {
    attend.batch = (int32_t)(positions - first < window ? positions - first : window);
    attend.d_rows = work->d_rows + first;
    attend.d_lengths = work->d_attended + first;
    attend.d_queries = attend.start.d_given_h = asked->queries + first * self->key_width;
    attend.d_context = d_output + first * output_stride;
    TRY(cuda_launched(session, launch_attend(&attend, &session->launch)));
  }
  return contexts_check(session, self->context_width, d_output, output_stride);
}

cuseq_status cuda_self_attention_queue(struct cuda_session *session, const struct encoder_layer *layer,
                                       const float *merged, float *d_output, int64_t output_stride) {
  const struct attention_structure *self = encoder_self_attention(&session->steps->structure.encoder, layer);
  const struct cuda_self_work *work = &session->work.self;
  struct asked asked;
  CUDA_RANGE("self-attention", session->encoded.batch, session->encoded.time, self->key_width);
  TRY(mapped(session, &self->query, merged, work->d_queries, &asked.queries));
  TRY(mapped(session, &self->keys, merged, work->d_keys, &asked.keys));
  TRY(mapped(session, &self->values, merged, work->d_values, &asked.values));
  return self->kind == ENERGY_PRODUCT ? products_queue(session, self, &asked, d_output, output_stride)
                                      : layers_queue(session, self, layer, &asked, d_output, output_stride);
}
