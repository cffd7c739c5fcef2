/* All steps of a decoder, whatever its structure: for every step attention, products over all rows, cells,
 * dense layers and the output, a kernel or a product each; a graph, so that the loop is one launch whatever Y
 * is. */
#include "backends/cuda/steps.h"

#include "backends/cuda/graphs.h"
#include "backends/cuda/trace.h"
#include "error.h"

#include <string.h>

/* A step under way. */
struct step {
  struct cuda_session *session;
  const struct cuda_stepping *stepping;
  int32_t number;
  struct decode_rows rows;
};

struct cuda_part cuda_steps_token(const struct cuda_session *session) {
  const struct cuda_steps *steps = session->steps;
  const struct decoder_structure *decoder = &steps->structure.decoder;
  int32_t E = decoder->embedding_units;
  int32_t V = decoder->fed_probabilities;
  if (V > 0)
    return (struct cuda_part){.d_rows = steps->d_probabilities, .stride = V, .width = V};
  if (E > 0)
    return (struct cuda_part){.d_rows = steps->d_fed, .stride = E, .width = E};
  return (struct cuda_part){.width = decoder->tokens, .d_ids = steps->d_fed_ids};
}

/* What layer `l` gives to what is above it: its hidden state, or where it is residual that and what it
 * read. */
static struct cuda_part given_by(const struct cuda_session *session, int32_t l) {
  const struct cuda_steps *steps = session->steps;
  const struct decoder_structure *decoder = &steps->structure.decoder;
  const float *h =
      decoder->layers[l].residual ? steps->d_above : cuda_decoding_floats(session, BACKEND_DECODER_FINAL_H);
  return (struct cuda_part){.d_rows = h + steps->offsets[l],
                            .stride = decoder->state_width,
                            .width = decoder->layers[l].cell.units};
}

static struct cuda_part part_of(const struct cuda_session *session, enum part part) {
  const struct cuda_steps *steps = session->steps;
  const struct structure *structure = &steps->structure;
  int32_t C = structure->attention.context_width, X = structure->decoder.attentional.dense.units;
  switch (part) {
  case PART_TOKEN:
    return cuda_steps_token(session);
  case PART_CONTEXT:
    return (struct cuda_part){.d_rows = steps->d_context, .stride = C, .width = C};
  case PART_ATTENTIONAL:
    return (struct cuda_part){.d_rows = steps->d_attentional, .stride = X, .width = X};
  case PART_GIVEN: /* parts_of knows the step */
  case PART_STATE:
    break;
  }
  return given_by(session, structure->decoder.count - 1);
}

/* What the caller gives of the step. */
static struct cuda_part given_of(const struct step *step) {
  int32_t G = step->session->steps->structure.decoder.given_width;
  return (struct cuda_part){.d_rows = cuda_decoding_floats(step->session, BACKEND_GIVEN) +
                                      (size_t)step->number * (size_t)G,
                            .stride = (int64_t)step->stepping->steps * G,
                            .width = G};
}

static struct cuda_parts parts_of(const struct step *step, const struct parts *parts) {
  struct cuda_parts list = {.count = parts->count};
  for (int32_t i = 0; i < parts->count; i++)
    list.list[i] = parts->list[i] == PART_GIVEN ? given_of(step) : part_of(step->session, parts->list[i]);
  return list;
}

/* Rows that run at this step; results of a stage are checked. */
static struct cuda_kept running(const struct step *step, enum launch_stage stage) {
  return (struct cuda_kept){.d_running = step->rows.d_output_lengths,
                            .step = step->number,
                            .check = cuda_check_results(step->session, step->number + 1),
                            .stage = stage};
}

/* ---- attention ---- */

