#include "convert/graph/rewrite.h"
#include "error.h"

#include <stdlib.h>
#include <string.h>

enum { MAX_DEPTH = 400 };

cuseq_status rewrite_begin(struct rewrite *rewrite, struct expressions *expressions, int32_t first,
                           rewrite_rule rule, void *context) {
  size_t size = (size_t)(expressions->count - first);
  *rewrite = (struct rewrite){.expressions = expressions,
                              .rule = rule,
                              .context = context,
                              .first = first,
                              .size = expressions->count};
  rewrite->made = malloc((size + 1) * sizeof *rewrite->made);
  if (rewrite->made == NULL)
    return error_out_of_memory();
  memset(rewrite->made, 0xff, (size + 1) * sizeof *rewrite->made);
  return CUSEQ_STATUS_OK;
}

void rewrite_end(struct rewrite *rewrite) {
  free(rewrite->made);
  *rewrite = (struct rewrite){0};
}

/* The expression over its children as they became. */
static cuseq_status remake(struct rewrite *rewrite, int32_t expression, int32_t *made) {
  struct expression e = *expression_at(rewrite->expressions, expression);
  if (e.child_count == 0) {
    *made = expression;
    return CUSEQ_STATUS_OK;
  }
  int32_t *children = malloc((size_t)e.child_count * sizeof *children);
  if (children == NULL)
    return error_out_of_memory();
  cuseq_status status = CUSEQ_STATUS_OK;
  for (int32_t i = 0; status == CUSEQ_STATUS_OK && i < e.child_count; i++)
    status = rewrite_run(rewrite, e.children[i], &children[i]);
  if (status == CUSEQ_STATUS_OK) {
    bool same = memcmp(children, e.children, (size_t)e.child_count * sizeof *children) == 0;
    e.children = children;
    e.atom = false;
    *made = expression;
    if (!same)
      status = expression_make(rewrite->expressions, &e, made);
  }
  free(children);
  return status;
}

cuseq_status rewrite_run(struct rewrite *rewrite, int32_t expression, int32_t *made) {
  *made = -1;
  if (expression < rewrite->first || expression >= rewrite->size) {
    *made = expression;
    return CUSEQ_STATUS_OK;
  }
  if (rewrite->made[expression - rewrite->first] >= 0) {
    *made = rewrite->made[expression - rewrite->first];
    return CUSEQ_STATUS_OK;
  }
  if (rewrite->depth >= MAX_DEPTH)
    return node_refuse(expression_at(rewrite->expressions, expression)->node,
                       "the model's graph is too deep");
  rewrite->depth++;
  TRY(rewrite->rule(rewrite, expression, made));
  if (*made < 0)
    TRY(remake(rewrite, expression, made));
  rewrite->depth--;
  rewrite->made[expression - rewrite->first] = *made;
  return CUSEQ_STATUS_OK;
}

cuseq_status rewrite_all(struct expressions *expressions, rewrite_rule rule, void *context, int32_t *list,
                         size_t count) {
  struct rewrite rewrite;
  TRY(rewrite_begin(&rewrite, expressions, 0, rule, context));
  cuseq_status status = CUSEQ_STATUS_OK;
  for (size_t i = 0; status == CUSEQ_STATUS_OK && i < count; i++)
    status = rewrite_run(&rewrite, list[i], &list[i]);
  rewrite_end(&rewrite);
  return status;
}

cuseq_status replacement_rule(struct rewrite *rewrite, int32_t expression, int32_t *made) {
  const struct replacement *replacement = rewrite->context;
  if (expression == replacement->from)
    *made = replacement->to;
  return CUSEQ_STATUS_OK;
}
