/* A model of cuseq's has one input. Where a graph has several, which one gives as it likes, they lie side by
 * side in one: sequences at their positions, a vector of the whole - a product's price, a shop's number - at
 * every position, of which the last one is read. A sequence that is shorter than another one ends where that
 * ends; the positions that it has not are cut off (cut.c). */
#include "convert/recognise/join_parts.h"
#include "error.h"

#include <stdio.h>

/* ---- the one input -------------------------------------------------------------------------------- */

static int64_t length_of(const struct joining *joining, const struct joined_input *input) {
  return input->clock >= 0 ? joining->expressions->clocks[input->clock].length : -1;
}

/* Sets how many positions each sequence has not; the clock of the longest, -1: there is
 * none, or one that was cut. */
static int32_t longest(struct joining *joining) {
  int32_t clock = -1;
  int64_t most = -1;
  bool open = false;
  for (int32_t i = 0; i < joining->count; i++) {
    struct joined_input *input = &joining->inputs[i];
    const int64_t length = length_of(joining, input);
    if (input->vector)
      continue;
    open = open || length < 0;
    if (joining->expressions->clocks[input->clock].of >= 0 ||
        joining->expressions->clocks[input->clock].repeats)
      return -1;
    if (clock < 0 || length > most) {
      clock = input->clock;
      most = length;
    }
  }
  for (int32_t i = 0; i < joining->count && !open; i++)
    if (!joining->inputs[i].vector)
      joining->inputs[i].missing = (int32_t)(most - length_of(joining, &joining->inputs[i]));
  return clock;
}

static cuseq_status make_whole(struct joining *joining, int32_t longest_clock) {
  struct expressions *expressions = joining->expressions;
  const struct clock from = expressions->clocks[longest_clock];
  const struct expression first = *expression_at(expressions, joining->inputs[0].expression);
  struct graph_node *node;
  int64_t width = 0;
  int64_t length = from.length;
  for (int32_t i = 0; i < joining->count; i++) {
    joining->inputs[i].offset = (int32_t)width;
    width += joining->inputs[i].width;
    if (!joining->inputs[i].vector && length_of(joining, &joining->inputs[i]) < 0)
      length = -1;
  }
  if (width > INT32_MAX)
    return node_refuse(from.node, "the model's inputs are absurdly wide");
  TRY(node_copy(expressions->arena, first.node, &node));
  TRY(clock_make(expressions, node, length, false, &joining->clock));
  struct expression whole = {.op = EXPRESSION_INPUT,
                             .width = (int32_t)width,
                             .clock = joining->clock,
                             .matrix = -1,
                             .bias = -1,
                             .index = first.index,
                             .node = node};
  return expression_make(expressions, &whole, &joining->whole);
}

/* The clocks in the place of those of the inputs. */
static cuseq_status place_clocks(struct joining *joining) {
  for (int32_t i = 0; i < joining->count; i++) {
    const struct joined_input *input = &joining->inputs[i];
    if (input->clock < 0)
      continue;
    joining->clocks[input->clock] = joining->clock;
    if (input->missing > 0)
      TRY(clock_cut(joining->expressions, expression_at(joining->expressions, input->expression)->node,
                    joining->clock, input->missing, &joining->clocks[input->clock]));
  }
  const int32_t count = joining->expressions->clock_count;
  for (int32_t c = 0; c < count; c++) { /* and of those that were cut from them */
    const struct clock clock = joining->expressions->clocks[c];
    const int32_t whole = clock_whole(joining->expressions, c);
    if (joining->clocks[c] == c && whole != c && joining->clocks[whole] != whole)
      TRY(clock_cut(joining->expressions, clock.node, joining->clocks[whole], clock.cut,
                    &joining->clocks[c]));
  }
  return CUSEQ_STATUS_OK;
}

/* ---- expressions ---------------------------------------------------------------------------------- */

static const struct joined_input *input_of(const struct joining *joining, int32_t expression) {
  for (int32_t i = 0; i < joining->count; i++)
    if (joining->inputs[i].expression == expression)
      return &joining->inputs[i];
  return NULL;
}

