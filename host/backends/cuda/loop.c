#include "backends/cuda/loop.h"

#include "backends/cuda/decoding.h"
#include "backends/cuda/trace.h"
#include "error.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What one block decodes: beyond, weights, keys or annotations are read from memory at every step, and products over all rows
 * are less work. */
enum {
  MOST_LAYERS = LOOP_MOST_LAYERS,
  MOST_UNITS = LOOP_MOST_UNITS,
  MOST_ANNOTATION = 256,
  MOST_TIME = 512,
  MOST_OUTPUTS = 1024,
  MOST_DENSE = 1024,
};

/* ---- the model of the loop ---- */

/* A model under way: vectors get their places one after the other. */
struct maker {
  const struct structure *structure;
  const struct cuda_cell *cells; /* NULL: only sizes are wanted */
  struct loop_model *model;
};

/* A place for a vector, in floats. */
static int32_t place(struct maker *maker, int32_t width) {
  int32_t at = maker->model->shared_floats;
  maker->model->shared_floats += (width + 3) / 4 * 4;
  return at;
}

static void parts_add(struct loop_parts *parts, int32_t at, int32_t width, bool is_token) {
  parts->list[parts->count].at = at;
  parts->list[parts->count].width = width;
  parts->list[parts->count++].is_token = is_token;
}

static void part_add(const struct maker *maker, struct loop_parts *parts, enum part part) {
  const struct loop_model *model = maker->model;
  const struct decoder_structure *decoder = &maker->structure->decoder;
  int32_t width = structure_part_width(maker->structure, part);
  switch (part) {
  case PART_TOKEN:
    parts_add(parts, model->token_at, width, decoder->embedding_units == 0);
    return;
  case PART_CONTEXT:
    parts_add(parts, model->context_at, width, false);
    return;
  case PART_ATTENTIONAL:
    parts_add(parts, model->attentional.to, width, false);
    return;
  case PART_STATE:
    parts_add(parts, model->layer[model->layers - 1].above, width, false);
  }
}

static struct loop_parts parts_of(const struct maker *maker, const struct parts *parts) {
  struct loop_parts list = {0};
  for (int32_t i = 0; i < parts->count; i++)
    part_add(maker, &list, parts->list[i]);
  return list;
}

static struct loop_dense dense_of(const struct dense *dense, struct loop_parts reads, int32_t to) {
  return (struct loop_dense){.reads = reads,
                             .units = dense->units,
                             .inputs = dense->inputs,
                             .transposed = dense->transposed,
                             .d_kernel = dense->kernel,
                             .d_bias = dense->bias,
                             .activation = dense->activation,
                             .to = to};
}

/* Layers one after the other, the last one to `to`; no layers: a copy, `width` wide. */
static struct loop_chain chain_of(const struct maker *maker, const struct dense_chain *chain,
                                  struct loop_parts reads, int32_t width, int32_t to) {
  struct loop_chain made = {.count = chain->count};
  if (chain->count == 0) {
    made.count = 1;
    made.layers[0] = (struct loop_dense){
        .reads = reads, .units = width, .inputs = width, .activation = CUSEQ_ACTIVATION_LINEAR, .to = to};
  }
  for (int32_t l = 0; l < chain->count; l++) {
    int32_t target = l == chain->count - 1 ? to : maker->model->scratch_at[l % 2];
    made.layers[l] = dense_of(&chain->layers[l], reads, target);
    reads = (struct loop_parts){0};
    parts_add(&reads, target, chain->layers[l].units, false);
  }
  return made;
}

static struct loop_initial initial_of(const struct maker *maker, const struct initial_structure *initial,
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
    parts_add(&taken, maker->model->scratch_at[0], initial->inputs, false);
    made.dense = dense_of(&initial->dense, taken, to);
  }
  return made;
}

