#include "model/tensor_list.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* columns 0: a vector of `rows`. */
static void list_add(struct tensor_list *list, const float **view, int64_t rows, int64_t columns,
                     const char *format, ...) {
  struct tensor_entry *entry = &list->entries[list->count++];
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(entry->name, sizeof entry->name, format, arguments);
  va_end(arguments);
  entry->rank = columns > 0 ? 2 : 1;
  entry->shape[0] = rows;
  entry->shape[1] = columns;
  entry->view = view;
}

static void list_lstm(struct tensor_list *list, struct lstm_weights *cell, int32_t inputs, int32_t units,
                      const char *prefix) {
  cell->inputs = inputs;
  cell->units = units;
  list_add(list, &cell->kernel, inputs, 4 * (int64_t)units, "%s.kernel", prefix);
  list_add(list, &cell->recurrent_kernel, units, 4 * (int64_t)units, "%s.recurrent_kernel", prefix);
  list_add(list, &cell->bias, 4 * (int64_t)units, 0, "%s.bias", prefix);
}

static void list_dense(struct tensor_list *list, struct dense_weights *dense, int32_t inputs, int32_t units,
                       const char *prefix) {
  dense->inputs = inputs;
  dense->units = units;
  list_add(list, &dense->kernel, inputs, units, "%s.kernel", prefix);
  list_add(list, &dense->bias, units, 0, "%s.bias", prefix);
}

static void list_encoder(struct tensor_list *list, const cuseq_config *config,
                         struct model_weights *weights) {
  static const char *const directions[] = {"forward", "backward"};
  for (int32_t layer = 0; layer < config->layers; layer++)
    for (int32_t d = 0; d < config_directions(config); d++) {
      char prefix[40];
      snprintf(prefix, sizeof prefix, "encoder.layers.%d.%s", (int)layer, directions[d]);
      int32_t inputs = layer == 0 ? config->features : config->annotation_width;
      list_lstm(list, &weights->encoder[layer][d], inputs, config->units, prefix);
    }
}

static void list_attention(struct tensor_list *list, const cuseq_config *config, bool has_additive_bias,
                           struct attention_weights *attention) {
  int32_t A = config->annotation_width, S = config->state_units, u = config->additive_units;
  for (int32_t l = 0; l < config->attention_layers; l++) {
    char prefix[40];
    snprintf(prefix, sizeof prefix, "attention.layers.%d", (int)l);
    int32_t inputs = l == 0 ? A + S : config->attention_units[l - 1];
    list_dense(list, &attention->layers[l], inputs, config->attention_units[l], prefix);
  }
  if (config->score == CUSEQ_SCORE_GENERAL)
    list_add(list, &attention->general, A, S, "attention.general");
  if (config->score != CUSEQ_SCORE_ADDITIVE)
    return;
  list_add(list, &attention->key, A, u, "attention.key");
  list_add(list, &attention->query, S, u, "attention.query");
  list_add(list, &attention->value, u, 0, "attention.value");
  if (has_additive_bias)
    list_add(list, &attention->bias, u, 0, "attention.bias");
}

void tensor_list_make(const cuseq_config *config, bool has_additive_bias, struct model_weights *weights,
                      struct tensor_list *list) {
  memset(weights, 0, sizeof *weights);
  list->count = 0;
  int32_t S = config->state_units;
  list_encoder(list, config, weights);
  list_attention(list, config, has_additive_bias, &weights->attention);
  if (config->initial_state == CUSEQ_INITIAL_STATE_DENSE) {
    list_dense(list, &weights->initial_h, config_final_width(config), S, "initial.h");
    if (config->has_decoder)
      list_dense(list, &weights->initial_c, config_final_width(config), S, "initial.c");
  }
  if (!config->has_decoder)
    return;
  list_lstm(list, &weights->decoder, config_decoder_inputs(config), S, "decoder");
  if (config->embedding_units > 0)
    list_add(list, &weights->embedding, config->outputs, config->embedding_units, "decoder.embedding");
  list_dense(list, &weights->output, S, config->outputs, "output");
}
