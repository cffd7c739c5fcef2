/* Convolutions without padding, which give nothing for the first positions: clocks that are cut
 * (graph/expression.h). */
#ifndef CUSEQ_RECOGNISE_CUT_H
#define CUSEQ_RECOGNISE_CUT_H

#include "convert/graph/expression.h"
#include "convert/graph/notes.h"

/* Makes of outputs what computes the same over whole clocks alone, or refuses them.
 *   outputs  [count] expressions; unchanged where nothing is cut */
cuseq_status cut_make_whole(struct expressions *expressions, struct notes *notes, int32_t *outputs,
                            size_t count);

#endif
