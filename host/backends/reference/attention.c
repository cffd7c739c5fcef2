#include "backends/reference/reference.h"

#include <math.h>
#include <string.h>

/* u_0 = (key, q); u_l = act_l(u_{l-1} K_l + k_l); e = u_n */
static double energy_concat(struct reference *r, int32_t key, int32_t query) {
  const struct attention_structure *attention = &r->structure->attention;
  memcpy(r->key + key, r->query, (size_t)query * sizeof *r->key);
  for (int32_t l = 0; l < attention->layers.count; l++)
    reference_dense(&attention->layers.layers[l], r->key, r->scratch);
  return r->key[0];
}

/* e = v . tanh(key K_a + q K_s + k) */
static double energy_additive(struct reference *r, int32_t key, int32_t query) {
  const struct attention_structure *attention = &r->structure->attention;
  double *u = r->scratch, e = 0.0;
  for (int32_t j = 0; j < attention->units; j++)
    u[j] = attention->additive_bias ? (double)attention->additive_bias[j] : 0.0;
  reference_multiply(r->key, attention->additive_key, key, attention->units, u);
  reference_multiply(r->query, attention->additive_query, query, attention->units, u);
  for (int32_t j = 0; j < attention->units; j++)
    e += (double)attention->additive_value[j] * tanh(u[j]);
  return e;
}

/* e = key G q */
static double energy_general(const struct reference *r, int32_t key, int32_t query) {
  const float *general = r->structure->attention.general;
  double e = 0.0;
  for (int32_t i = 0; i < key; i++)
    for (int32_t j = 0; j < query; j++)
      e += reference_product(r->key[i], general[(size_t)i * query + j]) * r->query[j];
  return e;
}

static double energy_dot(const struct reference *r, int32_t key) {
  double e = 0.0;
  for (int32_t i = 0; i < key; i++)
    e += r->key[i] * r->query[i];
  return e;
}

/* The energy of an annotation for the query in r->query, before scale and bias. */
static double energy(struct reference *r, const double *annotation) {
  const struct attention_structure *attention = &r->structure->attention;
  int32_t A = r->structure->encoder.width;
  int32_t key = attention->key_map.kernel ? attention->key_map.units : A;
  int32_t query = attention->query_map.kernel ? attention->query_map.units : attention->query_inputs;
  memcpy(r->key, annotation, (size_t)A * sizeof *r->key);
  reference_dense(&attention->key_map, r->key, r->scratch);
  switch (attention->score) {
  case CUSEQ_SCORE_CONCAT:
    return energy_concat(r, key, query);
  case CUSEQ_SCORE_ADDITIVE:
    return energy_additive(r, key, query);
  case CUSEQ_SCORE_GENERAL:
    return energy_general(r, key, query);
  case CUSEQ_SCORE_DOT:
    break;
  }
  return energy_dot(r, key);
}

bool reference_attend(struct reference *r, int32_t row, const double *asks) {
  const struct attention_structure *attention = &r->structure->attention;
  int32_t A = r->structure->encoder.width, C = attention->context_width, length = r->lengths[row];
  const double *annotations = r->annotations + (size_t)row * r->time * A;
  memcpy(r->query, asks, (size_t)attention->query_inputs * sizeof *r->query);
  reference_dense(&attention->query_map, r->query, r->scratch);
  for (int32_t t = 0; t < length; t++) {
    r->alphas[t] = (double)attention->scale * energy(r, annotations + (size_t)t * A);
    r->alphas[t] += attention->position_bias ? (double)attention->position_bias[t] : 0.0;
  }
  const bool bounded = reference_bounded(r->alphas, length);
  activation_softmax(r->alphas, length, r->time);
  memset(r->context, 0, (size_t)C * sizeof *r->context);
  for (int32_t t = 0; t < length; t++) {
    memcpy(r->key, annotations + (size_t)t * A, (size_t)A * sizeof *r->key);
    reference_dense(&attention->value_map, r->key, r->scratch);
    for (int32_t i = 0; i < C; i++)
      r->context[i] += r->alphas[t] * r->key[i];
  }
  return bounded;
}
