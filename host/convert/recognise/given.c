#include "convert/recognise/given.h"
#include "convert/recognise/join.h"
#include "error.h"

#include <stdio.h>

bool given_is_numbers(const struct recogniser *recogniser, const bool *reached, int32_t limit,
                      const struct slot *slot) {
  const struct expressions *expressions = recogniser->expressions;
  const struct step *step = &recogniser->model->decoder.step;
  const int32_t width = expression_at(expressions, slot->expression)->width;
  if (recogniser->request->given_numbers == NULL || slot->next >= 0)
    return false;
  for (int32_t i = slot->expression; i < limit; i++) {
    const struct expression *e = expression_at(expressions, i);
    if (reached[i] && e->op == EXPRESSION_EMBEDDING && e->children[0] == slot->expression)
      return false;
  }
  for (int32_t i = 0; i < step->output_count; i++) {
    const struct expression *output = expression_at(expressions, step->outputs[i]);
    if (output->op == EXPRESSION_CLASSES && output->width == width && width > 1)
      return false;
  }
  return true;
}

/* Which of the model's inputs a given slot is an element of. */
static int32_t input_of(const struct recogniser *recogniser, int32_t slot) {
  const struct step *step = &recogniser->model->decoder.step;
  return expression_at(recogniser->expressions, step_slot(step, slot)->initial)->index;
}

/* Adds a slot to the bases, by its input. */
static cuseq_status add_sorted(struct recogniser *recogniser, int32_t slot) {
  struct found_decoder *decoder = &recogniser->model->decoder;
  struct bases *given = &decoder->given;
  const struct expression *e = expression_at(recogniser->expressions, slot);
  if (!bases_add(given, slot))
    return node_refuse(e->node, "each step of the decoder is given too many tensors");
  decoder->given_width += e->width;
  for (int32_t i = given->count - 1;
       i > 0 && input_of(recogniser, given->list[i]) < input_of(recogniser, given->list[i - 1]); i--) {
    const int32_t kept = given->list[i];
    given->list[i] = given->list[i - 1];
    given->list[i - 1] = kept;
  }
  return CUSEQ_STATUS_OK;
}

static cuseq_status note(struct recogniser *recogniser) {
  const struct found_decoder *decoder = &recogniser->model->decoder;
  char steps[24] = "steps", columns[64] = "";
  if (decoder->step.steps > 0)
    snprintf(steps, sizeof steps, "%d", decoder->step.steps);
  for (int32_t i = 0, at = 0; i < decoder->given.count; i++) {
    const struct expression *e = expression_at(recogniser->expressions, decoder->given.list[i]);
    if (decoder->given.count > 1)
      snprintf(columns, sizeof columns, "columns %d to %d of ", at, at + e->width - 1);
    TRY(notes_add(
        recogniser->notes,
        "input '%.100s' is %swhat every step of the decoder is given: give it as given [batch, %s, %d]",
        e->node->name, columns, steps, decoder->given_width));
    at += e->width;
  }
  return CUSEQ_STATUS_OK;
}

cuseq_status given_find(struct recogniser *recogniser, const bool *reached, int32_t limit) {
  struct found_decoder *decoder = &recogniser->model->decoder;
  const struct step *step = &decoder->step;
  decoder->given = (struct bases){.count = 0};
  decoder->given_width = 0;
  for (int32_t i = 0; i < step->slot_count; i++)
    if (reached[step->slots[i].expression] && step->slots[i].expression != decoder->token_slot &&
        given_is_numbers(recogniser, reached, limit, &step->slots[i]))
      TRY(add_sorted(recogniser, step->slots[i].expression));
  if (decoder->given.count == 0)
    return CUSEQ_STATUS_OK;
  *recogniser->request->given_numbers = true;
  if (step->mask != NULL && decoder->token < 0)
    return node_refuse(step->mask, "it masks steps of what the decoder is given, which cuseq cannot express");
  return note(recogniser);
}

/* ---- several sequences ---------------------------------------------------------------------------- */

cuseq_status given_clocks(struct recogniser *recogniser, const int32_t *outputs, int32_t count,
                          uint32_t *clocks) {
  const struct expressions *expressions = recogniser->expressions;
  bool *reached;
  if (recogniser->request->given_numbers == NULL)
    return CUSEQ_STATUS_OK;
  TRY(reach_list(expressions, outputs, (size_t)count, &reached));
  for (uint32_t before = 0; before != *clocks;) {
    before = *clocks;
    for (int32_t i = 0; i < expressions->count; i++) {
      const struct expression *e = expression_at(expressions, i);
      const uint32_t both =
          reached[i] && e->op == EXPRESSION_ALIGN ? (uint32_t)1 << e->clock | (uint32_t)1 << e->index : 0;
      *clocks |= (both & *clocks) != 0 ? both : 0;
    }
  }
  return CUSEQ_STATUS_OK;
}

cuseq_status given_refuse_joined(struct recogniser *recogniser, const struct step *step) {
  int32_t *ends = arena_allocate(recogniser->arena,
                                 (size_t)(step->output_count + 2 * step->slot_count + 1) * sizeof *ends);
  size_t count = 0;
  if (ends == NULL)
    return error_out_of_memory();
  for (int32_t i = 0; i < step->output_count; i++)
    ends[count++] = step->outputs[i];
  for (int32_t i = 0; i < step->slot_count; i++) {
    ends[count++] = step->slots[i].initial;
    if (step->slots[i].next >= 0)
      ends[count++] = step->slots[i].next;
  }
  return join_refuse(recogniser->request, ends, count);
}

cuseq_status given_refuse_unstepped(struct recogniser *recogniser) {
  const struct recognise_request *request = recogniser->request;
  int32_t *ends = arena_allocate(recogniser->arena, (request->output_count + 1) * sizeof *ends);
  if (ends == NULL)
    return error_out_of_memory();
  for (size_t i = 0; i < request->output_count; i++)
    ends[i] = request->outputs[i].value.expression;
  return join_refuse(request, ends, request->output_count);
}
