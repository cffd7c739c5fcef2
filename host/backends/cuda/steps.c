#include "backends/cuda/steps.h"

#include "backends/cuda/loop.h"
#include "backends/cuda/whole_any.h"
#include "error.h"

#include <stdlib.h>

/* ---- weights ---- */

static cuseq_status dense_list(struct cuda_upload *upload, struct dense *dense) {
  const float *kernel = dense->kernel, *bias = dense->bias;
  struct dense_norm *norm = &dense->norm;
  const float *scale = norm->scale, *offset = norm->offset;
  TRY(cuda_upload_add(upload, kernel, (size_t)dense->inputs * (size_t)dense->units, &dense->kernel));
  TRY(cuda_upload_add(upload, scale, (size_t)norm->units, &norm->scale));
  TRY(cuda_upload_add(upload, offset, (size_t)norm->units, &norm->offset));
  return cuda_upload_add(upload, bias, (size_t)dense->units, &dense->bias);
}

static cuseq_status chain_list(struct cuda_upload *upload, struct dense_chain *chain) {
  for (int32_t l = 0; l < chain->count; l++)
    TRY(dense_list(upload, &chain->layers[l]));
  return CUSEQ_STATUS_OK;
}

static cuseq_status attention_list(struct cuda_upload *upload, struct attention_structure *attention) {
  if (!attention->present)
    return CUSEQ_STATUS_OK;
  TRY(chain_list(upload, &attention->keys));
  TRY(chain_list(upload, &attention->values));
  TRY(chain_list(upload, &attention->query));
  TRY(chain_list(upload, &attention->energies));
  const float *bias = attention->position_bias;
  return cuda_upload_add(upload, bias, (size_t)attention->positions, &attention->position_bias);
}

/* Everything but the cells, which are packed. */
static cuseq_status weights_list(struct cuda_upload *upload, struct structure *structure) {
  struct decoder_structure *decoder = &structure->decoder;
  TRY(attention_list(upload, &structure->attention));
  for (int32_t l = 0; l < structure->encoder.count; l++)
    TRY(dense_list(upload, &structure->encoder.layers[l].weighting));
  for (int32_t i = 0; i < structure->encoder.self_attention_count; i++)
    TRY(attention_list(upload, &structure->encoder.self_attentions[i]));
  if (structure->asking.present)
    TRY(dense_list(upload, &structure->asking.initial.dense));
  for (int32_t l = 0; decoder->present && l < decoder->count; l++) {
    TRY(dense_list(upload, &decoder->layers[l].initial_h.dense));
    TRY(dense_list(upload, &decoder->layers[l].initial_c.dense));
  }
  if (decoder->present && decoder->attentional.present)
    TRY(dense_list(upload, &decoder->attentional.dense));
  const float *embedding = decoder->present ? decoder->embedding : NULL;
  TRY(cuda_upload_add(upload, embedding, (size_t)decoder->tokens * (size_t)decoder->embedding_units,
                      &decoder->embedding));
  for (int32_t i = 0; i < structure->output.count; i++)
    TRY(chain_list(upload, &structure->output.heads[i].layers));
  return CUSEQ_STATUS_OK;
}

cuseq_status cuda_steps_open(struct cuda_session *session) {
  struct cuda_steps *steps = session->steps = calloc(1, sizeof *steps);
  if (!steps)
    return error_set(CUSEQ_STATUS_OUT_OF_MEMORY, "cuseq_session_open: out of memory");
  steps->structure = session->model->lowered;
  const struct decoder_structure *decoder = &steps->structure.decoder;
  for (int32_t l = 0, offset = 0; decoder->present && l < decoder->count; l++) {
    steps->offsets[l] = offset;
    offset += decoder->layers[l].cell.units;
    steps->cells[l].form = cuda_cell_form(&decoder->layers[l].cell);
  }
  return weights_list(&steps->upload, &steps->structure);
}

void cuda_steps_close(struct cuda_session *session) {
  if (!session->steps)
    return;
  cuda_upload_free(&session->steps->upload);
  free(session->steps);
  session->steps = NULL;
}

static void cell_plan(struct cuda_cell *packed, const struct cell *cell, struct cuda_plan *plan) {
  size_t S = (size_t)cell->units * sizeof(float), inputs = (size_t)cell->inputs;
  bool has_candidate = packed->form == CELL_FORM_GRU_RESET_BEFORE;
  cuda_plan_add(plan, &packed->d_kernel, inputs * 4 * S);
  cuda_plan_add(plan, &packed->d_recurrent, (size_t)cell->units * 4 * S);
  cuda_plan_add(plan, &packed->d_candidate, has_candidate ? (size_t)cell->units * S : 0);
  cuda_plan_add(plan, &packed->d_bias, 4 * S);
}

static cuseq_status copy(float *device, const float *host, size_t count) {
  CUDA_TRY(cudaMemcpy(device, host, count * sizeof(float), cudaMemcpyHostToDevice));
  return CUSEQ_STATUS_OK;
}

