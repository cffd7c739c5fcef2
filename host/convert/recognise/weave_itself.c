/* A sequence that attends to itself: the layer on top of the stack attends to what it gives, or, where that
 * has a dense layer behind it or attends already, one that hands on what is read. What later stages read
 * beside what is attended to lies beside it. */
#include "convert/recognise/weave_parts.h"
#include "error.h"

#include <string.h>

enum { MOST_CHILDREN = 64 };

/* An expression at each position as a dense map of the stack. */
static cuseq_status map_of(struct weave *weave, const struct graph_node *node, int32_t expression,
                           int32_t *made) {
  struct expressions *expressions = weave->expressions;
  struct affine map;
  int32_t kernel, bias;
  bool found;
  cuseq_status status = weave_map(weave, expression, &map);
  const size_t elements = (size_t)map.rows * (size_t)map.columns;
  *made = weave->stack;
  if (status != CUSEQ_STATUS_OK || affine_is_identity(&map))
    goto cleanup;
  TRY_CLEANUP(matrix_make(expressions, NULL, 0, map.rows, map.columns, &kernel, &found));
  TRY_CLEANUP(matrix_make(expressions, NULL, 0, 1, map.columns, &bias, &found));
  for (size_t i = 0; i < elements; i++)
    expressions->matrices[kernel].data[i] = (float)map.matrix[i];
  for (int32_t c = 0; c < map.columns; c++)
    expressions->matrices[bias].data[c] = (float)map.bias[c];
  status = expression_dense(expressions, weave->stack, kernel, bias, node, made);
cleanup:
  affine_free(&map);
  return status;
}

/* Lengths stand for the mask that the recurrent layers honour, and so they do for the attention's. */
static cuseq_status check_mask(const struct weave *weave, const struct expression *e) {
  if (e->masked == (weave->mask != NULL))
    return CUSEQ_STATUS_OK;
  return e->masked
             ? node_refuse(e->node, "it has a mask that the encoder has not")
             : node_refuse(e->node, "it attends to masked positions, while the encoder honours its mask, "
                                    "which cuseq cannot express");
}

/* What the stack gives lies beside what is attended to, behind it, where something reads it. */
static cuseq_status lay_beside(struct weave *weave, const struct expression *e, int32_t itself, bool beside) {
  struct expressions *expressions = weave->expressions;
  for (int32_t b = 0; b < weave->block_count; b++)
    if (weave->blocks[b].offset >= 0)
      weave->blocks[b].offset = beside ? weave->blocks[b].offset + e->width : -1;
  if (!beside) {
    weave->stack = itself;
    return CUSEQ_STATUS_OK;
  }
  TRY(expression_binary(expressions, EXPRESSION_CONCAT, itself, weave->stack, e->node, &weave->stack));
  expressions->list[weave->stack].atom = true;
  return CUSEQ_STATUS_OK;
}

cuseq_status weave_itself_make(struct weave *weave, int32_t s) {
  struct expressions *expressions = weave->expressions;
  struct expression e = *expression_at(expressions, weave->stages[s]);
  int32_t handed[3 * WEAVE_MOST], children[MOST_CHILDREN], count, block, itself;
  TRY(check_mask(weave, &e));
  if (e.child_count > MOST_CHILDREN)
    return node_refuse(e.node, "its energies are made of too many tensors");
  weave_find_read(weave, s, handed, &count);
  const bool beside = count > 0;
  if (expression_at(expressions, weave->stack)->op != EXPRESSION_SEQUENCE) {
    for (int32_t i = 0; i < e.child_count; i++)
      TRY(weave_add_read_by(weave, e.children[i], handed, &count));
    TRY(weave_carry(weave, e.node, handed, count));
  }
  for (int32_t i = 0; i < e.child_count; i++)
    TRY(map_of(weave, e.node, e.children[i], &children[i]));
  e.children = children;
  e.atom = false;
  TRY(expression_make(expressions, &e, &itself));
  TRY(lay_beside(weave, &e, itself, beside));
  TRY(weave_add_block(weave, e.width, 0, &block));
  return weave_add_item(weave, (struct weave_item){weave->stages[s], {block, -1}, CUSEQ_MERGE_CONCAT});
}
