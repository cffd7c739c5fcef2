/* One stage after the other is put on the stack: its cells, and beside them one that hands on. */
#include "convert/recognise/weave_parts.h"
#include "error.h"

#include <stdlib.h>
#include <string.h>

/* ---- blocks and items ----------------------------------------------------------------------------- */

cuseq_status weave_add_block(struct weave *weave, int32_t width, int32_t offset, int32_t *block) {
  if (weave->block_count >= 3 * WEAVE_MOST)
    return node_refuse(expression_at(weave->expressions, weave->stack)->node,
                       "the encoder has too many parts");
  *block = weave->block_count++;
  weave->blocks[*block] = (struct weave_block){width, offset};
  return CUSEQ_STATUS_OK;
}

cuseq_status weave_add_item(struct weave *weave, struct weave_item item) {
  if (weave->item_count >= 4 * WEAVE_MOST)
    return node_refuse(expression_at(weave->expressions, item.expression)->node,
                       "the encoder has too many parts");
  weave->items[weave->item_count++] = item;
  return CUSEQ_STATUS_OK;
}

static cuseq_status slice_of(struct weave *weave, const struct weave_block *block, int32_t more,
                             int32_t *made) {
  const struct graph_node *node = expression_at(weave->expressions, weave->stack)->node;
  if (block->offset < 0)
    return node_refuse(node, "what it gives is not handed on to where it is read");
  return expression_slice(weave->expressions, weave->stack, block->offset, block->width + more, node, made);
}

cuseq_status weave_item_make(struct weave *weave, const struct weave_item *item, int32_t *made) {
  struct expressions *expressions = weave->expressions;
  const struct graph_node *node = expression_at(expressions, item->expression)->node;
  const struct weave_block *first = &weave->blocks[item->blocks[0]];
  if (item->blocks[1] < 0)
    return slice_of(weave, first, 0, made);
  const struct weave_block *second = &weave->blocks[item->blocks[1]];
  if (item->merge == CUSEQ_MERGE_CONCAT && first->offset >= 0 &&
      second->offset == first->offset + first->width)
    return slice_of(weave, first, second->width, made);
  int32_t parts[2] = {-1, -1};
  TRY(slice_of(weave, first, 0, &parts[0]));
  TRY(slice_of(weave, second, 0, &parts[1]));
  TRY(expression_binary(expressions, item->merge == CUSEQ_MERGE_CONCAT ? EXPRESSION_CONCAT : EXPRESSION_ADD,
                        parts[0], parts[1], node, made));
  if (item->merge != CUSEQ_MERGE_AVE)
    return CUSEQ_STATUS_OK;
  return expression_scale(expressions, *made, 0.5, node, made);
}

/* ---- layers --------------------------------------------------------------------------------------- */

/* What one layer on the stack is made of. */
struct weave_layer {
  const struct graph_node *node;
  bool has[2];
  struct recurrent_cell cells[2]; /* forward, backward */
  cuseq_merge merge;
  int32_t index;  /* of the made layer */
  int32_t before; /* what it reads */
};

static cuseq_status put(struct weave *weave, struct weave_layer *layer) {
  struct expressions *expressions = weave->expressions;
  struct graph_node *node;
  TRY(node_copy(expressions->arena, layer->node, &node));
  struct recurrent_layer made = {.node = node,
                                 .woven = true,
                                 .merge = layer->merge,
                                 .mask = weave->mask,
                                 .direction = !layer->has[1]   ? LAYER_FORWARD
                                              : !layer->has[0] ? LAYER_BACKWARD
                                                               : LAYER_BIDIRECTIONAL};
  for (int d = 0; d < 2; d++) {
    made.directions[d] = layer->cells[d];
    made.directions[d].node = node;
  }
  TRY(recurrent_layer_make(expressions, &made, &layer->index));
  const int32_t widths[2] = {layer->has[0] ? layer->cells[0].units : 0,
                             layer->has[1] ? layer->cells[1].units : 0};
  const bool beside = layer->merge == CUSEQ_MERGE_CONCAT || !layer->has[0] || !layer->has[1];
  layer->before = weave->stack;
  struct expression sequence = {.op = EXPRESSION_SEQUENCE,
                                .part = SEQUENCE_MERGED,
                                .width = beside ? widths[0] + widths[1] : widths[0],
                                .matrix = -1,
                                .bias = -1,
                                .index = layer->index,
                                .node = layer->node,
                                .child_count = 1,
                                .children = &layer->before};
  return expression_make(expressions, &sequence, &weave->stack);
}

