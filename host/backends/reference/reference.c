#include "backends/reference/reference.h"

#include "error.h"

#include <stdlib.h>

static void reference_close(void *state) {
  struct reference *r = state;
  if (!r)
    return;
  model_release(r->model);
  void *const owned[] = {r->lengths, r->annotations, r->below,  r->directions, r->final_h,
                         r->final_c, r->h,           r->c,      r->z,          r->cell_input,
                         r->output,  r->alphas,      r->scratch};
  for (size_t i = 0; i < sizeof owned / sizeof *owned; i++)
    free(owned[i]);
  free(r);
}

static int32_t larger(int32_t a, int32_t b) {
  return a > b ? a : b;
}

static cuseq_status reference_open(const cuseq_model *model, const struct backend_limits *limits,
                                   const char *device, void **state) {
  (void)device; /* there is only one */
  const cuseq_config *config = &model->config;
  struct reference *r = calloc(1, sizeof *r);
  if (!r)
    return error_set(CUSEQ_STATUS_OUT_OF_MEMORY, "cuseq_session_open: out of memory");
  r->model = model_retain(model);
  r->limits = *limits;
  size_t B = (size_t)limits->batch, T = (size_t)limits->time, A = (size_t)config->annotation_width;
  size_t H = (size_t)config->units, widest = (size_t)larger(config->features, config->annotation_width);
  size_t cell = (size_t)larger(config->units, config->state_units),
         final = (size_t)config_final_width(config);
  r->lengths = calloc(B, sizeof *r->lengths);
  struct {
    double **array;
    size_t rows, columns;
  } arrays[] = {{&r->annotations, B * T, A},
                {&r->below, T, widest},
                {&r->directions, 2 * T, H},
                {&r->final_h, B, final},
                {&r->final_c, B, final},
                {&r->h, 1, cell},
                {&r->c, 1, cell},
                {&r->z, 4, cell},
                {&r->cell_input, 1, A + (size_t)config_decoder_inputs(config)},
                {&r->output, 1, (size_t)config->outputs + 1},
                {&r->alphas, 1, T},
                {&r->scratch, 1, reference_attention_scratch(config)}};
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
};