/* The widest vector that passes through scratch memory. */
static int32_t scratch_width(const struct structure *structure) {
  const struct decoder_structure *decoder = &structure->decoder;
  int32_t widest = cuda_larger(cuda_chain_widest(&structure->attention.query),
                               cuda_chain_widest(&structure->output.heads[0].layers));
  for (int32_t l = 0; l < decoder->count && l < MOST_LAYERS; l++)
    widest = cuda_larger(
        widest, cuda_larger(decoder->layers[l].initial_h.inputs, decoder->layers[l].initial_c.inputs));
  return widest;
}

static void layers_make(struct maker *maker) {
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
    layer->h = place(maker, layer->units);
    layer->c = place(maker, layer->units);
    layer->above = from->residual ? place(maker, layer->units) : layer->h;
    layer->initial_h = initial_of(maker, &from->initial_h, layer->h);
    layer->initial_c = initial_of(maker, &from->initial_c, layer->c);
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
      parts_add(&layer->reads, model->layer[l - 1].above, model->layer[l - 1].units, false);
    layer->below_parts = layer->reads.count;
    if (decoder->layers[l].reads_context)
      part_add(maker, &layer->reads, PART_CONTEXT);
  }
}

static void attention_make(struct maker *maker) {
  const struct attention_structure *attention = &maker->structure->attention;
  struct loop_model *model = maker->model;
  struct loop_parts asks = {0};
  if (!attention->present)
    return;
  model->attends = attention->asks == ASKS_CURRENT ? LOOP_ATTENDS_BEHIND : LOOP_ATTENDS_BEFORE;
  model->asked_layer = attention->asked_layer;
  if (attention->asks == ASKS_TOKEN) {
    part_add(maker, &asks, PART_TOKEN);
  } else {
    const struct loop_layer *asked = &model->layer[attention->asked_layer];
    parts_add(&asks, attention->asks == ASKS_CURRENT ? asked->above : asked->h, asked->units, false);
  }
  model->query = chain_of(maker, &attention->query, asks, attention->key_width, model->query_at);
  model->score = cuda_steps_score(maker->structure);
  model->values_width = attention->context_width;
  model->d_position_bias = attention->position_bias;
}

/* Everything but the energies, whose place is the last. */
static void model_make(struct maker *maker) {
  const struct structure *structure = maker->structure;
  const struct decoder_structure *decoder = &structure->decoder;
  const struct head *head = &structure->output.heads[0];
  struct loop_model *model = maker->model;
  int32_t C = structure->attention.context_width, scratch = scratch_width(structure), widest_energy = 0;
  for (int32_t l = 0; l < structure->attention.energies.count; l++)
    widest_energy = cuda_larger(widest_energy, structure->attention.energies.layers[l].units);
  bool deep = structure->attention.energies.count > 1;
  widest_energy = deep ? cuda_larger(widest_energy, structure->attention.key_width) : 0;
  model->layers = decoder->count;
  model->state_width = decoder->state_width;
  model->reads_token = decoder->feedback != FEEDBACK_NONE;
  model->embedding_units = decoder->embedding_units;
  model->d_embedding = decoder->embedding;
  model->start_token = decoder->start_token > 0 ? decoder->start_token : 0;
  model->end_token = decoder->end_token;
  model->partial_at = place(maker, 4 * LOOP_THREADS);
  model->reduce_at = place(maker, 128);
  model->token_at = place(maker, decoder->embedding_units);
  model->context_at = place(maker, C);
  model->query_at = place(maker, structure->attention.key_width);
  model->deep_at = place(maker, LOOP_THREADS / 32 * 2 * widest_energy);
  model->reset_at = place(maker, MOST_UNITS);
  model->scratch_at[0] = place(maker, scratch);
  model->scratch_at[1] = place(maker, scratch);
  model->logits_at = place(maker, head->units);
  model->has_attentional = decoder->attentional.present;
  model->attentional.to = place(maker, decoder->attentional.present ? decoder->attentional.dense.units : 0);
  layers_make(maker);
  model->carried_width = decoder->carries_context ? C : 0;
  model->attentional_width = decoder->fed_width - model->carried_width;
  if (model->has_attentional)
    model->attentional = dense_of(&decoder->attentional.dense, parts_of(maker, &decoder->attentional.parts),
                                  model->attentional.to);
  attention_make(maker);
  const struct dense *last = &head->layers.layers[head->layers.count - 1];
  model->outputs = head->units;
  model->d_output_bias = last->bias;
  model->output_activation = last->activation;
  model->head = chain_of(maker, &head->layers, parts_of(maker, &head->parts), head->units, model->logits_at);
  struct loop_dense *sums = &model->head.layers[model->head.count - 1];
  sums->d_bias = NULL;
  sums->activation = CUSEQ_ACTIVATION_LINEAR;
  model->energies_at = model->shared_floats;
}

