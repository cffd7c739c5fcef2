/* The walk over the encoder's layers. */
#include "backends/cuda/cuda.h"

#include "backends/cuda/cell_graph.h"
#include "backends/cuda/dense.h"
#include "backends/cuda/trace.h"
#include "error.h"

/* Whether mixed batches start their longest chains first. So many rows fill the device all the same. */
static bool is_ordered(const struct cuda_session *session, const struct backend_input *input) {
  if (!input->lengths || input->batch > ROW_ORDER_MOST)
    return false;
  for (int32_t l = 0; l < session->model->lowered.encoder.count; l++)
    for (int32_t r = 0; r < session->layers[l].count; r++)
      if (session->layers[l].runs[r].encoder != CUDA_ENCODER_CELL)
        return true;
  return false;
}

static cuseq_status order_queue(struct cuda_session *session, const struct backend_input *input) {
  struct row_order order = {input->batch, session->work.d_lengths, session->work.d_order};
  return is_ordered(session, input) ? cuda_launched(session, launch_row_order(&order, &session->launch))
                                    : CUSEQ_STATUS_OK;
}

/* What layer `l` reads: rows [B,T,inputs], or ids, for which the first layer's kernels have rows. */
struct layer_input {
  const float *rows;
  const int32_t *ids;
};

/* The first layer's: ids with an embedding that is not in its kernels become rows of it. */
static cuseq_status first_input(struct cuda_session *session, const struct backend_input *input,
                                struct layer_input *first) {
  *first = (struct layer_input){.rows = session->call.d_given_x};
  if (!cuda_input_is_ids(input))
    return CUSEQ_STATUS_OK;
  if (!session->d_embedding) {
    *first = (struct layer_input){.ids = session->work.d_ids};
    return CUSEQ_STATUS_OK;
  }
  first->rows = session->work.d_embedded;
  int32_t E = session->model->lowered.input.embedding_units;
  const struct table_lookup lookup = {.rows = (int64_t)input->batch * input->time,
                                      .width = E,
                                      .positions = input->time,
                                      .d_ids = session->work.d_ids,
                                      .d_table = session->d_embedding,
                                      .row_stride = E,
                                      .column_stride = 1,
                                      .d_output = session->work.d_embedded,
                                      .output_stride = E,
                                      .d_lengths = session->encoded.d_lengths};
  CUDA_RANGE("embedding", input->batch, input->time, E);
  return cuda_launched(session, launch_table_lookup(&lookup, &session->launch));
}

/* ---- cells ---- */

/* The cells' input: ids, dense rows taken by the kernel itself, or one product over all positions ahead of
 * it. */
static cuseq_status project_queue(struct cuda_session *session, const struct cuda_run *run,
                                  const struct layer_input *below, struct sequence *sequence) {
  int32_t H = sequence->units, D = sequence->directions;
  sequence->d_kernel = run->d_kernel;
  sequence->features = run->cells.inputs;
  if (below->ids) {
    sequence->d_ids = below->ids;
  } else if (run->encoder != CUDA_ENCODER_CELL &&
             sequence_mapping_takes_x(sequence->mapping, run->cells.inputs, H)) {
    sequence->d_x = below->rows;
  } else {
    CUDA_RANGE("projection", sequence->batch, sequence->time, H);
    if (!session->blas)
      TRY(cuda_blas_open(session));
    TRY(cuda_blas_multiply(session, below->rows, run->d_kernel, session->work.d_projected,
                           sequence->batch * sequence->time, D * H * 4, run->cells.inputs));
    sequence->d_projected = session->work.d_projected;
  }
  return CUSEQ_STATUS_OK;
}

