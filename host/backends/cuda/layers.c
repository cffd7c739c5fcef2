/* The encoder's layers on the device: what runs together and how, arrays, weights. */
#include "backends/cuda/cuda.h"

#include "error.h"

#include <stdlib.h>

static bool is_merged(const struct encoder_layer *layer) {
  return layer->direction == LAYER_BIDIRECTIONAL && layer->merge != CUSEQ_MERGE_CONCAT;
}

/* With cells the mapping is not looked at, but that it takes no x. */
static enum sequence_mapping mapping_of(const struct cuda_run *run) {
  return run->encoder == CUDA_ENCODER_CELL ? SEQUENCE_MAPPING_GRID : (enum sequence_mapping)run->encoder;
}

static bool takes_x(const struct cuda_run *run) {
  return sequence_mapping_takes_x(mapping_of(run), run->cells.inputs, run->cells.units);
}

/* Whether ids pick rows of the first layer's kernels: there is no embedding, or it is folded into them. */
static bool gathers_ids(const struct cuda_session *session) {
  const struct input_structure *in = &session->model->lowered.input;
  return in->embedding_units == 0 || in->embedding_folded;
}

/* ---- the walk ---- */

/* Chooses for every layer what runs together, and how. */
static void layers_choose(struct cuda_session *session) {
  const struct encoder_structure *encoder = &session->model->lowered.encoder;
  for (int32_t l = 0; l < encoder->count; l++) {
    struct cuda_layer *layer = &session->layers[l];
    struct cuda_cells cells[2];
    layer->layer = &encoder->layers[l];
    layer->count = cuda_cells_of(layer->layer, cells);
    for (int32_t r = 0; r < layer->count; r++) {
      cells[r].precision = session->limits.precision;
      layer->runs[r].cells = cells[r];
      layer->runs[r].encoder = cuda_encoder_choose(&cells[r], &session->device, &session->forced, NULL);
    }
  }
}

bool cuda_layers_need_graphs(const struct cuda_session *session) {
  for (int32_t l = 0; l < session->model->lowered.encoder.count; l++)
    for (int32_t r = 0; r < session->layers[l].count; r++)
      if (session->layers[l].runs[r].encoder == CUDA_ENCODER_CELL)
        return true;
  return false;
}

bool cuda_layers_need_blas(const struct cuda_session *session, bool dense) {
  bool steps = cuda_products_need_blas(session);
  for (int32_t l = 0; l < session->model->lowered.encoder.count; l++) {
    const struct cuda_layer *layer = &session->layers[l];
    if ((layer->layer->dense.kernel || !cuda_self_attention_is_narrow(session, layer->layer)) && steps)
      return true;
    for (int32_t r = 0; r < layer->count; r++)
      if ((layer->runs[r].encoder == CUDA_ENCODER_CELL && steps) ||
          ((l > 0 || dense || !gathers_ids(session)) && !takes_x(&layer->runs[r])))
        return true;
  }
  return false;
}

bool cuda_layers_take_rows(const struct cuda_session *session, const struct backend_input *input) {
  for (int32_t l = 0; l < session->model->lowered.encoder.count; l++) {
    const struct cuda_layer *layer = &session->layers[l];
    bool gathers = l == 0 && input->ids && gathers_ids(session);
    if (layer->layer->dense.kernel || !cuda_self_attention_is_narrow(session, layer->layer))
      return false;
    for (int32_t r = 0; r < layer->count; r++)
      if (layer->runs[r].encoder >= CUDA_ENCODER_GRID || !(gathers || takes_x(&layer->runs[r])))
        return false;
  }
  return true;
}

size_t cuda_states_offset(const struct cuda_session *session, int32_t layer, int direction, int32_t batch) {
  return (size_t)structure_final_offset(&session->model->lowered.encoder, layer, direction) * (size_t)batch;
}

/* ---- memory ---- */

/* The largest that layers need of the arrays that they share, in floats for a position or a row. */
struct widest {
  size_t projected, annotations[2], directions, merged, unweighted; /* of a position */
  size_t products, reset;                                           /* of a row */
  size_t workspace;                                                 /* bytes */
};

static void most(size_t *widest, size_t width) {
  *widest = width > *widest ? width : *widest;
}

static void run_measure(const struct cuda_session *session, const struct cuda_run *run,
                        struct widest *widest) {
  size_t states = (size_t)run->cells.directions * (size_t)run->cells.units;
  most(&widest->projected, 4 * states);
  if (run->encoder != CUDA_ENCODER_CELL) {
    most(&widest->workspace,
         sequence_workspace_bytes(mapping_of(run), session->limits.batch, run->cells.units,
                                  run->cells.directions, &session->device));
    return;
  }
  most(&widest->products, 4 * states);
  if (run->cells.form == CELL_FORM_GRU_RESET_BEFORE)
    most(&widest->reset, states);
}

