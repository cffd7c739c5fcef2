/* cuseq's sequences keep their length, so the positions that a convolution without padding has not are
 * computed as well, of zeros before the first one, and nothing comes of them: a unit that is 1 at these
 * positions and 0 at all others keeps a cell's state at zero, keeps a maximum low, and an energy too. They
 * come first for a layer that reads forwards. For one that reads backwards they have to come last, and so it
 * reads windows of its own, which reach over positions behind rather than before. */
#include "convert/recognise/cut.h"
#include "convert/graph/lift.h"
#include "convert/graph/rewrite.h"
#include "convert/recognise/recognised.h"
#include "error.h"

#include <string.h>

enum { MOST_LAYERS = 64, MOST_UNITS = 16 };

/* What shuts a gate whatever else goes into it; what no maximum takes. */
static const float shut = 1e9F, low = -1e20F;

/* A recurrent layer of the graph, one direction of it, and the layer that keeps its state at zero. */
struct held_layer {
  int32_t from;
  int direction;
  int32_t made;
};

/* A unit that is 1 at the positions which are not there. */
struct outside {
  int32_t clock; /* a cut one */
  int direction;
  int32_t unit;
};

struct cutting;

/* Expressions as they are for what reads forwards, or backwards. */
struct side {
  struct cutting *cutting;
  int direction;
  struct rewrite rewrite;
};

struct cutting {
  struct expressions *expressions;
  struct notes *notes;
  struct side sides[2];
  struct held_layer layers[MOST_LAYERS];
  int32_t layer_count;
  struct outside units[MOST_UNITS];
  int32_t unit_count;
  int32_t limit;
  bool *reached; /* [limit] what the outputs are made of */
};

static bool is_cut(const struct expressions *expressions, int32_t clock) {
  return expressions->clocks[clock].of >= 0;
}

static bool has_cut_clock(const struct expressions *expressions, const struct expression *e) {
  for (int32_t c = 0; c < expressions->clock_count; c++)
    if ((e->clocks >> c & 1) != 0 && is_cut(expressions, c))
      return true;
  return false;
}

static cuseq_status refuse(const struct expressions *expressions, int32_t clock,
                           const struct graph_node *node) {
  return node_refuse(
      node,
      "it reads what '%.100s' gives, which has fewer positions than it reads: cuseq can express "
      "that in front of final states, maxima and last positions alone",
      expressions->clocks[clock].node->name);
}

/* ---- the units ------------------------------------------------------------------------------------ */

/* What the model is given over a clock: rows of an embedding, or an input. */
static int32_t source_over(const struct cutting *cutting, int32_t clock) {
  int32_t input = -1;
  for (int32_t i = 0; i < cutting->limit; i++) {
    const struct expression *e = expression_at(cutting->expressions, i);
    if (e->clocks != (uint32_t)1 << clock || !cutting->reached[i])
      continue;
    if (e->op == EXPRESSION_EMBEDDING)
      return i;
    if (e->op == EXPRESSION_INPUT && input < 0)
      input = i;
  }
  return input;
}

/* A map of an expression to `columns` numbers: factor times it, which is one number wide, plus a term. */
static cuseq_status scaled(struct expressions *expressions, int32_t child, int32_t columns, float factor,
                           float term, const struct graph_node *node, int32_t *made) {
  const int32_t rows = expression_at(expressions, child)->width;
  int32_t kernel, bias;
  bool found;
  TRY(matrix_make(expressions, NULL, 0, rows, columns, &kernel, &found));
  TRY(matrix_make(expressions, NULL, 0, 1, columns, &bias, &found));
  for (int32_t c = 0; c < columns; c++) {
    expressions->matrices[bias].data[c] = term;
    for (int32_t r = 0; r < rows; r++)
      expressions->matrices[kernel].data[(size_t)r * (size_t)columns + (size_t)c] = factor;
  }
  return expression_dense(expressions, child, kernel, bias, node, made);
}

/* relu(1 - v), where v is 1 at a position that a window reaches to and 0 where it would reach beyond the
 * sequence. */
