/* Vectors that a decoder reads and that are the same at every step: the encoder's last state under a
 * RepeatVector, beside the tokens or alone. A structure has no part for them. It has states, which begin
 * with what the encoder gives, and a GRU whose update gate is 1 keeps its state as it is, exactly: so a
 * layer in front carries the vector. In the same layer, units whose update gate is 0 pass on what else the
 * step reads.
 *
 * An attention that such a vector asks, and no state of the decoder's, asks by that layer: its context is the
 * same at every step, too.
 *
 * And vectors that a step hands to the next and that do not begin with zeros, as a forecast does that reads
 * what it has forecast, the last known number first. In a structure they begin with zeros, and so the same
 * layer adds what they begin with at the first step: it is the state of some units, moves on to others, and
 * is gone. */
#include "convert/recognise/carry.h"
#include "convert/graph/rewrite.h"
#include "error.h"

#include <string.h>

/* ---- what is read --------------------------------------------------------------------------------- */

/* The next cell behind another one, from the lowest on; -1: there is none. */
static int32_t next_cell(const struct recogniser *recogniser, const bool *reached, int32_t limit,
                         int32_t before) {
  for (int32_t i = before + 1; i < limit; i++) {
    const struct expression *e = expression_at(recogniser->expressions, i);
    if (reached[i] && e->op == EXPRESSION_CELL && e->part == CELL_H)
      return i;
  }
  return -1;
}

/* Whether a slot is a vector that begins with what the encoder gives, and is neither a state nor a token. */
static bool is_begun(const struct recogniser *recogniser, const struct slot *slot) {
  const struct expressions *expressions = recogniser->expressions;
  const struct expression *next =
      slot != NULL && slot->next >= 0 ? expression_at(expressions, slot->next) : NULL;
  if (next == NULL || initial_is_zero(expressions, slot->initial) || next->op == EXPRESSION_CELL ||
      next->op == EXPRESSION_CONTEXT || next->op == EXPRESSION_EMBEDDING || next->op == EXPRESSION_ARGMAX)
    return false;
  if (token_is_probabilities(recogniser, slot) && token_input(expressions, slot) != NULL)
    return false; /* a token's, which the caller says */
  const enum expression_op from = expression_at(expressions, slot->initial)->op;
  return from != EXPRESSION_CONSTANT && from != EXPRESSION_EMBEDDING && !token_follows(expressions, slot);
}

static cuseq_status sort_leaves(struct recogniser *recogniser, struct carry *carry) {
  const struct expressions *expressions = recogniser->expressions;
  struct bases none = {.count = 0}, leaves;
  TRY(affine_leaves(expressions, expression_at(expressions, carry->cell)->children[0], &none, leaves.list,
                    AFFINE_MAX_BASES, &leaves.count));
  for (int32_t i = 0; i < leaves.count; i++) {
    const struct expression *e = expression_at(expressions, leaves.list[i]);
    const struct slot *slot = step_slot(carry->step, leaves.list[i]);
    bool of_step;
    if (is_begun(recogniser, slot)) {
      TRY(decoder_check_fed(recogniser, slot));
      bases_add(&carry->begun, leaves.list[i]);
      carry->initial.list[carry->initial.count++] = slot->initial;
      carry->begun_width += e->width;
      continue;
    }
    TRY(reaches_op(recogniser->expressions, leaves.list[i], EXPRESSION_SLOT, &of_step));
    bool context =
        e->op == EXPRESSION_CONTEXT ||
        (slot != NULL && slot->next >= 0 && expression_at(expressions, slot->next)->op == EXPRESSION_CONTEXT);
    if (!of_step && !context)
      carry->held_width += bases_add(&carry->held, leaves.list[i]) ? e->width : 0;
    else if (!context)
      carry->passed_width += bases_add(&carry->passed, leaves.list[i]) ? e->width : 0;
  }
  return CUSEQ_STATUS_OK;
}

/* What a vector comes from: a layer's hidden states or its cell states, or something else, which is alike to
 * nothing. Nor is what goes through an activation. */
enum { FROM_NOTHING = -1, FROM_OTHERS = -2 };