/* Blocks that were handed on lie from `offset` on now, in the order of the list; all others are dropped. */
static void lay(struct weave *weave, const int32_t *blocks, int32_t count, int32_t offset) {
  for (int32_t i = 0; i < weave->block_count; i++)
    weave->blocks[i].offset = -1;
  for (int32_t i = 0; i < count; i++) {
    weave->blocks[blocks[i]].offset = offset;
    offset += weave->blocks[blocks[i]].width;
  }
}

void weave_find_read(const struct weave *weave, int32_t s, int32_t *blocks, int32_t *count) {
  *count = 0;
  for (int32_t b = 0; b < weave->block_count; b++) {
    bool read = false;
    for (int32_t i = 0; i < weave->item_count && !read; i++)
      if (weave->items[i].blocks[0] == b || weave->items[i].blocks[1] == b)
        read = weave_is_read(weave, weave->items[i].expression, s + 1);
    if (read && weave->blocks[b].offset >= 0)
      blocks[(*count)++] = b;
  }
}

cuseq_status weave_add_read_by(struct weave *weave, int32_t expression, int32_t *blocks, int32_t *count) {
  struct bases none = {.count = 0}, leaves;
  TRY(affine_leaves(weave->expressions, expression, &none, leaves.list, AFFINE_MAX_BASES, &leaves.count));
  for (int32_t i = 0; i < weave->item_count; i++)
    for (int k = 0; k < 2 && bases_have(&leaves, weave->items[i].expression); k++) {
      bool there = weave->items[i].blocks[k] < 0;
      for (int32_t b = 0; b < *count; b++)
        there = there || blocks[b] == weave->items[i].blocks[k];
      if (!there)
        blocks[(*count)++] = weave->items[i].blocks[k];
    }
  return CUSEQ_STATUS_OK;
}

/* ---- what a recurrent layer gives ----------------------------------------------------------------- */

/* The graph's final states of a stage: those of the made layer. */
static cuseq_status add_finals(struct weave *weave, int32_t s, const struct weave_layer *layer,
                               int direction) {
  struct expressions *expressions = weave->expressions;
  for (int32_t i = 0; i < weave->limit; i++) {
    struct expression e = *expression_at(expressions, i);
    const bool backward = e.part == FINAL_BACKWARD_H || e.part == FINAL_BACKWARD_C;
    if (e.op != EXPRESSION_FINAL || backward != (direction == 1) || !weave_is_of_stage(weave, s, i))
      continue;
    if (weave->final_count >= 4 * WEAVE_MOST)
      return node_refuse(e.node, "the encoder has too many parts");
    e.index = layer->index;
    e.children = &layer->before;
    struct weave_final *final = &weave->finals[weave->final_count++];
    final->expression = i;
    TRY(expression_make(expressions, &e, &final->made));
  }
  return CUSEQ_STATUS_OK;
}

/* The hidden state of a forward direction whose last output the layer above hands on, as that one's: so both
 * directions' states are of one layer. */
static cuseq_status move_final(struct weave *weave, int32_t s, const struct weave_layer *above, int32_t at) {
  struct expressions *expressions = weave->expressions;
  for (int32_t i = 0; i < weave->final_count; i++) {
    const struct expression e = *expression_at(expressions, weave->finals[i].expression);
    if (e.part != FINAL_FORWARD_H || !weave_is_of_stage(weave, s, weave->finals[i].expression))
      continue;
    struct expression whole = e;
    whole.index = above->index;
    whole.children = &above->before;
    whole.width = above->cells[0].units;
    int32_t made;
    TRY(expression_make(expressions, &whole, &made));
    TRY(expression_slice(expressions, made, at, e.width, e.node, &weave->finals[i].made));
  }
  return CUSEQ_STATUS_OK;
}

/* The graph's sequences of a stage, by its blocks. */
static cuseq_status add_sequences(struct weave *weave, int32_t s, const int32_t *blocks, cuseq_merge merge) {
  for (int32_t i = 0; i < weave->limit; i++) {
    const struct expression *e = expression_at(weave->expressions, i);
    if (e->op != EXPRESSION_SEQUENCE || !weave_is_of_stage(weave, s, i))
      continue;
    struct weave_item item = {i, {blocks[0], blocks[1]}, merge};
    if (e->part != SEQUENCE_MERGED && blocks[1] >= 0)
      item.blocks[0] = blocks[e->part == SEQUENCE_FORWARD ? 0 : 1];
    if (e->part != SEQUENCE_MERGED)
      item.blocks[1] = -1;
    TRY(weave_add_item(weave, item));
  }
  return CUSEQ_STATUS_OK;
}

