/* Several embeddings of the same tokens are one, their rows side by side. */
#include "convert/graph/rewrite.h"
#include "convert/recognise/recognised.h"
#include "convert/recognise/tabulate.h"
#include "error.h"

#include <string.h>

enum { MOST_ITEMS = 32 };

struct merging {
  int32_t tokens;            /* what they look up */
  int32_t items[MOST_ITEMS]; /* the embeddings, and the tokens themselves where they are one-hot */
  int32_t count;
  int32_t whole; /* the embedding that they become parts of */
};

/* Whether an expression is made of the one-hot tokens themselves, beside embeddings of them. */
static bool is_read(const struct expressions *expressions, const bool *reached, int32_t limit,
                    int32_t one_hot) {
  for (int32_t i = 0; one_hot >= 0 && i < limit; i++) {
    const struct expression *e = expression_at(expressions, i);
    for (int32_t k = 0; reached[i] && e->op != EXPRESSION_EMBEDDING && k < e->child_count; k++)
      if (e->children[k] == one_hot)
        return true;
  }
  return false;
}

/* The first tokens that several expressions are made of, and these; count 1 or less: there are none. */
static cuseq_status find_items(const struct expressions *expressions, int32_t one_hot, const int32_t *list,
                               size_t count, struct merging *merging) {
  const int32_t limit = expressions->count;
  bool *reached;
  TRY(reach_list(expressions, list, count, &reached));
  const bool read = is_read(expressions, reached, limit, one_hot);
  merging->count = 0;
  for (int32_t i = 0; merging->count < 2 && i < limit; i++) {
    const struct expression *first = expression_at(expressions, i);
    if (!reached[i] || first->op != EXPRESSION_EMBEDDING)
      continue;
    merging->tokens = first->children[0];
    merging->count = 0;
    if (read && merging->tokens == one_hot)
      merging->items[merging->count++] = one_hot;
    for (int32_t k = i; k < limit && merging->count < MOST_ITEMS; k++) {
      const struct expression *e = expression_at(expressions, k);
      if (reached[k] && e->op == EXPRESSION_EMBEDDING && e->children[0] == merging->tokens)
        merging->items[merging->count++] = k;
    }
  }
  return CUSEQ_STATUS_OK;
}

/* The rows of all items side by side, for as many tokens as all of them have. */
static cuseq_status join(struct expressions *expressions, struct merging *merging) {
  int32_t rows = INT32_MAX, matrix;
  int64_t width = 0, at = 0;
  bool found;
  for (int32_t i = 0; i < merging->count; i++) {
    const struct expression *e = expression_at(expressions, merging->items[i]);
    const int32_t own =
        merging->items[i] == merging->tokens ? e->width : expressions->matrices[e->matrix].rows;
    rows = own < rows ? own : rows;
    width += e->width;
  }
  const struct expression last = *expression_at(expressions, merging->items[merging->count - 1]);
  TRY(matrix_make(expressions, NULL, 0, rows, width, &matrix, &found));
  for (int32_t i = 0; i < merging->count; i++) {
    const struct expression *e = expression_at(expressions, merging->items[i]);
    const bool unit = merging->items[i] == merging->tokens;
    for (int32_t r = 0; r < rows; r++) {
      float *to = expressions->matrices[matrix].data + (size_t)r * (size_t)width + (size_t)at;
      if (unit)
        to[r] = 1;
      else
        memcpy(to, expressions->matrices[e->matrix].data + (size_t)r * (size_t)e->width,
               (size_t)e->width * sizeof *to);
    }
    at += e->width;
  }
  return tabulate_embed(expressions, merging->tokens, matrix, last.node, &merging->whole);
}

static cuseq_status merging_rule(struct rewrite *rewrite, int32_t expression, int32_t *made) {
  const struct merging *merging = rewrite->context;
  int32_t at = 0;
  if (expression == merging->whole) {
    *made = expression;
    return CUSEQ_STATUS_OK;
  }
  for (int32_t i = 0; i < merging->count; i++) {
    const struct expression *e = expression_at(rewrite->expressions, merging->items[i]);
    if (merging->items[i] == expression)
      return expression_slice(rewrite->expressions, merging->whole, at, e->width, e->node, made);
    at += e->width;
  }
  return CUSEQ_STATUS_OK;
}

cuseq_status tabulate_merge(struct expressions *expressions, int32_t one_hot, int32_t *list, size_t count) {
  struct merging merging = {.count = 2};
  for (int group = 0; group < MOST_ITEMS; group++) {
    TRY(find_items(expressions, one_hot, list, count, &merging));
    if (merging.count < 2)
      return CUSEQ_STATUS_OK;
    TRY(join(expressions, &merging));
    TRY(rewrite_all(expressions, merging_rule, &merging, list, count));
  }
  return CUSEQ_STATUS_OK;
}
