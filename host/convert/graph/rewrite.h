/* Expressions made again with some of what they are made of replaced. */
#ifndef CUSEQ_GRAPH_REWRITE_H
#define CUSEQ_GRAPH_REWRITE_H

#include "convert/graph/expression.h"

struct rewrite;

/* What replaces an expression. *made receives it, or stays -1: the expression is made again of its replaced
 * children. */
typedef cuseq_status (*rewrite_rule)(struct rewrite *rewrite, int32_t expression, int32_t *made);

struct rewrite {
  struct expressions *expressions;
  rewrite_rule rule;
  void *context; /* the rule's own */
  int32_t first; /* expressions before it stay as they are */
  int32_t size;  /* and so do those from here on, which were made since it began */
  int32_t *made; /* [size - first] what each became, or -1 so far */
  int depth;
};

/* Begins, for expressions from `first` on; release with rewrite_end, after a failure too. */
cuseq_status rewrite_begin(struct rewrite *rewrite, struct expressions *expressions, int32_t first,
                           rewrite_rule rule, void *context);
void rewrite_end(struct rewrite *rewrite);

/* What an expression becomes. */
cuseq_status rewrite_run(struct rewrite *rewrite, int32_t expression, int32_t *made);

/* From beginning to end, over all expressions: each of the list becomes what the rule makes of it. */
cuseq_status rewrite_all(struct expressions *expressions, rewrite_rule rule, void *context, int32_t *list,
                         size_t count);

/* The rule that puts one expression in the place of another, which its context says. */
struct replacement {
  int32_t from, to;
};
cuseq_status replacement_rule(struct rewrite *rewrite, int32_t expression, int32_t *made);

#endif
