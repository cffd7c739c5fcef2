/* An autoencoder repeats its encoder's last state for as many steps as it has positions, and its decoder may
 * read them both ways, which no decoder that goes step by step can. Over the encoder's positions its layers
 * are layers of the encoder, once the last state is at every position: a layer that reads the other way meets
 * it first, and a GRU whose update gate opens for the first position alone keeps it, exactly. */
#include "convert/recognise/level.h"
#include "convert/graph/rewrite.h"
#include "convert/recognise/hard_cell.h"
#include "convert/recognise/recognised.h"
#include "convert/recognise/weave.h"
#include "error.h"

enum { MOST_KEPT = 16 };

struct levelling {
  struct recognise_request *request;
  int32_t positions; /* the encoder's clock */
  uint32_t steps;    /* the clocks of repetitions, as a set */
  bool failed;
  int32_t kept[MOST_KEPT][2]; /* a final state, and what it is at every position */
  int32_t kept_count;
  int32_t apart[MOST_KEPT][2]; /* a layer that merges its directions, and one that has them side by side */
  int32_t apart_count;
};

/* ---- a final state at every position -------------------------------------------------------------- */

/* Of `units` elements, and one more that is 1 behind the first position that is read. */
static cuseq_status make_cell(struct expressions *expressions, const struct graph_node *node, int32_t units,
                              struct recurrent_cell *cell) {
  const int32_t all = units + 1;
  const size_t gates = 3 * (size_t)all, candidate = 2 * (size_t)all;
  TRY(hard_cell_make(expressions, node, CUSEQ_ACTIVATION_LINEAR, units, all, cell));
  float *kernel = expressions->matrices[cell->kernel].data, *bias = expressions->matrices[cell->bias].data;
  float *recurrent = expressions->matrices[cell->recurrent_kernel].data;
  for (int32_t u = 0; u < units; u++) {
    kernel[(size_t)u * gates + candidate + (size_t)u] = 1;
    recurrent[(size_t)units * gates + (size_t)u] = 2 * GATE_ONE;
  }
  for (int32_t u = 0; u < all; u++)
    bias[u] = GATE_ZERO;
  bias[candidate + (size_t)units] = 1;
  return CUSEQ_STATUS_OK;
}

/* A layer whose directions can be read one by one: the same, or one beside it with the same cells. */
static cuseq_status take_apart(struct levelling *levelling, int32_t *index) {
  struct expressions *expressions = levelling->request->expressions;
  struct recurrent_layer layer = expressions->layers[*index];
  struct graph_node *node;
  if (layer.direction != LAYER_BIDIRECTIONAL || layer.apart || layer.merge == CUSEQ_MERGE_CONCAT)
    return CUSEQ_STATUS_OK;
  for (int32_t i = 0; i < levelling->apart_count; i++)
    if (levelling->apart[i][0] == *index) {
      *index = levelling->apart[i][1];
      return CUSEQ_STATUS_OK;
    }
  const int32_t merged = *index;
  TRY(node_copy(expressions->arena, layer.node, &node));
  layer.node = node;
  layer.merge = CUSEQ_MERGE_CONCAT;
  TRY(recurrent_layer_make(expressions, &layer, index));
  levelling->apart[levelling->apart_count][0] = merged;
  levelling->apart[levelling->apart_count++][1] = *index;
  return CUSEQ_STATUS_OK;
}

/* The sequence whose end a final state is: of a layer, or of one of its directions. */
static cuseq_status sequence_of(struct levelling *levelling, const struct expression *final, int32_t *made) {
  struct expressions *expressions = levelling->request->expressions;
  struct expression e = *final;
  const bool both = expressions->layers[e.index].direction == LAYER_BIDIRECTIONAL;
  TRY(take_apart(levelling, &e.index));
  e.op = EXPRESSION_SEQUENCE;
  e.part = !both ? SEQUENCE_MERGED : final->part == FINAL_FORWARD_H ? SEQUENCE_FORWARD : SEQUENCE_BACKWARD;
  return expression_make(expressions, &e, made);
}

static cuseq_status keep(struct levelling *levelling, int32_t expression, int32_t *made) {
  struct expressions *expressions = levelling->request->expressions;
  const struct expression final = *expression_at(expressions, expression);
  const bool hidden = final.part == FINAL_FORWARD_H || final.part == FINAL_BACKWARD_H;
  for (int32_t i = 0; i < levelling->kept_count; i++)
    if (levelling->kept[i][0] == expression) {
      *made = levelling->kept[i][1];
      return CUSEQ_STATUS_OK;
    }
  *made = expression;
  if (!hidden || levelling->kept_count >= MOST_KEPT || expressions->layers[final.index].mask != NULL ||
      final.clock != levelling->positions) {
    levelling->failed = true;
    return CUSEQ_STATUS_OK;
  }
  struct graph_node *node;
  int32_t sequence;
  TRY(node_copy(expressions->arena, final.node, &node));
  TRY(sequence_of(levelling, &final, &sequence));
  const bool forward = final.part == FINAL_BACKWARD_H;
  struct recurrent_layer layer = {.node = node, .direction = forward ? LAYER_FORWARD : LAYER_BACKWARD};
  struct expression e = {.op = EXPRESSION_SEQUENCE,
                         .part = SEQUENCE_MERGED,
                         .width = final.width + 1,
                         .matrix = -1,
                         .bias = -1,
                         .node = node,
                         .child_count = 1,
                         .children = &sequence};
  TRY(make_cell(expressions, node, final.width, &layer.directions[forward ? 0 : 1]));
  TRY(recurrent_layer_make(expressions, &layer, &e.index));
  TRY(expression_make(expressions, &e, made));
  TRY(expression_slice(expressions, *made, 0, final.width, node, made));
  levelling->kept[levelling->kept_count][0] = expression;
  levelling->kept[levelling->kept_count++][1] = *made;
  return CUSEQ_STATUS_OK;
}

