#include "backends/cuda/loop_model.h"

int32_t loop_place(struct loop_maker *maker, int32_t width) {
  int32_t at = maker->model->shared_floats;
  maker->model->shared_floats += (width + 3) / 4 * 4;
  return at;
}

void loop_parts_add(struct loop_parts *parts, int32_t at, int32_t width, bool is_token) {
  parts->list[parts->count].at = at;
  parts->list[parts->count].width = width;
  parts->list[parts->count++].is_token = is_token;
}

static void part_add(const struct loop_maker *maker, struct loop_parts *parts, enum part part) {
  const struct loop_model *model = maker->model;
  const struct decoder_structure *decoder = &maker->structure->decoder;
  int32_t width = structure_part_width(maker->structure, part);
  switch (part) {
  case PART_TOKEN:
    loop_parts_add(parts, model->token_at, width, decoder->embedding_units == 0);
    return;
  case PART_CONTEXT:
    loop_parts_add(parts, model->context_at, width, false);
    return;
  case PART_ATTENTIONAL:
    loop_parts_add(parts, model->attentional.to, width, false);
    return;
  case PART_GIVEN: /* cuda_loop_reason declines it */
    return;
  case PART_STATE:
    loop_parts_add(parts, model->layer[model->layers - 1].above, width, false);
  }
}

static struct loop_parts parts_of(const struct loop_maker *maker, const struct parts *parts) {
  struct loop_parts list = {0};
  for (int32_t i = 0; i < parts->count; i++)
    part_add(maker, &list, parts->list[i]);
  return list;
}

struct loop_dense loop_dense_of(const struct dense *dense, struct loop_parts reads, int32_t to) {
  return (struct loop_dense){.reads = reads,
                             .units = dense->units,
                             .inputs = dense->inputs,
                             .transposed = dense->transposed,
                             .d_kernel = dense->kernel,
                             .d_bias = dense->bias,
                             .activation = dense->activation,
                             .to = to};
}

struct loop_chain loop_chain_of(const struct loop_maker *maker, const struct dense_chain *chain,
                                struct loop_parts reads, int32_t width, int32_t to) {
  struct loop_chain made = {.count = chain->count};
  if (chain->count == 0) {
    made.count = 1;
    made.layers[0] = (struct loop_dense){
        .reads = reads, .units = width, .inputs = width, .activation = CUSEQ_ACTIVATION_LINEAR, .to = to};
  }
  for (int32_t l = 0; l < chain->count; l++) {
    int32_t target = l == chain->count - 1 ? to : maker->model->scratch_at[l % 2];
    made.layers[l] = loop_dense_of(&chain->layers[l], reads, target);
    reads = (struct loop_parts){0};
    loop_parts_add(&reads, target, chain->layers[l].units, false);
  }
  return made;
}

struct loop_initial loop_initial_of(const struct loop_maker *maker, const struct initial_structure *initial,
                                    int32_t to) {
  const struct encoder_structure *encoder = &maker->structure->encoder;
  struct loop_initial made = {.from_encoder = initial->from == INITIAL_ENCODER,
                              .is_other = initial->from == INITIAL_OTHER,
                              .takes_c = initial->takes_c,
                              .sums = initial->directions == INITIAL_SUM};
  if (!made.from_encoder)
    return made;
  const struct encoder_layer *layer = &encoder->layers[initial->encoder_layer];
  bool first = encoder_layer_has(layer, 0) && initial->directions != INITIAL_BACKWARD,
       second = encoder_layer_has(layer, 1) && initial->directions != INITIAL_FORWARD;
  int direction = first ? 0 : 1;
  made.first = structure_final_offset(encoder, initial->encoder_layer, direction);
  made.first_units = layer->cells[direction].units;
  made.second = structure_final_offset(encoder, initial->encoder_layer, 1);
  made.second_units = first && second ? layer->cells[1].units : 0;
  if (initial->dense.units > 0) {
    struct loop_parts taken = {0};
    loop_parts_add(&taken, maker->model->scratch_at[0], initial->inputs, false);
    made.dense = loop_dense_of(&initial->dense, taken, to);
  }
  return made;
}

