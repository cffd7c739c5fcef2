/* States that begin with zeros under two names: an input of the model that the first attention asks by, and
 * the zeros of a cell that is given no initial state. They go on as one state, and are one. */
#include "convert/graph/rewrite.h"
#include "convert/recognise/recognised.h"
#include "convert/recognise/step.h"
#include "error.h"

/* The whole step with one slot in the place of the other. */
static cuseq_status replace(struct recogniser *recogniser, struct step *step, struct replacement *merging) {
  struct rewrite rewrite;
  TRY(rewrite_begin(&rewrite, recogniser->expressions, step->slots[0].expression, replacement_rule, merging));
  cuseq_status status = CUSEQ_STATUS_OK;
  for (int32_t i = 0; status == CUSEQ_STATUS_OK && i < step->output_count; i++)
    status = rewrite_run(&rewrite, step->outputs[i], &step->outputs[i]);
  for (int32_t i = 0; status == CUSEQ_STATUS_OK && i < step->slot_count; i++)
    if (step->slots[i].next >= 0)
      status = rewrite_run(&rewrite, step->slots[i].next, &step->slots[i].next);
  rewrite_end(&rewrite);
  return status;
}

/* Slot `other` becomes slot `kept`. An input among the two stays, to be told of as one that is taken as
 * zeros. */
static cuseq_status merge(struct recogniser *recogniser, struct step *step, int32_t kept, int32_t other) {
  struct replacement merging = {step->slots[other].expression, step->slots[kept].expression};
  const int32_t initial = step->slots[other].initial;
  if (expression_at(recogniser->expressions, step->slots[kept].initial)->op == EXPRESSION_ZEROS)
    step->slots[kept].initial = initial;
  else
    TRY(initial_note_zero(recogniser, initial));
  for (int32_t i = other; i + 1 < step->slot_count; i++)
    step->slots[i] = step->slots[i + 1];
  step->slot_count--;
  return replace(recogniser, step, &merging);
}

cuseq_status step_merge_zeros(struct recogniser *recogniser, struct step *step) {
  const struct expressions *expressions = recogniser->expressions;
  for (int32_t i = 0; i < step->slot_count; i++)
    for (int32_t k = i + 1; k < step->slot_count; k++) {
      const struct slot *a = &step->slots[i], *b = &step->slots[k];
      if (a->next < 0 || a->next != b->next || !initial_is_zero(expressions, a->initial) ||
          !initial_is_zero(expressions, b->initial))
        continue;
      TRY(merge(recogniser, step, i, k));
      k = i;
    }
  return CUSEQ_STATUS_OK;
}
