/* The reference's own source in float32: what a careful plain implementation in its order errs. */
#ifndef TESTS_SUPPORT_REFERENCE_F32_H
#define TESTS_SUPPORT_REFERENCE_F32_H

#include "support/results.h"

/* Runs a whole model; the input is F32 or I64. Aborts where it fails. */
void reference_f32_run(struct results *results, const cuseq_model *model, const cuseq_input *input);

#endif
