#include "convert/recognise/written_out.h"
#include "convert/graph/lift.h"
#include "convert/graph/rewrite.h"
#include "convert/recognise/recognised.h"
#include "error.h"

#include <stdlib.h>
#include <string.h>

enum { MOST_CHAINS = 64, MOST_CELLS = 4096 };

/* A cell that is applied once for each position of a clock. */
struct cells {
  int32_t index;            /* of the cell */
  int32_t list[MOST_CELLS]; /* CELL_H, from the first one on */
  int32_t count;
  int32_t clock, lifted; /* what they read, as an expression over the clock */
  bool backward;
  int32_t sequence, final_h, final_c; /* what they become */
};

/* ---- a chain -------------------------------------------------------------------------------------- */

static bool is_start(const struct expressions *expressions, const struct expression *cell) {
  for (int32_t i = 1; i < cell->child_count; i++) {
    const struct expression *e = expression_at(expressions, cell->children[i]);
    if (e->op != EXPRESSION_ZEROS && (e->op != EXPRESSION_INPUT || e->clocks != 0))
      return false;
  }
  return true;
}

/* Whether a cell goes on from the states that `before` leaves. */
static bool follows(const struct expressions *expressions, const struct expression *cell, int32_t before) {
  const struct expression *last = expression_at(expressions, before);
  for (int32_t i = 1; i < cell->child_count; i++) {
    const struct expression *e = expression_at(expressions, cell->children[i]);
    if (e->op != EXPRESSION_CELL || e->index != last->index || e->part != (i == 1 ? CELL_H : CELL_C) ||
        memcmp(e->children, last->children, (size_t)last->child_count * sizeof *e->children) != 0)
      return false;
  }
  return true;
}

/* The cells of an index in their order; false where they are no single chain. Later ones are made later. */
static bool find_chain(const struct expressions *expressions, const bool *reached, int32_t limit,
                       struct cells *cells) {
  cells->count = 0;
  for (int32_t i = 0; i < limit; i++) {
    const struct expression *e = expression_at(expressions, i);
    if (!reached[i] || e->op != EXPRESSION_CELL || e->part != CELL_H || e->index != cells->index)
      continue;
    const bool next =
        cells->count == 0 ? is_start(expressions, e) : follows(expressions, e, cells->list[cells->count - 1]);
    if (!next || cells->count >= MOST_CELLS)
      return false;
    cells->list[cells->count++] = i;
  }
  return cells->count > 1;
}

/* What the cells read, position by position, forwards or backwards. */
static cuseq_status lift_inputs(struct expressions *expressions, struct cells *cells) {
  int32_t *inputs = malloc((size_t)cells->count * sizeof *inputs);
  if (inputs == NULL)
    return error_out_of_memory();
  cells->lifted = -1;
  cuseq_status status = CUSEQ_STATUS_OK;
  for (int backward = 0; backward < 2 && status == CUSEQ_STATUS_OK && cells->lifted < 0; backward++) {
    cells->backward = backward == 1;
    for (int32_t k = 0; k < cells->count; k++)
      inputs[backward ? cells->count - 1 - k : k] = expression_at(expressions, cells->list[k])->children[0];
    status = expression_lift(expressions, inputs, cells->count, &cells->lifted, &cells->clock);
  }
  free(inputs);
  return status;
}

static cuseq_status note_states(const struct expressions *expressions, struct notes *notes,
                                const struct cells *cells) {
  const struct expression *first = expression_at(expressions, cells->list[0]);
  for (int32_t i = 1; i < first->child_count; i++) {
    const struct expression *e = expression_at(expressions, first->children[i]);
    if (e->op == EXPRESSION_INPUT)
      TRY(notes_add(notes, "input '%.100s', an initial state of the encoder, is taken as zeros",
                    e->node->name));
  }
  return CUSEQ_STATUS_OK;
}

/* The layer of a cell's node, which is found again where the cells are met again; one that there is already
 * and that is another one stays what it is. */
static cuseq_status enter_layer(struct expressions *expressions, const struct recurrent_cell *cell,
                                bool backward, int32_t *index) {
  const int direction = backward ? 1 : 0;
  struct recurrent_layer layer = {.node = cell->node, .direction = backward ? LAYER_BACKWARD : LAYER_FORWARD};
  layer.directions[direction] = *cell;
  TRY(recurrent_layer_make(expressions, &layer, index));
  const struct recurrent_layer *found = &expressions->layers[*index];
  if (found->direction == layer.direction && found->directions[direction].kernel == cell->kernel)
    return CUSEQ_STATUS_OK;
  struct graph_node *node;
  TRY(node_copy(expressions->arena, cell->node, &node));
  layer.node = node;
  return recurrent_layer_make(expressions, &layer, index);
}

static cuseq_status make_layer(struct expressions *expressions, struct cells *cells) {
  const struct recurrent_cell cell = expressions->cells[cells->index];
  struct expression made = {.op = EXPRESSION_SEQUENCE,
                            .part = SEQUENCE_MERGED,
                            .width = cell.units,
                            .matrix = -1,
                            .bias = -1,
                            .node = cell.node,
                            .child_count = 1,
                            .children = &cells->lifted};
  TRY(enter_layer(expressions, &cell, cells->backward, &made.index));
  TRY(expression_make(expressions, &made, &cells->sequence));
  made.op = EXPRESSION_FINAL;
  made.part = cells->backward ? FINAL_BACKWARD_H : FINAL_FORWARD_H;
  TRY(expression_make(expressions, &made, &cells->final_h));
  made.part++;
  return cell_has_c(cell.kind) ? expression_make(expressions, &made, &cells->final_c) : CUSEQ_STATUS_OK;
}

