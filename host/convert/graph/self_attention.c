#include "convert/graph/self_attention.h"
#include "convert/graph/rewrite.h"
#include "error.h"

#include <string.h>

enum { MOST_PARTS = 16, MAX_DEPTH = 64, MAX_VISITS = 2000 };

cuseq_status expression_twin(struct expressions *expressions, int32_t child, int32_t twin,
                             const struct graph_node *node, int32_t *expression) {
  const int32_t of = expressions->clocks[twin].twin;
  struct expression made = {.op = EXPRESSION_TWIN,
                            .clock = twin,
                            .index = of,
                            .matrix = -1,
                            .bias = -1,
                            .node = node,
                            .child_count = 1,
                            .children = &child};
  if (expression_at(expressions, child)->clocks != (uint32_t)1 << of)
    return node_refuse(node, "it attends to what is not one sequence");
  return expression_make(expressions, &made, expression);
}

static cuseq_status untwin_rule(struct rewrite *rewrite, int32_t expression, int32_t *made) {
  const int32_t twin = *(const int32_t *)rewrite->context, of = rewrite->expressions->clocks[twin].twin;
  struct expression e = *expression_at(rewrite->expressions, expression);
  if ((e.clocks >> twin & 1) == 0) {
    *made = expression;
    return CUSEQ_STATUS_OK;
  }
  if (e.op == EXPRESSION_TWIN && e.clock == twin) {
    *made = e.children[0];
    return CUSEQ_STATUS_OK;
  }
  if (!expression_names_clock(&e) || e.clock != twin)
    return CUSEQ_STATUS_OK;
  int32_t children[1];
  TRY(rewrite_run(rewrite, e.children[0], &children[0]));
  e.clock = of;
  e.children = children;
  e.atom = false;
  return expression_make(rewrite->expressions, &e, made);
}

cuseq_status expression_untwin(struct expressions *expressions, int32_t child, int32_t twin,
                               int32_t *expression) {
  *expression = child;
  return rewrite_all(expressions, untwin_rule, &twin, expression, 1);
}

/* ---- the energies --------------------------------------------------------------------------------- */

/* Energies while PLACEs are put into them. */
struct placing {
  struct expressions *expressions;
  const struct graph_node *node;
  int32_t attended, asks;           /* clocks */
  int32_t children[1 + MOST_PARTS]; /* the values, then the parts, over the clock that is no twin */
  int32_t count;
  int visits;
};

static bool is_constant(const struct expressions *expressions, int32_t expression, int depth) {
  const struct expression *e = expression_at(expressions, expression);
  bool is = e->child_count > 0 || e->op == EXPRESSION_CONSTANT || e->op == EXPRESSION_ZEROS;
  for (int32_t i = 0; is && i < e->child_count; i++)
    is = depth < MAX_DEPTH && is_constant(expressions, e->children[i], depth + 1);
  return is;
}

/* Operations that make the energy of a pair of positions of what there is at the two. */
static bool is_of_pairs(const struct expression *e) {
  return e->op == EXPRESSION_DOT || e->op == EXPRESSION_DENSE || e->op == EXPRESSION_AFFINE ||
         e->op == EXPRESSION_ACTIVATION || e->op == EXPRESSION_CONCAT || e->op == EXPRESSION_SLICE ||
         e->op == EXPRESSION_ADD || e->op == EXPRESSION_SCALE || e->op == EXPRESSION_PRODUCT;
}

static cuseq_status make_place(struct expressions *expressions, int32_t part, int32_t index, int32_t of,
                               const struct graph_node *node, int32_t *made) {
  struct expression place = {.op = EXPRESSION_PLACE,
                             .part = part,
                             .index = index,
                             .width = expression_at(expressions, of)->width,
                             .matrix = -1,
                             .bias = -1,
                             .node = node};
  return expression_make(expressions, &place, made);
}

