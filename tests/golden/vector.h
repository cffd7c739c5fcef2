/* A golden vector: what goes into a model and what a framework computed from it, in an .npz whose names
 * README.md tells. */
#ifndef TESTS_GOLDEN_VECTOR_H
#define TESTS_GOLDEN_VECTOR_H

#include "cuseq/cuseq.h"
#include "support/results.h"

/* What vectors call the float arrays of results, in their order. */
extern const char *const vector_names[RESULTS_FLOATS];

/* Runs the model on `device` with the vector's input and compares every array that the vector has: the
 * reference's within `rounding` x max(1, |value|) and all its tokens, other devices' within
 * cuseq_model_tolerance() and tokens where the expected lead of the best output exceeds twice that. Returns
 * 1, or 0 and vector_report() tells the file's first array at fault. An array of the vector that nothing
 * compares is a fault too. */
int vector_holds(const cuseq_model *model, const char *npz_path, const char *device, double rounding);

const char *vector_report(void);

#endif
