/* What a kernel that is tested alone may err. There is no model here to ask cuseq_model_tolerance() of; each
 * of these is of one operation on numbers of about 1, in units of 2^-24, the rounding error of a number near
 * 1. None grows with T: sums over positions are blocked. */
#ifndef CUSEQ_TESTS_CUDA_BOUNDS_H
#define CUSEQ_TESTS_CUDA_BOUNDS_H

#include <cmath>

static const double BOUND_UNIT = 0x1p-24;

/* Sums of `products` products through activations, as a cell or the energies make them: rounding errors of
 * random signs add up as the square root of their number, and the largest of many such sums errs some three
 * times that; the activations and the state err by a dozen units. */
static inline double bound_of_sums(double products) {
  return BOUND_UNIT * (12.0 + 3.0 * std::sqrt(products));
}

/* A mean of numbers of about 1, and a softmax: a sum in blocks, one exponential and one division. */
static const double BOUND_OF_A_MEAN = 24.0 * BOUND_UNIT, BOUND_OF_A_SOFTMAX = 24.0 * BOUND_UNIT;

#endif
