/* The part of launch.h, which includes this file, for beam search on the device: what host/search does
 * between two steps of a model, for all rows at once. What launch.h says of pointers, launchers and errors
 * holds here as well.
 *
 * A row has K lanes, lane b K + i for the hypothesis in place i of its beam; lanes of hypotheses that have
 * ended, or that are not there, idle. After a step of the model for all lanes come
 *   launch_search_candidates   the best K tokens of each lane
 *   launch_search_step         the best K of all that a row's hypotheses may become, and what becomes of them
 *   launch_search_gather       states go to the lanes that go on from them
 * and nothing of it waits for the host. Ranks, ties and ends are those of host/search/search.c. */
#ifndef CUSEQ_KERNELS_LAUNCH_SEARCH_H
#define CUSEQ_KERNELS_LAUNCH_SEARCH_H

#include "kernels/launch.h"

#ifdef __cplusplus
extern "C" {
#endif

/* As struct hypothesis of host/search/search.h, but for its score. */
struct search_hypothesis {
  double sum;
  int32_t length, last, lane, is_finished;
};

/* What is searched for. In device memory, so that one graph serves all searches of a shape. */
struct search_settings {
  int32_t end_token; /* -1: none */
  int32_t min_length, max_length;
  int32_t retires;
  int32_t start_token; /* where `previous` is NULL */
};

struct search_candidate {
  float log;
  int32_t token;
};

enum { SEARCH_MOST_BEAMS = 64 };

/* All arrays of a search; device memory, 8-byte aligned. */
struct search_arrays {
  int32_t rows, beams, tokens, time; /* B, K, V, T */
  const struct search_settings *d_settings;
  const double *d_divisors;                /* [length], what keys of hypotheses of a length are divided by */
  const int32_t *d_lengths;                /* [B] positions of each row, or NULL: T */
  const int32_t *d_previous;               /* [B] the tokens to begin after, or NULL: the start token */
  const float *d_logs;                     /* [B K,V] log-probabilities after each lane */
  const float *d_alphas;                   /* [B K,T] of the step; NULL: none */
  struct search_candidate *d_candidates;   /* [B K,K] */
  struct search_hypothesis *d_beam;        /* [B,K] */
  struct search_hypothesis *d_retired;     /* [B,2 K] */
  int32_t *d_beam_count, *d_retired_count; /* [B] */
  int32_t *d_live;                         /* [B] lanes that go on */
  int32_t *d_step;                         /* [1] steps that have been made */
  int64_t step_stride;                     /* of the choices: those of step y are at y * step_stride */
  int32_t *d_chosen_tokens, *d_chosen_after, *d_chosen_lanes;
  float *d_all_alphas; /* [steps,B K,T] or NULL */
  /* of lanes */
  int32_t *d_lane_rows;    /* [B K] the row of each */
  int32_t *d_lane_parents; /* [B K] whose state it goes on from */
  int32_t *d_lane_tokens;  /* [B K] what it goes on with */
  int32_t *d_running;      /* [B K] 1: it is live */
  int32_t *d_attended;     /* [B K] positions that it attends to, 0 where it is not live */
};

/* One live hypothesis a row, of no tokens. */
cuseq_status launch_search_begin(const struct search_arrays *arguments, const struct launch_stream *stream);
cuseq_status launch_search_candidates(const struct search_arrays *arguments,
                                      const struct launch_stream *stream);
cuseq_status launch_search_step(const struct search_arrays *arguments, const struct launch_stream *stream);

/* States of the lanes, one after the other [B K,width]: each lane takes its parent's, in place. Counts the
 * step. */
enum { SEARCH_STATES = 4 };
struct search_gather {
  int32_t rows, beams;
  const int32_t *d_lane_parents;
  struct {
    float *d_state; /* NULL: none */
    int32_t width;
  } states[SEARCH_STATES];
  int32_t *d_step;
};
cuseq_status launch_search_gather(const struct search_gather *arguments, const struct launch_stream *stream);

#ifdef __cplusplus
}
#endif

#endif
