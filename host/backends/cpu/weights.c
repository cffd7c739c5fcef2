/* From the model's row-major weights to the kernels' layouts. Scales are applied in float64 and rounded once.
 */
#include "backends/cpu/cpu.h"

#include <string.h>

struct cpu_scale cpu_scale_of(cuseq_activation activation) {
  const double log2e = 1.44269504088896340736;
  switch (activation) {
  case CUSEQ_ACTIVATION_TANH:
    return (struct cpu_scale){-2.0 * log2e, 0.0};
  case CUSEQ_ACTIVATION_SIGMOID:
    return (struct cpu_scale){-log2e, 0.0};
  case CUSEQ_ACTIVATION_HARD_SIGMOID:
    return (struct cpu_scale){1.0 / 6.0, 0.5};
  case CUSEQ_ACTIVATION_HARD_SIGMOID_KERAS2:
    return (struct cpu_scale){0.2, 0.5};
  default:
    return (struct cpu_scale){1.0, 0.0};
  }
}

/* A scaled weight; +0.0f makes -0 a +0, so that gathered rows and products with one-hot rows have the same
 * bits. */
static float scaled(float weight, struct cpu_scale scale) {
  return (float)((double)weight * scale.factor) + 0.0f;
}

static float scaled_bias(float bias, struct cpu_scale scale) {
  return (float)((double)bias * scale.factor + scale.offset) + 0.0f;
}

/* One row of kernel [4H] to its places in the blocks: at + block*depth*4*width. */
static void lstm_pack_row(const float *row, int32_t H, int32_t width, size_t block_stride,
                          const struct cpu_scale scales[4], bool bias, float *at) {
  for (int32_t gate = 0; gate < 4; gate++)
    for (int32_t j = 0; j < H; j++) {
      float weight = row[(size_t)gate * (size_t)H + (size_t)j];
      float *place = at + (size_t)(j / width) * block_stride + (size_t)(gate * width + j % width);
      *place = bias ? scaled_bias(weight, scales[gate]) : scaled(weight, scales[gate]);
    }
}

static void lstm_pack(const struct cpu *cpu, const struct lstm_weights *weights, cuseq_activation activation,
                      cuseq_activation recurrent, struct cpu_arena *arena, struct cpu_lstm *packed) {
  const int32_t width = cpu->kernels->width, H = weights->units;
  const size_t depth = (size_t)weights->inputs + (size_t)H, line = 4 * (size_t)width;
  *packed = (struct cpu_lstm){.inputs = weights->inputs,
                              .units = H,
                              .blocks = (H + width - 1) / width,
                              .activation = activation,
                              .recurrent_activation = recurrent};
  float *to = arena_floats(arena, (size_t)packed->blocks * line, depth);
  float *bias = arena_floats(arena, (size_t)packed->blocks, line);
  packed->weights = to;
  packed->bias = bias;
  if (!arena_real(arena))
    return;
  const struct cpu_scale rec = cpu_scale_of(recurrent), act = cpu_scale_of(activation);
  const struct cpu_scale scales[4] = {rec, rec, act, rec};
  for (size_t k = 0; k < depth; k++) {
    const float *row = k < (size_t)weights->inputs
                           ? weights->kernel + k * 4 * (size_t)H
                           : weights->recurrent_kernel + (k - (size_t)weights->inputs) * 4 * (size_t)H;
    lstm_pack_row(row, H, width, depth * line, scales, false, to + k * line);
  }
  lstm_pack_row(weights->bias, H, width, line, scales, true, bias);
}

/* A matrix of which element (k, j) is at from[k*row + j*column]. */
struct matrix {
  const float *from;
  size_t row;
  size_t column;
};

static void dense_pack(const struct cpu *cpu, struct matrix matrix, const float *bias, int32_t inputs,
                       int32_t units, struct cpu_scale scale, struct cpu_arena *arena,
                       struct cpu_dense *packed) {
  const int32_t width = cpu->kernels->width, vectors = (units + width - 1) / width;
  float *to = arena_floats(arena, (size_t)vectors * (size_t)width, (size_t)inputs);
  float *to_bias = arena_floats(arena, arena_padded(units), 1);
  *packed = (struct cpu_dense){.weights = to, .bias = to_bias, .inputs = inputs, .units = units};
  if (!arena_real(arena))
    return;
  for (int32_t done = 0; done < vectors;) {
    const int32_t left = vectors - done, here = left >= 4 ? 4 : left >= 2 ? 2 : 1;
    for (int32_t k = 0; k < inputs; k++)
      for (int32_t l = 0; l < here * width; l++, to++) {
        const int32_t j = done * width + l;
        *to =
            j < units ? scaled(matrix.from[(size_t)k * matrix.row + (size_t)j * matrix.column], scale) : 0.0f;
      }
    done += here;
  }
  for (int32_t j = 0; j < units; j++)
    to_bias[j] = scaled_bias(bias ? bias[j] : 0.0f, scale);
}

static void dense_pack_layer(const struct cpu *cpu, const struct dense_weights *dense,
                             struct cpu_arena *arena, struct cpu_dense *packed) {
  const struct cpu_scale one = {1.0, 0.0};
  dense_pack(cpu, (struct matrix){dense->kernel, (size_t)dense->units, 1}, dense->bias, dense->inputs,
             dense->units, one, arena, packed);
}

