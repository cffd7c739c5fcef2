/* From the structure as its author configured it to the one that backends run: special cases become general
 * ones, what can be added up beforehand is. Done once, here, for all backends; the reference computes from
 * the structure as configured.
 *
 *   scores        two kinds of energies: an inner product of key and query, or layers over (key + query)
 *   dense layers  a linear one in front of another becomes one with it where that is no more work
 *   biases        a GRU's two biases are added where they only ever occur as a sum
 *   affine maps   scale and offset of the input go into the first layer's kernels and biases
 *   embeddings    small ones go through the first layer's kernels: ids then pick rows of these */
#ifndef CUSEQ_MODEL_LOWER_H
#define CUSEQ_MODEL_LOWER_H

#include "model/structure.h"

/* What lowering had to compute, in blocks of its own. */
struct lowered_storage {
  size_t count, capacity;
  float **blocks;
};

/* Makes `lowered` of `structure`; views of the model's storage stay views of it.
 *   storage  receives what is new; lowered_storage_free is due, after a failure too */
cuseq_status structure_lower(const struct structure *structure, struct structure *lowered,
                             struct lowered_storage *storage);

/* Releases; does nothing on a zeroed storage. */
void lowered_storage_free(struct lowered_storage *storage);

#endif
