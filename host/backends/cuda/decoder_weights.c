#include "backends/cuda/decoder.h"

#include "backends/cuda/steps.h"

/* A structure of version 1 as its own kernels take it: weights lie on the device once, where the lowered
 * structure has them. */
static void score_fill(const struct attention_structure *attention, struct attention_score *score) {
  const struct dense *key = &attention->keys.layers[0], *query = &attention->query.layers[0];
  if (score->score == CUSEQ_SCORE_DOT)
    return;
  if (score->score == CUSEQ_SCORE_GENERAL) {
    score->d_key = query->kernel; /* [A,S], a transposed layer of the query: here it makes the keys */
    return;
  }
  score->d_key = key->kernel;
  score->d_key_bias = key->bias;
  score->d_query = query->kernel;
  if (score->score == CUSEQ_SCORE_ADDITIVE)
    score->d_value = attention->energies.layers[0].kernel;
  for (int32_t l = 1; l < score->layers; l++) {
    score->d_kernel[l] = attention->energies.layers[l - 1].kernel;
    score->d_bias[l] = attention->energies.layers[l - 1].bias;
  }
}

void cuda_decoder_weights_fill(const struct cuda_session *session, struct decode *decode) {
  const struct cuda_steps *steps = session->steps;
  const struct structure *structure = &steps->structure;
  const struct decoder_structure *decoder = &structure->decoder;
  const struct dense *output = &structure->output.heads[0].layers.layers[0];
  score_fill(&structure->attention, &decode->score);
  if (!decoder->present) {
    decode->start.d_kernel_h = structure->asking.initial.dense.kernel;
    decode->start.d_bias_h = structure->asking.initial.dense.bias;
    return;
  }
  const struct decoder_layer *layer = &decoder->layers[0];
  decode->start.d_kernel_h = layer->initial_h.dense.kernel;
  decode->start.d_bias_h = layer->initial_h.dense.bias;
  decode->start.d_kernel_c = layer->initial_c.dense.kernel;
  decode->start.d_bias_c = layer->initial_c.dense.bias;
  decode->d_embedding = decoder->embedding;
  decode->d_kernel = steps->cells[0].d_kernel;
  decode->d_recurrent = steps->cells[0].d_recurrent;
  decode->d_bias = steps->cells[0].d_bias;
  decode->d_output_kernel = output->kernel;
  decode->d_output_bias = output->bias;
}
