/* Decoders that are no decoders: as many steps as the encoder reads positions, over a vector that is
 * repeated. */
#ifndef CUSEQ_RECOGNISE_LEVEL_H
#define CUSEQ_RECOGNISE_LEVEL_H

#include "convert/recognise/recognise.h"

/* Makes of a request one whose decoder's layers are further layers of the encoder, over the encoder's
 * positions.
 *   levelled  receives it
 *   done      receives whether it could be made */
cuseq_status level(const struct recognise_request *request, struct recognise_request *levelled, bool *done);

#endif