static cuseq_status make_outside(struct cutting *cutting, int direction, int32_t clock,
                                 const struct graph_node *node, int32_t *unit) {
  struct expressions *expressions = cutting->expressions;
  const int32_t whole = clock_whole(expressions, clock), count = expressions->clocks[clock].cut;
  int32_t one = -1;
  for (int32_t i = 0; i < cutting->unit_count; i++)
    if (cutting->units[i].clock == clock && cutting->units[i].direction == direction) {
      *unit = cutting->units[i].unit;
      return CUSEQ_STATUS_OK;
    }
  const int32_t source = source_over(cutting, whole);
  if (source < 0 || cutting->unit_count >= MOST_UNITS)
    return refuse(expressions, clock, node);
  TRY(scaled(expressions, source, 1, 0, 1, node, &one));
  struct expression window = {.op = EXPRESSION_WINDOW,
                              .clock = whole,
                              .index = direction == 0 ? count : 0,
                              .part = direction == 0 ? 0 : count,
                              .matrix = -1,
                              .bias = -1,
                              .node = node,
                              .child_count = 1,
                              .children = &one};
  int32_t made = -1;
  TRY(expression_make(expressions, &window, &made));
  TRY(expression_slice(expressions, made, direction == 0 ? 0 : count, 1, node, &made));
  TRY(scaled(expressions, made, 1, -1, 1, node, &made));
  TRY(expression_unary(expressions, EXPRESSION_ACTIVATION, CUSEQ_ACTIVATION_RELU, made, node, unit));
  cutting->units[cutting->unit_count++] = (struct outside){clock, direction, *unit};
  return CUSEQ_STATUS_OK;
}

/* A vector at each position, and `value` added where there should be no position. */
static cuseq_status put_aside(struct side *side, int32_t clock, float value, int32_t child,
                              const struct graph_node *node, int32_t *made) {
  struct expressions *expressions = side->cutting->expressions;
  int32_t unit = -1, term = -1;
  TRY(make_outside(side->cutting, side->direction, clock, node, &unit));
  TRY(scaled(expressions, unit, expression_at(expressions, child)->width, value, 0, node, &term));
  return expression_binary(expressions, EXPRESSION_ADD, child, term, node, made);
}

/* ---- recurrent layers ----------------------------------------------------------------------------- */

static bool is_zero_at_zero(cuseq_activation activation) {
  return activation != CUSEQ_ACTIVATION_SIGMOID && activation != CUSEQ_ACTIVATION_HARD_SIGMOID &&
         activation != CUSEQ_ACTIVATION_HARD_SIGMOID_KERAS2 && activation != CUSEQ_ACTIVATION_SOFTPLUS &&
         activation != CUSEQ_ACTIVATION_EXPONENTIAL;
}

/* Whether a gate can be shut, and a state of zeros then stays as it is. */
static bool can_be_held(const struct recurrent_cell *cell) {
  const bool gate = cell->recurrent_activation == CUSEQ_ACTIVATION_SIGMOID ||
                    cell->recurrent_activation == CUSEQ_ACTIVATION_HARD_SIGMOID ||
                    cell->recurrent_activation == CUSEQ_ACTIVATION_HARD_SIGMOID_KERAS2;
  return gate && is_zero_at_zero(cell->activation);
}

/* The cell with one input more, which shuts an LSTM's input gate and opens a GRU's update gate: both keep
 * zeros. */
static cuseq_status held_cell(struct expressions *expressions, struct recurrent_cell *cell) {
  const struct matrix kernel = expressions->matrices[cell->kernel];
  bool found;
  TRY(matrix_make(expressions, NULL, 0, (int64_t)kernel.rows + 1, kernel.columns, &cell->kernel, &found));
  float *data = expressions->matrices[cell->kernel].data;
  const size_t size = (size_t)kernel.rows * (size_t)kernel.columns;
  memcpy(data, kernel.data, size * sizeof *data);
  for (int32_t u = 0; u < cell->units; u++)
    data[size + (size_t)u] = cell->kind == CELL_LSTM ? -shut : shut;
  return CUSEQ_STATUS_OK;
}