static cuseq_status attend(const struct step *step, struct cuda_part query) {
  struct cuda_session *session = step->session;
  const struct cuda_asking asking = {.query = {.count = 1, .list = {query}},
                                     .rows = step->stepping->rows,
                                     .d_rows = step->stepping->d_rows,
                                     .d_lengths = session->steps->d_attended,
                                     .d_alphas = cuda_decoding_floats(session, BACKEND_ALPHAS) +
                                                 (size_t)step->number * (size_t)session->encoded.time,
                                     .alphas_stride = (int64_t)step->stepping->steps * session->encoded.time,
                                     .d_context = session->steps->d_context,
                                     .check = cuda_check_results(session, step->number + 1)};
  return cuda_steps_attend(session, &asking);
}

/* Attention before the cells. */
static cuseq_status attend_before(const struct step *step) {
  struct cuda_session *session = step->session;
  const struct cuda_steps *steps = session->steps;
  const struct decoder_structure *decoder = &steps->structure.decoder;
  const struct attention_structure *attention = &steps->structure.attention;
  if (!attention->present || attention->asks == ASKS_CURRENT)
    return CUSEQ_STATUS_OK;
  if (attention->asks == ASKS_TOKEN)
    return attend(step, cuda_steps_token(session));
  int32_t l = attention->asked_layer;
  return attend(step, (struct cuda_part){.d_rows = cuda_decoding_floats(session, BACKEND_DECODER_FINAL_H) +
                                                   steps->offsets[l],
                                         .stride = decoder->state_width,
                                         .width = decoder->layers[l].cell.units});
}

/* ---- cells ---- */

/* gates = h recurrent + the parts times the kernel. A one-hot token is left to the cell, which takes its
 * row. */
static cuseq_status gates_queue(const struct step *step, int32_t l, const struct cuda_parts *parts,
                                struct cell_step *cell) {
  struct cuda_session *session = step->session;
  const struct cuda_steps *steps = session->steps;
  const struct cuda_cell *packed = &steps->cells[l];
  int32_t S = cell->units;
  const struct cuda_parts h = cuda_parts_one(cell->d_h, cell->state_leading, S);
  const float *kernel = packed->d_kernel;
  TRY(cuda_parts_multiply(session, &h, cell->batch, packed->d_recurrent, 4 * S, steps->d_gates, false));
  for (int32_t i = 0; i < parts->count; i++) {
    const struct cuda_parts one = {.count = 1, .list = {parts->list[i]}};
    if (one.list[0].d_ids) {
      cell->d_row_ids = one.list[0].d_ids;
      cell->d_kernel = kernel;
    } else {
      TRY(cuda_parts_multiply(session, &one, cell->batch, kernel, 4 * S, steps->d_gates, true));
    }
    kernel += (size_t)parts->list[i].width * 4 * (size_t)S;
  }
  return CUSEQ_STATUS_OK;
}

/* A GRU that resets before its product multiplies r h once r is there. */
static cuseq_status reset_queue(const struct step *step, int32_t l, struct cell_step *cell) {
  struct cuda_session *session = step->session;
  const struct cuda_steps *steps = session->steps;
  int32_t S = cell->units;
  if (steps->cells[l].form != CELL_FORM_GRU_RESET_BEFORE)
    return CUSEQ_STATUS_OK;
  cell->d_reset = steps->d_reset;
  TRY(cuda_launched(session, launch_cell_step(cell, &session->launch)));
  const struct cuda_parts reset = cuda_parts_one(steps->d_reset, S, S);
  TRY(cuda_parts_multiply(session, &reset, cell->batch, steps->cells[l].d_candidate, S, steps->d_candidate,
                          false));
  cell->d_reset = NULL;
  cell->d_candidate = steps->d_candidate;
  return CUSEQ_STATUS_OK;
}

