#include "convert/arrays/parts_version1.h"
#include "convert/arrays/layers_version1.h"
#include "convert/arrays/module.h"
#include "error.h"
#include "model/model.h"

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
  struct module_found found;
  bool whole = strcmp(name->key, "encoder") == 0;
  snprintf(key, sizeof key, "encoder.layers.%d.%s", layer, direction == 0 ? "forward" : "backward");
  TRY(module_expect_lstm(checkpoint, name, &wanted, &found));
  if (!found.cell)
    snprintf(ending, sizeof ending, "_l%d%s", whole ? layer : 0,
             direction == 1 && !ends_in(name->key, ".backward") ? "_reverse" : "");
  struct layer_lstm lstm = {.ending = ending,
                            .inputs = config->annotation_width,
                            .inputs_by = "the width of the annotations below",
                            .units = config->units,
                            .bias = found.bias};
  if (layer == 0) {
    lstm.embedding = embedding;
    lstm.inputs = embedding != NULL ? embedding->columns : config->features;
    lstm.inputs_by = embedding != NULL ? "the width of encoder.embedding"
                                       : "as encoder.features says, without encoder.embedding";
  }
  return layer_add_lstm(checkpoint, key, name, &lstm);
}

static cuseq_status add_encoder(struct checkpoint *checkpoint, const struct names *names,
                                const cuseq_config *config) {
  struct checkpoint_array table = {0};
  const struct name *name = names_find(names, "encoder.embedding");
  if (name != NULL)
    TRY(layer_read_embedding(checkpoint, name, config->features, "as encoder.features says", &table));
  cuseq_status status = CUSEQ_STATUS_OK;
  for (int layer = 0; layer < config->layers; layer++)
    for (int d = 0; d < config_directions(config) && status == CUSEQ_STATUS_OK; d++)
      status = add_cell(checkpoint, names, config, layer, d, table.data != NULL ? &table : NULL);
  free(table.data);
  return status;
}

/* Who says S. */
static const char *state_key(const cuseq_config *config) {
  return config->has_decoder ? "as decoder.units says" : "the width of the state that attends";
}

/* ---- attention ------------------------------------------------------------------------------------ */

/* The value may be an nn.Linear of one unit or a vector of its own. Its bias is the same at every position,
 * and the softmax takes it out. */
static cuseq_status add_value(struct checkpoint *checkpoint, const struct name *name, int64_t units) {
  const struct layer_widths widths = {units, "as attention.key gives", 1, "the energy"};
  struct checkpoint_array value, bias = {0};
  cuseq_status status;
  TRY(checkpoint_read(checkpoint, name->module, NULL, 1, false, &value));
  if (value.data == NULL)
    TRY(layer_read(checkpoint, name, "an nn.Linear of one unit, or a vector", &widths, &value, &bias));
  TRY_CLEANUP(value.columns == units
                  ? CUSEQ_STATUS_OK
                  : module_error(name, "it has %lld numbers (needed %lld, as attention.key gives)",
                                 (long long)value.columns, (long long)units));
  TRY_CLEANUP(layer_add_array(checkpoint, "attention", "value", &value, true));
cleanup:
  free(value.data);
  free(bias.data);
  return status;
}

