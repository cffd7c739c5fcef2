/* One step of a decoder: whatever way a graph says its steps, this is what becomes of them before anything
 * is recognised in it. A step is made of expressions over
 *   slots          what the step before left - states, an attentional vector, the chosen token - or what the
 *                  caller gives at every step: EXPRESSION_SLOT
 *   anything else  that is the same at every step: annotations, the encoder's final states, constants
 * and cells are EXPRESSION_CELL over them. */
#ifndef CUSEQ_RECOGNISE_STEP_H
#define CUSEQ_RECOGNISE_STEP_H

#include "convert/recognise/recognise.h"

enum { STEP_MAX_SLOTS = 64 };

struct slot {
  int32_t expression; /* its EXPRESSION_SLOT */
  int32_t initial; /* what it is at the first step; of a given one, the sequence that it is an element of */
  int32_t next;    /* the step's expression that it is at the step after; -1: it is given */
};

/* What the caller gives at every step where the graph takes it from one position after the other: an
 * expression over a sequence, and what it is in the step, over given slots. */
struct opened {
  int32_t timed, clock, made;
};

struct step {
  int32_t opened_count;
  struct opened opened[STEP_MAX_SLOTS];
  int32_t output_count;
  int32_t *outputs; /* one for each of the model's outputs */
  int32_t slot_count;
  struct slot slots[STEP_MAX_SLOTS];
  int32_t steps;                 /* 0: as many as the caller gives tokens */
  int32_t clock;                 /* of the steps in the graph, or -1 */
  const struct graph_node *mask; /* of a layer over given tokens, or NULL */
};

struct recogniser;

/* The step of steps that are written out one after the other; checks that all do the same.
 *   outputs  [count] what the model gives of step 1, 2, ... */
cuseq_status step_of_unrolled(struct recogniser *recogniser, const int32_t *outputs, int32_t count,
                              struct step *step);

/* The step of outputs over a clock of given tokens or repetitions.
 *   outputs  [count] the model's outputs */
cuseq_status step_of_clock(struct recogniser *recogniser, const int32_t *outputs, int32_t count,
                           int32_t clock, struct step *step);

/* The step of a graph that is one, by the request's states. */
cuseq_status step_of_states(struct recogniser *recogniser, const int32_t *outputs, int32_t count,
                            struct step *step);

/* Makes one slot of states that begin with zeros and go on as the same state. */
cuseq_status step_merge_zeros(struct recogniser *recogniser, struct step *step);

/* Adds a slot. */
cuseq_status step_add_slot(struct expressions *expressions, struct step *step, int32_t initial, int32_t next,
                           int32_t *expression);

/* The slot of an expression, or NULL. */
const struct slot *step_slot(const struct step *step, int32_t expression);

/* What an expression of the step is at each of the graph's written out steps.
 *   values  [steps] receives expressions */
cuseq_status step_values(struct recogniser *recogniser, const struct step *step, int32_t expression,
                         int32_t *values);

#endif
