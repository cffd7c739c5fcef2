#include "backends/cuda/decoder.h"

#include "error.h"

#include <stdlib.h>

static size_t dense_bytes(const struct dense_weights *dense) {
  return dense->kernel ? (size_t)dense->inputs * (size_t)dense->units * sizeof(float) : 0;
}

static size_t bias_bytes(const struct dense_weights *dense) {
  return dense->kernel ? (size_t)dense->units * sizeof(float) : 0;
}

/* One array of weights on the host and its place on the device. */
struct weight {
  const float *host;
  size_t bytes;
  float **device;
};

enum { WEIGHTS = 2 * CUSEQ_MAX_ATTENTION_LAYERS + 16 };

/* Lists everything that goes up as it is; the cell's packed arrays apart. */
static int32_t weights_list(const struct cuda_session *session, struct weight list[WEIGHTS]) {
  const cuseq_config *config = &session->model->config;
  const struct model_weights *weights = &session->model->weights;
  const struct attention_weights *attention = &weights->attention;
  struct cuda_decoder *decoder = session->decoder;
  size_t A = (size_t)config->annotation_width, S = (size_t)config->state_units;
  size_t u = (size_t)config->additive_units * sizeof(float);
  int32_t count = 0;
#define ADD(...)                                                                                             \
  list[count++] = (struct weight) {                                                                          \
    __VA_ARGS__                                                                                              \
  }
  if (config->score == CUSEQ_SCORE_GENERAL)
    ADD(attention->general, A * S * sizeof(float), &decoder->d_key);
  if (config->score == CUSEQ_SCORE_ADDITIVE) {
    ADD(attention->key, A * u, &decoder->d_key);
    ADD(attention->query, S * u, &decoder->d_query);
    ADD(attention->value, u, &decoder->d_value);
    ADD(attention->bias, attention->bias ? u : 0, &decoder->d_key_bias);
  }
  for (int32_t l = 0; l < config->attention_layers; l++) {
    ADD(attention->layers[l].kernel, dense_bytes(&attention->layers[l]), &decoder->d_layer_kernel[l]);
    ADD(attention->layers[l].bias, bias_bytes(&attention->layers[l]), &decoder->d_layer_bias[l]);
  }
  const struct dense_weights *initial[] = {&weights->initial_h, &weights->initial_c};
  for (int i = 0; i < 2; i++) {
    ADD(initial[i]->kernel, dense_bytes(initial[i]), &decoder->d_initial_kernel[i]);
    ADD(initial[i]->bias, bias_bytes(initial[i]), &decoder->d_initial_bias[i]);
  }
  size_t embedding = (size_t)config->outputs * (size_t)config->embedding_units * sizeof(float);
  ADD(weights->embedding, embedding, &decoder->d_embedding);
  ADD(weights->output.kernel, dense_bytes(&weights->output), &decoder->d_output_kernel);
  ADD(weights->output.bias, bias_bytes(&weights->output), &decoder->d_output_bias);
#undef ADD
  return count;
}

void cuda_decoder_weights_plan(struct cuda_session *session, struct cuda_plan *plan) {
  const cuseq_config *config = &session->model->config;
  struct cuda_decoder *decoder = session->decoder;
  struct weight list[WEIGHTS];
  int32_t count = weights_list(session, list);
  for (int32_t i = 0; i < count; i++)
    cuda_plan_add(plan, list[i].device, list[i].bytes);
  size_t gates = config->has_decoder ? 4 * (size_t)config->state_units * sizeof(float) : 0;
  cuda_plan_add(plan, &decoder->d_kernel, (size_t)config_decoder_inputs(config) * gates);
  cuda_plan_add(plan, &decoder->d_recurrent, (size_t)config->state_units * gates);
  cuda_plan_add(plan, &decoder->d_bias, gates);
}

static cuseq_status cell_upload(const struct cuda_session *session, float *packed) {
  const cuseq_config *config = &session->model->config;
  const struct lstm_weights *cell = &session->model->weights.decoder;
  const struct cuda_decoder *decoder = session->decoder;
  size_t gates = 4 * (size_t)config->state_units * sizeof(float);
  cell_pack_kernel(CELL_FORM_LSTM, cell->kernel, cell->inputs, cell->units, 1, 0, packed);
  CUDA_TRY(cudaMemcpy(decoder->d_kernel, packed, (size_t)cell->inputs * gates, cudaMemcpyHostToDevice));
  cell_pack_recurrent(CELL_FORM_LSTM, cell->recurrent_kernel, cell->units, 0, packed);
  CUDA_TRY(cudaMemcpy(decoder->d_recurrent, packed, (size_t)cell->units * gates, cudaMemcpyHostToDevice));
  cell_pack_bias(CELL_FORM_LSTM, cell->bias, NULL, cell->units, 0, packed);
  CUDA_TRY(cudaMemcpy(decoder->d_bias, packed, gates, cudaMemcpyHostToDevice));
  return CUSEQ_STATUS_OK;
}

cuseq_status cuda_decoder_weights_upload(struct cuda_session *session) {
  const cuseq_config *config = &session->model->config;
  struct weight list[WEIGHTS];
  int32_t count = weights_list(session, list);
  for (int32_t i = 0; i < count; i++)
    if (list[i].bytes > 0)
      CUDA_TRY(cudaMemcpy(*list[i].device, list[i].host, list[i].bytes, cudaMemcpyHostToDevice));
  if (!config->has_decoder)
    return CUSEQ_STATUS_OK;
  size_t rows = (size_t)config_decoder_inputs(config), S = (size_t)config->state_units;
  float *packed = malloc((rows > S ? rows : S) * 4 * S * sizeof *packed);
  if (!packed)
    return error_set(CUSEQ_STATUS_OUT_OF_MEMORY, "cuseq_session_open: out of memory");
  cuseq_status status = cell_upload(session, packed);
  free(packed);
  return status;
}