/* What is over one of the two clocks becomes a child. */
static cuseq_status place_part(struct placing *placing, int32_t expression, bool asks, int32_t *made) {
  const int32_t clock = asks ? placing->asks : placing->attended;
  int32_t child = expression, at = 1;
  if (placing->expressions->clocks[clock].twin >= 0)
    TRY(expression_untwin(placing->expressions, expression, clock, &child));
  while (at < placing->count && placing->children[at] != child)
    at++;
  if (at > MOST_PARTS)
    return node_refuse(placing->node, "its energies are made of too many tensors");
  placing->children[at] = child;
  placing->count = at < placing->count ? placing->count : at + 1;
  return make_place(placing->expressions, asks ? PLACE_QUERY : PLACE_KEY, at, child, placing->node, made);
}

static cuseq_status place(struct placing *placing, int32_t expression, int depth, int32_t *made) {
  struct expressions *expressions = placing->expressions;
  struct expression e = *expression_at(expressions, expression);
  const uint32_t attended = (uint32_t)1 << placing->attended, asks = (uint32_t)1 << placing->asks;
  if (++placing->visits > MAX_VISITS || depth >= MAX_DEPTH)
    return node_refuse(e.node, "the energies of a self-attention are made of too many layers");
  if (e.clocks == attended || e.clocks == asks)
    return place_part(placing, expression, e.clocks == asks, made);
  *made = expression;
  if (e.clocks == 0 && is_constant(expressions, expression, 0))
    return CUSEQ_STATUS_OK;
  if (e.clocks == 0)
    return node_refuse(e.node,
                       "the energies of the self-attention '%.100s' depend on it, which is no part of "
                       "the sequence that asks itself",
                       placing->node->name);
  if (e.clocks != (attended | asks) || !is_of_pairs(&e))
    return node_refuse(e.node,
                       "the energies of the self-attention '%.100s' are made by it, which cuseq "
                       "cannot express",
                       placing->node->name);
  int32_t *children = arena_allocate(expressions->arena, (size_t)e.child_count * sizeof *children);
  if (children == NULL)
    return error_out_of_memory();
  for (int32_t i = 0; i < e.child_count; i++)
    TRY(place(placing, e.children[i], depth + 1, &children[i]));
  e.children = children;
  e.atom = false;
  return expression_make(expressions, &e, made);
}

cuseq_status self_attention_make(struct expressions *expressions, const struct expression *context,
                                 int32_t *expression) {
  const struct expression alphas = *expression_at(expressions, context->children[0]);
  const struct clock *attended = &expressions->clocks[alphas.clock];
  struct placing placing = {.expressions = expressions,
                            .node = context->node,
                            .attended = alphas.clock,
                            .asks = attended->twin,
                            .children = {context->children[1]},
                            .count = 1};
  if (attended->twin < 0)
    TRY(clock_twin(expressions, alphas.clock, &placing.asks));
  if (expression_at(expressions, context->children[1])->clocks != (uint32_t)1 << alphas.clock)
    return node_refuse(context->node,
                       "it sums over the positions of a self-attention what is not a sequence");
  if (expressions->clocks[alphas.clock].twin >= 0)
    TRY(expression_untwin(expressions, context->children[1], alphas.clock, &placing.children[0]));
  struct expression made = {.op = EXPRESSION_SELF_ATTENTION,
                            .index = 1,
                            .masked = alphas.masked,
                            .matrix = -1,
                            .bias = -1,
                            .node = context->node,
                            .children = placing.children};
  TRY(place(&placing, alphas.children[0], 0, &made.part));
  made.child_count = placing.count;
  TRY(expression_make(expressions, &made, expression));
  /* A softmax over the clock itself: the twin asks, and so the result is over it. */
  return expressions->clocks[placing.asks].twin >= 0
             ? expression_twin(expressions, *expression, placing.asks, context->node, expression)
             : CUSEQ_STATUS_OK;
}

cuseq_status self_attention_of_heads(struct expressions *expressions,
                                     const struct self_attention_heads *heads, const struct graph_node *node,
                                     int32_t *expression) {
  const int32_t children[] = {heads->value, heads->query, heads->key};
  struct expression made = {.op = EXPRESSION_SELF_ATTENTION,
                            .index = heads->heads,
                            .masked = heads->masked,
                            .matrix = -1,
                            .bias = -1,
                            .node = node,
                            .child_count = 3,
                            .children = children};
  int32_t query, key;
  TRY(make_place(expressions, PLACE_QUERY, 1, heads->query, node, &query));
  TRY(make_place(expressions, PLACE_KEY, 2, heads->key, node, &key));
  TRY(expression_binary(expressions, EXPRESSION_DOT, query, key, node, &made.part));
  TRY(expression_scale(expressions, made.part, heads->scale, node, &made.part));
  return expression_make(expressions, &made, expression);
}

