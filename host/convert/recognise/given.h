/* Numbers that a decoder is given at every step, as forecasts are what is known of the days to come. */
#ifndef CUSEQ_RECOGNISE_GIVEN_H
#define CUSEQ_RECOGNISE_GIVEN_H

#include "convert/recognise/recognised.h"

/* Whether a slot is given numbers: neither ids that are looked up, nor tokens one-hot, which are as wide as
 * the classes that the step gives.
 *   reached  [limit] what the step is made of */
bool given_is_numbers(const struct recogniser *recogniser, const bool *reached, int32_t limit,
                      const struct slot *slot);

/* Finds what the step is given, side by side in the order of the model's inputs, and says how it is to be
 * given.
 *   reached  as above */
cuseq_status given_find(struct recogniser *recogniser, const bool *reached, int32_t limit);

/* Adds to a clock, as a set, those whose positions belong to it one by one. */
cuseq_status given_clocks(struct recogniser *recogniser, const int32_t *outputs, int32_t count,
                          uint32_t *clocks);

/* Refuses sequences that were to be joined position by position: what is left of them in a step, or all of a
 * model that makes no steps. */
cuseq_status given_refuse_unstepped(struct recogniser *recogniser);
cuseq_status given_refuse_joined(struct recogniser *recogniser, const struct step *step);

#endif