/* Where the cells write: into the annotations side by side, or apart to be merged. */
static void output_place(const struct cuda_session *session, const struct encoder_layer *layer,
                         const struct cuda_run *run, float *merged, struct sequence *sequence) {
  bool merges = layer->direction == LAYER_BIDIRECTIONAL && layer->merge != CUSEQ_MERGE_CONCAT;
  size_t apart = (size_t)sequence->batch * (size_t)sequence->time * (size_t)layer->merged_width;
  float *places[] = {merges ? session->work.d_directions : merged,
                     merges ? session->work.d_directions + apart
                            : merged + (encoder_layer_has(layer, 0) ? layer->cells[0].units : 0)};
  sequence->d_output[0] = places[run->cells.first];
  sequence->d_output[1] = places[1];
  sequence->leading = layer->merged_width;
}

/* The c of cells that have none is 0. Where all are such it has been since the session opened; otherwise a
 * call of other rows may have left states there, and in a window's place of final states initial ones. */
static cuseq_status no_c_clear(struct cuda_session *session, const struct cuda_run *run, size_t states) {
  const struct encoder_structure *encoder = &session->model->lowered.encoder;
  bool all = session->call.later == NULL;
  for (int32_t l = 0; l < encoder->count; l++)
    for (int d = 0; d < 2; d++)
      all =
          all && !(encoder_layer_has(&encoder->layers[l], d) && cell_has_c(encoder->layers[l].cells[d].kind));
  size_t count = (size_t)session->encoded.batch * (size_t)run->cells.directions * (size_t)run->cells.units;
  if (!all && run->cells.form != CELL_FORM_LSTM)
    CUDA_TRY(cudaMemsetAsync(session->work.d_final_c + states, 0, count * sizeof(float), session->stream));
  return CUSEQ_STATUS_OK;
}

static cuseq_status run_queue(struct cuda_session *session, const struct backend_input *input, int32_t l,
                              const struct cuda_run *run, const struct layer_input *below, float *merged) {
  const struct encoder_layer *layer = session->layers[l].layer;
  size_t states = cuda_states_offset(session, l, run->cells.first, input->batch);
  bool has_c = run->cells.form == CELL_FORM_LSTM;
  struct sequence sequence = {.form = run->cells.form,
                              .mapping = (enum sequence_mapping)run->encoder,
                              .batch = input->batch,
                              .time = input->time,
                              .units = run->cells.units,
                              .directions = run->cells.directions,
                              .is_backward = run->cells.directions == 1 && run->cells.first == 1,
                              .activation = run->cells.activation,
                              .recurrent_activation = run->cells.recurrent_activation,
                              .precision = session->limits.precision,
                              .d_lengths = session->encoded.d_lengths,
                              .d_order = is_ordered(session, input) ? session->work.d_order : NULL,
                              .d_recurrent = run->d_recurrent,
                              .d_bias = run->d_bias,
                              .d_initial_h = input->initial_h ? session->work.d_initial_h + states : NULL,
                              .d_initial_c =
                                  input->initial_c && has_c ? session->work.d_initial_c + states : NULL,
                              .d_final_h = session->work.d_final_h + states,
                              .d_final_c = has_c ? session->work.d_final_c + states : NULL,
                              .d_workspace = session->work.d_workspace,
                              .check = cuda_check_results(session, 0)};
  TRY(no_c_clear(session, run, states));
  TRY(project_queue(session, run, below, &sequence));
  output_place(session, layer, run, merged, &sequence);
  CUDA_RANGE("sequence", sequence.batch, sequence.time, sequence.units);
  if (run->encoder == CUDA_ENCODER_CELL)
    return cuda_cells_queue(session, run, &sequence);
  return cuda_launched(session, launch_sequence(&sequence, &session->launch));
}

/* ---- what follows the cells ---- */

static cuseq_status merge_queue(struct cuda_session *session, const struct encoder_layer *layer,
                                float *merged, bool is_last) {
  if (layer->direction != LAYER_BIDIRECTIONAL || layer->merge == CUSEQ_MERGE_CONCAT)
    return CUSEQ_STATUS_OK;
  int64_t row = (int64_t)session->encoded.time * layer->merged_width, count = session->encoded.batch * row;
  CUDA_RANGE("merge", session->encoded.batch, session->encoded.time, layer->merged_width);
  struct layer_merge merge = {.merge = layer->merge,
                              .count = count,
                              .d_forward = session->work.d_directions,
                              .d_backward = session->work.d_directions + count,
                              .d_output = merged,
                              .row = row};
  if (is_last)
    merge.check = cuda_check_results(session, 0);
  return cuda_launched(session, launch_layer_merge(&merge, &session->launch));
}

