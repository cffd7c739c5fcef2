/* What a graph makes of one token alone - layers of any activation over an embedding, several embeddings - as
 * the rows of one table: an embedding of its own, with the same numbers. */
#ifndef CUSEQ_RECOGNISE_TABULATE_H
#define CUSEQ_RECOGNISE_TABULATE_H

#include "convert/graph/expression.h"

/* Tokens that are one-hot vectors are the elements of an expression, which stands for its own unit matrix.
 *   one_hot  that expression, or -1: tokens are what embeddings look up
 *   list     [count] expressions, each of which becomes the same over tables
 * What is affine in an embedding, and the only one of its tokens, stays as it is, and so do tables that would
 * be much larger than the embeddings they are made of. */
cuseq_status tabulate(struct expressions *expressions, int32_t one_hot, int32_t *list, size_t count);

/* tabulate_merge.c: embeddings of the same tokens become parts of one. */
cuseq_status tabulate_merge(struct expressions *expressions, int32_t one_hot, int32_t *list, size_t count);

/* An embedding of tokens by a matrix. */
cuseq_status tabulate_embed(struct expressions *expressions, int32_t tokens, int32_t matrix,
                            const struct graph_node *node, int32_t *made);

#endif
