/* Steps over a clock, and steps that are a graph of their own. */
#include "convert/recognise/step.h"
#include "convert/graph/rewrite.h"
#include "convert/recognise/given.h"
#include "error.h"

#include <string.h>

const struct slot *step_slot(const struct step *step, int32_t expression) {
  for (int32_t i = 0; i < step->slot_count; i++)
    if (step->slots[i].expression == expression)
      return &step->slots[i];
  return NULL;
}

cuseq_status step_add_slot(struct expressions *expressions, struct step *step, int32_t initial, int32_t next,
                           int32_t *expression) {
  const struct expression *e = expression_at(expressions, initial);
  if (step->slot_count >= STEP_MAX_SLOTS)
    return node_refuse(e->node, "a step of the decoder goes on from more than %d tensors", STEP_MAX_SLOTS);
  struct expression made = {.op = EXPRESSION_SLOT,
                            .index = step->slot_count,
                            .width = e->width,
                            .matrix = -1,
                            .bias = -1,
                            .node = e->node};
  TRY(expression_make(expressions, &made, expression));
  step->slots[step->slot_count++] = (struct slot){*expression, initial, next};
  return CUSEQ_STATUS_OK;
}

static cuseq_status make_outputs(struct recogniser *recogniser, struct rewrite *rewrite,
                                 const int32_t *outputs, int32_t count, struct step *step) {
  step->output_count = count;
  step->outputs = arena_allocate(recogniser->arena, (size_t)(count + 1) * sizeof *step->outputs);
  if (step->outputs == NULL)
    return error_out_of_memory();
  for (int32_t i = 0; i < count; i++)
    TRY(rewrite_run(rewrite, outputs[i], &step->outputs[i]));
  return CUSEQ_STATUS_OK;
}

/* ---- over a clock --------------------------------------------------------------------------------- */

struct clocked {
  struct step *step;
  uint32_t clock; /* as a set */
};

/* One step of a recurrent layer: its cell, over slots for its states. */
static cuseq_status cell_of(struct rewrite *rewrite, const struct expression *sequence, int32_t *made) {
  struct clocked *clocked = rewrite->context;
  struct expressions *expressions = rewrite->expressions;
  const struct recurrent_layer layer = expressions->layers[sequence->index];
  if (layer.direction != LAYER_FORWARD && expressions->clocks[sequence->clock].repeats)
    return node_refuse(layer.node, "it reads the decoder's steps backwards, which cuseq can express where a "
                                   "RepeatVector makes as many of them as the encoder reads positions");
  if (layer.direction != LAYER_FORWARD)
    return node_refuse(layer.node, "it reads the decoder's steps backwards, which no decoder that goes step "
                                   "by step can");
  if (layer.mask != NULL)
    clocked->step->mask = layer.mask;
  const struct recurrent_cell *cell = &layer.directions[0];
  int32_t children[3], states = cell_has_c(cell->kind) ? 2 : 1, slots;
  struct expression e = {.op = EXPRESSION_CELL,
                         .matrix = -1,
                         .bias = -1,
                         .node = layer.node,
                         .child_count = 1 + states,
                         .children = children};
  TRY(rewrite_run(rewrite, sequence->children[0], &children[0]));
  slots = clocked->step->slot_count;
  for (int32_t i = 0; i < states; i++) {
    int32_t initial = sequence->child_count > 1 ? sequence->children[1 + i] : -1;
    if (initial < 0)
      TRY(expression_zeros(expressions, cell->units, layer.node, &initial));
    TRY(step_add_slot(expressions, clocked->step, initial, -1, &children[1 + i]));
  }
  TRY(recurrent_cell_make(expressions, cell, &e.index));
  for (e.part = CELL_H; e.part <= (states == 2 ? CELL_C : CELL_H); e.part++)
    TRY(expression_make(expressions, &e, &clocked->step->slots[slots + e.part].next));
  *made = clocked->step->slots[slots].next;
  return CUSEQ_STATUS_OK;
}