static cuseq_status held_layer(struct cutting *cutting, int32_t from, int direction, int32_t clock,
                               int32_t *index) {
  struct expressions *expressions = cutting->expressions;
  const struct recurrent_layer layer = expressions->layers[from];
  for (int32_t i = 0; i < cutting->layer_count; i++)
    if (cutting->layers[i].from == from && cutting->layers[i].direction == direction) {
      *index = cutting->layers[i].made;
      return CUSEQ_STATUS_OK;
    }
  if (cutting->layer_count >= MOST_LAYERS || layer.mask != NULL || !can_be_held(&layer.directions[direction]))
    return refuse(expressions, clock, layer.node);
  struct graph_node *node;
  TRY(node_copy(expressions->arena, layer.node, &node));
  struct recurrent_layer made = {.node = node, .direction = direction == 0 ? LAYER_FORWARD : LAYER_BACKWARD};
  made.directions[direction] = layer.directions[direction];
  made.directions[direction].node = node;
  TRY(held_cell(expressions, &made.directions[direction]));
  TRY(recurrent_layer_make(expressions, &made, index));
  cutting->layers[cutting->layer_count++] = (struct held_layer){from, direction, *index};
  return CUSEQ_STATUS_OK;
}

/* A sequence or a final state of one direction. */
static cuseq_status make_held(struct side *side, const struct expression *e, int32_t *made) {
  struct expressions *expressions = side->cutting->expressions;
  struct expression held = *e;
  int32_t children[2] = {-1, -1}, child;
  TRY(held_layer(side->cutting, e->index, side->direction, e->clock, &held.index));
  TRY(rewrite_run(&side->rewrite, e->children[0], &children[0]));
  TRY(make_outside(side->cutting, side->direction, e->clock, e->node, &children[1]));
  TRY(expression_binary(expressions, EXPRESSION_CONCAT, children[0], children[1], e->node, &child));
  held.children = &child;
  held.part = e->op == EXPRESSION_FINAL ? e->part : SEQUENCE_MERGED;
  held.atom = false;
  return expression_make(expressions, &held, made);
}

static cuseq_status recurrent(struct side *side, const struct expression *e, int32_t *made) {
  const struct recurrent_layer *layer = &side->cutting->expressions->layers[e->index];
  int direction = layer->direction == LAYER_BACKWARD;
  if (e->child_count > 1)
    return refuse(side->cutting->expressions, e->clock, e->node);
  if (e->op == EXPRESSION_FINAL)
    return make_held(&side->cutting->sides[e->part >= FINAL_BACKWARD_H], e, made);
  if (layer->direction == LAYER_BIDIRECTIONAL)
    direction = e->part == SEQUENCE_MERGED ? -1 : e->part == SEQUENCE_BACKWARD;
  if (direction != side->direction)
    return refuse(side->cutting->expressions, e->clock, e->node);
  return make_held(side, e, made);
}

/* ---- what takes positions together ---------------------------------------------------------------- */

/* relu(x) - relu(-x), which is x, and zeros where there should be no position. */
static cuseq_status make_zero(struct side *side, int32_t clock, const struct graph_node *node,
                              int32_t *child) {
  struct expressions *expressions = side->cutting->expressions;
  int32_t parts[2];
  for (int i = 0; i < 2; i++) {
    TRY(expression_scale(expressions, *child, i == 0 ? 1 : -1, node, &parts[i]));
    TRY(put_aside(side, clock, low, parts[i], node, &parts[i]));
    TRY(expression_unary(expressions, EXPRESSION_ACTIVATION, CUSEQ_ACTIVATION_RELU, parts[i], node,
                         &parts[i]));
  }
  TRY(expression_scale(expressions, parts[1], -1, node, &parts[1]));
  return expression_binary(expressions, EXPRESSION_ADD, parts[0], parts[1], node, child);
}

/* Over what there is at each position of one side, `child`: zeros where there should be none, or of a maximum
 * anything. */