/* ---- stages --------------------------------------------------------------------------------------- */

/* One cell, and beside it, in the other direction, what is handed on.
 *   block  receives what the cell gives */
static cuseq_status put_one(struct weave *weave, int32_t s, int direction, const struct recurrent_cell *cell,
                            const int32_t *handed, int32_t count, int32_t *block, struct weave_layer *layer) {
  *layer = (struct weave_layer){.node = expression_at(weave->expressions, weave->stages[s])->node,
                                .merge = CUSEQ_MERGE_CONCAT};
  layer->has[direction] = true;
  layer->cells[direction] = *cell;
  layer->has[1 - direction] = count > 0;
  if (count > 0)
    TRY(weave_passing_cell(weave, layer->node, handed, count, &layer->cells[1 - direction]));
  TRY(put(weave, layer));
  lay(weave, handed, count, direction == 0 ? cell->units : 0);
  const int32_t offset = direction == 1 && count > 0 ? layer->cells[0].units : 0;
  return weave_add_block(weave, cell->units, offset, block);
}

cuseq_status weave_put_cell(struct weave *weave, int32_t s, int direction, const struct recurrent_cell *cell,
                            const int32_t *handed, int32_t count, int32_t *block) {
  struct weave_layer layer;
  return put_one(weave, s, direction, cell, handed, count, block, &layer);
}

/* A dense layer, with an activation or without. */
static cuseq_status dense_make(struct weave *weave, int32_t s, const int32_t *handed, int32_t count) {
  const struct expression e = *expression_at(weave->expressions, weave->stages[s]);
  const cuseq_activation activation =
      e.op == EXPRESSION_ACTIVATION ? (cuseq_activation)e.part : CUSEQ_ACTIVATION_LINEAR;
  struct weave_layer layer;
  struct recurrent_cell cell;
  struct affine map;
  int32_t block;
  cuseq_status status = weave_map(weave, weave_read(weave, weave->stages[s], 0), &map);
  if (status == CUSEQ_STATUS_OK)
    status = weave_dense_cell(weave, e.node, activation, &map, &cell);
  affine_free(&map);
  TRY(status);
  TRY(put_one(weave, s, 0, &cell, handed, count, &block, &layer));
  return weave_add_item(weave, (struct weave_item){weave->stages[s], {block, -1}, CUSEQ_MERGE_CONCAT});
}

/* ---- normalisations ------------------------------------------------------------------------------- */

bool weave_ends_plainly(const struct weave *weave) {
  const enum expression_op op = expression_at(weave->expressions, weave->stack)->op;
  return op == EXPRESSION_SEQUENCE || op == EXPRESSION_SELF_ATTENTION || op == EXPRESSION_CONCAT ||
         op == EXPRESSION_WEIGHTED;
}

/* A map of the stack: a dense layer behind its topmost one where that has none, otherwise one
 * more layer. */
static cuseq_status map_make(struct weave *weave, const struct graph_node *node, const struct affine *map) {
  struct expressions *expressions = weave->expressions;
  const size_t elements = (size_t)map->rows * (size_t)map->columns;
  struct weave_layer layer = {.node = node, .has = {true, false}, .merge = CUSEQ_MERGE_CONCAT};
  int32_t kernel, bias;
  bool found;
  if (!weave_ends_plainly(weave)) {
    TRY(weave_dense_cell(weave, node, CUSEQ_ACTIVATION_LINEAR, map, &layer.cells[0]));
    return put(weave, &layer);
  }
  if (affine_is_identity(map))
    return CUSEQ_STATUS_OK;
  TRY(matrix_make(expressions, NULL, 0, map->rows, map->columns, &kernel, &found));
  TRY(matrix_make(expressions, NULL, 0, 1, map->columns, &bias, &found));
  for (size_t i = 0; i < elements; i++)
    expressions->matrices[kernel].data[i] = (float)map->matrix[i];
  for (int32_t c = 0; c < map->columns; c++)
    expressions->matrices[bias].data[c] = (float)map->bias[c];
  return expression_dense(expressions, weave->stack, kernel, bias, node, &weave->stack);
}

