/* Beam search over what a session has encoded: the model's steps between those of host/search. */
#include "beam.h"

#include "error.h"
#include "session.h"
#include "sized.h"
#include "sizes.h"

#include <math.h>
#include <string.h>

static const char call[] = "cuseq_beam_search";

static const struct sized sized_beam = SIZED(cuseq_beam, "cuseq_beam_init");
static const cuseq_beam beam_defaults = {.beams = 1, .n_best = 1, .alpha = 1};

void cuseq_beam_init(cuseq_beam *beam, size_t size) {
  sized_init(beam, size, &beam_defaults, &sized_beam);
}

/* ---- arguments ---- */

const char *beam_unsearchable(const cuseq_model *model) {
  const struct structure *structure = &model->structure;
  if (!structure->decoder.present)
    return "the model has no decoder";
  if (structure->decoder.given_width > 0)
    return "each step of the decoder is given numbers, which searches do not take";
  if (structure->decoder.feedback == FEEDBACK_NONE)
    return "the model feeds no tokens back (beam search needs feedback: without it each step's best token is "
           "best)";
  if (structure->decoder.feedback == FEEDBACK_PROBABILITIES)
    return "each step reads the probabilities of the step before, whatever token is taken (beam search needs "
           "feedback of tokens)";
  return decoding_gives_probabilities(structure) ? NULL : "the model's output is no softmax or log_softmax";
}

static cuseq_status beams_check(const cuseq_session *session, const cuseq_beam *beam) {
  int32_t V = session->model->structure.decoder.tokens;
  if (session->limits.capture)
    return error_set(CUSEQ_STATUS_INVALID_ARGUMENT,
                     "%s: it waits for the device (the session was opened to be captured)", call);
  if (beam->beams < 1 || beam->beams > CUSEQ_MAX_BEAMS)
    return error_set(CUSEQ_STATUS_INVALID_ARGUMENT, "%s: beams are out of range (found %d, needed 1 to %d)",
                     call, (int)beam->beams, CUSEQ_MAX_BEAMS);
  if (beam->beams > V)
    return error_set(CUSEQ_STATUS_INVALID_ARGUMENT,
                     "%s: beams are more than the model's outputs (found %d, needed 1 to %d)", call,
                     (int)beam->beams, (int)V);
  if (beam->beams > session->limits.beams)
    return error_set(CUSEQ_STATUS_INVALID_ARGUMENT,
                     "%s: beams are more than the session has room for (found %d, needed 1 to max_beams %d)",
                     call, (int)beam->beams, (int)session->limits.beams);
  if (beam->n_best < 1 || beam->n_best > beam->beams)
    return error_set(CUSEQ_STATUS_INVALID_ARGUMENT,
                     "%s: n_best is out of range (found %d, needed 1 to beams %d)", call, (int)beam->n_best,
                     (int)beam->beams);
  return CUSEQ_STATUS_OK;
}

/* Fills in the lengths that are left to the model. */
static cuseq_status lengths_resolve(const cuseq_session *session, cuseq_beam *beam) {
  if (beam->max_length == 0)
    beam->max_length = session->model->structure.decoder.steps;
  if (beam->max_length < 1 || beam->max_length > session->limits.steps)
    return error_set(CUSEQ_STATUS_INVALID_ARGUMENT,
                     "%s: max_length is out of range (found %d, needed 1 to max_steps %d)", call,
                     (int)beam->max_length, (int)session->limits.steps);
  if (beam->min_length < 0 || beam->min_length > beam->max_length)
    return error_set(CUSEQ_STATUS_INVALID_ARGUMENT,
                     "%s: min_length is out of range (found %d, needed 0 to max_length %d)", call,
                     (int)beam->min_length, (int)beam->max_length);
  return CUSEQ_STATUS_OK;
}

