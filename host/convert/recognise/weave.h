/* Encoders that are no stack: layers beside one another, layers that are read together with what lies below
 * them, dense layers with activations in front of and between recurrent ones. cuseq's encoder is a stack of
 * layers, but each of its layers has two directions with cells of their own, and a GRU whose update gate is
 * shut gives, at every position, an activation of a dense map of what it reads at that position: with no
 * activation and the unit matrix, that itself. So one direction of a layer may compute while the other hands
 * on what later layers, or the outputs, read as well. */
#ifndef CUSEQ_RECOGNISE_WEAVE_H
#define CUSEQ_RECOGNISE_WEAVE_H

#include "convert/recognise/recognised.h"

/* Makes a stack of what computes the encoder of these outputs.
 *   clock    the encoder's
 *   outputs  [count] expressions; receive what computes the same over the stack
 *   woven    receives whether there was something to do; outputs are as before if not */
cuseq_status weave(struct recogniser *recogniser, int32_t clock, int32_t *outputs, size_t count, bool *woven);

/* Makes final states of single positions other than the last one.
 *   outputs  as above */
cuseq_status weave_edges(struct recogniser *recogniser, int32_t clock, int32_t *outputs, size_t count);

/* A decoder that begins with a vector which the model is given, through dense layers or not: the vector
 * becomes a sequence of one position, and what hands it on its encoder, whose final state it is.
 *   outputs, done  as above */
cuseq_status weave_vector(struct recogniser *recogniser, int32_t *outputs, size_t count, bool *done);

/* weave_means.c: means of the encoder's positions that a decoder reads become final states. */
cuseq_status weave_means(struct recogniser *recogniser, int32_t clock, int32_t *outputs, size_t count);

/* The same of any expressions. */
cuseq_status weave_means_of(struct expressions *expressions, int32_t clock, int32_t *list, size_t count);

/* weave_vector.c: whether a decoder is in what outputs are made of. */
cuseq_status weave_has_decoder(struct recogniser *recogniser, const int32_t *outputs, size_t count,
                               bool *has);

#endif