/* A vector that is repeated, at every position. */
static cuseq_status vector_rule(struct rewrite *rewrite, int32_t expression, int32_t *made) {
  struct levelling *levelling = rewrite->context;
  const struct expression *e = expression_at(rewrite->expressions, expression);
  if (e->op == EXPRESSION_FINAL)
    return keep(levelling, expression, made);
  levelling->failed = levelling->failed || e->op == EXPRESSION_INPUT || e->op == EXPRESSION_CONTEXT ||
                      e->op == EXPRESSION_POOL || e->op == EXPRESSION_POSITION || e->op == EXPRESSION_FLAT ||
                      e->op == EXPRESSION_CELL;
  if (levelling->failed)
    *made = expression;
  return CUSEQ_STATUS_OK;
}

/* ---- layers over positions ------------------------------------------------------------------------ */

static cuseq_status steps_rule(struct rewrite *rewrite, int32_t expression, int32_t *made) {
  struct levelling *levelling = rewrite->context;
  const struct expression e = *expression_at(rewrite->expressions, expression);
  const uint32_t positions = (uint32_t)1 << levelling->positions;
  /* of two clocks at once, as an attention's energies are, they would be one */
  levelling->failed =
      levelling->failed || ((e.clocks & levelling->steps) != 0 && (e.clocks & positions) != 0);
  levelling->failed =
      levelling->failed || (expression_names_clock(&e) && (levelling->steps >> e.clock & 1) != 0);
  if (levelling->failed) {
    *made = expression;
    return CUSEQ_STATUS_OK;
  }
  if (e.op != EXPRESSION_REPEAT || (levelling->steps >> e.clock & 1) == 0)
    return CUSEQ_STATUS_OK;
  struct rewrite vector;
  int32_t child = e.children[0];
  if (rewrite->expressions->clocks[levelling->positions].length > 0)
    TRY(weave_means_of(rewrite->expressions, levelling->positions, &child, 1));
  TRY(rewrite_begin(&vector, rewrite->expressions, 0, vector_rule, levelling));
  cuseq_status status = rewrite_run(&vector, child, made);
  rewrite_end(&vector);
  return status;
}

/* The encoder's clock, and those of repetitions that are as long. */
static cuseq_status find_clocks(struct levelling *levelling, bool *found) {
  const struct recognise_request *request = levelling->request;
  const struct expressions *expressions = request->expressions;
  const int32_t limit = expressions->count;
  bool *reached = arena_allocate(expressions->arena, (size_t)limit);
  uint32_t used = 0;
  if (reached == NULL)
    return error_out_of_memory();
  for (size_t i = 0; i < request->output_count; i++)
    TRY(reach(expressions, request->outputs[i].value.expression, reached, limit));
  for (int32_t i = 0; i < limit; i++)
    used |= reached[i] ? expression_at(expressions, i)->clocks : 0;
  *found = false;
  levelling->positions = -1;
  for (int32_t c = 0; c < expressions->clock_count; c++) {
    if ((used >> c & 1) == 0)
      continue;
    if (expressions->clocks[c].repeats)
      levelling->steps |= (uint32_t)1 << c;
    else if (levelling->positions >= 0)
      return CUSEQ_STATUS_OK;
    else
      levelling->positions = c;
  }
  *found = levelling->steps != 0 && levelling->positions >= 0;
  for (int32_t c = 0; *found && c < expressions->clock_count; c++)
    *found = (levelling->steps >> c & 1) == 0 ||
             expressions->clocks[c].length == expressions->clocks[levelling->positions].length;
  return CUSEQ_STATUS_OK;
}

cuseq_status level(const struct recognise_request *request, struct recognise_request *levelled, bool *done) {
  struct expressions *expressions = request->expressions;
  struct levelling levelling = {.request = levelled};
  struct graph_output *outputs = arena_allocate(expressions->arena, request->output_count * sizeof *outputs);
  struct rewrite rewrite;
  *levelled = *request;
  *done = false;
  if (outputs == NULL)
    return error_out_of_memory();
  if (request->state_count == 0)
    TRY(find_clocks(&levelling, done));
  if (!*done)
    return CUSEQ_STATUS_OK;
  TRY(rewrite_begin(&rewrite, expressions, 0, steps_rule, &levelling));
  cuseq_status status = CUSEQ_STATUS_OK;
  for (size_t i = 0; status == CUSEQ_STATUS_OK && i < request->output_count; i++) {
    outputs[i] = request->outputs[i];
    status = rewrite_run(&rewrite, outputs[i].value.expression, &outputs[i].value.expression);
    for (int32_t a = 0; a < outputs[i].value.axis_count; a++)
      if (outputs[i].value.axes[a].kind == AXIS_TIME &&
          (levelling.steps >> outputs[i].value.axes[a].clock & 1) != 0)
        outputs[i].value.axes[a].clock = levelling.positions;
  }
  rewrite_end(&rewrite);
  levelled->outputs = outputs;
  *done = !levelling.failed;
  return status;
}