static cuseq_status pool_over(struct side *side, const struct expression *e, int32_t child, int32_t *made) {
  struct expressions *expressions = side->cutting->expressions;
  const int32_t whole = clock_whole(expressions, e->clock);
  const int64_t length = expressions->clocks[whole].length;
  const double left = (double)(length - expressions->clocks[e->clock].cut);
  if (e->part == POOL_MAXIMUM)
    TRY(put_aside(side, e->clock, low, child, e->node, &child));
  TRY(expression_over(expressions, EXPRESSION_POOL, whole, e->part, false, child, e->node, made));
  if (e->part != POOL_MEAN)
    return CUSEQ_STATUS_OK;
  TRY(notes_add(side->cutting->notes,
                "layer '%.100s' takes the mean of what is left of %lld positions: give sequences of %lld",
                e->node->name, (long long)length, (long long)length));
  return expression_scale(expressions, *made, (double)length / left, e->node, made);
}

/* Of a layer whose directions lie side by side each one by itself. */
static cuseq_status pool_directions(struct cutting *cutting, const struct expression *e,
                                    const struct expression *sequence, int32_t *made) {
  int32_t parts[2];
  for (int d = 0; d < 2; d++) {
    struct expression one = *sequence;
    int32_t child;
    one.width = cutting->expressions->layers[one.index].directions[d].units;
    TRY(make_held(&cutting->sides[d], &one, &child));
    TRY(pool_over(&cutting->sides[d], e, child, &parts[d]));
  }
  return expression_binary(cutting->expressions, EXPRESSION_CONCAT, parts[0], parts[1], e->node, made);
}

static cuseq_status pool(struct side *side, const struct expression *e, int32_t *made) {
  struct expressions *expressions = side->cutting->expressions;
  const struct expression child = *expression_at(expressions, e->children[0]);
  const struct recurrent_layer *layer =
      child.op == EXPRESSION_SEQUENCE ? &expressions->layers[child.index] : NULL;
  const bool known = expressions->clocks[clock_whole(expressions, e->clock)].length > 0;
  if (e->masked || (e->part != POOL_MAXIMUM && !known))
    return refuse(expressions, e->clock, e->node);
  if (layer != NULL && layer->direction == LAYER_BIDIRECTIONAL && child.part == SEQUENCE_MERGED) {
    if ((!layer->apart && layer->merge != CUSEQ_MERGE_CONCAT) || child.child_count > 1)
      return refuse(expressions, e->clock, e->node);
    return pool_directions(side->cutting, e, &child, made);
  }
  int32_t inner;
  TRY(rewrite_run(&side->rewrite, e->children[0], &inner));
  if (e->part != POOL_MAXIMUM && layer == NULL)
    TRY(make_zero(side, e->clock, e->node, &inner));
  return pool_over(side, e, inner, made);
}

/* All positions side by side: those of the whole, without the first ones. */
static cuseq_status flat(struct side *side, const struct expression *e, int32_t *made) {
  struct expressions *expressions = side->cutting->expressions;
  const int32_t cut = expressions->clocks[e->clock].cut;
  struct expression all = *e;
  int32_t child;
  if (side->direction != 0)
    return refuse(expressions, e->clock, e->node);
  TRY(rewrite_run(&side->rewrite, e->children[0], &child));
  all.clock = clock_whole(expressions, e->clock);
  all.index = e->index + cut;
  all.children = &child;
  all.atom = false;
  TRY(expression_make(expressions, &all, made));
  const int32_t width = expression_at(expressions, child)->width;
  return expression_slice(expressions, *made, cut * width, e->width, e->node, made);
}

static cuseq_status position(struct side *side, const struct expression *e, int32_t *made) {
  struct expressions *expressions = side->cutting->expressions;
  int32_t child;
  if (side->direction != 0 || e->index != -1)
    return refuse(expressions, e->clock, e->node);
  TRY(rewrite_run(&side->rewrite, e->children[0], &child));
  return expression_position(expressions, clock_whole(expressions, e->clock), -1, child, e->node, made);
}

