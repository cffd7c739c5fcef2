#include "backends/cuda/whole_any_model.h"

#include "backends/cuda/loop.h"
#include "backends/cuda/loop_model.h"

#include <stddef.h>
#include <stdlib.h>

enum { MOST_OUTPUTS = 1024, MOST_DENSE = 1024 };

/* ---- what it does not take ---- */

static const char *layer_reason(const struct encoder_layer *layer, const struct launch_device *device) {
  struct cuda_cells cells[2];
  if (cuda_cells_of(layer, cells) > 1)
    return "the two directions of a layer are not alike";
  if (cells[0].units > WHOLE_ANY_UNITS_MOST)
    return "H is above 64";
  if (cells[0].form == CELL_FORM_GRU_RESET_BEFORE)
    return "a GRU of the encoder resets before the product";
  if (cuda_mapping_fault(&cells[0], SEQUENCE_MAPPING_BLOCK64, device))
    return "an activation of the encoder's cells is none of the fused ones";
  if (layer->weighting.kernel)
    return "a layer of the encoder weights its positions";
  if (layer->self_attention > 0)
    return "a layer of the encoder attends to itself";
  return layer->dense.kernel && layer->dense.transposed ? "a dense layer's kernel is transposed" : NULL;
}

static const char *encoder_reason(const struct structure *structure, const struct launch_device *device) {
  const struct encoder_structure *encoder = &structure->encoder;
  const struct attention_structure *attention = &structure->attention;
  if (encoder->count > WHOLE_ANY_LAYERS_MOST)
    return "its encoder has more than 4 layers";
  for (int32_t l = 0; l < encoder->count; l++) {
    const char *reason = layer_reason(&encoder->layers[l], device);
    if (reason)
      return reason;
  }
  if (attention->present &&
      (attention->keys.count > WHOLE_ANY_CHAIN_MOST || attention->values.count > WHOLE_ANY_CHAIN_MOST))
    return "more than two layers make its keys or values";
  return NULL;
}

static const char *heads_reason(const struct structure *structure) {
  if (structure->output.count > WHOLE_ANY_HEADS_MOST)
    return "it has more than 4 heads";
  if (structure->attention.present && structure->attention.heads > 1)
    return "its attention has several heads";
  if (structure_is_mixed(structure))
    return "heads over rows stand beside heads over every position";
  for (int32_t i = 0; i < structure->output.count; i++) {
    const struct head *head = &structure->output.heads[i];
    if (head->units > MOST_OUTPUTS)
      return "V is above 1024";
    const struct head_read *read = &head->reads[0];
    if (head->read_count > 1 || read->source == HEAD_POSITIONS ||
        (read->source == HEAD_FINAL && (read->takes_c || read->layer + 1 < structure->encoder.count)))
      return "a head reads several vectors, or other states than the last layer's";
  }
  return loop_widest(structure) > MOST_DENSE ? "a dense layer has more than 1024 units" : NULL;
}

/* ---- the model ---- */

static struct whole_dense dense_of(const struct dense *dense) {
  struct whole_dense none = {0};
  return dense->kernel ? (struct whole_dense){dense->inputs, dense->units, dense->kernel, dense->bias,
                                              dense->activation}
                       : none;
}

/* A layer; its weights where the session has them. */
static struct whole_any_layer layer_of(const struct structure *structure, int32_t l,
                                       const struct cuda_layer *placed) {
  const struct encoder_layer *layer = &structure->encoder.layers[l];
  struct cuda_cells cells[2];
  cuda_cells_of(layer, cells);
  struct whole_any_layer made = {.form = cells[0].form,
                                 .inputs = cells[0].inputs,
                                 .units = cells[0].units,
                                 .directions = cells[0].directions,
                                 .is_backward = cells[0].first == 1,
                                 .activation = cells[0].activation,
                                 .recurrent_activation = cells[0].recurrent_activation,
                                 .merge = layer->merge,
                                 .merged_width = layer->merged_width,
                                 .residual = layer->residual,
                                 .width = layer->width,
                                 .states = structure_final_offset(&structure->encoder, l, cells[0].first),
                                 .dense = dense_of(placed ? &placed->dense : &layer->dense)};
  if (placed) {
    made.d_kernel = placed->runs[0].d_kernel;
    made.d_recurrent = placed->runs[0].d_recurrent;
    made.d_bias = placed->runs[0].d_bias;
  }
  return made;
}

static int32_t layers_of(const struct dense_chain *chain, struct whole_dense list[WHOLE_ANY_CHAIN_MOST]) {
  for (int32_t l = 0; l < chain->count; l++)
    list[l] = dense_of(&chain->layers[l]);
  return chain->count;
}

