/* Poolings and convolutions with strides, which give a position for several that they read: clocks that are
 * thinned (graph/expression.h). */
#ifndef CUSEQ_RECOGNISE_THIN_H
#define CUSEQ_RECOGNISE_THIN_H

#include "convert/recognise/recognise.h"

/* Makes of outputs what computes the same over an input several positions of which lie side by side as one,
 * or refuses them. A note says how the input is to be given.
 *   outputs  [count] expressions; unchanged where nothing is thinned
 *   clocks   [MAX_CLOCKS] receives the clock that is in the place of each */
cuseq_status thin_make_blocks(const struct recognise_request *request, int32_t *outputs, size_t count,
                              int32_t *clocks);

#endif
