/* Dense layers over every position of what is encoded: keys, values, and what positions ask. */
#include "backends/cuda/dense.h"

#include "error.h"

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

cuseq_status cuda_positions_queue(struct cuda_session *session, const struct dense_chain *chain,
                                  const float *below, float *d_made) {
  for (int32_t l = 0; l < chain->count; l++) {
    float *target = l == chain->count - 1 ? d_made : session->work.d_wide[l % 2];
    TRY(layer_queue(session, &chain->layers[l], below, target));
    below = target;
  }
  return CUSEQ_STATUS_OK;
}

bool cuda_positions_are_narrow(const struct dense_chain *chain) {
  for (int32_t l = 0; l < chain->count; l++)
    if (!is_own_product(&chain->layers[l]))
      return false;
  return true;
}
