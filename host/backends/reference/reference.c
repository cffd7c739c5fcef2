#include "backends/reference/reference.h"

#include "error.h"

#include <stdlib.h>

static void reference_close(void *state) {
  struct reference *r = state;
  if (!r)
    return;
  model_release(r->model);
  void *const owned[] = {r->lengths, r->annotations, r->final_h, r->final_c,    r->below,       r->directions,
                         r->asking,  r->h,           r->c,       r->outputs_of, r->attentional, r->given,
                         r->context, r->token,       r->read,    r->query,      r->key,         r->joined,
                         r->alphas,  r->mean,        r->output,  r->sums,       r->scratch};
  for (size_t i = 0; i < sizeof owned / sizeof *owned; i++)
    free(owned[i]);
  free(r);
}

static void widen(int32_t *widest, int32_t width) {
  *widest = width > *widest ? width : *widest;
}

static void widen_dense(int32_t *widest, const struct dense *dense) {
  widen(widest, dense->units);
  widen(widest, dense->inputs);
}

static void widen_chain(int32_t *widest, const struct dense_chain *chain) {
  for (int32_t l = 0; l < chain->count; l++)
    widen_dense(widest, &chain->layers[l]);
}

static void widen_attention(int32_t *widest, const struct attention_structure *attention) {
  widen_dense(widest, &attention->key_map);
  widen_dense(widest, &attention->value_map);
  widen_dense(widest, &attention->query_map);
  widen(widest, attention->units);
  widen(widest, attention->query_inputs);
  widen_chain(widest, &attention->layers);
}

/* The widest vector of a structure, those that are read side by side included. */
static int32_t widest_of(const struct structure *s) {
  int32_t widest = s->input.width;
  widen(&widest, s->input.features);
  for (int32_t l = 0; l < s->encoder.count; l++) {
    widen(&widest, s->encoder.layers[l].merged_width);
    widen(&widest, s->encoder.layers[l].joined_width);
    widen(&widest, s->encoder.layers[l].width);
    for (int d = 0; d < 2; d++)
      widen(&widest, s->encoder.layers[l].cells[d].units);
  }
  for (int32_t i = 0; i < s->encoder.self_attention_count; i++)
    widen_attention(&widest, &s->encoder.self_attentions[i]);
  widen_attention(&widest, &s->attention);
  widen_dense(&widest, &s->asking.initial.dense);
  widen_dense(&widest, &s->decoder.attentional.dense);
  widen(&widest, s->asking.units);
  widen(&widest, s->asking.initial.inputs);
  widen(&widest, structure_part_width(s, PART_TOKEN));
  for (int32_t l = 0; l < s->decoder.count; l++) {
    const struct decoder_layer *layer = &s->decoder.layers[l];
    widen(&widest, layer->inputs);
    widen(&widest, layer->cell.units);
    widen(&widest, layer->initial_h.inputs);
    widen(&widest, layer->initial_c.inputs);
    widen_dense(&widest, &layer->initial_h.dense);
    widen_dense(&widest, &layer->initial_c.dense);
  }
  for (int32_t i = 0; i < s->output.count; i++) {
    widen(&widest, s->output.heads[i].inputs);
    widen_chain(&widest, &s->output.heads[i].layers);
  }
  return widest;
}

static cuseq_status reference_open(const cuseq_model *model, const struct backend_limits *limits,
                                   const char *device, void **state) {
  if (limits->precision != CUSEQ_PRECISION_FLOAT32)
    return backend_precision_refused(
        device, limits->precision,
        "the reference computes in float64, and nothing of it is rounded (needed float32)");
  struct reference *r = calloc(1, sizeof *r);
  if (!r)
    return error_set(CUSEQ_STATUS_OUT_OF_MEMORY, "cuseq_session_open: out of memory");
  r->model = model_retain(model);
  r->structure = &r->model->structure;
  r->limits = *limits;
  r->widest = widest_of(r->structure);
  size_t B = (size_t)limits->batch, T = (size_t)limits->time, W = (size_t)r->widest;
  size_t finals = (size_t)model->config.encoder_state_width, S = (size_t)r->structure->decoder.state_width;
  const size_t asking = r->structure->encoder.self_attention_count > 0 ? 3 * T
                        : r->structure->attention.present              ? 2 * T
                                                                       : 1;
  r->lengths = calloc(B, sizeof *r->lengths);
  struct {
    double **array;
    size_t rows, columns;
  } arrays[] = {{&r->annotations, B * T, (size_t)r->structure->encoder.width},
                {&r->final_h, B, finals},
                {&r->final_c, B, finals},
                {&r->below, T, W},
                {&r->directions, 2 * T, W},
                {&r->asking, asking, W},
                {&r->h, 1, S + W},
                {&r->c, 1, S + W},
                {&r->outputs_of, 1, S + W},
                {&r->attentional, 1, W},
                {&r->given, 1, W},
                {&r->context, 1, W},
                {&r->token, 1, W},
                {&r->read, 1, W},
                {&r->query, 1, W},
                {&r->key, 1, W},
                {&r->joined, 1, W},
                {&r->alphas, 1, T},
                {&r->mean, 1, T},
                {&r->output, 1, W},
                {&r->sums, 1, W},
                {&r->scratch, 7, W}};
  bool whole = r->lengths != NULL;
  for (size_t i = 0; i < sizeof arrays / sizeof *arrays; i++)
    whole = (*arrays[i].array = calloc(arrays[i].rows, arrays[i].columns * sizeof(double))) && whole;
  if (!whole) {
    reference_close(r);
    return error_set(CUSEQ_STATUS_OUT_OF_MEMORY,
                     "cuseq_session_open: out of memory (max_batch %d, max_time %d)", (int)limits->batch,
                     (int)limits->time);
  }
  *state = r;
  return CUSEQ_STATUS_OK;
}

bool reference_leaves(struct reference *r, int64_t row, enum backend_stage stage) {
  const uint64_t fault = backend_fault(row, 0, stage);
  if (r->limits.allow_nonfinite)
    return true;
  r->fault = fault < r->fault ? fault : r->fault;
  return false;
}

static int32_t reference_threads(const void *state) {
  (void)state;
  return 1;
}

const struct backend backend_reference = {
    .open = reference_open,
    .close = reference_close,
    .threads = reference_threads,
    .encode = reference_encode,
    .attend = reference_attend_all,
    .decode = reference_decode,
    .step = reference_step,
};