/* What is handed on lies in front of what is normalised. */
static cuseq_status norm_make(struct weave *weave, int32_t s, const int32_t *handed, int32_t count) {
  struct expression e = *expression_at(weave->expressions, weave->stages[s]);
  struct affine map, both = {0};
  int32_t block = -1, stack;
  cuseq_status status = weave_map(weave, e.children[0], &map);
  if (status == CUSEQ_STATUS_OK)
    status = weave_map_behind(weave, handed, count, &map, &both, &e.index);
  if (status == CUSEQ_STATUS_OK)
    status = map_make(weave, e.node, &both);
  affine_free(&map);
  affine_free(&both);
  TRY(status);
  stack = weave->stack;
  e.children = &stack;
  TRY(expression_make(weave->expressions, &e, &weave->stack));
  lay(weave, handed, count, 0);
  TRY(weave_add_block(weave, e.part, e.index, &block));
  return weave_add_item(weave, (struct weave_item){weave->stages[s], {block, -1}, CUSEQ_MERGE_CONCAT});
}

/* ---- windows -------------------------------------------------------------------------------------- */

/* The positions before and the position itself in the forward direction, those behind it in the backward
 * one. */
static cuseq_status window_cells(struct weave *weave, const struct expression *e, const int32_t *handed,
                                 int32_t count, struct weave_layer *layer, int32_t *first) {
  struct affine map, both;
  cuseq_status status = weave_map(weave, e->children[0], &map);
  if (status == CUSEQ_STATUS_OK)
    status = weave_map_behind(weave, handed, count, &map, &both, first);
  if (status == CUSEQ_STATUS_OK) {
    status = weave_moving_cell(weave, e->node, &both, *first, e->index + 1, true, &layer->cells[0]);
    affine_free(&both);
  }
  if (status == CUSEQ_STATUS_OK && e->part > 0)
    status = weave_moving_cell(weave, e->node, &map, 0, e->part + 1, false, &layer->cells[1]);
  affine_free(&map);
  return status;
}

static cuseq_status window_make(struct weave *weave, int32_t s, const int32_t *handed, int32_t count) {
  const struct expression e = *expression_at(weave->expressions, weave->stages[s]);
  const int32_t width = e.width / (e.index + 1 + e.part);
  struct weave_layer layer = {.node = e.node, .has = {true, e.part > 0}, .merge = CUSEQ_MERGE_CONCAT};
  int32_t first, blocks[2] = {-1, -1};
  TRY(window_cells(weave, &e, handed, count, &layer, &first));
  TRY(put(weave, &layer));
  lay(weave, handed, count, 0);
  TRY(weave_add_block(weave, (e.index + 1) * width, first, &blocks[0]));
  if (e.part > 0) /* behind the position itself, which the backward direction has first */
    TRY(weave_add_block(weave, e.part * width, layer.cells[0].units + width, &blocks[1]));
  return weave_add_item(weave,
                        (struct weave_item){weave->stages[s], {blocks[0], blocks[1]}, CUSEQ_MERGE_CONCAT});
}

static cuseq_status direction_cell(struct weave *weave, const struct recurrent_layer *from, int32_t child,
                                   int direction, struct recurrent_cell *cell) {
  struct affine map;
  cuseq_status status = weave_map(weave, child, &map);
  if (status == CUSEQ_STATUS_OK)
    status = weave_cell_over(weave, &from->directions[direction], &map, cell);
  affine_free(&map);
  return status;
}

/* A bidirectional layer with nothing to hand on: as it is. */
static cuseq_status both_make(struct weave *weave, int32_t s, const struct recurrent_layer *from,
                              int32_t child) {
  struct weave_layer layer = {
      .node = from->node, .has = {true, true}, .merge = from->apart ? CUSEQ_MERGE_CONCAT : from->merge};
  int32_t blocks[2] = {-1, -1};
  for (int d = 0; d < 2; d++)
    TRY(direction_cell(weave, from, child, d, &layer.cells[d]));
  TRY(put(weave, &layer));
  lay(weave, NULL, 0, 0);
  TRY(weave_add_block(weave, layer.cells[0].units, 0, &blocks[0]));
  if (layer.merge == CUSEQ_MERGE_CONCAT)
    TRY(weave_add_block(weave, layer.cells[1].units, layer.cells[0].units, &blocks[1]));
  TRY(add_sequences(weave, s, blocks, CUSEQ_MERGE_CONCAT));
  TRY(add_finals(weave, s, &layer, 0));
  return add_finals(weave, s, &layer, 1);
}

