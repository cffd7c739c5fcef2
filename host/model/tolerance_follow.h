/* What a structure's numbers are and how far they err, followed from the input to the last layers: for
 * tolerance.c. */
#ifndef CUSEQ_MODEL_TOLERANCE_FOLLOW_H
#define CUSEQ_MODEL_TOLERANCE_FOLLOW_H

#include "model/moments.h"
#include "model/structure.h"

/* The gain of trained models' dense layers that are neither energies nor outputs. */
#define TOLERANCE_GAIN_DENSE 1.5
/* Of outputs' last layers. */
#define TOLERANCE_GAIN_OUTPUT 5.0

/* What is known of a structure's numbers; each is what a row has at its last position or step. */
struct profile {
  double time, steps;
  double factors; /* of products with weights, as moments_sums() takes it */
  struct moments h[STRUCTURE_MAX_ENCODER_LAYERS][2], c[STRUCTURE_MAX_ENCODER_LAYERS][2];
  struct moments annotations;
  struct moments values; /* of the annotations, as attention averages them */
  struct moments context;
  double alphas;
  struct moments decoder_h[STRUCTURE_MAX_DECODER_LAYERS], decoder_c[STRUCTURE_MAX_DECODER_LAYERS];
  struct moments state, attentional; /* what the last layer gives */
  struct moments probabilities;      /* where a step reads those of the step before */
};

/* Fills in what is known but for time, steps and factors, which are given. */
void tolerance_follow(const struct structure *s, struct profile *p);

/* What a dense layer gives that makes n products for each of its sums. */
struct moments tolerance_dense(const struct dense *layer, struct moments x, double n, double gain,
                               double factors);

/* The sums of a head's last layer, over an x of which the first layer makes n products. */
struct moments tolerance_head_sums(const struct head *head, struct moments x, double n, double gain,
                                   double factors);

/* The largest probability that errors count at, of so many. */
double tolerance_peak(struct moments sums, int32_t units);

/* Parts side by side; *products: how many of them a sum has. */
struct moments tolerance_parts(const struct structure *s, const struct profile *p, const struct parts *parts,
                               double *products);

#endif
