/* How far two numbers of an array can be apart at all, for tolerance.c: where errors grow until nothing is
 * left, no more than that is allowed. */
#ifndef CUSEQ_MODEL_TOLERANCE_RANGE_H
#define CUSEQ_MODEL_TOLERANCE_RANGE_H

#include "cuseq/cuseq.h"
#include "model/structure.h"

/* INFINITY: nothing bounds them. Initial states that a caller gives are taken to lie between -1 and 1. */
double tolerance_range(const struct structure *s, cuseq_result result);

#endif
