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

/* What one row is attended to with: vectors of all heads side by side, r->widest apart from position to
 * position. */
struct attended {
  const struct attention_structure *attention;
  int32_t length;
  int32_t key_width, query_width; /* of one head */
  double *keys, *values;
};

/* Maps `length` positions x [width], `stride` apart. */
static struct attended attended_make(struct reference *r, const struct attention_structure *attention,
                                     const double *x, size_t stride, int32_t width, int32_t length) {
  const size_t W = (size_t)r->widest;
  const struct attended attended = {.attention = attention,
                                    .length = length,
                                    .key_width = attention_key_width(attention, width) / attention->heads,
                                    .query_width = attention_query_width(attention) / attention->heads,
                                    .keys = r->asking,
                                    .values = r->asking + (size_t)r->limits.time * W};
  for (int32_t t = 0; t < length; t++) {
    map_to(r, &attention->key_map, x + (size_t)t * stride, width, attended.keys + (size_t)t * W);
    map_to(r, &attention->value_map, x + (size_t)t * stride, width, attended.values + (size_t)t * W);
  }
  return attended;
}

/* One head's weights of the positions, in r->alphas, and its part of what a query gets: context_n += sum over
 * j of alpha_j value_j. */
static bool attend_head(struct reference *r, const struct attended *attended, int32_t head,
                        const double *query) {
  const struct attention_structure *attention = attended->attention;
  const int32_t C = attention->context_width / attention->heads, length = attended->length;
  double *context = r->context + (size_t)head * C;
  for (int32_t j = 0; j < length; j++) {
    const struct pair pair = {.key = attended->keys + (size_t)j * r->widest + head * attended->key_width,
                              .query = query + (size_t)head * attended->query_width,
                              .key_width = attended->key_width,
                              .query_width = attended->query_width};
    r->alphas[j] = (double)attention->scale * energy(r, attention, &pair);
    r->alphas[j] += attention->position_bias ? (double)attention->position_bias[j] : 0.0;
  }
  const bool bounded = reference_bounded(r->alphas, length);
  activation_softmax(r->alphas, length, length);
  memset(context, 0, (size_t)C * sizeof *context);
  for (int32_t j = 0; j < length; j++)
    for (int32_t i = 0; i < C; i++)
      context[i] += r->alphas[j] * attended->values[(size_t)j * r->widest + head * C + i];
  return bounded;
}

bool reference_attend(struct reference *r, int32_t row, const double *asks) {
  const struct attention_structure *attention = &r->structure->attention;
  const int32_t A = r->structure->encoder.width, heads = attention->heads, T = r->time;
  const struct attended attended =
      attended_make(r, attention, r->annotations + (size_t)row * T * A, (size_t)A, A, r->lengths[row]);
  bool bounded = true;
  map_to(r, &attention->query_map, asks, attention->query_inputs, r->query);
  memset(r->mean, 0, (size_t)T * sizeof *r->mean);
  for (int32_t head = 0; head < heads; head++) {
    bounded = attend_head(r, &attended, head, r->query) && bounded;
    for (int32_t t = 0; t < attended.length; t++)
      r->mean[t] += r->alphas[t] / heads;
  }
  memcpy(r->alphas, r->mean, (size_t)T * sizeof *r->alphas);
  return bounded;
}

/* ---- self-attention ---- */

bool reference_self_attend(struct reference *r, const struct attention_structure *attention, int32_t width,
                           int32_t length) {
  const size_t W = (size_t)r->widest;
  double *queries = r->asking + 2 * (size_t)r->limits.time * W;
  const struct attended attended = attended_make(r, attention, r->below, W, width, length);
  bool bounded = true;
  for (int32_t t = 0; t < length; t++) {
    double *query = queries + (size_t)t * W;
    map_to(r, &attention->query_map, r->below + (size_t)t * W, width, query);
    for (int32_t head = 0; head < attention->heads; head++)
      bounded = attend_head(r, &attended, head, query) && bounded;
    memcpy(query, r->context, (size_t)attention->context_width * sizeof *query);
  }
  return bounded;
}
