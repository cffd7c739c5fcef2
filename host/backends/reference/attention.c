#include "backends/reference/reference.h"

#include <math.h>
#include <string.h>

/* A key and a query, as the score meets them. */
struct pair {
  const double *key, *query;
  int32_t key_width, query_width;
};

/* u_0 = (key, q); u_l = act_l(u_{l-1} K_l + k_l); e = u_n */
static double energy_concat(struct reference *r, const struct attention_structure *attention,
                            const struct pair *pair) {
  double *u = r->joined;
  memcpy(u, pair->key, (size_t)pair->key_width * sizeof *u);
  memcpy(u + pair->key_width, pair->query, (size_t)pair->query_width * sizeof *u);
  for (int32_t l = 0; l < attention->layers.count; l++)
    reference_dense(&attention->layers.layers[l], u, r->scratch);
  return u[0];
}

/* e = v . tanh(key K_a + q K_s + k) */
static double energy_additive(struct reference *r, const struct attention_structure *attention,
                              const struct pair *pair) {
  double *u = r->scratch, e = 0.0;
  for (int32_t j = 0; j < attention->units; j++)
    u[j] = attention->additive_bias ? (double)attention->additive_bias[j] : 0.0;
  reference_multiply(pair->key, attention->additive_key, pair->key_width, attention->units, u);
  reference_multiply(pair->query, attention->additive_query, pair->query_width, attention->units, u);
  for (int32_t j = 0; j < attention->units; j++)
    e += (double)attention->additive_value[j] * tanh(u[j]);
  return e;
}

/* e = key G q */
static double energy_general(const float *general, const struct pair *pair) {
  double e = 0.0;
  for (int32_t i = 0; i < pair->key_width; i++)
    for (int32_t j = 0; j < pair->query_width; j++)
      e += reference_product(pair->key[i], general[(size_t)i * pair->query_width + j]) * pair->query[j];
  return e;
}

static double energy_dot(const struct pair *pair) {
  double e = 0.0;
  for (int32_t i = 0; i < pair->key_width; i++)
    e += pair->key[i] * pair->query[i];
  return e;
}

/* Before scale and bias. */
static double energy(struct reference *r, const struct attention_structure *attention,
                     const struct pair *pair) {
  switch (attention->score) {
  case CUSEQ_SCORE_CONCAT:
    return energy_concat(r, attention, pair);
  case CUSEQ_SCORE_ADDITIVE:
    return energy_additive(r, attention, pair);
  case CUSEQ_SCORE_GENERAL:
    return energy_general(attention->general, pair);
  case CUSEQ_SCORE_DOT:
    break;
  }
  return energy_dot(pair);
}

/* to = map(x [width]); `to` is as wide as the wider of both. */
static void map_to(struct reference *r, const struct dense *map, const double *x, int32_t width, double *to) {
  memcpy(to, x, (size_t)width * sizeof *to);
  reference_dense(map, to, r->scratch);
}

bool reference_attend(struct reference *r, int32_t row, const double *asks) {
  const struct attention_structure *attention = &r->structure->attention;
  const int32_t A = r->structure->encoder.width, C = attention->context_width, length = r->lengths[row];
  const double *annotations = r->annotations + (size_t)row * r->time * A;
  const struct pair pair = {.key = r->key,
                            .query = r->query,
                            .key_width = attention_key_width(attention, A),
                            .query_width = attention_query_width(attention)};
  map_to(r, &attention->query_map, asks, attention->query_inputs, r->query);
  for (int32_t t = 0; t < length; t++) {
    map_to(r, &attention->key_map, annotations + (size_t)t * A, A, r->key);
    r->alphas[t] = (double)attention->scale * energy(r, attention, &pair);
    r->alphas[t] += attention->position_bias ? (double)attention->position_bias[t] : 0.0;
  }
  const bool bounded = reference_bounded(r->alphas, length);
  activation_softmax(r->alphas, length, r->time);
  memset(r->context, 0, (size_t)C * sizeof *r->context);
  for (int32_t t = 0; t < length; t++) {
    map_to(r, &attention->value_map, annotations + (size_t)t * A, A, r->key);
    for (int32_t i = 0; i < C; i++)
      r->context[i] += r->alphas[t] * r->key[i];
  }
  return bounded;
}

/* ---- self-attention ---- */

/* One head's part of what a query's row gives: context_n += sum over j of alpha_j value_j. */
static bool attend_head(struct reference *r, const struct attention_structure *attention, int32_t length,
                        int32_t head, struct pair pair, const double *values) {
  const int32_t heads = attention->heads, C = attention->context_width / heads;
  const double *keys = pair.key;
  double *context = r->context + (size_t)head * C;
  for (int32_t j = 0; j < length; j++) {
    pair.key = keys + (size_t)j * r->widest;
    r->alphas[j] = (double)attention->scale * energy(r, attention, &pair);
  }
  const bool bounded = reference_bounded(r->alphas, length);
  activation_softmax(r->alphas, length, length);
  memset(context, 0, (size_t)C * sizeof *context);
  for (int32_t j = 0; j < length; j++)
    for (int32_t i = 0; i < C; i++)
      context[i] += r->alphas[j] * values[(size_t)j * r->widest + head * C + i];
  return bounded;
}

bool reference_self_attend(struct reference *r, const struct attention_structure *attention, int32_t width,
                           int32_t length) {
  const size_t W = (size_t)r->widest, all = (size_t)r->limits.time * W;
  double *keys = r->asking, *values = keys + all, *queries = values + all;
  for (int32_t t = 0; t < length; t++) {
    const double *x = r->below + (size_t)t * W;
    map_to(r, &attention->key_map, x, width, keys + (size_t)t * W);
    map_to(r, &attention->value_map, x, width, values + (size_t)t * W);
    map_to(r, &attention->query_map, x, width, queries + (size_t)t * W);
  }
  const int32_t heads = attention->heads, key_width = attention_key_width(attention, width) / heads,
                query_width = attention_query_width(attention) / heads;
  bool bounded = true;
  for (int32_t t = 0; t < length; t++) {
    double *query = queries + (size_t)t * W;
    for (int32_t head = 0; head < heads; head++) {
      const struct pair pair = {.key = keys + (size_t)head * key_width,
                                .query = query + (size_t)head * query_width,
                                .key_width = key_width,
                                .query_width = query_width};
      bounded = attend_head(r, attention, length, head, pair, values) && bounded;
    }
    memcpy(query, r->context, (size_t)attention->context_width * sizeof *query);
  }
  return bounded;
}
