/* The parts of the model - encoder, attention, initial states, decoder - from the modules that names maps to
 * them. */
#ifndef CUSEQ_ARRAYS_PARTS_H
#define CUSEQ_ARRAYS_PARTS_H

#include "convert/arrays/checkpoint.h"

/* Adds all tensors of the model to the checkpoint's. */
cuseq_status parts_add(struct checkpoint *checkpoint, const struct names *names, const cuseq_config *config);

#endif
