/* A sequence that attends to itself: an encoder's layer whose positions ask one another. What asks stands for
 * itself, so that the energies are read as those of any attention. */
#include "convert/graph/rewrite.h"
#include "convert/graph/self_attention.h"
#include "convert/recognise/recognised.h"
#include "error.h"

enum { MOST_VISITS = 2000, MOST_PARTS = 64 };

/* ---- what it is over ------------------------------------------------------------------------------ */

struct search {
  const struct expressions *expressions;
  bool (*is)(const struct expressions *expressions, int32_t expression);
  int32_t found; /* -1 so far */
  int visits;
};

/* Operations on each position by itself. */
static bool works_on_positions(const struct expression *e) {
  return e->op == EXPRESSION_DENSE || e->op == EXPRESSION_AFFINE || e->op == EXPRESSION_ACTIVATION ||
         e->op == EXPRESSION_CONCAT || e->op == EXPRESSION_SLICE || e->op == EXPRESSION_ADD ||
         e->op == EXPRESSION_SCALE;
}

static bool search_below(struct search *search, int32_t expression) {
  const struct expression *e = expression_at(search->expressions, expression);
  if (++search->visits > MOST_VISITS)
    return false;
  if (e->op == EXPRESSION_CONSTANT || e->op == EXPRESSION_ZEROS)
    return true;
  if (search->is(search->expressions, expression)) {
    const bool same = search->found < 0 || search->found == expression;
    search->found = expression;
    return same;
  }
  bool fits = works_on_positions(e);
  for (int32_t i = 0; fits && i < e->child_count; i++)
    fits = search_below(search, e->children[i]);
  return fits;
}

int32_t self_attention_over(const struct expressions *expressions, int32_t attention,
                            bool (*is)(const struct expressions *expressions, int32_t expression)) {
  struct search search = {.expressions = expressions, .is = is, .found = -1};
  const struct expression *e = expression_at(expressions, attention);
  for (int32_t i = 0; i < e->child_count; i++)
    if (!search_below(&search, e->children[i]))
      return -1;
  return search.found;
}

/* ---- the attention -------------------------------------------------------------------------------- */

cuseq_status self_attention_recognise(struct recogniser *recogniser, int32_t expression, int32_t over,
                                      struct found_attention *attention) {
  struct expressions *expressions = recogniser->expressions;
  const struct expression e = *expression_at(expressions, expression);
  struct expression place = {.op = EXPRESSION_PLACE,
                             .part = PLACE_QUERY,
                             .width = expression_at(expressions, over)->width,
                             .matrix = -1,
                             .bias = -1,
                             .node = e.node};
  struct bases bases = {.list = {over}, .count = 1};
  struct replacement asker = {.from = over};
  int32_t queries[MOST_PARTS], energies;
  if (e.child_count > MOST_PARTS)
    return node_refuse(e.node, "its energies are made of too many tensors");
  TRY(expression_make(expressions, &place, &asker.to));
  for (int32_t i = 0; i < e.child_count; i++)
    queries[i] = e.children[i];
  TRY(rewrite_all(expressions, replacement_rule, &asker, queries, (size_t)e.child_count));
  TRY(self_attention_energies(expressions, expression, queries, &energies));
  *attention = (struct found_attention){.present = true,
                                        .asked_layer = -1,
                                        .heads = e.index,
                                        .query = {.list = {asker.to}, .count = 1},
                                        .query_width = place.width};
  if (e.children[0] != over) {
    struct chain chain;
    TRY(chain_read(recogniser, e.children[0], &bases, "the attention's values", 1, false, false, &chain));
    attention->has_value_map = true;
    attention->value_map = chain.levels[0];
  }
  return energies_read(recogniser, attention, over, true, energies);
}
