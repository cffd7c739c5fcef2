/* Steps that are written out one after the other. Two steps are laid on one another: where they differ,
 * something goes from step to step. That becomes a slot, and every further step must be what the slots
 * make of it. */
#include "convert/graph/lift.h"
#include "convert/graph/rewrite.h"
#include "convert/recognise/recognised.h"
#include "convert/recognise/step.h"
#include "error.h"

#include <stdlib.h>
#include <string.h>

enum { MAX_DEPTH = 400, MAX_PAIRS = 20000 };

/* Expressions of the first and of the second step that stand at the same place, and what they are in a
 * step. */
struct pair {
  int32_t first, second, made;
};

struct unifier {
  struct recogniser *recogniser;
  struct step *step;
  struct pair *pairs; /* hashed by first and second */
  int32_t *table;
  int32_t count, table_size;
  int depth;
};

static uint32_t pair_hash(int32_t first, int32_t second, int32_t size) {
  uint64_t key = ((uint64_t)(uint32_t)first << 32 | (uint32_t)second) * 0x9e3779b97f4a7c15u;
  return (uint32_t)(key >> 32) % (uint32_t)size;
}

static struct pair *find_pair(const struct unifier *unifier, int32_t first, int32_t second) {
  for (uint32_t at = pair_hash(first, second, unifier->table_size); unifier->table[at] >= 0;
       at = (at + 1) % (uint32_t)unifier->table_size) {
    struct pair *pair = &unifier->pairs[unifier->table[at]];
    if (pair->first == first && pair->second == second)
      return pair;
  }
  return NULL;
}

static cuseq_status add_pair(struct unifier *unifier, int32_t first, int32_t second, int32_t made) {
  if (unifier->count >= MAX_PAIRS)
    return node_refuse(expression_at(unifier->recogniser->expressions, first)->node,
                       "a step of the decoder is too large");
  uint32_t at = pair_hash(first, second, unifier->table_size);
  while (unifier->table[at] >= 0)
    at = (at + 1) % (uint32_t)unifier->table_size;
  unifier->table[at] = unifier->count;
  unifier->pairs[unifier->count++] = (struct pair){first, second, made};
  return CUSEQ_STATUS_OK;
}

/* Whether two expressions do the same to their children. */
static bool alike(const struct expression *a, const struct expression *b) {
  uint64_t left, right;
  memcpy(&left, &a->scalar, sizeof left);
  memcpy(&right, &b->scalar, sizeof right);
  return a->op == b->op && a->part == b->part && a->matrix == b->matrix && a->bias == b->bias &&
         a->index == b->index && left == right && a->width == b->width && a->clock == b->clock &&
         a->masked == b->masked && a->child_count == b->child_count && a->child_count > 0 &&
         a->op != EXPRESSION_SEQUENCE && a->op != EXPRESSION_FINAL;
}

static cuseq_status unify(struct unifier *unifier, int32_t first, int32_t second, int32_t *made);

static cuseq_status unify_children(struct unifier *unifier, const struct expression *a,
                                   const struct expression *b, int32_t *made) {
  struct expression e = *a;
  int32_t *children = malloc((size_t)e.child_count * sizeof *children);
  if (children == NULL)
    return error_out_of_memory();
  e.children = children;
  e.atom = false;
  cuseq_status status = CUSEQ_STATUS_OK;
  for (int32_t i = 0; status == CUSEQ_STATUS_OK && i < e.child_count; i++)
    status = unify(unifier, a->children[i], b->children[i], &children[i]);
  if (status == CUSEQ_STATUS_OK)
    status = expression_make(unifier->recogniser->expressions, &e, made);
  free(children);
  return status;
}

/* ---- what is given at every step ------------------------------------------------------------------- */

/* Elements of one sequence, one after the other: the caller gives them. Positions are counted from the nearer
 * end (lift.h). */
static bool are_successive(const struct expressions *expressions, const struct expression *a,
                           const struct expression *b) {
  const int64_t length = expressions->clocks[b->clock].length;
  const bool second = b->index == 1 || (length > 0 && b->index + length == 1);
  return a->op == EXPRESSION_POSITION && b->op == EXPRESSION_POSITION && a->children[0] == b->children[0] &&
         a->clock == b->clock && a->index == 0 && second;
}

struct opening {
  struct step *step;
  int32_t clock;
};

