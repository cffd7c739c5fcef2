#include "convert/pytorch/parts.h"
#include "convert/pytorch/layers.h"
#include "convert/pytorch/module.h"
#include "error.h"
#include "model/model.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool ends_in(const char *key, const char *ending) {
  size_t length = strlen(key), wanted = strlen(ending);
  return length > wanted && strcmp(key + length - wanted, ending) == 0;
}

/* ---- encoder -------------------------------------------------------------------------------------- */

/* What a module of the encoder has to be: as much as is read from it. */
static struct module_lstm wanted_of(const struct names *names, const cuseq_config *config,
                                    const struct name *name) {
  bool whole = strcmp(name->key, "encoder") == 0;
  bool single = ends_in(name->key, ".forward") || ends_in(name->key, ".backward");
  struct module_lstm wanted = {
      .layers = 1, .directions = 1, .units = config->units, .units_key = "encoder.units"};
  for (int layer = 0; layer < config->layers; layer++)
    for (int d = 0; d < config_directions(config); d++) {
      if (names_find_cell(names, layer, d) != name)
        continue;
      if (whole)
        wanted.layers = layer + 1;
      if (d == 1 && !single)
        wanted.directions = 2;
    }
  wanted.cell = !whole && wanted.directions == 1;
  return wanted;
}

/* One direction of one layer. `key` is "encoder.layers.N.forward" or ".backward". */
static cuseq_status add_cell(struct checkpoint *checkpoint, const struct names *names,
                             const cuseq_config *config, int layer, int direction,
                             const struct checkpoint_array *embedding) {
  const struct name *name = names_find_cell(names, layer, direction);
  const struct module_lstm wanted = wanted_of(names, config, name);
  char key[LAYER_KEY_CAPACITY], ending[32] = "";
  bool cell, whole = strcmp(name->key, "encoder") == 0;
  snprintf(key, sizeof key, "encoder.layers.%d.%s", layer, direction == 0 ? "forward" : "backward");
  TRY(module_expect_lstm(checkpoint, name, &wanted, &cell));
  if (!cell)
    snprintf(ending, sizeof ending, "_l%d%s", whole ? layer : 0,
             direction == 1 && !ends_in(name->key, ".backward") ? "_reverse" : "");
  return layer_add_lstm(checkpoint, key, name, ending, embedding, 0);
}

static cuseq_status add_encoder(struct checkpoint *checkpoint, const struct names *names,
                                const cuseq_config *config) {
  struct checkpoint_array table = {0};
  const struct name *name = names_find(names, "encoder.embedding");
  if (name != NULL) {
    TRY(module_expect_weight(checkpoint, name, "an nn.Embedding"));
    TRY(checkpoint_read(checkpoint, name->module, "weight", 2, true, &table));
  }
  cuseq_status status = CUSEQ_STATUS_OK;
  for (int layer = 0; layer < config->layers; layer++)
    for (int d = 0; d < config_directions(config) && status == CUSEQ_STATUS_OK; d++)
      status =
          add_cell(checkpoint, names, config, layer, d, layer == 0 && table.data != NULL ? &table : NULL);
  free(table.data);
  return status;
}

/* ---- attention ------------------------------------------------------------------------------------ */

/* A bias that changes no output is left out, but it has to be numbers. */
static cuseq_status check_finite(const struct name *name, const struct checkpoint_array *bias) {
  for (int64_t i = 0; bias->data != NULL && i < bias->columns; i++)
    if (!isfinite(bias->data[i]))
      return module_error(name, "its bias is not finite in float32 (found %g at [%lld])",
                          (double)bias->data[i], (long long)i);
  return CUSEQ_STATUS_OK;
}

/* The value may be an nn.Linear of one unit or a vector of its own. Its bias is the same at every position,
 * and the softmax takes it out. */
static cuseq_status add_value(struct checkpoint *checkpoint, const struct name *name) {
  struct checkpoint_array value, bias = {0};
  cuseq_status status;
  TRY(checkpoint_read(checkpoint, name->module, NULL, 1, false, &value));
  if (value.data == NULL)
    TRY(layer_read(checkpoint, name, "an nn.Linear of one unit, or a vector", &value, &bias));
  TRY_CLEANUP(value.rows == 1 ? CUSEQ_STATUS_OK
                              : module_error(name, "it has %lld outputs (needed 1)", (long long)value.rows));
  TRY_CLEANUP(check_finite(name, &bias));
  TRY_CLEANUP(layer_add_array(checkpoint, "attention", "value", &value, true));
cleanup:
  free(value.data);
  free(bias.data);
  return status;
}

