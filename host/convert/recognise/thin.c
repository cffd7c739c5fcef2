/* cuseq's sequences keep their length. Where a graph gives one position for S that it reads, S positions of
 * its input are given side by side as one, a *block*: nothing moves in memory, [batch, T, F] is
 * [batch, T / S, S F]. What the graph computes of single positions is then computed S times for each block,
 * which are its *phases*, and what a pooling takes together are phases of one block or of those beside it.
 *
 * A clock between input and blocks has a *rate*, its positions for each block. Its position n U + q, n being
 * the rate, is what at(expression, q) computes over the blocks U. Where fewer positions come out than there
 * are blocks they are the last blocks' (cut.c): then all is read so many blocks earlier. */
#include "convert/graph/rewrite.h"
#include "convert/recognise/thin_parts.h"
#include "error.h"

#include <stdio.h>
#include <stdlib.h>

enum { MOST_MADE = 1 << 16, TABLE_SIZE = 1 << 17, MAX_DEPTH = 400 };

/* ---- phases --------------------------------------------------------------------------------------- */

static struct phase *find(const struct thinning *thinning, int32_t of, int32_t at) {
  uint32_t slot = ((uint32_t)of * 0x9e3779b1u ^ (uint32_t)at * 0x85ebca6bu) % TABLE_SIZE;
  while (thinning->table[slot].of >= 0 && (thinning->table[slot].of != of || thinning->table[slot].at != at))
    slot = (slot + 1) % TABLE_SIZE;
  return &thinning->table[slot];
}

static cuseq_status at_position(struct thinning *thinning, int32_t expression, int64_t at, int32_t *made);

/* The one clock of an expression that has a rate; -1: it has none. */
static int32_t clock_of(const struct thinning *thinning, const struct expression *e) {
  for (int32_t c = 0; c < thinning->expressions->clock_count; c++)
    if (e->clocks == (uint32_t)1 << c && thinning->rate[c] > 0)
      return c;
  return -1;
}

/* The input, or rows of an embedding for it: what windows at the sequence's ends find zeros beside. */
static bool is_source(const struct expressions *expressions, const struct expression *e) {
  if (e->op == EXPRESSION_EMBEDDING)
    e = expression_at(expressions, e->children[0]);
  return e->op == EXPRESSION_INPUT && e->clocks != 0;
}

/* `count` blocks before each block, itself and `behind` blocks. */
static cuseq_status window(struct thinning *thinning, int32_t child, int32_t before, int32_t behind,
                           const struct graph_node *node, int32_t *made) {
  struct expression e = {.op = EXPRESSION_WINDOW,
                         .clock = thinning->blocks,
                         .index = before,
                         .part = behind,
                         .matrix = -1,
                         .bias = -1,
                         .node = node,
                         .child_count = 1,
                         .children = &child};
  return expression_make(thinning->expressions, &e, made);
}

/* What a vector over the blocks is `by` blocks later; zeros where there is no block. */
static cuseq_status shift(struct thinning *thinning, int32_t child, int64_t by, int32_t *made) {
  const struct expression e = *expression_at(thinning->expressions, child);
  *made = child;
  if (by == 0)
    return CUSEQ_STATUS_OK;
  if (by < -THIN_MOST_STRIDE || by > THIN_MOST_STRIDE)
    return thin_refuse(thinning, e.node);
  const int32_t before = by < 0 ? (int32_t)-by : 0, behind = by > 0 ? (int32_t)by : 0;
  TRY(window(thinning, child, before, behind, e.node, made));
  return expression_slice(thinning->expressions, *made, behind * e.width, e.width, e.node, made);
}