static int32_t source_of(const struct expressions *expressions, int32_t expression, int depth) {
  const struct expression *e = expression_at(expressions, expression);
  if (e->op == EXPRESSION_FINAL)
    return 2 * e->index + (e->part == FINAL_FORWARD_C || e->part == FINAL_BACKWARD_C);
  if (e->op == EXPRESSION_ACTIVATION || e->op == EXPRESSION_POSITION || e->op == EXPRESSION_INPUT ||
      depth > 32)
    return FROM_OTHERS;
  int32_t source = FROM_NOTHING;
  for (int32_t i = 0; i < e->child_count; i++) {
    const int32_t of = source_of(expressions, e->children[i], depth + 1);
    if (of != FROM_NOTHING)
      source = source == FROM_NOTHING || source == of ? of : FROM_OTHERS;
  }
  return source;
}

/* A layer's initial state is made of one layer's states, by one activation: what does not come from where the
 * first vector does is passed on, to a layer of its own in front of this one. */
static void keep_alike(const struct expressions *expressions, struct carry *carry) {
  struct bases held = {.count = 0}, begun = {.count = 0}, initial = {.count = 0};
  int32_t source = FROM_NOTHING;
  const int32_t all = carry->held.count + carry->begun.count;
  carry->held_width = carry->begun_width = 0;
  for (int32_t i = 0; i < all; i++) {
    const bool fed = i >= carry->held.count;
    const int32_t at = fed ? i - carry->held.count : i;
    const int32_t vector = fed ? carry->begun.list[at] : carry->held.list[at];
    const int32_t from = source_of(expressions, fed ? carry->initial.list[at] : vector, 0);
    const int32_t width = expression_at(expressions, vector)->width;
    const bool alike = held.count + begun.count == 0 || (from == source && from >= 0);
    if (!alike)
      carry->passed_width += bases_add(&carry->passed, vector) ? width : 0;
    if (alike && held.count + begun.count == 0)
      source = from;
    if (alike && fed) {
      begun.list[begun.count++] = vector;
      initial.list[initial.count++] = carry->initial.list[at];
      carry->begun_width += width;
    } else if (alike) {
      held.list[held.count++] = vector;
      carry->held_width += width;
    }
  }
  carry->held = held;
  carry->begun = begun;
  carry->initial = initial;
}

/* What asks the step's attention, where nothing of the step does. */
static cuseq_status sort_queries(struct recogniser *recogniser, const bool *reached, int32_t limit,
                                 struct carry *carry) {
  const struct expressions *expressions = recogniser->expressions;
  struct bases queries = {.count = 0};
  for (int32_t i = 0; i < limit; i++) {
    const struct expression *e = expression_at(expressions, i);
    if (!reached[i] || e->op != EXPRESSION_CONTEXT)
      continue;
    const struct expression *weights = expression_at(expressions, e->children[0]);
    TRY(attention_queries(recogniser, weights->children[0], &queries));
  }
  for (int32_t i = 0; i < queries.count; i++) {
    bool of_step, of_input;
    TRY(reaches_op(recogniser->expressions, queries.list[i], EXPRESSION_SLOT, &of_step));
    TRY(reaches_op(recogniser->expressions, queries.list[i], EXPRESSION_FINAL, &of_input));
    if (of_step)
      carry->asking.count = 0;
    if (of_step)
      return CUSEQ_STATUS_OK;
    if (of_input)
      bases_add(&carry->asking, queries.list[i]);
  }
  for (int32_t i = 0; i < carry->asking.count; i++)
    carry->held_width += bases_add(&carry->held, carry->asking.list[i])
                             ? expression_at(expressions, carry->asking.list[i])->width
                             : 0;
  return CUSEQ_STATUS_OK;
}

/* ---- in its place --------------------------------------------------------------------------------- */

/* The part of the carrier that an expression is among others, which lie there from `at` on; -1: none. */
static cuseq_status part_of(struct rewrite *rewrite, const struct bases *list, int32_t whole,
                            int32_t expression, int32_t at, int32_t *made) {
  *made = -1;
  for (int32_t i = 0; i < list->count; i++) {
    const struct expression *e = expression_at(rewrite->expressions, list->list[i]);
    if (list->list[i] == expression)
      return expression_slice(rewrite->expressions, whole, at, e->width, e->node, made);
    at += e->width;
  }
  return CUSEQ_STATUS_OK;
}