cuseq_status attention_of_heads(struct expressions *expressions, const struct self_attention_heads *heads,
                                int32_t clock, const struct graph_node *node, int32_t *expression) {
  const int32_t children[] = {heads->query, heads->key};
  const struct expression dot = {.op = EXPRESSION_DOT,
                                 .index = heads->heads > 1 ? heads->heads : 0,
                                 .matrix = -1,
                                 .bias = -1,
                                 .node = node,
                                 .child_count = 2,
                                 .children = children};
  TRY(expression_make(expressions, &dot, expression));
  TRY(expression_scale(expressions, *expression, heads->scale, node, expression));
  TRY(expression_over(expressions, EXPRESSION_SOFTMAX, clock, 0, heads->masked, *expression, node,
                      expression));
  return expression_binary(expressions, EXPRESSION_CONTEXT, *expression, heads->value, node, expression);
}

/* ---- heads by themselves -------------------------------------------------------------------------- */

/* Whether energies are an inner product, times a number or not. */
static bool is_product(const struct expressions *expressions, int32_t energies) {
  const struct expression *e = expression_at(expressions, energies);
  while (e->op == EXPRESSION_SCALE)
    e = expression_at(expressions, e->children[0]);
  return e->op == EXPRESSION_DOT && expression_at(expressions, e->children[0])->op == EXPRESSION_PLACE &&
         expression_at(expressions, e->children[1])->op == EXPRESSION_PLACE;
}

/* Whether all children attend alike, with vectors of the same widths. */
static bool are_heads(const struct expressions *expressions, const struct expression *concat) {
  const struct expression *first = expression_at(expressions, concat->children[0]);
  bool heads = concat->child_count > 1 && first->op == EXPRESSION_SELF_ATTENTION &&
               first->child_count <= 1 + MOST_PARTS && is_product(expressions, first->part);
  for (int32_t i = 0; heads && i < concat->child_count; i++) {
    const struct expression *e = expression_at(expressions, concat->children[i]);
    heads = e->op == EXPRESSION_SELF_ATTENTION && e->index == 1 && e->masked == first->masked &&
            e->clocks == first->clocks && e->part == first->part && e->child_count == first->child_count &&
            e->width == first->width;
  }
  return heads;
}

struct widening {
  int32_t heads;
};

static cuseq_status widen_rule(struct rewrite *rewrite, int32_t expression, int32_t *made) {
  const struct widening *widening = rewrite->context;
  struct expression e = *expression_at(rewrite->expressions, expression);
  if (e.op != EXPRESSION_PLACE)
    return CUSEQ_STATUS_OK;
  e.width *= widening->heads;
  return expression_make(rewrite->expressions, &e, made);
}

cuseq_status self_attention_of_parts(struct expressions *expressions, const struct expression *concat,
                                     int32_t *expression) {
  *expression = -1;
  if (!are_heads(expressions, concat))
    return CUSEQ_STATUS_OK;
  struct expression made = *expression_at(expressions, concat->children[0]);
  struct widening widening = {concat->child_count};
  int32_t children[1 + MOST_PARTS];
  int32_t *parts = arena_allocate(expressions->arena, (size_t)concat->child_count * sizeof *parts);
  if (parts == NULL)
    return error_out_of_memory();
  for (int32_t k = 0; k < made.child_count; k++) {
    struct expression joined = *concat;
    for (int32_t i = 0; i < concat->child_count; i++)
      parts[i] = expression_at(expressions, concat->children[i])->children[k];
    joined.children = parts;
    TRY(expression_make(expressions, &joined, &children[k]));
  }
  made.index = concat->child_count;
  made.children = children;
  made.node = concat->node;
  made.atom = false;
  TRY(rewrite_all(expressions, widen_rule, &widening, &made.part, 1));
  return expression_make(expressions, &made, expression);
}

/* ---- heads that something else asks, by themselves ------------------------------------------------- */

