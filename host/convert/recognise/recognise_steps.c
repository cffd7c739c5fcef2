#include "convert/recognise/recognise_steps.h"
#include "convert/graph/affine.h"
#include "error.h"

#include <stdlib.h>
#include <string.h>

enum { MAX_STEPS = 65536, MAX_DEPTH = 128, MAX_VISITS = 5000 };

bool output_is_softmax(const struct expressions *expressions, int32_t output) {
  return expression_at(expressions, output)->op == EXPRESSION_CLASSES;
}

static bool is_cell(const struct expression *e, int32_t part) {
  return e->op == EXPRESSION_CELL && e->part == part;
}

/* ---- the chain of states -------------------------------------------------------------------------- */

int32_t output_state(const struct expressions *expressions, int32_t output) {
  const struct bases none = {.count = 0};
  int32_t leaves[1], count;
  if (output_is_softmax(expressions, output))
    output = expression_at(expressions, output)->children[0];
  if (affine_leaves(expressions, output, &none, leaves, 1, &count) != CUSEQ_STATUS_OK || count != 1)
    return -1;
  return is_cell(expression_at(expressions, leaves[0]), CELL_H) ? leaves[0] : -1;
}

static const char *activation_name(int32_t activation) {
  return activation == CUSEQ_ACTIVATION_TANH      ? "tanh"
         : activation == CUSEQ_ACTIVATION_RELU    ? "relu"
         : activation == CUSEQ_ACTIVATION_SIGMOID ? "sigmoid"
                                                  : "none of cuseq's";
}

/* Says why an output is not made of one hidden state by one layer. */
static cuseq_status refuse_output(const struct expressions *expressions, int32_t output) {
  const struct bases none = {.count = 0};
  const struct expression *e = expression_at(expressions, output);
  const char *name = e->node->name;
  int32_t leaves[4], count;
  if (e->op == EXPRESSION_ACTIVATION && output_state(expressions, e->children[0]) >= 0)
    return node_refuse(e->node, "its activation is %s (cuseq's outputs are softmax or linear)",
                       activation_name(e->part));
  if (e->op == EXPRESSION_CLASSES)
    output = e->children[0];
  TRY(affine_leaves(expressions, output, &none, leaves, 4, &count));
  for (int32_t i = 0; i < count; i++) {
    e = expression_at(expressions, leaves[i]);
    if (!is_cell(e, CELL_H))
      return node_refuse(e->node,
                         "the model's output '%.100s' comes from it, which cuseq cannot express (needed one "
                         "Dense layer over the hidden state of a decoder LSTM)",
                         name);
  }
  return node_refuse(expression_at(expressions, output)->node,
                     "the model's output is not made of one hidden state of a decoder");
}

/* Whether c is the cell state that belongs to the hidden state h. */
static bool belong_together(const struct expression *h, const struct expression *c) {
  return is_cell(h, CELL_H) && is_cell(c, CELL_C) && h->index == c->index &&
         memcmp(h->children, c->children, 3 * sizeof *h->children) == 0;
}

/* The step of a hidden state, and the one before it (-1: it is the first). */
static cuseq_status step_before(const struct expressions *expressions, int32_t cell, int32_t *before) {
  const struct expression *e = expression_at(expressions, cell);
  const struct expression *h = expression_at(expressions, e->children[1]);
  const struct expression *c = expression_at(expressions, e->children[2]);
  *before = -1;
  if (h->op != EXPRESSION_CELL && c->op != EXPRESSION_CELL)
    return CUSEQ_STATUS_OK;
  if (is_cell(h, CELL_H) && is_cell(c, CELL_H))
    return node_refuse(e->node,
                       "its initial_state is [h, h], two hidden states (needed [h, c] of the step before)");
  if (!belong_together(h, c))
    return node_refuse(e->node, "its initial_state is not [h, c] of the step before");
  if (h->index != e->index)
    return node_refuse(e->node, "it goes on from the states of another layer, '%.100s'", h->node->name);
  *before = e->children[1];
  return CUSEQ_STATUS_OK;
}

static cuseq_status chain_length(const struct expressions *expressions, int32_t cell, int32_t *length) {
  for (*length = 0; cell >= 0; ++*length) {
    if (*length >= MAX_STEPS)
      return node_refuse(expression_at(expressions, cell)->node, "it is applied more than %d times",
                         MAX_STEPS);
    TRY(step_before(expressions, cell, &cell));
  }
  return CUSEQ_STATUS_OK;
}

/* The outputs must be those of step 1, 2, ..., `count`.
 *   given  [output_count] the step of each output */
