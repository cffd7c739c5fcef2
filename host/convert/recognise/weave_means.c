/* Means of a sequence of known length that a decoder begins with or reads: the final state of a layer that
 * adds up what it reads, divided by the length. */
#include "convert/graph/rewrite.h"
#include "convert/recognise/hard_cell.h"
#include "convert/recognise/weave.h"
#include "error.h"

/* h + x: a GRU whose update gate is 0 and whose reset gate is 1, with unit matrices for its candidate. */
static cuseq_status adding_cell(struct expressions *expressions, const struct graph_node *node, int32_t width,
                                struct recurrent_cell *cell) {
  const size_t units = (size_t)width, gates = 3 * units, candidate = 2 * units;
  TRY(hard_cell_make(expressions, node, CUSEQ_ACTIVATION_LINEAR, width, width, cell));
  for (size_t u = 0; u < units; u++) {
    expressions->matrices[cell->bias].data[u] = GATE_ZERO;
    expressions->matrices[cell->bias].data[units + u] = GATE_ONE;
    expressions->matrices[cell->kernel].data[u * gates + candidate + u] = 1;
    expressions->matrices[cell->recurrent_kernel].data[u * gates + candidate + u] = 1;
  }
  return CUSEQ_STATUS_OK;
}

static cuseq_status mean_rule(struct rewrite *rewrite, int32_t expression, int32_t *made) {
  struct expressions *expressions = rewrite->expressions;
  const int32_t *clock = rewrite->context;
  const struct expression e = *expression_at(expressions, expression);
  const int64_t length = expressions->clocks[*clock].length;
  int32_t child;
  if (e.op != EXPRESSION_POOL || e.part != POOL_MEAN || e.masked || e.clock != *clock)
    return CUSEQ_STATUS_OK;
  if (length < 1)
    return node_refuse(e.node,
                       "the decoder reads a mean over a sequence of any length (cuseq can express that of "
                       "a known one)");
  TRY(rewrite_run(rewrite, e.children[0], &child));
  struct graph_node *node;
  TRY(node_copy(expressions->arena, e.node, &node));
  struct recurrent_layer layer = {.node = node, .direction = LAYER_FORWARD};
  struct expression final = {.op = EXPRESSION_FINAL,
                             .part = FINAL_FORWARD_H,
                             .width = e.width,
                             .matrix = -1,
                             .bias = -1,
                             .node = e.node,
                             .child_count = 1,
                             .children = &child};
  TRY(adding_cell(expressions, node, e.width, &layer.directions[0]));
  TRY(recurrent_layer_make(expressions, &layer, &final.index));
  TRY(expression_make(expressions, &final, made));
  return expression_scale(expressions, *made, 1.0 / (double)length, e.node, made);
}

cuseq_status weave_means_of(struct expressions *expressions, int32_t clock, int32_t *list, size_t count) {
  return rewrite_all(expressions, mean_rule, &clock, list, count);
}

cuseq_status weave_means(struct recogniser *recogniser, int32_t clock, int32_t *outputs, size_t count) {
  bool decoder;
  TRY(weave_has_decoder(recogniser, outputs, count, &decoder));
  return decoder ? weave_means_of(recogniser->expressions, clock, outputs, count) : CUSEQ_STATUS_OK;
}
