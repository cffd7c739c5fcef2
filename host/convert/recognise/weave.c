#include "convert/recognise/weave.h"
#include "convert/graph/lift.h"
#include "convert/graph/rewrite.h"
#include "convert/recognise/weave_parts.h"
#include "error.h"

#include <string.h>

/* ---- what is to be laid into the stack ------------------------------------------------------------ */

static bool is_over(const struct expression *e, const struct weave *weave) {
  return e->clocks == (uint32_t)1 << weave->clock;
}

/* The input of the encoder, or the rows of an embedding. */
static bool is_source(const struct expression *e) {
  return e->op == EXPRESSION_INPUT || e->op == EXPRESSION_EMBEDDING;
}

enum { MOST_VISITS = 20000, MOST_DEPTH = 200 };

static cuseq_status visit(struct weave *weave, const struct graph_node *node, int depth) {
  return ++weave->visits <= MOST_VISITS && depth < MOST_DEPTH
             ? CUSEQ_STATUS_OK
             : node_refuse(node, "the encoder is made of too many parts");
}

/* Whether an expression is a stage wherever it stands: it takes positions together and gives one for each, or
 * multiplies. */
static bool is_stage(const struct expression *e, const struct weave *weave) {
  return e->op == EXPRESSION_WINDOW || e->op == EXPRESSION_SELF_ATTENTION || e->op == EXPRESSION_WEIGHTED ||
         weave_is_product(weave, e);
}

/* Whether an expression at each position is a stage where others are made of it. */
static bool is_part(const struct expression *e, const struct weave *weave) {
  return (e->op == EXPRESSION_ACTIVATION || e->op == EXPRESSION_NORM || is_stage(e, weave)) &&
         is_over(e, weave);
}

/* Marks the activations, normalisations and windows that an expression at each position is made of by affine
 * maps. */
static cuseq_status mark_parts(struct weave *weave, int32_t expression, int depth, bool *marked) {
  struct bases none = {.count = 0};
  int32_t leaves[AFFINE_MAX_BASES], count;
  TRY(visit(weave, expression_at(weave->expressions, expression)->node, depth));
  TRY(affine_leaves(weave->expressions, expression, &none, leaves, AFFINE_MAX_BASES, &count));
  for (int32_t i = 0; i < count; i++) {
    const struct expression *e = expression_at(weave->expressions, leaves[i]);
    if (!is_part(e, weave) || marked[leaves[i]])
      continue;
    marked[leaves[i]] = true;
    for (int32_t k = 0, read; (read = weave_read(weave, leaves[i], k)) >= 0; k++)
      TRY(mark_parts(weave, read, depth + 1, marked));
  }
  return CUSEQ_STATUS_OK;
}

/* Whether an expression is a map that has to be made at each position before positions are taken together: a
 * maximum of sums is no sum of maxima. */
static bool is_map(const struct expression *e) {
  return !e->atom && (e->op == EXPRESSION_DENSE || e->op == EXPRESSION_AFFINE || e->op == EXPRESSION_ADD ||
                      e->op == EXPRESSION_SCALE);
}

int32_t weave_read(const struct weave *weave, int32_t expression, int32_t number) {
  const struct expression *e = expression_at(weave->expressions, expression);
  if (weave_is_product(weave, e))
    return number < 2 ? weave_factor(weave, e, number) : -1;
  if (e->op == EXPRESSION_SELF_ATTENTION)
    return number < e->child_count ? e->children[number] : -1;
  if (number > 0)
    return -1;
  return is_map(e) ? expression : e->children[e->op == EXPRESSION_CONTEXT ? 1 : 0];
}

static cuseq_status add_stage(struct weave *weave, int32_t expression) {
  const struct expression *e = expression_at(weave->expressions, expression);
  if (weave->stage_count >= WEAVE_MOST)
    return node_refuse(e->node, "the encoder is made of more than %d parts", WEAVE_MOST);
  weave->stages[weave->stage_count++] = expression;
  return CUSEQ_STATUS_OK;
}