/* Energies, which leave out what is not there. */
static cuseq_status softmax(struct side *side, const struct expression *e, int32_t *made) {
  struct expressions *expressions = side->cutting->expressions;
  int32_t child;
  TRY(rewrite_run(&side->rewrite, e->children[0], &child));
  TRY(put_aside(side, e->clock, low, child, e->node, &child));
  return expression_over(expressions, EXPRESSION_SOFTMAX, clock_whole(expressions, e->clock), 0, e->masked,
                         child, e->node, made);
}

/* The convolution itself, over positions before or, read backwards, over positions behind. */
static cuseq_status window(struct side *side, const struct expression *e, int32_t *made) {
  struct expressions *expressions = side->cutting->expressions;
  struct expression all = *expression_at(expressions, e->children[0]);
  int32_t child;
  if (all.op != EXPRESSION_WINDOW || all.part != 0)
    return refuse(expressions, e->clock, e->node);
  TRY(rewrite_run(&side->rewrite, all.children[0], &child));
  if (side->direction == 1) {
    all.part = all.index;
    all.index = 0;
  }
  all.clock = clock_whole(expressions, e->clock);
  all.children = &child;
  all.atom = false;
  return expression_make(expressions, &all, made);
}

/* ---- the whole ------------------------------------------------------------------------------------ */

static cuseq_status cut_rule(struct rewrite *rewrite, int32_t expression, int32_t *made) {
  struct side *side = rewrite->context;
  struct expressions *expressions = rewrite->expressions;
  const struct expression e = *expression_at(expressions, expression);
  const bool over = expression_names_clock(&e) || e.op == EXPRESSION_SEQUENCE || e.op == EXPRESSION_FINAL ||
                    e.op == EXPRESSION_SELF_ATTENTION;
  if (!over || !is_cut(expressions, e.clock))
    return CUSEQ_STATUS_OK;
  switch (e.op) {
  case EXPRESSION_CUT:
    return window(side, &e, made);
  case EXPRESSION_SEQUENCE:
  case EXPRESSION_FINAL:
    return recurrent(side, &e, made);
  case EXPRESSION_POOL:
    return pool(side, &e, made);
  case EXPRESSION_FLAT:
    return flat(side, &e, made);
  case EXPRESSION_POSITION:
    return position(side, &e, made);
  case EXPRESSION_SOFTMAX:
    return softmax(side, &e, made);
  default:
    return refuse(expressions, e.clock, e.node);
  }
}

static cuseq_status rewrite_outputs(struct cutting *cutting, int32_t *outputs, size_t count) {
  struct expressions *expressions = cutting->expressions;
  for (int d = 0; d < 2; d++)
    TRY(rewrite_begin(&cutting->sides[d].rewrite, expressions, 0, cut_rule, &cutting->sides[d]));
  for (size_t i = 0; i < count; i++) {
    const struct expression *e = expression_at(expressions, outputs[i]);
    if (has_cut_clock(expressions, e))
      return node_refuse(e->node, "it is an output over fewer positions than the model reads, which cuseq "
                                  "cannot express");
    TRY(rewrite_run(&cutting->sides[0].rewrite, outputs[i], &outputs[i]));
  }
  return CUSEQ_STATUS_OK;
}

cuseq_status cut_make_whole(struct expressions *expressions, struct notes *notes, int32_t *outputs,
                            size_t count) {
  struct cutting cutting = {.expressions = expressions, .notes = notes, .limit = expressions->count};
  bool any = false;
  for (int32_t c = 0; c < expressions->clock_count; c++)
    any = any || is_cut(expressions, c);
  if (!any)
    return CUSEQ_STATUS_OK;
  TRY(reach_list(expressions, outputs, count, &cutting.reached));
  for (int d = 0; d < 2; d++)
    cutting.sides[d] = (struct side){.cutting = &cutting, .direction = d};
  cuseq_status status = rewrite_outputs(&cutting, outputs, count);
  for (int d = 0; d < 2; d++)
    rewrite_end(&cutting.sides[d].rewrite);
  return status;
}
