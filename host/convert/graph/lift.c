#include "convert/graph/lift.h"
#include "convert/graph/rewrite.h"
#include "error.h"

enum { MOST_READ = 8 };
static const int64_t most_work = (int64_t)64 << 20; /* expressions looked at for all positions together */

bool expression_reads_forward(const struct expressions *expressions, const struct expression *e) {
  if (e->op != EXPRESSION_SEQUENCE)
    return false;
  const enum layer_direction direction = expressions->layers[e->index].direction;
  return direction == LAYER_BIDIRECTIONAL ? e->part == SEQUENCE_FORWARD : direction == LAYER_FORWARD;
}

/* Likewise of one that reads backwards. */
static bool reads_backward(const struct expressions *expressions, const struct expression *e) {
  if (e->op != EXPRESSION_SEQUENCE)
    return false;
  const enum layer_direction direction = expressions->layers[e->index].direction;
  return direction == LAYER_BIDIRECTIONAL ? e->part == SEQUENCE_BACKWARD : direction == LAYER_BACKWARD;
}

cuseq_status expression_position(struct expressions *expressions, int32_t clock, int64_t position,
                                 int32_t child, const struct graph_node *node, int32_t *expression) {
  const int64_t length = expressions->clocks[clock].length;
  if (length > 0 && position >= length - position)
    position -= length;
  else if (length > 0 && position < 0 && -position > length + position)
    position += length;
  const struct expression *e = expression_at(expressions, child);
  const bool forward = position == -1 && expression_reads_forward(expressions, e);
  if (!forward && !(position == 0 && reads_backward(expressions, e)))
    return expression_over(expressions, EXPRESSION_POSITION, clock, (int32_t)position, false, child, node,
                           expression);
  struct expression final = *e;
  final.op = EXPRESSION_FINAL;
  final.part = forward ? FINAL_FORWARD_H : FINAL_BACKWARD_H;
  return expression_make(expressions, &final, expression);
}

/* What the children read at their positions, found in one of them. */
struct reading {
  int32_t list[MOST_READ];
  int32_t count;
  int32_t clock; /* -1 so far */
  int32_t length;
  /* the position of the child that they are found in: not one of the ends, which may be final states */
  int32_t pattern;
  bool wrong;
  int64_t position; /* where it is to be read, when it is placed */
};

static cuseq_status lift_rule(struct rewrite *rewrite, int32_t expression, int32_t *made) {
  struct reading *reading = rewrite->context;
  const struct expression *e = expression_at(rewrite->expressions, expression);
  if (e->op != EXPRESSION_POSITION || e->index != reading->pattern ||
      rewrite->expressions->clocks[e->clock].length != reading->length)
    return CUSEQ_STATUS_OK;
  int32_t at = 0;
  while (at < reading->count && reading->list[at] != e->children[0])
    at++;
  reading->wrong = reading->wrong || at == MOST_READ || (reading->clock >= 0 && reading->clock != e->clock);
  reading->clock = e->clock;
  if (at == reading->count && at < MOST_READ)
    reading->list[reading->count++] = e->children[0];
  *made = e->children[0];
  return CUSEQ_STATUS_OK;
}

static cuseq_status place_rule(struct rewrite *rewrite, int32_t expression, int32_t *made) {
  const struct reading *reading = rewrite->context;
  const struct expression *e = expression_at(rewrite->expressions, expression);
  for (int32_t i = 0; i < reading->count; i++)
    if (reading->list[i] == expression)
      return expression_position(rewrite->expressions, reading->clock, reading->position, expression, e->node,
                                 made);
  if (!(e->clocks >> reading->clock & 1)) /* it is the same at every position */
    *made = expression;
  return CUSEQ_STATUS_OK;
}

static cuseq_status rewritten(struct expressions *expressions, int32_t first, rewrite_rule rule,
                              struct reading *reading, int32_t expression, int32_t *made) {
  struct rewrite rewrite;
  cuseq_status status = rewrite_begin(&rewrite, expressions, first, rule, reading);
  if (status == CUSEQ_STATUS_OK)
    status = rewrite_run(&rewrite, expression, made);
  rewrite_end(&rewrite);
  return status;
}

cuseq_status expression_lift(struct expressions *expressions, const int32_t *children, int32_t count,
                             int32_t *lifted, int32_t *clock) {
  struct reading reading = {.clock = -1, .length = count, .pattern = count > 2 ? 1 : 0};
  int32_t made;
  *lifted = -1;
  if (count < 2)
    return CUSEQ_STATUS_OK;
  TRY(rewritten(expressions, 0, lift_rule, &reading, children[reading.pattern], &made));
  if (reading.count == 0 || reading.wrong)
    return CUSEQ_STATUS_OK;
  int32_t first = reading.list[0];
  for (int32_t i = 1; i < reading.count; i++)
    first = reading.list[i] < first ? reading.list[i] : first;
  if ((int64_t)(expressions->count - first) * count > most_work)
    return CUSEQ_STATUS_OK;
  for (reading.position = 0; reading.position < count; reading.position++) {
    int32_t placed;
    TRY(rewritten(expressions, first, place_rule, &reading, made, &placed));
    if (placed != children[reading.position])
      return CUSEQ_STATUS_OK;
  }
  *lifted = made;
  *clock = reading.clock;
  return CUSEQ_STATUS_OK;
}

/* ---- the last position ---------------------------------------------------------------------------- */

struct last {
  int32_t clock;
  bool wrong;
};

/* The sequence that a forward layer's final state ends. */
static cuseq_status sequence_of_final(struct expressions *expressions, const struct expression *final,
                                      int32_t *made) {
  struct expression sequence = *final;
  sequence.op = EXPRESSION_SEQUENCE;
  sequence.part =
      expressions->layers[final->index].direction == LAYER_FORWARD ? SEQUENCE_MERGED : SEQUENCE_FORWARD;
  sequence.atom = false;
  return expression_make(expressions, &sequence, made);
}

static cuseq_status last_rule(struct rewrite *rewrite, int32_t expression, int32_t *made) {
  struct last *last = rewrite->context;
  const struct expression e = *expression_at(rewrite->expressions, expression);
  const bool over = e.clock == last->clock;
  const bool pointwise = e.op == EXPRESSION_DENSE || e.op == EXPRESSION_AFFINE ||
                         e.op == EXPRESSION_ACTIVATION || e.op == EXPRESSION_CONCAT ||
                         e.op == EXPRESSION_SLICE || e.op == EXPRESSION_ADD || e.op == EXPRESSION_SCALE ||
                         e.op == EXPRESSION_NORM;
  if (e.op == EXPRESSION_POSITION && over && e.index == -1)
    *made = e.children[0];
  else if (e.op == EXPRESSION_FINAL && over && e.part == FINAL_FORWARD_H)
    return sequence_of_final(rewrite->expressions, &e, made);
  else if (!pointwise) {
    last->wrong = true;
    *made = expression;
  }
  return CUSEQ_STATUS_OK;
}

cuseq_status expression_of_last(struct expressions *expressions, int32_t clock, int32_t vector,
                                int32_t *sequence) {
  struct last last = {.clock = clock};
  *sequence = vector;
  TRY(rewrite_all(expressions, last_rule, &last, sequence, 1));
  if (last.wrong)
    *sequence = -1;
  return CUSEQ_STATUS_OK;
}