/* key, query and value of the additive score. The biases of key and query are one. */
static cuseq_status add_additive(struct checkpoint *checkpoint, const struct names *names) {
  static const char *const keys[] = {"attention.key", "attention.query"};
  struct checkpoint_array weights[2] = {{0}}, biases[2] = {{0}};
  const struct name *parts[2];
  cuseq_status status;
  for (int i = 0; i < 2; i++) {
    parts[i] = names_find(names, keys[i]);
    TRY_CLEANUP(layer_read(checkpoint, parts[i], "an nn.Linear", &weights[i], &biases[i]));
  }
  if (weights[0].rows != weights[1].rows) {
    status = module_error(parts[1], "it has %lld outputs (needed %lld, as attention.key has)",
                          (long long)weights[1].rows, (long long)weights[0].rows);
    goto cleanup;
  }
  for (int64_t i = 0; biases[0].data != NULL && biases[1].data != NULL && i < weights[0].rows; i++)
    biases[0].data[i] = (float)((double)biases[0].data[i] + (double)biases[1].data[i]);
  struct checkpoint_array *bias = biases[0].data != NULL ? &biases[0] : &biases[1];
  TRY_CLEANUP(checkpoint_transpose(&weights[0]));
  TRY_CLEANUP(checkpoint_transpose(&weights[1]));
  TRY_CLEANUP(layer_add_array(checkpoint, "attention", "key", &weights[0], false));
  TRY_CLEANUP(layer_add_array(checkpoint, "attention", "query", &weights[1], false));
  if (bias->data != NULL)
    TRY_CLEANUP(layer_add_array(checkpoint, "attention", "bias", bias, true));
  TRY_CLEANUP(add_value(checkpoint, names_find(names, "attention.value")));
cleanup:
  for (int i = 0; i < 2; i++) {
    free(weights[i].data);
    free(biases[i].data);
  }
  return status;
}

/* e = (W a) . s, the Linear over the annotations, or with the order "state" first a . (W s). On the
 * annotations a bias adds a term of the state alone, the same at every position; on the state one that cuseq
 * does not have. */
static cuseq_status add_general(struct checkpoint *checkpoint, const struct name *name) {
  struct checkpoint_array weight, bias;
  cuseq_status status;
  TRY(layer_read(checkpoint, name, "an nn.Linear", &weight, &bias));
  TRY_CLEANUP(check_finite(name, &bias));
  for (int64_t i = 0; name->swapped && bias.data != NULL && i < bias.columns; i++)
    if (bias.data[i] != 0) {
      status = module_error(name, "it has a bias, which the score \"general\" has not");
      goto cleanup;
    }
  if (!name->swapped)
    TRY_CLEANUP(checkpoint_transpose(&weight));
  TRY_CLEANUP(layer_add_array(checkpoint, "attention", "general", &weight, false));
cleanup:
  free(weight.data);
  free(bias.data);
  return status;
}

/* How many inputs of a module are moved before the others: the annotations or the context, where they come
 * last. */
static int64_t behind(const struct name *name, const cuseq_config *config) {
  return name->swapped ? config->annotation_width : 0;
}

static cuseq_status add_attention(struct checkpoint *checkpoint, const struct names *names,
                                  const cuseq_config *config) {
  if (config->score == CUSEQ_SCORE_ADDITIVE)
    return add_additive(checkpoint, names);
  if (config->score == CUSEQ_SCORE_GENERAL)
    return add_general(checkpoint, names_find(names, "attention.general"));
  for (int layer = 0; layer < config->attention_layers; layer++) {
    char key[LAYER_KEY_CAPACITY];
    snprintf(key, sizeof key, "attention.layers.%d", layer);
    const struct name *name = names_find(names, key);
    TRY(layer_add_linear(checkpoint, name, behind(name, config)));
  }
  return CUSEQ_STATUS_OK;
}

/* ---- the rest ------------------------------------------------------------------------------------- */

static cuseq_status add_decoder(struct checkpoint *checkpoint, const struct names *names,
                                const cuseq_config *config) {
  const struct module_lstm wanted = {
      .layers = 1, .directions = 1, .units = config->state_units, .units_key = "decoder.units", .cell = true};
  const struct name *name = names_find(names, "decoder");
  bool cell;
  TRY(module_expect_lstm(checkpoint, name, &wanted, &cell));
  TRY(layer_add_lstm(checkpoint, "decoder", name, cell ? "" : "_l0", NULL, behind(name, config)));
  name = names_find(names, "decoder.embedding");
  if (name != NULL) {
    struct checkpoint_array table;
    TRY(module_expect_weight(checkpoint, name, "an nn.Embedding"));
    TRY(checkpoint_read(checkpoint, name->module, "weight", 2, true, &table));
    TRY(layer_add_array(checkpoint, "decoder", "embedding", &table, false));
  }
  return layer_add_linear(checkpoint, names_find(names, "output"), 0);
}

cuseq_status parts_add(struct checkpoint *checkpoint, const struct names *names, const cuseq_config *config) {
  TRY(add_encoder(checkpoint, names, config));
  TRY(add_attention(checkpoint, names, config));
  if (config->initial_state == CUSEQ_INITIAL_STATE_DENSE) {
    TRY(layer_add_linear(checkpoint, names_find(names, "initial.h"), 0));
    if (config->has_decoder)
      TRY(layer_add_linear(checkpoint, names_find(names, "initial.c"), 0));
  }
  return config->has_decoder ? add_decoder(checkpoint, names, config) : CUSEQ_STATUS_OK;
}