static cuseq_status cell_upload(const struct cuda_cell *packed, const struct cell *cell, float *room) {
  size_t S = (size_t)cell->units, inputs = (size_t)cell->inputs;
  cell_pack_kernel(packed->form, cell->kernel, cell->inputs, cell->units, 1, 0, room);
  TRY(copy(packed->d_kernel, room, inputs * 4 * S));
  cell_pack_recurrent(packed->form, cell->recurrent_kernel, cell->units, 0, room);
  TRY(copy(packed->d_recurrent, room, 4 * S * S));
  cell_pack_bias(packed->form, cell->bias, cell->candidate_bias, cell->units, 0, room);
  TRY(copy(packed->d_bias, room, 4 * S));
  if (!packed->d_candidate)
    return CUSEQ_STATUS_OK;
  cell_pack_candidate(cell->recurrent_kernel, cell->units, 0, room);
  return copy(packed->d_candidate, room, S * S);
}

static cuseq_status cells_upload(const struct cuda_session *session) {
  const struct decoder_structure *decoder = &session->model->lowered.decoder;
  size_t most = 0;
  for (int32_t l = 0; decoder->present && l < decoder->count; l++) {
    const struct cell *cell = &decoder->layers[l].cell;
    size_t rows = (size_t)(cell->inputs > cell->units ? cell->inputs : cell->units);
    most = rows * (size_t)cell->units > most ? rows * (size_t)cell->units : most;
  }
  if (most == 0)
    return CUSEQ_STATUS_OK;
  float *room = malloc(most * 4 * sizeof *room);
  if (!room)
    return error_set(CUSEQ_STATUS_OUT_OF_MEMORY, "cuseq_session_open: out of memory");
  cuseq_status status = CUSEQ_STATUS_OK;
  for (int32_t l = 0; l < decoder->count && status == CUSEQ_STATUS_OK; l++)
    status = cell_upload(&session->steps->cells[l], &decoder->layers[l].cell, room);
  free(room);
  return status;
}

cuseq_status cuda_steps_upload(struct cuda_session *session) {
  TRY(cuda_upload_copy(&session->steps->upload));
  TRY(cells_upload(session));
  TRY(cuda_loop_upload(session));
  return cuda_whole_any_upload(session);
}

/* ---- sizes ---- */

/* The widest dense layer whose sums are made for R rows. */
static int32_t widest_of_rows(const struct structure *structure) {
  const struct decoder_structure *decoder = &structure->decoder;
  int32_t widest =
      cuda_larger(cuda_chain_widest(&structure->attention.query),
                  cuda_larger(structure->attention.query_inputs, structure->attention.context_width));
  for (int32_t l = 0; decoder->present && l < decoder->count; l++)
    widest = cuda_larger(
        widest, cuda_larger(decoder->layers[l].initial_h.inputs,
                            cuda_larger(decoder->layers[l].initial_c.inputs, decoder->layers[l].cell.units)));
  if (structure->asking.present)
    widest = cuda_larger(widest, cuda_larger(structure->asking.initial.inputs, structure->asking.units));
  if (decoder->present && decoder->attentional.present)
    widest = cuda_larger(widest, decoder->attentional.dense.units);
  for (int32_t i = 0; i < structure->output.count; i++)
    widest = cuda_larger(widest, cuda_larger(structure->output.heads[i].inputs,
                                             cuda_chain_widest(&structure->output.heads[i].layers)));
  return widest;
}

/* The widest whose sums are made for every position: of keys and values, also of self-attention, and of heads
 * over every position. */
static int32_t widest_of_positions(const struct structure *structure) {
  int32_t widest = cuda_larger(cuda_chain_widest(&structure->attention.keys),
                               cuda_chain_widest(&structure->attention.values));
  for (int32_t i = 0; i < structure->encoder.self_attention_count; i++) {
    const struct attention_structure *self = &structure->encoder.self_attentions[i];
    widest = cuda_larger(cuda_larger(widest, cuda_chain_widest(&self->query)),
                         cuda_larger(cuda_chain_widest(&self->keys), cuda_chain_widest(&self->values)));
  }
  for (int32_t i = 0; i < structure->output.count; i++)
    if (structure->output.heads[i].source == HEAD_EVERY)
      widest = cuda_larger(widest, cuda_chain_widest(&structure->output.heads[i].layers));
  return widest;
}

/* The widest head's units. */
static int32_t widest_head(const struct structure *structure) {
  int32_t widest = 0;
  for (int32_t i = 0; i < structure->output.count; i++)
    widest = cuda_larger(widest, structure->output.heads[i].units);
  return widest;
}

int32_t cuda_steps_widest(const struct cuda_session *session) {
  const struct structure *structure = &session->model->lowered;
  return cuda_larger(cuda_larger(widest_of_rows(structure), widest_of_positions(structure)),
                     widest_head(structure));
}

/* Whether any call goes step by step: a search does, and a decoder that is not one launch at the limits. */
static bool steps_taken(const struct cuda_session *session) {
  const struct structure *structure = &session->model->lowered;
  if (!structure->decoder.present)
    return !session->decoder; /* heads, and what attends for them */
  return session->search || session->forced.decoder == CUDA_DECODER_STEPS ||
         cuda_loop_reason(structure, session->limits.time, &session->device);
}

