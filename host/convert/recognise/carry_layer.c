/* The layer that carries vectors through a decoder's steps: a GRU whose gates are shut or open. */
#include "convert/recognise/carry.h"
#include "convert/recognise/hard_cell.h"
#include "error.h"

#include <string.h>

static cuseq_status concat(struct recogniser *recogniser, const int32_t *children, int32_t count,
                           int32_t zeros, const struct graph_node *node, int32_t *made) {
  int32_t all[AFFINE_MAX_BASES + 1];
  memcpy(all, children, (size_t)count * sizeof *all);
  if (zeros > 0)
    TRY(expression_zeros(recogniser->expressions, zeros, node, &all[count++]));
  return expression_several(recogniser->expressions, EXPRESSION_CONCAT, all, count, node, made);
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
  struct recurrent_cell cell;
  TRY(hard_cell_make(expressions, node, CUSEQ_ACTIVATION_LINEAR, inputs, units, &cell));
  for (int32_t u = 0; u < units; u++)
    expressions->matrices[cell.bias].data[u] = u < carry->held_width ? GATE_ONE : GATE_ZERO;
  const size_t gates = 3 * (size_t)units, candidate = 2 * (size_t)units;
  for (int32_t u = 0; u < carry->passed_width; u++)
    expressions->matrices[cell.kernel].data[(size_t)u * gates + candidate + (size_t)(passed + u)] = 1;
  for (int32_t u = 0; u < carry->begun_width; u++) {
    expressions->matrices[cell.bias].data[units + moved + u] =
        GATE_ONE; /* the reset gate lets the state through */
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

cuseq_status carry_make(struct recogniser *recogniser, struct carry *carry) {
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
  carry->slot = children[1];
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