/* The inputs of a sequence are given one element a step; what lies over them, each position by itself, does
 * the same to the element. */
static cuseq_status opening_rule(struct rewrite *rewrite, int32_t expression, int32_t *made) {
  const struct opening *opening = rewrite->context;
  const struct expression *e = expression_at(rewrite->expressions, expression);
  if (e->op != EXPRESSION_INPUT || e->clock != opening->clock)
    return CUSEQ_STATUS_OK;
  for (int32_t i = 0; i < opening->step->slot_count; i++)
    if (opening->step->slots[i].next < 0 && opening->step->slots[i].initial == expression) {
      *made = opening->step->slots[i].expression;
      return CUSEQ_STATUS_OK;
    }
  return step_add_slot(rewrite->expressions, opening->step, expression, -1, made);
}

/* Whether an expression is computed of a sequence that is given, position by position. */
static bool is_elementwise(const struct expressions *expressions, int32_t expression, int depth) {
  const struct expression *e = expression_at(expressions, expression);
  bool is = depth < MAX_DEPTH && e->op != EXPRESSION_SEQUENCE && e->op != EXPRESSION_WINDOW &&
            e->op != EXPRESSION_REVERSE && e->op != EXPRESSION_CUT && !expression_takes_all(e);
  for (int32_t i = 0; is && e->clocks != 0 && i < e->child_count; i++)
    is = is_elementwise(expressions, e->children[i], depth + 1);
  return is;
}

/* What successive positions of an expression are in a step. */
static cuseq_status open_sequence(struct expressions *expressions, struct step *step,
                                  const struct expression *position, int32_t *made) {
  const int32_t timed = position->children[0], clock = position->clock;
  struct opening opening = {step, clock};
  struct rewrite rewrite;
  for (int32_t i = 0; i < step->opened_count; i++)
    if (step->opened[i].timed == timed) {
      *made = step->opened[i].made;
      return CUSEQ_STATUS_OK;
    }
  if (step->opened_count >= STEP_MAX_SLOTS)
    return node_refuse(position->node, "a step of the decoder is given more than %d tensors", STEP_MAX_SLOTS);
  if (!is_elementwise(expressions, timed, 0))
    return node_refuse(expression_at(expressions, timed)->node,
                       "each step of the decoder reads it at another position, which cuseq can express of "
                       "tokens alone");
  TRY(rewrite_begin(&rewrite, expressions, 0, opening_rule, &opening));
  cuseq_status status = rewrite_run(&rewrite, timed, made);
  rewrite_end(&rewrite);
  step->opened[step->opened_count++] = (struct opened){timed, clock, *made};
  return status;
}

/* What two expressions are in a step. */
static cuseq_status unify(struct unifier *unifier, int32_t first, int32_t second, int32_t *made) {
  struct expressions *expressions = unifier->recogniser->expressions;
  const struct expression a = *expression_at(expressions, first), b = *expression_at(expressions, second);
  const struct pair *known = first == second ? NULL : find_pair(unifier, first, second);
  if (first == second || known != NULL) {
    *made = known != NULL ? known->made : first;
    return CUSEQ_STATUS_OK;
  }
  if (unifier->depth >= MAX_DEPTH)
    return node_refuse(b.node, "a step of the decoder is too large");
  unifier->depth++;
  if (alike(&a, &b))
    TRY(unify_children(unifier, &a, &b, made));
  else if (are_successive(expressions, &a, &b))
    TRY(open_sequence(expressions, unifier->step, &a, made));
  else if (a.width != b.width || unifier->recogniser->steps[first] > 0)
    return node_refuse(b.node, "it does not do the same at every step of the decoder");
  else
    TRY(step_add_slot(expressions, unifier->step, first, second, made));
  unifier->depth--;
  return add_pair(unifier, first, second, *made);
}

