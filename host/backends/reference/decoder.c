#include "backends/reference/reference.h"

#include <string.h>

/* One row of a decoding, while it steps. */
struct row {
  struct reference *r;
  const cuseq_decoding *decoding;
  int32_t index;   /* among the rows that are decoded */
  int32_t encoded; /* the row that it attends to */
  int32_t token;   /* before the step, then after it */
};

/* Where layer `index`'s states lie among all layers'. */
static int32_t state_offset(const struct decoder_structure *decoder, int32_t index) {
  int32_t offset = 0;
  for (int32_t l = 0; l < index; l++)
    offset += decoder->layers[l].cell.units;
  return offset;
}

/* ---- the beginning ---- */

static void begin_layer(struct row *row, const struct decoder_layer *layer, int32_t offset) {
  struct reference *r = row->r;
  const cuseq_decoding *d = row->decoding;
  const struct cell *cell = &layer->cell;
  double *h = r->h + offset, *c = r->c + offset;
  if (d->initial_h) {
    size_t at = (size_t)row->index * r->structure->decoder.state_width + offset;
    for (int32_t j = 0; j < cell->units; j++) {
      h[j] = (double)d->initial_h[at + j];
      c[j] = d->initial_c && cell_has_c(cell->kind) ? (double)d->initial_c[at + j] : 0.0;
    }
    return;
  }
  reference_initial(r, row->encoded, &layer->initial_h, cell->units, h);
  memset(c, 0, (size_t)cell->units * sizeof *c);
  if (!cell_has_c(cell->kind))
    return;
  reference_initial(r, row->encoded, &layer->initial_c, cell->units, c);
  if (layer->initial_h.from == INITIAL_OTHER)
    memcpy(h, c, (size_t)cell->units * sizeof *h);
  if (layer->initial_c.from == INITIAL_OTHER)
    memcpy(c, h, (size_t)cell->units * sizeof *c);
}

/* A token as the vector that a step reads; -1: none, zeros. */
static void embed(const struct row *row, int32_t token) {
  const struct decoder_structure *decoder = &row->r->structure->decoder;
  int32_t E = decoder->embedding_units;
  for (int32_t j = 0; decoder->feedback != FEEDBACK_NONE && j < (E > 0 ? E : decoder->tokens); j++)
    row->r->token[j] = E > 0 ? (double)decoder->embedding[(size_t)token * E + j] : j == token ? 1.0 : 0.0;
}

/* What the step before handed on. */
static void begin_fed(const struct row *row) {
  const struct reference *r = row->r;
  const struct decoder_structure *decoder = &r->structure->decoder;
  const float *fed = row->decoding->initial_fed;
  double *const vectors[] = {r->attentional, r->context, r->token};
  const int32_t widths[] = {decoder->fed_attentional, decoder->fed_context, decoder->fed_probabilities};
  embed(row, row->token);
  if (fed)
    fed += (size_t)row->index * decoder->fed_width;
  for (int i = 0; i < 3; i++)
    for (int32_t j = 0; j < widths[i]; j++)
      if (fed)
        vectors[i][j] = (double)*fed++;
      else if (vectors[i] != r->token)
        vectors[i][j] = 0.0;
}

static void begin_row(struct row *row) {
  struct reference *r = row->r;
  const struct decoder_structure *decoder = &r->structure->decoder;
  const cuseq_decoding *d = row->decoding;
  for (int32_t l = 0; l < decoder->count; l++)
    begin_layer(row, &decoder->layers[l], state_offset(decoder, l));
  row->token = d->previous ? d->previous[row->index] : -1;
  begin_fed(row);
}

/* ---- a step ---- */

/* Vectors of the step side by side into r->read; returns their width. */
static int32_t gather(struct row *row, const struct parts *parts) {
  struct reference *r = row->r;
  const struct decoder_structure *decoder = &r->structure->decoder;
  const double *state = r->outputs_of + state_offset(decoder, decoder->count - 1);
  const double *const vectors[] = {[PART_TOKEN] = r->token,
                                   [PART_CONTEXT] = r->context,
                                   [PART_ATTENTIONAL] = r->attentional,
                                   [PART_STATE] = state,
                                   [PART_GIVEN] = r->given};
  int32_t width = 0;
  for (int32_t i = 0; i < parts->count; i++) {
    int32_t part = structure_part_width(r->structure, parts->list[i]);
    memcpy(r->read + width, vectors[parts->list[i]], (size_t)part * sizeof *r->read);
    width += part;
  }
  return width;
}