/* key, query and value of the additive score. The biases of key and query are one. */
static cuseq_status add_additive(struct checkpoint *checkpoint, const struct names *names,
                                 const cuseq_config *config) {
  static const char *const keys[] = {"attention.key", "attention.query"};
  struct layer_widths widths[2] = {{config->annotation_width, "the width of the annotations", 0, ""},
                                   {config->state_units, state_key(config), 0, "as attention.key gives"}};
  struct checkpoint_array weights[2] = {{0}}, biases[2] = {{0}};
  cuseq_status status;
  for (int i = 0; i < 2; i++) {
    TRY_CLEANUP(layer_read(checkpoint, names_find(names, keys[i]), "an nn.Linear", &widths[i], &weights[i],
                           &biases[i]));
    widths[1].outputs = weights[0].rows;
  }
  const int64_t units = weights[0].rows;
  for (int64_t i = 0; biases[0].data != NULL && biases[1].data != NULL && i < units; i++)
    biases[0].data[i] = (float)((double)biases[0].data[i] + (double)biases[1].data[i]);
  struct checkpoint_array *bias = biases[0].data != NULL ? &biases[0] : &biases[1];
  TRY_CLEANUP(checkpoint_transpose(&weights[0]));
  TRY_CLEANUP(checkpoint_transpose(&weights[1]));
  TRY_CLEANUP(layer_add_array(checkpoint, "attention", "key", &weights[0], false));
  TRY_CLEANUP(layer_add_array(checkpoint, "attention", "query", &weights[1], false));
  if (bias->data != NULL)
    TRY_CLEANUP(layer_add_array(checkpoint, "attention", "bias", bias, true));
  TRY_CLEANUP(add_value(checkpoint, names_find(names, "attention.value"), units));
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
static cuseq_status add_general(struct checkpoint *checkpoint, const struct name *name,
                                const cuseq_config *config) {
  const int64_t a = config->annotation_width, s = config->state_units;
  const char *annotations = "the width of the annotations", *state = state_key(config);
  const struct layer_widths of_annotations = {a, annotations, s, state},
                            of_state = {s, state, a, annotations};
  struct checkpoint_array weight, bias;
  cuseq_status status;
  TRY(layer_read(checkpoint, name, "an nn.Linear", name->swapped ? &of_state : &of_annotations, &weight,
                 &bias));
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
    return add_additive(checkpoint, names, config);
  if (config->score == CUSEQ_SCORE_GENERAL)
    return add_general(checkpoint, names_find(names, "attention.general"), config);
  for (int layer = 0; layer < config->attention_layers; layer++) {
    char key[LAYER_KEY_CAPACITY], by[LAYER_KEY_CAPACITY + 16];
    snprintf(key, sizeof key, "attention.layers.%d", layer);
    snprintf(by, sizeof by, "as %s.units says", key);
    const struct name *name = names_find(names, key);
    struct layer_widths widths = {0, "as many as the layer before gives", config->attention_units[layer], by};
    if (layer > 0)
      widths.inputs = config->attention_units[layer - 1];
    else if (config->state_units > 0) {
      widths.inputs = config->annotation_width + config->state_units;
      widths.inputs_by = "the widths of the annotations and of the state";
    }
    TRY(layer_add_linear(checkpoint, name, &widths, behind(name, config)));
  }
  return CUSEQ_STATUS_OK;
}

/* ---- the rest ------------------------------------------------------------------------------------- */

static cuseq_status add_initial(struct checkpoint *checkpoint, const struct names *names,
                                const cuseq_config *config) {
  const struct layer_widths widths = {config_final_width(config), "the width of the encoder's final state",
                                      config->state_units, state_key(config)};
  TRY(layer_add_linear(checkpoint, names_find(names, "initial.h"), &widths, 0));
  return config->has_decoder ? layer_add_linear(checkpoint, names_find(names, "initial.c"), &widths, 0)
                             : CUSEQ_STATUS_OK;
}

/* The cell; `table` is the embedding of what is fed back, or has no data. */
static cuseq_status add_decoder_cell(struct checkpoint *checkpoint, const struct names *names,
                                     const cuseq_config *config, const struct checkpoint_array *table) {
  const struct module_lstm wanted = {
      .layers = 1, .directions = 1, .units = config->state_units, .units_key = "decoder.units", .cell = true};
  const struct name *name = names_find(names, "decoder");
  struct module_found found;
  TRY(module_expect_lstm(checkpoint, name, &wanted, &found));
  struct layer_lstm lstm = {.ending = found.cell ? "" : "_l0",
                            .inputs = config->annotation_width,
                            .inputs_by = "the width of the context",
                            .units = config->state_units,
                            .bias = found.bias,
                            .behind = behind(name, config)};
  if (table->data != NULL) {
    lstm.inputs += table->columns;
    lstm.inputs_by = "the widths of the context and of decoder.embedding";
  } else if (config->feedback == CUSEQ_FEEDBACK_OUTPUT) {
    lstm.inputs += config->outputs;
    lstm.inputs_by = "the width of the context and output.units, without decoder.embedding";
  }
  return layer_add_lstm(checkpoint, "decoder", name, &lstm);
}

static cuseq_status add_decoder(struct checkpoint *checkpoint, const struct names *names,
                                const cuseq_config *config) {
  const struct layer_widths widths = {config->state_units, state_key(config), config->outputs,
                                      "as output.units says"};
  const struct name *name = names_find(names, "decoder.embedding");
  struct checkpoint_array table = {0};
  cuseq_status status;
  if (name != NULL)
    TRY(layer_read_embedding(checkpoint, name, config->outputs, "as output.units says", &table));
  TRY_CLEANUP(add_decoder_cell(checkpoint, names, config, &table));
  if (table.data != NULL)
    TRY_CLEANUP(layer_add_array(checkpoint, "decoder", "embedding", &table, false));
  status = layer_add_linear(checkpoint, names_find(names, "output"), &widths, 0);
cleanup:
  free(table.data);
  return status;
}

cuseq_status parts_version1_add(struct checkpoint *checkpoint, const struct names *names,
                                const cuseq_config *config) {
  TRY(add_encoder(checkpoint, names, config));
  TRY(add_attention(checkpoint, names, config));
  if (config->initial_state == CUSEQ_INITIAL_STATE_DENSE)
    TRY(add_initial(checkpoint, names, config));
  return config->has_decoder ? add_decoder(checkpoint, names, config) : CUSEQ_STATUS_OK;
}