/* What an expression of the first step is in a step. */
static cuseq_status of_first(struct unifier *unifier, int32_t first, int32_t *made) {
  struct expressions *expressions = unifier->recogniser->expressions;
  const struct expression e = *expression_at(expressions, first);
  *made = -1;
  for (int32_t i = 0; i < unifier->count; i++) {
    const struct pair *pair = &unifier->pairs[i];
    const struct expression *there = expression_at(expressions, pair->first);
    bool slot = expression_at(expressions, pair->made)->op == EXPRESSION_SLOT;
    if (pair->first == first && (*made < 0 || !slot))
      *made = pair->made;
    /* the other state of the same cell */
    if (e.op == EXPRESSION_CELL && there->op == EXPRESSION_CELL && there->index == e.index && !slot &&
        pair->first != first &&
        memcmp(there->children, e.children, (size_t)e.child_count * sizeof *e.children) == 0) {
      struct expression other = *expression_at(expressions, pair->made);
      other.part = e.part;
      other.atom = false;
      return expression_make(expressions, &other, made);
    }
  }
  if (*made >= 0)
    return CUSEQ_STATUS_OK;
  if (e.child_count == 0 || e.op == EXPRESSION_SEQUENCE || e.op == EXPRESSION_FINAL) {
    *made = first;
    return CUSEQ_STATUS_OK;
  }
  if (unifier->depth >= MAX_DEPTH)
    return node_refuse(e.node, "a step of the decoder is too large");
  unifier->depth++;
  struct expression remade = e;
  int32_t *children = arena_allocate(unifier->recogniser->arena, (size_t)e.child_count * sizeof *children);
  if (children == NULL)
    return error_out_of_memory();
  for (int32_t i = 0; i < e.child_count; i++)
    TRY(of_first(unifier, e.children[i], &children[i]));
  unifier->depth--;
  remade.children = children;
  remade.atom = false;
  return expression_make(expressions, &remade, made);
}

/* ---- every step the same -------------------------------------------------------------------------- */

struct instance {
  const struct step *step;
  const int32_t *values; /* [slots] */
  int32_t number;        /* of the step, from 0 on */
};

static cuseq_status instance_rule(struct rewrite *rewrite, int32_t expression, int32_t *made) {
  const struct instance *instance = rewrite->context;
  const struct step *step = instance->step;
  const struct expression *e = expression_at(rewrite->expressions, expression);
  for (int32_t i = 0; i < step->opened_count; i++)
    if (step->opened[i].made == expression)
      return expression_position(rewrite->expressions, step->opened[i].clock, instance->number,
                                 step->opened[i].timed, e->node, made);
  const struct slot *slot = e->op == EXPRESSION_SLOT ? step_slot(step, expression) : NULL;
  if (slot != NULL)
    *made = instance->values[slot - step->slots];
  return CUSEQ_STATUS_OK;
}

/* The first place at which two expressions differ, for a message. */
static const struct graph_node *difference(const struct expressions *expressions, int32_t got,
                                           int32_t wanted) {
  for (int depth = 0; depth < MAX_DEPTH; depth++) {
    const struct expression *a = expression_at(expressions, got), *b = expression_at(expressions, wanted);
    int32_t i = 0;
    if (!alike(a, b))
      return b->node;
    while (i < a->child_count && a->children[i] == b->children[i])
      i++;
    if (i == a->child_count)
      return b->node;
    got = a->children[i];
    wanted = b->children[i];
  }
  return expression_at(expressions, wanted)->node;
}

/* Goes from step to step and calls `see` with what each expression of `watched` is.
 *   watched   [count] expressions of the step
 *   received  [count, steps] */
static cuseq_status go_through(struct recogniser *recogniser, const struct step *step, const int32_t *watched,
                               int32_t count, int32_t *received) {
  int32_t values[STEP_MAX_SLOTS], next[STEP_MAX_SLOTS];
  for (int32_t i = 0; i < step->slot_count; i++)
    values[i] = step->slots[i].initial;
  for (int32_t k = 0; k < step->steps; k++) {
    struct instance instance = {step, values, k};
    struct rewrite rewrite;
    TRY(rewrite_begin(&rewrite, recogniser->expressions, step->slot_count > 0 ? step->slots[0].expression : 0,
                      instance_rule, &instance));
    cuseq_status status = CUSEQ_STATUS_OK;
    for (int32_t i = 0; status == CUSEQ_STATUS_OK && i < count; i++)
      status = rewrite_run(&rewrite, watched[i], &received[(size_t)i * (size_t)step->steps + (size_t)k]);
    for (int32_t i = 0; status == CUSEQ_STATUS_OK && i < step->slot_count && k + 1 < step->steps; i++) {
      next[i] = values[i];
      if (step->slots[i].next >= 0)
        status = rewrite_run(&rewrite, step->slots[i].next, &next[i]);
    }
    rewrite_end(&rewrite);
    TRY(status);
    memcpy(values, next, sizeof values);
  }
  return CUSEQ_STATUS_OK;
}

