/* The parts of a model of version 1 - encoder, attention, initial states, decoder - from the modules that
 * names maps to them. */
#ifndef CUSEQ_ARRAYS_PARTS_VERSION1_H
#define CUSEQ_ARRAYS_PARTS_VERSION1_H

#include "convert/arrays/checkpoint.h"

/* Adds all tensors of the model to the checkpoint's. */
cuseq_status parts_version1_add(struct checkpoint *checkpoint, const struct names *names,
                                const cuseq_config *config);

#endif
