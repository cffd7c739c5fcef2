/* What backends run (lower.c) computes what the configuration says: both evaluated in float64; faults
 * planted in the lowered structure are found. */
#include "backends/reference/reference.h"
#include "model/model.h"
#include "support/random_structure.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

enum { WIDEST = 512 };

/* Weights that were folded are rounded to float32, once each. */
static const double tolerance = 1e-5;

static bool close(const double *a, const double *b, int32_t count) {
  for (int32_t i = 0; i < count; i++)
    if (!(fabs(a[i] - b[i]) <= tolerance * fmax(1.0, fabs(a[i]))))
      return false;
  return true;
}

static void draw(struct random *random, double *x, int32_t count) {
  for (int32_t i = 0; i < count; i++)
    x[i] = (double)random_between(random, -1.5f, 1.5f);
}

/* x becomes the layer's output, or those of all layers; returns its width. */
static int32_t apply(const struct dense *dense, double *x) {
  double y[WIDEST];
  for (int32_t j = 0; j < dense->units; j++) {
    y[j] = dense->bias ? (double)dense->bias[j] : 0.0;
    for (int32_t k = 0; k < dense->inputs; k++)
      y[j] += x[k] * (double)dense_weight(dense, k, j);
    y[j] = activation_value(dense->activation, y[j]);
  }
  memcpy(x, y, (size_t)dense->units * sizeof *x);
  return dense->units;
}

static int32_t apply_chain(const struct dense_chain *chain, double *x, int32_t width) {
  for (int32_t l = 0; l < chain->count; l++)
    width = apply(&chain->layers[l], x);
  return width;
}

static int32_t apply_map(const struct dense *map, double *x, int32_t width) {
  return map->kernel ? apply(map, x) : width;
}

/* ---- energies ---- */

/* As the document says them; key and query have been through their maps. */
static double score(const struct attention_structure *attention, const double *key, int32_t key_width,
                    const double *query, int32_t query_width) {
  double e = 0.0, u[WIDEST];
  switch (attention->score) {
  case CUSEQ_SCORE_DOT:
    for (int32_t i = 0; i < key_width; i++)
      e += key[i] * query[i];
    return e;
  case CUSEQ_SCORE_GENERAL:
    for (int32_t i = 0; i < key_width; i++)
      for (int32_t j = 0; j < query_width; j++)
        e += key[i] * (double)attention->general[i * query_width + j] * query[j];
    return e;
  case CUSEQ_SCORE_ADDITIVE:
    for (int32_t j = 0; j < attention->units; j++) {
      double sum = attention->additive_bias ? (double)attention->additive_bias[j] : 0.0;
      for (int32_t i = 0; i < key_width; i++)
        sum += key[i] * (double)attention->additive_key[i * attention->units + j];
      for (int32_t i = 0; i < query_width; i++)
        sum += query[i] * (double)attention->additive_query[i * attention->units + j];
      e += (double)attention->additive_value[j] * tanh(sum);
    }
    return e;
  case CUSEQ_SCORE_CONCAT:
    break;
  }
  memcpy(u, key, (size_t)key_width * sizeof *u);
  memcpy(u + key_width, query, (size_t)query_width * sizeof *u);
  apply_chain(&attention->layers, u, key_width + query_width);
  return u[0];
}

static double energy_configured(const struct attention_structure *attention, int32_t width,
                                const double *annotation, const double *asks) {
  double key[WIDEST], query[WIDEST];
  memcpy(key, annotation, (size_t)width * sizeof *key);
  memcpy(query, asks, (size_t)attention->query_inputs * sizeof *query);
  int32_t key_width = apply_map(&attention->key_map, key, width);
  int32_t query_width = apply_map(&attention->query_map, query, attention->query_inputs);
  return score(attention, key, key_width, query, query_width);
}

static double energy_lowered(const struct attention_structure *attention, int32_t width,
                             const double *annotation, const double *asks) {
  double key[WIDEST], query[WIDEST], e = 0.0;
  memcpy(key, annotation, (size_t)width * sizeof *key);
  memcpy(query, asks, (size_t)attention->query_inputs * sizeof *query);
  int32_t key_width = apply_chain(&attention->keys, key, width);
  int32_t other = apply_chain(&attention->query, query, attention->query_inputs);
  if (key_width != attention->key_width || other != attention->key_width)
    return NAN;
  for (int32_t j = 0; j < key_width; j++) {
    e += key[j] * query[j];
    key[j] = activation_value(attention->activation, key[j] + query[j]);
  }
  if (attention->kind == ENERGY_PRODUCT)
    return e;
  return apply_chain(&attention->energies, key, key_width) == 1 ? key[0] : NAN;
}

