/* Recurrent layers that a graph writes out, one cell after the other, each of which reads one position. */
#ifndef CUSEQ_RECOGNISE_WRITTEN_OUT_H
#define CUSEQ_RECOGNISE_WRITTEN_OUT_H

#include "convert/recognise/recognise.h"

/* Makes the layers that they are of chains of cells, and one output over all positions of outputs that are
 * one for each.
 *   request  its outputs are replaced
 *   found    receives whether there were such chains */
cuseq_status written_out_lift(struct recognise_request *request, bool *found);

/* The same of a list of expressions [count], which receive what they become. */
cuseq_status written_out_lift_list(struct expressions *expressions, struct notes *notes, int32_t *list,
                                   size_t count, bool *found);

#endif