/* A bidirectional layer beside which something is handed on becomes two layers: its forward direction, then
 * its backward one, which needs what both read to be handed on by the first. */
static cuseq_status apart_make(struct weave *weave, int32_t s, const struct recurrent_layer *from,
                               int32_t child, int32_t *handed, int32_t count) {
  struct weave_layer layer;
  struct recurrent_cell cell;
  int32_t blocks[2] = {-1, -1}, first[3 * WEAVE_MOST], first_count = count;
  if (!from->apart && from->merge == CUSEQ_MERGE_MUL)
    return node_refuse(from->node,
                       "it multiplies its directions and is not the only one that is read at each "
                       "position, which cuseq cannot express");
  memcpy(first, handed, (size_t)count * sizeof *first);
  TRY(weave_add_read_by(weave, child, first, &first_count));
  TRY(direction_cell(weave, from, child, 0, &cell));
  TRY(put_one(weave, s, 0, &cell, first, first_count, &blocks[0], &layer));
  TRY(add_finals(weave, s, &layer, 0));
  handed[count++] = blocks[0];
  TRY(direction_cell(weave, from, child, 1, &cell));
  const int32_t at = weave_width(weave, handed, count - 1);
  TRY(put_one(weave, s, 1, &cell, handed, count, &blocks[1], &layer));
  TRY(add_finals(weave, s, &layer, 1));
  TRY(move_final(weave, s, &layer, at));
  return add_sequences(weave, s, blocks, from->apart ? CUSEQ_MERGE_CONCAT : from->merge);
}

cuseq_status weave_stage_make(struct weave *weave, int32_t s) {
  const struct expression e = *expression_at(weave->expressions, weave->stages[s]);
  int32_t handed[3 * WEAVE_MOST], count;
  weave_find_read(weave, s, handed, &count);
  if (e.op == EXPRESSION_WINDOW)
    return window_make(weave, s, handed, count);
  if (e.op == EXPRESSION_NORM)
    return norm_make(weave, s, handed, count);
  if (e.op == EXPRESSION_SELF_ATTENTION)
    return weave_itself_make(weave, s);
  if (e.op == EXPRESSION_WEIGHTED)
    return weave_weighted_make(weave, s, handed, count);
  if (weave_is_product(weave, &e))
    return weave_product_make(weave, s, handed, count);
  if (e.op != EXPRESSION_SEQUENCE && e.op != EXPRESSION_FINAL)
    return dense_make(weave, s, handed, count);
  const struct recurrent_layer from = weave->expressions->layers[e.index];
  if (from.direction == LAYER_BIDIRECTIONAL)
    return count == 0 ? both_make(weave, s, &from, e.children[0])
                      : apart_make(weave, s, &from, e.children[0], handed, count);
  const int direction = from.direction == LAYER_BACKWARD ? 1 : 0;
  struct weave_layer layer;
  struct recurrent_cell cell;
  int32_t blocks[2] = {-1, -1};
  TRY(direction_cell(weave, &from, e.children[0], direction, &cell));
  TRY(put_one(weave, s, direction, &cell, handed, count, &blocks[0], &layer));
  TRY(add_finals(weave, s, &layer, direction));
  return add_sequences(weave, s, blocks, CUSEQ_MERGE_CONCAT);
}

cuseq_status weave_carry(struct weave *weave, const struct graph_node *node, const int32_t *blocks,
                         int32_t count) {
  struct weave_layer layer = {.node = node, .has = {true, false}, .merge = CUSEQ_MERGE_CONCAT};
  TRY(weave_passing_cell(weave, node, blocks, count, &layer.cells[0]));
  TRY(put(weave, &layer));
  lay(weave, blocks, count, 0);
  return CUSEQ_STATUS_OK;
}

cuseq_status weave_last_make(struct weave *weave) {
  const struct expression e = *expression_at(weave->expressions, weave->stack);
  int32_t handed[3 * WEAVE_MOST], count;
  if (weave->mask != NULL)
    return node_refuse(e.node, "a decoder begins with its last position, masked or not");
  weave_find_read(weave, weave->stage_count, handed, &count);
  return count > 0 ? weave_carry(weave, e.node, handed, count) : CUSEQ_STATUS_OK;
}