/* An attention over vectors of `width`. */
static bool attention_alike(const struct attention_structure *attention,
                            const struct attention_structure *lowered, int32_t width, struct random *random) {
  double annotation[WIDEST], asks[WIDEST], value[WIDEST];
  if (!attention->present)
    return true;
  draw(random, annotation, width);
  draw(random, asks, attention->query_inputs);
  double a = energy_configured(attention, width, annotation, asks),
         b = energy_lowered(lowered, width, annotation, asks);
  memcpy(value, annotation, sizeof value);
  int32_t given = apply_map(&attention->value_map, value, width);
  int32_t other = apply_chain(&lowered->values, annotation, width);
  return close(&a, &b, 1) && given == other && given == lowered->context_width &&
         close(value, annotation, given) && lowered->scale == attention->scale &&
         lowered->heads == attention->heads && lowered->position_bias == attention->position_bias;
}

static bool attentions_alike(const struct structure *configured, const struct structure *lowered,
                             struct random *random) {
  bool alike =
      attention_alike(&configured->attention, &lowered->attention, configured->encoder.width, random);
  for (int32_t l = 0; l < configured->encoder.count; l++) {
    const struct encoder_layer *layer = &configured->encoder.layers[l];
    if (layer->self_attention > 0)
      alike =
          attention_alike(encoder_self_attention(&configured->encoder, layer),
                          encoder_self_attention(&lowered->encoder, layer), layer->merged_width, random) &&
          alike;
  }
  return alike;
}

/* ---- cells ---- */

/* One step of a lowered GRU: its two biases are a sum in z and r, and apart in n. */
static void gru_lowered(const struct cell *cell, const double *x, double *h) {
  int32_t H = cell->units;
  double sums[3 * WIDEST], recurrent[3 * WIDEST] = {0}, reset[WIDEST], n_of_h[WIDEST] = {0};
  for (int32_t j = 0; j < 3 * H; j++) {
    sums[j] = cell->bias ? (double)cell->bias[j] : 0.0;
    for (int32_t k = 0; k < cell->inputs; k++)
      sums[j] += x[k] * (double)cell->kernel[k * 3 * H + j];
    for (int32_t k = 0; k < H; k++)
      recurrent[j] += h[k] * (double)cell->recurrent_kernel[k * 3 * H + j];
  }
  for (int32_t j = 0; j < H; j++)
    reset[j] = activation_value(cell->recurrent_activation, sums[H + j] + recurrent[H + j]);
  for (int32_t j = 0; j < H; j++)
    for (int32_t k = 0; k < H; k++)
      n_of_h[j] += reset[k] * h[k] * (double)cell->recurrent_kernel[k * 3 * H + 2 * H + j];
  for (int32_t j = 0; j < H; j++) {
    double bias = cell->candidate_bias ? (double)cell->candidate_bias[j] : 0.0;
    double of_h = cell->reset_after ? reset[j] * (recurrent[2 * H + j] + bias) : n_of_h[j];
    double z = activation_value(cell->recurrent_activation, sums[j] + recurrent[j]);
    h[j] = z * h[j] + (1.0 - z) * activation_value(cell->activation, sums[2 * H + j] + of_h);
  }
}

/* One step from one state, of what each reads. */
static bool cells_alike(const struct cell *configured, const double *x, const struct cell *lowered,
                        const double *lowered_x, struct random *random) {
  double h[WIDEST], c[WIDEST], lowered_h[WIDEST], lowered_c[WIDEST], scratch[7 * WIDEST];
  draw(random, h, configured->units);
  draw(random, c, configured->units);
  memcpy(lowered_h, h, sizeof h);
  memcpy(lowered_c, c, sizeof c);
  reference_cell_step(configured, x, -1, h, c, scratch);
  if (lowered->kind == CELL_GRU)
    gru_lowered(lowered, lowered_x, lowered_h);
  else
    reference_cell_step(lowered, lowered_x, -1, lowered_h, lowered_c, scratch);
  return lowered->kind == configured->kind && close(h, lowered_h, configured->units) &&
         (lowered->kind == CELL_GRU || close(c, lowered_c, configured->units)) && !lowered->recurrent_bias;
}

/* Features [F] as the first layer reads them. */
static void read_input(const struct input_structure *input, const double *features, double *x) {
  for (int32_t j = 0; j < input->width; j++) {
    x[j] = input->embedding_units > 0 && !input->embedding_folded ? 0.0 : features[j];
    for (int32_t k = 0; input->embedding_units > 0 && !input->embedding_folded && k < input->features; k++)
      x[j] += features[k] * (double)input->embedding[k * input->embedding_units + j];
    if (input->has_affine)
      x[j] = (double)input->scale[j] * x[j] + (double)input->offset[j];
  }
}