static cuseq_status check_listed(const struct expressions *expressions, const int32_t *outputs,
                                 const int32_t *given, int32_t output_count, const struct decoder_step *steps,
                                 int32_t count) {
  for (int32_t i = 0; i < output_count; i++) {
    const struct graph_node *node = expression_at(expressions, outputs[i])->node;
    int32_t step = given[i];
    if (step == i)
      continue;
    if (step < i && steps[step].output != outputs[i])
      return node_refuse(node, "the model has a second output at the same step (cuseq gives one)");
    if (step < i)
      return node_refuse(node,
                         "the model gives the output of step %d twice (cuseq gives that of each of its %d "
                         "steps once)",
                         step + 1, count);
    bool later = false;
    for (int32_t k = i + 1; k < output_count; k++)
      later = later || given[k] == i;
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

/* Makes the list of steps, from the last one back, and finds the step of each output.
 *   step_of  [expressions] receives the step of each hidden state, -1 for other expressions
 *   given    [output_count] */
static cuseq_status place_outputs(const struct expressions *expressions, const int32_t *outputs,
                                  int32_t output_count, int32_t last, struct decoder_step *steps,
                                  int32_t count, int32_t *step_of, int32_t *given) {
  memset(step_of, 0xff, (size_t)expressions->count * sizeof *step_of);
  for (int32_t i = count - 1, cell = last; i >= 0; i--) {
    steps[i] = (struct decoder_step){.cell = cell, .output = -1, .context = -1};
    step_of[cell] = i;
    TRY(step_before(expressions, cell, &cell));
  }
  for (int32_t i = 0; i < output_count; i++) {
    given[i] = step_of[output_state(expressions, outputs[i])];
    if (given[i] < 0)
      return node_refuse(expression_at(expressions, outputs[i])->node,
                         "the model's outputs come from different decoders");
    if (steps[given[i]].output < 0)
      steps[given[i]].output = outputs[i];
  }
  return check_listed(expressions, outputs, given, output_count, steps, count);
}

cuseq_status steps_find(struct recogniser *recogniser, const int32_t *outputs, int32_t output_count,
                        struct decoder_step **steps, int32_t *count) {
  const struct expressions *expressions = recogniser->expressions;
  int32_t last = -1;
  *count = 0;
  /* The latest step that gives an output has the largest index: a state is entered after the one before
   * it. */
  for (int32_t i = 0; i < output_count; i++) {
    int32_t state = output_state(expressions, outputs[i]);
    if (state < 0)
      return refuse_output(expressions, outputs[i]);
    last = state > last ? state : last;
  }
  TRY(chain_length(expressions, last, count));
  *steps = arena_allocate(recogniser->arena, (size_t)*count * sizeof **steps);
  int32_t *step_of = malloc((size_t)(expressions->count + output_count) * sizeof *step_of);
  cuseq_status status = *steps == NULL || step_of == NULL
                            ? error_set(CUSEQ_STATUS_OUT_OF_MEMORY, "out of memory")
                            : place_outputs(expressions, outputs, output_count, last, *steps, *count, step_of,
                                            step_of + expressions->count);
  free(step_of);
  return status;
}

/* ---- every step the same -------------------------------------------------------------------------- */

struct comparison {
  const struct expressions *expressions;
  int32_t first_state, other_state; /* that stand for each other */
  int visits;
};

static cuseq_status differ(const struct expression *other) {
  return node_refuse(other->node, "it does not do the same at every step of the decoder");
}

/* Whether an expression depends on the state that changes from step to step. */
static cuseq_status depends(struct comparison *comparison, int32_t expression, int depth, bool *result) {
  const struct expression *e = expression_at(comparison->expressions, expression);
  if (++comparison->visits > MAX_VISITS || depth > MAX_DEPTH)
    return node_refuse(e->node, "a step of the decoder is too large");
  *result = expression == comparison->first_state;
  bool end = e->op == EXPRESSION_SEQUENCE || e->op == EXPRESSION_FINAL || e->op == EXPRESSION_CELL;
  for (int32_t i = 0; !*result && !end && i < e->child_count; i++)
    TRY(depends(comparison, e->children[i], depth + 1, result));
  return CUSEQ_STATUS_OK;
}

static cuseq_status compare(struct comparison *comparison, int32_t first, int32_t other, int depth) {
  const struct expression *a = expression_at(comparison->expressions, first);
  const struct expression *b = expression_at(comparison->expressions, other);
  if (++comparison->visits > MAX_VISITS || depth > MAX_DEPTH)
    return node_refuse(b->node, "a step of the decoder is too large");
  if (first == comparison->first_state && other == comparison->other_state)
    return CUSEQ_STATUS_OK;
  if (first == other) {
    bool changes;
    TRY(depends(comparison, first, depth, &changes));
    return changes ? differ(b) : CUSEQ_STATUS_OK;
  }
  uint64_t left, right;
  memcpy(&left, &a->scalar, sizeof left);
  memcpy(&right, &b->scalar, sizeof right);
  if (a->op != b->op || a->part != b->part || a->matrix != b->matrix || a->bias != b->bias ||
      a->index != b->index || left != right || a->width != b->width || a->child_count != b->child_count ||
      a->child_count == 0 || a->op == EXPRESSION_SEQUENCE || a->op == EXPRESSION_FINAL)
    return differ(b);
  for (int32_t i = 0; i < a->child_count; i++)
    TRY(compare(comparison, a->children[i], b->children[i], depth + 1));
  return CUSEQ_STATUS_OK;
}

cuseq_status steps_compare(struct recogniser *recogniser, const struct decoder_step *steps, int32_t count) {
  const struct expressions *expressions = recogniser->expressions;
  const struct expression *first = expression_at(expressions, steps[0].cell);
  for (int32_t i = 1; i < count; i++) {
    const struct expression *cell = expression_at(expressions, steps[i].cell);
    struct comparison comparison = {expressions, first->children[1], cell->children[1], 0};
    TRY(compare(&comparison, first->children[0], cell->children[0], 0));
    comparison = (struct comparison){expressions, steps[0].cell, steps[i].cell, 0};
    TRY(compare(&comparison, steps[0].output, steps[i].output, 0));
  }
  return CUSEQ_STATUS_OK;
}