static struct widest layers_measure(const struct cuda_session *session) {
  struct widest widest = {0};
  for (int32_t l = 0; l < session->model->lowered.encoder.count; l++) {
    const struct cuda_layer *layer = &session->layers[l];
    for (int32_t r = 0; r < layer->count; r++)
      run_measure(session, &layer->runs[r], &widest);
    most(&widest.annotations[l % 2], (size_t)layer->layer->width);
    if (is_merged(layer->layer))
      most(&widest.directions, 2 * (size_t)layer->layer->merged_width);
    if (layer->layer->dense.kernel || layer->layer->self_attention > 0)
      most(&widest.merged, (size_t)layer->layer->merged_width);
    if (layer->layer->weighting.kernel)
      most(&widest.unweighted, (size_t)layer->layer->merged_width);
  }
  return widest;
}

static void weights_plan(struct cuda_session *session, struct cuda_plan *plan) {
  const struct input_structure *in = &session->model->lowered.input;
  for (int32_t l = 0; l < session->model->lowered.encoder.count; l++) {
    struct cuda_layer *layer = &session->layers[l];
    const struct dense *dense = &layer->layer->dense;
    size_t units = dense->kernel ? (size_t)dense->units : 0;
    for (int32_t r = 0; r < layer->count; r++) {
      struct cuda_run *run = &layer->runs[r];
      size_t D = (size_t)run->cells.directions, H = (size_t)run->cells.units;
      bool before = run->cells.form == CELL_FORM_GRU_RESET_BEFORE;
      cuda_plan_add(plan, &run->d_kernel, (size_t)run->cells.inputs * D * H * 4 * sizeof(float));
      cuda_plan_add(plan, &run->d_recurrent, D * H * H * 4 * sizeof(float));
      cuda_plan_add(plan, &run->d_bias, D * H * 4 * sizeof(float));
      cuda_plan_add(plan, &run->d_candidate, before ? D * H * H * sizeof(float) : 0);
    }
    layer->dense = *dense;
    cuda_plan_add(plan, &layer->dense.kernel, (size_t)dense->inputs * units * sizeof(float));
    cuda_plan_add(plan, &layer->dense.bias, dense->bias ? units * sizeof(float) : 0);
    cuda_plan_add(plan, &layer->dense.norm.scale, (size_t)dense->norm.units * sizeof(float));
    cuda_plan_add(plan, &layer->dense.norm.offset, (size_t)dense->norm.units * sizeof(float));
  }
  size_t embedding = gathers_ids(session) ? 0 : (size_t)in->features * (size_t)in->embedding_units;
  cuda_plan_add(plan, &session->d_embedding, embedding * sizeof(float));
}

void cuda_layers_plan(struct cuda_session *session, struct cuda_plan *plan) {
  const cuseq_config *config = &session->model->config;
  const struct input_structure *in = &session->model->lowered.input;
  size_t B = (size_t)session->limits.batch, row = B * sizeof(float),
         position = row * (size_t)session->limits.time;
  size_t states = row * (size_t)config->encoder_state_width;
  layers_choose(session);
  struct widest widest = layers_measure(session);
  weights_plan(session, plan);
  cuda_plan_add(plan, &session->checks.d_record, sizeof *session->checks.d_record);
  cuda_plan_add(plan, &session->work.d_x, position * (config->ids_only ? 1 : (size_t)in->features));
  cuda_plan_add(plan, &session->work.d_ids, position);
  cuda_plan_add(plan, &session->work.d_embedded,
                gathers_ids(session) ? 0 : position * (size_t)in->embedding_units);
  cuda_plan_add(plan, &session->work.d_lengths, row);
  cuda_plan_add(plan, &session->work.d_order, row);
  cuda_plan_add(plan, &session->work.d_initial_h, states);
  cuda_plan_add(plan, &session->work.d_initial_c, states);
  cuda_plan_add(plan, &session->work.d_projected, position * widest.projected);
  cuda_plan_add(plan, &session->work.d_annotations[0], position * widest.annotations[0]);
  cuda_plan_add(plan, &session->work.d_annotations[1], position * widest.annotations[1]);
  cuda_plan_add(plan, &session->work.d_directions, position * widest.directions);
  cuda_plan_add(plan, &session->work.d_merged, position * widest.merged);
  cuda_plan_add(plan, &session->work.d_unweighted, position * widest.unweighted);
  cuda_self_attention_plan(session, plan);
  cuda_plan_add(plan, &session->work.d_final_h, states);
  cuda_plan_add(plan, &session->work.d_final_c, states);
  cuda_plan_add(plan, &session->work.d_products, row * widest.products);
  cuda_plan_add(plan, &session->work.d_reset, row * widest.reset);
  cuda_plan_add(plan, &session->work.d_candidate, row * widest.reset);
  cuda_plan_add(plan, &session->work.d_workspace, widest.workspace);
}