static bool encoders_alike(const struct structure *configured, const struct structure *lowered,
                           struct random *random) {
  double features[WIDEST] = {0}, x[WIDEST], lowered_x[WIDEST];
  bool alike = true;
  if (configured->input.embedding_units > 0)
    features[random_below(random, configured->input.features)] = 1.0;
  else
    draw(random, features, configured->input.features);
  read_input(&configured->input, features, x);
  read_input(&lowered->input, features, lowered_x);
  for (int32_t l = 0; l < configured->encoder.count; l++) {
    const struct encoder_layer *a = &configured->encoder.layers[l], *b = &lowered->encoder.layers[l];
    for (int d = 0; d < 2; d++)
      if (encoder_layer_has(a, d))
        alike = alike && cells_alike(&a->cells[d], x, &b->cells[d], lowered_x, random);
    draw(random, x, a->width);
    memcpy(lowered_x, x, sizeof x);
  }
  return alike;
}

static bool alike(const struct structure *configured, const struct structure *lowered,
                  struct random *random) {
  bool same = attentions_alike(configured, lowered, random) && encoders_alike(configured, lowered, random);
  for (int32_t l = 0; l < configured->decoder.count; l++) {
    double x[WIDEST];
    draw(random, x, configured->decoder.layers[l].inputs);
    same = same &&
           cells_alike(&configured->decoder.layers[l].cell, x, &lowered->decoder.layers[l].cell, x, random);
  }
  return same;
}

Test(structure_lower, what_is_lowered_computes_what_is_configured) {
  struct random random = {17};
  for (int i = 0; i < 600; i++) {
    struct random_structure made;
    random_structure_make(&made, &random, 9);
    cr_expect(alike(&made.model->structure, &made.model->lowered, &random), "%s", made.json);
    random_structure_free(&made);
  }
}

Test(structure_lower, embeddings_too_large_to_fold_keep_their_size) {
  static const char json[] =
      "{\"version\":2,\"input\":{\"features\":%d,\"embedding\":4},\"encoder\":{\"layers\":[{\"cell\":{"
      "\"kind\":"
      "\"lstm\",\"units\":32}}]},\"output\":{\"over\":\"last\",\"layers\":[{\"units\":3}]}}";
  for (int32_t features = 2048; features <= 2049; features++) { /* [F,128]: up to 262144 floats are folded */
    char text[512];
    struct random random = {5};
    snprintf(text, sizeof text, json, (int)features);
    cuseq_model *model = random_model(text, NULL, &random);
    const struct input_structure *input = &model->lowered.input;
    cr_expect_eq(input->embedding_folded, features == 2048);
    cr_expect_eq(input->width, features == 2048 ? features : 4);
    cr_expect_eq(model->lowered_storage.count, features == 2048 ? 1 : 0);
    cr_expect_eq(model->lowered.encoder.layers[0].cells[0].inputs, input->width);
    cuseq_model_destroy(model);
  }
}

/* ---- faults ---- */

#define MODEL(input, cell, attention)                                                                        \
  "{\"version\":2,\"input\":{" input "},\"encoder\":{\"layers\":[{\"cell\":{" cell                           \
  "}}]},\"attention\":{" attention                                                                           \
  "},\"decoder\":{\"reads\":[\"context\"],\"steps\":3,\"layers\":[{\"cell\":{\"kind\":\"gru\","              \
  "\"units\":4}}]},\"output\":{\"layers\":[{\"units\":7}]}}"
#define FEATURES "\"features\":4"
#define GRU "\"kind\":\"gru\",\"units\":4"
#define DOT "\"score\":\"dot\""
#define CONCAT "\"score\":\"concat\",\"layers\":[{\"units\":4,\"activation\":\"relu\"},{\"units\":1}]"
#define ADDITIVE "\"score\":\"additive\",\"units\":4,\"bias\":true"
#define MAP "\"units\":4}"

static void swap_key_and_query(struct structure *lowered, const struct structure *configured) {
  (void)configured;
  const struct dense_chain keys = lowered->attention.keys;
  lowered->attention.keys = lowered->attention.query;
  lowered->attention.query = keys;
  lowered->attention.query.layers[0].bias = NULL;
  lowered->attention.keys.layers[0].bias = keys.layers[0].bias;
}

static void forget_the_bias_of_keys(struct structure *lowered, const struct structure *configured) {
  (void)configured;
  lowered->attention.keys.layers[0].bias = NULL;
}

