#include "backends/reference/reference.h"

#include <math.h>
#include <string.h>

static int32_t widest_layer(const cuseq_config *config) {
  int32_t widest = config->annotation_width + config->state_units;
  for (int32_t l = 0; l < config->attention_layers; l++)
    widest = config->attention_units[l] > widest ? config->attention_units[l] : widest;
  return config->additive_units > widest ? config->additive_units : widest;
}

size_t reference_attention_scratch(const cuseq_config *config) {
  return 2 * (size_t)widest_layer(config);
}

/* u_0 = concat(a, s); u_l = act_l(u_{l-1} K_l + k_l); e = u_n */
static double energy_concat(const cuseq_model *model, const double *a, const double *s, double *scratch) {
  const cuseq_config *config = &model->config;
  double *u = scratch, *next = scratch + widest_layer(config);
  memcpy(u, a, (size_t)config->annotation_width * sizeof *u);
  memcpy(u + config->annotation_width, s, (size_t)config->state_units * sizeof *u);
  for (int32_t l = 0; l < config->attention_layers; l++) {
    reference_dense(&model->weights.attention.layers[l], u, next);
    for (int32_t j = 0; j < config->attention_units[l]; j++)
      u[j] = reference_activate(config->attention_activation[l], next[j]);
  }
  return u[0];
}

/* e = v . tanh(a K_a + s K_s + k) */
static double energy_additive(const cuseq_model *model, const double *a, const double *s, double *u) {
  const cuseq_config *config = &model->config;
  const struct attention_weights *weights = &model->weights.attention;
  for (int32_t j = 0; j < config->additive_units; j++)
    u[j] = weights->bias ? (double)weights->bias[j] : 0.0;
  reference_multiply(a, weights->key, config->annotation_width, config->additive_units, u);
  reference_multiply(s, weights->query, config->state_units, config->additive_units, u);
  double e = 0.0;
  for (int32_t j = 0; j < config->additive_units; j++)
    e += (double)weights->value[j] * tanh(u[j]);
  return e;
}

/* e = a G s */
static double energy_general(const cuseq_model *model, const double *a, const double *s) {
  const cuseq_config *config = &model->config;
  double e = 0.0;
  for (int32_t i = 0; i < config->annotation_width; i++)
    for (int32_t j = 0; j < config->state_units; j++)
      e += a[i] * (double)model->weights.attention.general[(size_t)i * config->state_units + j] * s[j];
  return e;
}

static double energy_dot(const cuseq_config *config, const double *a, const double *s) {
  double e = 0.0;
  for (int32_t i = 0; i < config->annotation_width; i++)
    e += a[i] * s[i];
  return e;
}

static double energy(const cuseq_model *model, const double *a, const double *s, double *scratch) {
  switch (model->config.score) {
  case CUSEQ_SCORE_CONCAT:
    return energy_concat(model, a, s, scratch);
  case CUSEQ_SCORE_ADDITIVE:
    return energy_additive(model, a, s, scratch);
  case CUSEQ_SCORE_GENERAL:
    return energy_general(model, a, s);
  case CUSEQ_SCORE_DOT:
    break;
  }
  return energy_dot(&model->config, a, s);
}

void reference_attend(const cuseq_model *model, const double *annotations, int32_t length, int32_t T,
                      const double *s, double *alphas, double *context, double *scratch) {
  int32_t A = model->config.annotation_width;
  for (int32_t t = 0; t < length; t++)
    alphas[t] = (double)model->config.scale * energy(model, annotations + (size_t)t * A, s, scratch);
  reference_softmax(alphas, length, T);
  memset(context, 0, (size_t)A * sizeof *context);
  for (int32_t t = 0; t < length; t++)
    for (int32_t i = 0; i < A; i++)
      context[i] += alphas[t] * annotations[(size_t)t * A + i];
}
