/* The heads of a model that have labels, and how probable each label is: what `classify` and `tag` share. */
#ifndef CUSEQ_CLI_LABELLED_H
#define CUSEQ_CLI_LABELLED_H

#include "cuseq/cuseq.h"

struct labelled_head {
  int32_t index; /* among the model's heads */
  cuseq_head head;
};

struct labelled {
  const cuseq_model *model;
  struct labelled_head *heads; /* [count] */
  int32_t count;
  int32_t most;          /* labels of the head that has most of them */
  double *probabilities; /* [most] of the head that was asked last */
};

/* Returns an exit status; release it with labelled_free in any case. */
int labelled_make(struct labelled *labelled, const cuseq_model *model);
void labelled_free(struct labelled *labelled);

const char *labelled_name(const struct labelled *labelled, int32_t i, int32_t label);

/* Fills in the probabilities of head `i`'s labels.
 *   outputs  [V] of all heads, of a text or a token */
void labelled_judge(struct labelled *labelled, int32_t i, const float *outputs);

/* The most probable label of those probabilities, of equal ones the first; among those that come after `last`
 * in this order, where last is a label and not -1. */
int32_t labelled_next(const struct labelled *labelled, int32_t i, int32_t last);

#endif
