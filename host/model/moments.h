/* How large the numbers of a vector are, and how much float32 errs in them: mean squares over its elements,
 * followed through sums and activations. Errors are in units of 2^-24, the rounding error of a number near
 * 1. */
#ifndef CUSEQ_MODEL_MOMENTS_H
#define CUSEQ_MODEL_MOMENTS_H

#include "cuseq/cuseq.h"

struct moments {
  double size;  /* the mean square of the numbers */
  double error; /* the mean square of their errors */
};

/* The mean square of the error that rounding makes of a number whose mean square is 1: an ulp is 1 to 2 units
 * of the number, about 1.44, and the error is spread evenly over it. */
#define MOMENTS_ROUNDING 0.173

/* Numbers that have lost every digit err as two that have nothing in common differ: by twice their mean
 * square. Where errors grow from step to step they grow no further. */
struct moments moments_settled(struct moments x);
/* What is added when a number is rounded. */
struct moments moments_rounded(struct moments x);
/* The sum, and the product, of two independent numbers, rounded. */
struct moments moments_sum(struct moments a, struct moments b);
struct moments moments_product(struct moments a, struct moments b);
/* A times the number, not rounded. */
struct moments moments_times(struct moments x, double factor);
/* Elements of a vector, `a` of them of one kind and `b` of another. */
struct moments moments_beside(struct moments x, double a, struct moments y, double b);

/* A sum of n products with weights whose mean square is gain^2 / n, and a bias. `factors`: the mean square of
 * the error that rounding the two factors beforehand makes of a product whose mean square is 1; 0: they are
 * not rounded. */
struct moments moments_sums(struct moments x, double n, double gain, double factors);

/* `normed` of `units` numbers brought to a mean square of 1. */
struct moments moments_normed(struct moments x, double normed, double units, double epsilon);

/* The activation of a number that is spread like a bell around 0. */
struct moments moments_activated(cuseq_activation activation, struct moments x);

/* The root mean square of the errors as they are counted: divided by the number's absolute value where that
 * is more than 1. */
double moments_counted(struct moments x);
/* The same of the activation. */
double moments_activated_counted(cuseq_activation activation, struct moments x);

#endif