/* What a CONTEXT of one head is made of. */
struct asked_head {
  int32_t parts[3]; /* what is multiplied, the two sides; values */
  double scale;
  int32_t clock;
  bool masked;
  uint32_t clocks[3];
  int32_t widths[3];
};

/* false: it is none of inner products. */
static bool asked_head_read(const struct expressions *expressions, int32_t context, struct asked_head *head) {
  const struct expression *e = expression_at(expressions, context);
  const struct expression *alphas =
      e->op == EXPRESSION_CONTEXT && !e->atom ? expression_at(expressions, e->children[0]) : NULL;
  if (alphas == NULL || alphas->op != EXPRESSION_SOFTMAX || alphas->width != 1)
    return false;
  const struct expression *energies = expression_at(expressions, alphas->children[0]);
  *head = (struct asked_head){.scale = 1, .clock = alphas->clock, .masked = alphas->masked};
  for (; energies->op == EXPRESSION_SCALE; energies = expression_at(expressions, energies->children[0]))
    head->scale *= energies->scalar;
  if (energies->op != EXPRESSION_DOT || energies->width != 1)
    return false;
  head->parts[0] = energies->children[0];
  head->parts[1] = energies->children[1];
  head->parts[2] = e->children[1];
  for (int i = 0; i < 3; i++) {
    head->clocks[i] = expression_at(expressions, head->parts[i])->clocks;
    head->widths[i] = expression_at(expressions, head->parts[i])->width;
  }
  return head->widths[0] == head->widths[1];
}

static bool asked_heads_alike(const struct asked_head *a, const struct asked_head *b) {
  return a->scale == b->scale && a->clock == b->clock && a->masked == b->masked &&
         memcmp(a->clocks, b->clocks, sizeof a->clocks) == 0 &&
         memcmp(a->widths, b->widths, sizeof a->widths) == 0;
}

cuseq_status attention_of_parts(struct expressions *expressions, const struct expression *concat,
                                int32_t *expression) {
  struct asked_head first, other;
  int32_t *parts[3], whole[3] = {0};
  *expression = -1;
  if (concat->child_count < 2 || !asked_head_read(expressions, concat->children[0], &first))
    return CUSEQ_STATUS_OK;
  for (int k = 0; k < 3; k++) {
    parts[k] = arena_allocate(expressions->arena, (size_t)concat->child_count * sizeof *parts[k]);
    if (parts[k] == NULL)
      return error_out_of_memory();
  }
  for (int32_t i = 0; i < concat->child_count; i++) {
    if (!asked_head_read(expressions, concat->children[i], &other) || !asked_heads_alike(&first, &other))
      return CUSEQ_STATUS_OK;
    for (int k = 0; k < 3; k++)
      parts[k][i] = other.parts[k];
  }
  for (int k = 0; k < 3; k++)
    TRY(expression_several(expressions, EXPRESSION_CONCAT, parts[k], concat->child_count, concat->node,
                           &whole[k]));
  const struct self_attention_heads heads = {.query = whole[0],
                                             .key = whole[1],
                                             .value = whole[2],
                                             .heads = concat->child_count,
                                             .scale = first.scale,
                                             .masked = first.masked};
  return attention_of_heads(expressions, &heads, first.clock, concat->node, expression);
}

/* ---- and back ------------------------------------------------------------------------------------- */

struct taking {
  const struct expression *attention;
  const int32_t *queries;
};

static cuseq_status take_rule(struct rewrite *rewrite, int32_t expression, int32_t *made) {
  const struct taking *taking = rewrite->context;
  const struct expression *e = expression_at(rewrite->expressions, expression);
  if (e->op == EXPRESSION_PLACE)
    *made = e->part == PLACE_QUERY ? taking->queries[e->index] : taking->attention->children[e->index];
  return CUSEQ_STATUS_OK;
}

cuseq_status self_attention_energies(struct expressions *expressions, int32_t attention,
                                     const int32_t *queries, int32_t *energies) {
  const struct expression e = *expression_at(expressions, attention);
  struct taking taking = {&e, queries};
  *energies = e.part;
  return rewrite_all(expressions, take_rule, &taking, energies, 1);
}