/* The input at a position of a block: a part of the wider input, or of so many blocks before as are lost. */
static cuseq_status source_at(struct thinning *thinning, const struct expression *e, int64_t at,
                              int32_t *made) {
  struct expressions *expressions = thinning->expressions;
  const bool looked_up = e->op == EXPRESSION_EMBEDDING;
  const struct expression input = looked_up ? *expression_at(expressions, e->children[0]) : *e;
  const int32_t S = thinning->stride;
  const int64_t block = thin_floor(at, S), phase = at - block * S;
  struct expression wide = input;
  if ((int64_t)input.width * S > INT32_MAX || block < -THIN_MOST_STRIDE || block > THIN_MOST_STRIDE)
    return thin_refuse(thinning, e->node);
  wide.width = input.width * S;
  wide.clock = thinning->blocks;
  wide.atom = false;
  int32_t whole;
  TRY(expression_make(expressions, &wide, &whole));
  TRY(expression_slice(expressions, whole, (int32_t)phase * input.width, input.width, input.node, made));
  if (looked_up) {
    struct expression row = *e;
    row.children = made;
    row.atom = false;
    TRY(expression_make(expressions, &row, made));
  }
  if (thinning->lost == 0)
    return shift(thinning, *made, block, made);
  if (block > 0 || block < -thinning->lost)
    return thin_refuse(thinning, e->node);
  struct expression cut = {.op = EXPRESSION_CUT,
                           .matrix = -1,
                           .bias = -1,
                           .node = thinning->node,
                           .child_count = 1,
                           .children = made};
  const int32_t width = e->width;
  TRY(window(thinning, *made, thinning->lost, 0, thinning->node, made));
  TRY(clock_cut(expressions, thinning->node, thinning->blocks, thinning->lost, &cut.clock));
  TRY(expression_make(expressions, &cut, made));
  return expression_slice(expressions, *made, (int32_t)(block + thinning->lost) * width, width, e->node,
                          made);
}

/* A position that a window reads, beyond the sequence's ends zeros. */
static cuseq_status padded_at(struct thinning *thinning, int32_t child, int32_t clock, int64_t at,
                              int32_t *made) {
  const struct expression e = *expression_at(thinning->expressions, child);
  const int32_t rate = thinning->rate[clock];
  const int64_t block = thin_floor(at, rate);
  if (is_source(thinning->expressions, &e))
    return source_at(thinning, &e, at, made);
  if (thinning->lost > 0)
    return thin_refuse(thinning, e.node);
  TRY(at_position(thinning, child, at - block * rate, made));
  return shift(thinning, *made, block, made);
}

/* The positions of a window side by side.
 *   padded  whether it may reach over the sequence's ends */
static cuseq_status window_at(struct thinning *thinning, const struct expression *e, int64_t at, bool padded,
                              int32_t *made) {
  const int32_t count = e->index + 1 + e->part, child = e->children[0];
  const struct expression *source = expression_at(thinning->expressions, child);
  if (padded && e->part > 0 && thinning->gap[e->clock] != 0 && source->op != EXPRESSION_INPUT)
    return thin_refuse(thinning, e->node);
  int32_t *parts = arena_allocate(thinning->expressions->arena, (size_t)count * sizeof *parts);
  if (parts == NULL)
    return error_out_of_memory();
  for (int32_t i = 0; i < count; i++) {
    const int64_t position = at - e->index + i;
    TRY(padded ? padded_at(thinning, child, e->clock, position, &parts[i])
               : at_position(thinning, child, position, &parts[i]));
  }
  return expression_several(thinning->expressions, EXPRESSION_CONCAT, parts, count, e->node, made);
}

/* What works on each position by itself. */
static cuseq_status vector_at(struct thinning *thinning, const struct expression *e, int64_t at,
                              int32_t *made) {
  struct expression again = *e;
  int32_t *children =
      arena_allocate(thinning->expressions->arena, (size_t)(e->child_count + 1) * sizeof *children);
  if (children == NULL)
    return error_out_of_memory();
  for (int32_t i = 0; i < e->child_count; i++) {
    children[i] = e->children[i];
    if (expression_at(thinning->expressions, children[i])->clocks != 0)
      TRY(at_position(thinning, children[i], at, &children[i]));
  }
  again.children = children;
  again.atom = false;
  return expression_make(thinning->expressions, &again, made);
}