/* The first layer's input over the carrier. */
static cuseq_status input_rule(struct rewrite *rewrite, int32_t expression, int32_t *made) {
  const struct carry *carry = rewrite->context;
  const int32_t moved = carry->held_width + carry->begun_width, passed = moved + carry->begun_width;
  const struct expression *e = expression_at(rewrite->expressions, expression);
  int32_t first, later = -1;
  TRY(part_of(rewrite, &carry->begun, carry->carrier, expression, moved, &first));
  if (first >= 0) {
    const int32_t slots = carry->passed.count - carry->begun.count;
    for (int32_t i = 0; i < carry->begun.count; i++)
      if (carry->begun.list[i] == expression)
        TRY(part_of(rewrite, &carry->passed, carry->carrier, carry->passed.list[slots + i], passed, &later));
    return expression_binary(rewrite->expressions, EXPRESSION_ADD, first, later, e->node, made);
  }
  TRY(part_of(rewrite, &carry->held, carry->carrier, expression, 0, made));
  if (*made < 0)
    TRY(part_of(rewrite, &carry->passed, carry->carrier, expression, passed, made));
  if (*made >= 0)
    return CUSEQ_STATUS_OK;
  e = expression_at(rewrite->expressions, expression);
  if (e->op == EXPRESSION_CONTEXT || e->op == EXPRESSION_SLOT)
    *made = expression;
  return CUSEQ_STATUS_OK;
}

static cuseq_status cell_rule(struct rewrite *rewrite, int32_t expression, int32_t *made) {
  const struct carry *carry = rewrite->context;
  const struct expression e = *expression_at(rewrite->expressions, expression);
  const struct expression *old = expression_at(rewrite->expressions, carry->cell);
  if (e.op != EXPRESSION_CELL || e.index != old->index || e.child_count != old->child_count ||
      memcmp(e.children, old->children, (size_t)e.child_count * sizeof *e.children) != 0)
    return CUSEQ_STATUS_OK;
  struct expression cell = *expression_at(rewrite->expressions, carry->new_cell);
  cell.part = e.part;
  return expression_make(rewrite->expressions, &cell, made);
}

/* The attention is asked by the carrier's state. */
static cuseq_status asking_rule(struct rewrite *rewrite, int32_t expression, int32_t *made) {
  const struct carry *carry = rewrite->context;
  return bases_have(&carry->asking, expression)
             ? part_of(rewrite, &carry->held, carry->slot, expression, 0, made)
             : CUSEQ_STATUS_OK;
}

static cuseq_status rewrite_step(struct recogniser *recogniser, struct carry *carry, rewrite_rule rule) {
  struct rewrite rewrite;
  TRY(rewrite_begin(&rewrite, recogniser->expressions, 0, rule, carry));
  cuseq_status status = CUSEQ_STATUS_OK;
  for (int32_t i = 0; status == CUSEQ_STATUS_OK && i < carry->step->output_count; i++)
    status = rewrite_run(&rewrite, carry->step->outputs[i], &carry->step->outputs[i]);
  for (int32_t i = 0; status == CUSEQ_STATUS_OK && i < carry->step->slot_count; i++)
    if (carry->step->slots[i].next >= 0)
      status = rewrite_run(&rewrite, carry->step->slots[i].next, &carry->step->slots[i].next);
  rewrite_end(&rewrite);
  return status;
}

static cuseq_status replace_cell(struct recogniser *recogniser, struct carry *carry) {
  struct expressions *expressions = recogniser->expressions;
  struct expression cell = *expression_at(expressions, carry->cell);
  struct rewrite rewrite;
  int32_t children[3];
  memcpy(children, cell.children, (size_t)cell.child_count * sizeof *children);
  TRY(rewrite_begin(&rewrite, expressions, 0, input_rule, carry));
  cuseq_status status = rewrite_run(&rewrite, cell.children[0], &children[0]);
  rewrite_end(&rewrite);
  TRY(status);
  cell.children = children;
  TRY(expression_make(expressions, &cell, &carry->new_cell));
  TRY(rewrite_step(recogniser, carry, cell_rule));
  return carry->asking.count > 0 ? rewrite_step(recogniser, carry, asking_rule) : CUSEQ_STATUS_OK;
}