/* What there is at the positions of a shorter sequence: without the first ones of the whole. */
static cuseq_status cut_off(struct joining *joining, const struct joined_input *input, int32_t *made) {
  struct expressions *expressions = joining->expressions;
  const struct expression e = *expression_at(expressions, *made);
  int32_t children[2] = {*made, -1};
  struct expression window = {.op = EXPRESSION_WINDOW,
                              .clock = joining->clock,
                              .index = input->missing,
                              .matrix = -1,
                              .bias = -1,
                              .node = e.node,
                              .child_count = 1,
                              .children = children};
  struct expression cut = window;
  if (input->missing == 0)
    return CUSEQ_STATUS_OK;
  TRY(expression_make(expressions, &window, &children[1]));
  cut.op = EXPRESSION_CUT;
  cut.index = 0;
  cut.clock = joining->clocks[input->clock];
  cut.children = &children[1];
  TRY(expression_make(expressions, &cut, made));
  return expression_slice(expressions, *made, input->missing * e.width, e.width, e.node, made);
}

/* The part of the whole that an input is, at every position, or rows of an embedding for it. */
static cuseq_status part_of(struct joining *joining, const struct joined_input *input,
                            const struct expression *embedding, int32_t *made) {
  const struct graph_node *node = expression_at(joining->expressions, input->expression)->node;
  TRY(expression_slice(joining->expressions, joining->whole, input->offset, input->width, node, made));
  if (embedding != NULL) {
    struct expression row = *embedding;
    row.children = made;
    row.atom = false;
    TRY(expression_make(joining->expressions, &row, made));
  }
  return cut_off(joining, input, made);
}

/* A vector at one of the positions: the last one, or the first where the last ones may be padding. */
static cuseq_status one_of(struct joining *joining, int32_t child, const struct graph_node *node,
                           int32_t *made) {
  return expression_over(joining->expressions, EXPRESSION_POSITION, joining->clock, joining->masked ? 0 : -1,
                         false, child, node, made);
}

/* Whether an operation reads its children at all positions, and takes none of them as they are at one. */
static bool reads_positions(const struct expression *e) {
  return join_is_recurrent(e) || e->op == EXPRESSION_CONTEXT || expression_takes_all(e) ||
         e->op == EXPRESSION_POOL || e->op == EXPRESSION_POSITION || e->op == EXPRESSION_FLAT;
}

/* Over other children, and over the clocks that are in the place of others. */
static cuseq_status again(struct rewrite *rewrite, const struct expression *e, int32_t *made) {
  struct joining *joining = rewrite->context;
  const bool keeps = reads_positions(e);
  struct expression over = *e;
  int32_t *children =
      arena_allocate(joining->expressions->arena, (size_t)(e->child_count + 1) * sizeof *children);
  if (children == NULL)
    return error_out_of_memory();
  for (int32_t i = 0; i < e->child_count; i++) {
    const bool timed = expression_at(joining->expressions, e->children[i])->clocks == 0 && !keeps &&
                       (e->clocks != 0 || rewrite == &joining->timed);
    TRY(rewrite_run(timed ? &joining->timed : &joining->plain, e->children[i], &children[i]));
  }
  over.children = children;
  if (expression_names_clock(e))
    over.clock = joining->clocks[e->clock];
  over.atom = false;
  return expression_make(joining->expressions, &over, made);
}

static cuseq_status join_rule(struct rewrite *rewrite, int32_t expression, int32_t *made) {
  struct joining *joining = rewrite->context;
  const struct expression e = *expression_at(joining->expressions, expression);
  const struct joined_input *input = input_of(joining, expression);
  const struct joined_input *looked_up =
      e.op == EXPRESSION_EMBEDDING ? input_of(joining, e.children[0]) : NULL;
  if (input != NULL || looked_up != NULL) {
    const bool vector = input != NULL && input->clock < 0 && rewrite != &joining->timed;
    TRY(part_of(joining, input != NULL ? input : looked_up, looked_up != NULL ? &e : NULL, made));
    return vector ? one_of(joining, *made, e.node, made) : CUSEQ_STATUS_OK;
  }
  if (e.child_count == 0)
    return CUSEQ_STATUS_OK;
  if (e.op == EXPRESSION_ALIGN)
    return rewrite_run(&joining->plain, e.children[0], made);
  if (e.clocks == 0 && rewrite == &joining->timed && reads_positions(&e))
    return rewrite_run(&joining->plain, expression, made);
  return again(rewrite, &e, made);
}