static cuseq_status make_at(struct thinning *thinning, int32_t expression, int64_t at, int32_t *made) {
  const struct expression e = *expression_at(thinning->expressions, expression);
  if (clock_of(thinning, &e) < 0)
    return thin_refuse(thinning, e.node);
  if (is_source(thinning->expressions, &e))
    return source_at(thinning, &e, at, made);
  switch (e.op) {
  case EXPRESSION_THIN:
    return at_position(thinning, e.children[0], at * thinning->expressions->clocks[e.clock].stride + e.index,
                       made);
  case EXPRESSION_CUT: {
    const struct clock *cut = &thinning->expressions->clocks[e.clock];
    const int32_t first = cut->cut - thinning->expressions->clocks[cut->of].cut;
    const struct expression child = *expression_at(thinning->expressions, e.children[0]);
    return child.op == EXPRESSION_WINDOW ? window_at(thinning, &child, at + first, false, made)
                                         : at_position(thinning, e.children[0], at + first, made);
  }
  case EXPRESSION_WINDOW:
    return window_at(thinning, &e, at, true, made);
  default:
    if (expression_op_is_pointwise(e.op) || e.op == EXPRESSION_CLASSES)
      return vector_at(thinning, &e, at, made);
    return thin_refuse(thinning, e.node);
  }
}

static cuseq_status at_position(struct thinning *thinning, int32_t expression, int64_t at, int32_t *made) {
  if (at < INT32_MIN / 2 || at > INT32_MAX / 2 || thinning->depth >= MAX_DEPTH || thinning->made >= MOST_MADE)
    return node_refuse(thinning->node, "the model's graph is too large");
  struct phase *phase = find(thinning, expression, (int32_t)at);
  if (phase->of >= 0) {
    *made = phase->made;
    return CUSEQ_STATUS_OK;
  }
  thinning->depth++;
  TRY(make_at(thinning, expression, at, made));
  thinning->depth--;
  thinning->made++;
  *find(thinning, expression, (int32_t)at) = (struct phase){expression, (int32_t)at, *made};
  return CUSEQ_STATUS_OK;
}

/* ---- the whole ------------------------------------------------------------------------------------ */

static void forget(struct thinning *thinning) {
  for (int32_t i = 0; i < TABLE_SIZE; i++)
    thinning->table[i].of = -1;
  thinning->made = 0;
}

/* The clock over the blocks that stands for one of rate 1. */
static cuseq_status blocks_of(struct thinning *thinning, int32_t clock, int32_t *blocks) {
  const int64_t lost = thinning->gap[clock];
  *blocks = thinning->blocks;
  if (lost < 0 || lost > THIN_MOST_STRIDE)
    return thin_refuse(thinning, thinning->expressions->clocks[clock].node);
  return lost > 0 ? clock_cut(thinning->expressions, thinning->node, thinning->blocks, (int32_t)lost, blocks)
                  : CUSEQ_STATUS_OK;
}

/* Expressions over clocks of rate 1 are made again over the blocks. */
static cuseq_status again_over(struct rewrite *rewrite, const struct expression *e, int32_t *made) {
  struct thinning *thinning = rewrite->context;
  struct expression over = *e;
  int32_t *children =
      arena_allocate(rewrite->expressions->arena, (size_t)(e->child_count + 1) * sizeof *children);
  if (children == NULL)
    return error_out_of_memory();
  for (int32_t i = 0; i < e->child_count; i++)
    TRY(rewrite_run(rewrite, e->children[i], &children[i]));
  TRY(blocks_of(thinning, e->clock, &over.clock));
  over.children = children;
  over.atom = false;
  return expression_make(rewrite->expressions, &over, made);
}