/* What a head reads lies in one place for all heads, or is the context. */
static void head_make(const struct loop_maker *maker, const struct head *head, int32_t read_at,
                      struct whole_head *made) {
  static const enum whole_source sources[] = {
      [HEAD_STEP] = WHOLE_CONTEXT, [HEAD_CONTEXT] = WHOLE_CONTEXT, [HEAD_FINAL] = WHOLE_FINAL,
      [HEAD_MEAN] = WHOLE_MEAN,    [HEAD_MAXIMUM] = WHOLE_MAXIMUM, [HEAD_LAST] = WHOLE_LAST,
      [HEAD_EVERY] = WHOLE_EVERY,  [HEAD_POSITIONS] = WHOLE_EVERY};
  const struct dense *last = &head->layers.layers[head->layers.count - 1];
  const struct initial_structure final = {.from = INITIAL_ENCODER,
                                          .encoder_layer = maker->structure->encoder.count - 1,
                                          .directions = INITIAL_CONCAT,
                                          .inputs = head->inputs};
  struct loop_parts reads = {0};
  made->source = sources[head->source];
  made->read_at = made->source == WHOLE_CONTEXT ? maker->model->context_at : read_at;
  loop_parts_add(&reads, made->read_at, head->inputs, false);
  if (made->source == WHOLE_FINAL)
    made->final = loop_initial_of(maker, &final, made->read_at);
  made->layers = loop_head_of(maker, head, reads);
  made->d_bias = last->bias;
  made->activation = last->activation;
  made->inputs = head->inputs;
  made->units = head->units;
  made->offset = head->offset;
}

static void outputs_make(struct loop_maker *maker, struct whole_any_model *model) {
  const struct structure *structure = maker->structure;
  const struct output_structure *output = &structure->output;
  int32_t widest = 0;
  model->asking_at = loop_heads_make(maker);
  if (structure->asking.present) {
    model->asking = loop_initial_of(maker, &structure->asking.initial, model->asking_at);
    model->asking_units = structure->asking.units;
  }
  for (int32_t i = 0; i < output->count; i++)
    widest = cuda_larger(widest, output->heads[i].inputs);
  int32_t read_at = loop_place(maker, widest);
  model->heads = output->count;
  model->outputs = output->width;
  for (int32_t i = 0; i < output->count; i++)
    head_make(maker, &output->heads[i], read_at, &model->head[i]);
  model->loop.energies_at = model->loop.shared_floats;
}

/* All of a model of a structure; cells and layers NULL: without their weights. */
static void model_make(const struct structure *structure, const struct cuda_cell *cells,
                       const struct cuda_layer *layers, struct whole_any_model *model) {
  struct loop_maker maker = {.structure = structure, .cells = cells, .model = &model->loop};
  model->layers = structure->encoder.count;
  for (int32_t l = 0; l < model->layers; l++)
    model->layer[l] = layer_of(structure, l, layers ? &layers[l] : NULL);
  if (structure->attention.present) {
    model->keys = layers_of(&structure->attention.keys, model->key);
    model->values = layers_of(&structure->attention.values, model->value);
  }
  if (structure->decoder.present)
    loop_decoder_make(&maker);
  else
    outputs_make(&maker, model);
}

/* ---- weights that are kept ---- */

/* A pointer in the model to weights of `floats`; 0 or NULL: nothing to keep. */
static void keep(struct whole_any_model *model, const float *const *pointer, int64_t floats) {
  if (!*pointer || floats < 1 || floats > INT32_MAX / 2 || model->kept_count == WHOLE_ANY_KEPT_MOST)
    return;
  model->kept[model->kept_count].d_weights = *pointer;
  model->kept[model->kept_count].at = (int32_t)((const char *)pointer - (const char *)model);
  model->kept[model->kept_count++].floats = (int32_t)floats;
}

static void dense_keep(struct whole_any_model *model, const struct loop_dense *dense) {
  keep(model, &dense->d_kernel, (int64_t)dense->inputs * dense->units);
  keep(model, &dense->d_bias, dense->units);
}

static void chain_keep(struct whole_any_model *model, const struct loop_chain *chain) {
  for (int32_t l = 0; l < chain->count; l++)
    dense_keep(model, &chain->layers[l]);
}

/* What every position reads. */
static void positions_keep(struct whole_any_model *model) {
  const struct whole_dense *const lists[] = {model->key, model->value};
  for (int i = 0; i < 2; i++)
    for (int32_t l = 0; l < (i == 0 ? model->keys : model->values); l++) {
      keep(model, &lists[i][l].d_kernel, (int64_t)lists[i][l].inputs * lists[i][l].units);
      keep(model, &lists[i][l].d_bias, lists[i][l].units);
    }
  for (int32_t l = 0; l < model->layers; l++) {
    const struct whole_dense *dense = &model->layer[l].dense;
    keep(model, &dense->d_kernel, (int64_t)dense->inputs * dense->units);
    keep(model, &dense->d_bias, dense->units);
  }
  const struct attention_score *score = &model->loop.score;
  if (model->loop.attends == LOOP_ATTENDS_NEVER || score->score != CUSEQ_SCORE_CONCAT)
    return;
  for (int32_t l = 1; l < score->layers; l++) {
    keep(model, &score->d_kernel[l], (int64_t)score->units[l - 1] * score->units[l]);
    keep(model, &score->d_bias[l], score->units[l]);
  }
}