/* What a residual layer gives: its hidden state, and what it read of the layer below. */
static cuseq_status residual_queue(const struct step *step, int32_t l, const struct cuda_parts *below) {
  struct cuda_session *session = step->session;
  const struct cuda_steps *steps = session->steps;
  const struct decoder_structure *decoder = &steps->structure.decoder;
  if (!decoder->layers[l].residual)
    return CUSEQ_STATUS_OK;
  int64_t S = decoder->state_width;
  const struct cuda_kept kept = running(step, LAUNCH_STAGE_DECODER);
  const float *h = cuda_decoding_floats(session, BACKEND_DECODER_FINAL_H) + steps->offsets[l];
  float *above = steps->d_above + steps->offsets[l];
  TRY(cuda_parts_copy(session, below, step->stepping->rows, above, S));
  const struct dense_finish added = {.rows = step->stepping->rows,
                                     .width = decoder->layers[l].cell.units,
                                     .positions = 1,
                                     .activation = CUSEQ_ACTIVATION_LINEAR,
                                     .d_sums = h,
                                     .sums_stride = S,
                                     .d_added = above,
                                     .added_stride = S,
                                     .d_output = above,
                                     .output_stride = S,
                                     .d_running = kept.d_running,
                                     .step = kept.step,
                                     .check = kept.check,
                                     .stage = kept.stage};
  return cuda_launched(session, launch_dense_finish(&added, &session->launch));
}

/* Layer `l` over what the layers below give. */
static cuseq_status layer_queue(const struct step *step, int32_t l, const struct cuda_parts *below) {
  struct cuda_session *session = step->session;
  const struct cuda_steps *steps = session->steps;
  const struct decoder_layer *layer = &steps->structure.decoder.layers[l];
  float *h = cuda_decoding_floats(session, BACKEND_DECODER_FINAL_H) + steps->offsets[l];
  float *c = cuda_decoding_floats(session, BACKEND_DECODER_FINAL_C) + steps->offsets[l];
  struct cell_step cell = {.form = steps->cells[l].form,
                           .batch = step->stepping->rows,
                           .time = step->stepping->steps,
                           .units = layer->cell.units,
                           .directions = 1,
                           .step = step->number,
                           .activation = layer->cell.activation,
                           .recurrent_activation = layer->cell.recurrent_activation,
                           .d_lengths = step->rows.d_output_lengths,
                           .d_products = steps->d_gates,
                           .d_bias = steps->cells[l].d_bias,
                           .d_previous_h = h,
                           .d_previous_c = c,
                           .d_h = h,
                           .d_c = c,
                           .state_leading = steps->structure.decoder.state_width,
                           .check = cuda_check_results(session, step->number + 1)};
  struct cuda_parts parts = *below;
  if (layer->reads_context)
    parts.list[parts.count++] = part_of(session, PART_CONTEXT);
  TRY(gates_queue(step, l, &parts, &cell));
  TRY(reset_queue(step, l, &cell));
  TRY(cuda_launched(session, launch_cell_step(&cell, &session->launch)));
  return residual_queue(step, l, below);
}

static cuseq_status layers_queue(const struct step *step) {
  struct cuda_session *session = step->session;
  const struct structure *structure = &session->steps->structure;
  const struct attention_structure *attention = &structure->attention;
  struct cuda_parts below = parts_of(step, &structure->decoder.reads);
  for (int32_t l = 0; l < structure->decoder.count; l++) {
    TRY(layer_queue(step, l, &below));
    below = (struct cuda_parts){.count = 1, .list = {given_by(session, l)}};
    if (attention->present && attention->asks == ASKS_CURRENT && attention->asked_layer == l)
      TRY(attend(step, below.list[0]));
  }
  return CUSEQ_STATUS_OK;
}

/* ---- the step ---- */

static cuseq_status attentional_queue(const struct step *step) {
  struct cuda_session *session = step->session;
  struct cuda_steps *steps = session->steps;
  const struct attentional_structure *attentional = &steps->structure.decoder.attentional;
  if (!attentional->present)
    return CUSEQ_STATUS_OK;
  const struct cuda_parts parts = parts_of(step, &attentional->parts);
  const struct cuda_kept kept = running(step, LAUNCH_STAGE_DECODER);
  TRY(cuda_dense_sums(session, &attentional->dense, &parts, step->stepping->rows, steps->d_scratch[0]));
  return cuda_dense_finish(session, &attentional->dense, steps->d_scratch[0], step->stepping->rows, &kept,
                           steps->d_attentional, attentional->dense.units);
}

