/* The best K of many candidates, without sorting them: O(candidates), and O(log K) more for each that gets
 * in. */
#ifndef CUSEQ_SEARCH_SELECTION_H
#define CUSEQ_SEARCH_SELECTION_H

#include "cuseq/cuseq.h"

#include <stdint.h>

/* A hypothesis, by its place among its row's, and the token that it goes on with. */
struct candidate {
  double key; /* what it is ranked by */
  double sum; /* of log-probabilities */
  int32_t parent, token;
};

/* Candidates are offered in the order of their parents, then of their tokens, so that of equal ones the
 * first stays. */
struct selection {
  int32_t capacity, count;
  struct candidate items[CUSEQ_MAX_BEAMS]; /* a heap, the worst at the top */
};

/* Empties it, for the best `capacity` of what follows. */
void selection_begin(struct selection *selection, int32_t capacity);

void selection_offer(struct selection *selection, const struct candidate *candidate);

/* Offers every token of a parent.
 *   logs      [count] log-probabilities of the tokens
 *   sum       the parent's; a candidate's is sum + logs[token], and its key that divided by `divisor`,
 *     above 0
 *   excluded  a token that is not offered; -1: none */
void selection_offer_tokens(struct selection *selection, int32_t parent, double sum, double divisor,
                            const float *logs, int32_t count, int32_t excluded);

/* Puts the items in order, best first. Nothing is offered after that. */
void selection_sort(struct selection *selection);

#endif
