/* Vectors that a decoder reads and that are the same at every step: the encoder's last state under a
 * RepeatVector, beside the tokens or alone. A structure has no part for them. It has states, which begin
 * with what the encoder gives, and a GRU whose update gate is 1 keeps its state as it is, exactly: so a
 * layer in front carries the vector. In the same layer, units whose update gate is 0 pass on what else the
 * step reads.
 *
 * And vectors that a step hands to the next and that do not begin with zeros, as a forecast does that reads
 * what it has forecast, the last known number first. In a structure they begin with zeros, and so the same
 * layer adds what they begin with at the first step: it is the state of some units, moves on to others, and
 * is gone. */
#include "convert/graph/rewrite.h"
#include "convert/recognise/recognised.h"
#include "error.h"

#include <string.h>

/* hard_sigmoid(x) is exactly 1 from 3 on, and exactly 0 from -3 on. */
static const float shut = 8.0F;

struct carry {
  struct step *step;
  int32_t cell;         /* the first layer's CELL_H */
  struct bases held;    /* what is the same at every step */
  struct bases begun;   /* slots that do not begin with zeros, and what they begin with */
  struct bases initial; /* of each of them */
  struct bases passed; /* what else is read; behind it the slots, as they would be if they began with zeros */
  int32_t held_width, begun_width, passed_width;
  int32_t carrier;  /* the new layer's CELL_H: of what is held, begun, begun and moved on, passed */
  int32_t new_cell; /* the first layer's, over that */
};

/* ---- what is read --------------------------------------------------------------------------------- */

/* The cell that no other one is below of. */
static int32_t first_cell(const struct recogniser *recogniser, const bool *reached, int32_t limit) {
  for (int32_t i = 0; i < limit; i++) {
    const struct expression *e = expression_at(recogniser->expressions, i);
    if (reached[i] && e->op == EXPRESSION_CELL && e->part == CELL_H)
      return i;
  }
  return -1;
}

/* Whether something of the step is in an expression. */
static cuseq_status is_of_step(struct recogniser *recogniser, int32_t expression, bool *is) {
  int32_t count = recogniser->expressions->count;
  bool *reached = arena_allocate(recogniser->arena, (size_t)count);
  if (reached == NULL)
    return error_out_of_memory();
  TRY(reach(recogniser->expressions, expression, reached, count));
  *is = false;
  for (int32_t i = 0; i < count; i++)
    *is = *is || (reached[i] && expression_at(recogniser->expressions, i)->op == EXPRESSION_SLOT);
  return CUSEQ_STATUS_OK;
}