/* What every step of a decoder reads; of an embedding it reads a row. */
static void steps_keep(struct whole_any_model *model) {
  struct loop_model *loop = &model->loop;
  for (int32_t l = 0; l < loop->layers; l++) {
    const struct loop_layer *layer = &loop->layer[l];
    int64_t S = layer->units, inputs = 0;
    for (int32_t i = 0; i < layer->reads.count; i++)
      inputs += layer->reads.list[i].width;
    keep(model, &layer->d_recurrent, 4 * S * S);
    keep(model, &layer->d_candidate, S * S);
    keep(model, &layer->d_bias, 4 * S);
    keep(model, &layer->d_kernel, 4 * S * inputs);
  }
  if (loop->has_attentional)
    dense_keep(model, &loop->attentional);
  if (loop->attends != LOOP_ATTENDS_NEVER)
    chain_keep(model, &loop->query);
  chain_keep(model, &loop->head);
  keep(model, &loop->d_output_bias, loop->outputs);
}

static void kept_list(struct whole_any_model *model) {
  positions_keep(model);
  if (model->loop.layers > 0)
    steps_keep(model);
  for (int32_t i = 0; i < model->heads; i++)
    if (model->head[i].source == WHOLE_EVERY) {
      chain_keep(model, &model->head[i].layers);
      keep(model, &model->head[i].d_bias, model->head[i].units);
    }
}

/* ---- sizes ---- */

/* The widest layer between the annotations and keys or values. */
static int32_t between(const struct dense_chain *chain) {
  int32_t widest = 0;
  for (int32_t l = 0; l + 1 < chain->count; l++)
    widest = cuda_larger(widest, chain->layers[l].units);
  return widest;
}

static void sizes_of(const struct structure *structure, const struct whole_any_model *model,
                     struct whole_any_sizes *sizes) {
  const struct attention_structure *attention = &structure->attention;
  bool looks_up = structure->input.embedding_units > 0 && !structure->input.embedding_folded;
  *sizes = (struct whole_any_sizes){.loop = model->loop.shared_floats, .layers = model->layers};
  for (int32_t l = 0; l < model->layers; l++) {
    const struct whole_any_layer *layer = &model->layer[l];
    int32_t columns = layer->directions * layer->units;
    sizes->columns = cuda_larger(sizes->columns, columns);
    sizes->width = cuda_larger(sizes->width, cuda_larger(columns, layer->width));
    sizes->states += columns;
    sizes->moves |= l > 0 || layer->dense.units > 0;
    sizes->dense_inputs[0] = cuda_larger(sizes->dense_inputs[0], layer->inputs);
    if (l > 0 || looks_up)
      sizes->dense_inputs[1] = cuda_larger(sizes->dense_inputs[1], layer->inputs);
  }
  if (attention->present) {
    sizes->keys = model->keys > 0 ? attention->key_width : 0;
    sizes->values = model->values > 0 ? attention->context_width : 0;
    sizes->between = cuda_larger(between(&attention->keys), between(&attention->values));
  }
  for (int32_t i = 0; i < model->kept_count; i++)
    sizes->kept += (model->kept[i].floats + 3) / 4 * 4;
}

void whole_any_model_make(const struct cuda_session *session, struct whole_any_model *model,
                          struct whole_any_sizes *sizes) {
  const struct cuda_steps *steps = session->steps;
  *model = (struct whole_any_model){0};
  model_make(&steps->structure, steps->cells, session->layers, model);
  model->d_table = session->d_embedding;
  kept_list(model);
  sizes_of(&steps->structure, model, sizes);
}

/* ---- the choice of a structure ---- */

const char *whole_any_reason(const struct structure *structure, const struct cuda_shape *shape,
                             const struct launch_device *device) {
  const char *reason =
      structure_norms(structure) ? "a dense layer normalises" : encoder_reason(structure, device);
  struct whole_any_model model = {0};
  struct whole_any_sizes sizes;
  if (reason)
    return reason;
  if (shape->time > WHOLE_ANY_TIME_MOST)
    return "T is above 512";
  reason =
      structure->decoder.present ? cuda_loop_reason(structure, shape->time, device) : heads_reason(structure);
  if (reason)
    return reason;
  model_make(structure, NULL, NULL, &model);
  sizes_of(structure, &model, &sizes);
  return whole_any_possible(&sizes, shape->time, shape->ids, device)
             ? NULL
             : "its vectors do not fit into a block's shared memory";
}
