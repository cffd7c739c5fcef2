#include "backends/cuda/decoding.h"

#include "backends/cuda/trace.h"
#include "error.h"

int32_t cuda_rows_limit(const struct cuda_session *session) {
  return session->model->structure.decoder.present ? session->limits.batch * session->limits.beams
                                                   : session->limits.batch;
}

/* Steps of a call of the limits: those of a decoder, a tagger's positions, or one. */
static int32_t steps_limit(const struct cuda_session *session) {
  const struct structure *structure = &session->model->structure;
  return structure->decoder.present       ? session->limits.steps
         : structure_is_tagger(structure) ? session->limits.time
                                          : 1;
}

static size_t elements(const struct cuda_session *session, enum backend_array array, int32_t time,
                       int32_t steps) {
  return call_row_elements(&session->model->config, array, time, steps);
}

void cuda_decoding_plan(struct cuda_session *session, struct cuda_plan *plan) {
  size_t R = (size_t)cuda_rows_limit(session);
  for (enum backend_array array = 0; array < BACKEND_ARRAYS; array++) {
    if (call_arrays[array].structure != CALL_DECODING)
      continue;
    int32_t steps = steps_limit(session);
    if (array == BACKEND_ALPHAS && session->search)
      steps++; /* a search keeps those of all steps behind those of the step under way */
    size_t width = elements(session, array, session->limits.time, steps);
    /* the state of cuseq_attend lies here as well: where the token asks it is as wide as that */
    size_t asks = (size_t)session->model->structure.attention.query_inputs;
    if (array == BACKEND_STATE_H && asks > width)
      width = asks;
    cuda_plan_add(plan, &session->work.decoding[array], R * width * sizeof(float));
  }
}

int32_t cuda_decoding_rows(const struct cuda_session *session, const cuseq_decoding *decoding) {
  return decoding->rows ? decoding->batch : session->encoded.batch;
}

/* The numbers that an array of integers may hold. */
static void range_of(const struct cuda_session *session, enum backend_array array, int32_t steps,
                     int32_t *low, int32_t *high) {
  *low = array == BACKEND_TARGET_LENGTHS ? 1 : 0;
  *high = array == BACKEND_TARGET_LENGTHS ? steps
          : array == BACKEND_ROWS         ? session->encoded.batch - 1
                                          : session->model->structure.decoder.tokens - 1;
}

/* Where the lengths of targets lie on the device; NULL: all targets count. */
static const int32_t *target_lengths_of(const struct cuda_session *session, const cuseq_decoding *decoding) {
  return !decoding->target_lengths ? NULL
         : session->call.places[BACKEND_TARGET_LENGTHS] == CUDA_PLACE_DEVICE
             ? decoding->target_lengths
             : session->work.decoding[BACKEND_TARGET_LENGTHS];
}

/* Targets that a host has not looked at, since only the device knows how many of them count. They lie on the
 * device, or pass through the array of tokens. */
static cuseq_status targets_bring(struct cuda_session *session, const cuseq_decoding *decoding,
                                  int32_t rows) {
  bool on_device = session->call.places[BACKEND_TARGETS] == CUDA_PLACE_DEVICE;
  size_t count = (size_t)rows * (size_t)decoding->steps;
  int32_t *own = session->work.decoding[BACKEND_TOKENS];
  const int32_t *d_lengths = target_lengths_of(session, decoding);
  if (!on_device)
    TRY(cuda_copy_in(session, BACKEND_TARGETS, own, decoding->targets, count * sizeof(int32_t)));
  cuda_check_targets(session, on_device ? decoding->targets : own, session->work.decoding[BACKEND_TARGETS],
                     rows, decoding->steps, session->model->structure.decoder.tokens - 1, d_lengths);
  return CUSEQ_STATUS_OK;
}

static cuseq_status array_bring(struct cuda_session *session, const cuseq_decoding *decoding, int32_t rows,
                                enum backend_array array) {
  const void *given = call_pointer(array, decoding);
  size_t count = (size_t)rows * elements(session, array, session->encoded.time, decoding->steps);
  bool on_device = session->call.places[array] == CUDA_PLACE_DEVICE;
  void *own = session->work.decoding[array];
  if (!given)
    return CUSEQ_STATUS_OK;
  if (array == BACKEND_TARGETS &&
      (on_device ||
       (decoding->target_lengths && session->call.places[BACKEND_TARGET_LENGTHS] == CUDA_PLACE_DEVICE)))
    return targets_bring(session, decoding, rows);
  if (!on_device)
    return cuda_copy_in(session, array, own, given, count * sizeof(float));
  if (array == BACKEND_GIVEN) {
    cuda_check_given(session, given, own, rows, decoding->steps, session->model->config.given_width,
                     target_lengths_of(session, decoding));
    return CUSEQ_STATUS_OK;
  }
  if (!call_arrays[array].is_integer) {
    cuda_check_states(session, array, given, own, (int64_t)count);
    return CUSEQ_STATUS_OK;
  }
  int32_t low, high;
  range_of(session, array, decoding->steps, &low, &high);
  cuda_check_integers(session, array, given, own, (int64_t)count, low, high);
  return CUSEQ_STATUS_OK;
}

cuseq_status cuda_decoding_bring(struct cuda_session *session, const cuseq_decoding *decoding, int32_t rows) {
  CUDA_RANGE("input", session->encoded.batch, session->encoded.time, session->model->config.units);
  for (int32_t array = BACKEND_INPUTS - 1; array >= 0; array--) /* lengths of targets before targets */
    if (call_arrays[array].structure == CALL_DECODING)
      TRY(array_bring(session, decoding, rows, (enum backend_array)array));
  return cuda_check_queue(session);
}

void *cuda_decoding_place(const struct cuda_session *session, enum backend_array array, void *wanted) {
  return !wanted                                            ? NULL
         : session->call.places[array] == CUDA_PLACE_DEVICE ? wanted
                                                            : session->work.decoding[array];
}

cuseq_status cuda_decoding_fetch(struct cuda_session *session, const cuseq_decoding *decoding, int32_t rows,
                                 void *const made[BACKEND_ARRAYS]) {
  CUDA_RANGE("copy out", session->encoded.batch, session->encoded.time, session->model->config.units);
  for (enum backend_array array = BACKEND_INPUTS; array < BACKEND_ARRAYS; array++) {
    if (call_arrays[array].structure != CALL_DECODING)
      continue;
    size_t count = (size_t)rows * elements(session, array, session->encoded.time, decoding->steps);
    TRY(cuda_copy_out(session, array, call_pointer(array, decoding), made[array], count * sizeof(float)));
  }
  return CUSEQ_STATUS_OK;
}
