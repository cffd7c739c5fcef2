/* One .onnx file of a conversion: read, checked, evaluated. */
#ifndef CUSEQ_ONNX_FILE_H
#define CUSEQ_ONNX_FILE_H

#include "convert/onnx/evaluate.h"
#include "convert/onnx/inputs.h"
#include "convert/onnx/names.h"

/* Prepares the evaluation of a file's graph: its operator set is one that is known, its names are no two
 * things. Release them with name_table_free.
 *   evaluator  with expressions, arena, notes, shared and file set */
cuseq_status graph_begin(struct evaluator *evaluator, struct names *names);

/* Forgets what the tensors were, for another evaluation. */
void graph_forget(struct evaluator *evaluator);

/* Evaluates a graph that stands alone, whichever of rows and positions come first in its input. */
cuseq_status graph_evaluate(struct evaluator *evaluator);

/* The meaning of an output, with the cell states of cells that are written out. */
cuseq_status graph_output(struct evaluator *evaluator, size_t at, struct tensor *tensor);

/* An output as the recognition takes it. */
cuseq_status graph_output_value(struct evaluator *evaluator, const char *name, const struct tensor *tensor,
                                struct value *value);

#endif
