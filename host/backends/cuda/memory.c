#include "backends/cuda/cuda.h"

#include "backends/cuda/decoding.h"
#include "backends/cuda/search.h"

#include "error.h"

#include <stdio.h>
#include <stdlib.h>

/* Lists all arrays of a session of its limits. Returns how many bytes at the beginning have to begin at 0:
 * the sequence kernel's flags, the record of checks; cuBLAS's workspace comes last and needs no value. */
static size_t session_plan(struct cuda_session *session, struct cuda_plan *plan) {
  const struct cuda_shape limits = {.time = session->limits.time};
  session->choice = cuda_choose(&session->model->config, &limits, &session->device, &session->forced);
  plan->bytes = 0;
  plan->count = 0;
  cuda_layers_plan(session, plan);
  cuda_decoding_plan(session, plan);
  cuda_decoder_plan(session, plan);
  cuda_steps_plan(session, plan);
  cuda_search_plan(session, plan);
  size_t cleared = plan->bytes;
  cuda_plan_add(plan, &session->d_blas_workspace,
                cuda_captures_products(session) ? cuda_blas_workspace_bytes(&session->device) : 0);
  return cleared;
}

/* Whether sizes of these limits stay within 64 bits: nothing is larger than this product. */
static bool countable(const struct cuda_session *session) {
  const cuseq_config *config = &session->model->config;
  const struct encoder_structure *encoder = &session->model->lowered.encoder;
  double widths = (double)session->model->lowered.input.features + session->model->lowered.input.width +
                  config->annotation_width + 8.0 * config->decoder_state_width + config->outputs +
                  cuda_steps_widest(session);
  for (int32_t l = 0; l < encoder->count; l++)
    widths += 8.0 * (encoder->layers[l].cells[0].units + encoder->layers[l].cells[1].units) +
              encoder->layers[l].width;
  return (double)session->limits.batch * session->limits.beams * ((double)session->limits.time + 1.0) *
             ((double)session->limits.steps + 1.0) * config->layers * 64.0 * widths <
         0x1p62;
}

/* The bytes of a session with other limits; SIZE_MAX where they cannot be counted. */
static size_t bytes_of(struct cuda_session *session, struct cuda_plan *plan, int32_t batch, int32_t time) {
  session->limits.batch = batch;
  session->limits.time = time;
  if (!countable(session))
    return SIZE_MAX;
  session_plan(session, plan);
  return plan->bytes;
}

/* The largest batch (of this time), or time (of this batch), below `limit` that fits; 0: none. Sizes grow
 * with both. */
static int32_t largest(struct cuda_session *session, struct cuda_plan *plan, bool is_time, int32_t other,
                       int32_t limit, size_t room) {
  int32_t fits = 0, beyond = limit;
  while (beyond - fits > 1) {
    int32_t middle = fits + (beyond - fits) / 2;
    size_t bytes = bytes_of(session, plan, is_time ? other : middle, is_time ? middle : other);
    if (bytes <= room)
      fits = middle;
    else
      beyond = middle;
  }
  return fits;
}

static cuseq_status too_large(struct cuda_session *session, struct cuda_plan *plan, size_t needed) {
  enum { APART = 1 << 20 }; /* allocations are rounded up */
  size_t left = 0, total = 0;
  cudaGetLastError();
  cudaMemGetInfo(&left, &total);
  int32_t batch = session->limits.batch, time = session->limits.time;
  size_t room = left > 2 * (size_t)APART ? left - APART : left / 2;
  char fits[128];
  int32_t rows = largest(session, plan, false, time, batch, room), positions = 0;
  if (rows == 0)
    positions = largest(session, plan, true, 1, time, room);
  if (rows > 0)
    snprintf(fits, sizeof fits, "max_batch %d would fit", (int)rows);
  else if (positions > 0)
    snprintf(fits, sizeof fits, "max_batch 1 and max_time %d would fit", (int)positions);
  else
    snprintf(fits, sizeof fits, "max_batch 1 and max_time 1 need %zu MiB",
             (bytes_of(session, plan, 1, 1) >> 20) + 1);
  return error_set(
      CUSEQ_STATUS_OUT_OF_MEMORY,
      "cuda:%d: out of memory (needed %s%zu MiB for max_batch %d and max_time %d, found %zu MiB free of "
      "%zu; %s)",
      (int)session->index, needed == SIZE_MAX ? "more than " : "", (needed >> 20) + 1, (int)batch, (int)time,
      left >> 20, total >> 20, fits);
}

static cuseq_status take(struct cuda_session *session, struct cuda_plan *plan) {
  size_t needed = bytes_of(session, plan, session->limits.batch, session->limits.time);
  cudaError_t error = needed == SIZE_MAX ? cudaErrorMemoryAllocation : cudaMalloc(&session->arena, needed);
  if (error == cudaErrorMemoryAllocation)
    return too_large(session, plan, needed);
  if (error != cudaSuccess)
    return cuda_failure(error, "cudaMalloc");
  size_t cleared = session_plan(session, plan);
  for (int32_t i = 0; i < plan->count; i++)
    *(void **)plan->entries[i].array = (char *)session->arena + plan->entries[i].offset;
  CUDA_TRY(cudaMemset(session->arena, 0, cleared));
  return CUSEQ_STATUS_OK;
}

cuseq_status cuda_memory_take(struct cuda_session *session) {
  struct cuda_plan *plan = calloc(1, sizeof *plan);
  if (!plan)
    return error_set(CUSEQ_STATUS_OUT_OF_MEMORY, "cuseq_session_open: out of memory");
  cuseq_status status = take(session, plan);
  free(plan);
  return status;
}