/* ---- in its place --------------------------------------------------------------------------------- */

static cuseq_status cells_rule(struct rewrite *rewrite, int32_t expression, int32_t *made) {
  const struct cells *cells = rewrite->context;
  const struct expression e = *expression_at(rewrite->expressions, expression);
  if (e.op != EXPRESSION_CELL || e.index != cells->index)
    return CUSEQ_STATUS_OK;
  for (int32_t k = 0; k < cells->count; k++) {
    const struct expression *of_chain = expression_at(rewrite->expressions, cells->list[k]);
    if (memcmp(of_chain->children, e.children, (size_t)e.child_count * sizeof *e.children) != 0)
      continue;
    const bool last = k + 1 == cells->count;
    if (last)
      *made = e.part == CELL_H ? cells->final_h : cells->final_c;
    else if (e.part == CELL_H)
      return expression_position(rewrite->expressions, cells->clock,
                                 cells->backward ? cells->count - 1 - k : k, cells->sequence, e.node, made);
    return CUSEQ_STATUS_OK;
  }
  return CUSEQ_STATUS_OK;
}

static cuseq_status replace(struct expressions *expressions, struct cells *cells, int32_t *outputs,
                            size_t count) {
  return rewrite_all(expressions, cells_rule, cells, outputs, count);
}

/* One chain that is left in the outputs; *found false: there is none. */
static cuseq_status lift_one(struct expressions *expressions, struct notes *notes, struct cells *cells,
                             int32_t *outputs, size_t count, bool *found) {
  const int32_t limit = expressions->count;
  bool *reached;
  *found = false;
  TRY(reach_list(expressions, outputs, count, &reached));
  for (cells->index = 0; cells->index < expressions->cell_count && !*found; cells->index++) {
    if (!find_chain(expressions, reached, limit, cells))
      continue;
    TRY(lift_inputs(expressions, cells));
    if (cells->lifted < 0)
      continue;
    *found = true;
    TRY(note_states(expressions, notes, cells));
    TRY(make_layer(expressions, cells));
    return replace(expressions, cells, outputs, count);
  }
  return CUSEQ_STATUS_OK;
}

cuseq_status written_out_lift_list(struct expressions *expressions, struct notes *notes, int32_t *list,
                                   size_t count, bool *found) {
  struct cells *cells = malloc(sizeof *cells);
  bool more = true;
  *found = false;
  if (cells == NULL)
    return error_out_of_memory();
  cuseq_status status = CUSEQ_STATUS_OK;
  for (int chain = 0; status == CUSEQ_STATUS_OK && more && chain < MOST_CHAINS; chain++) {
    status = lift_one(expressions, notes, cells, list, count, &more);
    *found = *found || more;
  }
  free(cells);
  return status;
}

/* ---- outputs -------------------------------------------------------------------------------------- */

/* Outputs that are one for each position, or one that has them as steps, are one over the positions. */
static cuseq_status join_outputs(struct recognise_request *request, struct graph_output *outputs) {
  struct expressions *expressions = request->expressions;
  const struct expression steps = *expression_at(expressions, outputs[0].value.expression);
  const bool joined = request->output_count == 1 && steps.op == EXPRESSION_STEPS;
  const int32_t count = joined ? steps.child_count : (int32_t)request->output_count;
  int32_t *list = arena_allocate(expressions->arena, (size_t)count * sizeof *list), lifted, clock;
  if (list == NULL)
    return error_out_of_memory();
  for (int32_t i = 0; i < count; i++)
    list[i] = joined ? steps.children[i] : outputs[i].value.expression;
  TRY(expression_lift(expressions, list, count, &lifted, &clock));
  if (lifted < 0)
    return CUSEQ_STATUS_OK;
  const int32_t width = expression_at(expressions, lifted)->width;
  request->output_count = 1;
  outputs[0].value = (struct value){.expression = lifted,
                                    .axis_count = 3,
                                    .axes = {{AXIS_BATCH, -1, 0},
                                             {AXIS_TIME, count, clock},
                                             {width == 1 ? AXIS_REPEAT : AXIS_FEATURE, width, 0}}};
  return CUSEQ_STATUS_OK;
}

cuseq_status written_out_lift(struct recognise_request *request, bool *found) {
  struct arena *arena = request->expressions->arena;
  struct graph_output *outputs = arena_allocate(arena, request->output_count * sizeof *outputs);
  int32_t *ends = arena_allocate(arena, request->output_count * sizeof *ends);
  *found = false;
  if (outputs == NULL || ends == NULL)
    return error_out_of_memory();
  for (size_t i = 0; i < request->output_count; i++)
    ends[i] = request->outputs[i].value.expression;
  if (request->state_count == 0)
    TRY(written_out_lift_list(request->expressions, request->notes, ends, request->output_count, found));
  for (size_t i = 0; i < request->output_count; i++) {
    outputs[i] = request->outputs[i];
    outputs[i].value.expression = ends[i];
  }
  if (*found)
    TRY(join_outputs(request, outputs));
  request->outputs = outputs;
  return CUSEQ_STATUS_OK;
}