static void layers_make(struct loop_maker *maker) {
  const struct decoder_structure *decoder = &maker->structure->decoder;
  struct loop_model *model = maker->model;
  for (int32_t l = 0, offset = 0; l < decoder->count; l++) {
    const struct decoder_layer *from = &decoder->layers[l];
    struct loop_layer *layer = &model->layer[l];
    *layer = (struct loop_layer){.form = cuda_cell_form(&from->cell),
                                 .units = from->cell.units,
                                 .activation = from->cell.activation,
                                 .recurrent_activation = from->cell.recurrent_activation,
                                 .residual = from->residual,
                                 .offset = offset};
    layer->h = loop_place(maker, layer->units);
    layer->c = loop_place(maker, layer->units);
    layer->above = from->residual ? loop_place(maker, layer->units) : layer->h;
    layer->initial_h = loop_initial_of(maker, &from->initial_h, layer->h);
    layer->initial_c = loop_initial_of(maker, &from->initial_c, layer->c);
    offset += layer->units;
    if (maker->cells) {
      layer->d_kernel = maker->cells[l].d_kernel;
      layer->d_recurrent = maker->cells[l].d_recurrent;
      layer->d_candidate = maker->cells[l].d_candidate;
      layer->d_bias = maker->cells[l].d_bias;
    }
  }
  for (int32_t l = 0; l < decoder->count; l++) {
    struct loop_layer *layer = &model->layer[l];
    if (l == 0)
      layer->reads = parts_of(maker, &decoder->reads);
    else
      loop_parts_add(&layer->reads, model->layer[l - 1].above, model->layer[l - 1].units, false);
    layer->below_parts = layer->reads.count;
    if (decoder->layers[l].reads_context)
      part_add(maker, &layer->reads, PART_CONTEXT);
  }
}

/* Attention of what asks. */
static void attention_make(struct loop_maker *maker, enum loop_attends attends, struct loop_parts asks) {
  const struct attention_structure *attention = &maker->structure->attention;
  struct loop_model *model = maker->model;
  model->attends = attends;
  model->query = loop_chain_of(maker, &attention->query, asks, attention->key_width, model->query_at);
  model->score = cuda_steps_score(&maker->structure->attention, maker->structure->encoder.width);
  model->values_width = attention->context_width;
  model->d_position_bias = attention->position_bias;
}

static void decoder_attends(struct loop_maker *maker) {
  const struct attention_structure *attention = &maker->structure->attention;
  struct loop_model *model = maker->model;
  struct loop_parts asks = {0};
  if (!attention->present)
    return;
  model->asked_layer = attention->asked_layer;
  if (attention->asks == ASKS_TOKEN) {
    part_add(maker, &asks, PART_TOKEN);
  } else {
    const struct loop_layer *asked = &model->layer[attention->asked_layer];
    loop_parts_add(&asks, attention->asks == ASKS_CURRENT ? asked->above : asked->h, asked->units, false);
  }
  attention_make(maker, attention->asks == ASKS_CURRENT ? LOOP_ATTENDS_BEHIND : LOOP_ATTENDS_BEFORE, asks);
}

/* The widest vector that passes through scratch memory. */
static int32_t scratch_width(const struct structure *structure) {
  const struct decoder_structure *decoder = &structure->decoder;
  int32_t widest = cuda_chain_widest(&structure->attention.query);
  for (int32_t i = 0; i < structure->output.count; i++)
    widest = cuda_larger(widest, cuda_chain_widest(&structure->output.heads[i].layers));
  for (int32_t l = 0; decoder->present && l < decoder->count && l < LOOP_MOST_LAYERS; l++)
    widest = cuda_larger(
        widest, cuda_larger(decoder->layers[l].initial_h.inputs, decoder->layers[l].initial_c.inputs));
  return structure->asking.present ? cuda_larger(widest, structure->asking.initial.inputs) : widest;
}