/* What the layer read is added: rows, or ids, for which 1 is added to the element of that number. */
static cuseq_status residual_queue(struct cuda_session *session, const struct encoder_layer *layer,
                                   const struct layer_input *below, float *merged, bool is_last) {
  int64_t positions = (int64_t)session->encoded.batch * session->encoded.time, width = layer->merged_width;
  const struct table_lookup ones = {.rows = positions,
                                    .width = layer->merged_width,
                                    .positions = session->encoded.time,
                                    .d_ids = below->ids,
                                    .d_output = merged,
                                    .output_stride = width,
                                    .adds = true,
                                    .d_lengths = session->encoded.d_lengths};
  struct dense_finish sum = {.rows = positions,
                             .width = layer->merged_width,
                             .positions = session->encoded.time,
                             .d_sums = merged,
                             .sums_stride = width,
                             .activation = CUSEQ_ACTIVATION_LINEAR,
                             .d_added = below->rows,
                             .added_stride = width,
                             .d_output = merged,
                             .output_stride = width,
                             .d_lengths = session->encoded.d_lengths,
                             .stage = LAUNCH_STAGE_MERGE};
  if (!layer->residual)
    return CUSEQ_STATUS_OK;
  if (is_last)
    sum.check = cuda_check_results(session, 0);
  CUDA_RANGE("residual", session->encoded.batch, session->encoded.time, layer->merged_width);
  return cuda_launched(session, below->ids ? launch_table_lookup(&ones, &session->launch)
                                           : launch_dense_finish(&sum, &session->launch));
}

/* Every position of the layer asks all of them, where the layer attends to itself. `given` becomes what is
 * behind it, one vector or two side by side; in the layer's output where no dense layer is to come. */
static cuseq_status self_queue(struct cuda_session *session, const struct encoder_layer *layer,
                               const float *merged, float *output, struct cuda_parts *given) {
  const struct attention_structure *self = encoder_self_attention(&session->model->lowered.encoder, layer);
  const int64_t positions = (int64_t)session->encoded.batch * session->encoded.time;
  const bool has_dense = layer->dense.kernel != NULL;
  const int32_t x = layer->merged_width, C = self ? self->context_width : 0;
  const struct cuda_parts vectors = cuda_parts_one(merged, x, x);
  float *contexts = has_dense ? session->work.self.d_contexts : output;
  *given = vectors;
  if (!self)
    return CUSEQ_STATUS_OK;
  TRY(cuda_self_attention_queue(session, layer, merged, contexts, has_dense ? C : layer->joined_width));
  *given = cuda_parts_one(contexts, C, C);
  if (layer->beside && has_dense)
    given->list[given->count++] = vectors.list[0];
  return layer->beside && !has_dense
             ? cuda_parts_copy(session, &vectors, positions, output + C, layer->joined_width)
             : CUSEQ_STATUS_OK;
}

static cuseq_status dense_queue(struct cuda_session *session, const struct dense *dense,
                                const struct cuda_parts *below, float *output) {
  if (!dense->kernel)
    return CUSEQ_STATUS_OK;
  int64_t positions = (int64_t)session->encoded.batch * session->encoded.time;
  const struct cuda_kept kept = {.positions = session->encoded.time,
                                 .d_lengths = session->encoded.d_lengths,
                                 .check = cuda_check_results(session, 0),
                                 .stage = LAUNCH_STAGE_MERGE};
  CUDA_RANGE("dense", session->encoded.batch, session->encoded.time, dense->units);
  TRY(cuda_dense_sums(session, dense, below, positions, output));
  return cuda_dense_finish(session, dense, output, positions, &kept, output, dense->units);
}

/* One layer. What it gives is checked, by the launch that makes it, and contexts: what is between may leave
 * float32's range and come back. */
