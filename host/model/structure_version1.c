/* Version 1 configurations as structures: one kind of model, said in the words of all. */
#include "model/structure_version1.h"

#include <stdio.h>

static struct cell cell_of(int32_t inputs, int32_t units, cuseq_activation activation,
                           cuseq_activation recurrent) {
  return (struct cell){.kind = CELL_LSTM,
                       .has_bias = true,
                       .inputs = inputs,
                       .units = units,
                       .activation = activation,
                       .recurrent_activation = recurrent};
}

static struct dense dense_of(int32_t inputs, int32_t units, cuseq_activation activation) {
  return (struct dense){.inputs = inputs, .units = units, .activation = activation, .has_bias = true};
}

static void encoder_of(const cuseq_config *config, struct structure *structure) {
  bool both = config->direction == CUSEQ_DIRECTION_BIDIRECTIONAL;
  structure->input = (struct input_structure){.features = config->features, .width = config->features};
  structure->encoder.count = config->layers;
  structure->encoder.width = config->annotation_width;
  for (int32_t l = 0; l < config->layers; l++) {
    int32_t inputs = l == 0 ? config->features : config->annotation_width;
    struct cell cell = cell_of(inputs, config->units, config->activation, config->recurrent_activation);
    structure->encoder.layers[l] =
        (struct encoder_layer){.direction = both ? LAYER_BIDIRECTIONAL : LAYER_FORWARD,
                               .merge = config->merge,
                               .inputs = inputs,
                               .cells = {cell, cell},
                               .merged_width = config->annotation_width,
                               .joined_width = config->annotation_width,
                               .width = config->annotation_width};
  }
}

static void attention_of(const cuseq_config *config, bool has_additive_bias, struct structure *structure) {
  struct attention_structure *attention = &structure->attention;
  *attention = (struct attention_structure){.present = true,
                                            .score = config->score,
                                            .asks = ASKS_PREVIOUS,
                                            .asked_layer = config->has_decoder ? 0 : -1,
                                            .query_inputs = config->state_units,
                                            .heads = 1,
                                            .scale = config->scale,
                                            .units = config->additive_units,
                                            .has_bias = has_additive_bias,
                                            .context_width = config->annotation_width};
  attention->layers.count = config->attention_layers;
  for (int32_t l = 0; l < config->attention_layers; l++) {
    int32_t inputs = l == 0 ? config->annotation_width + config->state_units : config->attention_units[l - 1];
    attention->layers.layers[l] =
        dense_of(inputs, config->attention_units[l], config->attention_activation[l]);
  }
}

static struct initial_structure initial_of(const cuseq_config *config, bool is_c) {
  struct initial_structure initial = {.from = INITIAL_ZEROS};
  if (config->initial_state == CUSEQ_INITIAL_STATE_ZEROS)
    return initial;
  initial = (struct initial_structure){.from = INITIAL_ENCODER,
                                       .encoder_layer = config->layers - 1,
                                       .takes_c = is_c,
                                       .inputs = config_final_width(config)};
  if (config->initial_state == CUSEQ_INITIAL_STATE_DENSE)
    initial.dense = dense_of(initial.inputs, config->state_units, config->initial_activation);
  return initial;
}

static void decoder_of(const cuseq_config *config, struct structure *structure) {
  struct decoder_structure *decoder = &structure->decoder;
  int32_t inputs = config_decoder_inputs(config), S = config->state_units;
  bool feeds = config->feedback == CUSEQ_FEEDBACK_OUTPUT;
  *decoder = (struct decoder_structure){
      .present = true,
      .count = 1,
      .reads = {.count = feeds ? 2 : 1, .list = {PART_CONTEXT, PART_TOKEN}},
      .feedback = feeds ? FEEDBACK_OUTPUT : FEEDBACK_NONE,
      .tokens = config->outputs,
      .embedding_units = config->embedding_units,
      .start_token = config->start_token,
      .end_token = config->end_token,
      .steps = config->steps,
      .state_width = S,
  };
  decoder->layers[0] = (struct decoder_layer){
      .cell = cell_of(inputs, S, config->decoder_activation, config->decoder_recurrent_activation),
      .inputs = inputs,
      .initial_h = initial_of(config, false),
      .initial_c = initial_of(config, true)};
  struct head *head = &structure->output.heads[0];
  *head = (struct head){
      .source = HEAD_STEP,
      .parts = {.count = 1, .list = {PART_STATE}},
      .inputs = S,
      .layers = {.count = 1, .layers = {dense_of(S, config->outputs, config->output_activation)}},
      .units = config->outputs};
  snprintf(head->name, sizeof head->name, "output");
  structure->output.count = 1;
  structure->output.width = config->outputs;
}

void structure_of_version1(const cuseq_config *config, bool has_additive_bias, struct structure *structure) {
  *structure = (struct structure){0};
  encoder_of(config, structure);
  attention_of(config, has_additive_bias, structure);
  if (config->has_decoder)
    decoder_of(config, structure);
  else
    structure->asking = (struct asking_structure){
        .present = true, .units = config->state_units, .initial = initial_of(config, false)};
}

static struct lstm_weights lstm_of(const struct cell *cell) {
  return (struct lstm_weights){cell->kernel, cell->recurrent_kernel, cell->bias, cell->inputs, cell->units};
}

static struct dense_weights weights_of(const struct dense *dense) {
  return (struct dense_weights){dense->kernel, dense->bias, dense->inputs, dense->units};
}

void weights_of_version1(const struct structure *structure, struct model_weights *weights) {
  const struct attention_structure *attention = &structure->attention;
  const struct decoder_structure *decoder = &structure->decoder;
  const struct initial_structure *h =
      decoder->present ? &decoder->layers[0].initial_h : &structure->asking.initial;
  *weights = (struct model_weights){0};
  for (int32_t l = 0; l < structure->encoder.count; l++)
    for (int d = 0; d < 2; d++)
      if (encoder_layer_has(&structure->encoder.layers[l], d))
        weights->encoder[l][d] = lstm_of(&structure->encoder.layers[l].cells[d]);
  for (int32_t l = 0; l < attention->layers.count; l++)
    weights->attention.layers[l] = weights_of(&attention->layers.layers[l]);
  weights->attention.key = attention->additive_key;
  weights->attention.query = attention->additive_query;
  weights->attention.value = attention->additive_value;
  weights->attention.bias = attention->additive_bias;
  weights->attention.general = attention->general;
  weights->initial_h = weights_of(&h->dense);
  if (!decoder->present)
    return;
  weights->initial_c = weights_of(&decoder->layers[0].initial_c.dense);
  weights->decoder = lstm_of(&decoder->layers[0].cell);
  weights->embedding = decoder->embedding;
  weights->output = weights_of(&structure->output.heads[0].layers.layers[0]);
}