/* The head's layers up to the sums of the last one. */
static cuseq_status head_queue(const struct step *step) {
  struct cuda_session *session = step->session;
  struct cuda_steps *steps = session->steps;
  const struct head *head = &steps->structure.output.heads[0];
  const struct cuda_parts parts = parts_of(step, &head->parts);
  return cuda_chain_sums(session, &head->layers, &parts, step->stepping->rows, steps->d_scratch,
                         steps->d_logits);
}

static cuseq_status step_queue(struct step *step) {
  TRY(attend_before(step));
  TRY(layers_queue(step));
  TRY(attentional_queue(step));
  TRY(head_queue(step));
  step->rows.check = cuda_check_results(step->session, 0);
  return cuda_launched(step->session,
                       launch_decode_output(&step->rows, step->number, &step->session->launch));
}

/* ---- the loop ---- */

static void keep(struct decode_rows *rows, int32_t *count, struct cuda_part from, float *to,
                 int64_t to_stride, bool of_last_step) {
  if (from.width > 0 && to)
    rows->kept[(*count)++] = (struct decode_kept){.d_from = from.d_rows,
                                                  .stride = from.stride,
                                                  .d_to = to,
                                                  .to_stride = to_stride,
                                                  .width = from.width,
                                                  .of_last_step = of_last_step};
}

/* An array of results where it is wanted. */
static void *wanted(const struct cuda_session *session, const struct cuda_stepping *stepping,
                    enum backend_array array) {
  return stepping->wanted & cuda_wanted(array) ? session->work.decoding[array] : NULL;
}

static void keeps(const struct cuda_session *session, const struct cuda_stepping *stepping,
                  struct decode_rows *rows) {
  const struct structure *structure = &session->steps->structure;
  const struct decoder_structure *decoder = &structure->decoder;
  int32_t count = 0, C = structure->attention.context_width,
          S = decoder->layers[decoder->count - 1].cell.units;
  float *fed = wanted(session, stepping, BACKEND_FINAL_FED);
  struct cuda_part context = part_of(session, PART_CONTEXT);
  struct cuda_part handed[] = {part_of(session, PART_ATTENTIONAL), context, cuda_steps_token(session)};
  const int32_t widths[] = {decoder->fed_attentional, decoder->fed_context, decoder->fed_probabilities};
  keep(rows, &count, context, wanted(session, stepping, BACKEND_CONTEXTS), C, false);
  keep(rows, &count, part_of(session, PART_STATE), wanted(session, stepping, BACKEND_STATES), S, false);
  for (int i = 0; fed && i < 3; fed += widths[i++]) {
    handed[i].width = widths[i];
    keep(rows, &count, handed[i], fed, decoder->fed_width, true);
  }
}

static struct decode_rows rows_of(const struct cuda_session *session, const struct cuda_stepping *stepping) {
  const struct cuda_steps *steps = session->steps;
  const struct decoder_structure *decoder = &steps->structure.decoder;
  const struct head *head = &steps->structure.output.heads[0];
  const struct dense *last = &head->layers.layers[head->layers.count - 1];
  void *const *arrays = session->work.decoding;
  struct decode_rows rows = {.batch = stepping->rows,
                             .time = session->encoded.time,
                             .steps = stepping->steps,
                             .d_lengths = session->encoded.d_lengths,
                             .d_rows = stepping->d_rows,
                             .embedding_units = decoder->embedding_units,
                             .d_embedding = decoder->feedback != FEEDBACK_NONE ? decoder->embedding : NULL,
                             .d_previous = stepping->given_tokens ? arrays[BACKEND_PREVIOUS] : NULL,
                             .start_token = decoder->start_token,
                             .end_token = decoder->end_token,
                             .d_targets = stepping->given_targets ? arrays[BACKEND_TARGETS] : NULL,
                             .d_target_lengths =
                                 stepping->given_lengths ? arrays[BACKEND_TARGET_LENGTHS] : NULL,
                             .outputs = head->units,
                             .output_activation = last->activation,
                             .d_output_bias = last->bias,
                             .d_logits = steps->d_logits,
                             .d_output_lengths = arrays[BACKEND_OUTPUT_LENGTHS],
                             .d_attended = steps->d_attended,
                             .d_fed_ids = steps->d_fed_ids,
                             .d_fed = steps->d_fed,
                             .d_probabilities = steps->d_probabilities,
                             .d_outputs = wanted(session, stepping, BACKEND_OUTPUTS),
                             .d_tokens = wanted(session, stepping, BACKEND_TOKENS),
                             .d_log_probabilities = wanted(session, stepping, BACKEND_LOG_PROBABILITIES),
                             .d_log_outputs = stepping->wants_logs ? steps->d_log_outputs : NULL};
  keeps(session, stepping, &rows);
  return rows;
}