static cuseq_status thin_rule(struct rewrite *rewrite, int32_t expression, int32_t *made) {
  struct thinning *thinning = rewrite->context;
  const struct expression e = *expression_at(rewrite->expressions, expression);
  const bool over = expression_names_clock(&e) || e.op == EXPRESSION_REPEAT;
  if (e.op == EXPRESSION_THIN && thinning->rate[e.clock] == 1) {
    int32_t blocks;
    TRY(blocks_of(thinning, e.clock, &blocks));
    thinning->lost = (int32_t)thinning->gap[e.clock];
    forget(thinning);
    return at_position(thinning, expression, -thinning->lost, made);
  }
  if (e.op == EXPRESSION_INPUT && e.clock == thinning->base)
    return thin_refuse(thinning, e.node);
  if (over && thinning->rate[e.clock] == 1)
    return again_over(rewrite, &e, made);
  return CUSEQ_STATUS_OK;
}

static cuseq_status note(const struct thinning *thinning, struct notes *notes, int32_t width) {
  const struct clock *base = &thinning->expressions->clocks[thinning->base];
  const int32_t S = thinning->stride;
  const int64_t blocks = (base->length + S - 1) / S;
  const char *of = base->node->name;
  if (base->length < 0)
    return notes_add(notes,
                     "input '%.100s' is read %d positions at a time: give it as [batch, time / %d, %d] (time "
                     "has to be a multiple of %d)",
                     of, S, S, S * width, S);
  if (blocks * S == base->length)
    return notes_add(notes, "input '%.100s' is read %d positions at a time: give it as [batch, %lld, %d]", of,
                     S, (long long)blocks, S * width);
  return notes_add(notes,
                   "input '%.100s' is read %d positions at a time: with %lld positions of zeros behind it "
                   "give it as [batch, %lld, %d]",
                   of, S, (long long)(blocks * S - base->length), (long long)blocks, S * width);
}

static int32_t width_of_input(const struct thinning *thinning) {
  for (int32_t i = 0; i < thinning->expressions->count; i++) {
    const struct expression *e = expression_at(thinning->expressions, i);
    if (e->op == EXPRESSION_INPUT && e->clock == thinning->base)
      return e->width;
  }
  return 1;
}

/* Makes the outputs, and says which clock is in the place of those of rate 1. */
static cuseq_status make(struct thinning *thinning, int32_t *outputs, size_t count, int32_t *clocks) {
  const int32_t before = thinning->expressions->clock_count;
  TRY(rewrite_all(thinning->expressions, thin_rule, thinning, outputs, count));
  for (int32_t c = 0; c < before; c++)
    if (thinning->rate[c] == 1)
      TRY(blocks_of(thinning, c, &clocks[c]));
  return CUSEQ_STATUS_OK;
}

cuseq_status thin_make_blocks(const struct recognise_request *request, int32_t *outputs, size_t count,
                              int32_t *clocks) {
  struct thinning thinning = {.expressions = request->expressions};
  struct graph_node *node;
  for (int32_t c = 0; c < MAX_CLOCKS; c++)
    clocks[c] = c;
  TRY(thin_measure(&thinning));
  if (thinning.base < 0)
    return CUSEQ_STATUS_OK;
  const struct clock base = thinning.expressions->clocks[thinning.base];
  const int64_t blocks = base.length < 0 ? -1 : (base.length + thinning.stride - 1) / thinning.stride;
  const int32_t width = width_of_input(&thinning);
  TRY(node_copy(thinning.expressions->arena, base.node, &node));
  TRY(clock_make(thinning.expressions, node, blocks, base.repeats, &thinning.blocks));
  thinning.table = malloc(TABLE_SIZE * sizeof *thinning.table);
  if (thinning.table == NULL)
    return error_out_of_memory();
  cuseq_status status = make(&thinning, outputs, count, clocks);
  free(thinning.table);
  TRY(status);
  return note(&thinning, request->notes, width);
}
