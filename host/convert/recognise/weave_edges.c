/* Single positions other than the last one, counted from either end: of a layer that hands on, beside what it
 * reads, the vectors that it read before, the final state has all of the last positions. Read backwards it
 * has the first ones. */
#include "convert/graph/rewrite.h"
#include "convert/recognise/hard_cell.h"
#include "convert/recognise/weave.h"
#include "error.h"

#include <string.h>

enum { MOST_PLACES = 64, MOST_MOVED = 16 };

/* A cell of `places` vectors of `width`: the newest first, the others moved on by one place. */
static cuseq_status moving_cell(struct expressions *expressions, const struct graph_node *node, int32_t width,
                                int32_t places, struct recurrent_cell *cell) {
  const size_t units = (size_t)width * (size_t)places, gates = 3 * units, candidate = 2 * units;
  TRY(hard_cell_make(expressions, node, CUSEQ_ACTIVATION_LINEAR, width, (int32_t)units, cell));
  for (size_t u = 0; u < units; u++) {
    expressions->matrices[cell->bias].data[u] = GATE_ZERO;
    expressions->matrices[cell->bias].data[units + u] = GATE_ONE; /* the reset gate */
  }
  for (size_t u = 0; u < (size_t)width; u++)
    expressions->matrices[cell->kernel].data[u * gates + candidate + u] = 1;
  for (size_t u = (size_t)width; u < units; u++)
    expressions->matrices[cell->recurrent_kernel].data[(u - (size_t)width) * gates + candidate + u] = 1;
  return CUSEQ_STATUS_OK;
}

struct edges {
  int32_t clock;
  const struct graph_node *mask; /* that other layers honour */
  const bool *reached;           /* [limit] what the outputs are made of */
  int32_t limit;
  struct moved {
    int32_t child, made; /* what is handed on, and the final state that has it */
    bool backward;
  } list[MOST_MOVED];
  int32_t count;
};

/* How many vectors are handed on for a position: as many as for the farthest one from that end that is
 * read of the same, so that one layer serves all. */
static int32_t places_of(const struct expressions *expressions, const struct edges *edges,
                         const struct expression *position) {
  int32_t most = 0;
  for (int32_t i = 0; i < edges->limit; i++) {
    const struct expression *e = expression_at(expressions, i);
    if (!edges->reached[i] || e->op != EXPRESSION_POSITION || e->clock != edges->clock ||
        e->children[0] != position->children[0] || (e->index >= 0) != (position->index >= 0))
      continue;
    const int32_t places = e->index >= 0 ? e->index + 1 : -e->index;
    most = places > most && places <= MOST_PLACES ? places : most;
  }
  return most;
}

/* The final state of a layer that hands the vectors at `most` positions on. */
static cuseq_status final_of_moving(struct expressions *expressions, const struct expression *position,
                                    struct edges *edges, int32_t child, int32_t most, int32_t *made) {
  const int32_t width = expression_at(expressions, child)->width;
  const bool backward = position->index >= 0;
  struct graph_node *node;
  for (int32_t i = 0; i < edges->count; i++)
    if (edges->list[i].child == child && edges->list[i].backward == backward) {
      *made = edges->list[i].made;
      return CUSEQ_STATUS_OK;
    }
  TRY(node_copy(expressions->arena, position->node, &node));
  struct recurrent_layer layer = {.node = node, .direction = backward ? LAYER_BACKWARD : LAYER_FORWARD};
  if (backward && most == 1) /* the first position is the row's own whatever is masked behind it */
    layer.mask = edges->mask;
  struct expression final = {.op = EXPRESSION_FINAL,
                             .part = backward ? FINAL_BACKWARD_H : FINAL_FORWARD_H,
                             .width = width * most,
                             .matrix = -1,
                             .bias = -1,
                             .node = position->node,
                             .child_count = 1,
                             .children = &child};
  TRY(moving_cell(expressions, node, width, most, &layer.directions[backward ? 1 : 0]));
  TRY(recurrent_layer_make(expressions, &layer, &final.index));
  TRY(expression_make(expressions, &final, made));
  if (edges->count < MOST_MOVED)
    edges->list[edges->count++] = (struct moved){child, *made, backward};
  return CUSEQ_STATUS_OK;
}

static cuseq_status edge_rule(struct rewrite *rewrite, int32_t expression, int32_t *made) {
  struct edges *edges = rewrite->context;
  const struct expression e = *expression_at(rewrite->expressions, expression);
  int32_t child;
  if (e.op != EXPRESSION_POSITION || e.clock != edges->clock)
    return CUSEQ_STATUS_OK;
  const int32_t most = places_of(rewrite->expressions, edges, &e);
  const int32_t places = e.index >= 0 ? e.index + 1 : -e.index;
  if (e.index == -1 && (most == 1 || edges->mask != NULL))
    return CUSEQ_STATUS_OK;
  if (places > MOST_PLACES)
    return node_refuse(e.node, "it takes position %d (cuseq can express %d from either end)", e.index,
                       MOST_PLACES);
  TRY(rewrite_run(rewrite, e.children[0], &child));
  const int32_t width = expression_at(rewrite->expressions, child)->width;
  TRY(final_of_moving(rewrite->expressions, &e, edges, child, most, made));
  return expression_slice(rewrite->expressions, *made, (places - 1) * width, width, e.node, made);
}

cuseq_status weave_edges(struct recogniser *recogniser, int32_t clock, int32_t *outputs, size_t count) {
  const struct expressions *expressions = recogniser->expressions;
  bool *reached;
  TRY(reach_list(expressions, outputs, count, &reached));
  struct edges edges = {.clock = clock, .reached = reached, .limit = expressions->count};
  for (int32_t i = 0; i < expressions->layer_count && edges.mask == NULL; i++)
    edges.mask = expressions->layers[i].mask;
  return rewrite_all(recogniser->expressions, edge_rule, &edges, outputs, count);
}
