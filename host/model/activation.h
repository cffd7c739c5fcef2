/* What activations and layer normalisation compute, in float64: for the reference, and for converters that
 * fold numbers. */
#ifndef CUSEQ_MODEL_ACTIVATION_H
#define CUSEQ_MODEL_ACTIVATION_H

#include "cuseq/cuseq.h"

/* act(x) for every activation that works element by element. */
double activation_value(cuseq_activation activation, double x);

/* x [n] becomes softmax(x) over its first `length` entries and 0 behind them. */
void activation_softmax(double *x, int32_t length, int32_t n);

/* x [n] becomes log(softmax(x)). */
void activation_log_softmax(double *x, int32_t n);

/* x [n] becomes scale (x - mean) / sqrt(variance + epsilon) + offset, mean and variance of x.
 *   scale, offset  [n] */
void activation_normalise(double *x, int32_t n, double epsilon, const float *scale, const float *offset);

#endif