bool weave_is_of_stage(const struct weave *weave, int32_t s, int32_t expression) {
  const struct expression *e = expression_at(weave->expressions, expression);
  const struct expression *of_stage = expression_at(weave->expressions, weave->stages[s]);
  if (weave->stages[s] == expression)
    return true;
  return (of_stage->op == EXPRESSION_SEQUENCE || of_stage->op == EXPRESSION_FINAL) &&
         (e->op == EXPRESSION_SEQUENCE || e->op == EXPRESSION_FINAL) && of_stage->index == e->index &&
         of_stage->children[0] == e->children[0];
}

static bool is_of_stages(const struct weave *weave, int32_t expression) {
  for (int32_t s = 0; s < weave->stage_count; s++)
    if (weave_is_of_stage(weave, s, expression))
      return true;
  return false;
}

/* All recurrent layers must honour one mask, or none any. */
static cuseq_status settle_mask(struct weave *weave, const struct recurrent_layer *layer, bool first) {
  if (first)
    weave->mask = layer->mask;
  return weave->mask == layer->mask
             ? CUSEQ_STATUS_OK
             : node_refuse(layer->node, "a mask reaches some layers of the encoder and not others");
}

/* The recurrent layers, and the activations and normalisations that they, or what takes positions together,
 * read: in an order in which each one reads what is before it. */
static cuseq_status find_stages(struct weave *weave, const bool *reached, int32_t limit) {
  const struct expressions *expressions = weave->expressions;
  int32_t layers = 0;
  bool *marked = arena_allocate(expressions->arena, (size_t)limit);
  if (marked == NULL)
    return error_out_of_memory();
  for (int32_t i = 0; i < limit; i++) {
    const struct expression *e = expression_at(expressions, i);
    const bool taken = e->op == EXPRESSION_POOL || e->op == EXPRESSION_POSITION ||
                       e->op == EXPRESSION_CONTEXT || e->op == EXPRESSION_FLAT;
    const bool layer = e->op == EXPRESSION_SEQUENCE || e->op == EXPRESSION_FINAL, stage = is_stage(e, weave);
    /* what it reads has to be there at each position */
    if (!reached[i] || !(taken || layer || stage) ||
        !is_over(expression_at(expressions, weave_read(weave, i, 0)), weave))
      continue;
    marked[i] = marked[i] || stage;
    for (int32_t k = 0, read; (read = weave_read(weave, i, k)) >= 0; k++) {
      marked[read] = marked[read] || (taken && is_map(expression_at(expressions, read)));
      TRY(mark_parts(weave, read, 0, marked));
    }
  }
  for (int32_t i = 0; i < limit; i++) {
    const struct expression *e = expression_at(expressions, i);
    bool layer = reached[i] && (e->op == EXPRESSION_SEQUENCE || e->op == EXPRESSION_FINAL) &&
                 is_over(expression_at(expressions, e->children[0]), weave);
    if (layer && e->child_count > 1)
      return node_refuse(e->node, "its initial state is not zero, which cuseq cannot express for an encoder");
    const bool first = layers == 0;
    if (!(layer && !is_of_stages(weave, i)) && !(reached[i] && marked[i]))
      continue;
    TRY(add_stage(weave, i));
    layers += layer;
    if (layer)
      TRY(settle_mask(weave, &expressions->layers[e->index], first));
  }
  return CUSEQ_STATUS_OK;
}

/* ---- the input ------------------------------------------------------------------------------------ */

static cuseq_status find_source(struct weave *weave, const bool *reached, int32_t limit) {
  int32_t sources[WEAVE_MOST], count = 0;
  for (int32_t i = 0; i < limit; i++) {
    const struct expression *e = expression_at(weave->expressions, i);
    bool source = reached[i] && is_over(e, weave) && is_source(e);
    bool ids = false; /* an input that embeddings look up is none itself */
    for (int32_t k = i + 1; source && e->op == EXPRESSION_INPUT && k < limit; k++) {
      const struct expression *reader = expression_at(weave->expressions, k);
      ids = ids || (reached[k] && reader->op == EXPRESSION_EMBEDDING && reader->children[0] == i);
    }
    if (!source || ids)
      continue;
    if (count >= WEAVE_MOST)
      return node_refuse(e->node, "the encoder has more than %d inputs", WEAVE_MOST);
    sources[count++] = i;
  }
  if (count == 0)
    return CUSEQ_STATUS_OK;
  if (count > 1)
    return node_refuse(expression_at(weave->expressions, sources[1])->node,
                       "the encoder reads it and '%.100s', two sequences of which cuseq reads one",
                       expression_at(weave->expressions, sources[0])->node->name);
  weave->stack = sources[0];
  int32_t block;
  TRY(weave_add_block(weave, expression_at(weave->expressions, sources[0])->width, 0, &block));
  return weave_add_item(weave, (struct weave_item){sources[0], {block, -1}, CUSEQ_MERGE_CONCAT});
}