int32_t loop_widest(const struct structure *structure) {
  const struct attention_structure *attention = &structure->attention;
  return cuda_larger(scratch_width(structure),
                     cuda_larger(attention->key_width, cuda_chain_widest(&attention->energies)));
}

/* What attention, dense layers and heads work in. */
static void vectors_make(struct loop_maker *maker, int32_t logits) {
  int32_t scratch = scratch_width(maker->structure);
  const struct attention_structure *attention = &maker->structure->attention;
  struct loop_model *model = maker->model;
  int32_t energy = 0;
  for (int32_t l = 0; l < attention->energies.count; l++)
    energy = cuda_larger(energy, attention->energies.layers[l].units);
  energy = attention->energies.count > 1 ? cuda_larger(energy, attention->key_width) : 0;
  model->partial_at = loop_place(maker, 4 * LOOP_THREADS);
  model->reduce_at = loop_place(maker, 128);
  model->context_at = loop_place(maker, attention->context_width);
  model->query_at = loop_place(maker, attention->key_width);
  model->deep_at = loop_place(maker, LOOP_THREADS / 32 * 2 * energy);
  model->scratch_at[0] = loop_place(maker, scratch);
  model->scratch_at[1] = loop_place(maker, scratch);
  model->logits_at = loop_place(maker, logits);
}

struct loop_chain loop_head_of(const struct loop_maker *maker, const struct head *head,
                               struct loop_parts reads) {
  struct loop_chain made = loop_chain_of(maker, &head->layers, reads, head->units, maker->model->logits_at);
  struct loop_dense *sums = &made.layers[made.count - 1];
  sums->d_bias = NULL;
  sums->activation = CUSEQ_ACTIVATION_LINEAR;
  return made;
}

void loop_decoder_make(struct loop_maker *maker) {
  const struct structure *structure = maker->structure;
  const struct decoder_structure *decoder = &structure->decoder;
  const struct head *head = &structure->output.heads[0];
  const struct dense *last = &head->layers.layers[head->layers.count - 1];
  struct loop_model *model = maker->model;
  int32_t attentional = decoder->attentional.present ? decoder->attentional.dense.units : 0;
  model->layers = decoder->count;
  model->state_width = decoder->state_width;
  model->reads_token = decoder->feedback != FEEDBACK_NONE;
  model->embedding_units = decoder->embedding_units;
  model->d_embedding = decoder->embedding;
  model->start_token = decoder->start_token > 0 ? decoder->start_token : 0;
  model->end_token = decoder->end_token;
  vectors_make(maker, head->units);
  model->token_at = loop_place(maker, decoder->embedding_units);
  model->reset_at = loop_place(maker, LOOP_MOST_UNITS);
  model->has_attentional = decoder->attentional.present;
  model->attentional.to = loop_place(maker, attentional);
  layers_make(maker);
  model->carried_width = decoder->fed_context;
  model->attentional_width = decoder->fed_attentional;
  if (model->has_attentional)
    model->attentional = loop_dense_of(&decoder->attentional.dense,
                                       parts_of(maker, &decoder->attentional.parts), model->attentional.to);
  decoder_attends(maker);
  model->outputs = head->units;
  model->d_output_bias = last->bias;
  model->output_activation = last->activation;
  model->head = loop_head_of(maker, head, parts_of(maker, &head->parts));
  model->energies_at = model->shared_floats;
}

int32_t loop_heads_make(struct loop_maker *maker) {
  const struct structure *structure = maker->structure;
  const struct asking_structure *asking = &structure->asking;
  int32_t logits = 0, state;
  struct loop_parts asks = {0};
  for (int32_t i = 0; i < structure->output.count; i++)
    logits = cuda_larger(logits, structure->output.heads[i].units);
  vectors_make(maker, logits);
  state = loop_place(maker, asking->present ? asking->units : 0);
  if (structure->attention.present) {
    loop_parts_add(&asks, state, asking->units, false);
    attention_make(maker, LOOP_ATTENDS_BEFORE, asks);
  }
  return state;
}