/* Layer l of the score after the first, row-major. */
static void energy_pack_layer(struct cpu_energy *energy, int32_t l, const struct dense_weights *dense,
                              cuseq_activation activation, struct cpu_arena *arena) {
  const size_t count = (size_t)dense->inputs * (size_t)dense->units;
  float *weights = arena_floats(arena, count, 1), *bias = arena_floats(arena, (size_t)dense->units, 1);
  energy->layers = l;
  energy->units[l] = dense->units;
  energy->activation[l] = activation;
  energy->weights[l] = weights;
  energy->bias[l] = bias;
  if (!arena_real(arena))
    return;
  const struct cpu_scale scale = cpu_scale_of(activation);
  for (size_t i = 0; i < count; i++)
    weights[i] = scaled(dense->kernel[i], scale);
  for (int32_t j = 0; j < dense->units; j++)
    bias[j] = scaled_bias(dense->bias ? dense->bias[j] : 0.0f, scale);
}

/* Keys and queries of u units. The bias goes with the keys. */
static void keys_pack(struct cpu *cpu, const float *key, const float *query, const float *bias, int32_t u,
                      cuseq_activation activation, struct cpu_arena *arena) {
  struct cpu_weights *packed = &cpu->weights;
  const int32_t A = cpu->config.annotation_width, S = cpu->config.state_units;
  const struct cpu_scale scale = cpu_scale_of(activation), linear = {scale.factor, 0.0};
  packed->energy.units[0] = u;
  packed->energy.activation[0] = activation;
  dense_pack(cpu, (struct matrix){query, (size_t)u, 1}, NULL, S, u, linear, arena, &packed->query);
  if (u > 1) {
    dense_pack(cpu, (struct matrix){key, (size_t)u, 1}, bias, A, u, scale, arena, &packed->keys);
    return;
  }
  float *to = arena_floats(arena, cpu->annotation_stride, 1);
  packed->key = to;
  if (!arena_real(arena))
    return;
  for (int32_t k = 0; k < A; k++)
    to[k] = scaled(key[k], scale);
  packed->key_bias = scaled_bias(bias ? bias[0] : 0.0f, scale);
}

static void attention_pack(struct cpu *cpu, const cuseq_model *model, struct cpu_arena *arena) {
  const cuseq_config *config = &cpu->config;
  const struct attention_weights *attention = &model->weights.attention;
  struct cpu_energy *energy = &cpu->weights.energy;
  const size_t A = (size_t)config->annotation_width;
  *energy = (struct cpu_energy){.scale = config->scale};
  if (config->score == CUSEQ_SCORE_CONCAT) {
    const struct dense_weights *first = &attention->layers[0];
    keys_pack(cpu, first->kernel, first->kernel + A * (size_t)first->units, first->bias, first->units,
              config->attention_activation[0], arena);
    for (int32_t l = 1; l < config->attention_layers; l++)
      energy_pack_layer(energy, l, &attention->layers[l], config->attention_activation[l], arena);
  } else if (config->score == CUSEQ_SCORE_ADDITIVE) {
    const struct dense_weights value = {
        .kernel = attention->value, .inputs = config->additive_units, .units = 1};
    keys_pack(cpu, attention->key, attention->query, attention->bias, config->additive_units,
              CUSEQ_ACTIVATION_TANH, arena);
    energy_pack_layer(energy, 1, &value, CUSEQ_ACTIVATION_LINEAR, arena);
  } else if (config->score == CUSEQ_SCORE_GENERAL) {
    const struct cpu_scale one = {1.0, 0.0};
    const struct matrix turned = {attention->general, 1, (size_t)config->state_units};
    dense_pack(cpu, turned, NULL, config->state_units, config->annotation_width, one, arena,
               &cpu->weights.query);
  }
}

void weights_pack(struct cpu *cpu, const cuseq_model *model, struct cpu_arena *arena) {
  const cuseq_config *config = &cpu->config;
  const struct model_weights *weights = &model->weights;
  struct cpu_weights *packed = &cpu->weights;
  struct cpu_lstm(*encoder)[2] = arena_take(arena, (size_t)config->layers, sizeof *encoder, 1);
  struct cpu_lstm ignored;
  packed->encoder = encoder;
  for (int32_t l = 0; l < config->layers; l++)
    for (int32_t d = 0; d < cpu->directions; d++)
      lstm_pack(cpu, &weights->encoder[l][d], config->activation, config->recurrent_activation, arena,
                encoder ? &encoder[l][d] : &ignored);
  attention_pack(cpu, model, arena);
  if (config->initial_state == CUSEQ_INITIAL_STATE_DENSE)
    dense_pack_layer(cpu, &weights->initial_h, arena, &packed->initial_h);
  if (!config->has_decoder)
    return;
  if (config->initial_state == CUSEQ_INITIAL_STATE_DENSE)
    dense_pack_layer(cpu, &weights->initial_c, arena, &packed->initial_c);
  lstm_pack(cpu, &weights->decoder, config->decoder_activation, config->decoder_recurrent_activation, arena,
            &packed->decoder);
  dense_pack_layer(cpu, &weights->output, arena, &packed->output);
  if (weights->embedding) {
    const size_t count = (size_t)config->outputs * (size_t)config->embedding_units;
    float *to = arena_floats(arena, count, 1);
    if (arena_real(arena))
      memcpy(to, weights->embedding, count * sizeof *to);
    packed->embedding = to;
  }
}
