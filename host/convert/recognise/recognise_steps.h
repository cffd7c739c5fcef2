/* The decoder's steps in a graph that repeats them. */
#ifndef CUSEQ_RECOGNISE_STEPS_H
#define CUSEQ_RECOGNISE_STEPS_H

#include "convert/recognise/recognised.h"

struct decoder_step {
  int32_t cell;    /* the expression of its hidden state; -1 in an attention-only model, which has no cell */
  int32_t output;  /* what the model gives of it */
  int32_t context; /* what the attention gives it; -1 until that is known */
};

/* Whether an output is a softmax over classes. */
bool output_is_softmax(const struct expressions *expressions, int32_t output);

/* The hidden state that one layer makes an output of; -1: it is not made so. */
int32_t output_state(const struct expressions *expressions, int32_t output);

/* Follows the cell's states back from the outputs. The outputs must be those of all steps, in their order.
 *   steps  receives [count] steps, the first one first, from the arena */
cuseq_status steps_find(struct recogniser *recogniser, const int32_t *outputs, int32_t output_count,
                        struct decoder_step **steps, int32_t *count);

/* Checks that every step computes from the state before it what the first one computes from the initial state. */
cuseq_status steps_compare(struct recogniser *recogniser, const struct decoder_step *steps, int32_t count);

#endif