static cuseq_status rules_check(const cuseq_beam *beam) {
  if (beam->length_penalty != CUSEQ_LENGTH_PENALTY_NONE &&
      beam->length_penalty != CUSEQ_LENGTH_PENALTY_LENGTH &&
      beam->length_penalty != CUSEQ_LENGTH_PENALTY_GNMT)
    return error_set(CUSEQ_STATUS_INVALID_ARGUMENT, "%s: there is no such length penalty (found %d)", call,
                     (int)beam->length_penalty);
  if (beam->finished != CUSEQ_FINISHED_KEEPS && beam->finished != CUSEQ_FINISHED_RETIRES)
    return error_set(CUSEQ_STATUS_INVALID_ARGUMENT,
                     "%s: finished is neither CUSEQ_FINISHED_KEEPS nor _RETIRES (found %d)", call,
                     (int)beam->finished);
  if (!(beam->alpha >= 0 && beam->alpha <= 10))
    return error_set(CUSEQ_STATUS_INVALID_ARGUMENT, "%s: alpha is out of range (found %g, needed 0 to 10)",
                     call, (double)beam->alpha);
  return CUSEQ_STATUS_OK;
}

/* Checks everything and makes the decoding that the search begins with. */
static cuseq_status beam_check(cuseq_session *session, cuseq_beam *beam, cuseq_decoding *begin) {
  const char *reason = beam_unsearchable(session->model);
  if (reason)
    return error_set(CUSEQ_STATUS_INVALID_ARGUMENT, "%s: %s", call, reason);
  if (!session->backend->step && !session->backend->search)
    return error_set(CUSEQ_STATUS_NOT_SUPPORTED, "%s: device %s does not search", call, session->device);
  TRY(beams_check(session, beam));
  TRY(lengths_resolve(session, beam));
  TRY(rules_check(beam));
  const struct decoding_limits limits = {.model = session->model,
                                         .max_rows = session->limits.batch,
                                         .max_steps = session->limits.steps,
                                         .encoded = session->batch,
                                         .time = session->time,
                                         .is_search = true};
  const cuseq_decoding given = {.steps = beam->max_length,
                                .initial_h = beam->initial_h,
                                .initial_c = beam->initial_c,
                                .initial_fed = beam->initial_fed,
                                .previous = beam->previous,
                                .alphas = beam->alphas};
  TRY(decoding_resolve(&limits, &given, call, begin));
  TRY(arrays_of_decoding(&session->arrays, begin));
  TRY(arrays_of_beam(&session->arrays, beam));
  for (enum backend_array array = BACKEND_BEST_TOKENS; array < BACKEND_ARRAYS; array++)
    if (call_pointer(array, beam) && session->arrays.on_device[array])
      return error_set(CUSEQ_STATUS_INVALID_ARGUMENT,
                       "%s: %s: it lies in device memory (results of a search go to host memory)", call,
                       backend_array_name(array));
  return decoding_check(&limits, begin, session->arrays.on_device, session->allow_nonfinite);
}

/* ---- the search ---- */

static void gather(float *to, const float *from, size_t width, const struct search *search) {
  for (int32_t lane = 0; width > 0 && lane < search->lanes; lane++)
    memcpy(to + (size_t)lane * width, from + (size_t)search->lane_parents[lane] * width, width * sizeof *to);
}

/* One step of the model for all lanes, and of the search. */
static cuseq_status step(cuseq_session *session, const cuseq_decoding *begin, float *alphas) {
  struct beams *beams = &session->beams;
  struct search *search = &beams->search;
  const struct beam_widths widths = beam_widths(session->model);
  bool is_first = search->step == 0;
  const cuseq_decoding decoding = {.steps = 1,
                                   .batch = search->lanes,
                                   .rows = search->lane_rows,
                                   .initial_h = is_first ? begin->initial_h : beams->before.h,
                                   .initial_c = is_first ? begin->initial_c : beams->before.c,
                                   .initial_fed = is_first ? begin->initial_fed : beams->before.fed,
                                   .previous = search->lane_tokens,
                                   .final_h = beams->after.h,
                                   .final_c = beams->after.c,
                                   .final_fed = beams->after.fed,
                                   .alphas = alphas};
  TRY(session->backend->step(session->state, &decoding, beams->logs));
  search_step(search, beams->logs);
  gather(beams->before.h, beams->after.h, widths.h, search);
  gather(beams->before.c, beams->after.c, widths.c, search);
  gather(beams->before.fed, beams->after.fed, widths.fed, search);
  return CUSEQ_STATUS_OK;
}

