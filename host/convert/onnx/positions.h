/* Single positions of sequences, and sequences that a graph writes out position by position. */
#ifndef CUSEQ_ONNX_POSITIONS_H
#define CUSEQ_ONNX_POSITIONS_H

#include "convert/onnx/evaluate.h"

/* The vectors at one position of an axis of positions, which goes. */
cuseq_status positions_one(struct evaluator *evaluator, const struct node_call *call,
                           const struct tensor *tensor, int32_t axis, int64_t position,
                           struct tensor *result);

/* Some positions of such an axis, one after the other: a stacked axis. */
cuseq_status positions_take(struct evaluator *evaluator, const struct node_call *call,
                            const struct tensor *tensor, int32_t axis, int64_t first, int64_t count,
                            int64_t step, struct tensor *result);

/* A stacked axis whose entries are what a sequence has at its positions, all of them and in their order,
 * becomes one of positions; another one stays as it is. */
cuseq_status positions_join(struct evaluator *evaluator, const struct node_call *call, int32_t axis,
                            struct tensor *tensor);

/* [batch, time, features] as [batch, all of them]: the positions' vectors side by side, where how many there
 * are is said.
 *   flat  receives whether it was that */
cuseq_status positions_flatten(struct evaluator *evaluator, const struct node_call *call,
                               const struct tensor *tensor, const struct dim *shape, int32_t count,
                               struct tensor *result, bool *flat);

#endif
