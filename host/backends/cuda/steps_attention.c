#include "backends/cuda/steps.h"

#include "backends/cuda/trace.h"
#include "error.h"

/* Values wider than this are summed by a kernel of their own, in more blocks than rows. */
enum { CONTEXT_WITH_ENERGIES = 256 };

bool cuda_steps_keys_are_narrow(const struct structure *structure) {
  return cuda_positions_are_narrow(&structure->attention.keys) &&
         cuda_positions_are_narrow(&structure->attention.values);
}

cuseq_status cuda_steps_keys_queue(struct cuda_session *session) {
  struct cuda_steps *steps = session->steps;
  const struct attention_structure *attention = &steps->structure.attention;
  if (session->encoded.keys_made || !attention->present)
    return CUSEQ_STATUS_OK;
  CUDA_RANGE("keys", session->encoded.batch, session->encoded.time, session->model->config.units);
  const float *annotations = session->encoded.d_annotations;
  TRY(cuda_positions_queue(session, &attention->keys, annotations, session->work.d_keys));
  TRY(cuda_positions_queue(session, &attention->values, annotations, session->work.d_values));
  session->encoded.keys_made = true;
  return CUSEQ_STATUS_OK;
}

struct attention_score cuda_steps_score(const struct attention_structure *attention, int32_t width) {
  struct attention_score score = {.score = CUSEQ_SCORE_GENERAL,
                                  .scale = attention->scale,
                                  .annotation_width = width,
                                  .state_units = attention->key_width / attention->heads};
  if (attention->kind == ENERGY_PRODUCT)
    return score;
  score.score = CUSEQ_SCORE_CONCAT;
  score.layers = attention->energies.count + 1;
  score.units[0] = attention->key_width;
  score.activation[0] = attention->activation;
  for (int32_t l = 0; l < attention->energies.count; l++) {
    score.units[l + 1] = attention->energies.layers[l].units;
    score.activation[l + 1] = attention->energies.layers[l].activation;
    score.d_kernel[l + 1] = attention->energies.layers[l].kernel;
    score.d_bias[l + 1] = attention->energies.layers[l].bias;
  }
  return score;
}

static struct attend attend_of(const struct cuda_session *session) {
  const struct cuda_steps *steps = session->steps;
  const struct attention_structure *attention = &steps->structure.attention;
  return (struct attend){
      .score = cuda_steps_score(attention, steps->structure.encoder.width),
      .start = {.kind = CUSEQ_INITIAL_STATE_ZEROS,
                .state_units = attention->key_width / attention->heads,
                .d_given_h = steps->d_queries},
      .time = session->encoded.time,
      .d_annotations = session->encoded.d_annotations,
      .d_keys = session->work.d_keys ? session->work.d_keys : session->encoded.d_annotations,
      .d_queries = attention->kind == ENERGY_LAYERS ? steps->d_queries : NULL,
      .d_values = session->work.d_values ? session->work.d_values : session->encoded.d_annotations,
      .values_width = attention->context_width,
      .heads = attention->heads,
      .d_position_bias = attention->position_bias,
      .d_workspace = steps->d_workspace};
}

size_t cuda_steps_attend_bytes(const struct cuda_session *session, int32_t rows) {
  struct attend largest = attend_of(session);
  largest.batch = rows;
  largest.time = session->limits.time;
  return attend_workspace_bytes(&largest, &session->device);
}

static cuseq_status query_queue(struct cuda_session *session, const struct cuda_asking *asking) {
  struct cuda_steps *steps = session->steps;
  const struct dense_chain *chain = &steps->structure.attention.query;
  const struct cuda_kept all = {0};
  int32_t U = steps->structure.attention.key_width;
  if (chain->count == 0)
    return cuda_parts_copy(session, &asking->query, asking->rows, steps->d_queries, U);
  return cuda_chain_queue(session, chain, &asking->query, asking->rows, steps->d_scratch, &all,
                          steps->d_queries, U);
}

/* The context of weights that are there. */
static cuseq_status context_queue(struct cuda_session *session, const struct cuda_asking *asking,
                                  const struct attend *attend) {
  const struct attention_context context = {.batch = asking->rows,
                                            .time = session->encoded.time,
                                            .annotation_width = attend->values_width,
                                            .heads = attend->heads,
                                            .d_lengths = asking->d_lengths,
                                            .d_rows = asking->d_rows,
                                            .d_annotations = attend->d_values,
                                            .d_alphas = attend->d_alphas,
                                            .alphas_stride = attend->alphas_stride,
                                            .d_context = asking->d_context,
                                            .context_stride = attend->values_width,
                                            .check = asking->check};
  return cuda_launched(session, launch_attention_context(&context, &session->launch));
}

/* The mean of the heads' weights. */
static cuseq_status mean_queue(struct cuda_session *session, const struct cuda_asking *asking,
                               const struct attend *attend) {
  const struct attention_mean mean = {.batch = asking->rows,
                                      .time = session->encoded.time,
                                      .heads = attend->heads,
                                      .d_of_heads = attend->d_alphas,
                                      .d_alphas = asking->d_alphas,
                                      .alphas_stride = asking->alphas_stride};
  return cuda_launched(session, launch_attention_mean(&mean, &session->launch));
}

cuseq_status cuda_steps_attend(struct cuda_session *session, const struct cuda_asking *asking) {
  struct attend attend = attend_of(session);
  const bool several = attend.heads > 1, beside = attend.values_width / attend.heads <= CONTEXT_WITH_ENERGIES;
  attend.batch = asking->rows;
  attend.d_rows = asking->d_rows;
  attend.d_lengths = asking->d_lengths;
  attend.d_alphas = several ? session->steps->d_head_alphas : asking->d_alphas;
  attend.alphas_stride = several ? session->encoded.time : asking->alphas_stride;
  attend.d_context = beside ? asking->d_context : NULL;
  attend.context_stride = attend.values_width;
  attend.check = asking->check;
  TRY(query_queue(session, asking));
  TRY(cuda_launched(session, launch_attend(&attend, &session->launch)));
  if (!beside)
    TRY(context_queue(session, asking, &attend));
  return several ? mean_queue(session, asking, &attend) : CUSEQ_STATUS_OK;
}