/* ---- who reads what ------------------------------------------------------------------------------- */

static cuseq_status find_reads(struct weave *weave) {
  struct bases none = {.count = 0};
  for (int32_t s = 0; s < weave->stage_count; s++)
    for (int32_t k = 0, read; (read = weave_read(weave, weave->stages[s], k)) >= 0; k++) {
      struct bases more;
      TRY(affine_leaves(weave->expressions, read, &none, more.list, AFFINE_MAX_BASES, &more.count));
      for (int32_t i = 0; i < more.count; i++)
        if (!bases_add(&weave->reads[s], more.list[i]))
          return node_refuse(expression_at(weave->expressions, weave->stages[s])->node,
                             "it reads more than %d tensors", AFFINE_MAX_BASES);
    }
  return CUSEQ_STATUS_OK;
}

bool weave_is_read(const struct weave *weave, int32_t expression, int32_t from) {
  for (int32_t s = from; s < weave->stage_count; s++)
    if (bases_have(&weave->reads[s], expression))
      return true;
  for (int32_t i = 0; i < weave->top_count; i++)
    if (weave->top[i] == expression)
      return true;
  return false;
}

/* What the outputs read of the stack at each position, not through further layers of it. */
static cuseq_status find_top(struct weave *weave, const int32_t *outputs, size_t count, int32_t limit) {
  const struct expressions *expressions = weave->expressions;
  bool *seen = arena_allocate(expressions->arena, (size_t)limit);
  int32_t *stack = arena_allocate(expressions->arena, (size_t)limit * sizeof *stack), size = 0;
  weave->top = arena_allocate(expressions->arena, (size_t)limit * sizeof *weave->top);
  if (seen == NULL || stack == NULL || weave->top == NULL)
    return error_out_of_memory();
  for (size_t i = 0; i < count; i++) {
    if (!seen[outputs[i]])
      stack[size++] = outputs[i];
    seen[outputs[i]] = true;
  }
  while (size > 0) {
    const int32_t at = stack[--size];
    const struct expression *e = expression_at(expressions, at);
    bool end = is_of_stages(weave, at) || (is_over(e, weave) && is_source(e));
    if (end && e->op != EXPRESSION_FINAL)
      weave->top[weave->top_count++] = at;
    for (int32_t i = 0; !end && i < e->child_count; i++)
      if (!seen[e->children[i]]) {
        seen[e->children[i]] = true;
        stack[size++] = e->children[i];
      }
  }
  return CUSEQ_STATUS_OK;
}

/* ---- the outputs over the stack ------------------------------------------------------------------- */

/* Over the positions of a part of a vector is a part of the vector over the positions, but where heads have
 * parts of their own. */
static cuseq_status over_parts(struct weave *weave, const struct expression *taker, int32_t child, int depth,
                               int32_t *made) {
  struct expressions *expressions = weave->expressions;
  const struct expression e = *expression_at(expressions, child);
  const int at = taker->op == EXPRESSION_CONTEXT ? 1 : 0;
  int32_t children[2] = {taker->children[0], taker->children[taker->child_count - 1]};
  TRY(visit(weave, e.node, depth));
  const bool whole_vectors = at == 1 && expression_at(expressions, taker->children[0])->width > 1;
  if (e.op == EXPRESSION_SLICE && !whole_vectors) {
    int32_t whole = -1;
    TRY(over_parts(weave, taker, e.children[0], depth + 1, &whole));
    return expression_slice(expressions, whole, e.index, e.width, e.node, made);
  }
  if (e.op == EXPRESSION_CONCAT && !e.atom && !whole_vectors) {
    int32_t parts[AFFINE_MAX_BASES] = {0};
    if (e.child_count > AFFINE_MAX_BASES)
      return node_refuse(e.node, "it joins too many tensors");
    for (int32_t i = 0; i < e.child_count; i++)
      TRY(over_parts(weave, taker, e.children[i], depth + 1, &parts[i]));
    return expression_several(expressions, EXPRESSION_CONCAT, parts, e.child_count, e.node, made);
  }
  if (taker->op == EXPRESSION_POSITION)
    return expression_position(expressions, taker->clock, taker->index, child, taker->node, made);
  struct expression over = *taker;
  children[at] = child;
  over.children = children;
  over.atom = false;
  return expression_make(expressions, &over, made);
}