/* Whether a slot is a vector that begins with what the encoder gives, and is neither a state nor a token. */
static bool is_begun(const struct expressions *expressions, const struct slot *slot) {
  const struct expression *next =
      slot != NULL && slot->next >= 0 ? expression_at(expressions, slot->next) : NULL;
  if (next == NULL || initial_is_zero(expressions, slot->initial) || next->op == EXPRESSION_CELL ||
      next->op == EXPRESSION_CONTEXT || next->op == EXPRESSION_EMBEDDING || next->op == EXPRESSION_ARGMAX)
    return false;
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
    if (is_begun(expressions, slot)) {
      bases_add(&carry->begun, leaves.list[i]);
      carry->initial.list[carry->initial.count++] = slot->initial;
      carry->begun_width += e->width;
      continue;
    }
    TRY(is_of_step(recogniser, leaves.list[i], &of_step));
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

/* ---- the layer ------------------------------------------------------------------------------------ */

static cuseq_status concat(struct recogniser *recogniser, const int32_t *children, int32_t count,
                           int32_t zeros, const struct graph_node *node, int32_t *made) {
  int32_t all[AFFINE_MAX_BASES + 1];
  memcpy(all, children, (size_t)count * sizeof *all);
  if (zeros > 0)
    TRY(expression_zeros(recogniser->expressions, zeros, node, &all[count++]));
  struct expression e = {
      .op = EXPRESSION_CONCAT, .matrix = -1, .bias = -1, .node = node, .child_count = count, .children = all};
  return expression_make(recogniser->expressions, &e, made);
}

/* What the carrying layer's state begins with. Behind what is held and begun there is room for what is passed
 * on, where any number does; an activation over what is held goes over all. */
static cuseq_status make_initial(struct recogniser *recogniser, const struct carry *carry, int32_t *initial) {
  const int32_t room = carry->begun_width + carry->passed_width;
  struct bases both = carry->held;
  for (int32_t i = 0; i < carry->initial.count; i++) {
    if (both.count >= AFFINE_MAX_BASES)
      return node_refuse(expression_at(recogniser->expressions, carry->cell)->node,
                         "it reads too many vectors of the encoder's");
    both.list[both.count++] = carry->initial.list[i];
  }
  const struct expression first = *expression_at(recogniser->expressions, both.list[0]);
  if (both.count > 1 || first.op != EXPRESSION_ACTIVATION)
    return concat(recogniser, both.list, both.count, room, first.node, initial);
  TRY(concat(recogniser, first.children, 1, room, first.node, initial));
  return expression_unary(recogniser->expressions, EXPRESSION_ACTIVATION, first.part, *initial, first.node,
                          initial);
}

static cuseq_status make_cell(struct recogniser *recogniser, const struct carry *carry, int32_t inputs,
                              const struct graph_node *node, int32_t *index) {
  struct expressions *expressions = recogniser->expressions;
  const int32_t moved = carry->held_width + carry->begun_width, passed = moved + carry->begun_width;
  const int32_t units = passed + carry->passed_width;
  struct recurrent_cell cell = {.node = node,
                                .kind = CELL_GRU,
                                .reset_after = true,
                                .units = units,
                                .activation = CUSEQ_ACTIVATION_LINEAR,
                                .recurrent_activation = CUSEQ_ACTIVATION_HARD_SIGMOID,
                                .recurrent_bias = -1};
  bool found;
  TRY(matrix_make(expressions, NULL, 0, inputs, 3 * (int64_t)units, &cell.kernel, &found));
  TRY(matrix_make(expressions, NULL, 0, units, 3 * (int64_t)units, &cell.recurrent_kernel, &found));
  TRY(matrix_make(expressions, NULL, 0, 1, 3 * (int64_t)units, &cell.bias, &found));
  for (int32_t u = 0; u < units; u++)
    expressions->matrices[cell.bias].data[u] = u < carry->held_width ? shut : -shut;
  const size_t gates = 3 * (size_t)units, candidate = 2 * (size_t)units;
  for (int32_t u = 0; u < carry->passed_width; u++)
    expressions->matrices[cell.kernel].data[(size_t)u * gates + candidate + (size_t)(passed + u)] = 1;
  for (int32_t u = 0; u < carry->begun_width; u++) {
    expressions->matrices[cell.bias].data[units + moved + u] =
        shut; /* the reset gate lets the state through */
    expressions->matrices[cell.recurrent_kernel]
        .data[(size_t)(carry->held_width + u) * gates + candidate + (size_t)(moved + u)] = 1;
  }
  return recurrent_cell_make(expressions, &cell, index);
}

/* The slots that do not begin with zeros, as if they did, are passed on. */
static cuseq_status pass_begun(struct recogniser *recogniser, struct carry *carry) {
  for (int32_t i = 0; i < carry->begun.count; i++) {
    const struct expression e = *expression_at(recogniser->expressions, carry->begun.list[i]);
    int32_t zeros, slot;
    TRY(expression_zeros(recogniser->expressions, e.width, e.node, &zeros));
    TRY(step_add_slot(recogniser->expressions, carry->step, zeros,
                      step_slot(carry->step, carry->begun.list[i])->next, &slot));
    if (!bases_add(&carry->passed, slot))
      return node_refuse(e.node, "the decoder reads it together with too many other tensors");
    carry->passed_width += e.width;
  }
  return CUSEQ_STATUS_OK;
}

static cuseq_status make_carrier(struct recogniser *recogniser, struct carry *carry) {
  struct expressions *expressions = recogniser->expressions;
  struct graph_node *node;
  int32_t children[2] = {-1, -1}, initial = -1;
  const int32_t named = carry->held.count > 0 ? carry->held.list[0] : carry->initial.list[0];
  TRY(node_copy(recogniser->arena, expression_at(expressions, named)->node, &node));
  TRY(pass_begun(recogniser, carry));
  if (carry->passed.count > 0)
    TRY(concat(recogniser, carry->passed.list, carry->passed.count, 0, node, &children[0]));
  else
    TRY(expression_zeros(expressions, 1, node, &children[0]));
  TRY(make_initial(recogniser, carry, &initial));
  int32_t slot = carry->step->slot_count;
  TRY(step_add_slot(expressions, carry->step, initial, -1, &children[1]));
  struct expression made = {.op = EXPRESSION_CELL,
                            .part = CELL_H,
                            .matrix = -1,
                            .bias = -1,
                            .node = node,
                            .child_count = 2,
                            .children = children};
  TRY(make_cell(recogniser, carry, expression_at(expressions, children[0])->width, node, &made.index));
  TRY(expression_make(expressions, &made, &carry->carrier));
  carry->step->slots[slot].next = carry->carrier;
  return CUSEQ_STATUS_OK;
}

/* ---- in its place --------------------------------------------------------------------------------- */

/* The part of the carrier that an expression is among others, which lie there from `at` on; -1: none. */
static cuseq_status part_of(struct rewrite *rewrite, const struct bases *list, int32_t expression, int32_t at,
                            int32_t *made) {
  const struct carry *carry = rewrite->context;
  *made = -1;
  for (int32_t i = 0; i < list->count; i++) {
    const struct expression *e = expression_at(rewrite->expressions, list->list[i]);
    if (list->list[i] == expression)
      return expression_slice(rewrite->expressions, carry->carrier, at, e->width, e->node, made);
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
  TRY(part_of(rewrite, &carry->begun, expression, moved, &first));
  if (first >= 0) {
    const int32_t slots = carry->passed.count - carry->begun.count;
    for (int32_t i = 0; i < carry->begun.count; i++)
      if (carry->begun.list[i] == expression)
        TRY(part_of(rewrite, &carry->passed, carry->passed.list[slots + i], passed, &later));
    return expression_binary(rewrite->expressions, EXPRESSION_ADD, first, later, e->node, made);
  }
  TRY(part_of(rewrite, &carry->held, expression, 0, made));
  if (*made < 0)
    TRY(part_of(rewrite, &carry->passed, expression, passed, made));
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
  TRY(rewrite_begin(&rewrite, expressions, 0, cell_rule, carry));
  for (int32_t i = 0; status == CUSEQ_STATUS_OK && i < carry->step->output_count; i++)
    status = rewrite_run(&rewrite, carry->step->outputs[i], &carry->step->outputs[i]);
  for (int32_t i = 0; status == CUSEQ_STATUS_OK && i < carry->step->slot_count; i++)
    if (carry->step->slots[i].next >= 0)
      status = rewrite_run(&rewrite, carry->step->slots[i].next, &carry->step->slots[i].next);
  rewrite_end(&rewrite);
  return status;
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
    TRY(is_of_step(recogniser, leaves.list[i], &of_step));
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
  TRY(make_carrier(recogniser, &carry));
  TRY(rewrite_begin(&rewrite, recogniser->expressions, 0, input_rule, &carry));
  cuseq_status status = rewrite_run(&rewrite, *output, output);
  rewrite_end(&rewrite);
  return status;
}

cuseq_status step_carry(struct recogniser *recogniser) {
  struct carry carry = {.step = &recogniser->model->decoder.step};
  bool *reached;
  int32_t limit = recogniser->expressions->count;
  TRY(reach_step(recogniser, carry.step, &reached));
  if (carry.step->output_count == 1)
    TRY(carry_output(recogniser, carry.step, &carry.step->outputs[0]));
  carry.cell = first_cell(recogniser, reached, limit);
  if (carry.cell < 0)
    return CUSEQ_STATUS_OK;
  TRY(sort_leaves(recogniser, &carry));
  if (carry.held.count + carry.begun.count == 0)
    return CUSEQ_STATUS_OK;
  TRY(make_carrier(recogniser, &carry));
  return replace_cell(recogniser, &carry);
}
