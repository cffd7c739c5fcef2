/* Beam search, apart from the model: which hypotheses live. It knows tokens, log-probabilities, parents
 * and lengths; what makes the log-probabilities is the caller's.
 *
 * A lane is a live hypothesis whose next token is looked for. A search begins with one lane a row. The
 * caller makes a step of the model for every lane - attending to row lane_rows[i], after token
 * lane_tokens[i], from the state in which the step before left lane lane_parents[i] - and hands over the
 * log-probabilities of all tokens; search_step() then says which lanes come next. */
#ifndef CUSEQ_SEARCH_SEARCH_H
#define CUSEQ_SEARCH_SEARCH_H

#include "cuseq/cuseq.h"
#include "search/selection.h"

#include <stdbool.h>
#include <stddef.h>

/* What a search has room for. */
struct search_limits {
  int32_t rows, beams, steps;
};

/* What is searched for; cuseq_beam says what each means. */
struct search_rules {
  int32_t beams;     /* K, at most the limits' */
  int32_t tokens;    /* V */
  int32_t end_token; /* -1: none */
  int32_t min_length, max_length;
  cuseq_length_penalty penalty;
  double alpha;
  bool retires, prunes_by_score;
};

struct hypothesis {
  double sum;     /* of the log-probabilities of its tokens */
  double score;   /* that after length normalisation: of results */
  int32_t length; /* with the end token */
  int32_t last;   /* where its last token is, among those chosen in step `length` - 1 */
  int32_t lane;   /* of a live one */
  bool is_finished;
};

/* A row's hypotheses. */
struct search_row {
  struct hypothesis *beam;    /* [K] live ones, and finished ones that keep their place; best first */
  struct hypothesis *retired; /* [2 K]; after search_finish() the row's results, best first */
  int32_t beam_count, retired_count;
  bool is_live; /* it has lanes */
};

struct search {
  struct search_limits limits;
  struct search_rules rules;
  int32_t rows, step;
  int32_t lanes;
  int32_t *lane_rows, *lane_tokens, *lane_parents; /* [rows x K] */
  struct search_row *row;                          /* [rows] */
  struct hypothesis *hypotheses;                   /* [rows, 3 K] of all rows */
  /* [steps, rows x K] what was chosen in each step: a token, after which of the choices of the step
   * before, and which lane it was a choice of */
  int32_t *chosen_tokens, *chosen_after, *chosen_lanes;
  struct selection selection;
};

/* The memory that a search of these limits needs beside the structure itself; SIZE_MAX where that cannot
 * be counted. */
size_t search_size(const struct search_limits *limits);

/* Makes a search in such memory, aligned as malloc's is. */
void search_make(struct search *search, const struct search_limits *limits, void *memory);

/* Begins a search of `rows` rows: one lane each. lane_tokens and lane_parents do not count yet. */
void search_begin(struct search *search, const struct search_rules *rules, int32_t rows);

/* Takes the log-probabilities that the model gave after the lanes, [lanes, V], and makes the next lanes.
 * None are left when the search has ended: then comes search_finish(). */
void search_step(struct search *search, const float *logs);

/* What the sum of a hypothesis of that length is divided by while hypotheses are pruned. */
double search_pruning_divisor(const struct search_rules *rules, int32_t length);

/* Ranks what was found: each row's `retired` are its results, best first. There may be fewer than K. */
void search_finish(struct search *search);

/* How a hypothesis came about: fills tokens and lanes [length], the lane being that of the step that gave
 * the token. Either may be NULL. */
void search_trace(const struct search *search, const struct hypothesis *hypothesis, int32_t *tokens,
                  int32_t *lanes);

#endif