static void turn_the_general_matrix(struct structure *lowered, const struct structure *configured) {
  (void)configured;
  lowered->attention.query.layers[0].transposed = !lowered->attention.query.layers[0].transposed;
}

static void forget_the_activation(struct structure *lowered, const struct structure *configured) {
  (void)configured;
  lowered->attention.activation = CUSEQ_ACTIVATION_LINEAR;
}

static void forget_the_key_map(struct structure *lowered, const struct structure *configured) {
  (void)configured;
  lowered->attention.keys.count = 0;
}

static void forget_the_query_map(struct structure *lowered, const struct structure *configured) {
  (void)configured;
  lowered->attention.query.count = 0;
}

static void forget_the_value_map(struct structure *lowered, const struct structure *configured) {
  (void)configured;
  lowered->attention.values.count = 0;
}

static void leave_the_map_before_the_layer(struct structure *lowered, const struct structure *configured) {
  lowered->attention.keys.layers[lowered->attention.keys.count - 1].kernel =
      configured->attention.additive_key;
}

static void forget_the_sum_of_biases(struct structure *lowered, const struct structure *configured) {
  lowered->encoder.layers[0].cells[0].bias = configured->encoder.layers[0].cells[0].bias;
}

static void forget_the_candidates_bias(struct structure *lowered, const struct structure *configured) {
  (void)configured;
  lowered->decoder.layers[0].cell.candidate_bias = NULL;
}

static void add_the_recurrent_bias_twice(struct structure *lowered, const struct structure *configured) {
  lowered->decoder.layers[0].cell.bias = configured->decoder.layers[0].cell.recurrent_bias;
}

static void forget_what_the_input_goes_through(struct structure *lowered,
                                               const struct structure *configured) {
  lowered->encoder.layers[0].cells[0].kernel = configured->encoder.layers[0].cells[0].kernel;
}

static void map_the_input_twice(struct structure *lowered, const struct structure *configured) {
  lowered->input = configured->input;
}

Test(structure_lower, planted_faults_are_found) {
  static const struct {
    const char *json;
    void (*plant)(struct structure *lowered, const struct structure *configured);
  } faults[] = {
      {MODEL(FEATURES, GRU, CONCAT), swap_key_and_query},
      {MODEL(FEATURES, GRU, CONCAT), forget_the_bias_of_keys},
      {MODEL(FEATURES, GRU, CONCAT), forget_the_activation},
      {MODEL(FEATURES, GRU, ADDITIVE), swap_key_and_query},
      {MODEL(FEATURES, GRU, ADDITIVE), forget_the_bias_of_keys},
      {MODEL(FEATURES, GRU, ADDITIVE), forget_the_activation},
      {MODEL(FEATURES, GRU, ADDITIVE ",\"key\":{" MAP), leave_the_map_before_the_layer},
      {MODEL(FEATURES, GRU, ADDITIVE ",\"key\":{\"activation\":\"tanh\"," MAP), forget_the_bias_of_keys},
      {MODEL(FEATURES, GRU, "\"score\":\"general\""), turn_the_general_matrix},
      {MODEL(FEATURES, GRU, DOT ",\"key\":{" MAP), forget_the_key_map},
      {MODEL(FEATURES, GRU, DOT ",\"query\":{" MAP), forget_the_query_map},
      {MODEL(FEATURES, GRU, DOT ",\"value\":{" MAP), forget_the_value_map},
      {MODEL(FEATURES, GRU, DOT), forget_the_sum_of_biases},
      {MODEL(FEATURES, GRU, DOT), forget_the_candidates_bias},
      {MODEL(FEATURES, GRU, DOT), add_the_recurrent_bias_twice},
      {MODEL(FEATURES ",\"embedding\":4", GRU, DOT), forget_what_the_input_goes_through},
      {MODEL(FEATURES ",\"affine\":true", GRU, DOT), forget_what_the_input_goes_through},
      {MODEL(FEATURES ",\"affine\":true", GRU, DOT), map_the_input_twice},
      {MODEL(FEATURES ",\"affine\":true", "\"kind\":\"lstm\",\"units\":4", DOT ",\"value\":{" MAP),
       forget_the_sum_of_biases},
  };
  for (size_t i = 0; i < sizeof faults / sizeof *faults; i++) {
    struct random random = {23 + i};
    cuseq_model *model = random_model(faults[i].json, NULL, &random);
    struct structure lowered = model->lowered;
    cr_expect(alike(&model->structure, &lowered, &random), "%s", faults[i].json);
    faults[i].plant(&lowered, &model->structure);
    cr_expect(!alike(&model->structure, &lowered, &random), "fault %zu is not found: %s", i, faults[i].json);
    cuseq_model_destroy(model);
  }
}
