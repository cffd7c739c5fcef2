/* A golden vector: what goes into a model and what a framework computed from it, in an .npz whose names
 * README.md tells. */
#ifndef TESTS_GOLDEN_VECTOR_H
#define TESTS_GOLDEN_VECTOR_H

#include "cuseq/cuseq.h"

/* Runs the model on `device` with the vector's input and compares every array that the vector has, each
 * within `tolerance` x max(1, |value|); tokens where the expected lead of the best output exceeds the
 * tolerance. Returns 1, or 0 and vector_report() tells the file's first array at fault. An array of the
 * vector that nothing compares is a fault too. */
int vector_holds(const cuseq_model *model, const char *npz_path, const char *device, double tolerance);

const char *vector_report(void);

#endif