/* Layer `index`: what it reads of the layers below is in r->read, [below] wide. */
/* Whether the row goes on. */
static bool step_layer(struct row *row, int32_t index, int32_t below) {
  struct reference *r = row->r;
  const struct decoder_structure *decoder = &r->structure->decoder;
  const struct decoder_layer *layer = &decoder->layers[index];
  int32_t offset = state_offset(decoder, index), C = r->structure->attention.context_width;
  if (layer->reads_context)
    memcpy(r->read + below, r->context, (size_t)C * sizeof *r->read);
  reference_cell_step(&layer->cell, r->read, -1, r->h + offset, r->c + offset, r->scratch);
  for (int32_t j = 0; j < layer->cell.units; j++)
    r->outputs_of[offset + j] = r->h[offset + j] + (layer->residual ? r->read[j] : 0.0);
  const size_t units = (size_t)layer->cell.units;
  return (reference_in_range(r->outputs_of + offset, units) && reference_in_range(r->h + offset, units) &&
          reference_in_range(r->c + offset, units)) ||
         reference_leaves(r, row->index, BACKEND_STAGE_DECODER);
}

/* Attends for what asks; whether the row goes on. */
static bool step_attend(struct row *row, const double *asks) {
  return reference_attend(row->r, row->encoded, asks) ||
         reference_leaves(row->r, row->index, BACKEND_STAGE_ENERGIES);
}

static bool step_layers(struct row *row) {
  struct reference *r = row->r;
  const struct decoder_structure *decoder = &r->structure->decoder;
  const struct attention_structure *attention = &r->structure->attention;
  int32_t below = gather(row, &decoder->reads);
  for (int32_t l = 0; l < decoder->count; l++) {
    int32_t offset = state_offset(decoder, l), units = decoder->layers[l].cell.units;
    if (!step_layer(row, l, below))
      return false;
    if (attention->present && attention->asks == ASKS_CURRENT && attention->asked_layer == l &&
        !step_attend(row, r->outputs_of + offset))
      return false;
    memcpy(r->read, r->outputs_of + offset, (size_t)units * sizeof *r->read);
    below = units;
  }
  return true;
}

/* One step; the token is replaced by the output's. Whether the row goes on. */
static bool step(struct row *row) {
  struct reference *r = row->r;
  const struct decoder_structure *decoder = &r->structure->decoder;
  const struct attention_structure *attention = &r->structure->attention;
  const struct head *head = &r->structure->output.heads[0];
  if (attention->present && attention->asks == ASKS_PREVIOUS &&
      !step_attend(row, r->h + state_offset(decoder, attention->asked_layer)))
    return false;
  if (attention->present && attention->asks == ASKS_TOKEN && !step_attend(row, r->token))
    return false;
  if (!step_layers(row))
    return false;
  if (decoder->attentional.present) {
    gather(row, &decoder->attentional.parts);
    reference_dense(&decoder->attentional.dense, r->read, r->scratch);
    memcpy(r->attentional, r->read, (size_t)decoder->attentional.dense.units * sizeof *r->attentional);
    if (!reference_in_range(r->attentional, (size_t)decoder->attentional.dense.units) &&
        !reference_leaves(r, row->index, BACKEND_STAGE_DECODER))
      return false;
  }
  int32_t width = gather(row, &head->parts);
  memcpy(r->output, r->read, (size_t)width * sizeof *r->output);
  return reference_head(r, head, r->output, &row->token) ||
         reference_leaves(r, row->index, BACKEND_STAGE_OUTPUTS);
}

/* ---- results ---- */

static void store_step(const struct row *row, int32_t y, int32_t chosen) {
  const struct reference *r = row->r;
  const struct structure *s = r->structure;
  const cuseq_decoding *d = row->decoding;
  int32_t C = s->attention.context_width, S = structure_part_width(s, PART_STATE), V = s->output.width;
  size_t at = (size_t)row->index * d->steps + y;
  reference_store(d->contexts, at * C, r->context, C);
  reference_store(d->alphas, at * r->time, r->alphas, r->time);
  reference_store(d->states, at * S, r->outputs_of + state_offset(&s->decoder, s->decoder.count - 1), S);
  reference_store(d->outputs, at * V, r->output, V);
  if (d->tokens)
    d->tokens[at] = row->token;
  /* not log(softmax): a small probability is 0, its logarithm a number */
  if (d->log_probabilities || r->log_outputs)
    activation_log_softmax(r->sums, V);
  if (d->log_probabilities)
    d->log_probabilities[at] = (float)r->sums[chosen];
  reference_store(r->log_outputs, at * V, r->sums, V);
}

/* Zeros, and the end token, in a row's steps from `step` on. */
static void clear_after_end(const struct row *row, int32_t step) {
  const struct reference *r = row->r;
  const struct structure *s = r->structure;
  const cuseq_decoding *d = row->decoding;
  size_t first = (size_t)row->index * d->steps + step, count = (size_t)(d->steps - step);
  const struct {
    float *array;
    int32_t width;
  } arrays[] = {{d->contexts, s->attention.context_width},
                {d->alphas, r->time},
                {d->states, structure_part_width(s, PART_STATE)},
                {d->outputs, s->output.width},
                {d->log_probabilities, 1}};
  for (size_t i = 0; i < sizeof arrays / sizeof *arrays; i++)
    if (arrays[i].array)
      memset(arrays[i].array + first * arrays[i].width, 0, count * arrays[i].width * sizeof(float));
  for (size_t y = 0; d->tokens && y < count; y++)
    d->tokens[first + y] = s->decoder.end_token >= 0 ? s->decoder.end_token : 0;
}

