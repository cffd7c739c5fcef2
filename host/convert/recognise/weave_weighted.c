/* Positions that are weighted, each feature by itself: behind the topmost layer where that gives what is
 * weighted and nothing else, or else behind one more layer that gives it. */
#include "convert/recognise/weave_parts.h"
#include "error.h"

/* The expression that block `block` of the stack is of. */
static const struct graph_node *node_of_block(const struct weave *weave, int32_t block) {
  for (int32_t i = 0; i < weave->item_count; i++)
    if (weave->items[i].blocks[0] == block || weave->items[i].blocks[1] == block)
      return expression_at(weave->expressions, weave->items[i].expression)->node;
  return NULL;
}

static cuseq_status check(const struct weave *weave, const struct expression *e, const int32_t *handed,
                          int32_t count) {
  const struct graph_node *beside = count > 0 ? node_of_block(weave, handed[0]) : NULL;
  if (weave->mask != NULL)
    return node_refuse(e->node,
                       "it weights the positions that '%.100s' masks, too, which cuseq cannot express",
                       weave->mask->name);
  return count == 0
             ? CUSEQ_STATUS_OK
             : node_refuse(e->node,
                           "cuseq weights all that an encoder's layer gives, but the positions of '%.100s' "
                           "are read behind it, too, without the weights",
                           beside != NULL ? beside->name : "?");
}

/* What is weighted becomes all that the topmost layer gives, which is the block.
 *   map  of what the stack gives so far */
static cuseq_status lay(struct weave *weave, int32_t s, const struct affine *map, int32_t *block) {
  struct recurrent_cell cell;
  const struct graph_node *node = expression_at(weave->expressions, weave->stages[s])->node;
  if (!affine_is_identity(map) ||
      expression_at(weave->expressions, weave->stack)->op != EXPRESSION_SEQUENCE) {
    TRY(weave_dense_cell(weave, node, CUSEQ_ACTIVATION_LINEAR, map, &cell));
    return weave_put_cell(weave, s, 0, &cell, NULL, 0, block);
  }
  for (int32_t b = 0; b < weave->block_count; b++)
    weave->blocks[b].offset = -1;
  return weave_add_block(weave, map->columns, 0, block);
}

cuseq_status weave_weighted_make(struct weave *weave, int32_t s, const int32_t *handed, int32_t count) {
  struct expression e = *expression_at(weave->expressions, weave->stages[s]);
  struct affine map;
  int32_t block;
  TRY(check(weave, &e, handed, count));
  cuseq_status status = weave_map(weave, e.children[0], &map);
  if (status == CUSEQ_STATUS_OK)
    status = lay(weave, s, &map, &block);
  affine_free(&map);
  TRY(status);
  const int32_t over = weave->stack;
  e.children = &over;
  e.atom = false;
  TRY(expression_make(weave->expressions, &e, &weave->stack));
  return weave_add_item(weave, (struct weave_item){weave->stages[s], {block, -1}, CUSEQ_MERGE_CONCAT});
}