cuseq_status step_values(struct recogniser *recogniser, const struct step *step, int32_t expression,
                         int32_t *values) {
  return go_through(recogniser, step, &expression, 1, values);
}

static cuseq_status check_steps(struct recogniser *recogniser, const struct step *step,
                                const int32_t *outputs) {
  int32_t *found = malloc((size_t)step->steps * sizeof *found);
  if (found == NULL)
    return error_out_of_memory();
  cuseq_status status = go_through(recogniser, step, step->outputs, 1, found);
  for (int32_t k = 0; status == CUSEQ_STATUS_OK && k < step->steps; k++)
    if (found[k] != outputs[k])
      status = node_refuse(difference(recogniser->expressions, found[k], outputs[k]),
                           "it does not do the same at every step of the decoder");
  free(found);
  return status;
}

/* ---- one step alone ------------------------------------------------------------------------------- */

static cuseq_status single_rule(struct rewrite *rewrite, int32_t expression, int32_t *made) {
  struct step *step = rewrite->context;
  const struct expression e = *expression_at(rewrite->expressions, expression);
  if (e.op != EXPRESSION_CELL) {
    for (int32_t i = 0; i < step->slot_count && *made < 0; i++)
      if (step->slots[i].initial == expression)
        *made = step->slots[i].expression;
    return CUSEQ_STATUS_OK;
  }
  int32_t children[3] = {-1, -1, -1}, slots = step->slot_count;
  for (int32_t i = 1; i < e.child_count; i++)
    TRY(step_add_slot(rewrite->expressions, step, e.children[i], -1, &children[i]));
  TRY(rewrite_run(rewrite, e.children[0], &children[0]));
  struct expression cell = e;
  cell.children = children;
  for (cell.part = CELL_H; cell.part < e.child_count - 1; cell.part++)
    TRY(expression_make(rewrite->expressions, &cell, &step->slots[slots + cell.part].next));
  *made = step->slots[slots + e.part].next;
  return CUSEQ_STATUS_OK;
}

/* Of a single step: the states of its cells go on. */
static cuseq_status single_step(struct recogniser *recogniser, int32_t output, struct step *step) {
  struct rewrite rewrite;
  TRY(rewrite_begin(&rewrite, recogniser->expressions, 0, single_rule, step));
  cuseq_status status = rewrite_run(&rewrite, output, step->outputs);
  rewrite_end(&rewrite);
  return status;
}

/* ---- the whole ------------------------------------------------------------------------------------ */

static cuseq_status unify_steps(struct unifier *unifier, const int32_t *outputs) {
  struct step *step = unifier->step;
  TRY(unify(unifier, outputs[0], outputs[1], step->outputs));
  for (int32_t i = 0; i < step->slot_count; i++)
    if (step->slots[i].next >= 0)
      TRY(of_first(unifier, step->slots[i].next, &step->slots[i].next));
  return CUSEQ_STATUS_OK;
}

cuseq_status step_of_unrolled(struct recogniser *recogniser, const int32_t *outputs, int32_t count,
                              struct step *step) {
  step->steps = count;
  step->clock = -1;
  step->output_count = 1;
  step->outputs = arena_allocate(recogniser->arena, sizeof *step->outputs);
  if (step->outputs == NULL)
    return error_out_of_memory();
  if (count == 1)
    return single_step(recogniser, outputs[0], step);
  struct unifier unifier = {.recogniser = recogniser, .step = step, .table_size = 2 * MAX_PAIRS};
  unifier.pairs = malloc(MAX_PAIRS * sizeof *unifier.pairs);
  unifier.table = malloc((size_t)unifier.table_size * sizeof *unifier.table);
  cuseq_status status = CUSEQ_STATUS_OK;
  if (unifier.pairs == NULL || unifier.table == NULL) {
    status = error_out_of_memory();
  } else {
    memset(unifier.table, 0xff, (size_t)unifier.table_size * sizeof *unifier.table);
    status = unify_steps(&unifier, outputs);
  }
  free(unifier.pairs);
  free(unifier.table);
  TRY(status);
  return check_steps(recogniser, step, outputs);
}