static void finish_row(const struct row *row, int32_t steps) {
  const struct reference *r = row->r;
  const struct decoder_structure *decoder = &r->structure->decoder;
  const cuseq_decoding *d = row->decoding;
  int32_t S = decoder->state_width, X = decoder->fed_width;
  const double *const fed[] = {r->attentional, r->context, r->token};
  const int32_t widths[] = {decoder->fed_attentional, decoder->fed_context, decoder->fed_probabilities};
  size_t at = (size_t)row->index * X;
  clear_after_end(row, steps);
  if (d->output_lengths)
    d->output_lengths[row->index] = steps;
  reference_store(d->final_h, (size_t)row->index * S, r->h, S);
  reference_store(d->final_c, (size_t)row->index * S, r->c, S);
  for (int i = 0; i < 3; at += (size_t)widths[i++])
    reference_store(d->final_fed, at, fed[i], widths[i]);
}

/* What the next step reads: a token, or the probabilities of this one. */
static void feed(struct row *row, int32_t token) {
  const struct reference *r = row->r;
  row->token = token;
  if (r->structure->decoder.feedback != FEEDBACK_PROBABILITIES || row->decoding->targets)
    embed(row, token);
  else
    memcpy(r->token, r->output, (size_t)r->structure->decoder.tokens * sizeof *r->token);
}

/* What the caller gives of step y. */
static void read_given(const struct row *row, int32_t y) {
  const cuseq_decoding *d = row->decoding;
  size_t G = (size_t)row->r->structure->decoder.given_width;
  size_t at = ((size_t)row->index * (size_t)d->steps + (size_t)y) * G;
  for (size_t j = 0; j < G; j++)
    row->r->given[j] = (double)d->given[at + j];
}

/* All steps of a row; one that leaves float32's range ends there. */
static void decode_row(struct row *row) {
  const cuseq_decoding *d = row->decoding;
  int32_t end_token = row->r->structure->decoder.end_token, y = 0;
  int32_t steps = d->targets && d->target_lengths ? d->target_lengths[row->index] : d->steps;
  bool ended = false;
  begin_row(row);
  for (; y < steps && !ended; y++) {
    read_given(row, y);
    if (!step(row))
      return;
    int32_t next = d->targets ? d->targets[(size_t)row->index * d->steps + y] : row->token;
    store_step(row, y, next);
    ended = !d->targets && row->token == end_token;
    feed(row, next);
  }
  finish_row(row, y);
}

cuseq_status reference_attend_all(void *state, const float *hidden, float *context, float *alphas) {
  struct reference *r = state;
  const struct structure *s = r->structure;
  const struct attention_structure *attention = &s->attention;
  const struct initial_structure *initial = &s->asking.initial;
  int32_t C = attention->context_width, Q = attention->query_inputs;
  if (s->decoder.present && attention->asked_layer >= 0)
    initial = &s->decoder.layers[attention->asked_layer].initial_h;
  r->fault = BACKEND_NO_FAULT;
  for (int32_t b = 0; b < r->batch; b++) {
    double *asks = r->outputs_of;
    if (!hidden && s->decoder.present && initial->from == INITIAL_OTHER)
      initial = &s->decoder.layers[attention->asked_layer].initial_c;
    if (!hidden && attention->asks == ASKS_TOKEN)
      for (int32_t j = 0; j < Q; j++)
        asks[j] = s->decoder.embedding_units > 0
                      ? (double)s->decoder.embedding[(size_t)s->decoder.start_token * Q + j]
                  : j == s->decoder.start_token ? 1.0
                                                : 0.0;
    else if (!hidden)
      reference_initial(r, b, initial, Q, asks);
    for (int32_t j = 0; hidden && j < Q; j++)
      asks[j] = (double)hidden[(size_t)b * Q + j];
    if (!reference_attend(r, b, asks) && !reference_leaves(r, b, BACKEND_STAGE_ENERGIES))
      continue;
    reference_store(context, (size_t)b * C, r->context, C);
    reference_store(alphas, (size_t)b * r->time, r->alphas, r->time);
  }
  return backend_fault_report(r->fault, "");
}

cuseq_status reference_decode(void *state, const cuseq_decoding *decoding) {
  struct reference *r = state;
  r->fault = BACKEND_NO_FAULT;
  if (!r->structure->decoder.present) {
    reference_outputs(r, decoding);
    return backend_fault_report(r->fault, "");
  }
  int32_t batch = decoding->rows ? decoding->batch : r->batch;
  for (int32_t b = 0; b < batch; b++) {
    struct row row = {
        .r = r, .decoding = decoding, .index = b, .encoded = decoding->rows ? decoding->rows[b] : b};
    decode_row(&row);
  }
  return backend_fault_report(r->fault, "");
}

cuseq_status reference_step(void *state, const cuseq_decoding *decoding, float *log_outputs) {
  struct reference *r = state;
  r->log_outputs = log_outputs;
  cuseq_status status = reference_decode(state, decoding);
  r->log_outputs = NULL;
  return status;
}