static cuseq_status top_rule(struct rewrite *rewrite, int32_t expression, int32_t *made) {
  struct weave *weave = rewrite->context;
  const struct expression e = *expression_at(rewrite->expressions, expression);
  for (int32_t i = 0; i < weave->item_count; i++)
    if (weave->items[i].expression == expression)
      return weave_item_make(weave, &weave->items[i], made);
  for (int32_t i = 0; i < weave->final_count; i++)
    if (weave->finals[i].expression == expression) {
      *made = weave->finals[i].made;
      return CUSEQ_STATUS_OK;
    }
  bool pools = e.op == EXPRESSION_POOL || e.op == EXPRESSION_POSITION || e.op == EXPRESSION_CONTEXT;
  if (!pools || e.clock != weave->clock)
    return CUSEQ_STATUS_OK;
  struct expression taker = e;
  int32_t children[2] = {-1, -1}, child;
  const int at = e.op == EXPRESSION_CONTEXT ? 1 : 0;
  memcpy(children, e.children, (size_t)e.child_count * sizeof *children);
  taker.children = children;
  if (at == 1)
    TRY(rewrite_run(rewrite, e.children[0], &children[0]));
  TRY(rewrite_run(rewrite, e.children[at], &child));
  return over_parts(weave, &taker, child, 0, made);
}

static cuseq_status rewrite_top(struct weave *weave, int32_t *outputs, size_t count) {
  return rewrite_all(weave->expressions, top_rule, weave, outputs, count);
}

/* ---- the last position ---------------------------------------------------------------------------- */

/* Whether a decoder is made of what the encoder, or the input, has at its last position. It begins with final
 * states. */
static bool begins_with_last(const struct weave *weave, const bool *reached) {
  bool steps = false, last = false;
  for (int32_t i = 0; i < weave->limit; i++) {
    const struct expression *e = expression_at(weave->expressions, i);
    if (!reached[i])
      continue;
    steps = steps || e->op == EXPRESSION_CELL || (e->op == EXPRESSION_SEQUENCE && e->child_count > 1);
    last = last || (e->op == EXPRESSION_POSITION && e->clock == weave->clock && e->index == -1);
  }
  return steps && last;
}

/* ---- the whole ------------------------------------------------------------------------------------ */

cuseq_status weave(struct recogniser *recogniser, int32_t clock, int32_t *outputs, size_t count,
                   bool *woven) {
  struct expressions *expressions = recogniser->expressions;
  const int32_t limit = expressions->count;
  struct weave weave = {.expressions = expressions, .clock = clock, .limit = limit, .stack = -1};
  bool *reached;
  *woven = false;
  for (int32_t i = 0; i < limit; i++)
    expressions->list[i].atom = false;
  TRY(reach_list(expressions, outputs, count, &reached));
  TRY(find_stages(&weave, reached, limit));
  TRY(find_source(&weave, reached, limit));
  if (weave.stage_count == 0 || weave.stack < 0)
    return CUSEQ_STATUS_OK;
  TRY(find_reads(&weave));
  TRY(find_top(&weave, outputs, count, limit));
  for (int32_t s = 0; s < weave.stage_count; s++)
    TRY(weave_stage_make(&weave, s));
  if (begins_with_last(&weave, reached))
    TRY(weave_last_make(&weave));
  *woven = true;
  return rewrite_top(&weave, outputs, count);
}
