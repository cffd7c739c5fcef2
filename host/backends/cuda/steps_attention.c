#include "backends/cuda/steps.h"

#include "backends/cuda/trace.h"
#include "error.h"

/* Values wider than this are summed by a kernel of their own, in more blocks than rows. */
enum { CONTEXT_WITH_ENERGIES = 256 };

/* Kernels of at most this many numbers are multiplied without cuBLAS on every device, by
 * launch_attention_keys: with the same bits for a row whatever its batch. */
enum { OWN_PRODUCT_MOST = 256 * 256 };

static bool is_own_product(const struct dense *dense) {
  return !dense->transposed && (int64_t)dense->inputs * dense->units <= OWN_PRODUCT_MOST;
}

/* A layer over every position: [B T, inputs] -> [B T, units]. */
static cuseq_status layer_queue(struct cuda_session *session, const struct dense *dense, const float *below,
                                float *d_made) {
  const struct cuda_kept all = {0};
  int64_t rows = (int64_t)session->encoded.batch * session->encoded.time;
  struct dense rest = *dense;
  const struct attention_keys product = {.score = {.score = CUSEQ_SCORE_GENERAL,
                                                   .annotation_width = dense->inputs,
                                                   .state_units = dense->units,
                                                   .d_key = dense->kernel,
                                                   .d_key_bias = dense->bias},
                                         .batch = session->encoded.batch,
                                         .time = session->encoded.time,
                                         .d_annotations = below,
                                         .d_keys = d_made,
                                         .precision = session->limits.precision};
  const struct cuda_parts parts = cuda_parts_one(below, dense->inputs, dense->inputs);
  if (is_own_product(dense)) {
    rest.bias = NULL;
    TRY(cuda_launched(session, launch_attention_keys(&product, &session->launch)));
    if (dense->activation == CUSEQ_ACTIVATION_LINEAR)
      return CUSEQ_STATUS_OK;
  } else {
    TRY(cuda_dense_sums(session, dense, &parts, rows, d_made));
  }
  return cuda_dense_finish(session, &rest, d_made, rows, &all, d_made, dense->units);
}

static cuseq_status positions_queue(struct cuda_session *session, const struct dense_chain *chain,
                                    float *d_made) {
  const float *below = session->encoded.d_annotations;
  for (int32_t l = 0; l < chain->count; l++) {
    float *target = l == chain->count - 1 ? d_made : session->work.d_wide[l % 2];
    TRY(layer_queue(session, &chain->layers[l], below, target));
    below = target;
  }
  return CUSEQ_STATUS_OK;
}

bool cuda_steps_keys_are_narrow(const struct structure *structure) {
  const struct dense_chain *chains[] = {&structure->attention.keys, &structure->attention.values};
  for (int i = 0; i < 2; i++)
    for (int32_t l = 0; l < chains[i]->count; l++)
      if (!is_own_product(&chains[i]->layers[l]))
        return false;
  return true;
}

cuseq_status cuda_steps_keys_queue(struct cuda_session *session) {
  struct cuda_steps *steps = session->steps;
  const struct attention_structure *attention = &steps->structure.attention;
  if (session->encoded.keys_made || !attention->present)
    return CUSEQ_STATUS_OK;
  CUDA_RANGE("keys", session->encoded.batch, session->encoded.time, session->model->config.units);
  TRY(positions_queue(session, &attention->keys, session->work.d_keys));
  TRY(positions_queue(session, &attention->values, session->work.d_values));
  session->encoded.keys_made = true;
  return CUSEQ_STATUS_OK;
}

struct attention_score cuda_steps_score(const struct structure *structure) {
  const struct attention_structure *attention = &structure->attention;
  struct attention_score score = {.score = CUSEQ_SCORE_GENERAL,
                                  .scale = attention->scale,
                                  .annotation_width = structure->encoder.width,
                                  .state_units = attention->key_width};
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
      .score = cuda_steps_score(&steps->structure),
      .start = {.kind = CUSEQ_INITIAL_STATE_ZEROS,
                .state_units = attention->key_width,
                .d_given_h = steps->d_queries},
      .time = session->encoded.time,
      .d_annotations = session->encoded.d_annotations,
      .d_keys = session->work.d_keys ? session->work.d_keys : session->encoded.d_annotations,
      .d_queries = attention->kind == ENERGY_LAYERS ? steps->d_queries : NULL,
      .d_values = session->work.d_values ? session->work.d_values : session->encoded.d_annotations,
      .values_width = attention->context_width,
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

cuseq_status cuda_steps_attend(struct cuda_session *session, const struct cuda_asking *asking) {
  const struct attention_structure *attention = &session->steps->structure.attention;
  struct attend attend = attend_of(session);
  attend.batch = asking->rows;
  attend.d_rows = asking->d_rows;
  attend.d_lengths = asking->d_lengths;
  attend.d_alphas = asking->d_alphas;
  attend.alphas_stride = asking->alphas_stride;
  attend.d_context = attention->context_width <= CONTEXT_WITH_ENERGIES ? asking->d_context : NULL;
  attend.context_stride = attention->context_width;
  attend.check = asking->check;
  TRY(query_queue(session, asking));
  TRY(cuda_launched(session, launch_attend(&attend, &session->launch)));
  if (attend.d_context)
    return CUSEQ_STATUS_OK;
  const struct attention_context context = {.batch = asking->rows,
                                            .time = session->encoded.time,
                                            .annotation_width = attention->context_width,
                                            .d_lengths = asking->d_lengths,
                                            .d_rows = asking->d_rows,
                                            .d_annotations = attend.d_values,
                                            .d_alphas = asking->d_alphas,
                                            .alphas_stride = asking->alphas_stride,
                                            .d_context = asking->d_context,
                                            .context_stride = attention->context_width,
                                            .check = asking->check};
  return cuda_launched(session, launch_attention_context(&context, &session->launch));
}
