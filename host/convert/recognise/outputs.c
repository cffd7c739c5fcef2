/* The model's outputs: what they consist of, and whether they are what cuseq gives. */
#include "convert/recognise/recognised.h"
#include "error.h"

#include <string.h>

enum { MAX_PARTS = 65536, MAX_JOINED = 4096, MAX_DEPTH = 64 };

/* ---- written out steps ---------------------------------------------------------------------------- */

/* How often a cell was applied until each expression; the cell that counts is that of the latest output.
 *   steps  receives [expressions] */
static cuseq_status count_steps(struct recogniser *recogniser, int32_t **steps) {
  const struct expressions *expressions = recogniser->expressions;
  const struct recognise_request *request = recogniser->request;
  int32_t cell = -1;
  bool *reached = arena_allocate(recogniser->arena, (size_t)expressions->count);
  *steps = arena_allocate(recogniser->arena, (size_t)expressions->count * sizeof **steps);
  if (*steps == NULL || reached == NULL)
    return error_out_of_memory();
  for (size_t i = 0; i < request->output_count; i++)
    TRY(reach(expressions, request->outputs[i].value.expression, reached, expressions->count));
  recogniser->reached = reached;
  recogniser->graph_count = expressions->count;
  for (int32_t i = 0; request->state_count == 0 && i < expressions->count; i++)
    if (reached[i] && expression_at(expressions, i)->op == EXPRESSION_CELL)
      cell = expression_at(expressions, i)->index;
  for (int32_t i = 0; cell >= 0 && i < expressions->count; i++) {
    const struct expression *e = expression_at(expressions, i);
    for (int32_t k = 0; k < e->child_count; k++)
      (*steps)[i] = (*steps)[e->children[k]] > (*steps)[i] ? (*steps)[e->children[k]] : (*steps)[i];
    (*steps)[i] += e->op == EXPRESSION_CELL && e->index == cell;
  }
  return CUSEQ_STATUS_OK;
}

/* ---- what the outputs are made of ----------------------------------------------------------------- */

static bool is_beside(const struct expression *e) {
  return e->op == EXPRESSION_SOFTMAX || e->op == EXPRESSION_CELL || e->op == EXPRESSION_SEQUENCE ||
         e->op == EXPRESSION_FINAL || e->op == EXPRESSION_CONTEXT;
}

struct joined_parts {
  int32_t list[MAX_JOINED];
  int32_t count;
};

/* The tensors that a Concatenate along the features joins. One whose tensors come from the same step of
 * the decoder is that step's output. Without steps, outputs with activations of their own that lie side by
 * side are heads. */
static cuseq_status split(const struct expressions *expressions, int32_t expression, const int32_t *steps,
                          int depth, struct joined_parts *parts) {
  const struct expression *e = expression_at(expressions, expression);
  bool several = false;
  for (int32_t i = 0; e->op == EXPRESSION_CONCAT && i < e->child_count; i++) {
    enum expression_op op = expression_at(expressions, e->children[i])->op;
    bool head = op == EXPRESSION_CLASSES || op == EXPRESSION_ACTIVATION;
    several = several || steps[e->children[i]] != steps[expression] || (head && steps[expression] == 0);
  }
  if (several && depth < MAX_DEPTH) {
    for (int32_t i = 0; i < e->child_count; i++)
      TRY(split(expressions, e->children[i], steps, depth + 1, parts));
    return CUSEQ_STATUS_OK;
  }
  if (parts->count >= MAX_JOINED)
    return node_refuse(e->node, "it joins too many tensors");
  parts->list[parts->count++] = expression;
  return CUSEQ_STATUS_OK;
}

static cuseq_status list_one(struct recogniser *recogniser, const struct value *value, const int32_t *steps,
                             struct joined_parts *parts, struct listed_output *output) {
  const struct expressions *expressions = recogniser->expressions;
  const struct expression *e = expression_at(expressions, value->expression);
  *output = (struct listed_output){.value = *value, .joined = e->op == EXPRESSION_STEPS};
  parts->count = 0;
  parts->list[0] = value->expression;
  if (output->joined)
    for (int32_t i = 0; i < e->child_count; i++)
      parts->list[parts->count++] = e->children[i];
  else
    TRY(split(expressions, value->expression, steps, 0, parts));
  output->flat = parts->count > 1 && !output->joined;
  output->joined = output->joined || output->flat;
  output->part_count = parts->count;
  output->beside = is_beside(expression_at(expressions, parts->list[0]));
  int32_t *copy = arena_allocate(recogniser->arena, (size_t)parts->count * sizeof *copy);
  if (copy == NULL)
    return error_out_of_memory();
  memcpy(copy, parts->list, (size_t)parts->count * sizeof *copy);
  output->parts = copy;
  return CUSEQ_STATUS_OK;
}

/* Where the decoder's steps are outputs, what is of no step stands beside them. */
static void set_apart(const int32_t *steps, struct listed_outputs *listed) {
  bool any = false;
  for (size_t i = 0; i < listed->count; i++)
    any = any || (!listed->list[i].beside && steps[listed->list[i].parts[0]] > 0);
  for (size_t i = 0; any && i < listed->count; i++)
    listed->list[i].beside = listed->list[i].beside || steps[listed->list[i].parts[0]] == 0;
}

/* Where nothing else is an output, and no context is, the sequences are that stand beside them, or the
 * final hidden states. */