static cuseq_status clock_rule(struct rewrite *rewrite, int32_t expression, int32_t *made) {
  struct clocked *clocked = rewrite->context;
  const struct expression e = *expression_at(rewrite->expressions, expression);
  if ((e.clocks & clocked->clock) == 0) {
    *made = expression;
    return CUSEQ_STATUS_OK;
  }
  bool own = (clocked->clock >> e.clock & 1) != 0;
  switch (e.op) {
  case EXPRESSION_INPUT:
    return step_add_slot(rewrite->expressions, clocked->step, expression, -1, made);
  case EXPRESSION_SEQUENCE:
    return cell_of(rewrite, &e, made);
  case EXPRESSION_REPEAT:
  case EXPRESSION_ALIGN:
    return own ? rewrite_run(rewrite, e.children[0], made) : CUSEQ_STATUS_OK;
  case EXPRESSION_SOFTMAX:
    return own ? node_refuse(e.node, "it attends to the decoder's own steps, which cuseq cannot express")
               : CUSEQ_STATUS_OK;
  case EXPRESSION_SELF_ATTENTION:
    return node_refuse(e.node, "the decoder's own steps attend to one another, which cuseq cannot express");
  case EXPRESSION_MIX:
    return node_refuse(e.node, "it is over the decoder's own steps, which cuseq cannot express");
  case EXPRESSION_REVERSE:
    return own ? node_refuse(e.node, "it turns the decoder's steps round, which cuseq cannot express")
               : CUSEQ_STATUS_OK;
  default:
    return CUSEQ_STATUS_OK;
  }
}

cuseq_status step_of_clock(struct recogniser *recogniser, const int32_t *outputs, int32_t count,
                           int32_t clock, struct step *step) {
  struct clocked clocked = {step, (uint32_t)1 << clock};
  struct rewrite rewrite;
  const struct clock *counts = &recogniser->expressions->clocks[clock];
  step->clock = clock;
  step->steps = counts->length > 0 && counts->length <= 1 << 20 ? (int32_t)counts->length : 0;
  TRY(given_clocks(recogniser, outputs, count, &clocked.clock));
  TRY(rewrite_begin(&rewrite, recogniser->expressions, 0, clock_rule, &clocked));
  cuseq_status status = make_outputs(recogniser, &rewrite, outputs, count, step);
  rewrite_end(&rewrite);
  return status;
}

/* ---- a graph of its own --------------------------------------------------------------------------- */

struct given {
  const struct recognise_request *request;
  struct step *step;
};

static cuseq_status given_rule(struct rewrite *rewrite, int32_t expression, int32_t *made) {
  const struct given *given = rewrite->context;
  const struct expression *e = expression_at(rewrite->expressions, expression);
  if (expression == given->request->token)
    return step_add_slot(rewrite->expressions, given->step, expression, -1, made);
  for (size_t i = 0; i < given->request->state_count; i++) {
    const struct graph_state *state = &given->request->states[i];
    int32_t initial = state->initial;
    if (state->before != expression)
      continue;
    if (initial < 0)
      TRY(expression_zeros(rewrite->expressions, e->width, e->node, &initial));
    return step_add_slot(rewrite->expressions, given->step, initial, state->after, made);
  }
  return CUSEQ_STATUS_OK;
}

cuseq_status step_of_states(struct recogniser *recogniser, const int32_t *outputs, int32_t count,
                            struct step *step) {
  struct given given = {recogniser->request, step};
  struct rewrite rewrite;
  step->clock = -1;
  TRY(rewrite_begin(&rewrite, recogniser->expressions, 0, given_rule, &given));
  cuseq_status status = make_outputs(recogniser, &rewrite, outputs, count, step);
  for (int32_t i = 0; status == CUSEQ_STATUS_OK && i < step->slot_count; i++)
    if (step->slots[i].next >= 0)
      status = rewrite_run(&rewrite, step->slots[i].next, &step->slots[i].next);
  rewrite_end(&rewrite);
  return status;
}
