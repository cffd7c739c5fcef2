/* Columns of dense input that hold ids (input.lookups of docs/model-format.md). */
#ifndef CUSEQ_HOST_LOOKUP_H
#define CUSEQ_HOST_LOOKUP_H

#include "cuseq/cuseq.h"
#include "model/structure.h"

#include <stdbool.h>

/* Puts rows of tables in the place of ids. All is checked: ids are whole numbers of their table's range,
 * numbers finite unless `allow_nonfinite`; the first element at fault is named.
 *   input  its data is F32 or F64, and in host memory
 *   rows   [B,T,width] receives what backends read as dense input; zeros at t >= a row's length
 *   lengths_known  whether input->lengths may be read; else every position counts */
cuseq_status lookup_columns(const struct input_structure *structure, const cuseq_input *input,
                            bool lengths_known, bool allow_nonfinite, float *rows);

#endif