/* ---- notes ---------------------------------------------------------------------------------------- */

static cuseq_status note(const struct joining *joining, struct notes *notes) {
  const struct expressions *expressions = joining->expressions;
  const int32_t columns = expression_at(expressions, joining->whole)->width;
  const int64_t time = expressions->clocks[joining->clock].length;
  char length[24] = "time";
  if (time >= 0)
    snprintf(length, sizeof length, "%lld", (long long)time);
  for (int32_t i = 0; i < joining->count; i++) {
    const struct joined_input *input = &joining->inputs[i];
    char from[64] = "";
    if (input->missing > 0)
      snprintf(from, sizeof from, ", behind %d positions of zeros", input->missing);
    TRY(notes_add(
        notes,
        "input '%.100s' is columns %d to %d of one input, which is given as numbers [batch, %s, %d]%s%s",
        expression_at(expressions, input->expression)->node->name, input->offset,
        input->offset + input->width - 1, length, columns,
        input->vector ? ", the same at every position" : "", from));
  }
  return CUSEQ_STATUS_OK;
}

static struct graph_parts parts_of(const struct joining *joining) {
  struct graph_parts parts = {.count = joining->count};
  for (int32_t i = 0; i < joining->count; i++) {
    const struct joined_input *input = &joining->inputs[i];
    parts.list[i] = (struct graph_part){expression_at(joining->expressions, input->expression)->node->name,
                                        input->width, input->missing, input->vector};
  }
  return parts;
}

/* ---- the whole ------------------------------------------------------------------------------------ */

static cuseq_status rewrite_outputs(struct joining *joining, int32_t *outputs, size_t count) {
  TRY(rewrite_begin(&joining->plain, joining->expressions, 0, join_rule, joining));
  TRY(rewrite_begin(&joining->timed, joining->expressions, 0, join_rule, joining));
  for (size_t i = 0; i < count; i++)
    TRY(rewrite_run(&joining->plain, outputs[i], &outputs[i]));
  return CUSEQ_STATUS_OK;
}

cuseq_status join_inputs(const struct recognise_request *request, int32_t *outputs, size_t count,
                         int32_t *clocks, struct graph_parts *parts) {
  struct joining joining = {.expressions = request->expressions};
  const int32_t limit = joining.expressions->count;
  bool *reached;
  *parts = (struct graph_parts){0};
  for (int32_t c = 0; c < MAX_CLOCKS; c++)
    clocks[c] = joining.clocks[c] = c;
  TRY(reach_list(request->expressions, outputs, count, &reached));
  join_list(&joining, request, reached, limit);
  const int32_t clock = joining.count > 1 ? longest(&joining) : -1;
  if (clock < 0)
    return CUSEQ_STATUS_OK;
  TRY(make_whole(&joining, clock));
  TRY(place_clocks(&joining));
  cuseq_status status = rewrite_outputs(&joining, outputs, count);
  rewrite_end(&joining.plain);
  rewrite_end(&joining.timed);
  TRY(status);
  for (int32_t c = 0; c < MAX_CLOCKS; c++)
    clocks[c] = joining.clocks[c];
  *parts = parts_of(&joining);
  return note(&joining, request->notes);
}

cuseq_status join_refuse(const struct recognise_request *request, const int32_t *outputs, size_t count) {
  const struct expressions *expressions = request->expressions;
  const int32_t limit = expressions->count;
  bool *reached;
  TRY(reach_list(request->expressions, outputs, count, &reached));
  for (int32_t i = 0; i < limit; i++) {
    const struct expression *e = expression_at(expressions, i);
    if (reached[i] && e->op == EXPRESSION_ALIGN)
      return node_refuse(e->node, "it joins two sequences, '%.80s' and '%.80s', position by position",
                         expressions->clocks[e->clock].node->name, expressions->clocks[e->index].node->name);
  }
  return CUSEQ_STATUS_OK;
}
