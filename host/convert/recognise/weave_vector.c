/* Decoders that begin with a vector of the model's inputs, or read it at every step: captions of pictures,
 * forecasts from a window that is flattened. */
#include "convert/graph/rewrite.h"
#include "convert/recognise/weave.h"
#include "convert/recognise/weave_parts.h"
#include "error.h"

/* Whether an expression is an input of vectors, or all positions of one side by side. */
static bool is_vector(const struct recogniser *recogniser, const struct expression *e) {
  const struct expression *input =
      e->op == EXPRESSION_FLAT ? expression_at(recogniser->expressions, e->children[0]) : e;
  return input->op == EXPRESSION_INPUT && (e->op == EXPRESSION_FLAT || e->clocks == 0) && e->width >= 2;
}

/* The one vector among the inputs that something is made of; -1: there is none, or several, or something else
 * is made of a sequence. */
static int32_t only_vector(const struct recogniser *recogniser, const bool *reached, int32_t limit) {
  const struct expressions *expressions = recogniser->expressions;
  int32_t vector = -1, count = 0, readers = 0;
  for (int32_t i = 0; i < limit; i++) {
    const struct expression *e = expression_at(expressions, i);
    if (!reached[i] || !is_vector(recogniser, e))
      continue;
    vector = i;
    count++;
  }
  if (count != 1 || expression_at(expressions, vector)->op == EXPRESSION_INPUT)
    return count == 1 ? vector : -1;
  const int32_t input = expression_at(expressions, vector)->children[0];
  for (int32_t i = 0; i < limit; i++) {
    const struct expression *e = expression_at(expressions, i);
    for (int32_t k = 0; reached[i] && k < e->child_count; k++)
      readers += e->children[k] == input;
  }
  return readers == 1 ? vector : -1;
}

/* Whether a recurrent layer begins with what is no input itself, nor zeros, or reads a vector that is
 * repeated, or steps are written out. */
static bool is_decoder(const struct recogniser *recogniser, const bool *reached, int32_t limit) {
  for (int32_t i = 0; i < limit; i++) {
    const struct expression *e = expression_at(recogniser->expressions, i);
    if (reached[i] && (e->op == EXPRESSION_REPEAT || e->op == EXPRESSION_CELL))
      return true;
    for (int32_t k = 1; reached[i] && e->op == EXPRESSION_SEQUENCE && k < e->child_count; k++)
      if (!initial_is_zero(recogniser->expressions, e->children[k]))
        return true;
  }
  return false;
}

/* Whether something over a sequence is made of the vector, which is the same at every position of it. */
static cuseq_status is_beside(struct recogniser *recogniser, const bool *reached, int32_t limit,
                              int32_t vector, bool *is) {
  bool *made_of = arena_allocate(recogniser->arena, (size_t)limit);
  *is = false;
  if (made_of == NULL)
    return error_out_of_memory();
  made_of[vector] = true;
  for (int32_t i = 0; i < limit; i++) {
    const struct expression *e = expression_at(recogniser->expressions, i);
    for (int32_t k = 0; k < e->child_count; k++) {
      const bool of_vector = made_of[e->children[k]];
      made_of[i] = made_of[i] || of_vector;
      *is = *is || (reached[i] && of_vector && e->clocks != 0 &&
                    expression_at(recogniser->expressions, e->children[k])->clocks == 0);
    }
  }
  return CUSEQ_STATUS_OK;
}

cuseq_status weave_has_decoder(struct recogniser *recogniser, const int32_t *outputs, size_t count,
                               bool *has) {
  const int32_t limit = recogniser->expressions->count;
  bool *reached;
  TRY(reach_list(recogniser->expressions, outputs, count, &reached));
  *has = is_decoder(recogniser, reached, limit);
  return CUSEQ_STATUS_OK;
}

/* The final state of a layer that hands the vector on, as a sequence of one position. */
static cuseq_status encode(struct recogniser *recogniser, int32_t vector, int32_t *made) {
  struct expressions *expressions = recogniser->expressions;
  struct expression input = *expression_at(expressions, vector);
  if (input.op == EXPRESSION_FLAT) {
    const int32_t width = input.width;
    input = *expression_at(expressions, input.children[0]);
    input.width = width;
  }
  struct weave weave = {.expressions = expressions, .blocks = {{input.width, 0}}, .block_count = 1};
  const int32_t block = 0;
  TRY(clock_make(expressions, input.node, 1, false, &input.clock));
  TRY(expression_make(expressions, &input, &weave.stack));
  struct graph_node *node;
  TRY(node_copy(expressions->arena, input.node, &node));
  struct recurrent_layer layer = {.node = node, .direction = LAYER_FORWARD, .woven = true};
  TRY(weave_passing_cell(&weave, node, &block, 1, &layer.directions[0]));
  struct expression final = {.op = EXPRESSION_FINAL,
                             .part = FINAL_FORWARD_H,
                             .width = input.width,
                             .matrix = -1,
                             .bias = -1,
                             .node = input.node,
                             .child_count = 1,
                             .children = &weave.stack};
  TRY(recurrent_layer_make(expressions, &layer, &final.index));
  TRY(expression_make(expressions, &final, made));
  return notes_add(
      recogniser->notes,
      "input '%.100s' (%d numbers a row) is read as a sequence of one position: give it as [batch, 1, %d]",
      input.node->name, input.width, input.width);
}

cuseq_status weave_vector(struct recogniser *recogniser, int32_t *outputs, size_t count, bool *done) {
  const int32_t limit = recogniser->expressions->count;
  struct replacement replacing;
  bool *reached;
  *done = false;
  TRY(reach_list(recogniser->expressions, outputs, count, &reached));
  replacing.from = only_vector(recogniser, reached, limit);
  if (replacing.from < 0)
    return CUSEQ_STATUS_OK;
  bool beside;
  TRY(is_beside(recogniser, reached, limit, replacing.from, &beside));
  if (!beside && !is_decoder(recogniser, reached, limit))
    return CUSEQ_STATUS_OK;
  TRY(encode(recogniser, replacing.from, &replacing.to));
  *done = true;
  return rewrite_all(recogniser->expressions, replacement_rule, &replacing, outputs, count);
}