static void promote(const struct expressions *expressions, struct listed_outputs *listed) {
  bool any = false, sequences = false;
  for (size_t i = 0; i < listed->count; i++) {
    const struct expression *e = expression_at(expressions, listed->list[i].parts[0]);
    any = any || !listed->list[i].beside || e->op == EXPRESSION_CONTEXT;
    sequences = sequences || e->op == EXPRESSION_SEQUENCE;
  }
  for (size_t i = 0; !any && i < listed->count; i++) {
    const struct expression *e = expression_at(expressions, listed->list[i].parts[0]);
    bool hidden = e->op == EXPRESSION_FINAL && (e->part == FINAL_FORWARD_H || e->part == FINAL_BACKWARD_H);
    listed->list[i].beside = sequences ? e->op != EXPRESSION_SEQUENCE : !hidden;
  }
}

cuseq_status outputs_list(struct recogniser *recogniser, struct listed_outputs *listed) {
  struct joined_parts parts;
  size_t total = 0, count = recogniser->request->output_count;
  int32_t *steps;
  *listed = (struct listed_outputs){.count = count};
  TRY(count_steps(recogniser, &steps));
  listed->list = arena_allocate(recogniser->arena, count * sizeof *listed->list);
  if (listed->list == NULL)
    return error_out_of_memory();
  for (size_t i = 0; i < count; i++) {
    TRY(list_one(recogniser, &recogniser->request->outputs[i].value, steps, &parts, &listed->list[i]));
    total += (size_t)listed->list[i].part_count;
  }
  if (total > MAX_PARTS)
    return error_set(CUSEQ_STATUS_INVALID_MODEL,
                     "the model has too many outputs (found %zu, needed at most %d)", total, MAX_PARTS);
  set_apart(steps, listed);
  promote(recogniser->expressions, listed);
  recogniser->steps = steps;
  listed->main = arena_allocate(recogniser->arena, total * sizeof *listed->main);
  listed->steps = arena_allocate(recogniser->arena, total * sizeof *listed->steps);
  listed->names = arena_allocate(recogniser->arena, total * sizeof *listed->names);
  if (listed->main == NULL || listed->steps == NULL || listed->names == NULL)
    return error_out_of_memory();
  for (size_t i = 0; i < count; i++)
    for (int32_t k = 0; !listed->list[i].beside && k < listed->list[i].part_count; k++) {
      listed->names[listed->main_count] = recogniser->request->outputs[i].name;
      listed->steps[listed->main_count] = steps[listed->list[i].parts[k]];
      listed->main[listed->main_count++] = listed->list[i].parts[k];
    }
  return CUSEQ_STATUS_OK;
}

cuseq_status outputs_check_order(const struct recogniser *recogniser, const struct listed_outputs *listed) {
  int32_t count = 0;
  for (int32_t i = 0; i < listed->main_count; i++)
    count = listed->steps[i] > count ? listed->steps[i] : count;
  for (int32_t i = 0; i < listed->main_count; i++) {
    const struct graph_node *node = expression_at(recogniser->expressions, listed->main[i])->node;
    int32_t step = listed->steps[i] - 1;
    if (step == i)
      continue;
    if (step < 0)
      return node_refuse(node, "the model's output '%.100s' is of no step of the decoder", node->name);
    if (step < i && listed->main[step] != listed->main[i])
      return node_refuse(node, "the model has a second output at the same step (cuseq gives one)");
    if (step < i)
      return node_refuse(node,
                         "the model gives the output of step %d twice (cuseq gives that of each of its %d "
                         "steps once)",
                         step + 1, count);
    bool later = false;
    for (int32_t k = i + 1; k < listed->main_count; k++)
      later = later || listed->steps[k] - 1 == i;
    if (later)
      return node_refuse(node,
                         "the model gives the output of step %d before that of step %d (cuseq gives all %d "
                         "in the order of the steps)",
                         step + 1, i + 1, count);
    return node_refuse(node,
                       "the model does not give the output of step %d (cuseq gives those of all %d steps)",
                       i + 1, count);
  }
  return CUSEQ_STATUS_OK;
}

/* The context that an attention would have whose weights alone are an output: over what its energies are made
 * of. */
static cuseq_status context_of_weights(const struct recogniser *recogniser, const struct expression *softmax,
                                       int32_t weights, int32_t *context) {
  struct bases none = {.count = 0}, leaves;
  TRY(chain_leaves(recogniser, softmax->children[0], &none, &leaves));
  if (leaves.count != 1 || !encoder_gives(recogniser->expressions, leaves.list[0]))
    return node_refuse(softmax->node,
                       "the model gives neither an output of a decoder nor a context of an attention");
  return expression_binary(recogniser->expressions, EXPRESSION_CONTEXT, weights, leaves.list[0],
                           softmax->node, context);
}

cuseq_status outputs_context(const struct recogniser *recogniser, struct listed_outputs *listed,
                             int32_t *context) {
  const struct expressions *expressions = recogniser->expressions;
  const struct expression *first = expression_at(expressions, listed->list[0].value.expression);
  struct listed_output *found = NULL;
  for (size_t i = 0; i < listed->count; i++) {
    struct listed_output *output = &listed->list[i];
    const struct expression *e = expression_at(expressions, output->value.expression);
    if (e->op != EXPRESSION_CONTEXT)
      continue;
    if (found != NULL && found->value.expression == output->value.expression)
      return node_refuse(e->node, "the model gives its context twice (cuseq gives it once)");
    if (found != NULL)
      return node_refuse(e->node, "the model gives several contexts and no output of a decoder");
    found = output;
  }
  if (found == NULL && first->op == EXPRESSION_SOFTMAX && listed->count == 1) {
    const struct expression softmax = *first;
    return context_of_weights(recogniser, &softmax, listed->list[0].value.expression, context);
  }
  if (found == NULL)
    return node_refuse(first->node,
                       "the model gives neither an output of a decoder nor a context of an attention");
  found->beside = false;
  *context = found->value.expression;
  return CUSEQ_STATUS_OK;
}