cuseq_status cuda_steps_start_token(struct cuda_session *session, int32_t rows) {
  const struct cuda_stepping stepping = {.rows = rows, .steps = 1};
  const struct decode_rows begin = rows_of(session, &stepping);
  return cuda_launched(session, launch_decode_begin(&begin, &session->launch));
}

cuseq_status cuda_steps_one(struct cuda_session *session, const struct cuda_stepping *stepping) {
  struct cuda_steps *steps = session->steps;
  const struct decoder_structure *decoder = &steps->structure.decoder;
  struct step step = {.session = session, .stepping = stepping, .rows = rows_of(session, stepping)};
  const struct table_lookup embedding = {.rows = stepping->rows,
                                         .width = decoder->embedding_units,
                                         .d_ids = steps->d_fed_ids,
                                         .d_table = decoder->embedding,
                                         .row_stride = decoder->embedding_units,
                                         .column_stride = 1,
                                         .d_output = steps->d_fed,
                                         .output_stride = decoder->embedding_units};
  if (decoder->embedding_units > 0)
    TRY(cuda_launched(session, launch_table_lookup(&embedding, &session->launch)));
  /* which token comes next, and whether a row has ended, is the search's */
  step.rows.d_embedding = NULL;
  step.rows.d_fed_ids = NULL;
  step.rows.end_token = -1;
  return step_queue(&step);
}

static cuseq_status loop_queue(struct cuda_session *session, const void *arguments) {
  const struct cuda_stepping *stepping = arguments;
  struct step step = {.session = session, .stepping = stepping, .rows = rows_of(session, stepping)};
  TRY(cuda_launched(session, launch_decode_begin(&step.rows, &session->launch)));
  TRY(cuda_steps_begin(session,
                       stepping)); /* behind it: given probabilities are read, not those of a token */
  for (; step.number < stepping->steps; step.number++)
    TRY(step_queue(&step));
  return CUSEQ_STATUS_OK;
}

cuseq_status cuda_steps_queue(struct cuda_session *session, const struct cuda_stepping *stepping) {
  CUDA_RANGE("decode loop", session->encoded.batch, session->encoded.time, session->model->config.units);
  if (!session->graphs)
    return loop_queue(session, stepping);
  struct cuda_graph_key key;
  memset(&key, 0, sizeof key);
  const int64_t given = stepping->given_h | stepping->given_c << 1 | stepping->given_fed << 2 |
                        stepping->given_tokens << 3 | stepping->given_lengths << 4 |
                        stepping->given_targets << 5 | stepping->wants_logs << 6;
  const int64_t sizes[] = {stepping->rows, session->encoded.batch,   session->encoded.time, stepping->steps,
                           given,          (int64_t)stepping->wanted};
  const void *arrays[] = {session->steps, session->encoded.d_lengths, session->encoded.d_annotations,
                          stepping->d_rows};
  memcpy(key.sizes, sizes, sizeof sizes);
  memcpy(key.arrays, arrays, sizeof arrays);
  return cuda_graph_launch(session, &key, loop_queue, stepping);
}
