/* Sequences that attend to themselves. */
#ifndef CUSEQ_GRAPH_SELF_ATTENTION_H
#define CUSEQ_GRAPH_SELF_ATTENTION_H

#include "convert/graph/expression.h"

/* What is over one clock, over its twin: the positions that are attended to.
 *   twin  clock_twin's of that clock */
cuseq_status expression_twin(struct expressions *expressions, int32_t child, int32_t twin,
                             const struct graph_node *node, int32_t *expression);

/* What is over a twin alone, over the clock itself. */
cuseq_status expression_untwin(struct expressions *expressions, int32_t child, int32_t twin,
                               int32_t *expression);

/* The SELF_ATTENTION that a CONTEXT is whose weights have a clock and its twin. Which of the two asks is told
 * by what the softmax is over: the other one. */
cuseq_status self_attention_make(struct expressions *expressions, const struct expression *context,
                                 int32_t *expression);

/* Inner products of heads: query, key and value are vectors, and each head's part of them lies behind that of
 * the head before. */
struct self_attention_heads {
  int32_t query, key, value; /* expressions */
  int32_t heads;
  double scale;
  bool masked;
};
cuseq_status self_attention_of_heads(struct expressions *expressions,
                                     const struct self_attention_heads *heads, const struct graph_node *node,
                                     int32_t *expression);

/* The same where something else asks the positions of a clock, which key and value are over: a CONTEXT. */
cuseq_status attention_of_heads(struct expressions *expressions, const struct self_attention_heads *heads,
                                int32_t clock, const struct graph_node *node, int32_t *expression);

/* Self-attentions of one head side by side, which are one of several heads; -1: they are no such thing. */
cuseq_status self_attention_of_parts(struct expressions *expressions, const struct expression *concat,
                                     int32_t *expression);

/* The same of CONTEXTs of one head side by side, whose inner products are alike. */
cuseq_status attention_of_parts(struct expressions *expressions, const struct expression *concat,
                                int32_t *expression);

/* The energies of one, over its children: at the position that asks as `query` maps each of them, at those
 * that are attended to as they are.
 *   queries  [children] what stands for each child where it asks */
cuseq_status self_attention_energies(struct expressions *expressions, int32_t attention,
                                     const int32_t *queries, int32_t *energies);

#endif
