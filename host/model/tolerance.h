/* How far a device may be from the reference: one function of a model's structure and of the precision, for
 * everything that judges a device. */
#ifndef CUSEQ_MODEL_TOLERANCE_H
#define CUSEQ_MODEL_TOLERANCE_H

#include "cuseq/cuseq.h"
#include "model/structure.h"

/* What cuseq_model_tolerance() answers, of a configuration whose widths are all known. */
double tolerance_of(const struct structure *structure, cuseq_precision precision, int32_t time, int32_t steps,
                    cuseq_result result);

#endif
