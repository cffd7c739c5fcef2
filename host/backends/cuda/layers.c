#include "backends/cuda/cuda.h"

#include "error.h"

#include <stdlib.h>

void cuda_layers_plan(struct cuda_session *session, struct cuda_plan *plan) {
  const cuseq_config *config = &session->model->config;
  size_t B = (size_t)session->limits.batch, T = (size_t)session->limits.time, F = (size_t)config->features;
  size_t D = (size_t)config_directions(config), H = (size_t)config->units,
         A = (size_t)config->annotation_width;
  size_t states = (size_t)config->layers * D * B * H * sizeof(float);
  /* with cells the mapping is not looked at, but that it takes no x */
  session->mapping = session->choice.encoder == CUDA_ENCODER_CELL
                         ? LSTM_MAPPING_GRID
                         : (enum lstm_mapping)session->choice.encoder;
  for (int32_t l = 0; l < config->layers; l++) {
    struct cuda_layer *layer = &session->layers[l];
    layer->inputs = l == 0 ? config->features : config->annotation_width;
    cuda_plan_add(plan, &layer->d_kernel, (size_t)layer->inputs * D * H * 4 * sizeof(float));
    cuda_plan_add(plan, &layer->d_recurrent, D * H * H * 4 * sizeof(float));
    cuda_plan_add(plan, &layer->d_bias, D * H * 4 * sizeof(float));
  }
  bool merges = D == 2 && config->merge != CUSEQ_MERGE_CONCAT;
  cuda_plan_add(plan, &session->checks.d_record, sizeof *session->checks.d_record);
  cuda_plan_add(plan, &session->d_x, B * T * F * sizeof(float));
  cuda_plan_add(plan, &session->d_ids, B * T * sizeof(int32_t));
  cuda_plan_add(plan, &session->d_lengths, B * sizeof(int32_t));
  cuda_plan_add(plan, &session->d_order, B * sizeof(int32_t));
  cuda_plan_add(plan, &session->d_initial_h, states);
  cuda_plan_add(plan, &session->d_initial_c, states);
  cuda_plan_add(plan, &session->d_projected, B * T * D * H * 4 * sizeof(float));
  cuda_plan_add(plan, &session->d_annotations[0], B * T * A * sizeof(float));
  cuda_plan_add(plan, &session->d_annotations[1], config->layers > 1 ? B * T * A * sizeof(float) : 0);
  cuda_plan_add(plan, &session->d_directions, merges ? D * B * T * H * sizeof(float) : 0);
  cuda_plan_add(plan, &session->d_final_h, states);
  cuda_plan_add(plan, &session->d_final_c, states);
  if (session->choice.encoder == CUDA_ENCODER_CELL)
    cuda_plan_add(plan, &session->d_products, D * B * H * 4 * sizeof(float));
  else
    cuda_plan_add(plan, &session->d_workspace,
                  lstm_workspace_bytes(session->mapping, session->limits.batch, config->units, (int32_t)D,
                                       &session->device));
}

/* One layer's weights, packed on the host and copied; synchronous, since the packed copy goes at the end. */
static cuseq_status layer_upload(struct cuda_session *session, int32_t l, float *packed) {
  const cuseq_config *config = &session->model->config;
  const struct cuda_layer *layer = &session->layers[l];
  int32_t D = config_directions(config), H = config->units;
  size_t gates = (size_t)D * (size_t)H * 4 * sizeof(float);
  for (int32_t d = 0; d < D; d++)
    cell_pack_kernel(CELL_FORM_LSTM, session->model->weights.encoder[l][d].kernel, layer->inputs, H, D, d,
                     packed);
  CUDA_TRY(cudaMemcpy(layer->d_kernel, packed, (size_t)layer->inputs * gates, cudaMemcpyHostToDevice));
  for (int32_t d = 0; d < D; d++)
    cell_pack_recurrent(CELL_FORM_LSTM, session->model->weights.encoder[l][d].recurrent_kernel, H, d, packed);
  CUDA_TRY(cudaMemcpy(layer->d_recurrent, packed, (size_t)H * gates, cudaMemcpyHostToDevice));
  for (int32_t d = 0; d < D; d++)
    cell_pack_bias(CELL_FORM_LSTM, session->model->weights.encoder[l][d].bias, NULL, H, d, packed);
  CUDA_TRY(cudaMemcpy(layer->d_bias, packed, gates, cudaMemcpyHostToDevice));
  return CUSEQ_STATUS_OK;
}

cuseq_status cuda_layers_upload(struct cuda_session *session) {
  const cuseq_config *config = &session->model->config;
  size_t widest = (size_t)config->units;
  for (int32_t l = 0; l < config->layers; l++)
    widest = (size_t)session->layers[l].inputs > widest ? (size_t)session->layers[l].inputs : widest;
  float *packed =
      malloc(widest * (size_t)config_directions(config) * (size_t)config->units * 4 * sizeof *packed);
  if (!packed)
    return error_set(CUSEQ_STATUS_OUT_OF_MEMORY, "cuseq_session_open: out of memory");
  cuseq_status status = CUSEQ_STATUS_OK;
  for (int32_t l = 0; l < config->layers && status == CUSEQ_STATUS_OK; l++)
    status = layer_upload(session, l, packed);
  free(packed);
  return status;
}