/* ---- behind the last layer ------------------------------------------------------------------------ */

/* What an output reads that is the same at every step, and the one cell whose state it reads.
 *   carry  both counts stay 0 where it reads no such thing, or of several cells */
static cuseq_status sort_output(struct recogniser *recogniser, int32_t output, struct carry *carry) {
  const struct expressions *expressions = recogniser->expressions;
  struct bases none = {.count = 0}, leaves;
  int32_t cells = 0;
  if (network_leaves(recogniser, output, &none, &leaves) != CUSEQ_STATUS_OK)
    return CUSEQ_STATUS_OK; /* who reads the output says why */
  for (int32_t i = 0; i < leaves.count; i++) {
    const struct expression *e = expression_at(expressions, leaves.list[i]);
    bool of_step;
    TRY(reaches_op(recogniser->expressions, leaves.list[i], EXPRESSION_SLOT, &of_step));
    if (!of_step && e->op != EXPRESSION_CONTEXT)
      carry->held_width += bases_add(&carry->held, leaves.list[i]) ? e->width : 0;
    if (e->op != EXPRESSION_CELL || e->part != CELL_H)
      continue;
    cells++;
    carry->passed_width += bases_add(&carry->passed, leaves.list[i]) ? e->width : 0;
  }
  if (cells != 1)
    carry->held.count = 0;
  return CUSEQ_STATUS_OK;
}

/* An output that reads such vectors beside the last layer's state reads a layer behind it, which has both. */
static cuseq_status carry_output(struct recogniser *recogniser, struct step *step, int32_t *output) {
  struct carry carry = {.step = step};
  struct rewrite rewrite;
  TRY(sort_output(recogniser, *output, &carry));
  if (carry.held.count == 0)
    return CUSEQ_STATUS_OK;
  carry.cell = carry.passed.list[0];
  TRY(carry_make(recogniser, &carry));
  TRY(rewrite_begin(&rewrite, recogniser->expressions, 0, input_rule, &carry));
  cuseq_status status = rewrite_run(&rewrite, *output, output);
  rewrite_end(&rewrite);
  return status;
}

/* Puts a layer in front of a cell that reads such vectors, or in front of the first one where they ask.
 *   done  receives whether there is one */
static cuseq_status carry_cell(struct recogniser *recogniser, struct step *step, const bool *reached,
                               int32_t limit, int32_t cell, bool first, bool *done) {
  struct carry carry = {.step = step, .cell = cell};
  TRY(sort_leaves(recogniser, &carry));
  keep_alike(recogniser->expressions, &carry);
  if (first && carry.begun.count == 0)
    TRY(sort_queries(recogniser, reached, limit, &carry));
  *done = carry.held.count + carry.begun.count > 0;
  if (!*done)
    return CUSEQ_STATUS_OK;
  TRY(carry_make(recogniser, &carry));
  return replace_cell(recogniser, &carry);
}

cuseq_status step_carry(struct recogniser *recogniser) {
  struct step *step = &recogniser->model->decoder.step;
  if (step->output_count == 1) { /* the cells that the output is made of are not yet others */
    const int32_t before = step->outputs[0];
    TRY(carry_output(recogniser, step, &step->outputs[0]));
    for (int32_t i = 0; i < step->slot_count; i++)
      if (step->slots[i].next == before &&
          expression_at(recogniser->expressions, before)->op == EXPRESSION_CLASSES)
        step->slots[i].next = step->outputs[0];
  }
  for (int number = 0; number < STRUCTURE_MAX_DECODER_LAYERS; number++) {
    const int32_t limit = recogniser->expressions->count;
    bool *reached, done = false;
    TRY(reach_step(recogniser, step, &reached));
    int32_t cell = next_cell(recogniser, reached, limit, -1);
    for (bool first = true; cell >= 0 && !done; first = false) {
      TRY(carry_cell(recogniser, step, reached, limit, cell, first, &done));
      cell = done ? cell : next_cell(recogniser, reached, limit, cell);
    }
    if (!done)
      return CUSEQ_STATUS_OK;
  }
  return CUSEQ_STATUS_OK;
}