/* ---- weights ---- */

static size_t larger(size_t a, size_t b) {
  return a > b ? a : b;
}

/* Floats that the largest packed array has. */
static size_t largest_packed(const struct cuda_session *session) {
  size_t largest = 1;
  for (int32_t l = 0; l < session->model->lowered.encoder.count; l++) {
    const struct cuda_layer *layer = &session->layers[l];
    for (int32_t r = 0; r < layer->count; r++) {
      const struct cuda_cells *cells = &layer->runs[r].cells;
      size_t rows = larger((size_t)cells->inputs, (size_t)cells->units);
      largest = larger(largest, rows * (size_t)cells->directions * (size_t)cells->units * 4);
    }
  }
  return largest;
}

static cuseq_status copy_up(const float *device, const float *host, size_t count) {
  CUDA_TRY(cudaMemcpy((void *)device, host, count * sizeof(float), cudaMemcpyHostToDevice));
  return CUSEQ_STATUS_OK;
}

/* The weights of cells that run together, packed on the host and copied; synchronous, since the packed copy
 * goes at the end. */
static cuseq_status run_upload(const struct encoder_layer *layer, const struct cuda_run *run, float *packed) {
  const struct cell *cells = &layer->cells[run->cells.first];
  enum cell_form form = run->cells.form;
  int32_t D = run->cells.directions, H = run->cells.units;
  size_t gates = (size_t)D * (size_t)H * 4;
  for (int32_t d = 0; d < D; d++)
    cell_pack_kernel(form, cells[d].kernel, run->cells.inputs, H, D, d, packed);
  TRY(copy_up(run->d_kernel, packed, (size_t)run->cells.inputs * gates));
  for (int32_t d = 0; d < D; d++)
    cell_pack_recurrent(form, cells[d].recurrent_kernel, H, d, packed);
  TRY(copy_up(run->d_recurrent, packed, (size_t)H * gates));
  for (int32_t d = 0; d < D; d++)
    cell_pack_bias(form, cells[d].bias, cells[d].candidate_bias, H, d, packed);
  TRY(copy_up(run->d_bias, packed, gates));
  if (!run->d_candidate)
    return CUSEQ_STATUS_OK;
  for (int32_t d = 0; d < D; d++)
    cell_pack_candidate(cells[d].recurrent_kernel, H, d, packed);
  return copy_up(run->d_candidate, packed, (size_t)D * (size_t)H * (size_t)H);
}

static cuseq_status dense_upload(const struct cuda_layer *layer) {
  const struct dense *dense = &layer->layer->dense;
  if (dense->kernel)
    TRY(copy_up(layer->dense.kernel, dense->kernel, (size_t)dense->inputs * (size_t)dense->units));
  if (dense->norm.units > 0) {
    TRY(copy_up(layer->dense.norm.scale, dense->norm.scale, (size_t)dense->norm.units));
    TRY(copy_up(layer->dense.norm.offset, dense->norm.offset, (size_t)dense->norm.units));
  }
  return dense->bias ? copy_up(layer->dense.bias, dense->bias, (size_t)dense->units) : CUSEQ_STATUS_OK;
}

cuseq_status cuda_layers_upload(struct cuda_session *session) {
  const struct input_structure *in = &session->model->lowered.input;
  if (session->d_embedding)
    TRY(copy_up(session->d_embedding, in->embedding, (size_t)in->features * (size_t)in->embedding_units));
  float *packed = malloc(largest_packed(session) * sizeof *packed);
  if (!packed)
    return error_set(CUSEQ_STATUS_OUT_OF_MEMORY, "cuseq_session_open: out of memory");
  cuseq_status status = CUSEQ_STATUS_OK;
  for (int32_t l = 0; l < session->model->lowered.encoder.count; l++) {
    const struct cuda_layer *layer = &session->layers[l];
    for (int32_t r = 0; r < layer->count && status == CUSEQ_STATUS_OK; r++)
      status = run_upload(layer->layer, &layer->runs[r], packed);
    if (status == CUSEQ_STATUS_OK)
      status = dense_upload(layer);
  }
  free(packed);
  return status;
}