static cuseq_status layer_queue(struct cuda_session *session, const struct backend_input *input, int32_t l,
                                const struct layer_input *below) {
  const struct cuda_layer *layer = &session->layers[l];
  CUDA_RANGE_NUMBERED("layer", l, input->batch, input->time, layer->runs[0].cells.units);
  bool has_dense = layer->layer->dense.kernel != NULL, attends = layer->layer->self_attention > 0;
  float *output = session->work.d_annotations[l % 2];
  float *merged = has_dense || attends ? session->work.d_merged : output;
  const bool weights = layer->layer->weighting.kernel != NULL;
  float *made = weights ? session->work.d_unweighted : merged;
  struct cuda_parts given;
  for (int32_t r = 0; r < layer->count; r++)
    TRY(run_queue(session, input, l, &layer->runs[r], below, made));
  /* 1 that is added takes nothing out of the range */
  bool adds = layer->layer->residual && below->rows;
  bool is_given = !has_dense && !weights && (!attends || layer->layer->beside);
  TRY(merge_queue(session, layer->layer, made, !adds && is_given));
  TRY(residual_queue(session, layer->layer, below, made, is_given));
  if (weights)
    TRY(cuda_weighting_queue(session, l, merged));
  TRY(self_queue(session, layer->layer, merged, output, &given));
  TRY(dense_queue(session, &layer->dense, &given, output));
  session->encoded.d_annotations = output;
  return CUSEQ_STATUS_OK;
}

cuseq_status cuda_encode_queue(struct cuda_session *session, const struct backend_input *input) {
  struct layer_input below;
  TRY(cuda_input_queue(session, input));
  TRY(order_queue(session, input));
  TRY(first_input(session, input, &below));
  for (int32_t l = 0; l < session->model->lowered.encoder.count; l++) {
    TRY(layer_queue(session, input, l, &below));
    below = (struct layer_input){.rows = session->encoded.d_annotations};
  }
  return CUSEQ_STATUS_OK;
}

/* ---- results ---- */

/* The final states of the last layer's direction, where it has it. */
static cuseq_status state_fetch(struct cuda_session *session, int direction, enum backend_array name_h,
                                float *h, enum backend_array name_c, float *c) {
  int32_t last = session->model->lowered.encoder.count - 1;
  const struct encoder_layer *layer = session->layers[last].layer;
  if (!encoder_layer_has(layer, direction))
    return CUSEQ_STATUS_OK;
  size_t offset = cuda_states_offset(session, last, direction, session->encoded.batch);
  size_t bytes = (size_t)session->encoded.batch * (size_t)layer->cells[direction].units * sizeof(float);
  TRY(cuda_copy_out(session, name_h, h, session->work.d_final_h + offset, bytes));
  return cuda_copy_out(session, name_c, c, session->work.d_final_c + offset, bytes);
}

cuseq_status cuda_encode_fetch(struct cuda_session *session, const cuseq_encoding *encoding) {
  const cuseq_config *config = &session->model->config;
  CUDA_RANGE("copy out", session->encoded.batch, session->encoded.time, config->units);
  size_t B = (size_t)session->encoded.batch, all = B * (size_t)config->encoder_state_width * sizeof(float);
  size_t annotations = B * (size_t)session->encoded.time * (size_t)config->annotation_width * sizeof(float);
  TRY(cuda_copy_out(session, BACKEND_ANNOTATIONS, encoding->annotations, session->encoded.d_annotations,
                    annotations));
  TRY(state_fetch(session, 0, BACKEND_H_FW, encoding->h_fw, BACKEND_C_FW, encoding->c_fw));
  TRY(state_fetch(session, 1, BACKEND_H_BW, encoding->h_bw, BACKEND_C_BW, encoding->c_bw));
  TRY(cuda_copy_out(session, BACKEND_FINAL_H, encoding->final_h, session->work.d_final_h, all));
  return cuda_copy_out(session, BACKEND_FINAL_C, encoding->final_c, session->work.d_final_c, all);
}
