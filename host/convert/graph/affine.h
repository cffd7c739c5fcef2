/* Affine maps: what dense layers without an activation, concatenations, sums and scalings come to. */
#ifndef CUSEQ_GRAPH_AFFINE_H
#define CUSEQ_GRAPH_AFFINE_H

#include "convert/graph/expression.h"

/* y = x M + m, x the bases side by side. */
struct affine {
  int32_t rows, columns;
  double *matrix; /* [rows, columns] */
  double *bias;   /* [columns] */
};

/* The largest number of an affine map, and the largest by which it may multiply what was computed before:
 * 1e-38, below which float32 has only zeros, is then nothing. */
static const double AFFINE_MOST = 1e28;

enum { AFFINE_MAX_BASES = 8 };

/* The expressions that others are to be affine in. */
struct bases {
  int32_t list[AFFINE_MAX_BASES];
  int32_t count;
};

/* Releases; does nothing on a zeroed structure. */
void affine_free(struct affine *affine);

/* Writes an expression as an affine map of the bases. What is neither a base nor affine is refused in the
 * name of its layer: "NAME: `subject` depends on it in a way that cuseq cannot express". */
cuseq_status affine_make(const struct expressions *expressions, int32_t expression, const struct bases *bases,
                         const char *subject, struct affine *affine);

/* What an expression is made of by affine operations: the bases and everything that is not affine.
 *   leaves  [capacity] receives them, each once
 *   count   receives their number; more than capacity is refused */
cuseq_status affine_leaves(const struct expressions *expressions, int32_t expression,
                           const struct bases *bases, int32_t *leaves, int32_t capacity, int32_t *count);

/* Whether M is the unit matrix and m zero. */
bool affine_is_identity(const struct affine *affine);
/* The largest magnitude; infinity where there is a NaN. */
double affine_largest(const struct affine *affine);
bool affine_has_bias(const struct affine *affine);

/* to [rows, columns] += from [rows, inner] * kernel [inner, columns], inner the kernel's rows */
void affine_add_product(const double *from, int32_t rows, const struct matrix *kernel, double *to);

#endif