/* ---- the choice ---- */

/* Why so many positions are too many for a model that has so many floats without their energies. */
static const char *time_reason(const struct structure *structure, int32_t floats, int32_t time,
                               const struct launch_device *device) {
  if (structure->attention.present && time > MOST_TIME)
    return "T is above 512";
  return ((int64_t)floats + time) * (int64_t)sizeof(float) <= device->shared_bytes
             ? NULL
             : "its vectors do not fit into a block's shared memory";
}

const char *cuda_loop_reason(const struct structure *structure, int32_t time,
                             const struct launch_device *device) {
  const struct decoder_structure *decoder = &structure->decoder;
  const struct attention_structure *attention = &structure->attention;
  if (!decoder->present)
    return "it has no decoder";
  if (decoder->count > MOST_LAYERS)
    return "its decoder has more than 4 layers";
  for (int32_t l = 0; l < decoder->count; l++)
    if (decoder->layers[l].cell.units > MOST_UNITS)
      return "S is above 128";
  if (attention->present &&
      (structure->encoder.width > MOST_ANNOTATION || attention->context_width > MOST_ANNOTATION))
    return "A is above 256";
  if (structure->output.heads[0].units > MOST_OUTPUTS)
    return "V is above 1024";
  if (scratch_width(structure) > MOST_DENSE || attention->key_width > MOST_DENSE ||
      cuda_chain_widest(&attention->energies) > MOST_DENSE)
    return "a dense layer has more than 1024 units";
  struct loop_model model = {0};
  struct maker maker = {.structure = structure, .model = &model};
  model_make(&maker);
  return time_reason(structure, model.shared_floats, time, device);
}

cuseq_status cuda_loop_check(const struct structure *structure, int32_t time,
                             const struct launch_device *device, const struct cuda_forced *forced) {
  if (forced->whole == 1)
    return error_set(
        CUSEQ_STATUS_NOT_SUPPORTED,
        "cuda plan: \"whole\" cannot run this model (found version 2, needed a model of version 1 "
        "that one block holds)");
  const char *reason = structure->decoder.present ? cuda_loop_reason(structure, time, device) : NULL;
  if (forced->decoder == CUDA_DECODER_LOOP && reason)
    return error_set(CUSEQ_STATUS_NOT_SUPPORTED, "cuda plan: \"decoder=loop\" cannot run this model (%s)",
                     reason);
  return CUSEQ_STATUS_OK;
}

bool cuda_loop_chosen(const struct cuda_session *session, int32_t time) {
  const struct cuda_steps *steps = session->steps;
  return steps->d_loop && session->forced.decoder != CUDA_DECODER_STEPS &&
         !time_reason(&steps->structure, steps->loop_floats, time, &session->device);
}

/* ---- a session's ---- */

void cuda_loop_plan(struct cuda_session *session, struct cuda_plan *plan) {
  /* a shorter call decodes in one launch where a longer one does not */
  bool some = !cuda_loop_reason(&session->model->lowered, 1, &session->device);
  cuda_plan_add(plan, &session->steps->d_loop, some ? sizeof(struct loop_model) : 0);
}

