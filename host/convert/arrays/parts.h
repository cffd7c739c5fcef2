/* The parts of a model of version 2 from their sources. */
#ifndef CUSEQ_ARRAYS_PARTS_H
#define CUSEQ_ARRAYS_PARTS_H

#include "convert/arrays/checkpoint.h"
#include "convert/arrays/sources.h"

/* Adds all tensors of the structure to the checkpoint's. */
cuseq_status parts_add(struct checkpoint *checkpoint, const struct sources *sources,
                       const struct structure *structure);

#endif
