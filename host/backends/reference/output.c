/* Heads: dense layers over a vector of a decoder's step, or over what a model without a decoder gives. */
#include "backends/reference/reference.h"

#include <string.h>

/* The lowest index of the largest value. */
static int32_t argmax(const double *values, int32_t count) {
  int32_t best = 0;
  for (int32_t v = 1; v < count; v++)
    if (values[v] > values[best])
      best = v;
  return best;
}

bool reference_head(struct reference *r, const struct head *head, double *x, int32_t *token) {
  for (int32_t l = 0; l < head->layers.count; l++)
    reference_dense(&head->layers.layers[l], x, r->scratch);
  memcpy(r->sums, x, (size_t)head->units * sizeof *x);
  cuseq_activation last = head->layers.layers[head->layers.count - 1].activation;
  *token = argmax(x, head->units);
  const bool finite = last == CUSEQ_ACTIVATION_SOFTMAX ? reference_bounded(x, head->units)
                                                       : reference_in_range(x, (size_t)head->units);
  if (last == CUSEQ_ACTIVATION_SOFTMAX)
    activation_softmax(x, head->units, head->units);
  if (last == CUSEQ_ACTIVATION_LOG_SOFTMAX)
    activation_log_softmax(x, head->units);
  return finite;
}

/* One vector of those that a head reads of row b, at position t where it reads every one. */
static void read_source(const struct reference *r, const struct head_read *read, int32_t b, int32_t t,
                        double *x) {
  int32_t A = r->structure->encoder.width, length = r->lengths[b];
  const double *annotations = r->annotations + (size_t)b * r->time * A;
  if (read->source == HEAD_CONTEXT) {
    memcpy(x, r->context, (size_t)read->width * sizeof *x);
    return;
  }
  if (read->source == HEAD_FINAL) {
    int32_t offset = structure_final_offset(&r->structure->encoder, read->layer, 0);
    memcpy(x,
           (read->takes_c ? r->final_c : r->final_h) + (size_t)b * r->model->config.encoder_state_width +
               offset,
           (size_t)read->width * sizeof *x);
    return;
  }
  if (read->source == HEAD_POSITIONS) {
    memset(x, 0, (size_t)read->width * sizeof *x);
    memcpy(x, annotations, (size_t)length * (size_t)A * sizeof *x);
    return;
  }
  if (read->source == HEAD_LAST || read->source == HEAD_EVERY) {
    memcpy(x, annotations + (size_t)(read->source == HEAD_LAST ? length - 1 : t) * A, (size_t)A * sizeof *x);
    return;
  }
  for (int32_t j = 0; j < A; j++) {
    x[j] = annotations[j];
    for (int32_t at = 1; at < length; at++) {
      double value = annotations[(size_t)at * A + j];
      x[j] = read->source == HEAD_MEAN ? x[j] + value : value > x[j] ? value : x[j];
    }
    x[j] = read->source == HEAD_MEAN ? x[j] / length : x[j];
  }
}

/* All heads of row b at output row y: zeros where there is no position. Whether the row goes on. */
static bool store_row(struct reference *r, const cuseq_decoding *d, int32_t b, int32_t y, bool real) {
  const struct output_structure *output = &r->structure->output;
  size_t at = (size_t)b * d->steps + y;
  for (int32_t i = 0; i < output->count; i++) {
    const struct head *head = &output->heads[i];
    int32_t token = 0;
    memset(r->output, 0, (size_t)head->units * sizeof *r->output);
    if (real) {
      double *x = r->output;
      for (int32_t k = 0; k < head->read_count; x += head->reads[k++].width)
        read_source(r, &head->reads[k], b, y, x);
      if (!reference_head(r, head, r->output, &token) && !reference_leaves(r, b, BACKEND_STAGE_OUTPUTS))
        return false;
    }
    reference_store(d->outputs, at * output->width + head->offset, r->output, head->units);
    if (d->tokens)
      d->tokens[at * output->count + i] = token;
  }
  return true;
}

void reference_outputs(struct reference *r, const cuseq_decoding *decoding) {
  const struct structure *s = r->structure;
  int32_t C = s->attention.context_width;
  for (int32_t b = 0; b < r->batch; b++) {
    if (s->attention.present) {
      double *asks = r->outputs_of;
      if (!decoding->initial_h)
        reference_initial(r, b, &s->asking.initial, s->asking.units, asks);
      for (int32_t j = 0; decoding->initial_h && j < s->asking.units; j++)
        asks[j] = (double)decoding->initial_h[(size_t)b * s->asking.units + j];
      if (!reference_attend(r, b, asks) && !reference_leaves(r, b, BACKEND_STAGE_ENERGIES))
        continue;
      reference_store(decoding->contexts, (size_t)b * C, r->context, C);
      reference_store(decoding->alphas, (size_t)b * r->time, r->alphas, r->time);
    }
    for (int32_t y = 0; s->output.count > 0 && y < decoding->steps; y++)
      if (!store_row(r, decoding, b, y, !structure_is_tagger(s) || y < r->lengths[b]))
        break;
    if (decoding->output_lengths)
      decoding->output_lengths[b] = structure_is_tagger(s) ? r->lengths[b] : 1;
  }
}