cuseq_status cuda_loop_upload(struct cuda_session *session) {
  struct cuda_steps *steps = session->steps;
  if (!steps->d_loop)
    return CUSEQ_STATUS_OK;
  struct loop_model *model = calloc(1, sizeof *model);
  if (!model)
    return error_set(CUSEQ_STATUS_OUT_OF_MEMORY, "cuseq_session_open: out of memory");
  struct maker maker = {.structure = &steps->structure, .cells = steps->cells, .model = model};
  model_make(&maker);
  steps->loop_floats = model->shared_floats;
  cudaError_t error = cudaMemcpy(steps->d_loop, model, sizeof *model, cudaMemcpyHostToDevice);
  free(model);
  return error == cudaSuccess ? CUSEQ_STATUS_OK : cuda_failure(error, "cudaMemcpy");
}

/* ---- a call ---- */

static const void *given(const struct cuda_session *session, bool is_given, enum backend_array array) {
  return is_given ? session->decoding.arrays[array] : NULL;
}

static cuseq_status loop_launch(struct cuda_session *session, const struct loop *loop) {
  CUDA_RANGE("decode loop", session->batch, session->time, session->model->config.units);
  return cuda_launched(session, launch_loop(loop, &session->launch));
}

cuseq_status cuda_loop_queue(struct cuda_session *session, const cuseq_decoding *decoding,
                             const struct cuda_stepping *stepping) {
  const struct cuda_steps *steps = session->steps;
  void *made[BACKEND_ARRAYS] = {NULL};
  for (enum backend_array array = BACKEND_INPUTS; array < BACKEND_ARRAYS; array++)
    if (call_arrays[array].structure == CALL_DECODING)
      made[array] = cuda_decoding_place(session, array, call_pointer(array, decoding));
  const struct loop loop = {.d_model = steps->d_loop,
                            .shared_floats = steps->loop_floats,
                            .batch = stepping->rows,
                            .time = session->time,
                            .steps = stepping->steps,
                            .encoded = session->batch,
                            .d_lengths = session->d_encoded_lengths,
                            .d_rows = stepping->d_rows,
                            .d_keys = steps->d_keys ? steps->d_keys : session->d_encoded,
                            .d_values = steps->d_values ? steps->d_values : session->d_encoded,
                            .d_final_h = session->d_final_h,
                            .d_final_c = session->d_final_c,
                            .d_given_h = given(session, stepping->given_h, BACKEND_STATE_H),
                            .d_given_c = given(session, stepping->given_c, BACKEND_STATE_C),
                            .d_given_fed = given(session, stepping->given_fed, BACKEND_FED),
                            .d_previous = given(session, stepping->given_tokens, BACKEND_PREVIOUS),
                            .d_targets = given(session, stepping->given_targets, BACKEND_TARGETS),
                            .d_target_lengths =
                                given(session, stepping->given_lengths, BACKEND_TARGET_LENGTHS),
                            .d_contexts = made[BACKEND_CONTEXTS],
                            .d_alphas = made[BACKEND_ALPHAS],
                            .d_states = made[BACKEND_STATES],
                            .d_outputs = made[BACKEND_OUTPUTS],
                            .d_log_probabilities = made[BACKEND_LOG_PROBABILITIES],
                            .d_tokens = made[BACKEND_TOKENS],
                            .d_output_lengths = made[BACKEND_OUTPUT_LENGTHS],
                            .d_end_h = made[BACKEND_DECODER_FINAL_H],
                            .d_end_c = made[BACKEND_DECODER_FINAL_C],
                            .d_end_fed = made[BACKEND_FINAL_FED],
                            .check = cuda_check_results(session, 0)};
  TRY(loop_launch(session, &loop));
  return cuda_decoding_fetch(session, decoding, stepping->rows, made);
}
