/* Dense layers one after the other, read from the last one down to what the first one reads. */
#include "convert/recognise/recognised.h"
#include "error.h"

#include <stdlib.h>
#include <string.h>

void chain_free(struct chain *chain) {
  for (int32_t i = 0; i < chain->count; i++)
    affine_free(&chain->levels[i].map);
  chain->count = 0;
}

bool bases_have(const struct bases *bases, int32_t expression) {
  for (int32_t i = 0; i < bases->count; i++)
    if (bases->list[i] == expression)
      return true;
  return false;
}

bool bases_add(struct bases *bases, int32_t expression) {
  if (bases_have(bases, expression))
    return true;
  if (bases->count >= AFFINE_MAX_BASES)
    return false;
  bases->list[bases->count++] = expression;
  return true;
}

/* Takes the activation off an expression; CUSEQ_ACTIVATION_LINEAR where it has none. Classes count where
 * `last`. */
static cuseq_activation take_activation(const struct recogniser *recogniser, const struct bases *stops,
                                        bool last, int32_t *expression) {
  const struct expression *e = expression_at(recogniser->expressions, *expression);
  if (e->atom || bases_have(stops, *expression))
    return CUSEQ_ACTIVATION_LINEAR;
  if (last && e->op == EXPRESSION_CLASSES) {
    *expression = e->children[0];
    return e->part == CLASSES_SOFTMAX ? CUSEQ_ACTIVATION_SOFTMAX : CUSEQ_ACTIVATION_LOG_SOFTMAX;
  }
  if (e->op != EXPRESSION_ACTIVATION)
    return CUSEQ_ACTIVATION_LINEAR;
  *expression = e->children[0];
  return (cuseq_activation)e->part;
}

bool chain_norm(const struct recogniser *recogniser, const struct bases *stops, int32_t *expression,
                struct level_norm *norm) {
  const struct expression *e = expression_at(recogniser->expressions, *expression);
  if (e->op != EXPRESSION_NORM || e->atom || bases_have(stops, *expression))
    return false;
  *norm = (struct level_norm){
      .first = e->index, .units = e->part, .epsilon = e->scalar, .scale = e->matrix, .offset = e->bias};
  *expression = e->children[0];
  return true;
}

cuseq_activation chain_activation(const struct recogniser *recogniser, const struct bases *stops,
                                  int32_t *expression) {
  return take_activation(recogniser, stops, true, expression);
}

/* What is below a level: its leaves, or, where that is one activation or normalisation which is no stop,
 * *next.
 *   next  receives it, or -1 */
static cuseq_status below(const struct recogniser *recogniser, int32_t expression, const struct bases *stops,
                          bool norms, struct bases *leaves, int32_t *next) {
  const struct expressions *expressions = recogniser->expressions;
  TRY(affine_leaves(expressions, expression, stops, leaves->list, AFFINE_MAX_BASES, &leaves->count));
  *next = -1;
  if (leaves->count != 1 || bases_have(stops, leaves->list[0]))
    return CUSEQ_STATUS_OK;
  const struct expression *leaf = expression_at(expressions, leaves->list[0]);
  if ((leaf->op == EXPRESSION_ACTIVATION || (norms && leaf->op == EXPRESSION_NORM)) && !leaf->atom)
    *next = leaves->list[0];
  return CUSEQ_STATUS_OK;
}

cuseq_status chain_leaves(const struct recogniser *recogniser, int32_t expression, const struct bases *stops,
                          struct bases *leaves) {
  bool last = true;
  struct level_norm norm;
  while (expression >= 0) {
    take_activation(recogniser, stops, last, &expression);
    chain_norm(recogniser, stops, &expression, &norm);
    TRY(below(recogniser, expression, stops, true, leaves, &expression));
    last = false;
  }
  return CUSEQ_STATUS_OK;
}

void chain_reverse(struct chain *chain) {
  for (int32_t low = 0, high = chain->count - 1; low < high; low++, high--) {
    struct level level = chain->levels[low];
    chain->levels[low] = chain->levels[high];
    chain->levels[high] = level;
  }
}

static cuseq_status read_levels(const struct recogniser *recogniser, int32_t expression,
                                const struct bases *bases, const char *subject, int32_t most, bool last,
                                bool norms, struct chain *chain) {
  const struct expressions *expressions = recogniser->expressions;
  chain->count = 0;
  while (expression >= 0) {
    const struct graph_node *node = expression_at(expressions, expression)->node;
    const bool is_last = last && chain->count == 0;
    cuseq_activation activation = take_activation(recogniser, bases, is_last, &expression);
    struct level_norm norm = {0};
    struct bases leaves;
    int32_t next;
    if (norms && !is_last)
      chain_norm(recogniser, bases, &expression, &norm);
    if (chain->count >= most)
      return node_refuse(node, "more than %d layers make %s", most, subject);
    TRY(below(recogniser, expression, bases, norms, &leaves, &next));
    struct bases only = {.list = {next}, .count = 1};
    TRY(affine_make(expressions, expression, next >= 0 ? &only : bases, subject,
                    &chain->levels[chain->count].map));
    chain->levels[chain->count].norm = norm;
    chain->levels[chain->count++].activation = activation;
    expression = next;
  }
  chain_reverse(chain);
  return CUSEQ_STATUS_OK;
}

cuseq_status chain_read(const struct recogniser *recogniser, int32_t expression, const struct bases *bases,
                        const char *subject, int32_t most, bool last, bool norms, struct chain *chain) {
  cuseq_status status = read_levels(recogniser, expression, bases, subject, most, last, norms, chain);
  if (status != CUSEQ_STATUS_OK)
    chain_free(chain);
  return status;
}

cuseq_status reach(const struct expressions *expressions, int32_t expression, bool *reached, int32_t limit) {
  int32_t *stack = malloc((size_t)limit * sizeof *stack), size = 0;
  if (stack == NULL)
    return error_out_of_memory();
  if (!reached[expression])
    stack[size++] = expression;
  reached[expression] = true;
  while (size > 0) {
    const struct expression *e = expression_at(expressions, stack[--size]);
    for (int32_t i = 0; i < e->child_count; i++)
      if (!reached[e->children[i]]) {
        reached[e->children[i]] = true;
        stack[size++] = e->children[i];
      }
  }
  free(stack);
  return CUSEQ_STATUS_OK;
}

cuseq_status reach_list(const struct expressions *expressions, const int32_t *list, size_t count,
                        bool **reached) {
  *reached = arena_allocate(expressions->arena, (size_t)expressions->count + 1);
  if (*reached == NULL)
    return error_out_of_memory();
  for (size_t i = 0; i < count; i++)
    TRY(reach(expressions, list[i], *reached, expressions->count));
  return CUSEQ_STATUS_OK;
}

cuseq_status reaches_op(const struct expressions *expressions, int32_t expression, enum expression_op op,
                        bool *is) {
  bool *reached;
  *is = false;
  TRY(reach_list(expressions, &expression, 1, &reached));
  for (int32_t i = 0; i < expressions->count; i++)
    *is = *is || (reached[i] && expression_at(expressions, i)->op == op);
  return CUSEQ_STATUS_OK;
}
