/* What join.c makes one input of, and join_which.c finds. */
#ifndef CUSEQ_RECOGNISE_JOIN_PARTS_H
#define CUSEQ_RECOGNISE_JOIN_PARTS_H

#include "convert/graph/rewrite.h"
#include "convert/recognise/join.h"
#include "convert/recognise/recognised.h"

struct joined_input {
  int32_t expression;
  int32_t clock; /* its own, -1: it is a vector */
  int32_t offset, width;
  int32_t missing; /* positions that it has fewer than the longest */
  bool vector;     /* or a sequence of one position */
};

/* What expressions become where they stand at every position (`timed`), and elsewhere. */
struct joining {
  struct expressions *expressions;
  struct joined_input inputs[GRAPH_MOST_PARTS];
  int32_t count;
  int32_t whole; /* the one input, an expression */
  int32_t clock; /* its clock */
  int32_t clocks[MAX_CLOCKS];
  bool masked; /* something honours a mask */
  struct rewrite plain, timed;
};

static inline bool join_is_recurrent(const struct expression *e) {
  return e->op == EXPRESSION_SEQUENCE || e->op == EXPRESSION_FINAL;
}

/* Lists what is joined, in the order of the model's inputs, and says whether something is masked; count 0
 * where one input in the place of several would be something else.
 *   reached  [limit] what the outputs are made of */
void join_list(struct joining *joining, const struct recognise_request *request, const bool *reached,
               int32_t limit);

#endif