static void cells_plan(struct cuda_session *session, struct cuda_plan *plan) {
  const struct decoder_structure *decoder = &session->model->lowered.decoder;
  for (int32_t l = 0; decoder->present && l < decoder->count; l++)
    cell_plan(&session->steps->cells[l], &decoder->layers[l].cell, plan);
}

/* What the steps of R rows of a decoder work in. */
static void decoder_plan(struct cuda_session *session, size_t R, struct cuda_plan *plan) {
  struct cuda_steps *steps = session->steps;
  const struct structure *structure = &session->model->lowered;
  const struct decoder_structure *decoder = &structure->decoder;
  size_t most = 0, reset = 0, above = 0;
  for (int32_t l = 0; decoder->present && l < decoder->count; l++) {
    size_t S = (size_t)decoder->layers[l].cell.units;
    most = S > most ? S : most;
    if (steps->cells[l].form == CELL_FORM_GRU_RESET_BEFORE)
      reset = S > reset ? S : reset;
    if (decoder->layers[l].residual)
      above = (size_t)decoder->state_width;
  }
  bool feeds = decoder->present && decoder_reads_tokens(decoder);
  size_t attentional =
      decoder->present && decoder->attentional.present ? (size_t)decoder->attentional.dense.units : 0;
  cuda_plan_add(plan, &steps->d_gates, R * most * 4 * sizeof(float));
  cuda_plan_add(plan, &steps->d_reset, R * reset * sizeof(float));
  cuda_plan_add(plan, &steps->d_candidate, R * reset * sizeof(float));
  cuda_plan_add(plan, &steps->d_above, R * above * sizeof(float));
  cuda_plan_add(plan, &steps->d_attentional, R * attentional * sizeof(float));
  cuda_plan_add(plan, &steps->d_attended, R * sizeof(int32_t));
  cuda_plan_add(plan, &steps->d_log_outputs, feeds ? R * (size_t)structure->output.width * sizeof(float) : 0);
}

/* Keys and values, and what makes them of every position. */
static void positions_plan(struct cuda_session *session, struct cuda_plan *plan) {
  const struct structure *structure = &session->model->lowered;
  const struct attention_structure *attention = &structure->attention;
  size_t positions = (size_t)session->limits.batch * (size_t)session->limits.time * sizeof(float);
  size_t wide = positions * (size_t)widest_of_positions(structure);
  cuda_plan_add(plan, &session->work.d_keys,
                attention->keys.count > 0 ? positions * (size_t)attention->key_width : 0);
  cuda_plan_add(plan, &session->work.d_values,
                attention->values.count > 0 ? positions * (size_t)attention->context_width : 0);
  for (int i = 0; i < 2; i++)
    cuda_plan_add(plan, &session->work.d_wide[i],
                  session->decoder ? 0 : wide); /* version 1: a single layer */
}

void cuda_steps_plan(struct cuda_session *session, struct cuda_plan *plan) {
  struct cuda_steps *steps = session->steps;
  const struct structure *structure = &session->model->lowered;
  const struct attention_structure *attention = &structure->attention;
  const struct decoder_structure *decoder = &structure->decoder;
  bool taken = steps_taken(session), feeds = decoder->present && decoder_reads_tokens(decoder);
  /* models of version 1 attend with a kernel of their own; those of version 2 here, in cuseq_attend */
  size_t R = (size_t)cuda_rows_limit(session), attending = taken || !session->decoder ? R * sizeof(float) : 0;
  size_t logits = !taken ? 0
                  : structure_is_tagger(structure)
                      ? (size_t)session->limits.batch * (size_t)session->limits.time
                      : R;
  cuda_upload_plan(&steps->upload, plan);
  cells_plan(session, plan);
  positions_plan(session, plan);
  cuda_plan_add(plan, &steps->d_workspace,
                attending > 0 && attention->present ? cuda_steps_attend_bytes(session, (int32_t)R) : 0);
  cuda_plan_add(plan, &steps->d_queries, attending * (size_t)attention->key_width);
  cuda_plan_add(plan, &steps->d_head_alphas,
                attention->heads > 1 ? attending * (size_t)attention->heads * (size_t)session->limits.time
                                     : 0);
  for (int i = 0; i < 2; i++)
    cuda_plan_add(plan, &steps->d_scratch[i], attending * (size_t)widest_of_rows(structure));
  cuda_plan_add(plan, &steps->d_fed, feeds ? attending * (size_t)decoder->embedding_units : 0);
  cuda_plan_add(plan, &steps->d_fed_ids, feeds ? attending : 0);
  cuda_plan_add(plan, &steps->d_probabilities, attending * (size_t)decoder->fed_probabilities);
  cuda_plan_add(plan, &steps->d_context, taken ? R * (size_t)attention->context_width * sizeof(float) : 0);
  cuda_plan_add(plan, &steps->d_logits, logits * (size_t)widest_head(structure) * sizeof(float));
  decoder_plan(session, taken ? R : 0, plan);
  cuda_loop_plan(session, plan);
  cuda_whole_any_plan(session, plan);
}