/* The alphas of a hypothesis: of each step those of the lane that it came by. */
static void store_alphas(struct beams *beams, const struct hypothesis *found, size_t T, int32_t Y,
                         float *alphas) {
  size_t lanes = (size_t)beams->search.rows * (size_t)beams->search.rules.beams;
  int32_t length = found ? found->length : 0;
  if (found)
    search_trace(&beams->search, found, NULL, beams->trace);
  for (int32_t y = 0; y < length; y++)
    memcpy(alphas + (size_t)y * T, beams->alphas + ((size_t)y * lanes + (size_t)beams->trace[y]) * T,
           T * sizeof *alphas);
  memset(alphas + (size_t)length * T, 0, (size_t)(Y - length) * T * sizeof *alphas);
}

/* Hypothesis `found` is a row's result at place `at` of all; NULL: the row has no such. */
static void store(cuseq_session *session, const cuseq_beam *beam, const struct hypothesis *found, size_t at) {
  const struct search *search = &session->beams.search;
  int32_t Y = beam->max_length, end = search->rules.end_token, length = found ? found->length : 0;
  size_t T = (size_t)session->time;
  int32_t *tokens = beam->tokens ? beam->tokens + at * (size_t)Y : NULL;
  if (tokens && found)
    search_trace(search, found, tokens, NULL);
  for (int32_t y = length; tokens && y < Y; y++)
    tokens[y] = end >= 0 ? end : 0;
  if (beam->lengths)
    beam->lengths[at] = length;
  if (beam->scores)
    beam->scores[at] = found ? (float)found->score : -INFINITY;
  if (beam->log_probabilities)
    beam->log_probabilities[at] = found ? (float)found->sum : -INFINITY;
  if (beam->alphas)
    store_alphas(&session->beams, found, T, Y, beam->alphas + at * (size_t)Y * T);
}

static cuseq_status search_all(cuseq_session *session, const cuseq_beam *beam, const cuseq_decoding *begin) {
  const struct decoder_structure *decoder = &session->model->structure.decoder;
  struct beams *beams = &session->beams;
  struct search *search = &beams->search;
  size_t lanes = (size_t)session->batch * (size_t)beam->beams * (size_t)session->time;
  if (beam->alphas)
    TRY(beams_need_alphas(beams, size_times(lanes, (size_t)beam->max_length)));
  const struct search_rules rules = {.beams = beam->beams,
                                     .tokens = decoder->tokens,
                                     .end_token = decoder->end_token,
                                     .min_length = beam->min_length,
                                     .max_length = beam->max_length,
                                     .penalty = beam->length_penalty,
                                     .alpha = (double)beam->alpha,
                                     .retires = beam->finished == CUSEQ_FINISHED_RETIRES,
                                     .prunes_by_score = beam->prune_by_score != 0};
  search_begin(search, &rules, session->batch);
  if (session->backend->search)
    TRY(session->backend->search(session->state, search, begin, beam->alphas ? beams->alphas : NULL));
  for (int32_t b = 0; b < session->batch && search->lanes > 0; b++)
    search->lane_tokens[b] = begin->previous ? begin->previous[b] : decoder->start_token;
  while (search->lanes > 0)
    TRY(step(session, begin, beam->alphas ? beams->alphas + (size_t)search->step * lanes : NULL));
  search_finish(search);
  for (int32_t b = 0; b < session->batch; b++)
    for (int32_t n = 0; n < beam->n_best; n++)
      store(session, beam, n < search->row[b].retired_count ? &search->row[b].retired[n] : NULL,
            (size_t)b * (size_t)beam->n_best + (size_t)n);
  return CUSEQ_STATUS_OK;
}

cuseq_status cuseq_beam_search(cuseq_session *session, const cuseq_beam *beam) {
  cuseq_beam read = beam_defaults;
  cuseq_decoding begin;
  TRY(session_check_encoded(session, call));
  if (!beam)
    return error_set(CUSEQ_STATUS_INVALID_ARGUMENT, "%s: the beam is NULL", call);
  TRY(sized_read(beam, &sized_beam, call, &read));
  TRY(beam_check(session, &read, &begin));
  if (!session->beams.memory)
    TRY(beams_open(&session->beams, session->model, !session->backend->search, &session->limits));
  return session_result(session, search_all(session, &read, &begin));
}
