/* Decoders that begin with a vector of the model's inputs: captions of pictures. */
#include "convert/graph/rewrite.h"
#include "convert/recognise/weave.h"
#include "convert/recognise/weave_parts.h"
#include "error.h"

struct replacing {
  int32_t from, to;
};

static cuseq_status replacing_rule(struct rewrite *rewrite, int32_t expression, int32_t *made) {
  const struct replacing *replacing = rewrite->context;
  if (expression == replacing->from)
    *made = replacing->to;
  return CUSEQ_STATUS_OK;
}

/* The one vector among the inputs that something is made of; -1: there is none, or several. */
static int32_t only_vector(const struct recogniser *recogniser, const bool *reached, int32_t limit) {
  int32_t vector = -1, count = 0;
  for (int32_t i = 0; i < limit; i++) {
    const struct expression *e = expression_at(recogniser->expressions, i);
    if (!reached[i] || e->op != EXPRESSION_INPUT || e->clocks != 0 || e->width < 2)
      continue;
    vector = i;
    count++;
  }
  return count == 1 ? vector : -1;
}

/* Whether a recurrent layer begins with what is no input itself, nor zeros. */
static bool has_states(const struct recogniser *recogniser, const bool *reached, int32_t limit) {
  for (int32_t i = 0; i < limit; i++) {
    const struct expression *e = expression_at(recogniser->expressions, i);
    for (int32_t k = 1; reached[i] && e->op == EXPRESSION_SEQUENCE && k < e->child_count; k++)
      if (!initial_is_zero(recogniser->expressions, e->children[k]))
        return true;
  }
  return false;
}

/* The final state of a layer that hands the vector on, as a sequence of one position. */
static cuseq_status encode(struct recogniser *recogniser, int32_t vector, int32_t *made) {
  struct expressions *expressions = recogniser->expressions;
  struct expression input = *expression_at(expressions, vector);
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
      "input '%.100s' [batch, %d] is read as a sequence of one position: give it as [batch, 1, %d]",
      input.node->name, input.width, input.width);
}

cuseq_status weave_vector(struct recogniser *recogniser, int32_t *outputs, size_t count, bool *done) {
  const int32_t limit = recogniser->expressions->count;
  bool *reached = arena_allocate(recogniser->arena, (size_t)limit);
  struct replacing replacing;
  *done = false;
  if (reached == NULL)
    return error_out_of_memory();
  for (size_t i = 0; i < count; i++)
    TRY(reach(recogniser->expressions, outputs[i], reached, limit));
  replacing.from = only_vector(recogniser, reached, limit);
  if (replacing.from < 0 || !has_states(recogniser, reached, limit))
    return CUSEQ_STATUS_OK;
  TRY(encode(recogniser, replacing.from, &replacing.to));
  *done = true;
  return rewrite_all(recogniser->expressions, replacing_rule, &replacing, outputs, count);
}
